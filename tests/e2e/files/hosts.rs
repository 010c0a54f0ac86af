//! Hosts that have files and little else, or no SFTP, or no room.

use std::fs;

use serde_json::{Value, json};
use sshmcp_tests::{Shell, SshdOptions, TestBed, User};

use super::SERVER;

fn with(lines: &[String], world: Option<&str>) -> TestBed {
    TestBed::with(&SshdOptions {
        lines: lines.to_vec(),
        world: world.map(str::to_owned),
        ..SshdOptions::default()
    })
}

/// An account that may do nothing but SFTP, in a directory that is its whole world.
#[test]
fn an_account_for_files_alone() {
    assert!(User::many(), "a chroot belongs to root: run this as root");
    let place = tempfile::Builder::new()
        .prefix("sshmcp-chroot-")
        .tempdir_in("/run")
        .expect("a directory");
    fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    let user = User::named("sshmcp-t-files", "/usr/sbin/nologin".as_ref());
    let inside = place.path().join("in");
    fs::create_dir(&inside).expect("a directory");
    user.own(&inside);
    let lines = [
        "Subsystem sftp internal-sftp".to_owned(),
        format!("Match User {}", user.name),
        format!("ChrootDirectory {}", place.path().display()),
        "ForceCommand internal-sftp -d /in".to_owned(),
    ];
    let mut bed = with(&lines, None);
    bed.add_guest("files", &user);
    let mut shim = bed.shim();
    let write = json!({"host": "files", "path": "note", "content": "hello\n"});
    let written = shim.call("write_file", write).expect("written");
    assert_eq!(written["path"], "/in/note", "{written}");
    assert_eq!(fs::read_to_string(inside.join("note")).expect("there"), "hello\n");
    let read = shim
        .call("read_file", json!({"host": "files", "path": "~/note"}))
        .expect("read");
    assert_eq!(read["content"], "hello\n", "{read}");
    let error = shim
        .call(
            "read_file",
            json!({"host": "files", "path": "note", "sudo": true}),
        )
        .expect_err("there is no sudo");
    assert!(
        ["permission_denied", "not_supported"].contains(&&*error.code),
        "{error:?}"
    );
    shim.close();
    bed.finish();
}

/// A host without the subsystem, whose program is started; and one on which nothing but a shell runs.
#[test]
fn no_subsystem() {
    let bed = with(&[], None);
    let scratch = bed.scratch(Shell::Fish);
    let mut shim = bed.shim();
    let write = json!({"host": "fish", "path": scratch.join("a"), "content": "there\n"});
    shim.call("write_file", write).expect("by the server's program");
    assert_eq!(
        fs::read_to_string(scratch.join("a")).expect("it is there"),
        "there\n"
    );
    shim.close();
    bed.finish();

    let bed = with(&["ForceCommand echo No. >&2; exit 1".to_owned()], None);
    let mut shim = bed.shim();
    let read = json!({"host": "bash", "path": "/etc/hostname"});
    let error = shim.call("read_file", read).expect_err("no SFTP there");
    assert_eq!(error.code, "not_supported", "{error:?}");
    assert!(
        error.message.contains("sftp") && error.hint.contains("execute_command"),
        "{error:?}"
    );
    shim.close();
    bed.finish();
}

/// A network device has no files of this kind.
#[test]
fn a_network_device() {
    let bed = with(&[], None);
    let user = bed.user(Shell::Bash).name.clone();
    let config = format!(
        "[connections.router]\nhost = '127.0.0.1'\nport = {}\nuser = '{user}'\nkind = 'network'\n",
        bed.sshd().port()
    );
    fs::create_dir_all(bed.home().join(".config/sshmcp")).expect("a directory");
    bed.append(".config/sshmcp/config.toml", &config);
    bed.give(".config");
    let mut shim = bed.shim();
    let error = shim
        .call("read_file", json!({"host": "router", "path": "/x"}))
        .expect_err("no files");
    assert_eq!(error.code, "not_supported", "{error:?}");
    shim.close();
    bed.finish();
}

fn listed(shim: &mut sshmcp_tests::Shim) -> Value {
    json!(shim.run("bash", "ls -A /mnt").stdout)
}

/// No room: what was there is there, and nothing of ours; path and cause are told. The same where it must be written in place.
#[test]
fn a_full_disk() {
    let world = "mount -t tmpfs -o size=1m,mode=1777 tmpfs /mnt";
    let bed = with(&[format!("Subsystem sftp {SERVER}")], Some(world));
    let mut shim = bed.shim();
    let old = "old\n".repeat(50_000);
    let write = |path: &str, content: &str, mode: &str| json!({"host": "bash", "path": path, "content": content, "mode": mode});
    shim.call("write_file", write("/mnt/file", &old, "create"))
        .expect("there is room");
    let large = "new\n".repeat(400_000);
    for (path, mode, state) in [
        ("/mnt/file", "overwrite", "is as it was"),
        ("/mnt/file", "append", "is as it was"),
        ("/mnt/new", "create", "is as it was"),
    ] {
        let error = shim
            .call("write_file", write(path, &large, mode))
            .expect_err(mode);
        assert_eq!(error.code, "limit_reached", "{mode}: {error:?}");
        assert!(
            error.message.contains("no space left")
                && error.message.contains(path)
                && error.message.contains(state),
            "{mode}: {error:?}"
        );
        let read = json!({"host": "bash", "path": "/mnt/file"});
        let there = shim.call("read_file", read).expect("it is there");
        assert!(there["content"] == json!(old), "{mode}: {} bytes", there["size"]);
        assert_eq!(listed(&mut shim), json!("file\n"), "{mode}");
    }
    // Nothing can be made beside it.
    shim.run(
        "bash",
        "mkdir /mnt/sealed && mv /mnt/file /mnt/sealed/ && chmod 555 /mnt/sealed",
    );
    let error = shim
        .call("write_file", write("/mnt/sealed/file", &large, "overwrite"))
        .expect_err("no room");
    assert_eq!(error.code, "limit_reached", "{error:?}");
    assert!(
        error.message.contains("what it had was written back"),
        "{error:?}"
    );
    let there = shim
        .call("read_file", json!({"host": "bash", "path": "/mnt/sealed/file"}))
        .expect("it is there");
    assert!(there["content"] == json!(old), "{} bytes", there["size"]);
    shim.close();
    bed.finish();
}

/// Where OpenSSH's own client carries the host's session, files go over its connection.
#[test]
fn by_openssh() {
    let bed = with(&[format!("Subsystem sftp {SERVER}")], None);
    let scratch = bed.scratch(Shell::Bash);
    let mut shim = bed.shim();
    let opened = json!({"host": "bash", "keeper": "local-tmux"});
    shim.call("open_session", opened).expect("it opens");
    let path = scratch.join("a");
    let write = json!({"host": "bash", "path": path, "content": "by its connection\n"});
    shim.call("write_file", write).expect("written");
    let read = shim
        .call("read_file", json!({"host": "bash", "path": path}))
        .expect("read");
    assert_eq!(read["content"], "by its connection\n", "{read}");
    let status = String::from_utf8(bed.ctl(&["status", "--json"]).stdout).expect("UTF-8");
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["connections"], 0, "none of the daemon's own: {status}");
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.finish();
}
