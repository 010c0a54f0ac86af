//! What open sessions cost in which nothing happens.

use std::{fs, sync::mpsc, time::Duration};

use sshmcp_tests::TestBed;

use crate::{hosts::Host, mcp::Client, report::Report, sizes::Sizes};

/// The kernel counts processor time in these.
const TICK_MS: u64 = 10;

/// Opens as many sessions as there are hosts, on one of them and then on each, and watches the daemon.
pub(crate) fn measure(bed: &TestBed, hosts: &[Host], sizes: &Sizes, report: &mut Report) {
    let columns = [
        "sessions",
        "hosts",
        "seconds",
        "daemon's processor ms, first",
        "then",
    ];
    report.table("Idle sessions", &columns);
    let first = hosts.first().expect("a host");
    for on_one in [true, false] {
        bed.stop_daemon();
        let mut client = Client::start(bed);
        let names = hosts
            .iter()
            .map(|host| if on_one { &first.name } else { &host.name });
        let begun: Vec<u64> = names
            .enumerate()
            .map(|(number, host)| client.begin_true_in(host, &format!("idle{number}")))
            .collect();
        for call in begun {
            client.finish_true(call);
        }
        assert_eq!(client.list_sessions(), hosts.len());
        let places = if on_one { 1 } else { hosts.len() };
        watch(bed, hosts.len(), places, sizes, report);
        client.call("close_session", &serde_json::json!({"all": true}));
    }
}

fn watch(bed: &TestBed, sessions: usize, hosts: usize, sizes: &Sizes, report: &mut Report) {
    let daemons = bed.daemons();
    let daemon = daemons.first().expect("it runs").pid;
    // What their opening left to do is done in the first of them.
    let mut spent = [0; 2];
    for spent in &mut spent {
        let before = processor_ms(daemon);
        let (_never, nothing) = mpsc::channel::<()>();
        let waited = nothing.recv_timeout(Duration::from_secs(sizes.idle_seconds));
        assert!(waited.is_err());
        *spent = processor_ms(daemon) - before;
    }
    let numbers = [
        sessions as u64,
        hosts as u64,
        sizes.idle_seconds,
        spent[0],
        spent[1],
    ];
    report.row(&numbers.map(|number| number.to_string()));
    let percent = spent[1] as f64 / (sizes.idle_seconds as f64 * 1000.0) * 100.0;
    let what = format!("{sessions} idle sessions on {hosts} hosts, processor");
    report.less(what, percent, 0.1, " %");
}

/// Processor time of a process so far, its own and the kernel's for it.
fn processor_ms(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let ticks = fields.split(' ').skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<u64>().expect("ticks"))
        .sum::<u64>()
        * TICK_MS
}
