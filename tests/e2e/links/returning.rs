//! What outlives its connection, through a network that is cut in every way: a command in a kept session, and a durable one.
//! `SSHMCP_LONG=1` makes it three cuts and 10 MB; else it is one and 1 MB.

use std::{fmt::Write as _, path::Path};

use serde_json::json;
use sshmcp_tests::{Net, Outcome, Shell, Shim, eventually, eventually_some};

use super::{Far, is_long, state_of};

/// Lines of eight bytes that are written at a time, with a pause behind.
const AT_A_TIME: u64 = 16_384;

/// Cuts the network (true), or mends it.
type Cut = fn(&Net, bool);

/// Writes numbered lines; what it does first is counted.
fn command(steps: u64, counter: &Path) -> String {
    format!(
        "echo ran >> {}; for step in $(seq 0 {}); do seq -f %07.0f $((step * {AT_A_TIME})) \
         $((step * {AT_A_TIME} + {AT_A_TIME} - 1)); sleep 0.2; done; (exit 9)",
        counter.display(),
        steps - 1
    )
}

fn numbers(steps: u64) -> String {
    let mut all = String::new();
    for number in 0..steps * AT_A_TIME {
        writeln!(all, "{number:07}").expect("text");
    }
    all
}

fn read(shim: &mut Shim, id: &str) -> Outcome {
    let arguments = json!({"command_id": id, "tail": 1});
    Outcome::read(shim.call("get_command_output", arguments).expect("it is known"))
}

/// Packets that are swallowed until everybody believes the other side dead, a reset, and a link that is down for as long:
/// each line comes once and in order, the code is the command's own, and each ran once.
#[test]
fn streams_come_back_whole() {
    let steps = if is_long() { 80 } else { 10 };
    let sockets = tempfile::tempdir().expect("a directory");
    let far = Far::keeping(" ServerAliveInterval 1\n ServerAliveCountMax 2\n", sockets.path());
    let mut shim = far.bed.shim();
    let opened = json!({"host": super::HOST, "session": "kept", "keeper": "remote-tmux"});
    let opened = shim.call("open_session", opened).expect("it opens");
    assert_eq!(opened["keeper"], "remote-tmux", "{opened}");
    let scratch = far.bed.scratch(Shell::Bash);
    let ways = [
        ("kept", json!({"session": "kept"})),
        ("durable", json!({"host": super::HOST, "durable": true})),
    ];
    let commands: Vec<_> = ways
        .into_iter()
        .map(|(name, mut arguments)| {
            let counter = scratch.join(name);
            arguments["command"] = command(steps, &counter).into();
            arguments["timeout"] = 0.into();
            let started = shim.execute(arguments).expect("it starts");
            (name, started.id, counter)
        })
        .collect();
    let cuts: [(bool, Cut); 3] = [
        (true, |net, out| if out { net.swallow() } else { net.deliver() }),
        (false, |net, out| {
            if out {
                net.reset();
            }
        }),
        (true, |net, out| net.near_link(!out)),
    ];
    let mut written = vec![0; commands.len()];
    for (is_long_lived, cut) in cuts.into_iter().take(if is_long() { 3 } else { 1 }) {
        for ((name, id, _), before) in commands.iter().zip(&mut written) {
            eventually(&format!("{name} goes on writing"), || {
                let now = read(&mut shim, id).number("total_bytes");
                let goes_on = now >= *before + 2 * AT_A_TIME * 8;
                if goes_on {
                    *before = now;
                }
                goes_on
            });
        }
        cut(&far.net, true);
        if is_long_lived {
            eventually("it is stalled", || state_of(&mut shim, "kept") == "stalled");
            eventually("it is on its way back", || {
                state_of(&mut shim, "kept") == "reconnecting"
            });
        }
        cut(&far.net, false);
    }
    let wanted = numbers(steps);
    for (name, id, counter) in &commands {
        let ended = eventually_some(&format!("{name} ends"), || {
            let outcome = read(&mut shim, id);
            (outcome.status != "running").then_some(outcome)
        });
        assert_eq!(
            (&*ended.status, ended.exit_code),
            ("completed", Some(9)),
            "{name}: {ended:?}"
        );
        // Who has a session there is told what became of it; a durable command has none.
        let told = ended.notice.contains("what it wrote is complete");
        assert_eq!(
            (told, ended.notice.is_empty()),
            (*name == "kept", *name == "durable"),
            "{ended:?}"
        );
        let all = far.bed.ctl(&["output", "-f", id]);
        assert!(
            all.stdout == wanted.as_bytes(),
            "{name}: {} bytes",
            all.stdout.len()
        );
        let ran = std::fs::read_to_string(counter).expect("it ran");
        assert_eq!(ran, "ran\n", "{name}");
    }
    eventually("it is there again", || state_of(&mut shim, "kept") == "ready");
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    far.finish();
}

/// The far side does not know that the first connection is dead: it ends all the same when the session is back, and what
/// ran for it alone.
#[test]
fn nothing_of_the_dead_connection_is_left() {
    let sockets = tempfile::tempdir().expect("a directory");
    let far = Far::keeping(" ServerAliveInterval 1\n ServerAliveCountMax 2\n", sockets.path());
    let mut shim = far.bed.shim();
    let opened = json!({"host": super::HOST, "session": "kept", "keeper": "remote-tmux"});
    shim.call("open_session", opened).expect("it opens");
    far.net.swallow();
    eventually("it is on its way back", || {
        state_of(&mut shim, "kept") == "reconnecting"
    });
    far.net.deliver();
    eventually("it is there again", || state_of(&mut shim, "kept") == "ready");
    eventually("one connection is left", || {
        let serving = far.bed.sshd().serving();
        serving
            .iter()
            .filter(|process| process.line.contains("[priv]") || process.line.contains("[postauth]"))
            .count()
            == 1
    });
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    far.finish();
}
