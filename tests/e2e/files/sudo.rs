//! Files as root: a real sudo asks, or does not, and its password goes nowhere else.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, Sudoer, TestBed, ToolError, eventually_some};

struct Root {
    bed: TestBed,
    sudoer: Sudoer,
    shim: Shim,
    directory: tempfile::TempDir,
}

impl Root {
    fn new(shell: Shell) -> Self {
        let bed = TestBed::new();
        let sudoer = Sudoer::new(shell);
        bed.authorize(bed.sshd(), &sudoer.user);
        bed.alias("sudo", &sudoer.user.name, bed.sshd().port());
        sudoer.allow("@ ALL=(ALL:ALL) ALL");
        let directory = tempfile::tempdir().expect("a directory of root's");
        let shim = bed.shim();
        Self {
            bed,
            sudoer,
            shim,
            directory,
        }
    }

    fn call(&mut self, tool: &str, path: &Path, mut more: Value) -> Result<Value, ToolError> {
        more["host"] = json!("sudo");
        more["path"] = json!(path);
        self.shim.call(tool, more)
    }

    fn finish(self) {
        self.shim.close();
        let log = self.bed.home().join(".local/state/sshmcp/daemon");
        for entry in fs::read_dir(log).expect("a log").flatten() {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            assert!(!text.contains(&self.sudoer.password), "{text}");
        }
        self.bed.finish();
    }
}

/// Each shell's way to sudo: content, owner and mode of a file that the login may not even see.
fn as_root(shell: Shell) {
    let mut root = Root::new(shell);
    let file = root.directory.path().join("secret");
    fs::write(&file, "key = old\n").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4750)).expect("chmod");
    std::os::unix::fs::chown(&file, Some(12), Some(34)).expect("chown");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4750)).expect("chmod");
    let password = root.sudoer.password.clone();

    let error = root
        .call("read_file", &file, json!({}))
        .expect_err("not as the login");
    assert_eq!(error.code, "permission_denied", "{error:?}");
    assert!(error.hint.contains("sudo"), "{error:?}");
    let error = root
        .call("read_file", &file, json!({"sudo": true}))
        .expect_err("nobody has the password");
    assert_eq!(error.code, "auth_input_required", "{error:?}");
    let error = root
        .call("read_file", &file, json!({"sudo_password": "wrong"}))
        .expect_err("it is wrong");
    assert_eq!(error.code, "auth_failed", "{error:?}");
    assert!(error.message.contains("once"), "{error:?}");

    let read = root
        .call(
            "read_file",
            &file,
            json!({"sudo": true, "sudo_password": password}),
        )
        .expect("as root");
    assert_eq!(
        (&read["content"], &read["mode"]),
        (&json!("key = old\n"), &json!("4750")),
        "{read}"
    );
    let edit =
        json!({"sudo_password": password, "old_text": "old", "new_text": "new", "if_sha256": read["sha256"]});
    let edited = root.call("write_file", &file, edit).expect("edited");
    assert_eq!(edited["notice"], json!(null), "{edited}");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "key = new\n");
    let there = fs::metadata(&file).expect("it is there");
    assert_eq!(
        (there.uid(), there.gid(), there.mode() & 0o7777),
        (12, 34, 0o4750)
    );

    root.sudoer.allow("@ ALL=(ALL:ALL) NOPASSWD: ALL");
    let write = json!({"sudo": true, "content": "more\n", "mode": "append"});
    root.call("write_file", &file, write).expect("without a password");
    assert_eq!(
        fs::read_to_string(&file).expect("it is there"),
        "key = new\nmore\n"
    );
    let all = fs::read_dir(root.directory.path()).expect("a directory").count();
    assert_eq!(all, 1, "nothing else is left there");
    root.finish();
}

#[test]
fn bash() {
    as_root(Shell::Bash);
}

#[test]
fn fish() {
    as_root(Shell::Fish);
}

/// A stored password is given to sudo's prompt; a wrong one once, until it is changed.
#[test]
fn stored() {
    let mut root = Root::new(Shell::Bash);
    let file = root.directory.path().join("secret");
    fs::write(&file, "seen\n").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
    let store = |root: &Root, password: &str| {
        let config = root.bed.home().join(".config/sshmcp/config.toml");
        fs::create_dir_all(config.parent().expect("a directory")).expect("a directory");
        let (user, port) = (&root.sudoer.user.name, root.bed.sshd().port());
        let text = format!(
            "[connections.sudo]\nhost = '127.0.0.1'\nport = {port}\nuser = '{user}'\nsudo_password = '{password}'\n"
        );
        fs::write(&config, text).expect("written");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).expect("chmod");
        root.bed.give(".config");
    };
    store(&root, "wrong");
    for words in ["tried once", "not tried again until it is changed"] {
        let error = root
            .call("read_file", &file, json!({"sudo": true}))
            .expect_err("wrong");
        assert_eq!(error.code, "auth_failed", "{error:?}");
        assert!(error.message.contains(words), "{error:?}");
    }
    let password = root.sudoer.password.clone();
    store(&root, &password);
    let content = eventually_some("the new password counts", || {
        let read = root.call("read_file", &file, json!({"sudo": true})).ok()?;
        Some(read["content"].clone())
    });
    assert_eq!(content, "seen\n");
    root.finish();
}

/// Who may not use sudo is told in sudo's own words.
#[test]
fn not_allowed() {
    let mut root = Root::new(Shell::Dash);
    root.sudoer.allow("@ ALL=(ALL:ALL) /bin/true");
    let file = root.directory.path().join("secret");
    let password = root.sudoer.password.clone();
    let error = root
        .call("read_file", &file, json!({"sudo_password": password}))
        .expect_err("not allowed");
    assert_eq!(error.code, "permission_denied", "{error:?}");
    assert!(error.message.contains("not allowed to execute"), "{error:?}");
    root.finish();
}
