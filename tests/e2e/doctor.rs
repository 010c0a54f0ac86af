//! `sshctl doctor` on a real sshd: what is slow or unsafe is named, and nothing is changed or trusted.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Output};

use serde_json::Value;
use sshmcp_tests::{
    Shell, Sshd, SshdOptions, TestBed, User,
    sshd::{forced, keygen},
};

/// What was found, by check; the exit code is that of the worst.
fn doctor(bed: &TestBed, host: &str) -> (Output, Vec<Value>) {
    let output = bed.ctl(&["doctor", host, "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let code = match found["worst"].as_str() {
        Some("ok") => 0,
        Some("warning") => 1,
        _ => 2,
    };
    assert_eq!(output.status.code(), Some(code), "{found}");
    let findings = found["findings"].as_array().expect("a list").clone();
    (output, findings)
}

/// The findings of one check on a host (null: here).
fn of<'f>(findings: &'f [Value], host: &str, check: &str) -> Vec<&'f Value> {
    findings
        .iter()
        .filter(|found| found["check"] == check && found["host"].as_str().unwrap_or_default() == host)
        .collect()
}

fn text<'v>(finding: &'v Value, field: &str) -> &'v str {
    finding[field].as_str().unwrap_or_default()
}

/// A user of this story alone, with a home whose start-up files may be slow.
fn slow_user(bed: &mut TestBed, shell: Shell, host: &str, max_sessions: u32) -> User {
    let mut user = User::named(&format!("sshmcp-t-{host}"), &shell.program());
    let mut options = SshdOptions {
        max_sessions: Some(max_sessions),
        ..SshdOptions::default()
    };
    if !User::many() {
        user.home = bed.path(host);
        fs::create_dir_all(&user.home).expect("a home");
        options.lines.push(forced(&bed.path("login"), shell, &user.home));
    }
    let number = bed.add_sshd(&options, &[]);
    let sshd = &bed.sshds()[number];
    bed.authorize(sshd, &user);
    bed.alias(host, &user.name, sshd.port());
    user
}

fn write(user: &User, name: &str, text: &str) {
    let path = user.home.join(name);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).expect("a directory");
        user.own(directory);
    }
    fs::write(&path, text).expect("a file");
    user.own(&path);
}

/// The file that makes a login slow is named with its line, also where another one reads it; loose permissions, TMOUT
/// and few channels are told; a key here that others can read, too. The account is left as it was.
#[test]
fn a_slow_and_loose_account() {
    let mut bed = TestBed::new();
    let user = slow_user(&mut bed, Shell::Bash, "slow-bash", 4);
    write(&user, ".bash_profile", ". ~/.bashrc\nTMOUT=600\n");
    write(&user, ".bashrc", "true\n. ~/.tools/init.sh\n");
    write(
        &user,
        ".tools/init.sh",
        "slow() {\n  true\n  sleep 1.5\n}\nslow\nTOKEN=hunter2\n",
    );
    fs::set_permissions(&user.home, fs::Permissions::from_mode(0o775)).expect("chmod");
    let open = bed.home().join(".ssh/id_open");
    keygen(&open);
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("chmod");

    let (output, findings) = doctor(&bed, "slow-bash");
    let startup = of(&findings, "slow-bash", "start-up files");
    assert_eq!(startup.len(), 1, "{findings:#?}");
    assert_eq!(text(startup[0], "level"), "warning");
    let expected = format!("{} takes 1.", user.home.join(".tools/init.sh").display());
    let seen = text(startup[0], "seen");
    assert!(seen.contains(&expected) && seen.contains("(line 3: 1."), "{seen}");
    let loose = of(&findings, "slow-bash", "permissions");
    let home = user.home.display().to_string();
    let loose = loose
        .iter()
        .find(|found| text(found, "seen").contains(&home))
        .expect("the home");
    assert_eq!(text(loose, "level"), "problem");
    assert_eq!(text(loose, "todo"), format!("there: `chmod go-w {home}`"));
    let channels = of(&findings, "slow-bash", "MaxSessions");
    assert!(
        text(channels[0], "seen").starts_with("4 channels"),
        "{channels:?}"
    );
    assert!(text(of(&findings, "slow-bash", "TMOUT")[0], "seen").contains("600 s"));
    assert!(text(of(&findings, "slow-bash", "shell")[0], "seen").contains("bash"));
    let key = of(&findings, "", "keys");
    let key = key
        .iter()
        .find(|found| text(found, "level") == "problem")
        .expect("the open key");
    assert_eq!(text(key, "todo"), format!("chmod go-rwx {}", open.display()));
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("hunter2"),
        "traces stay on the host"
    );

    // It holds no session, and the next command finds all as it was.
    let listed = bed.ctl(&["ls", "--json"]);
    assert!(
        String::from_utf8_lossy(&listed.stdout).contains("\"sessions\": []"),
        "{listed:?}"
    );
    fs::set_permissions(&user.home, fs::Permissions::from_mode(0o755)).expect("chmod");
    bed.finish();
}

