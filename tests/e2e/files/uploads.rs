//! What one call does not take, copied to a host: all of it or nothing, whoever is killed meanwhile.

use std::{
    fs::{self, Permissions},
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::{Child, Stdio},
};

use sshmcp_tests::{Shell, eventually, patient};

use super::Files;

impl Files {
    /// `sshctl cp - FILE`, which was given more than it has sent.
    fn begun(&self, name: &str, content: &[u8]) -> Child {
        let there = format!("bash:{}", self.path(name).display());
        let mut running = self.bed.program("sshctl");
        let running = running.args(["cp", "-", &there]).stdin(Stdio::piped());
        let mut running = running.stderr(Stdio::piped()).spawn().expect("it runs");
        let input = running.stdin.as_mut().expect("piped");
        input.write_all(content).expect("it reads");
        running
    }

    /// Bytes of ours beside the file.
    fn beside(&self) -> Vec<u64> {
        let entries = fs::read_dir(&self.scratch).expect("a directory").flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(".sshmcp-"))
            .filter_map(|entry| entry.metadata().ok().map(|file| file.len()))
            .collect()
    }
}

/// The old content stays until the new one is complete, with its permissions; who is killed before leaves nothing.
#[test]
fn all_or_nothing() {
    let files = Files::new();
    let old = b"old\n".repeat(1_000_000);
    let path = files.put("shop", &old);
    fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("chmod");
    let new = b"new line\n".repeat(1_000_000);
    let (most, rest) = new.split_at(7 << 20);

    let mut killed = files.begun("shop", most);
    eventually("a part is on the host", || {
        files.beside().iter().any(|size| *size >= 2 << 20)
    });
    assert!(fs::read(&path).expect("there") == old);
    killed.kill().expect("ours");
    killed.wait().expect("ours");
    eventually("nothing of it is left", || files.beside().is_empty());
    assert!(fs::read(&path).expect("there") == old);

    let mut running = files.begun("shop", most);
    eventually("a part is on the host", || {
        files.beside().iter().any(|size| *size >= 2 << 20)
    });
    let inode = fs::metadata(&path).expect("there").ino();
    let mut input = running.stdin.take().expect("piped");
    input.write_all(rest).expect("it reads");
    drop(input);
    assert!(patient::end(&mut running).success());
    assert!(fs::read(&path).expect("there") == new);
    let now = fs::metadata(&path).expect("there");
    assert_ne!(now.ino(), inode, "another file has its name");
    assert_eq!(now.mode() & 0o777, 0o640);
    files.finish(&["shop"]);
}

/// Where nothing can be made beside it, it is written in place, and that is told.
#[test]
fn in_place_where_it_must_be() {
    let files = Files::new();
    let sealed = files.path("sealed");
    fs::create_dir(&sealed).expect("a directory");
    files.put("sealed/file", b"old\n".repeat(2_000_000));
    files.bed.user(Shell::Bash).own(&sealed);
    fs::set_permissions(&sealed, Permissions::from_mode(0o555)).expect("chmod");
    let new = b"shorter\n".repeat(400_000);
    let here = files.bed.path("new");
    fs::write(&here, &new).expect("written");
    let there = format!("bash:{}", sealed.join("file").display());
    let copied = files.bed.ctl(&["cp", &here.display().to_string(), &there]);
    let told = String::from_utf8_lossy(&copied.stderr).into_owned();
    assert!(
        copied.status.success() && told.contains("written in place, not replaced in one moment"),
        "{told}"
    );
    assert!(fs::read(sealed.join("file")).expect("there") == new);
    files.finish(&["sealed"]);
}
