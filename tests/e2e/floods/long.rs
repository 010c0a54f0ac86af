//! A minute of each kind of flood, and what it cost.
#![expect(clippy::print_stderr, reason = "figures for whoever runs the long suite")]

use std::{
    fs,
    time::{Duration, Instant},
};

use sshmcp_tests::{Shim, TestBed, memory::Memory, wait::within};

use super::{begin, interrupt, next_is_right, total};

/// How long each flood runs.
const TIME: Duration = Duration::from_secs(60);
/// Calls beside it.
const CALLS: usize = 200;

/// Seconds of processor that the daemon has used.
fn processor(bed: &TestBed) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", bed.daemons()[0].pid)).expect("it lives");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("stat").1.split(' ').collect();
    let ticks = |at: usize| -> f64 { fields[at].parse().expect("a number") };
    (ticks(11) + ticks(12)) / 100.0
}

/// Median and 95th percentile of a warm `true` in the quiet session, in milliseconds.
fn beside(shim: &mut Shim) -> (f64, f64) {
    let mut times: Vec<f64> = (0..CALLS)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(shim.run("bash", "true").exit_code, Some(0));
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[CALLS / 2], times[CALLS * 95 / 100])
}

/// The flood's cost in processor and memory is bounded, and a session beside it on the same connection is answered.
#[test]
fn a_minute_of_each() {
    if std::env::var_os("SSHMCP_LONG").is_none() {
        return;
    }
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "true");
    beside(&mut shim);
    let quiet = beside(&mut shim);
    eprintln!("quiet: median {:.2} ms, p95 {:.2} ms", quiet.0, quiet.1);
    let kinds: [(&str, &[(&str, bool)]); 4] = [
        ("yes", &[("yes", false)]),
        ("urandom", &[("cat /dev/urandom", false)]),
        ("yes on the terminal", &[("yes", true)]),
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
    for (kind, commands) in kinds {
        let (began, memory) = (Instant::now(), Memory::of_daemon(&bed).megabytes());
        let before = processor(&bed);
        let floods: Vec<_> = commands
            .iter()
            .enumerate()
            .map(|(at, (command, terminal))| begin(&mut shim, &format!("flood{at}"), command, *terminal))
            .collect();
        let early = beside(&mut shim);
        let half = within(TIME / 2, || None::<()>);
        assert_eq!(half, None);
        let calls = processor(&bed);
        let steady = beside(&mut shim);
        let calls = processor(&bed) - calls;
        within(TIME.saturating_sub(began.elapsed()), || None::<()>);
        let used = processor(&bed) - before - calls;
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
        assert!(used < TIME.as_secs_f64() / 2.0, "{kind}: {used} s of processor");
        assert!(cost < 24.0 * commands.len() as f64, "{kind}: {cost} MB");
        for (at, flood) in floods.iter().enumerate() {
            assert_eq!(interrupt(&mut shim, &flood.id).status, "interrupted", "{kind}");
            next_is_right(&mut shim, &format!("flood{at}"));
        }
    }
    shim.close();
    bed.finish();
}
