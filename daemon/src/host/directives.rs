//! What ssh_config says about one host: the parsed output of `ssh -G`. Paths are as written; `tokens` expands them.

use std::time::Duration;

use super::options::{AddressFamily, Algorithms};
use super::treatment::{self, Treatment};
use crate::config::HostKeyPolicy;

/// What logs in where nothing else is said.
const METHODS: [&str; 3] = ["publickey", "keyboard-interactive", "password"];

/// What keeps OpenSSH's own client in its terminal.
pub(super) const NO_FORK: &str = "ForkAfterAuthentication=no";

/// The directives that we follow; what is missing was not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    pub(super) hostname: Option<String>,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) identity_files: Vec<String>,
    pub(super) certificate_files: Vec<String>,
    pub(super) identities_only: bool,
    pub(super) identity_agent: Option<String>,
    pub(super) host_key_policy: Option<HostKeyPolicy>,
    pub(super) host_key_alias: Option<String>,
    /// `None`: not said. An empty list: `none`.
    pub(super) user_known_hosts: Option<Vec<String>>,
    pub(super) global_known_hosts: Option<Vec<String>>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) keepalive: Option<(Duration, u32)>,
    pub(super) proxy_jump: Option<String>,
    /// As written, with its tokens.
    pub(super) proxy_command: Option<String>,
    pub(super) address_family: Option<AddressFamily>,
    pub(super) bind_address: Option<String>,
    pub(super) algorithms: Algorithms,
    pub(super) compression: bool,
    /// `no` is not said.
    pub(super) forward_agent: Option<String>,
    /// Patterns of names; a `-` before one takes names out again.
    pub(super) send_env: Vec<String>,
    pub(super) set_env: Vec<(String, String)>,
    pub(super) preferred: Option<Vec<String>>,
    /// Kinds of login that are switched off.
    pub(super) forbidden: Vec<&'static str>,
    /// Why OpenSSH says that nobody is to connect.
    pub(super) refused: Option<String>,
    /// Directives with their values that OpenSSH's own client alone obeys.
    pub(super) openssh: Vec<(String, String)>,
    /// What OpenSSH's own client is told instead, where it would not give a shell in its terminal; the `ssh` that says such a
    /// directive takes it as an option, an older one does not.
    pub(super) instead: Vec<&'static str>,
}

impl Directives {
    /// Takes out what OpenSSH says of every host, though nobody wrote it anywhere.
    pub(super) fn beyond(mut self, defaults: &Self) -> Self {
        self.openssh.retain(|said| !defaults.openssh.contains(said));
        let (own, default) = (&mut self.algorithms, &defaults.algorithms);
        for (own, default) in [
            (&mut own.ciphers, &default.ciphers),
            (&mut own.kex, &default.kex),
            (&mut own.macs, &default.macs),
            (&mut own.host_keys, &default.host_keys),
            (&mut own.user_keys, &default.user_keys),
        ] {
            if let (Some(list), Some(default)) = (own.take(), default) {
                *own = changed(&list, default);
            }
        }
        self
    }

    /// Kinds of login that may be tried, if not all.
    pub(super) fn methods(&self) -> Option<Vec<String>> {
        let is_allowed = |method: &String| !self.forbidden.contains(&method.as_str());
        match &self.preferred {
            Some(preferred) => Some(
                preferred
                    .iter()
                    .filter(|method| is_allowed(method))
                    .cloned()
                    .collect(),
            ),
            None if self.forbidden.is_empty() => None,
            None => Some(
                METHODS
                    .map(str::to_owned)
                    .into_iter()
                    .filter(is_allowed)
                    .collect(),
            ),
        }
    }
}

