//! What ssh_config says about one host: the parsed output of `ssh -G`. Paths are as written; `tokens` expands them.

use std::time::Duration;

use crate::config::HostKeyPolicy;

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
    pub(super) proxy_command: bool,
}

/// Parses the output of `ssh -G`: a lower-case keyword, a space, the value; unknown keywords are nothing to us.
pub(super) fn parse(output: &str) -> Directives {
    let mut found = Directives::default();
    let mut alive_interval = 0;
    let mut alive_count = 3;
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
            "proxyjump" if value != "none" => found.proxy_jump = text(),
            "proxycommand" if value != "none" => found.proxy_command = true,
            _ => {}
        }
    }
    found.identity_files.retain(|file| file != "none");
    found.certificate_files.retain(|file| file != "none");
    if alive_interval > 0 {
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

/// OpenSSH prints times as plain seconds, `none` for never.
fn seconds(value: &str) -> Option<u64> {
    value.parse().ok().filter(|seconds| *seconds > 0)
}

/// A list of files as OpenSSH prints it: spaces between, no quotes.
fn files(value: &str) -> Vec<String> {
    value
        .split_whitespace()
        .filter(|file| *file != "none")
        .map(unquoted)
        .collect()
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
            proxy_command: false,
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
        assert!(parse("proxycommand nc %h %p\n").proxy_command);
        assert!(!parse("proxycommand none\n").proxy_command);
        assert_eq!(parse("identityfile none\n").identity_files, Vec::<String>::new());
    }
}
