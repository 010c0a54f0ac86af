//! Where a secret comes from, and its fetching at the moment of use. Neither a secret nor what a helper program
//! printed gets into an error.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::keyring;
use super::problem::Pos;
use crate::secret::Secret;

/// How long a command that prints a secret may take: password managers ask a person or the network.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// Bytes read from a command that prints a secret; its first line is the secret.
const COMMAND_OUTPUT_LIMIT: u64 = 64 * 1024;

/// Where a secret comes from.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// The secret itself.
    Literal(Secret),
    /// An environment variable of the daemon.
    Env(Reference),
    /// The first line that a command prints.
    Command(Reference),
    /// An entry of the desktop's keyring.
    Keyring(Reference),
}

/// What a configuration file names, and where it names it. Its text is hidden, since it may itself be a secret
/// written in the wrong place.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The variable, command or entry.
    text: Secret,
    file: PathBuf,
    at: Pos,
}

impl Reference {
    pub(super) const fn new(text: Secret, file: PathBuf, at: Pos) -> Self {
        Self { text, file, at }
    }

    fn place(&self) -> String {
        format!("{}:{}:{}", self.file.display(), self.at.line, self.at.column)
    }
}

impl SecretSource {
    /// Certainly gives the same secret; what has to be asked for is only the same at the same place.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(own), Self::Literal(theirs)) => *own.expose() == *theirs.expose(),
            (Self::Env(own), Self::Env(theirs))
            | (Self::Command(own), Self::Command(theirs))
            | (Self::Keyring(own), Self::Keyring(theirs)) => own.at == theirs.at && own.file == theirs.file,
            (Self::Literal(_) | Self::Env(_) | Self::Command(_) | Self::Keyring(_), _) => false,
        }
    }

    /// Fetches the secret; only to be called when it is needed.
    pub async fn resolve(&self) -> Result<Secret, Fault> {
        match self {
            Self::Literal(secret) => Ok(secret.clone()),
            Self::Env(variable) => from_environment(variable),
            Self::Command(command) => from_command(command, COMMAND_LIMIT).await,
            Self::Keyring(entry) => {
                let name = entry.text.expose();
                keyring::lookup(&name, &entry.place()).await
            }
        }
    }
}

fn from_environment(variable: &Reference) -> Result<Secret, Fault> {
    let place = variable.place();
    let name = variable.text.expose();
    // `var_os` must not be asked for what cannot be a name.
    let found = if name.is_empty() || name.contains(['=', '\0']) {
        None
    } else {
        std::env::var_os(name.as_str())
    };
    match found.map(std::ffi::OsString::into_string) {
        Some(Ok(text)) if !text.is_empty() => Ok(Secret::new(text)),
        Some(Err(_)) => Err(Fault::new(
            Reason::ConfigInvalid,
            format!("{place}: the environment variable named here is not UTF-8"),
        )),
        Some(Ok(_)) | None => Err(Fault::new(
            Reason::ConfigInvalid,
            format!("{place}: the environment variable named here is not set for the daemon"),
        )
        .hint(
            "set it where the daemon is started, then `sshctl daemon restart`; or use { command = \"…\" }",
        )),
    }
}

async fn from_command(command: &Reference, limit: Duration) -> Result<Secret, Fault> {
    let place = command.place();
    let failed = |what: String| {
        Fault::new(Reason::ConfigInvalid, format!("{place}: {what}"))
            .hint("run the command by hand as the daemon's user; its first line must be the secret")
    };
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command.text.expose().as_str());
    match first_line(&mut shell, limit).await {
        Ok(secret) => Ok(secret),
        Err(Unread::NotStarted(kind)) => Err(failed(format!(
            "the command named here cannot be started: {kind}"
        ))),
        Err(Unread::Late) => Err(failed(format!(
            "the command named here did not end within {} s",
            limit.as_secs()
        ))
        .retryable()),
        Err(Unread::Failed(what)) => Err(failed(format!("the command named here {what}"))),
    }
}

/// Why a program gave no secret.
#[derive(Debug)]
pub(super) enum Unread {
    /// It cannot be run.
    NotStarted(std::io::ErrorKind),
    /// It did not end in time, and was killed.
    Late,
    /// What it did instead.
    Failed(String),
}

