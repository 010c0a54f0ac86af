//! Commands that have the terminal, while nobody is connected: what they showed is complete afterwards, byte for byte.

use serde_json::json;
use sshmcp_tests::{Shell, Shim, eventually};

use super::{Kept, is_long, restarts::kill_daemon};

const SHELLS: [Shell; 4] = [Shell::Bash, Shell::Zsh, Shell::Dash, Shell::Fish];

/// Shows so many lines, in colours and over each other, and then makes a file.
fn begin(kept: &Kept, shim: &mut Shim, shell: Shell, lines: u32) -> String {
    let file = kept.bed.scratch(shell).join("done");
    let command = format!(
        "sh -c 'i=0; while [ $i -lt {lines} ]; do i=$((i+1)); printf \"\\033[1mline\\r\\033[0mLINE %s\\n\" $i; sleep 0.01; done; touch {}; exit 7'",
        file.display()
    );
    let call = json!({"host": shell.host(), "command": command, "terminal": true, "timeout": 0.4});
    let begun = shim.execute(call).expect("it runs");
    assert_eq!(begun.status, "running", "{shell:?}: {begun:?}");
    begun.id
}

fn is_done(kept: &Kept, shell: Shell) -> bool {
    kept.bed.scratch(shell).join("done").exists()
}

/// Its end and all of its output are there.
fn check(shim: &mut Shim, shell: Shell, id: &str, lines: u32) {
    let ended = shim.wait_for(id);
    assert_eq!(
        (&*ended.status, ended.exit_code),
        ("completed", Some(7)),
        "{shell:?}: {ended:?}"
    );
    let raw = json!({"command_id": id, "raw": true, "offset": 0, "output_limit": 40_000});
    let raw = shim.call("get_command_output", raw).expect("its output");
    let wanted: String = (1..=lines)
        .map(|line| format!("\u{1b}[1mline\r\u{1b}[0mLINE {line}\r\n"))
        .collect();
    assert_eq!(raw["stdout"], wanted, "{shell:?}");
    let next = shim.run(shell.host(), "echo next");
    assert_eq!(next.stdout, "next\n", "{shell:?}: {next:?}");
}

/// The daemon dies: commands that go on, and such that end before the next comes.
#[test]
fn through_the_death_of_the_daemon() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    let mut begun = Vec::new();
    for (shell, lines) in SHELLS.into_iter().zip([400, 60, 60, 400]) {
        kept.open(&mut shim, shell);
        begun.push((shell, lines, begin(&kept, &mut shim, shell, lines)));
    }
    kill_daemon(&kept.bed);
    drop(shim);
    for shell in [Shell::Zsh, Shell::Dash] {
        eventually("it has ended", || is_done(&kept, shell));
    }

    let mut shim = kept.bed.shim();
    for (shell, lines, id) in begun {
        check(&mut shim, shell, &id, lines);
    }
    kept.finish(shim, &SHELLS);
}

/// The connection is lost again and again, and in the end the daemon with it.
#[test]
fn through_cuts() {
    const LINES: u32 = 500;
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    let id = begin(&kept, &mut shim, Shell::Bash, LINES);
    let mut before = 0;
    for _ in 0..3 {
        kept.cut();
        eventually("it goes on", || {
            let asked = json!({"command_id": id, "tail": 1});
            let now = shim.call("get_command_output", asked).expect("its output");
            let total = now["total_bytes"].as_u64().expect("a number");
            std::mem::replace(&mut before, total) < total
        });
    }
    kept.cut();
    kill_daemon(&kept.bed);
    drop(shim);
    let mut shim = kept.bed.shim();
    check(&mut shim, Shell::Bash, &id, LINES);
    kept.finish(shim, &[Shell::Bash]);
}

/// More came than a host keeps of a terminal: the beginning and the end are there, and what is missing is counted to the byte.
/// Long suite.
#[test]
fn more_than_is_kept() {
    const LAST: u64 = 6_000_000;
    if !is_long() {
        return;
    }
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    let file = kept.bed.scratch(Shell::Bash).join("done");
    let command = format!(
        "until [ -e {}.go ]; do sleep 0.1; done; seq 1 {LAST}; touch {}; (exit 7)",
        file.display(),
        file.display()
    );
    let call = json!({"host": "bash", "command": command, "terminal": true, "timeout": 0.4});
    let begun = shim.execute(call).expect("it runs");
    kill_daemon(&kept.bed);
    drop(shim);
    std::fs::write(file.with_extension("go"), "").expect("written");
    eventually("it has ended", || file.exists());

    let mut shim = kept.bed.shim();
    let ended = shim.wait_for(&begun.id);
    assert_eq!(ended.exit_code, Some(7), "{}", ended.notice);
    let (count, _) = ended
        .notice
        .split_once(" bytes of its output are missing")
        .unwrap_or_else(|| panic!("{:?}", ended.object));
    let missing: u64 = count
        .rsplit(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number");
    let all: u64 = (1..=LAST).map(|number| number.to_string().len() as u64 + 2).sum();
    assert_eq!(ended.number("total_bytes") + missing, all);
    let asked = json!({"command_id": begun.id, "tail": 2});
    let end = shim.call("get_command_output", asked).expect("its output");
    assert_eq!(end["stdout"], "5999999\n6000000\n");
    kept.finish(shim, &[Shell::Bash]);
}
