//! What runs under sudo is another user's: what a signal reached of it is told, nothing of it is left, and the session is
//! right after. With a password given in the call, one from the configuration, and without any.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shell, Shim, Sudoer, TestBed, eventually, process::Process};

/// How sudo gets its password, if it wants one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Given,
    Stored,
    NoneWanted,
}

/// A command line below sudo (`SECONDS` are this test's alone, for sudo hides whose process it is), the signals that it is sent, what the last one's answer says, and the exit code.
const ROWS: &[(&str, &[&str], &str, i64)] = &[
    (
        "sleep SECONDS",
        &["INT"],
        "Ctrl-C was typed, and the command ended",
        130,
    ),
    (
        "sleep SECONDS",
        &["QUIT"],
        "Ctrl-\\ was typed, and the command ended",
        131,
    ),
    ("sleep SECONDS", &["TERM"], "TERM was sent to sudo (", 143),
    ("sleep SECONDS", &["KILL"], "KILL was sent to sudo (", 137),
    (
        "sh -c 'trap \"\" INT; sleep SECONDS; :'",
        &["INT", "QUIT"],
        "Ctrl-\\ was typed, and the command ended",
        131,
    ),
    (
        "sh -c 'while :; do sleep 0.SECONDS; done'",
        &["INT"],
        "ended",
        130,
    ),
    ("sh -c 'sleep SECONDS; echo NO'", &["TERM"], "ended", 143),
];

fn configure(bed: &TestBed, sudoer: &Sudoer) {
    let directory = bed.home().join(".config/sshmcp");
    fs::create_dir_all(&directory).expect("a directory");
    let text = format!(
        "[connections.stored]\nhost = \"127.0.0.1\"\nport = {}\nuser = {:?}\nsudo_password = {:?}\n",
        bed.sshd().port(),
        sudoer.user.name,
        sudoer.password
    );
    bed.append(".config/sshmcp/config.toml", &text);
    let file = directory.join("config.toml");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("chmod");
}

fn begin(shim: &mut Shim, way: Way, text: &str, password: &str) -> Outcome {
    let mut call = json!({"host": "stored", "command": format!("sudo {text}"), "timeout": 0});
    if way == Way::Given {
        call["sudo_password"] = json!(password);
        call["command"] = json!(text);
    }
    shim.execute(call).expect("it begins")
}

#[test]
fn what_runs_under_sudo() {
    let bed = TestBed::new();
    let sudoer = Sudoer::new(Shell::Bash);
    bed.authorize(bed.sshd(), &sudoer.user);
    configure(&bed, &sudoer);
    let mut shim = bed.shim();
    let seconds = format!("2{:07}", std::process::id());
    let runs = || {
        let all = Process::all();
        all.iter()
            .any(|process| process.name == "sleep" && process.line.contains(&seconds))
    };
    for way in [Way::Given, Way::Stored, Way::NoneWanted] {
        sudoer.allow(match way {
            Way::Given | Way::Stored => "@ ALL=(ALL:ALL) ALL",
            Way::NoneWanted => "@ ALL=(ALL:ALL) NOPASSWD: ALL",
        });
        shim.run("stored", "true");
        for &(text, signals, says, code) in ROWS {
            let what = format!("{way:?} {text:?} {signals:?}");
            let text = text.replace("SECONDS", &seconds);
            let begun = begin(&mut shim, way, &text, &sudoer.password);
            eventually(&format!("{what} runs"), runs);
            let mut last = Value::Null;
            for signal in signals {
                let ask = json!({"command_id": begun.id, "signal": signal});
                last = shim
                    .call("interrupt_command", ask)
                    .unwrap_or_else(|error| panic!("{what}: {error:?}"));
            }
            let message = last["message"].as_str().unwrap_or_default();
            assert!(message.contains(says), "{what}: {last}");
            assert_eq!(
                (&last["status"], &last["exit_code"], &last["ended"]),
                (&json!("interrupted"), &json!(code), &json!(true)),
                "{what}: {last}"
            );
            assert!(!last["stdout"].to_string().contains("NO"), "{what}: {last}");
            eventually(&format!("nothing is left of {what}"), || !runs());
            let next = shim.run("stored", "echo \"$?\"");
            assert_eq!(
                (&*next.stdout, &*next.notice),
                (&*format!("{code}\n"), ""),
                "{what}: {next:?}"
            );
        }
    }
    shim.close();
    bed.finish();
}