/// zsh tells its slow file, too, and a shell without traces at least which one it is.
#[test]
fn other_shells() {
    let mut bed = TestBed::new();
    for (shell, host, file) in [
        (Shell::Zsh, "slow-zsh", ".zshrc"),
        (Shell::Dash, "slow-dash", ".profile"),
    ] {
        let user = slow_user(&mut bed, shell, host, 10);
        write(&user, file, "sleep 1.2\n");
        let (_, findings) = doctor(&bed, host);
        let startup = of(&findings, host, "start-up files");
        let expected = format!("{} takes 1.", user.home.join(file).display());
        assert!(
            text(startup[0], "seen").contains(&expected),
            "{host}: {findings:#?}"
        );
        assert!(text(of(&findings, host, "MaxSessions")[0], "seen").starts_with("10 channels"));
        assert_eq!(text(of(&findings, host, "clock")[0], "level"), "ok");
    }
    bed.finish();
}

/// A key that nobody accepted stays unknown, whatever the policy of the host is, and nobody is logged in.
#[test]
fn nothing_is_trusted() {
    let bed = TestBed::new();
    let sshd = Sshd::start(&bed.path("new"), "new", &SshdOptions::default());
    bed.alias("new", &bed.user(Shell::Dash).name, sshd.port());
    bed.append(".ssh/config", "Host new\n StrictHostKeyChecking accept-new\n");
    let known = || fs::read_to_string(bed.home().join(".ssh/known_hosts")).expect("a file");
    let before = known();
    let (output, findings) = doctor(&bed, "new");
    assert_eq!(output.status.code(), Some(2));
    let key = of(&findings, "new", "host key");
    assert_eq!(text(key[0], "level"), "problem");
    assert!(text(key[0], "todo").contains("sshctl trust new"), "{key:?}");
    assert!(of(&findings, "new", "shell").is_empty());
    assert_eq!(known(), before, "nothing was trusted");
    bed.stop_daemon();
    drop(sshd);
    bed.finish();
}

/// A file that is refused as a whole is told at once by the doctor, by each listing, and to whoever names a host of it.
#[test]
fn a_refused_configuration_is_told() {
    let bed = TestBed::new();
    let secret = "[connections.vault]\nhost = \"127.0.0.1\"\npassword = \"hunter2\"\n";
    assert!(bed.ctl(&["daemon", "start"]).status.success());
    let directory = bed.home().join(".config/sshmcp");
    fs::create_dir_all(&directory).expect("a directory");
    fs::write(directory.join("config.toml"), secret).expect("a file");
    fs::set_permissions(directory.join("config.toml"), fs::Permissions::from_mode(0o644)).expect("chmod");
    bed.give(".config");
    let output = bed.ctl(&["doctor", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = found["findings"].as_array().expect("a list").clone();
    assert!(
        of(&findings, "", "configuration")
            .iter()
            .any(|finding| finding["level"] == "problem" && text(finding, "seen").contains("chmod 600")),
        "{found}"
    );
    for listing in ["sessions", "hosts", "commands", "status"] {
        let output = bed.ctl(&[listing, "--json"]);
        let listed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(
            listed["config_problems"].to_string().contains("chmod 600"),
            "{listing}: {listed}"
        );
    }
    let refused = bed.ctl(&["exec", "vault", "--", "true"]);
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(
        refused.status.code() == Some(65) && words.contains("chmod 600"),
        "{refused:?}"
    );
    assert!(!words.contains("hunter2"), "{refused:?}");
    bed.finish();
}
