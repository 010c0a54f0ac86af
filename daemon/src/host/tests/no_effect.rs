//! Each directive of "no effect", in a snippet of its own: `ssh -G` takes it as said, and the target is what it is without.
//! That each directive of the table has a snippet somewhere is asked here too.

use super::snippets::{CANONICAL, REFUSED, SNIPPETS, first_difference, shown};
use super::*;
use crate::host::openssh;
use crate::host::resolve::resolve_by;
use crate::host::treatment::{TABLE, Treatment};

/// Directive and value, each another than OpenSSH's own.
const NO_EFFECT: &[(&str, &str)] = &[
    ("AddKeysToAgent", "yes"),
    ("BatchMode", "yes"),
    ("CASignatureAlgorithms", "ssh-ed25519"),
    ("ChannelTimeout", "session=5m"),
    ("CheckHostIP", "yes"),
    ("ClearAllForwardings", "yes"),
    ("ConnectionAttempts", "5"),
    ("ControlMaster", "auto"),
    ("ControlPath", "/tmp/%C"),
    ("ControlPersist", "10m"),
    ("DynamicForward", "1080"),
    ("EnableEscapeCommandline", "yes"),
    ("EscapeChar", "none"),
    ("ExitOnForwardFailure", "yes"),
    ("FingerprintHash", "md5"),
    ("ForkAfterAuthentication", "yes"),
    ("ForwardX11", "yes"),
    ("ForwardX11Timeout", "5m"),
    ("ForwardX11Trusted", "yes"),
    ("GatewayPorts", "yes"),
    ("GSSAPIClientIdentity", "someone"),
    ("GSSAPIDelegateCredentials", "yes"),
    ("GSSAPIKexAlgorithms", "gss-group14-sha256-"),
    ("GSSAPIRenewalForcesRekey", "yes"),
    ("GSSAPIServerIdentity", "someone"),
    ("GSSAPITrustDns", "yes"),
    ("HashKnownHosts", "yes"),
    ("HostbasedAcceptedAlgorithms", "ssh-ed25519"),
    ("IPQoS", "lowdelay"),
    ("KbdInteractiveDevices", "pam"),
    ("LocalCommand", "touch %d/ran"),
    ("LocalForward", "127.0.0.1:8080 inside:80"),
    ("LogLevel", "DEBUG3"),
    ("LogVerbose", "kex.c:*:1000"),
    ("NoHostAuthenticationForLocalhost", "yes"),
    ("NumberOfPasswordPrompts", "1"),
    ("ObscureKeystrokeTiming", "no"),
    ("PermitLocalCommand", "yes"),
    ("PermitRemoteOpen", "any"),
    ("RekeyLimit", "1M 5m"),
    ("RemoteCommand", "echo x"),
    ("RemoteForward", "9090 inside:90"),
    ("RequestTTY", "force"),
    ("SessionType", "none"),
    ("StdinNull", "yes"),
    ("StreamLocalBindMask", "0111"),
    ("StreamLocalBindUnlink", "yes"),
    ("SyslogFacility", "LOCAL1"),
    ("TCPKeepAlive", "no"),
    ("Tunnel", "ethernet"),
    ("TunnelDevice", "1:2"),
    ("UpdateHostKeys", "yes"),
    ("VerifyHostKeyDNS", "yes"),
    ("VersionAddendum", "words"),
    ("VisualHostKey", "yes"),
    ("WarnWeakCrypto", "no"),
    ("XAuthLocation", "/usr/bin/other"),
];

/// Directives that the `ssh` of Debian 12 (9.2) does not know; a later one does.
const LATER: [&str; 4] = [
    "ChannelTimeout",
    "ObscureKeystrokeTiming",
    "VersionAddendum",
    "WarnWeakCrypto",
];

/// The target of a host for which one line of ssh_config stands, without what only OpenSSH's own client is told.
async fn target(line: &str, ssh: Option<&Path>) -> Result<Target, Fault> {
    let home = Home::new(line, "", &[]);
    let mut target = resolve_by(ssh, &home.config, "a", &Overrides::default()).await?;
    target.openssh.instead.clear();
    // The home directory is another for each.
    let files = target.user_known_hosts.iter_mut();
    files.for_each(|file| {
        *file = file
            .strip_prefix(home.directory.path())
            .unwrap_or(file)
            .to_owned();
    });
    Ok(target)
}