/// A list in the form that says how it differs from OpenSSH's own: ours is another.
fn changed(list: &str, default: &str) -> Option<String> {
    if list == default {
        return None;
    }
    let more = list.strip_prefix(default).and_then(|rest| rest.strip_prefix(','));
    if let Some(more) = more {
        return Some(format!("+{more}"));
    }
    let (own, known): (Vec<&str>, Vec<&str>) = (list.split(',').collect(), default.split(',').collect());
    // `^` puts names first, wherever they stood.
    let first = own.iter().take_while(|name| !is_rest(&own, &known, name)).count();
    match own.get(..first) {
        Some(first @ [_, ..]) if own.len() >= known.len() => Some(format!("^{}", first.join(","))),
        _ => Some(list.to_owned()),
    }
}

/// Whether a list is, from this name on, the default without what stands before it.
fn is_rest(own: &[&str], known: &[&str], from: &str) -> bool {
    let Some(at) = own.iter().position(|name| *name == from) else {
        return false;
    };
    let (before, rest) = own.split_at(at);
    known.iter().filter(|name| !before.contains(name)).eq(rest)
}

/// Parses the output of `ssh -G`: a lower-case keyword, a space, the value; unknown keywords are nothing to us.
pub(super) fn parse(output: &str) -> Directives {
    let mut found = Directives::default();
    let mut alive_interval = 0;
    let mut alive_count = 3;
    let mut is_batch = false;
    for line in output.lines() {
        let Some((keyword, value)) = line.split_once(' ') else {
            continue;
        };
        let value = value.trim();
        if value.is_empty() {
            continue;
        }
        let text = || Some(value.to_owned());
        match keyword.to_ascii_lowercase().as_str() {
            "hostname" => found.hostname = text(),
            "user" => found.user = text(),
            "port" => found.port = value.parse().ok(),
            // Each is one line with one path, which may have spaces.
            "identityfile" => found.identity_files.push(unquoted(value)),
            "certificatefile" => found.certificate_files.push(unquoted(value)),
            "identitiesonly" => found.identities_only = is_yes(value),
            "identityagent" => found.identity_agent = Some(unquoted(value)),
            "stricthostkeychecking" => found.host_key_policy = host_key_policy(value),
            "hostkeyalias" => found.host_key_alias = text(),
            "userknownhostsfile" => found.user_known_hosts = Some(files(value)),
            "globalknownhostsfile" => found.global_known_hosts = Some(files(value)),
            "connecttimeout" => found.connect_timeout = seconds(value).map(Duration::from_secs),
            "serveraliveinterval" => alive_interval = seconds(value).unwrap_or(0),
            "serveralivecountmax" => alive_count = value.parse().unwrap_or(3),
            "batchmode" => is_batch = is_yes(value),
            "sessiontype" if value != "default" => found.instead.push("SessionType=default"),
            "stdinnull" if is_yes(value) => found.instead.push("StdinNull=no"),
            "forkafterauthentication" if is_yes(value) => found.instead.push(NO_FORK),
            "proxyjump" if value != "none" => found.proxy_jump = text(),
            "proxycommand" if value != "none" => found.proxy_command = text(),
            "addressfamily" => {
                found.address_family = match value {
                    "inet" => Some(AddressFamily::V4),
                    "inet6" => Some(AddressFamily::V6),
                    _ => None,
                }
            }
            "bindaddress" => found.bind_address = text(),
            "ciphers" => found.algorithms.ciphers = text(),
            "kexalgorithms" => found.algorithms.kex = text(),
            "macs" => found.algorithms.macs = text(),
            "hostkeyalgorithms" => found.algorithms.host_keys = text(),
            // As it was called before OpenSSH 8.5, too.
            "pubkeyacceptedalgorithms" | "pubkeyacceptedkeytypes" => found.algorithms.user_keys = text(),
            "compression" => found.compression = is_yes(value),
            "forwardagent" if !is_no(value) => found.forward_agent = Some(unquoted(value)),
            "sendenv" => found.send_env.extend(value.split_whitespace().map(unquoted)),
            "setenv" => found.set_env.extend(variable(value)),
            "preferredauthentications" => {
                found.preferred = Some(value.split(',').map(|method| method.trim().to_owned()).collect());
            }
            "pubkeyauthentication" if is_no(value) => found.forbidden.push("publickey"),
            "passwordauthentication" if is_no(value) => found.forbidden.push("password"),
            "kbdinteractiveauthentication" | "challengeresponseauthentication" if is_no(value) => {
                found.forbidden.push("keyboard-interactive");
            }
            "refuseconnection" => found.refused = Some(unquoted(value)),
            keyword => {
                let of = treatment::of(keyword);
                let openssh = matches!(of, Some(Treatment::OpenSsh | Treatment::Needed));
                if openssh && !is_no(value) && !matches!(value, "none" | "internal") {
                    found.openssh.push((keyword.to_owned(), value.to_owned()));
                }
            }
        }
    }
    found.identity_files.retain(|file| file != "none");
    found.certificate_files.retain(|file| file != "none");
    // Debian's OpenSSH says so of every host with BatchMode, whoever did not ask for it.
    let is_debians = is_batch && (alive_interval, alive_count) == (300, 3);
    if alive_interval > 0 && !is_debians {
        found.keepalive = Some((Duration::from_secs(alive_interval), alive_count));
    }
    found
}

