//! The switches of fake-switches, a simulator that others made: what FakeNOS has not is a password of the privileged mode, a
//! pager that waits for a key, and a question that takes one.

use std::thread;

use serde_json::json;
use sshmcp_tests::{Outcome, Shim};

use super::PASSWORD;
use crate::simulator::Simulator;

/// The simulator's name of it and ours; whether its privileged mode has a password; a command, a line of its output, and how often
/// that is in it; what enters the configuration, and what goes on to a part of it; what it says of what it does not know; what
/// asks, the question, and the end of what comes of the answer.
struct Switch {
    model: &'static str,
    name: &'static str,
    has_password: bool,
    show: (&'static str, &'static str, usize),
    config: [(&'static str, &'static str); 2],
    error: &'static str,
    asks: Option<(&'static str, &'static str, &'static str)>,
}

const COPY: (&str, &str, &str) = (
    "copy tftp://127.0.0.1/x system:/running-config",
    "Destination filename [running-config]?",
    "Done (or some official message...)\n",
);
const SAVE: (&str, &str, &str) = (
    "copy running-config startup-config",
    "Are you sure you want to save? (y/n)",
    "Configuration Saved!\n",
);

const SWITCHES: [Switch; 6] = [
    Switch {
        model: "cisco_generic",
        name: "network (like Cisco IOS)",
        has_password: true,
        show: ("show running-config", "interface FastEthernet0/", 12),
        config: [
            ("configure terminal", "cisco1(config)#"),
            ("interface FastEthernet0/1", "cisco1(config-if)#"),
        ],
        error: "No such command : nonsense",
        asks: Some(COPY),
    },
    Switch {
        model: "cisco_6500",
        name: "network (like Cisco IOS)",
        has_password: true,
        show: ("show ip interface", "Internet protocol processing disabled", 12),
        config: [
            ("configure terminal", "cisco1(config)#"),
            ("vlan 12", "cisco1(config-vlan)#"),
        ],
        error: "No such command : nonsense",
        asks: Some(COPY),
    },
    Switch {
        model: "arista_generic",
        name: "network (like Cisco IOS)",
        has_password: false,
        show: ("show vlan", "default                          active", 1),
        config: [
            ("configure terminal", "arista1(config)#"),
            ("vlan 12", "arista1(config-vlan-12)#"),
        ],
        error: "% Invalid input",
        asks: None,
    },
    Switch {
        model: "dell_generic",
        name: "network",
        has_password: true,
        show: ("show interfaces status", "Gigabit - Level", 50),
        config: [
            ("configure", "dell1(config)#"),
            ("vlan database", "dell1(config-vlan)#"),
        ],
        error: "% Invalid input detected at '^' marker.",
        asks: Some(SAVE),
    },
    Switch {
        model: "dell10g_generic",
        name: "network (like Cisco IOS)",
        has_password: true,
        show: ("show vlan", "1      default", 1),
        config: [
            ("configure", "dell10g1(config)#"),
            ("vlan 12", "dell10g1(config-vlan12)#"),
        ],
        error: "% Invalid input detected at '^' marker.",
        asks: Some(SAVE),
    },
    Switch {
        model: "brocade_generic",
        name: "Brocade IronWare",
        has_password: true,
        show: ("show version", "labeled as ", 3),
        config: [
            ("configure terminal", "SSH@brocade1(config)#"),
            ("vlan 12", "SSH@brocade1(config-vlan-12)#"),
        ],
        error: "Invalid input -> nonsense",
        asks: None,
    },
];

#[test]
fn every_switch_is_driven() {
    let simulator = Simulator::start("devices/switches.py", &[PASSWORD]);
    let bed = simulator.bed("kind = \"network\"");
    thread::scope(|scope| {
        for switch in &SWITCHES {
            let bed = &bed;
            scope.spawn(move || {
                let mut shim = bed.shim();
                let mut talk = Talk {
                    shim: &mut shim,
                    switch,
                };
                talk.enters();
                talk.shows();
                talk.configures();
                talk.asks();
                shim.close();
            });
        }
    });
    bed.finish();
}

/// One switch's session.
struct Talk<'a> {
    shim: &'a mut Shim,
    switch: &'a Switch,
}

