//! sudo through the real programs and a real sudo: a matrix of what sudoers may say and commands may do, a password
//! from the configuration, and who does not get it.

mod attacks;
mod given;
mod stored;

use serde_json::{Value, json};
use sshmcp_tests::{Outcome, Shell, Shim, Sudoer, TestBed, ToolError, eventually, trace};

/// The rule of everybody who may do everything.
const ALL: &str = "@ ALL=(ALL:ALL) ALL";

/// A host `sudo` whose user has a password, and a client.
struct Stage {
    sudoer: Sudoer,
    shim: Shim,
    bed: TestBed,
}

impl Stage {
    fn new(shell: Shell) -> Self {
        let bed = TestBed::new();
        let sudoer = Sudoer::new(shell);
        bed.authorize(bed.sshd(), &sudoer.user);
        bed.alias("sudo", &sudoer.user.name, bed.sshd().port());
        sudoer.allow(ALL);
        let shim = bed.shim();
        Self { sudoer, shim, bed }
    }

    /// `execute_command` on the host with these further arguments.
    fn execute(&mut self, command: &str, mut more: Value) -> Result<Outcome, ToolError> {
        more["host"] = json!("sudo");
        more["command"] = json!(command);
        if more["timeout"].is_null() {
            more["timeout"] = json!(40);
        }
        self.shim.execute(more)
    }

    /// The same with the user's password for sudo.
    fn under(&mut self, command: &str) -> Outcome {
        let password = self.sudoer.password.clone();
        self.execute(command, json!({"sudo_password": password}))
            .unwrap_or_else(|error| panic!("{command:?}: {error:?}"))
    }

    /// A command without a password.
    fn plain(&mut self, command: &str) -> Outcome {
        self.execute(command, json!({}))
            .unwrap_or_else(|error| panic!("{command:?}: {error:?}"))
    }

    /// Everything that the terminal showed.
    fn transcript(&mut self) -> String {
        let session = self.plain("true").session;
        let shown = self
            .shim
            .call("get_terminal_output", json!({"session": session, "lines": 5000}));
        shown.expect("a transcript").to_string()
    }

    /// The end: nothing is left, and neither password nor nonce was shown.
    fn finish(mut self) {
        let transcript = self.transcript();
        assert!(!transcript.contains(&self.sudoer.password), "{transcript}");
        assert!(
            !transcript.contains("[sudo c") && !transcript.contains("[sudo t"),
            "{transcript}"
        );
        let user = [self.sudoer.user.clone()];
        self.shim.close();
        self.bed.finish();
        eventually("the host is clean", || trace::abandoned(&user).is_empty());
    }
}
