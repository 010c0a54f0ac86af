//! Some seconds, or a minute, of each kind of flood, and what it cost.
#![expect(clippy::print_stderr, reason = "figures for whoever runs the long suite")]

use std::{
    fs,
    time::{Duration, Instant},
};

use sshmcp_tests::{Shim, TestBed, memory::Memory, wait::within};

use super::{begin, interrupt, next_is_right, total};

/// How long each flood runs, how many calls are made beside it, and how many kinds there are.
struct Size {
    time: Duration,
    calls: usize,
    kinds: usize,
}

impl Size {
    fn wanted() -> Self {
        if std::env::var_os("SSHMCP_LONG").is_some() {
            return Self {
                time: Duration::from_secs(60),
                calls: 200,
                kinds: 4,
            };
        }
        Self {
            time: Duration::from_secs(5),
            calls: 40,
            kinds: 2,
        }
    }
}

/// Processor that a flood may use: for what comes at full speed, and for each second after that.
const AT_FIRST: f64 = 5.0;
const A_SECOND: f64 = 0.2;

/// Seconds of processor that the daemon has used.
fn processor(bed: &TestBed) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", bed.daemons()[0].pid)).expect("it lives");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("stat").1.split(' ').collect();
    let ticks = |at: usize| -> f64 { fields[at].parse().expect("a number") };
    (ticks(11) + ticks(12)) / 100.0
}

/// Median and 95th percentile of a warm `true` in the quiet session, in milliseconds.
fn beside(shim: &mut Shim, calls: usize) -> (f64, f64) {
    let mut times: Vec<f64> = (0..calls)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(shim.run("bash", "true").exit_code, Some(0));
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[calls / 2], times[calls * 95 / 100])
}

/// The flood's cost in processor and memory is bounded, and a session beside it on the same connection is answered.
#[test]
fn floods_cost_little() {
    let Size { time, calls, kinds } = Size::wanted();
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "true");
    beside(&mut shim, calls);
    let quiet = beside(&mut shim, calls);
    eprintln!("quiet: median {:.2} ms, p95 {:.2} ms", quiet.0, quiet.1);
    let all: [(&str, &[(&str, bool)]); 4] = [
        ("yes", &[("yes", false)]),
        ("yes on the terminal", &[("yes", true)]),
        ("urandom", &[("cat /dev/urandom", false)]),
        (
            "five at once",
            &[
                ("yes", false),
                ("yes", true),
                ("cat /dev/urandom", false),
                ("yes x >&2", false),
                ("seq 1 1000000000", false),
            ],
        ),
    ];
    for (kind, commands) in all.into_iter().take(kinds) {
        let (began, memory) = (Instant::now(), Memory::of_daemon(&bed).megabytes());
        let before = processor(&bed);
        let floods: Vec<_> = commands
            .iter()
            .enumerate()
            .map(|(at, (command, terminal))| begin(&mut shim, &format!("flood{at}"), command, *terminal))
            .collect();
        let early = beside(&mut shim, calls);
        let half = within(time / 2, || None::<()>);
        assert_eq!(half, None);
        let answering = processor(&bed);
        let steady = beside(&mut shim, calls);
        let answering = processor(&bed) - answering;
        within(time.saturating_sub(began.elapsed()), || None::<()>);
        let used = processor(&bed) - before - answering;
        let cost = Memory::of_daemon(&bed).megabytes() - memory;
        let bytes: u64 = floods.iter().map(|flood| total(&mut shim, &flood.id)).sum();
        eprintln!(
            "{kind}: {:.0} s, {used:.1} s of processor, {cost:+.1} MB, {} MiB came; beside it at first median {:.2} p95 {:.2} ms, then {:.2} and {:.2} ms",
            began.elapsed().as_secs_f64(),
            bytes >> 20,
            early.0,
            early.1,
            steady.0,
            steady.1
        );
        let allowed = (AT_FIRST + A_SECOND * time.as_secs_f64()) * commands.len() as f64;
        assert!(used < allowed, "{kind}: {used} s of processor");
        assert!(cost < 24.0 * commands.len() as f64, "{kind}: {cost} MB");
        for (at, flood) in floods.iter().enumerate() {
            assert_eq!(interrupt(&mut shim, &flood.id).status, "interrupted", "{kind}");
            next_is_right(&mut shim, &format!("flood{at}"));
        }
    }
    shim.close();
    bed.finish();
}
