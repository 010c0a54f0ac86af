//! Output that comes faster than anybody wants it: it costs little here, whoever follows it misses nothing, and what was
//! stopped on the host goes on when it must. `SSHMCP_LONG=1` makes it a minute of each kind, and prints what it cost.

mod cost;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;
use sshmcp_tests::{
    Outcome, Shell, Shim, TestBed, eventually,
    memory::Memory,
    patient::{self, Patient},
    process::Process,
};

/// Bytes of one command that come at full speed though nobody follows it.
const FREE: u64 = 128 << 20;
/// Memory that a flood may cost the daemon, in millions of bytes: queues, buffers and index of one command.
const FLOOD_COST: f64 = 24.0;

/// Begins a command in a session of its own and does not wait for it.
fn begin(shim: &mut Shim, session: &str, command: &str, terminal: bool) -> Outcome {
    let arguments = json!({
        "host": "bash", "session": session, "command": command, "terminal": terminal, "timeout": 0,
    });
    shim.execute(arguments).expect("it begins")
}

fn look(shim: &mut Shim, id: &str) -> Outcome {
    let arguments = json!({"command_id": id, "tail": 1});
    Outcome::read(shim.call("get_command_output", arguments).expect("its state"))
}

fn total(shim: &mut Shim, id: &str) -> u64 {
    look(shim, id).number("total_bytes")
}

fn until_slowed(shim: &mut Shim, id: &str) {
    eventually("it is slowed", || {
        look(shim, id).notice.contains("slowed on the host")
    });
}

fn interrupt(shim: &mut Shim, id: &str) -> Outcome {
    shim.call("interrupt_command", json!({"command_id": id}))
        .expect("it is interrupted");
    shim.wait_for(id)
}

fn next_is_right(shim: &mut Shim, session: &str) {
    let next = json!({"session": session, "command": "echo next; echo error >&2; (exit 5)"});
    let next = shim.execute(next).expect("it runs");
    assert_eq!(
        (&*next.stdout, &*next.stderr, next.exit_code),
        ("next\n", "error\n", Some(5)),
        "{next:?}"
    );
}

/// A command that prints for ever is a trickle here once more came than is kept; Ctrl-C ends it at once all the same,
/// and the session is as before.
#[test]
fn a_flood_is_slowed_and_interrupted() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "true");
    let before = Memory::of_daemon(&bed).megabytes();
    let flood = begin(&mut shim, "flood", "yes", false);
    until_slowed(&mut shim, &flood.id);
    let (began, from) = (Instant::now(), total(&mut shim, &flood.id));
    assert!(from > FREE, "{from}");
    eventually("it goes on all the same", || {
        total(&mut shim, &flood.id) > from + (16 << 20)
    });
    let took = began.elapsed();
    assert!(took > Duration::from_millis(1500), "16 MiB in {took:?}");
    let cost = Memory::of_daemon(&bed).megabytes() - before;
    assert!(cost < FLOOD_COST, "{cost} MB");
    let ended = interrupt(&mut shim, &flood.id);
    assert_eq!(ended.status, "interrupted", "{ended:?}");
    assert!(
        ended.number("dropped_bytes") > 0 || ended.notice.contains("dropped"),
        "{ended:?}"
    );
    next_is_right(&mut shim, "flood");
    shim.close();
    bed.finish();
}

/// Whoever follows output is waited for: a slow reader gets every byte of far more than is kept.
#[test]
fn a_slow_follower_misses_nothing() {
    const LAST: u64 = 25_000_000;
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let command = format!("seq 1 {LAST}");
    let mut follower = follow(&bed, &["exec", "-s", "followed", "bash", "--", &command]);
    let mut lines = BufReader::new(Patient::new(follower.stdout.take().expect("piped"))).lines();
    let mut next = || lines.next().map(|line| line.expect("text"));
    assert_eq!(next().as_deref(), Some("1"));
    // Nothing more is read: the command comes to a stand long before its end.
    let mut last = (0, Instant::now());
    eventually("it waits", || {
        let active = shim.call("get_active_commands", json!({})).expect("a list");
        let now = active["commands"][0]["total_bytes"].as_u64().unwrap_or_default();
        if now != last.0 {
            last = (now, Instant::now());
        }
        now > 0 && last.1.elapsed() > Duration::from_millis(700)
    });
    assert!(last.0 < 120 << 20, "{} bytes came", last.0);
    for number in 2..=LAST {
        assert_eq!(next().and_then(|line| line.parse().ok()), Some(number));
    }
    assert_eq!(next(), None);
    assert_eq!(patient::end(&mut follower).code(), Some(0));
    shim.close();
    bed.finish();
}

fn follow(bed: &TestBed, arguments: &[&str]) -> Child {
    bed.program("sshctl")
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("sshctl runs")
}

