//! What only a person may answer: asked on the terminal, never on a pipe, secrets unseen.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::daemon::{Daemon, FINGERPRINT};
use crate::patient::{self, Patient};
use crate::text;

/// `sshctl` on a terminal of its own, and a person in front of it.
struct Person {
    sshctl: Child,
    terminal: File,
    screen: Patient,
    shown: String,
    /// Keeps the terminal there after sshctl has ended.
    other_side: File,
}

impl Person {
    fn sit_down(daemon: &Daemon, args: &[&str]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&terminal).expect("granted");
        unlockpt(&terminal).expect("unlocked");
        let name = ptsname(&terminal, Vec::new()).expect("its name");
        let side = rustix::fs::open(
            name,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let other_side = File::from(side.expect("its other side"));
        let side = || Stdio::from(other_side.try_clone().expect("one more"));
        let mut sshctl: Command = daemon.sshctl();
        let sshctl = sshctl
            .env("TERM", "xterm")
            // sshctl's own way to a process with a controlling terminal.
            .args(["__become-shell", "sshctl", env!("CARGO_BIN_EXE_sshctl")])
            .args(args)
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .expect("sshctl runs");
        let terminal = File::from(terminal);
        Self {
            sshctl,
            screen: Patient::new(terminal.try_clone().expect("one more")),
            terminal,
            shown: String::new(),
            other_side,
        }
    }

    /// Reads on until this is shown.
    fn sees(&mut self, words: &str) {
        let mut piece = [0; 1024];
        while !self.shown.contains(words) {
            let length = self.screen.read(&mut piece);
            let length = length.unwrap_or_else(|error| panic!("no {words:?}: {error}: {}", self.shown));
            self.shown.push_str(&text(&piece[..length]));
        }
    }

    fn types(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).expect("typed");
    }

    fn shows_what_is_typed(&self) -> bool {
        let modes = tcgetattr(&self.other_side).expect("modes").local_modes;
        modes.contains(LocalModes::ECHO)
    }

    fn exit_code(&mut self) -> Option<i32> {
        patient::end(&mut self.sshctl).code()
    }
}

/// A person sees name, algorithm, fingerprint and picture, and only a full yes is a yes.
#[test]
fn trust_asks_a_person() {
    for (answers, code, trusted) in [
        (&["yes\n"][..], 0, 1),
        (&["y\n", "yes\n"][..], 0, 1),
        (&["no\n"][..], 71, 0),
        (&["\n"][..], 71, 0),
        (&["\x03"][..], 130, 0),
    ] {
        let daemon = Daemon::start();
        let mut person = Person::sit_down(&daemon, &["trust", "unknown"]);
        person.sees("Trust this key (yes/no/fingerprint)? ");
        for words in [
            "[unknown.example]:2222",
            "ssh-ed25519",
            FINGERPRINT,
            "|    .  .=.o..++  |",
        ] {
            assert!(
                person.shown.contains(words),
                "{words:?} is missing: {}",
                person.shown
            );
        }
        let mut answers = answers.iter();
        person.types(answers.next().expect("an answer"));
        for answer in answers {
            person.sees("Please type 'yes', 'no' or the fingerprint: ");
            person.types(answer);
        }
        assert_eq!(person.exit_code(), Some(code), "{}", person.shown);
        assert_eq!(daemon.script.trusted.lock().expect("not poisoned").len(), trusted);
    }
}

/// A script trusts a key only by its fingerprint; a changed or revoked key is refused whatever is said.
#[test]
fn trust_without_a_person() {
    let daemon = Daemon::start();
    for (args, code, words) in [
        (
            &["trust", "unknown", "--fingerprint", FINGERPRINT][..],
            0,
            "Trusted; written to known_hosts.",
        ),
        (
            &["trust", "unknown", "--fingerprint", "SHA256:else"][..],
            72,
            "nothing was trusted",
        ),
        (&["trust", "unknown", "--json"][..], 71, FINGERPRINT),
        (&["trust", "trusted"][..], 0, "trusted already"),
        (
            &["trust", "changed", "--fingerprint", FINGERPRINT][..],
            72,
            "ssh-keygen -R '[changed.example]:2222'",
        ),
        (
            &["trust", "revoked", "--fingerprint", FINGERPRINT][..],
            72,
            "is revoked in",
        ),
    ] {
        let output = daemon
            .sshctl()
            .args(args)
            .stdin(Stdio::null())
            .output()
            .expect("sshctl runs");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    assert_eq!(
        *daemon.script.trusted.lock().expect("not poisoned"),
        [FINGERPRINT]
    );
}

/// A secret is not shown while it is typed, arrives as one, and the terminal is as before; also after Ctrl-C.
#[test]
fn secrets_are_not_shown() {
    for (keys, code, typed) in [("hunter2\n", 0, Some("hunter2")), ("hunter2\x03", 130, None)] {
        let daemon = Daemon::start();
        let mut person = Person::sit_down(&daemon, &["send", "c1", "--secret"]);
        person.sees("secret for c1: ");
        assert!(!person.shows_what_is_typed());
        person.types(keys);
        assert_eq!(person.exit_code(), Some(code));
        assert!(person.shows_what_is_typed());
        if typed.is_some() {
            person.sees("welcome in");
        }
        assert!(
            !person.shown.contains("hunter2") && !person.shown.contains("title"),
            "{}",
            person.shown
        );
        let requests = daemon.script.typed.lock().expect("not poisoned");
        let request = requests.first();
        assert_eq!(request.and_then(|it| it.text.as_deref()), typed);
        assert!(request.is_none_or(|it| it.secret && it.enter));
    }
}

/// A daemon of another version: the person reads which side is older and what to do, by a code of its own; looking at it
/// and stopping it work all the same.
#[test]
fn another_version_is_told_in_words() {
    for (protocol, older) in [(0, "the daemon is older"), (u32::MAX, "the client is older")] {
        let daemon = Daemon::start();
        *daemon.script.protocol.lock().expect("not poisoned") = Some(protocol);
        let refused = daemon.run(&[], "apart");
        let stderr = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(85), "{stderr}");
        assert!(
            stderr.contains(older) && stderr.contains("sshctl daemon restart"),
            "{stderr}"
        );
        let mut status = daemon.sshctl();
        let status = status.args(["daemon", "status"]).output().expect("sshctl runs");
        assert!(status.status.success(), "{}", text(&status.stderr));
    }
}

/// What would be put in place is shown before anything is, and anything but a full yes is a no.
#[test]
fn installing_asks_a_person() {
    for (answer, code) in [("no\n", 0), ("y\n", 0), ("\x03", 130)] {
        let daemon = Daemon::start();
        let mut person = Person::sit_down(&daemon, &["install"]);
        person.sees("Do this (yes/no)? ");
        for words in [
            "planned",
            "systemd/user/sshmcpd.service",
            "systemd/user/sshmcpd.socket",
        ] {
            assert!(
                person.shown.contains(words),
                "{words:?} is missing: {}",
                person.shown
            );
        }
        person.types(answer);
        assert_eq!(person.exit_code(), Some(code), "{}", person.shown);
        let left: Vec<_> = std::fs::read_dir(daemon.directory.path())
            .expect("a home")
            .flatten()
            .collect();
        assert_eq!(left.len(), 1, "the socket alone: {left:?}");
    }
}
