//! The connection dies under durable commands, again and again.

use std::fmt::Write as _;

use rustix::process::Signal;
use serde_json::json;
use sshmcp_tests::{IN_TIME, Outcome, Shell, Shim, SshdOptions, TestBed, User, eventually_some};

use super::{interrupt, start, wrote};

/// So many lines of eight bytes: 10 MB.
const LINES: u64 = 1_310_720;
/// Lines written at a time, with a pause behind: the cuts come in between.
const AT_A_TIME: u64 = 16_384;

fn numbers() -> String {
    let mut all = String::new();
    for number in 0..LINES {
        writeln!(all, "{number:07}").expect("text");
    }
    all
}

/// Runs the numbers out in the language of each shell.
pub(crate) fn command(shell: Shell, counter: &str) -> String {
    let steps = LINES / AT_A_TIME - 1;
    let line = "seq -f %07.0f $first $last; echo step $step >&2; sleep 0.03";
    let arithmetic = format!("first=$((step * {AT_A_TIME})) last=$((step * {AT_A_TIME} + {AT_A_TIME} - 1))");
    match shell {
        Shell::Fish => format!(
            "echo ran >>{counter}\nfor step in (seq 0 {steps})\nset first (math \"$step * {AT_A_TIME}\")\nset last (math \"$first + {AT_A_TIME} - 1\")\n{line}\nend\nexit 9"
        ),
        _ => format!(
            "echo ran >>{counter}\nfor step in $(seq 0 {steps}); do {arithmetic}; {line}; done; exit 9"
        ),
    }
}

/// All that it wrote: everything once, in order, and its exit code.
pub(crate) fn complete(bed: &TestBed, shim: &mut Shim, id: &str, counter: &std::path::Path) {
    let ended = eventually_some("it ends", || {
        let asked = json!({"commands": [id], "timeout": 20});
        shim.call("wait_for", asked).expect("a wait");
        let read = Outcome::read(
            shim.call("get_command_output", json!({"command_id": id, "tail": 1}))
                .expect("it"),
        );
        (read.status != "running").then_some(read)
    });
    assert_eq!(
        (&*ended.status, ended.exit_code),
        ("completed", Some(9)),
        "{ended:?}"
    );
    assert_eq!(ended.notice, "", "{ended:?}");
    let out = bed.ctl(&["output", "-f", id]);
    assert!(out.stdout == numbers().as_bytes(), "{} bytes", out.stdout.len());
    let steps: String = (0..LINES / AT_A_TIME)
        .map(|step| format!("step {step}\n"))
        .collect();
    let said = String::from_utf8_lossy(&out.stderr);
    let said = said.split("sshctl: ").next().unwrap_or_default();
    assert!(said == steps, "{said}");
    assert_eq!(std::fs::read_to_string(counter).expect("it ran"), "ran\n", "once");
}

/// 10 MB through three cuts.
#[test]
fn a_stream_through_three_cuts() {
    let bed = TestBed::new();
    let shells = [Shell::Bash, Shell::Dash, Shell::Zsh, Shell::Fish];
    let shells = if std::env::var_os("SSHMCP_IN_TIME").is_some() {
        &shells[..]
    } else {
        &shells[1..2]
    };
    let mut shim = bed.shim();
    let commands: Vec<_> = shells
        .iter()
        .map(|shell| {
            let counter = bed.scratch(*shell).join("counter");
            let id = start(
                &mut shim,
                shell.host(),
                &command(*shell, &counter.display().to_string()),
            )
            .id;
            (id, counter)
        })
        .collect();
    for cut in 1..=3 {
        for (id, _) in &commands {
            wrote(&mut shim, id, LINES * 8 / 4 * cut - 1_000_000);
        }
        for sshd in bed.sshds() {
            sshd.cut_connections();
        }
    }
    for (id, counter) in &commands {
        complete(&bed, &mut shim, id, counter);
    }
    shim.close();
    bed.finish();
}