/// `no` is not obeyed to the letter: a new key is written down, a changed one still fails.
pub(super) fn host_key_policy(value: &str) -> Option<HostKeyPolicy> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" => Some(HostKeyPolicy::Strict),
        "no" | "false" | "off" | "accept-new" => Some(HostKeyPolicy::AcceptNew),
        // `ask` is also what OpenSSH prints when nothing is said; the settings may say more.
        _ => None,
    }
}

fn is_yes(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "yes" | "true")
}

fn is_no(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "no" | "false")
}

/// `NAME=VALUE`.
fn variable(text: &str) -> Option<(String, String)> {
    let text = unquoted(text);
    let (name, value) = text.split_once('=')?;
    Some((name.to_owned(), unquoted(value)))
}

/// OpenSSH prints times as plain seconds, `none` for never.
fn seconds(value: &str) -> Option<u64> {
    value.parse().ok().filter(|seconds| *seconds > 0)
}

/// A list of files as OpenSSH prints it: spaces between, no quotes. What does not begin as a path goes on with the one before
/// it, which was quoted; a relative path would be relative to wherever somebody was.
fn files(value: &str) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for word in value.split(' ') {
        match files.last_mut() {
            Some(last) if !word.starts_with(['/', '~', '%', '$', '"']) && word != "none" => {
                last.push(' ');
                last.push_str(word);
            }
            _ => files.push(word.to_owned()),
        }
    }
    let paths = files.iter().map(|file| unquoted(file.trim()));
    paths.filter(|file| !file.is_empty() && file != "none").collect()
}

