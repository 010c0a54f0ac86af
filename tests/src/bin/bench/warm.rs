//! A command that costs nothing, in a session that is open: what we add to the least that SSH allows.

use sshmcp_tests::{Shell, TestBed};

use crate::{figures::Figures, mcp::Client, openssh::Master, raw::RawShell, report::Report, sizes::Sizes};

/// The shells that the goals name.
const GOALS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Dash];

/// Each shell in turn, all ways of one shell by turns.
pub(crate) fn measure(bed: &TestBed, sizes: &Sizes, report: &mut Report) {
    report.times("A warm `true`", "× raw");
    // A theme of a prompt is no shell of its own.
    let shells = Shell::ALL.into_iter().filter(|shell| *shell != Shell::ZshThemed);
    for shell in shells {
        in_shell(bed, shell, sizes, report);
    }
}

fn in_shell(bed: &TestBed, shell: Shell, sizes: &Sizes, report: &mut Report) {
    let host = shell.host();
    let mut client = Client::start(bed);
    let mut raw = RawShell::open(bed, shell, crate::raw::port(bed, shell));
    let master = Master::open(bed, host);
    client.run_true(host);
    for _ in 0..sizes.warm_up {
        client.run_true(host);
        client.list_sessions();
        raw.run_true();
    }
    master.run_true();

    let mut through_mcp = Figures::default();
    let mut without_ssh = Figures::default();
    let mut marker = Figures::default();
    let mut to_the_prompt = Figures::default();
    let mut control_master = Figures::default();
    for _ in 0..sizes.rounds {
        marker.measure(sizes.runs, || raw.run_true());
        to_the_prompt.measure(sizes.runs, || raw.run_true_to_the_prompt());
        through_mcp.measure(sizes.runs, || client.run_true(host));
        without_ssh.measure(sizes.runs, || {
            client.list_sessions();
        });
        control_master.measure(sizes.process_runs, || master.run_true());
    }
    let least = Some(&marker);
    report.time(host, "`true` through MCP", &through_mcp, least);
    let what = "`ssh -o ControlPath=… true`, a process each";
    report.time(host, what, &control_master, least);
    let what = "raw: marker typed into one shell over russh";
    report.time(host, what, &marker, least);
    report.time(host, "raw, and its next prompt waited for", &to_the_prompt, least);
    let what = "`list_sessions` through MCP (no SSH in it)";
    report.time(host, what, &without_ssh, least);
    if GOALS.contains(&shell) {
        let median = through_mcp.median();
        report.less(format!("warm `true`, {host}"), median, 1.5, " ms");
        let ratio = median / marker.median();
        report.less(format!("warm `true`, {host}, × raw marker"), ratio, 3.0, "");
        let ratio = control_master.median() / median;
        report.at_least(format!("ControlMaster × warm `true`, {host}"), ratio, 8.0, "");
    }
}
