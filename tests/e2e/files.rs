//! Files of hosts through the real programs and a real sshd: read, written, edited and copied; whole, exact, and as they were
//! where that cannot be.

mod hostile;
mod hosts;
mod pieces;
mod rounds;
mod sudo;
mod uploads;

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Stdio,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, SshdOptions, TestBed, ToolError, patient, program::tool};

/// Debian's, and what its sshd is configured with.
const SERVER: &str = "/usr/lib/openssh/sftp-server";

/// A host with the SFTP subsystem, a directory of its user's, and a client.
struct Files {
    bed: TestBed,
    shim: Shim,
    scratch: PathBuf,
}

impl Files {
    fn new() -> Self {
        let bed = TestBed::with(&SshdOptions {
            lines: vec![format!("Subsystem sftp {SERVER}")],
            ..SshdOptions::default()
        });
        let (shim, scratch) = (bed.shim(), bed.scratch(Shell::Bash));
        Self { bed, shim, scratch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// A file of the host user's.
    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("written");
        self.bed.user(Shell::Bash).own(&path);
        path
    }

    fn call(&mut self, tool: &str, path: impl AsRef<Path>, mut more: Value) -> Result<Value, ToolError> {
        more["host"] = json!("bash");
        more["path"] = json!(path.as_ref());
        self.shim.call(tool, more)
    }

    fn read(&mut self, path: impl AsRef<Path>, more: Value) -> Result<Value, ToolError> {
        self.call("read_file", path, more)
    }

    fn write(&mut self, path: impl AsRef<Path>, more: Value) -> Result<Value, ToolError> {
        self.call("write_file", path, more)
    }

    /// The end: in the directory is what the story put there.
    fn finish(self, names: &[&str]) {
        let entries = fs::read_dir(&self.scratch).expect("a directory").flatten();
        let mut left: Vec<_> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        assert_eq!(left, names);
        self.shim.close();
        self.bed.finish();
    }
}

fn all_bytes() -> Vec<u8> {
    (0..=255).collect()
}

/// Data, text, and as much as a call takes: what is written is what is read, and what `sha256sum` says of it.
#[test]
fn round_trips() {
    let mut files = Files::new();
    let data = all_bytes().repeat(8192);
    assert_eq!(data.len(), 2 << 20);
    let written = files.write(
        files.path("data"),
        json!({"content": STANDARD.encode(&data), "encoding": "base64"}),
    );
    let written = written.expect("written");
    assert_eq!(
        (&written["created"], &written["size"]),
        (&json!(true), &json!(2 << 20)),
        "{written}"
    );
    assert!(fs::read(files.path("data")).expect("it is there") == data);
    let read = files.read(files.path("data"), json!({})).expect("read");
    assert!(read["content"].as_str().map(|text| STANDARD.decode(text)) == Some(Ok(data)));
    assert_eq!(
        (&read["encoding"], &read["eof"]),
        (&json!("base64"), &json!(true))
    );
    assert_eq!(read["sha256"], written["sha256"]);
    let sum = std::process::Command::new(tool("sha256sum"))
        .arg(files.path("data"))
        .output()
        .expect("it runs");
    let sum = String::from_utf8(sum.stdout).expect("UTF-8");
    assert_eq!(sum.split(' ').next(), written["sha256"].as_str());

    let text = "grün €😀\r\n\ttab \u{1b}[31m\n".repeat(3);
    files
        .write(files.path("text"), json!({"content": text}))
        .expect("written");
    let read = files.read(files.path("text"), json!({})).expect("read");
    assert_eq!(
        (&read["content"], &read["encoding"]),
        (&json!(text), &json!("utf-8"))
    );
    let more = files
        .write(files.path("text"), json!({"content": "more", "mode": "append"}))
        .expect("appended");
    assert_eq!(more["size"], json!(text.len() + 4), "{more}");
    files
        .write(files.path("text"), json!({"content": ""}))
        .expect("emptied");
    let read = files.read(files.path("text"), json!({})).expect("read");
    assert_eq!(
        (&read["content"], &read["size"], &read["eof"]),
        (&json!(""), &json!(0), &json!(true)),
        "{read}"
    );

    let latin = files.write(
        files.path("latin"),
        json!({"content": "grün", "encoding": "latin-1", "permissions": 384}),
    );
    assert_eq!(latin.expect("written")["mode"], "0600");
    assert_eq!(fs::read(files.path("latin")).expect("it is there"), b"gr\xfcn");
    let read = files
        .read(files.path("latin"), json!({"encoding": "latin-1"}))
        .expect("read");
    assert_eq!(read["content"], "grün");
    let read = files
        .read(
            files.path("latin"),
            json!({"encoding": "utf-8", "errors": "replace"}),
        )
        .expect("read");
    assert_eq!(read["content"], "gr\u{fffd}n");
    files.finish(&["data", "latin", "text"]);
}

/// A text that is longer than a call, in pieces of any size: no character is cut, and the pieces are the whole.
#[test]
fn pieces() {
    let mut files = Files::new();
    let text = "a€😀ü\n".repeat(250_000);
    let path = files.put("long", &text);
    let first = files.read(&path, json!({})).expect("read");
    assert_eq!((&first["eof"], &first["sha256"]), (&json!(false), &json!(null)));
    let mut whole = first["content"].as_str().expect("text").to_owned();
    assert!(
        whole.len() <= 2 << 20 && whole.len() > (2 << 20) - 4,
        "{}",
        whole.len()
    );
    let mut offset = first["next_offset"].clone();
    for limit in [1, 7, 100_001] {
        let piece = files
            .read(&path, json!({"offset": offset, "limit": limit}))
            .expect("read");
        whole.push_str(piece["content"].as_str().expect("text"));
        offset = piece["next_offset"].clone();
    }
    let rest = files.read(&path, json!({"offset": offset})).expect("read");
    whole.push_str(rest["content"].as_str().expect("text"));
    assert!(whole == text && rest["eof"] == true && rest["size"] == text.len());
    let behind = files
        .read(&path, json!({"offset": 1_u64 << 40}))
        .expect("nothing is there");
    assert_eq!((&behind["content"], &behind["eof"]), (&json!(""), &json!(true)));
    let within = files
        .read(&path, json!({"offset": 2, "limit": 6}))
        .expect("within a character");
    assert_eq!(
        (&within["content"], &within["offset"], &within["next_offset"]),
        (&json!("😀"), &json!(4), &json!(8)),
        "{within}"
    );
    files.finish(&["long"]);
}

/// Files that are made as they are read have no size, and are read to their end.
#[test]
fn kernel_files() {
    let mut files = Files::new();
    let read = files.read("/proc/version", json!({})).expect("read");
    assert_eq!(
        read["content"],
        json!(fs::read_to_string("/proc/version").expect("it is there"))
    );
    assert_eq!(read["eof"], true, "{read}");
    let read = files
        .read("/sys/kernel/mm/transparent_hugepage/enabled", json!({}))
        .expect("read");
    assert!(
        read["content"]
            .as_str()
            .is_some_and(|text| text.contains("never")),
        "{read}"
    );
    let read = files
        .read("/proc/cpuinfo", json!({"limit": 5, "encoding": "base64"}))
        .expect("read");
    assert_eq!(read["eof"], false, "{read}");
    files.finish(&[]);
}

/// Edits: exactly once or everywhere, with a diff; nothing is done where the text is not what it should be.
#[test]
fn edits() {
    let mut files = Files::new();
    let path = files.put("conf", "port = 1\nhost = a\nport = 2\n");
    let edited = files
        .write(&path, json!({"old_text": "host = a", "new_text": "host = b"}))
        .expect("edited");
    assert_eq!(
        edited["diff"], "@@ -1,3 +1,3 @@\n port = 1\n-host = a\n+host = b\n port = 2\n",
        "{edited}"
    );
    assert_eq!(edited["replacements"], 1);
    let error = files
        .write(&path, json!({"old_text": "port", "new_text": "x"}))
        .expect_err("twice");
    assert_eq!(error.code, "conflict", "{error:?}");
    let error = files
        .write(&path, json!({"old_text": "ports", "new_text": "x"}))
        .expect_err("none");
    assert_eq!(error.code, "not_found", "{error:?}");
    let both = files
        .write(
            &path,
            json!({"old_text": "port", "new_text": "Port", "all": true}),
        )
        .expect("everywhere");
    assert_eq!(both["replacements"], 2);
    assert_eq!(
        fs::read_to_string(&path).expect("there"),
        "Port = 1\nhost = b\nPort = 2\n"
    );

    let stale = json!({"content": "x", "if_sha256": edited["sha256"]});
    let error = files.write(&path, stale).expect_err("it has changed");
    assert_eq!(error.code, "conflict", "{error:?}");
    let fresh = json!({"old_text": "b", "new_text": "c", "if_sha256": both["sha256"]});
    files.write(&path, fresh).expect("it has not");
    for (more, code) in [
        (json!({"content": "x", "if_sha256": "12"}), "invalid_argument"),
        (json!({"content": "x", "mode": "create"}), "conflict"),
        (json!({"old_text": "x", "new_text": "x"}), "invalid_argument"),
        (json!({"content": "x".repeat((2 << 20) + 1)}), "too_large"),
    ] {
        let error = files.write(&path, more).expect_err(code);
        assert_eq!(error.code, code, "{error:?}");
    }
    let error = files
        .write(files.path("none"), json!({"old_text": "a", "new_text": "b"}))
        .expect_err("no file");
    assert_eq!(error.code, "not_found", "{error:?}");
    let error = files
        .write(
            files.path("none"),
            json!({"content": "b", "if_sha256": both["sha256"]}),
        )
        .expect_err("no file");
    assert_eq!(error.code, "conflict", "{error:?}");
    assert_eq!(
        fs::read_to_string(&path).expect("there"),
        "Port = 1\nhost = c\nPort = 2\n"
    );
    files.finish(&["conf"]);
}

/// What a file is stays: its mode, the link that leads to it, its open readers' content, and its owner where that costs.
#[test]
fn what_stays() {
    let mut files = Files::new();
    let path = files.put("script", "old");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o751)).expect("chmod");
    symlink("script", files.path("link")).expect("a link");
    symlink("link", files.path("chain")).expect("a link");
    symlink("nothing", files.path("dangling")).expect("a link");
    let before = fs::metadata(&path).expect("there").ino();
    let written = files
        .write(files.path("chain"), json!({"content": "new"}))
        .expect("written");
    assert_eq!(
        (&written["path"], &written["notice"]),
        (&json!(path), &json!(null)),
        "{written}"
    );
    let after = fs::metadata(&path).expect("there");
    assert_eq!(
        (after.mode() & 0o7777, fs::read_to_string(&path).expect("there")),
        (0o751, "new".to_owned())
    );
    assert_ne!(after.ino(), before, "replaced in one moment");
    assert!(
        fs::symlink_metadata(files.path("link"))
            .expect("there")
            .is_symlink()
    );
    let made = files
        .write(files.path("dangling"), json!({"content": "made"}))
        .expect("made");
    assert_eq!(
        (&made["created"], &made["path"]),
        (&json!(true), &json!(files.path("nothing"))),
        "{made}"
    );
    symlink("loop", files.path("loop")).expect("a link");
    let error = files
        .write(files.path("loop"), json!({"content": "x"}))
        .expect_err("no end");
    assert_eq!(error.code, "invalid_argument", "{error:?}");

    // The owner could not be kept by a file of ours; nothing can be made in the other's directory.
    let shared = files.path("shared");
    fs::write(&shared, "root's").expect("written");
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o666)).expect("chmod");
    let written = files
        .write(&shared, json!({"content": "all's"}))
        .expect("written");
    let owner = fs::metadata(&shared).expect("there").uid();
    assert_eq!(owner, rustix::process::getuid().as_raw());
    assert!(
        !sshmcp_tests::User::many()
            || written["notice"]
                .as_str()
                .is_some_and(|words| words.contains("in place")),
        "{written}"
    );
    let sealed = files.path("sealed");
    fs::create_dir(&sealed).expect("a directory");
    fs::write(sealed.join("file"), "much older content").expect("written");
    files.bed.user(Shell::Bash).own(&sealed.join("file"));
    fs::set_permissions(&sealed, fs::Permissions::from_mode(0o555)).expect("chmod");
    let written = files
        .write(sealed.join("file"), json!({"content": "newer"}))
        .expect("written");
    assert!(
        written["notice"]
            .as_str()
            .is_some_and(|words| words.contains("in place")),
        "{written}"
    );
    assert_eq!(fs::read_to_string(sealed.join("file")).expect("there"), "newer");
    let error = files
        .write(sealed.join("other"), json!({"content": "x"}))
        .expect_err("not there");
    assert_eq!(error.code, "permission_denied", "{error:?}");
    let closed = files.put("closed", "x");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o444)).expect("chmod");
    let error = files
        .write(&closed, json!({"content": "y"}))
        .expect_err("read-only");
    assert_eq!(error.code, "permission_denied", "{error:?}");
    fs::set_permissions(&sealed, fs::Permissions::from_mode(0o755)).expect("chmod");
    files.finish(&[
        "chain", "closed", "dangling", "link", "loop", "nothing", "script", "sealed", "shared",
    ]);
}