/// While the host is away it is said, an interrupt says that nothing was sent, and a wait ends in time; when it is back
/// it all goes on.
#[test]
fn a_host_that_comes_back() {
    let mut bed = TestBed::new();
    let mut shim = bed.shim();
    let go = bed.scratch(Shell::Bash).join("go");
    let command = format!(
        "echo one; until [ -e {} ]; do sleep 0.1; done; echo two; exit 4",
        go.display()
    );
    let id = start(&mut shim, "bash", &command).id;
    wrote(&mut shim, &id, 4);
    bed.sshd_mut().stop();
    let told = eventually_some("it is said", || {
        let read = Outcome::read(
            shim.call("get_command_output", json!({"command_id": id}))
                .expect("it"),
        );
        read.notice.contains("cannot be reached").then_some(read)
    });
    assert_eq!((&*told.status, &*told.stdout), ("running", "one\n"), "{told:?}");
    let refused = shim.call("interrupt_command", json!({"command_id": id}));
    let refused = refused.expect_err("nobody is there");
    assert!(
        refused.code == "connection_lost" && refused.message.contains("nothing was sent"),
        "{refused:?}"
    );
    let began = std::time::Instant::now();
    shim.call("wait_for", json!({"commands": [id], "timeout": 1}))
        .expect("a wait");
    assert!(began.elapsed() < IN_TIME);
    std::fs::write(&go, "").expect("a file");
    bed.sshd_mut().start_again();
    let ended = shim.wait_for(&id);
    assert_eq!(
        (&*ended.status, ended.exit_code, &*ended.stdout, &*ended.notice),
        ("completed", Some(4), "one\ntwo\n", ""),
        "{ended:?}"
    );
    // The session's helper died with its sshd; what it left goes with the next shell.
    shim.run("bash", "true");
    shim.close();
    bed.finish();
}

/// Whoever waits for a command's end on the host is killed: that nobody knows its code is said, and its output is there.
#[test]
fn a_killed_runner() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let id = start(&mut shim, "mksh", "echo before; sleep 300").id;
    wrote(&mut shim, &id, 7);
    let runner = bed
        .processes()
        .into_iter()
        .find(|process| process.line.contains(".sshmcp-") && process.line.contains("mv \"$0/x.new\""));
    runner.expect("it waits").signal(Signal::KILL);
    interrupt(&mut shim, &id, "KILL");
    let ended = shim.wait_for(&id);
    assert_eq!(
        (&*ended.status, ended.exit_code, &*ended.stdout),
        ("lost", None, "before\n"),
        "{ended:?}"
    );
    assert!(ended.notice.contains("killed"), "{ended:?}");
    shim.close();
    bed.finish();
}

/// The host is rebooted under a command: what is still there is taken, and how it ended is not known to anybody.
#[test]
fn a_reboot() {
    assert!(User::many(), "another boot id needs a mount: run this as root");
    let boots = tempfile::tempdir().expect("a directory");
    let boot = boots.path().join("boot_id");
    std::fs::write(&boot, "00000000-0000-4000-8000-000000000001\n").expect("a file");
    let mut bed = TestBed::with(&SshdOptions {
        world: Some(format!(
            "mount --bind {} /proc/sys/kernel/random/boot_id",
            boot.display()
        )),
        ..SshdOptions::default()
    });
    std::fs::set_permissions(boots.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("ours");
    let mut shim = bed.shim();
    let id = start(&mut shim, "dash", "echo one; sleep 300").id;
    wrote(&mut shim, &id, 4);
    bed.sshd_mut().stop();
    for process in bed.processes() {
        if !matches!(&*process.name, "sshmcpd" | "mcp-ssh") {
            process.signal(Signal::KILL);
        }
    }
    std::fs::write(&boot, "00000000-0000-4000-8000-000000000002\n").expect("a file");
    bed.sshd_mut().start_again();
    let ended = shim.wait_for(&id);
    assert_eq!(
        (&*ended.status, ended.exit_code, &*ended.stdout),
        ("lost", None, "one\n"),
        "{ended:?}"
    );
    assert!(ended.notice.contains("rebooted"), "{ended:?}");
    shim.run("dash", "true");
    shim.close();
    bed.finish();
}
