//! What we say of tools and parameters, in the names that a profile lists: its clients can call no others. What hosts say is never
//! put through this.

use sshmcp_proto::error::Fault;

use super::{Listing, Profile};
use crate::arguments;

/// The names of one profile.
pub(super) struct Words {
    /// Ways to name a call, longer ones first.
    phrases: &'static [(&'static str, &'static str)],
    /// Tools; one that it has nothing like is a person's matter.
    tools: &'static [(&'static str, &'static str)],
}

pub(super) static INTERACTIVE: Words = Words {
    phrases: &[
        (
            "execute_command with `host` opens one",
            "open_connection opens one",
        ),
        (
            "execute_command with this host opens one",
            "open_connection opens one",
        ),
        (
            "execute_command or open_session opens one",
            "open_connection opens one",
        ),
        (
            "with `host` it would be opened under that name",
            "open_connection opens one of that name",
        ),
        ("open_session or by running a command", "open_connection"),
        ("send_input with keys [\"ctrl-c\"]", "interrupt_command"),
        (
            "get_terminal_output with `lines`",
            "get_terminal_output with `num_lines`",
        ),
        ("list_hosts with `host`", "get_server_info"),
        ("get_active_commands with `finished`", "get_terminal_output"),
        ("get_active_commands (finished: 5)", "get_terminal_output"),
        (
            "wait_for that command",
            "wait until that command has ended (get_terminal_output)",
        ),
        ("wait_for it", "wait for it (get_terminal_output)"),
    ],
    tools: &[
        ("list_hosts", "list_available_configs"),
        ("open_session", "open_connection"),
        ("list_sessions", "list_connections"),
        ("close_session", "close_connection"),
        ("get_active_commands", "get_terminal_output"),
        ("get_command_output", "get_terminal_output"),
        ("wait_for", "get_terminal_output"),
        ("send_input", "execute_command"),
    ],
};

pub(super) static SESSION: Words = Words {
    phrases: &[
        (
            "execute_command or open_session opens one",
            "execute_command opens one",
        ),
        ("open_session or by running a command", "execute_command"),
        (
            "open_session with keeper local-tmux",
            "`sshctl open --keeper local-tmux`",
        ),
        ("; with `host` it would be opened under that name", ""),
        ("send_input with keys [\"ctrl-c\"]", "send_keys with `<ctrl-c>`"),
        ("give `text`, `keys` or `enter`", "give what is to be typed"),
        ("get_terminal_output with `lines`", "read_screen"),
        ("get_active_commands with `finished`", "list_command_history"),
        (
            "get_active_commands (finished: 5)",
            "list_command_history (limit: 5)",
        ),
        (
            "wait_for that command",
            "wait until that command has ended (get_command_status)",
        ),
        ("wait_for it", "wait for it (get_command_status)"),
    ],
    tools: &[
        ("list_hosts", "`sshctl hosts`"),
        ("open_session", "execute_command"),
        ("get_command_output", "get_command_status"),
        ("wait_for", "get_command_status"),
        ("get_terminal_output", "read_screen"),
    ],
};

impl Words {
    /// Words of ours, with these parameters called as they are listed.
    pub(super) fn told(&self, words: &str, parameters: &[(String, &str)]) -> String {
        let mut words = words.to_owned();
        for (ours, theirs) in self.phrases {
            words = words.replace(ours, theirs);
        }
        let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
        let mut told = String::with_capacity(words.len());
        let mut rest = words.as_str();
        while let Some(begin) = rest.find(is_of_name) {
            let (before, name) = rest.split_at(begin);
            let (name, after) = name.split_at(name.find(|c| !is_of_name(c)).unwrap_or(name.len()));
            told.push_str(before);
            let is_quoted = before.ends_with('`') && after.starts_with('`');
            let parameter = parameters.iter().find(|(ours, _)| is_quoted && ours == name);
            let tool = self.tools.iter().find(|(ours, _)| *ours == name);
            match (parameter, tool) {
                (Some((_, theirs)), _) => told.push_str(theirs),
                (None, Some((_, theirs))) if is_quoted => told.push_str(theirs.trim_matches('`')),
                (None, Some((_, theirs))) => told.push_str(theirs),
                (None, None) => told.push_str(name),
            }
            rest = after;
        }
        told.push_str(rest);
        told
    }
}

