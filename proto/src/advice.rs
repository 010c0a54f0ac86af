//! What to do next, where a fault does not say it itself; and words for agents, who have tools, as people read them, who
//! have `sshctl`.

use crate::v1::Reason;

/// What an agent does next after a fault of this cause, of which no more is known.
pub const fn next_step(reason: Reason) -> &'static str {
    match reason {
        Reason::InvalidArgument => "correct the call by what is said here, and make it again",
        Reason::HostNotFound => "list_hosts shows the hosts that are known; `user@host:port` works as well",
        Reason::Unreachable => {
            "see whether the host is up and can be reached from this machine, and call again"
        }
        Reason::AuthFailed | Reason::AuthInputRequired => {
            "a person logs in with `sshctl login HOST`; call again after that"
        }
        Reason::HostKeyUnknown => {
            "a person compares the key and runs `sshctl trust HOST`; call again after that"
        }
        Reason::HostKeyChanged => "do not go on: a person has to find out why the key is another one",
        Reason::SessionNotFound => "list_sessions shows the open ones; execute_command with `host` opens one",
        Reason::SessionExists => "use that session, or choose another name",
        Reason::SessionBusy => {
            "call again when it is free, or use another session; list_sessions shows what it does"
        }
        Reason::ConnectionLost => {
            "call again: the next use connects anew; look first whether what was under way has been done"
        }
        Reason::CommandNotFound => "get_active_commands with `finished` lists the commands that are kept",
        Reason::DeniedByPolicy => "do it within the policy, or ask the owner of the host to change that",
        Reason::ApprovalRequired => "a person decides with `sshctl approve`; call again after that",
        Reason::HumanHasControl => "wait until the person gives the keyboard back, or use another session",
        Reason::NotSupported => "reach it another way; the message says what cannot be done here",
        Reason::NotFound => "look at the name, and call again with the right one",
        Reason::PermissionDenied => "use a login that may do it, or `sudo` where the tool has it",
        Reason::TooLarge => "do it in smaller pieces",
        Reason::Conflict => "look at what is there now, and decide anew",
        Reason::LimitReached => "end what is not needed any more, and call again",
        Reason::ConfigInvalid => "a person mends the configuration; `sshctl config check` names the place",
        Reason::DaemonUnavailable => {
            "call again; if it stays so, a person finds the cause with `sshctl doctor`"
        }
        Reason::VersionMismatch => {
            "a person runs `sshctl daemon restart`, so that all parts are of one version"
        }
        Reason::Internal | Reason::Unspecified => {
            "call again; if it happens again, a person finds more in the daemon's log (`sshctl doctor` names it)"
        }
    }
}

/// Ways to name a tool's call, each with what a person does instead; longer ones first.
const PHRASES: [(&str, &str); 10] = [
    (
        "execute_command with `host` opens one",
        "`sshctl open HOST --session NAME` opens one",
    ),
    (
        "with `host` it would be opened under that name",
        "`sshctl open HOST --session NAME` opens one under that name",
    ),
    ("`terminal: true` would show it", "`--terminal` would show it"),
    ("plain text goes into `text`", "plain text goes behind `--text`"),
    (
        "give `text`, `keys` or `enter`",
        "give `--text`, `--keys` or `--stdin`",
    ),
    (
        "get_active_commands (finished: 5)",
        "`sshctl commands --finished 5`",
    ),
    (
        "get_active_commands with `finished`",
        "`sshctl commands --finished`",
    ),
    ("send_input with keys [\"ctrl-c\"]", "`sshctl send --keys ctrl-c`"),
    ("get_terminal_output with `lines`", "`sshctl screen --lines`"),
    ("list_hosts with `host`", "`sshctl hosts HOST`"),
];

/// Tools, each with the verb that does the same.
const VERBS: [(&str, &str); 13] = [
    ("list_hosts", "hosts"),
    ("open_session", "open"),
    ("list_sessions", "sessions"),
    ("close_session", "close"),
    ("execute_command", "exec"),
    ("get_active_commands", "commands"),
    ("get_command_output", "output"),
    ("wait_for", "wait"),
    ("interrupt_command", "interrupt"),
    ("get_terminal_output", "screen"),
    ("send_input", "send"),
    ("read_file", "cp"),
    ("write_file", "cp"),
];