fn unquoted(value: &str) -> String {
    value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenSSH 9.2 for a host with most of what we follow; algorithm lists shortened.
    const FULL: &str = "host db\nuser deploy\nhostname 10.1.2.3\nport 2200\nidentitiesonly yes\n\
        stricthostkeychecking false\nserveralivecountmax 5\nserveraliveinterval 30\n\
        ciphers aes128-ctr,aes256-ctr\nidentityagent ~/agent.sock\n\
        identityfile ~/.ssh/%r_%h\nidentityfile ~/.ssh/my key\ncertificatefile ~/.ssh/c-cert.pub\n\
        hostkeyalias db.internal\nglobalknownhostsfile none\n\
        userknownhostsfile /home/u/.ssh/known_hosts /home/u/.ssh/kh2\nconnecttimeout 7\n\
        proxyjump jump1,u@jump2:2222\nescapechar ~\nipqos lowdelay throughput\n";

    #[test]
    fn a_full_sample() {
        let found = parse(FULL);
        let expected = Directives {
            hostname: Some("10.1.2.3".into()),
            user: Some("deploy".into()),
            port: Some(2200),
            identity_files: vec!["~/.ssh/%r_%h".into(), "~/.ssh/my key".into()],
            certificate_files: vec!["~/.ssh/c-cert.pub".into()],
            identities_only: true,
            identity_agent: Some("~/agent.sock".into()),
            host_key_policy: Some(HostKeyPolicy::AcceptNew),
            host_key_alias: Some("db.internal".into()),
            user_known_hosts: Some(vec!["/home/u/.ssh/known_hosts".into(), "/home/u/.ssh/kh2".into()]),
            global_known_hosts: Some(Vec::new()),
            connect_timeout: Some(Duration::from_secs(7)),
            keepalive: Some((Duration::from_secs(30), 5)),
            proxy_jump: Some("jump1,u@jump2:2222".into()),
            algorithms: Algorithms {
                ciphers: Some("aes128-ctr,aes256-ctr".into()),
                ..Algorithms::default()
            },
            ..Directives::default()
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn host_key_words() {
        for (word, policy) in [
            ("ask", None),
            ("true", Some(HostKeyPolicy::Strict)),
            ("yes", Some(HostKeyPolicy::Strict)),
            ("no", Some(HostKeyPolicy::AcceptNew)),
            ("off", Some(HostKeyPolicy::AcceptNew)),
            ("accept-new", Some(HostKeyPolicy::AcceptNew)),
            ("nonsense", None),
        ] {
            assert_eq!(
                parse(&format!("stricthostkeychecking {word}\n")).host_key_policy,
                policy,
                "{word}"
            );
        }
    }

    #[test]
    fn noise_is_nothing() {
        for output in [
            "",
            "\n\n",
            "port\nuser \n",
            "port many\n",
            "connecttimeout none\nserveraliveinterval 0\n",
        ] {
            assert_eq!(parse(output), Directives::default(), "{output:?}");
        }
        assert_eq!(
            parse("proxycommand nc %h %p\n").proxy_command.as_deref(),
            Some("nc %h %p")
        );
        assert_eq!(parse("proxycommand none\n").proxy_command, None);
        assert_eq!(parse("identityfile none\n").identity_files, Vec::<String>::new());
    }

    #[test]
    fn files_with_spaces() {
        for (value, expected) in [
            ("~/.ssh/a /b %d/c", vec!["~/.ssh/a", "/b", "%d/c"]),
            (
                "~/.ssh/known hosts  of me /b",
                vec!["~/.ssh/known hosts  of me", "/b"],
            ),
            ("none", vec![]),
            ("/a none", vec!["/a"]),
        ] {
            assert_eq!(files(value), expected, "{value}");
        }
    }

    #[test]
    fn lists_that_differ() {
        for (list, expected) in [
            ("a,b,c", None),
            ("a,b,c,d", Some("+d")),
            ("c,a,b", Some("^c")),
            ("d,a,b,c", Some("^d")),
            ("a,c", Some("a,c")),
            ("c", Some("c")),
            ("d", Some("d")),
            ("c,b,a", Some("^c,b")),
        ] {
            assert_eq!(changed(list, "a,b,c").as_deref(), expected, "{list}");
        }
    }

    #[test]
    fn logins_that_are_off() {
        let methods = |text: &str| parse(text).methods();
        assert_eq!(
            methods("pubkeyauthentication true\npasswordauthentication yes\n"),
            None
        );
        assert_eq!(
            methods("pubkeyauthentication false\n").expect("some"),
            ["keyboard-interactive", "password"]
        );
        assert_eq!(
            methods("passwordauthentication no\npreferredauthentications password,publickey\n")
                .expect("some"),
            ["publickey"]
        );
    }

    #[test]
    fn for_openssh_alone() {
        let base = parse("requiredrsasize 1024\nsecuritykeyprovider internal\ngssapiauthentication no\n");
        let own = parse("requiredrsasize 3072\nsecuritykeyprovider internal\npkcs11provider /x.so\n");
        let own = own.beyond(&base).openssh;
        let own: Vec<&str> = own.iter().map(|(keyword, _)| keyword.as_str()).collect();
        assert_eq!(own, ["requiredrsasize", "pkcs11provider"]);
        assert_eq!(base.clone().beyond(&base).openssh, []);
    }
}
