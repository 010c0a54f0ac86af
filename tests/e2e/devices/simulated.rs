//! Each dialect by FakeNOS, a simulator that others made: show, privileged mode, configuration mode, an error line, a question.

use std::thread;

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shim};

use crate::simulator::Simulator;

/// One dialect: FakeNOS' platform, our name of it, a command of the simulator's own and a line of its output, what enters the
/// privileged mode, what enters and leaves the configuration, a prompt there, the word for what is unknown, and what asks.
struct Dialect {
    platform: &'static str,
    name: &'static str,
    show: (&'static str, &'static str),
    has_privileges: bool,
    config: (&'static str, &'static str, &'static str),
    error: &'static str,
    asks: (&'static str, &'static str),
}

const DIALECTS: [Dialect; 11] = [
    Dialect {
        platform: "cisco_ios",
        name: "Cisco IOS",
        show: ("show ip bgp", "BGP table version is"),
        has_privileges: true,
        config: ("configure terminal", "end", "R1(config)#"),
        error: "% Invalid input detected",
        asks: ("reload", "Proceed with reload? [confirm]"),
    },
    Dialect {
        platform: "cisco_nxos",
        name: "Cisco NX-OS",
        show: ("show ip bgp", "Status: s-suppressed, x-deleted"),
        has_privileges: true,
        config: ("configure terminal", "end", "n9k(config)#"),
        error: "% Invalid command",
        asks: ("reload", "This command will reboot the system. (y/n)?  [n]"),
    },
    Dialect {
        platform: "cisco_asa",
        name: "Cisco ASA",
        show: ("show module", "Mod"),
        has_privileges: true,
        config: ("configure terminal", "end", "asa/pri/act(config)#"),
        error: "ERROR: % Invalid input",
        asks: ("reload", "System config has been modified. Save? [Y]es/[N]o:"),
    },
    Dialect {
        platform: "arista_eos",
        name: "Arista EOS",
        show: ("show ip bgp", "BGP routing table"),
        has_privileges: true,
        config: ("configure terminal", "end", "sw1(config)#"),
        error: "% Invalid input",
        asks: ("reload", "Proceed with reload? [confirm]"),
    },
    Dialect {
        platform: "juniper_junos",
        name: "Juniper Junos",
        show: ("show vlans", "Routing instance"),
        has_privileges: false,
        config: ("configure", "exit", "admin@mx1#"),
        error: "syntax error, expecting <command>.",
        asks: ("request system reboot", "Reboot the system ? [yes,no] (no)"),
    },
    Dialect {
        platform: "mikrotik_routeros",
        name: "MikroTik RouterOS",
        show: ("ip route print terse", "dst-address="),
        has_privileges: false,
        config: ("/ip address", "/", "[admin@MikroTik] /ip/address>"),
        error: "bad command name nonsense",
        asks: ("/system reboot", "Reboot, yes? [y/N]:"),
    },
    Dialect {
        platform: "huawei_vrp",
        name: "Huawei VRP",
        show: ("display version", "Huawei Versatile Routing Platform"),
        has_privileges: false,
        config: ("system-view", "return", "[~HUAWEI]"),
        error: "Error: Unrecognized command",
        asks: ("reboot", "Continue? [Y/N]:"),
    },
    Dialect {
        platform: "hp_comware",
        name: "HPE Comware",
        show: ("display interface brief", "The brief information of interface(s)"),
        has_privileges: false,
        config: ("system-view", "return", "[sw-7]"),
        error: "% Unrecognized command",
        asks: ("reboot", "Current configuration may be lost. Save? [Y/N]:"),
    },
    Dialect {
        platform: "hp_procurve",
        name: "HPE/Aruba ProCurve",
        show: ("show ip", "Internet (IP) Service"),
        has_privileges: true,
        config: ("configure", "end", "HP-2920(config)#"),
        error: "Invalid input: nonsense",
        asks: ("reload", "Do you want to save current configuration [y/n/^C]?"),
    },
    Dialect {
        platform: "aruba_os",
        name: "ArubaOS",
        show: ("show ap database", "AP Database"),
        has_privileges: true,
        config: ("configure terminal", "end", "(Aruba7005) [mynode] (config) #"),
        error: "% Parse error",
        asks: ("reload", "Do you really want to restart the system(y/n):"),
    },
    Dialect {
        platform: "fortinet",
        name: "Fortinet FortiOS",
        show: ("get system status", "Version: "),
        has_privileges: false,
        config: ("config system global", "end", "FGT60 (global) #"),
        error: "Unknown action 0",
        asks: ("execute reboot", "Do you want to continue? (y/n)"),
    },
];

#[test]
fn every_dialect_is_driven() {
    let simulator = Simulator::start("devices/simulated.py", &[]);
    let bed = simulator.bed("kind = \"network\"");
    thread::scope(|scope| {
        for dialect in &DIALECTS {
            let bed = &bed;
            scope.spawn(move || {
                let mut shim = bed.shim();
                drive(&mut shim, dialect);
                shim.close();
            });
        }
    });
    bed.finish();
}

fn run(shim: &mut Shim, dialect: &Dialect, command: &str, enable: bool) -> Outcome {
    let mut arguments = json!({"host": dialect.platform, "command": command});
    if enable {
        arguments["enable_password"] = json!("none is asked for");
    }
    shim.execute(arguments)
        .unwrap_or_else(|error| panic!("{}: {command}: {error:?}", dialect.platform))
}

fn drive(shim: &mut Shim, dialect: &Dialect) {
    let what = dialect.platform;
    let ended = |outcome: &Outcome| {
        assert_eq!(outcome.status, "completed", "{what}: {outcome:?}");
        assert_eq!(
            outcome.object["completion"],
            json!("prompt"),
            "{what}: {outcome:?}"
        );
        assert_eq!(outcome.object["stderr"], Value::Null, "{what}: {outcome:?}");
    };
    let prompt = |shim: &mut Shim| {
        let shown = shim
            .call("get_terminal_output", json!({"session": what}))
            .expect("a screen");
        let text = shown["text"].as_str().unwrap_or_default().trim_end().to_owned();
        text.lines().last().unwrap_or_default().trim_end().to_owned()
    };
    let (command, line) = dialect.show;
    let shown = run(shim, dialect, command, dialect.has_privileges);
    ended(&shown);
    assert!(shown.stdout.contains(line), "{what}: {shown:?}");
    assert!(!shown.stdout.contains(command), "{what}: {shown:?}");
    // Its key was a new one, and is told; nothing else is.
    assert!(
        shown.notice.starts_with("the host key of") && !shown.notice.contains("; "),
        "{what}: {shown:?}"
    );
    let before = prompt(shim);
    assert!(
        !dialect.has_privileges || before.ends_with('#'),
        "{what}: {before}"
    );

    let (enter, leave, inside) = dialect.config;
    let outcome = run(shim, dialect, enter, false);
    ended(&outcome);
    assert_eq!(
        (outcome.stdout.as_str(), outcome.notice.as_str()),
        ("", ""),
        "{what}: {outcome:?}"
    );
    assert_eq!(prompt(shim), inside, "{what}");
    let outcome = run(shim, dialect, leave, false);
    ended(&outcome);
    assert_eq!(outcome.stdout, "", "{what}: {outcome:?}");
    assert_eq!(prompt(shim), before, "{what}");

    let outcome = run(shim, dialect, "nonsense", false);
    ended(&outcome);
    assert!(outcome.stdout.starts_with(dialect.error), "{what}: {outcome:?}");
    let told = format!("the device reports an error: {}", dialect.error);
    assert!(outcome.notice.contains(&told), "{what}: {outcome:?}");

    let (command, question) = dialect.asks;
    let outcome = run(shim, dialect, command, false);
    assert_eq!(outcome.status, "awaiting_input", "{what}: {outcome:?}");
    assert_eq!(
        outcome.object["prompt"]["text"],
        json!(question),
        "{what}: {outcome:?}"
    );
    shim.call("send_input", json!({"command_id": outcome.id, "text": "y"}))
        .unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let outcome = shim.wait_for(&outcome.id);
    ended(&outcome);
    assert!(
        outcome.stdout.ends_with("y\nit was done\n"),
        "{what}: {outcome:?}"
    );
    assert_eq!(prompt(shim), before, "{what}");

    let answer = shim
        .call("interrupt_command", json!({"session": what}))
        .expect("an answer");
    assert_eq!(answer["ended"], json!(false), "{what}: {answer}");
    let listed = shim.call("list_sessions", json!({})).expect("a list");
    let sessions = listed["sessions"].as_array().cloned().unwrap_or_default();
    let own = sessions
        .iter()
        .find(|session| session["session"] == json!(what) || session["name"] == json!(what));
    assert_eq!(
        own.expect("its session")["shell"],
        json!(dialect.name),
        "{what}: {listed}"
    );
}
