//! Many sessions that many agents work in without a pause: no error, no output that crosses, and nothing that grows.
//!
//! `SSHMCP_LONG=1` makes it 200 sessions, 20 agents and 10 minutes; `SSHMCP_LOAD_SECONDS=N` sets the time.

use std::{
    collections::HashMap,
    sync::{
        Barrier,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sshmcp_tests::{Memory, Outcome, Shell, Shim, TestBed};

/// A session runs a command this often, unless its last one has not ended.
const PACE: Duration = Duration::from_millis(200);
/// Growth that is none: freed memory that the allocator keeps in more places. A leak of 1 KiB a command is 60 times
/// this in ten minutes.
const SLACK: u64 = 8 << 20; // 8 MiB
/// Calls of one agent that may be under way while the run ends.
const LAST: Duration = Duration::from_secs(60);

/// How much of it.
struct Load {
    sessions: usize,
    agents: usize,
    time: Duration,
}

impl Load {
    fn wanted() -> Self {
        let long = std::env::var_os("SSHMCP_LONG").is_some();
        let (sessions, agents, seconds) = if long { (200, 20, 600) } else { (24, 4, 8) };
        let given = std::env::var("SSHMCP_LOAD_SECONDS").ok();
        let seconds = given.map_or(seconds, |given| given.parse().expect("a number of seconds"));
        Self {
            sessions,
            agents,
            time: Duration::from_secs(seconds),
        }
    }
}

/// What daemon and shims hold together: bytes, and descriptors of each.
struct Held {
    daemon: Memory,
    shims: Vec<Memory>,
}

impl Held {
    fn now(bed: &TestBed, shims: &[u32]) -> Self {
        Self {
            daemon: Memory::of_daemon(bed),
            shims: shims.iter().map(|pid| Memory::of(*pid)).collect(),
        }
    }
}

/// Each command prints its own token on both streams and ends with its own code, and its caller gets exactly these.
#[test]
fn sessions_under_load() {
    let bed = TestBed::new();
    let load = Load::wanted();
    let mut agents: Vec<(Shim, Vec<String>)> = (0..load.agents).map(|_| (bed.shim(), Vec::new())).collect();
    open_sessions(&mut agents, load.sessions);

    let pids: Vec<u32> = agents.iter().map(|(shim, _)| shim.pid()).collect();
    let began = Instant::now();
    // The first look at memory, against which the last is held: what is filled once has been filled by then.
    let settled = began + load.time / 2;
    let (sender, results) = mpsc::channel();
    // Everything is held up at the end until memory was looked at: a shim that ends holds nothing.
    let looked = Barrier::new(load.agents + 1);
    let (first, last, times) = thread::scope(|scope| {
        for (number, (shim, sessions)) in agents.iter_mut().enumerate() {
            let (sender, looked) = (sender.clone(), &looked);
            scope.spawn(move || {
                let times = work(shim, number, sessions, began + load.time);
                sender.send(times).expect("the test waits");
                looked.wait();
            });
        }
        drop(sender);
        let early = results.recv_timeout(settled.saturating_duration_since(Instant::now()));
        assert_eq!(early.err(), Some(RecvTimeoutError::Timeout), "an agent has ended");
        let first = Held::now(&bed, &pids);
        let times: Vec<Duration> = results.iter().take(load.agents).flatten().collect();
        let last = Held::now(&bed, &pids);
        looked.wait();
        (first, last, times)
    });
    let took = began.elapsed();
    tell(&load, &first, &last, times, took);

    assert_flat("the daemon", first.daemon, last.daemon);
    for (first, last) in first.shims.iter().zip(&last.shims) {
        assert_flat("a shim", *first, *last);
    }
    for (shim, _) in agents {
        shim.close();
    }
    bed.finish();
}

/// Shows as much as is kept of what a terminal showed, in every session: its memory is what it will ever be from then on.
/// By the commands alone that would take 20 minutes.
const SHOW: &str = "head -c 300000 /dev/zero | tr '\\0' x";

/// Opens the sessions on all shells, all agents at once.
fn open_sessions(agents: &mut [(Shim, Vec<String>)], count: usize) {
    let each = count / agents.len();
    let mut begun = Vec::new();
    for (agent, (shim, sessions)) in agents.iter_mut().enumerate() {
        for number in 0..each {
            let shell = [Shell::Bash, Shell::Zsh, Shell::Dash][(agent * each + number) % 3];
            let name = format!("load{agent}-{number}");
            let call = shim.begin_call("open_session", json!({"host": shell.host(), "session": name}));
            sessions.push(name);
            begun.push((agent, call));
        }
    }
    for (agent, call) in begun {
        agents[agent].0.finish_call(call).expect("a session");
    }
    for (shim, sessions) in agents {
        let show = |session| json!({"session": session, "command": SHOW, "terminal": true});
        let begun: Vec<u64> = sessions
            .iter()
            .map(|session| shim.begin_call("execute_command", show(session)))
            .collect();
        for call in begun {
            let shown = shim.finish_call(call).expect("it is shown");
            let facts = (&shown["status"], &shown["total_bytes"]);
            assert_eq!(facts, (&json!("completed"), &json!(300_000)));
        }
    }
}

/// A call under way: its session, its number there, and when it was made.
struct Call {
    session: usize,
    number: usize,
    at: Instant,
}

/// Works in the sessions until the time has come, and gives how long each command took.
fn work(shim: &mut Shim, agent: usize, sessions: &[String], until: Instant) -> Vec<Duration> {
    let start = Instant::now();
    let count = u32::try_from(sessions.len()).expect("few");
    // Not all in the same moment: each has its own place within the pace.
    let mut due: Vec<Option<Instant>> = (0..count).map(|at| Some(start + PACE * at / count)).collect();
    let mut numbers = vec![0; sessions.len()];
    let mut calls: HashMap<u64, Call> = HashMap::new();
    let mut times = Vec::new();
    loop {
        let now = Instant::now();
        let is_over = now >= until;
        if is_over && calls.is_empty() {
            return times;
        }
        for (session, due) in due.iter_mut().enumerate().filter(|_| !is_over) {
            if due.is_some_and(|due| due <= now) {
                let number = numbers[session];
                let id = shim.begin_call("execute_command", command(agent, &sessions[session], number));
                let at = due.take().map_or(now, |due| due.max(now));
                calls.insert(id, Call { session, number, at });
                numbers[session] += 1;
            }
        }
        let next = due.iter().flatten().min().copied();
        let wait = if is_over {
            until + LAST - now
        } else {
            next.unwrap_or(until).min(until).saturating_duration_since(now)
        };
        let Some((id, answer)) = shim.next_answer(wait) else {
            assert!(!is_over, "{} calls are not answered", calls.len());
            continue;
        };
        let call = calls.remove(&id).expect("we asked for it");
        let took = call.at.elapsed();
        check(agent, &sessions[call.session], call.number, &answer);
        times.push(took);
        due[call.session] = Some((call.at + PACE).max(Instant::now()));
    }
}

/// A token that no other command of the run prints.
fn token(agent: usize, session: &str, number: usize) -> String {
    format!("t-{agent}-{session}-{number}")
}

fn command(agent: usize, session: &str, number: usize) -> Value {
    let token = token(agent, session, number);
    let code = number % 100;
    let command = format!("f() {{ return {code}; }}; echo {token}; echo {token} >&2; f");
    json!({"session": session, "command": command, "timeout": 50})
}

fn check(agent: usize, session: &str, number: usize, answer: &Value) {
    let result = &answer["result"];
    assert!(!result["isError"].as_bool().unwrap_or(true), "{answer}");
    let outcome = Outcome::read(result["structuredContent"].clone());
    let line = token(agent, session, number) + "\n";
    let code = i64::try_from(number % 100).ok();
    assert_eq!(
        (
            &*outcome.status,
            outcome.exit_code,
            &*outcome.stdout,
            &*outcome.stderr
        ),
        ("completed", code, &*line, &*line),
        "{outcome:?}"
    );
    assert_eq!(outcome.notice, "", "{outcome:?}");
}

#[expect(clippy::print_stderr, reason = "the figures of a run")]
fn tell(load: &Load, first: &Held, last: &Held, mut times: Vec<Duration>, took: Duration) {
    times.sort_unstable();
    let percentile =
        |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1000.0;
    let megabytes = |memory: &Memory| memory.megabytes();
    let shims = |held: &Held| held.shims.iter().map(megabytes).fold(0.0, f64::max);
    eprintln!(
        "{} sessions, {} shims, {:.0} s: {} commands, {:.0} a second of {:.0}; ms: median {:.2}, p99 {:.1}, most {:.1}; \
         daemon RSS {:.1} → {:.1} MB, largest shim {:.1} → {:.1} MB; descriptors {} → {}",
        load.sessions,
        load.agents,
        took.as_secs_f64(),
        times.len(),
        times.len() as f64 / took.as_secs_f64(),
        load.sessions as f64 / PACE.as_secs_f64(),
        percentile(50),
        percentile(99),
        percentile(100),
        first.daemon.megabytes(),
        last.daemon.megabytes(),
        shims(first),
        shims(last),
        first.daemon.descriptors,
        last.daemon.descriptors,
    );
}

fn assert_flat(who: &str, first: Memory, last: Memory) {
    assert!(
        last.rss <= first.rss + SLACK,
        "{who} grew from {} to {} MB",
        first.megabytes(),
        last.megabytes()
    );
    assert_eq!(first.descriptors, last.descriptors, "{who}'s descriptors");
}
