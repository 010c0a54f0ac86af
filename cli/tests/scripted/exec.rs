//! `sshctl exec`: streams, exit codes, Ctrl-C and questions.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Child;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use sshmcp_proto::v1;

use crate::daemon::Daemon;
use crate::patient::{self, Patient};
use crate::text;

fn press_ctrl_c(child: &Child) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id");
    kill_process(pid, Signal::INT).expect("it runs");
}

/// In a pipe every byte comes as it is, each stream where it belongs, and the exit code is the command's.
#[test]
fn streams_and_exit_code() {
    let output = Daemon::start().run(&[], "apart");
    assert_eq!(output.stdout, b"out \x1b[2J\xff\n");
    assert_eq!(text(&output.stderr), "err\n");
    assert_eq!(output.status.code(), Some(7));
}

/// What is piped in reaches the command whole, but only when asked for, and only so much.
#[test]
fn standard_input() {
    let daemon = Daemon::start();
    let bytes: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    for (options, input, expected, code) in [
        (&["-i"][..], bytes.clone(), bytes, 0),
        (&[][..], b"x".to_vec(), Vec::new(), 0),
        (&["-i"][..], vec![b'x'; (1 << 20) + 1], Vec::new(), 81),
    ] {
        let mut child = daemon.exec(options, "echo stdin");
        let mut stdin = child.stdin.take().expect("piped");
        // A program that takes no input may have closed it already.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let output = patient::output(child);
        writer.join().expect("no panic");
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert!(
            output.stdout == expected,
            "{} bytes came back",
            output.stdout.len()
        );
    }
}

/// Ends without an exit code have documented ones.
#[test]
fn other_ends() {
    let daemon = Daemon::start();
    for (options, script, code, words) in [
        (&[][..], "lost", 89, "not run again"),
        (&["--timeout", "0.1"][..], "ask", 0, "sshctl send c1 --secret"),
        (&["--json"][..], "late", 90, ""),
        (&[][..], "busy", 75, "wait for c9"),
    ] {
        let output = daemon.run(options, script);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{script}: {stderr}");
        assert!(stderr.contains(words), "{script}: {stderr}");
    }
}

/// A question is told, harmlessly, and the run goes on to the command's end.
#[test]
fn question() {
    let output = Daemon::start().run(&[], "ask");
    let stderr = text(&output.stderr);
    assert_eq!(
        (text(&output.stdout).as_str(), output.status.code()),
        ("thanks\n", Some(0))
    );
    assert!(
        stderr.contains("asks \"Password:\"") && stderr.contains("sshctl send c1 --secret"),
        "{stderr}"
    );
    assert!(!stderr.contains('\x1b'), "{stderr:?}");
}

/// Ctrl-C is the command's; its own end is what sshctl exits with.
#[test]
fn ctrl_c_goes_to_the_command() {
    let daemon = Daemon::start();
    let mut child = daemon.exec(&[], "polite");
    let mut line = String::new();
    let mut stdout = BufReader::new(Patient::new(child.stdout.take().expect("piped")));
    stdout.read_line(&mut line).expect("text");
    press_ctrl_c(&child);
    assert_eq!(patient::end(&mut child).code(), Some(130));
    assert_eq!(daemon.signals(), [v1::Signal::Int]);
}

/// A command that will not end: the second press sends TERM, the third leaves it and says where it is.
#[test]
fn third_ctrl_c_leaves() {
    let daemon = Daemon::start();
    let mut child = daemon.exec(&[], "stubborn");
    let mut line = String::new();
    let mut stdout = BufReader::new(Patient::new(child.stdout.take().expect("piped")));
    stdout.read_line(&mut line).expect("text");
    let mut stderr = BufReader::new(Patient::new(child.stderr.take().expect("piped")));
    for words in ["SIGTERM", "leave it running"] {
        press_ctrl_c(&child);
        line.clear();
        stderr.read_line(&mut line).expect("text");
        assert!(
            line.contains("c1 is still running") && line.contains(words),
            "{line}"
        );
    }
    press_ctrl_c(&child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("text");
    assert_eq!(patient::end(&mut child).code(), Some(90));
    assert!(rest.contains("c1 goes on without you"), "{rest}");
    assert_eq!(daemon.signals(), [v1::Signal::Int, v1::Signal::Term]);
}

/// `sshctl exec … | head` ends when nobody reads any more, without a word.
#[test]
fn broken_pipe() {
    let daemon = Daemon::start();
    let mut child = daemon.exec(&[], "flood");
    let mut some = [0; 64];
    let mut stdout = Patient::new(child.stdout.take().expect("piped"));
    stdout.read_exact(&mut some).expect("output");
    drop(stdout);
    let output = patient::output(child);
    assert_eq!(
        (output.status.code(), text(&output.stderr).as_str()),
        (Some(141), "")
    );
}
