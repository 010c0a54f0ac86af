//! The way through several hosts, which are in a row of networks: each is reached from the one before it alone.

use std::{fs, os::unix::fs::MetadataExt as _};

use serde_json::json;
use sshmcp_tests::{
    Shell, Shim, TestBed, ToolError,
    net::{PORT, Row},
    sshd::keygen,
};

const NAMES: [&str; 4] = ["first", "second", "third", "goal"];
const SHELLS: [Shell; 4] = [Shell::Dash, Shell::Zsh, Shell::Ksh, Shell::Bash];

fn refused(shim: &mut Shim, host: &str) -> ToolError {
    let call = json!({"host": host, "command": "true", "timeout": 50});
    shim.execute(call).expect_err(host)
}

/// Three hosts on the way, each with a user, a key and a host key of its own; the one that is dead is named, wherever it is, and
/// so is one whose host key nobody knows.
#[test]
fn three_hosts_on_the_way() {
    let row = Row::new(4);
    let mut bed = TestBed::new();
    let home = bed.home().metadata().expect("a home");
    let owner = (home.uid(), home.gid());
    let mut numbers = Vec::new();
    for (number, (name, shell)) in (1..).zip(NAMES.into_iter().zip(SHELLS)) {
        let mut options = row.sshd(number);
        options.lines.push("AllowTcpForwarding yes".to_owned());
        let sshd = bed.add_sshd(&options, &[]);
        let user = bed.user(shell).clone();
        let key = bed.home().join(".ssh").join(format!("key-of-{name}"));
        keygen(&key);
        bed.give(".ssh");
        let public = fs::read_to_string(key.with_extension("pub")).expect("a public key");
        bed.sshds()[sshd].authorize(&user, &public);
        let address = Row::address(number);
        let known = bed.sshds()[sshd].known_host();
        let (_, host_key) = known.split_once(' ').expect("a name and a key");
        bed.append(".ssh/known_hosts", &format!("{address} {host_key}"));
        let lines = format!(
            "Host {name}\n HostName {address}\n Port {PORT}\n User {}\n IdentityFile {}\n IdentitiesOnly yes\n",
            user.name,
            key.display()
        );
        bed.append(".ssh/config", &lines);
        numbers.push(sshd);
    }
    let goal = Row::address(4);
    bed.append(
        ".ssh/config",
        &format!(
            "Host straight\n HostName {goal}\nHost goal\n ProxyJump first,second,third\n\
             Host stranger\n HostName {goal}\n ProxyJump first,unknown,third\n\
             Host unknown\n HostName {}\n HostKeyAlias nobody-knows-it\n",
            Row::address(2)
        ),
    );
    let start = |bed: &TestBed| {
        let mut command = bed.program("sshctl");
        command.args(["daemon", "start"]);
        let started = row.on_first(&command, owner).output().expect("nsenter runs");
        assert!(started.status.success(), "{started:?}");
    };
    start(&bed);
    let mut shim = bed.shim();
    let ran = shim.run("goal", "whoami; echo $SSH_CONNECTION");
    let user = &bed.user(Shell::Bash).name;
    // It sees the third host alone.
    assert!(
        ran.stdout.starts_with(&format!("{user}\n10.78.4.1 ")) && ran.stdout.contains(&goal),
        "{ran:?}"
    );
    let listed = shim.call("list_hosts", json!({"host": "goal"})).expect("listed");
    assert_eq!(
        listed["hosts"][0]["jump"],
        json!(["first", "second", "third"]),
        "{listed}"
    );
    let fault = refused(&mut shim, "straight");
    assert_eq!(fault.code, "unreachable", "there is no other way: {fault:?}");
    let fault = refused(&mut shim, "stranger");
    assert_eq!(fault.code, "host_key_unknown", "{fault:?}");
    assert!(fault.message.contains("jump host unknown"), "{fault:?}");
    assert!(fault.hint.contains("sshctl trust"), "{fault:?}");
    shim.call("close_session", json!({"all": true})).expect("closed");
    bed.stop_daemon();
    for (at, name) in [(2, "third"), (1, "second"), (0, "first")] {
        bed.stop_sshd(numbers[at]);
        start(&bed);
        let fault = refused(&mut shim, "goal");
        assert_eq!(fault.code, "unreachable", "{fault:?}");
        let blamed = NAMES
            .iter()
            .max_by_key(|name| fault.message.rfind(&format!("{name} (")));
        assert_eq!(blamed, Some(&name), "{fault:?}");
        bed.stop_daemon();
    }
    shim.close();
    bed.finish();
}
