//! Commands with much output: counted to the last byte, and as much of it kept as is promised.

use sshmcp_tests::TestBed;

use crate::{figures::Figures, mcp::Client, openssh::Master, report::Report, sizes::Sizes};

/// 1.3 MB in short lines.
const SEQ: (&str, u64) = ("seq 1 200000", 1_288_895);

/// Both sizes, by us and by OpenSSH in turn.
pub(crate) fn measure(bed: &TestBed, sizes: &Sizes, report: &mut Report) {
    let host = "bash";
    let mut client = Client::start(bed);
    let master = Master::open(bed, host);
    client.run_true(host);
    report.times("Much output", "× ControlMaster");

    let flood = format!(
        "yes 'a line of the flood, as long as lines are' | head -c {}",
        sizes.flood
    );
    let kinds = [
        (SEQ.0, SEQ.1, sizes.bulk_runs, 1.5, "`seq 1 200000` (1.3 MB)"),
        (&*flood, sizes.flood, sizes.flood_runs, 2.0, "100 MB"),
    ];
    for (command, bytes, runs, limit, what) in kinds {
        client.run_counted(host, command, bytes);
        master.run_counted(command, bytes);
        let (mut ours, mut theirs) = (Figures::default(), Figures::default());
        let mut read_back = Figures::default();
        for _ in 0..runs {
            let id = ours.once(|| client.run_counted(host, command, bytes));
            theirs.once(|| master.run_counted(command, bytes));
            if bytes == SEQ.1 {
                let read = read_back.once(|| client.read_back(&id));
                assert_eq!(read as u64, bytes);
            }
        }
        let text = format!("{what} through MCP, until it has ended");
        report.time(host, &text, &ours, Some(&theirs));
        if read_back.runs() > 0 {
            let text = format!("{what} read back by offsets, 40,000 characters a call");
            report.time(host, &text, &read_back, Some(&theirs));
        }
        let text = format!("{what} by `ssh -o ControlPath=…` into a pipe");
        report.time(host, &text, &theirs, Some(&theirs));
        report.less(
            format!("{what}, × ControlMaster"),
            ours.median() / theirs.median(),
            limit,
            "",
        );
    }
}