/// Twenty clients that stopped reading hold up neither the daemon, nor who reads, nor the next command; and they are
/// not waited for for ever.
#[test]
fn stalled_clients_stall_nobody() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "true");
    let before = Memory::of_daemon(&bed).megabytes();
    let flood = begin(&mut shim, "flood", "yes", false);
    let mut stalled: Vec<Child> = (0..20)
        .map(|_| follow(&bed, &["output", &flood.id, "-f"]))
        .collect();
    until_slowed(&mut shim, &flood.id);
    for number in 0..20 {
        let began = Instant::now();
        let outcome = shim.run("bash", &format!("echo {number}"));
        assert_eq!(outcome.stdout, format!("{number}\n"), "{outcome:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    let from = total(&mut shim, &flood.id);
    eventually("nobody is waited for for ever", || {
        total(&mut shim, &flood.id) > from
    });
    // Each call holds what its stream's window and queue hold.
    let cost = Memory::of_daemon(&bed).megabytes() - before;
    assert!(cost < FLOOD_COST + 20.0 * 1.5, "{cost} MB");
    assert_eq!(interrupt(&mut shim, &flood.id).status, "interrupted");
    next_is_right(&mut shim, "flood");
    for client in &mut stalled {
        client.kill().expect("ours");
        client.wait().expect("ours");
    }
    shim.close();
    bed.finish();
}

/// A flood that a command left behind is slowed too; commands go on beside it, its readers are let go when it ends, when
/// its session is closed, and when the connection dies, and nothing stopped stays on the host.
#[test]
fn what_is_stopped_is_let_go() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for ending in ["kill", "exit", "close", "cut"] {
        let done = bed.scratch(Shell::Bash).join(format!("done-{ending}"));
        let command = format!("(trap '' HUP; yes; echo $? >{}) & echo begun", done.display());
        let late = json!({"host": "bash", "session": ending, "command": command});
        let late = shim.execute(late).expect("it runs");
        assert_eq!(late.exit_code, Some(0), "{}", late.notice);
        until_slowed(&mut shim, &late.id);
        next_is_right(&mut shim, ending);
        match ending {
            "kill" => {
                let killed = json!({"session": ending, "command": "pkill -P $! yes; wait $!"});
                let killed = shim.execute(killed).expect("it runs");
                assert_eq!(killed.exit_code, Some(0), "{killed:?}");
            }
            "exit" => {
                let ended = json!({"session": ending, "command": "pkill -P $! yes; exit 3"});
                let ended = shim.execute(ended).expect("it runs");
                assert_eq!(ended.exit_code, Some(3), "{ended:?}");
            }
            "close" => {
                shim.call("close_session", json!({"session": ending}))
                    .expect("closed");
            }
            _ => {
                for sshd in bed.sshds() {
                    sshd.cut_connections();
                }
            }
        }
        for process in bed.processes() {
            if process.name == "yes" && !matches!(ending, "kill" | "exit") {
                // It outlives its session, as any job that ignores SIGHUP.
                process.signal(Signal::TERM);
            }
        }
        eventually("the job goes on to its end", || {
            fs::read_to_string(&done).is_ok_and(|text| text.len() > 1)
        });
    }
    shim.close();
    bed.finish();
}

/// What is typed may flood the terminal: that is slowed too, where the terminal's own mode allows it, and Ctrl-C works.
#[test]
fn a_flooded_terminal_is_slowed() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "true");
    let mut lister = bed.shim();
    let mut cursor = || {
        let listed = lister.call("list_sessions", json!({})).expect("a list");
        listed["sessions"][0]["cursor"].as_u64().expect("a number")
    };
    let typed = json!({"session": "bash", "text": "yes", "timeout": 0});
    shim.call("send_input", typed).expect("typed");
    eventually("more came than goes free", || cursor() > 20 << 20);
    let (began, from) = (Instant::now(), cursor());
    eventually("it goes on all the same", || cursor() > from + (8 << 20));
    let took = began.elapsed();
    assert!(took > Duration::from_millis(700), "8 MiB in {took:?}");
    let keys = json!({"session": "bash", "keys": ["ctrl-c"], "text": "", "enter": false});
    shim.call("send_input", keys).expect("typed");
    eventually("the prompt is back", || {
        let listed = shim.call("list_sessions", json!({})).expect("a list");
        listed["sessions"][0]["state"] == "ready"
    });
    next_is_right(&mut shim, "bash");
    shim.close();
    lister.close();
    bed.finish();
}

/// Somebody kills the helper, hard, while it has stopped a flood: the session says so, and neither a stopped process
/// nor a directory stays.
#[test]
fn a_helper_that_is_killed() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let flood = begin(&mut shim, "bash", "yes", false);
    until_slowed(&mut shim, &flood.id);
    let readers = bed
        .processes()
        .into_iter()
        .filter(|process| process.name == "cat");
    let drains: Vec<i32> = readers.map(|reader| reader.parent).collect();
    let drains: Vec<Process> = drains.into_iter().filter_map(Process::read).collect();
    let helper = drains.first().and_then(|drain| Process::read(drain.parent));
    helper.expect("the readers have one").signal(Signal::KILL);
    assert_eq!(shim.wait_for(&flood.id).status, "lost");
    eventually(&format!("nothing of it stays: {:#?}", bed.processes()), || {
        bed.processes()
            .iter()
            .all(|process| process.name != "cat" && process.name != "yes")
    });
    let next = shim.run("bash", "echo again");
    assert_eq!(next.stdout, "again\n", "{next:?}");
    shim.close();
    bed.finish();
}
