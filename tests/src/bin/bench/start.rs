//! From the start of the shim to its list of tools: what every conversation of every client begins with.

use sshmcp_tests::{Memory, TestBed};

use crate::{figures::Figures, mcp::Client, report::Report, sizes::Sizes};

/// Starts many, one after the other.
pub(crate) fn measure(bed: &TestBed, sizes: &Sizes, report: &mut Report) {
    let mut figures = Figures::default();
    let mut largest: Option<Memory> = None;
    for _ in 0..sizes.shims {
        let client = figures.once(|| {
            let mut client = Client::start(bed);
            client.list_tools();
            client
        });
        let now = Memory::of(client.pid());
        largest = largest.filter(|before| before.rss >= now.rss).or(Some(now));
    }
    report.times("The shim's start", "");
    let what = "start → `initialize` → `tools/list` answered";
    report.time("mcp-ssh", what, &figures, None);
    report.less("shim to `tools/list`", figures.median(), 20.0, " ms");
    let rss = largest.map_or(f64::NAN, Memory::megabytes);
    report.less("shim's memory then (RSS)", rss, 10.0, " MB");
}
