//! `[settings]`: what holds for the daemon as a whole. A wrong value is reported and its default stays.

use std::time::Duration;

use super::connection::{HostKeyPolicy, Keeper};
use super::fields;
use super::problem::Problem;
use super::reading::{Checked, Reading};
use super::tree::Node;

/// Settings of the daemon as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Longest wait of one call: clients give up at 60 s.
    pub max_wait: Duration,
    /// How long a daemon that a client started stays without sessions; `None` = for ever.
    pub idle_exit: Option<Duration>,
    /// For every connection without its own.
    pub keeper: Keeper,
    /// A kept shell that nobody came back to ends on its host after this, and what a durable command left there goes.
    pub orphan_after: Duration,
    /// For every connection without its own; `None` = what ssh_config says, and else to ask.
    pub host_key_policy: Option<HostKeyPolicy>,
    /// Whether tool parameters that carry secrets are listed in every profile.
    pub expose_secret_parameters: bool,
    /// Time for connecting, unless ssh_config says otherwise.
    pub connect_timeout: Duration,
    /// Sessions at a time.
    pub max_sessions: usize,
    /// Sessions at a time on one target.
    pub max_sessions_per_host: usize,
    /// Commands that wait for their turn in one session.
    pub max_queued_commands: usize,
    /// Programs connected at a time.
    pub max_clients: usize,
    /// Calls under way at a time.
    pub max_calls: usize,
    /// Calls under way at a time of one program.
    pub max_calls_per_client: usize,
    /// KiB of one command's text.
    pub max_command_kib: usize,
    /// KiB of one command's standard input.
    pub max_stdin_kib: usize,
    /// How long nothing must have happened in a session for it to be listed as idle; `None` = never.
    pub idle_after: Option<Duration>,
    /// How long nothing must have happened in a session for it to be closed; `None` = never.
    pub close_idle_after: Option<Duration>,
    /// MiB of output kept of one command.
    pub spool_limit_mib: u64,
    /// MiB of output kept of all commands.
    pub spool_total_mib: u64,
    /// Ended commands whose output is kept.
    pub keep_commands: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_wait: Duration::from_secs(50),
            idle_exit: Some(Duration::from_secs(1800)),
            keeper: Keeper::Daemon,
            orphan_after: Duration::from_secs(259_200),
            host_key_policy: None,
            expose_secret_parameters: false,
            connect_timeout: Duration::from_secs(15),
            max_sessions: 500,
            max_sessions_per_host: 250,
            max_queued_commands: 32,
            max_clients: 256,
            max_calls: 2048,
            max_calls_per_client: 512,
            max_command_kib: 1024,
            max_stdin_kib: 1024,
            idle_after: Some(Duration::from_secs(3600)),
            close_idle_after: None,
            spool_limit_mib: 64,
            spool_total_mib: 2048,
            keep_commands: 200,
        }
    }
}

impl Settings {
    /// Reads the table over the defaults; what is wrong keeps its default, but a host key policy that cannot be
    /// read is the strictest one: nobody writes that line to be trusted less.
    pub(super) fn read(reading: Reading<'_>, node: &Node) -> (Self, Vec<Problem>) {
        let mut settings = Self::default();
        let Some(entries) = node.table() else {
            let problem = reading.no_table(node, "`settings`", "settings");
            return (settings, vec![problem]);
        };
        let mut problems = Vec::new();
        for entry in entries {
            let read = reading
                .field(entry, fields::SETTINGS)
                .and_then(|field| Ok((field, reading.value(entry, field)?)));
            match read {
                Ok((field, Some(value))) => settings.set(field.name, value),
                Ok((_, None)) => {}
                Err(problem) => {
                    if entry.key == "host_key_policy" {
                        settings.host_key_policy = Some(HostKeyPolicy::Strict);
                    }
                    problems.push(problem);
                }
            }
        }
        (settings, problems)
    }

    fn set(&mut self, name: &str, value: Checked) {
        match (name, value) {
            ("host_key_policy", Checked::Word(word)) => {
                self.host_key_policy = Some(HostKeyPolicy::from_word(word));
            }
            ("keeper", Checked::Word(word)) => self.keeper = Keeper::from_word(word).unwrap_or_default(),
            ("expose_secret_parameters", Checked::Boolean(truth)) => self.expose_secret_parameters = truth,
            (name, Checked::Number(number)) => {
                // The shapes' ranges begin at 0 or 1 and end below 2^32.
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                let seconds = Duration::from_secs(number.into());
                let count = usize::try_from(number).unwrap_or(usize::MAX);
                match name {
                    "max_wait" => self.max_wait = seconds,
                    "idle_exit" => self.idle_exit = (number > 0).then_some(seconds),
                    "orphan_after" => self.orphan_after = seconds,
                    "connect_timeout" => self.connect_timeout = seconds,
                    "max_sessions" => self.max_sessions = count,
                    "max_sessions_per_host" => self.max_sessions_per_host = count,
                    "max_queued_commands" => self.max_queued_commands = count,
                    "max_clients" => self.max_clients = count,
                    "max_calls" => self.max_calls = count,
                    "max_calls_per_client" => self.max_calls_per_client = count,
                    "max_command_kib" => self.max_command_kib = count,
                    "max_stdin_kib" => self.max_stdin_kib = count,
                    "idle_after" => self.idle_after = (number > 0).then_some(seconds),
                    "close_idle_after" => self.close_idle_after = (number > 0).then_some(seconds),
                    "spool_limit_mib" => self.spool_limit_mib = number.into(),
                    "spool_total_mib" => self.spool_total_mib = number.into(),
                    "keep_commands" => self.keep_commands = count,
                    _ => {}
                }
            }
            _ => {}
        }
    }
}