/// What the installed `ssh -G` says with a line and with none, by lines that are another.
fn said_by_openssh(ssh: &Path, line: &str) -> Result<Vec<String>, String> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config");
    std::fs::write(&file, line).unwrap();
    let output = std::process::Command::new(ssh)
        .args(["-G", "-F"])
        .arg(&file)
        .args(["--", "a"])
        .stdin(std::process::Stdio::null())
        .output()
        .expect("ssh -G runs");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn each_changes_nothing() {
    let ssh = openssh::program().expect("ssh is installed");
    let nothing = said_by_openssh(&ssh, "").unwrap();
    let without = [
        shown(target("\n", Some(&ssh)).await),
        shown(target("\n", None).await),
    ];
    let mut wrong = Vec::new();
    for (directive, value) in NO_EFFECT {
        let line = format!("{directive} {value}\n");
        let mut resolvers = vec![(None, &without[1])];
        match said_by_openssh(&ssh, &line) {
            // It is OpenSSH's to say that a snippet says something; these it says as its default, or not at all.
            Ok(said) if said == nothing => {
                if !["ForwardX11Trusted", "PermitRemoteOpen", "UpdateHostKeys"].contains(directive) {
                    wrong.push(format!("{line:?} is nothing to `ssh -G`"));
                }
                resolvers.push((Some(ssh.as_path()), &without[0]));
            }
            Ok(_) => resolvers.push((Some(ssh.as_path()), &without[0])),
            // For a shell it refuses that; we ask in another way.
            Err(_) if *directive == "ForkAfterAuthentication" => {
                resolvers.push((Some(ssh.as_path()), &without[0]));
            }
            Err(said) => {
                if !LATER.contains(directive) || !said.contains("Bad configuration option") {
                    wrong.push(format!("{line:?}: {said}"));
                }
            }
        }
        for (by, without) in resolvers {
            let with = shown(target(&line, by).await);
            if with != *without {
                wrong.push(format!(
                    "{line:?} by {by:?}: {}",
                    first_difference(&with, without)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nothing in the table goes without a snippet.
#[test]
fn each_directive_has_a_snippet() {
    let own = |directive: &str| {
        NO_EFFECT
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(directive))
    };
    let others: Vec<String> = SNIPPETS
        .iter()
        .map(|(_, text)| *text)
        .chain(REFUSED.iter().map(|(text, ..)| *text))
        .chain([CANONICAL])
        .flat_map(|text| text.lines().map(str::to_ascii_lowercase))
        .filter_map(|line| {
            Some(
                line.split([' ', '\t', '='])
                    .find(|word| !word.is_empty())?
                    .to_owned(),
            )
        })
        .collect();
    let missing: Vec<&str> = TABLE
        .iter()
        .filter(|(directive, treatment)| match treatment {
            Treatment::Irrelevant => !own(directive),
            _ => !others.iter().any(|known| known == directive),
        })
        .map(|(directive, _)| *directive)
        .collect();
    assert!(missing.is_empty(), "no snippet: {missing:?}");
    let more: Vec<&str> = NO_EFFECT
        .iter()
        .map(|(directive, _)| *directive)
        .filter(|directive| {
            let keyword = directive.to_ascii_lowercase();
            !TABLE.contains(&(keyword.as_str(), Treatment::Irrelevant))
        })
        .collect();
    assert!(more.is_empty(), "not of no effect: {more:?}");
}

/// OpenSSH's own client would give no shell in its terminal for these: it is told otherwise.
#[tokio::test]
async fn openssh_gives_a_shell_all_the_same() {
    let ssh = openssh::program().expect("ssh is installed");
    for (line, instead) in [
        ("SessionType none", "SessionType=default"),
        ("StdinNull yes", "StdinNull=no"),
        ("ForkAfterAuthentication yes", "ForkAfterAuthentication=no"),
    ] {
        for by in [Some(ssh.as_path()), None] {
            let home = Home::new(line, "", &[]);
            let target = resolve_by(by, &home.config, "a", &Overrides::default()).await;
            assert_eq!(target.unwrap().openssh.instead, [instead], "{line} by {by:?}");
        }
    }
}

/// Debian's OpenSSH has an interval of its own for BatchMode; another one is somebody's.
#[tokio::test]
async fn batch_mode_asks_no_slower() {
    let ssh = openssh::program().expect("ssh is installed");
    for (text, keepalive) in [
        ("BatchMode yes\n", None),
        (
            "BatchMode yes\nServerAliveInterval 60\n",
            Some((Duration::from_secs(60), 3)),
        ),
        ("ServerAliveInterval 300\n", Some((Duration::from_mins(5), 3))),
    ] {
        assert_eq!(
            target(text, Some(&ssh)).await.unwrap().keepalive,
            keepalive,
            "{text}"
        );
        assert_eq!(target(text, None).await.unwrap().keepalive, keepalive, "{text}");
    }
}
