//! Every dialect as our own router speaks it: what FakeNOS has not, which is a pager that waits for a key, a password of the
//! privileged mode, and something that runs until the dialect's own key ends it.

use std::{fs, os::unix::fs::PermissionsExt as _, thread};

use serde_json::json;
use sshmcp_tests::{Outcome, Shell, Shim, SshdOptions, TestBed};

use super::PASSWORD;
use crate::clients::workspace;

/// What is to be seen of the privileged mode.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// The prompt shows it.
    Shown,
    /// It does not.
    Unseen,
    /// There is none.
    None,
    /// Its only one looks like it.
    Always,
}

/// Its name to the router and in lists; the privileged mode; what enters and leaves the configuration; its word for what is
/// unknown; what asks, and the question; whether its pager is off before, and whether in, the privileged mode.
struct Dialect {
    of: &'static str,
    name: &'static str,
    mode: Mode,
    config: (&'static str, &'static str),
    error: &'static str,
    asks: (&'static str, &'static str),
    unpaged: (bool, bool),
}

const CONFIGURE: (&str, &str) = ("configure terminal", "end");
const RELOAD: (&str, &str) = ("reload", "Proceed with reload? [confirm]");

const DIALECTS: [Dialect; 11] = [
    Dialect {
        of: "cisco_ios",
        name: "Cisco IOS",
        mode: Mode::Shown,
        config: CONFIGURE,
        error: "% Invalid input",
        asks: RELOAD,
        unpaged: (true, true),
    },
    Dialect {
        of: "cisco_nxos",
        name: "Cisco NX-OS",
        mode: Mode::Shown,
        config: CONFIGURE,
        error: "% Invalid command",
        asks: ("reload", "This command will reboot the system. (y/n)?  [n]"),
        unpaged: (true, true),
    },
    Dialect {
        of: "cisco_asa",
        name: "Cisco ASA",
        mode: Mode::Shown,
        config: CONFIGURE,
        error: "ERROR: % Invalid input",
        asks: RELOAD,
        unpaged: (false, true),
    },
    Dialect {
        of: "arista_eos",
        name: "Arista EOS",
        mode: Mode::Shown,
        config: CONFIGURE,
        error: "% Invalid input",
        asks: RELOAD,
        unpaged: (true, true),
    },
    Dialect {
        of: "juniper_junos",
        name: "Juniper Junos",
        mode: Mode::Shown,
        config: ("configure", "exit"),
        error: "syntax error, expecting <command>.",
        asks: ("request system reboot", "Reboot the system ? [yes,no] (no)"),
        unpaged: (true, true),
    },
    Dialect {
        of: "mikrotik_routeros",
        name: "MikroTik RouterOS",
        mode: Mode::None,
        config: ("/ip address", "/"),
        error: "bad command name nonsense",
        asks: ("/system reboot", "Reboot, yes? [y/N]:"),
        unpaged: (false, false),
    },
    Dialect {
        of: "huawei_vrp",
        name: "Huawei VRP",
        mode: Mode::Unseen,
        config: ("system-view", "return"),
        error: "Error: Unrecognized command",
        asks: ("reboot", "Continue? [Y/N]:"),
        unpaged: (true, true),
    },
    Dialect {
        of: "hp_comware",
        name: "HPE Comware",
        mode: Mode::Unseen,
        config: ("system-view", "return"),
        error: "% Unrecognized command",
        asks: (
            "reboot",
            "Current configuration may be lost after the reboot. Continue? [Y/N]:",
        ),
        unpaged: (true, true),
    },
    Dialect {
        of: "hp_procurve",
        name: "HPE/Aruba ProCurve",
        mode: Mode::Shown,
        config: ("configure", "end"),
        error: "Invalid input: nonsense",
        asks: ("reload", "Do you want to save current configuration [y/n/^C]?"),
        unpaged: (true, true),
    },
    Dialect {
        of: "aruba_os",
        name: "ArubaOS",
        mode: Mode::Shown,
        config: CONFIGURE,
        error: "% Parse error",
        asks: ("reload", "Do you really want to restart the system(y/n):"),
        unpaged: (false, true),
    },
    Dialect {
        of: "fortinet",
        name: "Fortinet FortiOS",
        mode: Mode::Always,
        config: ("config system global", "end"),
        error: "Unknown action 0",
        asks: ("execute reboot", "Do you want to continue? (y/n)"),
        unpaged: (false, false),
    },
];

