//! What is typed is what arrives: bytes by the command line, text by the tool, brackets only where a program asked for
//! them.

use std::{fs, io::Write as _, process::Stdio};

use serde_json::json;
use sshmcp_tests::{Shell, Shim, TestBed, patient};

/// Starts a reader of so many bytes in raw mode, which writes what it read into a file. It reads when this returns.
fn reader(shim: &mut Shim, shell: Shell, before: &str, bytes: usize, file: &str) {
    let command = format!("stty raw -echo; printf '{before}ready'; head -c {bytes} >{file}; stty sane");
    let arguments = json!({"host": shell.host(), "command": command, "terminal": true, "timeout": 20});
    let object = shim.call("execute_command", arguments).expect("it starts");
    assert_eq!(object["status"], "awaiting_input", "{object}");
}

/// Every byte value arrives as it is, none of them as a key, a signal or the end of a line.
#[test]
fn every_byte_arrives() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Dash] {
        let file = bed.scratch(shell).join("bytes");
        reader(&mut shim, shell, "", all.len(), &file.display().to_string());
        let mut send = bed
            .program("sshctl")
            .args(["--json", "send", shell.host(), "--stdin", "--timeout", "20"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sshctl runs");
        let mut stdin = send.stdin.take().expect("piped");
        stdin.write_all(&all).expect("it reads");
        drop(stdin);
        let output = patient::output(send);
        let shown: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(shown["why"], "ended", "{shown}");
        assert_eq!(fs::read(&file).expect("the reader's file"), all, "{shell:?}");
    }
    shim.close();
    bed.finish();
}

/// Text of some KB, with lines, tabs and every kind of letter; in brackets only where the program wants pastes so.
#[test]
fn text_arrives() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let line = "a\tb, Grüße, 日本語, e\u{301}, 👨\u{200d}👩, \u{202e}x, $(id) `id` !! \\ '\"\n";
    let text = format!("{}\n\nlast, without an end", line.repeat(60));
    let arrives = text.replace('\n', "\r");
    let bracketed = format!("\x1b[200~{arrives}\x1b[201~");
    let shell = Shell::Bash;
    let file = bed.scratch(shell).join("text");
    for (before, wanted) in [
        ("", &arrives),
        (r"\033[?2004h", &bracketed),
        (r"\033[?2004l", &arrives),
    ] {
        reader(
            &mut shim,
            shell,
            before,
            wanted.len(),
            &file.display().to_string(),
        );
        let arguments = json!({"session": shell.host(), "text": text, "enter": false, "timeout": 20});
        let shown = shim.call("send_input", arguments).expect("it is typed");
        assert_eq!(shown["command"]["exit_code"], 0, "{shown}");
        let read = fs::read_to_string(&file).expect("the reader's file");
        assert_eq!(read, *wanted, "{before}");
    }
    shim.close();
    bed.finish();
}