/// Parameters of tools, each with what a person writes on the command line.
const PARAMETERS: [(&str, &str); 17] = [
    ("`host`", "HOST"),
    ("`session`", "`--session`"),
    ("`command_id`", "its id (`cN`)"),
    ("`terminal`", "`--terminal`"),
    ("`terminal: true`", "`--terminal`"),
    ("`durable`", "`--durable`"),
    ("`stdin`", "`--stdin`"),
    ("`timeout`", "`--timeout`"),
    ("`lines`", "`--lines`"),
    ("`cursor`", "`--cursor`"),
    ("`offset`", "`--offset`"),
    ("`output_limit`", "`--limit`"),
    ("`raw`", "`--raw`"),
    ("`grep`", "`--grep`"),
    ("`context`", "`--context`"),
    ("`sudo`: true", "`--sudo`"),
    ("`sudo` where the tool has it", "`--sudo` where the verb has it"),
];

/// The parameters of tools, as a person gives them; not for words about the configuration, whose keys have the same names.
pub fn in_flags(words: &str) -> String {
    let mut words = words.to_owned();
    for (parameter, person) in PARAMETERS {
        words = words.replace(parameter, person);
    }
    words
}

/// Words for an agent as a person reads them: what names a tool names the verb of `sshctl` that does the same.
pub fn for_people(words: &str) -> String {
    let mut words = words.to_owned();
    for (tool, person) in PHRASES {
        words = words.replace(tool, person);
    }
    let mut said = String::with_capacity(words.len());
    let mut rest = words.as_str();
    while let Some(begin) = rest.find(is_of_name) {
        let (before, name) = rest.split_at(begin);
        let (name, after) = name.split_at(name.find(|c| !is_of_name(c)).unwrap_or(name.len()));
        said.push_str(before);
        match VERBS.iter().find(|verb| verb.0 == name) {
            Some((_, verb)) if before.ends_with('`') && after.starts_with('`') => {
                said.push_str(&format!("sshctl {verb}"));
            }
            Some((_, verb)) => said.push_str(&format!("`sshctl {verb}`")),
            None => said.push_str(name),
        }
        rest = after;
    }
    said.push_str(rest);
    said
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;

    /// Tools become verbs, whatever stands around them; other words stay.
    #[test]
    fn people_are_told_of_sshctl() {
        for (agent, person) in [
            (
                "list_sessions shows the open ones",
                "`sshctl sessions` shows the open ones",
            ),
            (
                "wait_for that command, interrupt it",
                "`sshctl wait` that command, interrupt it",
            ),
            ("look with `get_terminal_output`", "look with `sshctl screen`"),
            (
                "clear it (send_input with keys [\"ctrl-c\"]), or use another session",
                "clear it (`sshctl send --keys ctrl-c`), or use another session",
            ),
            (
                "give `sha256` of read_file's answer",
                "give `sha256` of `sshctl cp`'s answer",
            ),
            ("my_list_hosts wait_forever é", "my_list_hosts wait_forever é"),
            ("", ""),
        ] {
            assert_eq!(for_people(agent), person);
        }
    }

    /// A parameter becomes what is typed; what is configured keeps its name.
    #[test]
    fn people_are_told_of_flags() {
        for (agent, person) in [
            (
                "list_sessions shows the open ones; with `host` it would be opened under that name",
                "`sshctl sessions` shows the open ones; `sshctl open HOST --session NAME` opens one under that name",
            ),
            ("(`terminal: true` would show it)", "(`--terminal` would show it)"),
            ("call with `lines`", "call with `--lines`"),
            (
                "call again with the right `sudo_password`",
                "call again with the right `sudo_password`",
            ),
        ] {
            assert_eq!(in_flags(&for_people(agent)), person);
        }
        let broken = Fault::new(Reason::ConfigInvalid, "x.toml:1:1: `host` is missing").hint("add `host`");
        assert_eq!(broken.clone().for_people(), broken);
    }

    /// Every cause has a next step, which names no tool to people.
    #[test]
    fn every_cause_has_a_next_step() {
        for number in 0..=25 {
            let reason = Reason::try_from(number).expect("reasons are numbered without a gap");
            let step = next_step(reason);
            assert!(step.len() > 20, "{reason:?}");
            let told = in_flags(&for_people(step));
            for (tool, _) in VERBS.into_iter().chain(PARAMETERS) {
                assert!(!told.contains(tool), "{told}");
            }
        }
    }
}