#[test]
fn every_dialect_is_spoken() {
    let mut bed = TestBed::new();
    let here = bed.scratch(Shell::Bash);
    for script in ["nasty.py", "dialects.py"] {
        fs::copy(workspace().join("tests/devices").join(script), here.join(script)).expect("a script");
    }
    let options = SshdOptions {
        max_sessions: Some(1),
        lines: vec![
            "AcceptEnv DIALECT".to_owned(),
            format!(
                "ForceCommand exec python3 -B {0}/dialects.py {PASSWORD} {0}/$DIALECT $DIALECT",
                here.display()
            ),
        ],
        ..SshdOptions::default()
    };
    let number = bed.add_sshd(&options, &[]);
    let user = bed.user(Shell::Bash).clone();
    bed.authorize(&bed.sshds()[number], &user);
    let port = bed.sshds()[number].port();
    let mut config = String::new();
    for Dialect { of, .. } in &DIALECTS {
        bed.append(
            ".ssh/config",
            &format!(
                "Host {of}\n HostName 127.0.0.1\n Port {port}\n User {}\n SetEnv DIALECT={of}\n",
                user.name
            ),
        );
        config += &format!("[connections.{of}]\nkind = \"network\"\n");
    }
    fs::create_dir_all(bed.home().join(".config/sshmcp")).expect("a directory");
    bed.append(".config/sshmcp/config.toml", &config);
    let file = bed.home().join(".config/sshmcp/config.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
    bed.give(".config");
    thread::scope(|scope| {
        for dialect in &DIALECTS {
            let (bed, noted) = (&bed, here.join(dialect.of));
            let user = &user.name;
            scope.spawn(move || {
                let noted = || fs::read_to_string(&noted).unwrap_or_default();
                let mut shim = bed.shim();
                let mut talk = Talk {
                    shim: &mut shim,
                    dialect,
                };
                talk.pages(&noted);
                talk.privileges(&noted, user);
                talk.modes();
                talk.questions_and_keys();
                shim.close();
            });
        }
    });
    bed.finish();
}

/// One dialect's session.
struct Talk<'a> {
    shim: &'a mut Shim,
    dialect: &'a Dialect,
}