/// What is no regular file is not opened: nothing hangs in a FIFO, and no device is read for ever.
#[test]
fn other_kinds() {
    let mut files = Files::new();
    let fifo = files.path("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o666),
        0,
    )
    .expect("a FIFO");
    for (path, code) in [
        (fifo.as_path(), "not_supported"),
        (Path::new("/dev/zero"), "not_supported"),
        (files.scratch.clone().as_path(), "invalid_argument"),
    ] {
        let error = files.read(path, json!({})).expect_err("no file");
        assert_eq!(error.code, code, "{error:?}");
        let error = files.write(path, json!({"content": "x"})).expect_err("no file");
        assert_eq!(error.code, code, "{error:?}");
    }
    for (path, code) in [
        ("", "invalid_argument"),
        ("/nowhere/x", "not_found"),
        ("/etc/hostname/x", "not_found"),
        ("/proc/1/environ", "permission_denied"),
        ("~nobody-of-this-name/x", "not_found"),
    ] {
        let error = files.read(path, json!({})).expect_err(path);
        assert_eq!(error.code, code, "{path}: {error:?}");
    }
    let long = format!("{}/{}", files.scratch.display(), "n".repeat(300));
    let error = files
        .write(&long, json!({"content": "x"}))
        .expect_err("too long a name");
    assert_eq!(error.code, "invalid_argument", "{error:?}");
    files.finish(&["fifo"]);
}