impl Profile {
    /// What is said beside an answer of one of its tools.
    pub(super) fn says(self, words: &str) -> String {
        self.words()
            .map_or_else(|| words.to_owned(), |its| its.told(words, &[]))
    }

    /// A failure of a call, in the names that were listed for it.
    pub(super) fn fault_in_words(self, tool: &str, fault: &Fault) -> Fault {
        let Some(words) = self.words() else {
            return fault.clone();
        };
        let listing = self.listings().iter().find(|listing| listing.name == tool);
        let parameters = listing.map(Listing::renamed_parameters).unwrap_or_default();
        let hint = match listing {
            // Others are taken, and nobody is told of them.
            Some(listing) if fault.hint.starts_with(arguments::PARAMETERS) => listing.parameters_told(),
            _ => words.told(fault.advice(), &parameters),
        };
        Fault {
            message: words.told(&fault.message, &parameters),
            hint,
            ..fault.clone()
        }
    }

    const fn words(self) -> Option<&'static Words> {
        match self {
            Self::Default => None,
            Self::Interactive => Some(&INTERACTIVE),
            Self::Session => Some(&SESSION),
        }
    }
}

#[cfg(test)]
mod tests {
    use sshmcp_proto::{advice, v1::Reason};

    use super::*;
    use crate::tools;

    /// What a fault says of tools and parameters, its reader can call.
    #[test]
    fn faults_name_what_is_listed() {
        for (profile, tool, message, hint, told) in [
            (
                Profile::Session,
                "get_command_status",
                "there is no command \"c9\"",
                "get_active_commands with `finished` lists those that are kept",
                "there is no command \"c9\"|list_command_history lists those that are kept",
            ),
            (
                Profile::Session,
                "list_command_history",
                "`finished` must be a whole number",
                "call again with `finished` as one",
                "`limit` must be a whole number|call again with `limit` as one",
            ),
            (
                Profile::Session,
                "write_file",
                "`path` is empty",
                "give `content` or `sudo`; look with `list_hosts`",
                "`remote_path` is empty|give `content` or `use_sudo`; look with `sshctl hosts`",
            ),
            (
                Profile::Session,
                "send_keys",
                "\"x\" is no key",
                "plain text goes into `text`",
                "\"x\" is no key|plain text goes into `keys`",
            ),
            (
                Profile::Session,
                "close_session",
                "unknown parameter `x`",
                "its parameters are all, host, port, session, username",
                "unknown parameter `x`|its parameters are host, username, port",
            ),
            (
                Profile::Interactive,
                "get_terminal_output",
                "`lines` must be one",
                "list_sessions shows the open ones; with `host` it would be opened under that name",
                "`num_lines` must be one|list_connections shows the open ones; open_connection opens one of that name",
            ),
            (
                Profile::Interactive,
                "open_connection",
                "`host` is missing",
                "",
                "`connection_config_name` is missing|correct the call by what is said here, and make it again",
            ),
        ] {
            let fault =
                profile.fault_in_words(tool, &Fault::new(Reason::InvalidArgument, message).hint(hint));
            assert_eq!(format!("{}|{}", fault.message, fault.hint), told);
        }
    }

    /// No next step names a tool that the profile has not, and no profile's words are lost on another's.
    #[test]
    fn next_steps_name_what_is_listed() {
        for profile in [Profile::Interactive, Profile::Session] {
            let listed: Vec<&str> = profile.listings().iter().map(|listing| listing.name).collect();
            for number in 0..=25 {
                let reason = Reason::try_from(number).expect("reasons are numbered without a gap");
                let told = profile.says(advice::next_step(reason));
                for tool in tools::catalog(false).names() {
                    let is_named = told
                        .split(|c: char| !c.is_alphanumeric() && c != '_')
                        .any(|word| word == tool);
                    assert!(!is_named || listed.contains(&tool), "{profile:?} {tool}: {told}");
                }
            }
        }
        assert_eq!(Profile::Default.says("wait_for it"), "wait_for it");
    }
}
