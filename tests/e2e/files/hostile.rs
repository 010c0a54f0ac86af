//! SFTP servers that lie, fall silent or die: each call ends with what is true, and the daemon goes on.

use std::{fs, path::Path};

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, SshdOptions, TestBed, ToolError, eventually};

use super::SERVER;

/// A host `hostile` whose SFTP server does what is written into `mode`.
struct Hostile {
    bed: TestBed,
    shim: Shim,
}

impl Hostile {
    fn new() -> Self {
        let mut bed = TestBed::new();
        fs::write(bed.path("hostile.py"), include_str!("hostile.py")).expect("a script");
        let line = format!(
            "Subsystem sftp python3 {} {} {SERVER}",
            bed.path("hostile.py").display(),
            bed.path("mode").display()
        );
        let options = SshdOptions {
            lines: vec![line],
            ..SshdOptions::default()
        };
        let number = bed.add_sshd(&options, &[Shell::Bash]);
        let user = bed.user(Shell::Bash).name.clone();
        bed.alias("hostile", &user, bed.sshds()[number].port());
        // What is never answered is not waited for long.
        fs::create_dir_all(bed.home().join(".config/sshmcp")).expect("a directory");
        bed.append(".config/sshmcp/config.toml", "[settings]\nmax_wait = 4\n");
        bed.give(".config");
        let shim = bed.shim();
        Self { bed, shim }
    }

    fn call(&mut self, mode: &str, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        fs::write(self.bed.path("mode"), mode).expect("written");
        self.shim.call(tool, arguments)
    }

    fn read(&mut self, mode: &str) -> Result<Value, ToolError> {
        self.call(mode, "read_file", json!({"host": "hostile", "path": "/x"}))
    }
}

/// Whatever a server says, a call ends in time with words that fit, and the connection is of use afterwards.
#[test]
fn liars() {
    let mut hostile = Hostile::new();
    for (mode, words) in [
        ("mute", "did not answer in time"),
        ("silent", "did not answer in time"),
        ("greets people", "Welc"),
        ("long", "impossible length"),
        ("wrong number", "answered what nobody asked"),
        ("wrong kind", "does not fit the question"),
        ("more than asked", "does not fit the question"),
        ("flood", "answered what nobody asked"),
    ] {
        let error = hostile.read(mode).expect_err(mode);
        assert!(error.message.contains(words), "{mode}: {error:?}");
        assert!(
            ["not_supported", "unreachable"].contains(&&*error.code),
            "{mode}: {error:?}"
        );
        assert!(!error.hint.is_empty(), "{mode}: {error:?}");
    }
    let short = hostile.read("announces too much").expect("what there is");
    assert_eq!(
        (&short["content"], &short["eof"]),
        (&json!("abc"), &json!(true)),
        "{short}"
    );
    let endless = hostile.read("endless").expect("what a call has room for");
    assert_eq!(endless["content"].as_str().map(str::len), Some(2 << 20));
    assert_eq!(
        (&endless["eof"], &endless["next_offset"]),
        (&json!(false), &json!(2 << 20))
    );
    assert_eq!(hostile.shim.run("hostile", "echo fine").stdout, "fine\n");
    hostile.shim.close();
    hostile.bed.finish();
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory").flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// A server that dies: before the file got its new content nothing is changed, and at that moment nobody knows. What is left
/// is removed by the next connection.
#[test]
fn dying_servers() {
    let mut hostile = Hostile::new();
    let scratch = hostile.bed.scratch(Shell::Bash);
    let file = scratch.join("file");
    let write = json!({"host": "hostile", "path": file, "content": "x".repeat(1 << 20)});
    for (mode, words) in [
        ("dies writing", "is as it was"),
        ("dies renaming", "it is not known whether"),
    ] {
        fs::write(&file, "old").expect("written");
        hostile.bed.user(Shell::Bash).own(&file);
        let error = hostile.call(mode, "write_file", write.clone()).expect_err(mode);
        assert!(error.message.contains(words), "{mode}: {error:?}");
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "old", "{mode}");
        assert!(
            mode != "dies writing" || error.message.contains(".sshmcp-"),
            "what may be left is named: {error:?}"
        );
        eventually("nothing is left", || names(&scratch) == ["file"]);
    }
    hostile.shim.close();
    hostile.bed.finish();
}
