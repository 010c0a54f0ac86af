//! tcsh as login shell: commands are typed whole, their ends and codes are exact, and stdout and stderr are one stream,
//! which is said.

use std::thread;

use serde_json::json;
use sshmcp_tests::{TestBed, program::tool};

use super::home::Homes;

/// Command, code, and all of its output as one stream.
const ROWS: [(&str, i64, &str); 20] = [
    ("echo out", 0, "out\n"),
    ("sh -c 'echo out; echo err >&2; exit 3'", 3, "out\nerr\n"),
    ("true", 0, ""),
    ("false", 1, ""),
    ("cd /usr", 0, ""),
    ("pwd", 0, "/usr\n"),
    ("set kept = 'a  b'; setenv EXPORTED yes", 0, ""),
    ("echo \"$kept\" $EXPORTED", 0, "a  b yes\n"),
    ("sh -c 'kill -TERM $$'", 143, "Terminated\n"),
    ("echo 'quoted \"twice\"'", 0, "quoted \"twice\"\n"),
    ("echo 'no event!'", 0, "no event!\n"),
    ("printf 'no line end'", 0, "no line end"),
    ("seq 1 3 | cat", 0, "1\n2\n3\n"),
    ("alias shout 'echo ALIASED'", 0, ""),
    ("shout now", 0, "ALIASED now\n"),
    ("echo ü", 0, "ü\n"),
    (
        "printf '%s\\n' 'ü!\té' | od -An -c | tr -d ' \\n'",
        0,
        "303274!\\t303251\\n",
    ),
    ("echo one\necho 'zwö'", 0, "one\nzwö\n"),
    ("false\necho $status ü", 0, "1 ü\n"),
    ("sh -c 'exit 200'", 200, ""),
];

#[test]
fn tcsh_has_exact_ends_and_one_stream() {
    let homes = Homes::new();
    let mut bed = TestBed::new();
    let shell = std::fs::canonicalize(tool("tcsh")).expect("tcsh");
    // Without a locale its line editor takes what is not ASCII for keys.
    let mut saved = Vec::new();
    let hosts = [("tcsh", "setenv LANG C.UTF-8"), ("tcsh-c", "setenv LC_ALL C")];
    for (host, locale) in hosts {
        let files = [(
            ".tcshrc",
            format!("{locale}\nset prompt = '%m> '\nset history = 100\nset savehist = 100\n"),
        )];
        let user = homes.make_with(host, &shell, &files);
        bed.add_guest(host, &user);
        saved.push(user.home.join(".history"));
    }
    let wrong: Vec<String> = thread::scope(|scope| {
        let players = hosts.map(|(host, _)| {
            let bed = &bed;
            scope.spawn(move || play(bed, host))
        });
        let wrong = players.map(|player| player.join().expect("it does not panic"));
        wrong.concat()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // Its history is that of what we typed, and goes to no file.
    assert!(saved.iter().all(|file| !file.exists()), "{saved:?}");
    // What became of a command cannot be asked of it after an absence: no tmux keeps it.
    let mut shim = bed.shim();
    let asked = json!({"host": "tcsh", "session": "kept", "keeper": "remote-tmux"});
    let opened = shim.call("open_session", asked).expect("it opens");
    assert_eq!(opened["keeper"], "daemon", "{opened}");
    let notice = opened["notice"].as_str().expect("a notice");
    assert!(notice.contains("login shell"), "{notice}");
    shim.close();
    bed.finish();
}

fn play(bed: &TestBed, host: &str) -> Vec<String> {
    let mut shim = bed.shim();
    let mut wrong = Vec::new();
    for (command, code, output) in ROWS {
        let outcome = shim.run(host, command);
        let right = outcome.status == "completed"
            && outcome.exit_code == Some(code)
            && outcome.object["stderr"].is_null()
            && outcome.object["completion"] == "exact"
            && outcome.stdout == output;
        if !right {
            wrong.push(format!("{host}: {command:?}: {}", outcome.object));
        }
    }
    let interrupted = shim
        .execute(json!({"host": host, "command": "sleep 1000", "timeout": 0.5}))
        .expect("it begins");
    shim.call("interrupt_command", json!({"command_id": interrupted.id}))
        .expect("interrupted");
    let interrupted = shim.wait_for(&interrupted.id);
    if interrupted.status != "interrupted" {
        wrong.push(format!("{host}: {}", interrupted.object));
    }
    let next = shim.run(host, "echo next");
    if next.stdout != "next\n" {
        wrong.push(format!("{host}: {}", next.object));
    }
    let refused = shim
        .execute(json!({"host": host, "command": "cat", "stdin": "x"}))
        .expect_err("it cannot be typed");
    assert_eq!(refused.code, "not_supported", "{refused:?}");
    if shim.run(host, "exit 0").exit_code != Some(0) {
        wrong.push(format!("{host}: it does not end"));
    }
    shim.close();
    wrong
}
