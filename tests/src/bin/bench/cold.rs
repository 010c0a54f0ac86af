//! The first command on a host that nothing is connected to, and what starting the programs adds.

use sshmcp_tests::{Memory, Shell, TestBed};

use crate::{
    figures::Figures,
    hosts::{Host, SHELLS},
    mcp::Client,
    openssh,
    report::Report,
    sizes::Sizes,
};

/// Each host once, by OpenSSH and by us in turn. Gives the memory of the daemon with one session, and with all of them.
pub(crate) fn measure(bed: &TestBed, hosts: &[Host], report: &mut Report) -> Vec<(usize, Memory, Memory)> {
    let mut client = Client::start(bed);
    // The daemon runs, and has read its configuration.
    client.list_sessions();
    let mut memories = vec![(0, Memory::of_daemon(bed), Memory::of(client.pid()))];
    let mut ours = SHELLS.map(|shell| (shell, Figures::default()));
    let mut theirs = SHELLS.map(|shell| (shell, Figures::default()));
    let (mut all_ours, mut all_theirs) = (Figures::default(), Figures::default());
    for (number, host) in hosts.iter().enumerate() {
        let of_shell = |figures: &mut [(Shell, Figures); 3], run: &mut dyn FnMut()| {
            let found = figures.iter_mut().find(|(shell, _)| *shell == host.shell);
            found.expect("one of them").1.measure(1, run);
        };
        let mut login = || openssh::run_true(bed, &host.name);
        all_theirs.once(|| of_shell(&mut theirs, &mut login));
        let mut first = || client.run_true(&host.name);
        all_ours.once(|| of_shell(&mut ours, &mut first));
        if number == 0 {
            memories.push((1, Memory::of_daemon(bed), Memory::of(client.pid())));
        }
    }
    memories.push((hosts.len(), Memory::of_daemon(bed), Memory::of(client.pid())));
    assert_eq!(client.list_sessions(), hosts.len());

    report.times(
        "The first command on a host, nothing connected",
        "× `ssh host true`",
    );
    for ((shell, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        let host = shell.host();
        report.time(host, "`true` through MCP, the daemon runs", ours, Some(theirs));
        report.time(host, "`ssh host true`", theirs, Some(theirs));
    }
    report.time(
        "all",
        "`true` through MCP, the daemon runs",
        &all_ours,
        Some(&all_theirs),
    );
    report.time("all", "`ssh host true`", &all_theirs, Some(&all_theirs));
    for ((shell, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        let what = format!("first command, {}, × `ssh host true`", shell.host());
        report.less(what, ours.median() / theirs.median(), 1.2, "");
    }
    memories
}

/// The first call of all: it starts the daemon.
pub(crate) fn starting(bed: &TestBed, hosts: &[Host], sizes: &Sizes, report: &mut Report) {
    let mut ours = Figures::default();
    for host in hosts.iter().cycle().take(sizes.starts) {
        bed.stop_daemon();
        let mut client = Client::start(bed);
        ours.once(|| client.run_true(&host.name));
    }
    report.time("all", "`true` through MCP, which starts the daemon", &ours, None);
}