/// Runs a program that asks nobody, and takes the first line that it prints.
pub(super) async fn first_line(command: &mut Command, limit: Duration) -> Result<Secret, Unread> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Its own group, so that a time limit ends what it started too.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Unread::NotStarted(error.kind()))?;
    let group = child.id();
    let mut output = zeroize::Zeroizing::new(Vec::new());
    let run = async {
        if let Some(stdout) = child.stdout.take() {
            stdout.take(COMMAND_OUTPUT_LIMIT).read_to_end(&mut output).await?;
        }
        child.wait().await
    };
    let status = match tokio::time::timeout(limit, run).await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return Err(Unread::Failed(format!("cannot be read: {}", error.kind()))),
        Err(_) => {
            end_group(group);
            return Err(Unread::Late);
        }
    };
    if !status.success() {
        return Err(Unread::Failed(match status.code() {
            Some(code) => format!("ended with exit code {code}"),
            None => "was killed by a signal".to_owned(),
        }));
    }
    let line = output.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") => Err(Unread::Failed("printed nothing".to_owned())),
        Ok(text) => Ok(Secret::new(text.to_owned())),
        Err(_) => Err(Unread::Failed("printed no UTF-8 text".to_owned())),
    }
}

/// Ends a process group that overran its limit; it may be gone already.
fn end_group(group: Option<u32>) {
    let pid = group
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _gone = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: &str) -> Reference {
        Reference::new(
            Secret::new(text.into()),
            "/c.toml".into(),
            Pos { line: 3, column: 7 },
        )
    }

    fn all_of(fault: &Fault) -> String {
        format!("{fault} {fault:?} {}", fault.hint)
    }

    #[tokio::test]
    async fn literal_and_command() {
        let literal = SecretSource::Literal(Secret::new("hunter2".into()));
        assert_eq!(literal.resolve().await.unwrap().expose().as_str(), "hunter2");
        let command = SecretSource::Command(reference("printf 'one\\r\\ntwo\\n'"));
        assert_eq!(command.resolve().await.unwrap().expose().as_str(), "one");
        let spaces = SecretSource::Command(reference("echo ' a b '"));
        assert_eq!(spaces.resolve().await.unwrap().expose().as_str(), " a b ");
    }

    /// Whatever fails, neither the reference nor the command's output is in the error.
    #[tokio::test]
    async fn errors_show_nothing() {
        for command in [
            "echo MARKER; exit 3",
            "echo MARKER >&2; exit 1",
            "true # MARKER",
            "kill -9 $$ # MARKER",
            "printf '\\377MARKER'",
        ] {
            let fault = SecretSource::Command(reference(command))
                .resolve()
                .await
                .unwrap_err();
            assert_eq!(fault.reason, Reason::ConfigInvalid, "{command}");
            assert!(fault.message.starts_with("/c.toml:3:7: "), "{fault}");
            assert!(!all_of(&fault).contains("MARKER"), "{fault:?}");
        }
        for name in ["MARKER_NOT_SET", "", "MARKER=x", "MARKER\0"] {
            let fault = SecretSource::Env(reference(name)).resolve().await.unwrap_err();
            assert!(!all_of(&fault).contains("MARKER"), "{fault:?}");
        }
        let keyring = SecretSource::Keyring(reference("MARKER"));
        assert!(!all_of(&keyring.resolve().await.unwrap_err()).contains("MARKER"));
        assert!(!format!("{keyring:?}").contains("MARKER"));
    }

    #[tokio::test]
    async fn environment() {
        let home = SecretSource::Env(reference("PATH")).resolve().await.unwrap();
        assert_eq!(*home.expose(), std::env::var("PATH").unwrap());
    }

    /// A command that hangs is ended together with what it started.
    #[tokio::test]
    async fn a_hanging_command_is_ended() {
        let fault = from_command(&reference("sleep 1000 & sleep 1000"), Duration::from_millis(50))
            .await
            .unwrap_err();
        assert!(fault.retryable);
        assert!(fault.message.contains("did not end"), "{fault}");
    }
}
