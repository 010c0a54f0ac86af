//! Sessions on many hosts, asked for in the same moment; and what the daemon holds then.

use sshmcp_tests::{Memory, TestBed};

use crate::{figures::Figures, hosts::Host, mcp::Client, report::Report};

/// Opens a session on each host, several rounds, each with a new daemon. Gives the memory of daemon and shim with all
/// of them.
pub(crate) fn measure(
    bed: &TestBed,
    hosts: &[Host],
    rounds: usize,
    report: &mut Report,
) -> (Figures, (usize, Memory, Memory)) {
    let mut figures = Figures::default();
    let mut memory = None;
    for _ in 0..rounds {
        bed.stop_daemon();
        let mut client = Client::start(bed);
        client.list_sessions();
        figures.once(|| {
            let begun: Vec<u64> = hosts.iter().map(|host| client.begin_true(&host.name)).collect();
            for call in begun {
                client.finish_true(call);
            }
        });
        assert_eq!(client.list_sessions(), hosts.len());
        memory = Some((hosts.len(), Memory::of_daemon(bed), Memory::of(client.pid())));
    }
    let what = format!("`true` on {0} hosts at once, through one client", hosts.len());
    report.time("all", &what, &figures, None);
    (figures, memory.expect("one round at least"))
}

/// The table of memory, from what was seen on the way.
pub(crate) fn tell(memories: &[(&str, (usize, Memory, Memory))], report: &mut Report) {
    let columns = [
        "sessions",
        "opened",
        "daemon RSS MB",
        "daemon PSS MB",
        "descriptors",
        "shim RSS MB",
        "shim PSS MB",
    ];
    report.table("Memory", &columns);
    let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    for (how, (sessions, daemon, shim)) in memories {
        report.row(&[
            sessions.to_string(),
            (*how).to_owned(),
            megabytes(daemon.rss),
            megabytes(daemon.pss),
            daemon.descriptors.to_string(),
            megabytes(shim.rss),
            megabytes(shim.pss),
        ]);
        let limit = 0.4f64.mul_add(*sessions as f64, 20.0);
        report.less(
            format!("daemon with {sessions} sessions, {how} (RSS)"),
            daemon.megabytes(),
            limit,
            " MB",
        );
    }
}