impl Talk<'_> {
    fn ran(&mut self, command: &str, password: Option<&str>) -> Outcome {
        let what = self.dialect.of;
        let mut arguments = json!({"host": what, "session": what, "command": command});
        if let Some(password) = password {
            arguments["enable_password"] = json!(password);
        }
        let outcome = self.shim.execute(arguments);
        let outcome = outcome.unwrap_or_else(|error| panic!("{what}: {command}: {error:?}"));
        assert_eq!(outcome.status, "completed", "{what}: {command}: {outcome:?}");
        assert_eq!(outcome.exit_code, None, "{what}: {command}: {outcome:?}");
        outcome
    }

    fn prompt(&mut self) -> String {
        let look = json!({"session": self.dialect.of});
        let shown = self.shim.call("get_terminal_output", look).expect("a screen");
        let text = shown["text"].as_str().unwrap_or_default().trim_end();
        text.lines().last().unwrap_or_default().trim_end().to_owned()
    }

    fn shows_lines(&mut self) {
        let lines: String = (1..=35)
            .map(|number| format!("  line {number} of 35\n"))
            .collect();
        let outcome = self.ran("show lines", None);
        assert_eq!(
            (outcome.stdout.as_str(), outcome.notice.as_str()),
            (lines.as_str(), ""),
            "{}: {outcome:?}",
            self.dialect.of
        );
    }

    /// Output is whole, whether its pager is off or answered.
    fn pages(&mut self, noted: &dyn Fn() -> String) {
        let what = self.dialect.of;
        self.shows_lines();
        assert_eq!(
            noted().contains("paged"),
            !self.dialect.unpaged.0,
            "{what}: {}",
            noted()
        );
        let listed = self.shim.call("list_sessions", json!({})).expect("a list");
        let sessions = listed["sessions"].as_array().cloned().unwrap_or_default();
        let own = sessions.iter().find(|session| session["session"] == json!(what));
        assert_eq!(
            own.expect("its session")["shell"],
            json!(self.dialect.name),
            "{listed}"
        );
        self.ran("pages", None);
        let before = noted().matches("paged").count();
        self.shows_lines();
        assert_eq!(noted().matches("paged").count(), before + 3, "{what}");
    }

    /// A wrong password is told, and nothing was run; the right one leads there.
    fn privileges(&mut self, noted: &dyn Fn() -> String, user: &str) {
        let (what, mode) = (self.dialect.of, self.dialect.mode);
        if matches!(mode, Mode::None | Mode::Always) {
            let outcome = self.ran("pages", Some(PASSWORD));
            let is_told = outcome.notice.contains("has no privileged mode");
            assert_eq!(is_told, mode == Mode::None, "{what}: {outcome:?}");
            return;
        }
        let before = self.prompt();
        let wrong = json!({"host": what, "session": what, "command": "pages", "enable_password": "wrong"});
        let error = self.shim.call("execute_command", wrong).expect_err(what);
        assert_eq!(error.code, "auth_failed", "{what}: {error:?}");
        assert!(error.message.contains("nothing was run"), "{what}: {error:?}");
        assert_eq!(self.prompt(), before, "{what}");
        assert_eq!(
            noted().matches("password").count(),
            1,
            "{what}: it was tried once"
        );

        // Where only those with privileges may, the pager is turned off then.
        let outcome = self.ran("nonsense", Some(PASSWORD));
        let unseen = outcome.notice.contains("cannot be seen");
        assert_eq!(unseen, mode == Mode::Unseen, "{what}: {outcome:?}");
        let before_lines = noted().matches("paged").count();
        self.shows_lines();
        let is_unpaged = noted().matches("paged").count() == before_lines;
        assert_eq!(
            is_unpaged,
            !self.dialect.unpaged.0 && self.dialect.unpaged.1,
            "{what}"
        );
        assert_eq!(noted().matches("password").count(), 2, "{what}");
        let names = noted().matches(&format!("name {user}")).count();
        assert_eq!(
            names,
            if what == "hp_procurve" { 2 } else { 0 },
            "{what}: {}",
            noted()
        );
        let after = self.prompt();
        assert_eq!(after == before, mode == Mode::Unseen, "{what}: {after}");
        // It is held, and not asked for again.
        self.ran("pages", Some(PASSWORD));
        assert_eq!(noted().matches("password").count(), 2, "{what}");
    }

    /// The configuration's prompt is followed, there and back; what is unknown is told.
    fn modes(&mut self) {
        let what = self.dialect.of;
        let before = self.prompt();
        let (enter, leave) = self.dialect.config;
        for (command, is_there) in [(enter, true), (leave, false)] {
            let outcome = self.ran(command, None);
            assert_eq!(
                (outcome.stdout.as_str(), outcome.notice.as_str()),
                ("", ""),
                "{what}: {command}: {outcome:?}"
            );
            assert_eq!(self.prompt() != before, is_there, "{what}: {command}");
        }
        let outcome = self.ran("nonsense", None);
        let told = format!("the device reports an error: {}", self.dialect.error);
        assert!(outcome.notice.contains(&told), "{what}: {outcome:?}");
    }

    /// What it asks is answered, and what goes on is ended by its key.
    fn questions_and_keys(&mut self) {
        let what = self.dialect.of;
        let call = |command: &str, seconds: u32| json!({"host": what, "session": what, "command": command, "timeout": seconds});
        let (command, question) = self.dialect.asks;
        let asked = self.shim.execute(call(command, 30)).expect(what);
        assert_eq!(asked.status, "awaiting_input", "{what}: {asked:?}");
        assert_eq!(
            asked.object["prompt"]["text"],
            json!(question),
            "{what}: {asked:?}"
        );
        let answer = json!({"command_id": asked.id, "text": "y"});
        self.shim.call("send_input", answer).expect(what);
        let ended = self.shim.wait_for(&asked.id);
        assert_eq!(ended.status, "completed", "{what}: {ended:?}");
        assert!(ended.stdout.ends_with("it was done\n"), "{what}: {ended:?}");

        let pinging = self.shim.execute(call("ping 10.0.0.1", 1)).expect(what);
        assert_eq!(pinging.status, "running", "{what}: {pinging:?}");
        let interrupt = json!({"command_id": pinging.id});
        let ended = self.shim.call("interrupt_command", interrupt).expect(what);
        assert_eq!(
            (&ended["ended"], &ended["status"]),
            (&json!(true), &json!("interrupted")),
            "{what}: {ended}"
        );
        self.shows_lines();
    }
}