impl Talk<'_> {
    fn ran(&mut self, command: &str) -> Outcome {
        let what = self.switch.model;
        let outcome = self.shim.execute(json!({"host": what, "command": command}));
        let outcome = outcome.unwrap_or_else(|error| panic!("{what}: {command}: {error:?}"));
        assert_eq!(outcome.status, "completed", "{what}: {outcome:?}");
        assert_eq!(
            outcome.object["completion"],
            json!("prompt"),
            "{what}: {outcome:?}"
        );
        outcome
    }

    fn prompt(&mut self) -> String {
        let look = json!({"session": self.switch.model});
        let shown = self.shim.call("get_terminal_output", look).expect("a screen");
        let text = shown["text"].as_str().unwrap_or_default().trim_end();
        text.lines().last().unwrap_or_default().trim_end().to_owned()
    }

    /// A wrong password is told, and nothing was run; the right one leads there, and is held.
    fn enters(&mut self) {
        let what = self.switch.model;
        let (command, ..) = self.switch.show;
        let call = |password: &str| json!({"host": what, "command": command, "enable_password": password});
        if self.switch.has_password {
            let error = self.shim.execute(call("wrong")).expect_err(what);
            assert_eq!(error.code, "auth_failed", "{what}: {error:?}");
            assert!(error.message.contains("nothing was run"), "{what}: {error:?}");
            assert!(self.prompt().ends_with("1>"), "{what}");
        }
        let outcome = self.shim.execute(call(PASSWORD)).expect(what);
        assert_eq!(outcome.status, "completed", "{what}: {outcome:?}");
        assert!(self.prompt().ends_with("1#"), "{what}");
        let listed = self.shim.call("list_sessions", json!({})).expect("a list");
        let sessions = listed["sessions"].as_array().cloned().unwrap_or_default();
        let own = sessions.iter().find(|session| session["session"] == json!(what));
        let shell = &own.expect("its session")["shell"];
        assert_eq!(shell, &json!(self.switch.name), "{what}: {listed}");
    }

    /// Output is whole, and nothing of a pager, an echo or a prompt is in it.
    fn shows(&mut self) {
        let what = self.switch.model;
        let (command, line, times) = self.switch.show;
        let outcome = self.ran(command);
        assert_eq!(outcome.stdout.matches(line).count(), times, "{what}: {outcome:?}");
        for foreign in ["More", command, "1#"] {
            assert!(!outcome.stdout.contains(foreign), "{what}: {outcome:?}");
        }
        assert_eq!(outcome.notice, "", "{what}: {outcome:?}");
    }

    /// The prompts of the configuration are followed, there and back; what is unknown is told.
    fn configures(&mut self) {
        let what = self.switch.model;
        let before = self.prompt();
        for (command, prompt) in self.switch.config {
            let outcome = self.ran(command);
            assert_eq!(outcome.notice, "", "{what}: {command}: {outcome:?}");
            assert_eq!(self.prompt(), prompt, "{what}: {command}");
        }
        let outcome = self.ran("nonsense");
        let told = format!("the device reports an error: {}", self.switch.error);
        assert!(outcome.notice.contains(&told), "{what}: {outcome:?}");
        for _ in self.switch.config {
            self.ran("exit");
        }
        assert_eq!(self.prompt(), before, "{what}");
    }

    /// What it asks is answered, and the command goes on.
    fn asks(&mut self) {
        let what = self.switch.model;
        let Some((command, question, end)) = self.switch.asks else {
            return;
        };
        let asked = self.shim.execute(json!({"host": what, "command": command}));
        let asked = asked.expect(what);
        assert_eq!(asked.status, "awaiting_input", "{what}: {asked:?}");
        assert_eq!(
            asked.object["prompt"]["text"],
            json!(question),
            "{what}: {asked:?}"
        );
        let answer = json!({"command_id": asked.id, "text": "y", "enter": question.ends_with("]?")});
        self.shim.call("send_input", answer).expect(what);
        let ended = self.shim.wait_for(&asked.id);
        assert_eq!(ended.status, "completed", "{what}: {ended:?}");
        assert!(ended.stdout.ends_with(end), "{what}: {ended:?}");
    }
}
