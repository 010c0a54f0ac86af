//! What is around us here: the ssh-agent, OpenSSH's client and its configuration, tmux, the locale.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use tokio::process::Command;
use tokio::time::timeout;

use super::Findings;

/// A program that says its version, or an agent that lists its keys, does so at once.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Keys that are named.
const KEYS_SHOWN: usize = 10;

/// Looks at the tools.
pub(crate) async fn look(findings: &mut Findings) {
    ssh(findings).await;
    match run("tmux", &["-V"]).await {
        Some(said) => findings.ok("tmux", first_line(&said.stdout)),
        None => findings.ok("tmux", "not installed, and not needed so far"),
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    match locale {
        Some(locale) if is_utf8(&locale) => findings.ok("locale", locale),
        Some(locale) => findings.warning(
            "locale",
            format!("{locale} is not UTF-8: what hosts print may be shown wrongly"),
            "set LANG=C.UTF-8, or your language's",
        ),
        None => findings.warning(
            "locale",
            "none is set: what hosts print may be shown wrongly",
            "set LANG=C.UTF-8",
        ),
    }
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

async fn ssh(findings: &mut Findings) {
    let Some(said) = run("ssh", &["-V"]).await else {
        return findings.warning(
            "OpenSSH",
            "`ssh` is not there: of ~/.ssh/config only the plain part is understood",
            "install OpenSSH's client",
        );
    };
    findings.ok("OpenSSH", first_line(&said.stderr));
    match run("ssh", &["-G", "--", "doctor.invalid"]).await {
        Some(said) if said.status.success() => findings.ok("ssh_config", "ssh understands it"),
        Some(said) => findings.problem(
            "ssh_config",
            format!("ssh does not understand it: {}", first_line(&said.stderr)),
            "mend that line: no alias can be used until then",
        ),
        None => findings.problem(
            "ssh_config",
            "`ssh -G` does not answer",
            "look for a `Match exec` in ~/.ssh/config whose program hangs",
        ),
    }
}

/// Runs a program to its end; nothing if it is not there, or does not end.
async fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    timeout(ANSWER_TIME, command.output()).await.ok()?.ok()
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// Looks at the agent that this terminal has, and at the daemon's; that is none where the daemon could not be asked.
pub(crate) async fn agent(of_daemon: Option<&str>, findings: &mut Findings) {
    let here = std::env::var_os("SSH_AUTH_SOCK")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    let theirs = of_daemon.filter(|path| !path.is_empty()).map(PathBuf::from);
    let Some(socket) = here.as_ref().or(theirs.as_ref()) else {
        return findings.warning(
            "agent",
            "no ssh-agent: a key with a passphrase cannot be used",
            "start one and add your keys: `eval \"$(ssh-agent)\"; ssh-add`, then `sshctl daemon restart`",
        );
    };
    match keys(socket).await {
        Ok(keys) if keys.is_empty() => findings.warning(
            "agent",
            format!("{} holds no key", socket.display()),
            "`ssh-add`, if your keys have passphrases",
        ),
        Ok(mut keys) => {
            let more = keys.len().saturating_sub(KEYS_SHOWN);
            keys.truncate(KEYS_SHOWN);
            let mut words = keys.join(", ");
            if more > 0 {
                words.push_str(&format!(" and {more} more"));
            }
            findings.ok("agent", format!("{} holds {words}", socket.display()));
        }
        Err(why) => findings.problem(
            "agent",
            format!("{} does not answer: {why}", socket.display()),
            "start an agent anew, or unset SSH_AUTH_SOCK",
        ),
    }
    if of_daemon.is_some() && here.is_some() && theirs != here {
        let has = theirs.map_or("none".to_owned(), |path| path.display().to_string());
        findings.warning(
            "agent",
            format!("the daemon was started without this agent; it uses {has}"),
            "`sshctl daemon restart` from this terminal (it ends open sessions), or IdentityAgent in ~/.ssh/config",
        );
    }
}

async fn keys(socket: &Path) -> Result<Vec<String>, String> {
    let asking = async {
        let mut agent = AgentClient::connect_uds(socket)
            .await
            .map_err(|error| error.to_string())?;
        agent
            .request_identities()
            .await
            .map_err(|error| error.to_string())
    };
    let identities = timeout(ANSWER_TIME, asking)
        .await
        .map_err(|_| "no answer in time".to_owned())??;
    let comment = |identity| match identity {
        AgentIdentity::PublicKey { comment, .. } | AgentIdentity::Certificate { comment, .. } => comment,
    };
    let named = |comment: String| {
        if comment.is_empty() {
            "a key without a comment".to_owned()
        } else {
            comment
        }
    };
    Ok(identities.into_iter().map(comment).map(named).collect())
}
