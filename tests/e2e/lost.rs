//! The connection dies under a command: what is known is kept, what is not known is said, and nothing is run twice.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;
use sshmcp_tests::{IN_TIME, Outcome, Shell, Shim, Sshd, SshdOptions, TestBed, eventually};

/// A new connection, login and shell on loopback take a fraction of this, even on a machine under load.
const AT_ONCE: Duration = Duration::from_secs(8);

fn count(file: &Path) -> usize {
    fs::read_to_string(file).unwrap_or_default().lines().count()
}

/// Waits until the daemon knows of the cut: what is sent before is lost, and says so.
fn noticed(shim: &mut Shim, session: &str) {
    eventually("the cut is noticed", || {
        let listed = shim.call("list_sessions", json!({})).expect("a list");
        let sessions = listed["sessions"].as_array().expect("a list");
        sessions
            .iter()
            .any(|one| one["session"] == session && one["state"] == "disconnected")
    });
}

/// An agent must know that the end of its command is unknown; a second run could do harm, so only the agent decides
/// on it. The session is there again with the next call, which says what is gone.
#[test]
fn a_connection_is_cut_under_a_command() {
    let bed = TestBed::new();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let mut shim = bed.shim();
        let counter = bed.scratch(shell).join("counter");
        shim.run(shell.host(), "cd /usr; kept=variable");
        let command = format!(
            "echo ran >> {}; echo partial; echo complaint >&2; sleep 300; echo never",
            counter.display()
        );
        let call = shim.begin_call(
            "execute_command",
            json!({"host": shell.host(), "command": command, "timeout": 45}),
        );
        let mut reader = bed.shim();
        eventually("its output is read", || {
            let active = reader.call("get_active_commands", json!({})).expect("a list");
            let bytes = &active["commands"][0]["total_bytes"];
            bytes.as_u64() == Some("partial\ncomplaint\n".len() as u64)
        });
        let cut = Instant::now();
        for sshd in bed.sshds() {
            sshd.cut_connections();
        }
        let lost = Outcome::read(shim.finish_call(call).expect("a result, no error"));
        assert!(
            cut.elapsed() < AT_ONCE,
            "{shell:?}: told after {:?}",
            cut.elapsed()
        );
        assert_eq!(
            (&*lost.status, lost.exit_code, &*lost.stdout, &*lost.stderr),
            ("lost", None, "partial\n", "complaint\n"),
            "{shell:?}: {lost:?}"
        );
        // Another client reads the same of it later.
        let again = reader.wait_for(&lost.id);
        assert_eq!((&*again.status, &*again.stdout), ("lost", "partial\n"));

        let began = Instant::now();
        let next = shim.run(shell.host(), "pwd; echo \"${kept-gone}\"");
        assert!(
            began.elapsed() < AT_ONCE,
            "{shell:?}: after {:?}",
            began.elapsed()
        );
        assert_eq!(next.stdout, "/usr\ngone\n", "{shell:?}: {next:?}");
        assert!(
            next.notice.contains("again") && next.notice.contains("variables"),
            "{shell:?}: {next:?}"
        );
        let after = shim.run(shell.host(), "true");
        assert_eq!(after.notice, "", "{shell:?}: said once, not always");
        assert_eq!(count(&counter), 1, "{shell:?}: never run again");
        shim.close();
        reader.close();
    }
    bed.finish();
}

/// A command that waits its turn when the connection dies was not run: it must be told apart from one that was, and
/// it is run once at most.
#[test]
fn a_queued_command_runs_once_at_most() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let counter = bed.scratch(Shell::Bash).join("counter");
    let started = bed.scratch(Shell::Bash).join("started");
    shim.run("bash", "true");
    let sleep = format!("touch {}; sleep 300", started.display());
    let first = shim.begin_call(
        "execute_command",
        json!({"session": "bash", "command": sleep, "timeout": 45}),
    );
    eventually("the first runs", || started.exists());
    let second = format!("echo ran >> {}", counter.display());
    let second = shim.begin_call(
        "execute_command",
        json!({"session": "bash", "command": second, "timeout": 45}),
    );
    eventually("the second is queued", || {
        let active = shim.call("get_active_commands", json!({})).expect("a list");
        active["queued"].as_array().map(Vec::len) == Some(1)
    });
    bed.sshd().cut_connections();
    assert_eq!(
        Outcome::read(shim.finish_call(first).expect("a result")).status,
        "lost"
    );
    match shim.finish_call(second).map(Outcome::read) {
        Ok(outcome) if outcome.status == "completed" => assert_eq!(count(&counter), 1, "{outcome:?}"),
        Ok(outcome) => assert_eq!((&*outcome.status, count(&counter)), ("lost", 0), "{outcome:?}"),
        Err(error) => {
            assert_eq!(
                (&*error.code, count(&counter)),
                ("connection_lost", 0),
                "{error:?}"
            );
        }
    }
    shim.close();
    bed.finish();
}

/// Between two calls nobody notices a cut but the next call, which works.
#[test]
fn a_cut_between_two_calls() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("zsh", "cd /usr");
    for sshd in bed.sshds() {
        sshd.cut_connections();
    }
    noticed(&mut shim, "zsh");
    let next = shim.run("zsh", "pwd");
    assert_eq!((&*next.stdout, next.exit_code), ("/usr\n", Some(0)), "{next:?}");
    assert!(next.notice.contains("variables"), "{next:?}");
    shim.close();
    bed.finish();
}

/// A host that is gone stays gone: the next call fails in words and in time.
#[test]
fn a_host_that_does_not_come_back() {
    let bed = TestBed::new();
    let user = bed.user(Shell::Dash);
    let sshd = Sshd::start(&bed.path("passing"), "passing", &SshdOptions::default());
    bed.append(".ssh/known_hosts", &sshd.known_host());
    bed.authorize(&sshd, user);
    bed.alias("passing", &user.name, sshd.port());
    let mut shim = bed.shim();
    shim.run("passing", "true");
    sshd.cut_connections();
    drop(sshd);
    noticed(&mut shim, "passing");
    let began = Instant::now();
    let refused = shim.execute(json!({"host": "passing", "command": "true"}));
    let refused = refused.expect_err("nobody listens");
    assert_eq!(refused.code, "unreachable", "{refused:?}");
    assert!(began.elapsed() < IN_TIME, "after {:?}", began.elapsed());
    shim.close();
    bed.finish();
}
