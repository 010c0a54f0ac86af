//! What each keeper costs: a warm command, much output, and memory here and on the host.

use std::fs;

use serde_json::json;
use sshmcp_tests::{Memory, TestBed};

use crate::{figures::Figures, mcp::Client, report::Report, sizes::Sizes};

/// Keepers that there are.
const KEEPERS: [&str; 3] = ["daemon", "remote-tmux", "local-tmux"];
/// Sessions whose memory is told.
const SESSIONS: usize = 10;
/// As much as `bulk`'s smaller one, and ten times that.
const BULK: [(&str, u64); 2] = [("seq 1 200000", 1_288_895), ("seq 1 1600000", 11_688_896)];

/// All keepers, their memory first, the rest by turns.
pub(crate) fn measure(bed: &TestBed, sizes: &Sizes, report: &mut Report) {
    let host = "bash";
    let mut client = Client::start(bed);
    open(&mut client, host, "daemon", "first");
    // Before much output leaves the daemon with memory to spare, which new sessions would only take over.
    let columns = [
        "keeper",
        "daemon KB a session",
        "beside it KB a session (PSS), here and there",
        "processes",
    ];
    report.table("Memory by keeper", &columns);
    for keeper in KEEPERS {
        let (here, there) = (Memory::of_daemon(bed), there(bed));
        for number in 0..SESSIONS {
            let session = format!("{keeper}-{number}");
            open(&mut client, host, keeper, &session);
            client.run_in(&session, "true", 0);
        }
        let (now, now_there) = (Memory::of_daemon(bed), self::there(bed));
        let each = |from: u64, to: u64| to.saturating_sub(from) / 1000 / SESSIONS as u64;
        report.row(&[
            keeper.to_owned(),
            each(here.rss, now.rss).to_string(),
            each(there.0, now_there.0).to_string(),
            format!("{:.1}", (now_there.1 - there.1) as f64 / SESSIONS as f64),
        ]);
    }
    client.call("close_session", &json!({"all": true}));
    for keeper in KEEPERS {
        open(&mut client, host, keeper, keeper);
    }
    report.times("A warm `true` by keeper, bash", "× daemon");
    let mut warm = KEEPERS.map(|_| Figures::default());
    for keeper in KEEPERS {
        for _ in 0..sizes.warm_up {
            client.run_in(keeper, "true", 0);
        }
    }
    for _ in 0..sizes.rounds {
        for (keeper, figures) in KEEPERS.iter().zip(&mut warm) {
            figures.measure(sizes.runs, || client.run_in(keeper, "true", 0));
        }
    }
    for (keeper, figures) in KEEPERS.iter().zip(&warm) {
        report.time(keeper, "`true` through MCP", figures, warm.first());
    }
    report.table(
        "Much output by keeper, bash",
        &["keeper", "bytes", "median ms", "MB/s"],
    );
    for (command, bytes) in BULK {
        for keeper in KEEPERS {
            let mut figures = Figures::default();
            for _ in 0..sizes.bulk_runs {
                figures.once(|| client.run_in(keeper, command, bytes));
            }
            let median = figures.median();
            let rate = bytes as f64 / 1000.0 / median;
            report.row(&[
                keeper.to_owned(),
                bytes.to_string(),
                format!("{median:.1}"),
                format!("{rate:.1}"),
            ]);
        }
    }
    client.call("close_session", &json!({"all": true}));
}

fn open(client: &mut Client, host: &str, keeper: &str, session: &str) {
    let arguments = json!({"host": host, "keeper": keeper, "session": session});
    let opened = client.call("open_session", &arguments);
    assert_eq!(opened["keeper"], keeper, "{opened}");
}

/// Bytes (PSS) and number of the processes on the host, all but the daemon and the shims.
fn there(bed: &TestBed) -> (u64, usize) {
    let all = bed.processes();
    let others = all
        .iter()
        .filter(|process| !process.line.contains("sshmcpd") && !process.line.contains("mcp-ssh"));
    let mut sum = (0, 0);
    for process in others {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid)).unwrap_or_default();
        let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = pss.and_then(|pss| pss.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        sum = (sum.0 + kib.unwrap_or(0) * 1024, sum.1 + 1);
    }
    sum
}