/// Paths as people write them.
#[test]
fn paths() {
    let mut files = Files::new();
    let home = files.bed.user(Shell::Bash).home.clone();
    let name = format!("sshmcp-test-{}", std::process::id());
    let user = files.bed.user(Shell::Bash).name.clone();
    let made = files
        .write(&name, json!({"content": "x", "mode": "create"}))
        .expect("in the home");
    assert_eq!(made["path"], json!(home.join(&name)));
    for path in [
        format!("~/{name}"),
        format!("./{name}"),
        format!("~{user}/{name}"),
    ] {
        let read = files.read(&path, json!({})).expect(&path);
        assert_eq!(read["content"], "x", "{path}");
    }
    fs::remove_file(home.join(&name)).expect("it was there");
    let error = files
        .write(files.path("a/b/c"), json!({"content": "x"}))
        .expect_err("no directory");
    assert_eq!(error.code, "not_found", "{error:?}");
    assert!(error.hint.contains("mkdir"), "{error:?}");
    files
        .write(files.path("a/b/c"), json!({"content": "x", "make_dirs": true}))
        .expect("made");
    let odd = files.path("a b;'\"$(id)\n*é");
    files.write(&odd, json!({"content": "odd"})).expect("any name");
    assert_eq!(fs::read_to_string(&odd).expect("there"), "odd");
    fs::remove_file(&odd).expect("there");
    // By the names of another server's tools.
    let call = json!({"host": "bash", "remote_path": files.path("theirs"), "content": "x", "append": true, "permissions": 420});
    files.shim.call("write_file", call).expect("written");
    let call =
        json!({"host": "bash", "remote_path": files.path("theirs"), "max_bytes": 10, "use_sudo": false});
    assert_eq!(files.shim.call("read_file", call).expect("read")["content"], "x");
    files.finish(&["a", "theirs"]);
}

