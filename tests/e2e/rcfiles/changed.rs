//! A shell that is another in mid-session: one within it, one in its place, and one that its own time limit ended.

use std::{sync::Mutex, thread};

use serde_json::json;
use sshmcp_tests::{Outcome, Shell, Shim, TestBed};

use super::{home::Homes, play::until_it_ends, row::row};

/// The seven, without the theme.
pub(super) const LOGINS: [Shell; 7] = [
    Shell::Bash,
    Shell::Zsh,
    Shell::Dash,
    Shell::Ash,
    Shell::Ksh,
    Shell::Mksh,
    Shell::Fish,
];

/// Begins a program that holds the terminal, finds the session busy, and leaves it by a line.
fn hold(shim: &mut Shim, host: &str, command: &str, leave: &str) -> Result<Outcome, String> {
    let arguments = json!({"host": host, "command": command, "terminal": true, "timeout": 30});
    let begun = shim.execute(arguments).map_err(|error| format!("{error:?}"))?;
    if begun.status != "awaiting_input" {
        return Err(format!("does not wait: {begun:?}"));
    }
    let busy = shim
        .execute(json!({"host": host, "command": "true"}))
        .err()
        .ok_or("a command ran within it")?;
    if busy.code != "session_busy" || !busy.message.contains(&begun.id) || !busy.hint.contains("send_input") {
        return Err(format!("is busy otherwise: {busy:?}"));
    }
    let typed = json!({"command_id": begun.id, "text": leave});
    shim.call("send_input", typed)
        .map_err(|error| format!("{error:?}"))?;
    let waited = json!({"commands": [begun.id], "timeout": 30});
    shim.call("wait_for", waited)
        .map_err(|error| format!("{error:?}"))?;
    let ended = shim.call("get_command_output", json!({"command_id": begun.id}));
    let mut ended = ended.map(Outcome::read).map_err(|error| format!("{error:?}"))?;
    if ended.exit_code.is_none() {
        let screen = shim.call("get_terminal_output", json!({"session": host}));
        return Err(format!("does not end: {ended:?}; on the screen: {screen:?}"));
    }
    ended.notice = begun.notice;
    Ok(ended)
}

fn change(shim: &mut Shim, shell: Shell) -> Result<(), String> {
    let host = shell.host();
    shim.run(
        host,
        if shell == Shell::Fish {
            "cd /usr; set x outer"
        } else {
            "cd /usr; x=outer"
        },
    );
    for (inner, leave) in [
        ("bash --norc", "exit 5"),
        ("zsh -f", "exit 5"),
        ("dash", "exit 5"),
        ("fish --no-config", "exit 5"),
        ("python3 -q", "exit(5)"),
    ] {
        let ended = hold(shim, host, inner, leave).map_err(|words| format!("{inner}: {words}"))?;
        let next = shim.run(host, "echo $x $PWD");
        if (&*ended.status, ended.exit_code) != ("completed", Some(5))
            || next.stdout != "outer /usr\n"
            || !next.notice.is_empty()
        {
            return Err(format!("{inner}: {ended:?}, then {next:?}"));
        }
    }
    for inner in ["exec bash --norc", "exec zsh -f"] {
        let ended = hold(shim, host, inner, "exit 4").map_err(|words| format!("{inner}: {words}"))?;
        let next = shim.run(host, "echo again $PWD");
        if (&*ended.status, ended.exit_code) != ("completed", Some(4))
            || !ended.notice.contains("replaced")
            || next.stdout != "again /usr\n"
            || !next.notice.contains("opened again")
        {
            return Err(format!("{inner}: {ended:?}, then {next:?}"));
        }
    }
    Ok(())
}

/// What is started from a prompt holds the session until it ends, and its end is the command's; what `exec` puts in the
/// shell's place is told, and the session goes on in a new shell.
#[test]
fn shells_in_a_shell_and_in_its_place() {
    let bed = TestBed::new();
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for shell in LOGINS {
            let (bed, wrong) = (&bed, &wrong);
            scope.spawn(move || {
                let mut shim = bed.shim();
                if let Err(words) = change(&mut shim, shell) {
                    wrong
                        .lock()
                        .expect("no shell panics with it")
                        .push(format!("{shell:?}: {words}"));
                }
                shim.close();
            });
        }
    });
    let wrong = wrong.into_inner().expect("no shell panicked");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    bed.finish();
}

/// TMOUT is the host's policy: the shell that it ended is opened again where it was, and that is told. What runs longer
/// is not ended by it.
#[test]
fn a_time_limit_ends_idle_shells_only() {
    let homes = Homes::new();
    let mut bed = TestBed::new();
    // ksh waits a minute more behind its warning.
    let rows = [
        row("t-bash", Shell::Bash, "readonly TMOUT=2"),
        row("t-zsh", Shell::Zsh, "readonly TMOUT=2"),
        row("t-mksh", Shell::Mksh, "TMOUT=2"),
    ];
    for row in &rows {
        let user = homes.make(row.name, row.shell, &row.files);
        bed.add_guest(row.name, &user);
    }
    thread::scope(|scope| {
        for row in &rows {
            let bed = &bed;
            scope.spawn(move || {
                let mut shim = bed.shim();
                let ran = shim.run(row.name, "cd /usr; sleep 3; echo done");
                assert_eq!(
                    (&*ran.stdout, &*ran.notice),
                    ("done\n", ""),
                    "{}: {ran:?}",
                    row.name
                );
                until_it_ends(&mut shim, row.name);
                let next = shim.run(row.name, "echo in $PWD");
                assert_eq!(next.stdout, "in /usr\n", "{}: {next:?}", row.name);
                assert!(next.notice.contains("opened again"), "{}: {next:?}", row.name);
                shim.close();
            });
        }
    });
    bed.finish();
}
