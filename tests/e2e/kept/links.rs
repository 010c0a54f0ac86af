//! The connection is lost under a kept session: its commands go on, and end as if nothing had been.

use serde_json::json;
use sshmcp_tests::{Shell, Shim, eventually};

use super::{Kept, state};

/// Cuts under a command in every kind of shell: every line is there once, the exit code is its own, and it ran once.
#[test]
fn a_command_goes_on() {
    let kept = Kept::new();
    let shells = [Shell::Bash, Shell::Zsh, Shell::Dash, Shell::Fish, Shell::Mksh];
    std::thread::scope(|scope| {
        for shell in shells {
            let kept = &kept;
            scope.spawn(move || {
                let mut shim = kept.bed.shim();
                kept.open(&mut shim, shell);
                let counter = kept.bed.scratch(shell).join("ran");
                let script = format!(
                    "echo ran >> {}; i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo $i; echo e$i >&2; sleep 0.1; done; exit 7",
                    counter.display()
                );
                let call = json!({"host": shell.host(), "command": format!("sh -c '{script}'"), "timeout": 1});
                let begun = shim.execute(call).expect("it runs");
                assert_eq!(begun.status, "running", "{shell:?}: {begun:?}");
                kept.cut();
                let ended = shim.wait_for(&begun.id);
                assert_eq!((&*ended.status, ended.exit_code), ("completed", Some(7)), "{shell:?}: {ended:?}");
                let (out, err) = shim.whole_output(&begun.id);
                let numbers = |sign: &str| (1..=30).map(|i| format!("{sign}{i}\n")).collect::<String>();
                assert_eq!((out, err), (numbers(""), numbers("e")), "{shell:?}");
                let ran = std::fs::read_to_string(&counter).expect("it ran");
                assert_eq!(ran, "ran\n", "{shell:?}");
            });
        }
    });
    let shim = kept.bed.shim();
    kept.finish(shim, &shells);
}

/// What ends while nobody is there is known afterwards: a command, and a shell.
#[test]
fn ends_meanwhile() {
    let mut kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    for (command, code) in [("echo ended; (exit 9)", 9), ("echo left; exit 5", 5)] {
        let scratch = kept.bed.scratch(Shell::Bash).join(format!("go-{code}"));
        let done = kept.bed.scratch(Shell::Bash).join(format!("done-{code}"));
        let waiting = format!(
            "until [ -e {} ]; do sleep 0.05; done; touch {}; {command}",
            scratch.display(),
            done.display()
        );
        let call = json!({"host": "bash", "command": waiting, "timeout": 1});
        let begun = shim.execute(call).expect("it runs");
        kept.bed.sshd_mut().stop_serving();
        eventually("it is seen", || state(&mut shim, "bash") == "reconnecting");
        std::fs::write(&scratch, "").expect("written");
        eventually("it goes on", || done.exists());
        let refused = shim.execute(json!({"host": "bash", "command": "echo no", "timeout": 5}));
        let refused = refused.expect_err("nobody is there");
        assert!(
            refused.message.contains("nothing was run") && refused.message.contains("could not come back"),
            "{refused:?}"
        );
        kept.bed.sshd_mut().start_again();
        let ended = shim.wait_for(&begun.id);
        assert_eq!(
            (&*ended.status, ended.exit_code),
            ("completed", Some(code)),
            "{ended:?}"
        );
        assert!(
            ended
                .stdout
                .starts_with(if code == 9 { "ended\n" } else { "left\n" }),
            "{ended:?}"
        );
        assert!(ended.notice.contains("lived on"), "{ended:?}");
    }
    assert_eq!(shim.run("bash", "echo next").stdout, "next\n");
    kept.finish(shim, &[Shell::Bash]);
}

/// Ten million bytes come through three cuts, each once and in order.
#[test]
fn a_long_stream_through_cuts() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    let call = json!({"host": "bash", "command": "seq 1 1400000; echo end >&2", "timeout": 0});
    let begun = shim.execute(call).expect("it runs");
    let bytes = |shim: &mut Shim| {
        let now = shim.call("get_command_output", json!({"command_id": begun.id, "tail": 1}));
        now.expect("it is known")["total_bytes"].as_u64().unwrap_or(0)
    };
    for part in 1..=3 {
        eventually("it goes on", || bytes(&mut shim) > part * 500_000);
        kept.cut();
    }
    let ended = shim.wait_for(&begun.id);
    assert_eq!((&*ended.status, ended.exit_code), ("completed", Some(0)));
    let (out, err) = shim.whole_output(&begun.id);
    let wanted: String = (1..=1_400_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(err, "end\n");
    assert!(out == wanted, "{} bytes of {}", out.len(), wanted.len());
    kept.finish(shim, &[Shell::Bash]);
}

/// Background jobs of several commands hold a pair of FIFOs each: after a cut all of them are followed again.
#[test]
fn late_output_comes_after_a_cut() {
    let kept = Kept::new();
    let mut shim = kept.bed.shim();
    kept.open(&mut shim, Shell::Bash);
    let go = kept.bed.scratch(Shell::Bash).join("go");
    let jobs: Vec<String> = (0..3)
        .map(|job| {
            let wait = format!("until [ -e {} ]; do sleep 0.05; done", go.display());
            shim.run("bash", &format!("echo early; {{ {wait}; echo late {job}; }} &"))
                .id
        })
        .collect();
    let last = format!(
        "until [ -e {} ]; do sleep 0.05; done; echo last; (exit 3)",
        go.display()
    );
    let last = shim.execute(json!({"host": "bash", "command": last, "timeout": 0}));
    let last = last.expect("it runs").id;
    kept.cut();
    eventually("it is back", || state(&mut shim, "bash") == "busy");
    std::fs::write(&go, "").expect("written");
    let ended = shim.wait_for(&last);
    assert_eq!(
        (ended.exit_code, &*ended.stdout),
        (Some(3), "last\n"),
        "{ended:?}"
    );
    for (job, id) in jobs.iter().enumerate() {
        eventually("its late output is there", || {
            shim.whole_output(id).0 == format!("early\nlate {job}\n")
        });
    }
    kept.finish(shim, &[Shell::Bash]);
}