/// Edits that come at once are done one after the other: none is lost.
#[test]
fn edits_at_once() {
    const EDITS: usize = 12;
    let mut files = Files::new();
    let lines: String = (0..EDITS).map(|number| format!("line {number};\n")).collect();
    let path = files.put("shared", &lines);
    let calls: Vec<u64> = (0..EDITS)
        .map(|number| {
            let edit = json!({"host": "bash", "path": path, "old_text": format!("line {number};"), "new_text": format!("done {number};")});
            files.shim.begin_call("write_file", edit)
        })
        .collect();
    for call in calls {
        files.shim.finish_call(call).expect("edited");
    }
    assert_eq!(
        fs::read_to_string(&path).expect("there"),
        lines.replace("line", "done")
    );
    files.finish(&["shared"]);
}

/// A person's copies: to a host and from it, by pipes, and more than one call takes.
#[test]
fn copies() {
    let files = Files::new();
    let bed = &files.bed;
    let long: Vec<u8> = all_bytes().repeat(20_000);
    fs::write(bed.path("long"), &long).expect("written");
    fs::set_permissions(bed.path("long"), fs::Permissions::from_mode(0o755)).expect("chmod");
    let there = |name: &str| format!("bash:{}/{name}", files.scratch.display());
    let cp = |from: &str, to: &str| {
        let output = bed.ctl(&["cp", from, to]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    let here = bed.path("long").display().to_string();
    cp(&here, &there(""));
    assert!(fs::read(files.path("long")).expect("it is there") == long);
    assert_eq!(
        fs::metadata(files.path("long")).expect("there").mode() & 0o777,
        0o755
    );
    cp(&here, &there("long"));
    let back = bed.home().join("back");
    cp(&there("long"), &back.display().to_string());
    assert!(fs::read(&back).expect("it is there") == long);
    assert!(cp(&there("long"), "-") == long);
    let mut piped = bed.program("sshctl");
    piped.args(["cp", "-", &there("piped")]).stdin(Stdio::piped());
    let mut running = piped.spawn().expect("it runs");
    let mut input = running.stdin.take().expect("piped");
    input.write_all(b"from a pipe").expect("it reads");
    drop(input);
    assert!(patient::end(&mut running).success());
    assert_eq!(fs::read(files.path("piped")).expect("there"), b"from a pipe");
    let missing = bed.ctl(&["cp", &there("nothing"), "."]);
    assert_eq!(
        missing.status.code(),
        Some(80),
        "{}",
        String::from_utf8_lossy(&missing.stderr)
    );
    files.finish(&["long", "piped"]);
}
