//! The archives of a release: which there are, and that each has what it should, without building one.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use super::{Desk, SYSTEMCTL};
use crate::clients::workspace;
use sshmcp_tests::program::tool;

/// `.release/targets`: target, system, tried or not.
fn targets() -> Vec<[String; 3]> {
    let text = fs::read_to_string(workspace().join(".release/targets")).expect("a list");
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            words.try_into().expect("three words a line")
        })
        .collect()
}

fn archive(target: &str, output: &Path, binaries: &Path) -> Output {
    Command::new(workspace().join(".release/archive"))
        .args([Path::new(target), output, binaries])
        .output()
        .expect("bash runs it")
}

fn said(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Linux's are static, Apple's are nobody's word; each has programs, pages, completions, documents, its system's units and a checksum.
#[test]
fn archives_have_what_they_should() {
    let desk = Desk::new(SYSTEMCTL);
    let programs = desk.bed.path("built");
    fs::create_dir(&programs).expect("a directory");
    for name in ["sshmcpd", "mcp-ssh", "sshctl"] {
        let program = programs.join(name);
        // As a program does, and small.
        let script = format!(
            "#!/bin/sh\nexec {} \"$@\"\n",
            desk.programs().join(name).display()
        );
        fs::write(&program, script).expect("a file");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("chmod");
    }
    let pages = desk.bed.home().join("pages");
    fs::create_dir(&pages).expect("a directory");
    desk.bed.give("pages");
    let made = desk.ctl(&["man", pages.to_str().expect("a plain path")]);
    assert!(made.status.success(), "{made:?}");
    let files = |directory: &Path, below: &str| -> BTreeSet<String> {
        let names = fs::read_dir(directory).expect("a directory").flatten();
        names
            .map(|entry| format!("{below}/{}", entry.file_name().display()))
            .collect()
    };

    let (mut systems, version) = (BTreeSet::new(), env!("CARGO_PKG_VERSION"));
    for [target, system, tried] in targets() {
        let is_apple = target.ends_with("-apple-darwin");
        assert_eq!(is_apple, system == "macos", "{target}");
        assert!(is_apple || target.ends_with("-unknown-linux-musl"), "{target}");
        assert!(!is_apple || tried == "untried", "nobody here has a Mac: {target}");
        let output = desk.bed.path(&target);
        fs::create_dir(&output).expect("a directory");
        let made = archive(&target, &output, &programs);
        assert!(made.status.success(), "{made:?}");
        let name = format!("sshmcp-{version}-{target}");
        let packed = output.join(format!("{name}.tar.gz"));
        assert_eq!(
            String::from_utf8_lossy(&made.stdout),
            format!("{}\n", packed.display())
        );
        said(
            Command::new(tool("sha256sum"))
                .args(["-c", &format!("{name}.tar.gz.sha256")])
                .current_dir(&output),
        );
        let listed = said(Command::new(tool("tar")).args(["-tzf"]).arg(&packed));
        let listed: BTreeSet<String> = listed
            .lines()
            .filter_map(|line| line.strip_prefix(&format!("{name}/")))
            .filter(|line| !line.is_empty() && !line.ends_with('/'))
            .map(str::to_owned)
            .collect();
        let mut wanted = files(&programs, "bin");
        wanted.extend(files(&pages, "man"));
        wanted.extend(files(&workspace().join("docs"), "docs"));
        let units = if is_apple { "launchd" } else { "systemd" };
        let units = files(&workspace().join(units), units);
        // Beside the plist stands what the daemon is built from.
        let is_unit = |name: &String| !is_apple || name.ends_with(".plist");
        wanted.extend(units.into_iter().filter(is_unit));
        wanted.extend(["bash", "zsh", "fish"].map(|shell| format!("completions/sshctl.{shell}")));
        wanted.extend(["README.md", "CHANGELOG.md", "LICENSE"].map(str::to_owned));
        if tried == "untried" {
            wanted.insert("UNTRIED".to_owned());
        }
        assert_eq!(listed, wanted, "{target}");
        let ran = said(Command::new(tool("sh")).arg("-c").arg(format!(
            "cd {} && tar -xzf {name}.tar.gz && {name}/bin/sshctl --version",
            output.display()
        )));
        assert_eq!(ran, format!("sshctl {version}\n"));
        systems.insert(system);
    }
    assert_eq!(systems.into_iter().collect::<Vec<_>>(), ["linux", "macos"]);
    let unknown = archive("x86_64-pc-windows-msvc", &programs, &programs);
    assert_eq!(unknown.status.code(), Some(64), "{unknown:?}");
    desk.bed.finish();
}
