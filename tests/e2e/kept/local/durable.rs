//! A durable command on a host that only OpenSSH's client reaches: it outlives the daemon, and its session too; what it wrote
//! comes whenever a session is there.

use std::fs;

use serde_json::json;
use sshmcp_tests::{Shell, eventually};

use super::{super::restarts::kill_daemon, Local};

/// Through the daemon's death and the session's end: all of its output, once, and its code; and the host's directory is gone.
#[test]
fn without_a_session() {
    let local = Local::new();
    local.only_openssh("strict");
    let scratch = local.bed.scratch(Shell::Bash);
    let (go, counter) = (scratch.join("go"), scratch.join("counter"));
    let mut shim = local.bed.shim();
    Local::open_as(&mut shim, "strict", "strict");
    shim.run("strict", "cd /usr; export WORD=exported");
    let text = format!(
        "echo $WORD $PWD; echo begun >> {counter}; seq 1 100000; echo words >&2; until [ -e {go} ]; do sleep 0.05; done; echo last; exit 7",
        counter = counter.display(),
        go = go.display()
    );
    let call = json!({"host": "strict", "command": text, "durable": true, "timeout": 0});
    let id = shim.execute(call).expect("it runs").id;
    eventually("it is at work", || shim.whole_output(&id).0.ends_with("100000\n"));
    kill_daemon(&local.bed);
    drop(shim);

    let mut shim = local.bed.shim();
    let next = shim.run("strict", "echo next");
    assert_eq!(next.stdout, "next\n", "{next:?}");
    shim.call("close_session", json!({"all": true})).expect("closed");
    eventually("it is told why nothing comes", || {
        let asked = shim.call("get_command_output", json!({"command_id": id}));
        let told = asked.expect("it is known");
        let notice = told["notice"].as_str().unwrap_or_default();
        told["status"] == "running" && notice.contains("no session of it is open")
    });
    fs::write(&go, "").expect("written");

    Local::open_as(&mut shim, "strict", "strict");
    let ended = shim.wait_for(&id);
    let got = (&*ended.status, ended.exit_code);
    assert_eq!(got, ("completed", Some(7)), "{ended:?}");
    let numbers: String = (1..=100_000).map(|number| format!("{number}\n")).collect();
    let wanted = (format!("exported /usr\n{numbers}last\n"), "words\n".to_owned());
    let (out, err) = shim.whole_output(&id);
    assert_eq!(err, wanted.1);
    let at = out
        .bytes()
        .zip(wanted.0.bytes())
        .take_while(|(is, was)| is == was);
    assert!(
        out == wanted.0,
        "{} bytes, as they should be up to {}",
        out.len(),
        at.count()
    );
    let begun = fs::read_to_string(&counter).expect("it ran");
    assert_eq!(begun, "begun\n");
    local.finish(shim);
}
