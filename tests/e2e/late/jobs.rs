//! Every way to start a job that goes on after its command: what it writes is that command's, whoever runs meanwhile.

use std::fs;

use serde_json::json;
use sshmcp_tests::{Outcome, Shell, TestBed, eventually, eventually_some};

/// How a job is started; `JOB` is a list that writes to both streams late. What of it reaches the command's own streams.
struct Way {
    shells: &'static [Shell],
    text: &'static str,
    stdout: bool,
    /// What the next command reads from it, and what that prints.
    read: Option<(&'static str, &'static str)>,
}

const WAYS: &[Way] = &[
    Way {
        shells: &[Shell::Bash, Shell::Zsh, Shell::Ksh],
        text: "{ JOB; } & disown",
        stdout: true,
        read: None,
    },
    Way {
        shells: &[Shell::Zsh],
        text: "{ JOB; } &!",
        stdout: true,
        read: None,
    },
    Way {
        shells: &[Shell::Fish],
        text: "sh -c 'JOB' & disown",
        stdout: true,
        read: None,
    },
    Way {
        shells: &Shell::ALL,
        text: "nohup sh -c 'JOB' &",
        stdout: true,
        read: None,
    },
    Way {
        shells: &Shell::ALL,
        text: "setsid sh -c 'JOB' &",
        stdout: true,
        read: None,
    },
    Way {
        shells: &[Shell::Bash],
        text: "coproc { JOB; }",
        stdout: false,
        read: Some(("read -r l <&${COPROC[0]}; echo \"got $l\"", "got late\n")),
    },
    Way {
        shells: &[Shell::Zsh],
        text: "coproc { JOB; }",
        stdout: false,
        read: Some(("read -r l <&p; echo \"got $l\"", "got late\n")),
    },
    Way {
        shells: &[Shell::Ksh, Shell::Mksh],
        text: "{ JOB; } |&",
        stdout: false,
        read: Some(("read -r -p l; echo \"got $l\"", "got late\n")),
    },
];

#[test]
fn kept_apart_however_they_are_started() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for (number, way) in WAYS.iter().enumerate() {
        for &shell in way.shells {
            let gate = bed.scratch(shell).join(format!("gate{number}"));
            let job = format!(
                "while ! [ -e {} ]; do sleep 0.02; done; echo late; echo error >&2",
                gate.display()
            );
            let begun = shim.run(shell.host(), &way.text.replace("JOB", &job));
            let what = format!("{shell:?} {}: {begun:?}", way.text);
            assert_eq!(
                (&*begun.status, begun.exit_code),
                ("completed", Some(0)),
                "{what}"
            );
            let between = shim.run(shell.host(), "echo between; echo between >&2");
            assert_eq!(
                (&*between.stdout, &*between.stderr),
                ("between\n", "between\n"),
                "{what}"
            );
            fs::write(&gate, "").expect("a file");
            if let Some((text, prints)) = way.read {
                let read = shim.run(shell.host(), text);
                assert_eq!(read.stdout, prints, "{what}: {read:?}");
            }
            let stdout = if way.stdout { "late\n" } else { "" };
            eventually_some(&format!("late output of {what}"), || {
                let (out, err) = shim.whole_output(&begun.id);
                (out == stdout && err.ends_with("error\n")).then_some(())
            });
            let after = shim.run(shell.host(), "echo after");
            assert_eq!(after.stdout, "after\n", "{what}: {after:?}");
            assert!(!after.stderr.contains("error"), "{what}: {after:?}");
        }
    }
    shim.close();
    bed.finish();
}

/// 10 MB come late, while other commands run: every byte is at its place there, and none of it here.
#[test]
fn much_is_written_while_others_run() {
    const LINES: u32 = 1_400_000;
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let gate = bed.scratch(shell).join("gate");
        let text = format!(
            "( while ! [ -e {} ]; do sleep 0.02; done; seq 1 {LINES}; echo done >&2 ) & echo now",
            gate.display()
        );
        let begun = shim.run(shell.host(), &text);
        assert_eq!(begun.stdout, "now\n", "{shell:?}: {begun:?}");
        fs::write(&gate, "").expect("a file");
        let numbers = |last: u32| -> String { (1..=last).map(|number| format!("{number}\n")).collect() };
        let wanted = format!("now\n{}", numbers(LINES));
        let mut others = 0;
        eventually("all of it has come", || {
            others += 1;
            let text = format!("echo {others}; sleep 0.05; seq 1 2000; echo {others} >&2");
            let other = shim.run(shell.host(), &text);
            assert_eq!(other.stdout, format!("{others}\n{}", numbers(2000)), "{shell:?}");
            // bash tells there that a job is done.
            let own = other.stderr.lines().filter(|line| *line == others.to_string());
            assert_eq!(own.count(), 1, "{shell:?}: {}", other.stderr);
            let tail = json!({"command_id": begun.id, "tail": 1});
            let tail = shim.call("get_command_output", tail).map(Outcome::read);
            let bytes = tail.expect("its output").number("total_bytes");
            bytes >= (wanted.len() + "done\n".len()) as u64
        });
        let (stdout, _) = shim.whole_output(&begun.id);
        assert!(stdout == wanted, "{shell:?}: {} bytes", stdout.len());
    }
    shim.close();
    bed.finish();
}
