//! `Match` lines of ssh_config: criteria and what they say of the host that is asked about.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::Reading;
use crate::host::lines::{self, Line};
use crate::host::tokens::{Tokens, local_user};

/// How long a program of `Match exec` may take.
const LIMIT: Duration = Duration::from_secs(5);

impl Reading<'_> {
    /// Whether all criteria of the line hold; an error says what is wrong with it, or not understood.
    pub(super) fn matched(&mut self, line: &Line) -> Result<bool, String> {
        let mut words = line.words.iter().flat_map(|word| apart(word));
        let mut result = true;
        let mut criteria = 0;
        while let Some(word) = words.next() {
            let (negated, word) = match word.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, word),
            };
            let criterion = word.to_ascii_lowercase();
            criteria += 1;
            let holds = match criterion.as_str() {
                "all" => {
                    let is_alone = criteria == 1 || self.is_after_pass(line);
                    if !is_alone || words.next().is_some() || negated {
                        return Err("`Match all` goes with nothing but `canonical` or `final`".to_owned());
                    }
                    true
                }
                "final" => {
                    self.wants_final = true;
                    self.is_final
                }
                "canonical" => self.is_final,
                "host" | "originalhost" | "user" | "localuser" | "exec" => {
                    let value = words
                        .next()
                        .ok_or_else(|| format!("`Match {criterion}` has no value"))?;
                    match criterion.as_str() {
                        "host" => is_one(&self.hostname().to_lowercase(), &value.to_lowercase()),
                        "originalhost" => is_one(&self.question.name.to_lowercase(), &value.to_lowercase()),
                        "user" => is_one(&self.user(), value),
                        "localuser" => is_one(&local_user(), value),
                        // What does not matter any more is not run.
                        _ => result && self.succeeds(value)?,
                    }
                }
                other => {
                    return Err(format!(
                        "`Match {other}`, which only OpenSSH's own `ssh` understands, and none is installed"
                    ));
                }
            };
            result &= holds != negated;
        }
        if criteria == 0 {
            return Err("`Match` has no criteria".to_owned());
        }
        Ok(result)
    }

    fn is_after_pass(&self, line: &Line) -> bool {
        let before = line.words.first().map(|word| word.to_ascii_lowercase());
        line.words.len() == 2 && matches!(before.as_deref(), Some("final" | "canonical"))
    }

    fn user(&self) -> String {
        let given = self.question.user.as_deref();
        given
            .or_else(|| self.value("user"))
            .map_or_else(local_user, str::to_owned)
    }

    fn succeeds(&self, pattern: &str) -> Result<bool, String> {
        let hostname = self.hostname();
        let user = self.user();
        let port = self.question.port.or_else(|| self.value("port")?.parse().ok());
        let tokens = Tokens {
            home: &self.question.home,
            hostname: &hostname,
            name: &self.question.name,
            port: port.unwrap_or(22),
            remote_user: &user,
            jump: self.value("proxyjump").unwrap_or_default(),
            host_key_alias: self.value("hostkeyalias"),
        };
        let command = tokens
            .percent(pattern)
            .ok_or_else(|| "`Match exec` has a `%` that is no token here".to_owned())?;
        let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
        let mut program = Command::new(shell.unwrap_or_else(|| "/bin/sh".into()));
        program
            .arg("-c")
            .arg(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let ended = Handle::current().block_on(async move { timeout(LIMIT, program.status()).await });
        match ended {
            Ok(Ok(status)) => Ok(status.success()),
            Ok(Err(error)) => Err(format!("the program of `Match exec` cannot be run: {error}")),
            Err(_) => Err(format!(
                "the program of `Match exec` did not end within {} s",
                LIMIT.as_secs()
            )),
        }
    }
}

/// `host=a` is two words.
fn apart(word: &str) -> Vec<&str> {
    /// What may stand before `=`; a command has signs of its own.
    const CRITERIA: [&str; 5] = ["host", "originalhost", "user", "localuser", "exec"];
    match word.split_once('=') {
        Some((criterion, value))
            if CRITERIA.contains(&criterion.trim_start_matches('!').to_ascii_lowercase().as_str()) =>
        {
            vec![criterion, value]
        }
        _ => vec![word],
    }
}

/// Whether a list of patterns between commas takes a text: one must, and none with `!` may.
fn is_one(text: &str, patterns: &str) -> bool {
    let patterns: Vec<String> = patterns.split(',').map(str::to_owned).collect();
    lines::host_matches(&patterns, text)
}
