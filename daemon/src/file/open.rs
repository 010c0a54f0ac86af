//! The way to a host's SFTP server: its subsystem, or its program where no subsystem is configured, or the program under sudo.
//! sudo's password is given to sudo's own prompt alone, once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    refused::Refused,
    sftp::{Sftp, no_sftp},
};
use crate::{
    config::Kind,
    connection::{Channel, ChannelEvent, CloseReason, Pool, Road, plain},
    device::Dialect,
    host::Target,
    secret::Secret,
};

/// What is kept of what sudo and start-up files say on stderr, to find our own words in it.
const SAID_MAX: usize = 16 << 10; // 16 KiB
/// A shell with slow start-up files takes seconds.
const START_MAX: Duration = Duration::from_secs(10);
/// Where systems have the server's program.
const PLACES: &str = "/usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server /usr/lib/ssh/sftp-server \
                      /usr/libexec/sftp-server /usr/lib/sftp-server /usr/local/libexec/sftp-server \
                      /run/current-system/sw/libexec/sftp-server";

/// As whom a host's files are touched.
pub struct Access {
    /// All connections.
    pub pool: Arc<Pool>,
    /// The host.
    pub target: Target,
    /// The connection to use, where it is not one of the pool's.
    pub road: Option<Road>,
    /// As root.
    pub sudo: Option<Sudo>,
    /// Stored passwords that are not to be tried.
    pub refused: Arc<Refused>,
    /// Nothing is waited for longer than until then.
    pub deadline: Instant,
}

/// What sudo's prompt may be answered with.
pub struct Sudo {
    /// Given in the call.
    pub password: Option<Secret>,
}

/// Begins a conversation.
pub(super) async fn open(access: &Access) -> Result<Sftp, Fault> {
    if access.target.kind == Kind::Network {
        return Err(no_files());
    }
    let opening = async {
        // Where OpenSSH's client has the connection, a shell of its runs there.
        if access.target.kind == Kind::Auto && !matches!(access.road, Some(Road::OpenSsh(_))) {
            let version = access.pool.server_version(&access.target).await?;
            if Dialect::is_servers(&version) {
                return Err(no_files());
            }
        }
        match &access.sudo {
            Some(sudo) => under_sudo(access, sudo).await,
            None => plainly(access).await,
        }
    };
    let channel = timeout_at(access.deadline, opening)
        .await
        .unwrap_or_else(|_| Err(too_late()))?;
    Sftp::begin(channel, access.deadline).await
}

fn no_files() -> Fault {
    Fault::new(
        Reason::NotSupported,
        "a network device has no files that can be reached by SFTP",
    )
    .hint("show and change its configuration with execute_command")
}

fn too_late() -> Fault {
    Fault::new(
        Reason::Unreachable,
        "the host did not start its SFTP server in time",
    )
    .hint("the host may be overloaded; try again")
    .retryable()
}

/// The subsystem; where there is none, the program that it usually is.
async fn plainly(access: &Access) -> Result<Channel, Fault> {
    let Access {
        pool, target, road, ..
    } = access;
    let refused = match road {
        Some(Road::OpenSsh(master)) => return master.open_subsystem("sftp"),
        Some(Road::Pooled(_)) | None => match pool.open_subsystem(target, "sftp").await {
            Err(fault) if fault.reason == Reason::NotSupported => fault,
            opened => return opened,
        },
    };
    let nonce = nonce();
    let channel = exec(access, &start(&nonce)).await?;
    let mut starting = Starting::new(channel, &nonce);
    match timeout(START_MAX, starting.next()).await {
        Ok(Step::Runs) => Ok(starting.channel),
        // Where something else is run instead, that may be all that happens.
        Ok(_) | Err(_) => Err(refused
            .hint("the host offers no SFTP; read and write files with execute_command (cat, sed; content as `stdin`)")),
    }
}

/// The server's program as root.
async fn under_sudo(access: &Access, sudo: &Sudo) -> Result<Channel, Fault> {
    let nonce = nonce();
    let channel = exec(access, &start_below_sudo(&nonce)).await?;
    let mut starting = Starting::new(channel, &nonce);
    let mut given = None;
    loop {
        match starting.next().await {
            Step::Runs => return Ok(starting.channel),
            Step::Asks => {
                if let Some(secret) = &given {
                    return Err(wrong_password(access, secret));
                }
                let secret = password(access, sudo).await?;
                let mut line = secret.expose().as_bytes().to_vec();
                line.push(b'\n');
                given = Some(secret);
                starting.channel.writer().write(Bytes::from(line)).await?;
            }
            Step::NoServer => {
                return Err(no_sftp(
                    "its program was not found, and only that can be run under sudo",
                ));
            }
            Step::Ended(CloseReason::ConnectionLost(cause)) => {
                return Err(Fault::new(
                    Reason::ConnectionLost,
                    format!("the connection was lost while sudo was started: {cause}"),
                )
                .hint("call again; nothing was done")
                .retryable());
            }
            Step::Ended(CloseReason::Normal) => {
                if let Some(secret) = given.filter(|_| starting.says_refused()) {
                    return Err(wrong_password(access, &secret));
                }
                return Err(Fault::new(
                    Reason::PermissionDenied,
                    format!("sudo did not start the SFTP server: {}", starting.words()),
                )
                .hint("`sudo -l` shows what the login may run; /bin/sh and sftp-server must be among it"));
            }
        }
    }
}

async fn password(access: &Access, sudo: &Sudo) -> Result<Secret, Fault> {
    if let Some(password) = &sudo.password {
        return Ok(password.clone());
    }
    let Some(source) = &access.target.sudo_password else {
        return Err(Fault::new(
            Reason::AuthInputRequired,
            "sudo asks for a password on this host, and none is stored for it; nothing was done",
        )
        .hint(
            "its owner stores `sudo_password` for the connection (`sshctl config path`), or allows NOPASSWD",
        ));
    };
    let secret = source.resolve().await?;
    if access.refused.has(&access.target.key(), &secret) {
        return Err(Fault::new(
            Reason::AuthFailed,
            "the stored sudo_password was refused before and is not tried again until it is changed",
        )
        .hint("its owner corrects `sudo_password` of the connection"));
    }
    Ok(secret)
}

fn wrong_password(access: &Access, secret: &Secret) -> Fault {
    access.refused.add(access.target.key(), secret);
    Fault::new(
        Reason::AuthFailed,
        "sudo refused the password, which was tried once; nothing was done",
    )
    .hint("it is that of the login unless sudoers says otherwise (rootpw, targetpw)")
}

async fn exec(access: &Access, command: &str) -> Result<Channel, Fault> {
    match &access.road {
        Some(Road::OpenSsh(master)) => master.open_exec(command),
        Some(Road::Pooled(_)) | None => {
            let opened = access.pool.open_beside(&access.target, command).await;
            opened.map(|(_, channel)| channel)
        }
    }
}

/// Letters and digits that no program on the host knows before it is told.
fn nonce() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// What the shell that becomes the server says first, and says where there is none.
fn runs(nonce: &str) -> String {
    format!("<{nonce}+>")
}

fn has_none(nonce: &str) -> String {
    format!("<{nonce}->")
}

/// What sudo's prompt begins with.
fn prompt(nonce: &str) -> String {
    format!("[sudo {nonce}]")
}

/// Becomes the server's program, and says so; `$0` is the nonce. What is looked for is put together only as it is said: it
/// stands in no command line, which sudo or a trace might print.
fn find() -> String {
    format!(
        "for p in {PLACES}; do if [ -x $p ]; then echo \"<$0+>\" >&2; exec $p; fi; done; echo \"<$0->\" >&2; exit 127"
    )
}

/// A command line that is the same in the syntax of every login shell.
fn start(nonce: &str) -> String {
    format!("exec /bin/sh -c '{}' {nonce}", find())
}

fn start_below_sudo(nonce: &str) -> String {
    let find = find().replace('"', "\\\"").replace('$', "\\$");
    // sudo's own words are looked for in English.
    format!(
        "exec /bin/sh -c 'LC_ALL=C; export LC_ALL; exec sudo -S -p \"[sudo $0] \" -- /bin/sh -c \"{find}\" $0' {nonce}"
    )
}

/// What happens next on the way to a server that runs.
#[derive(Debug)]
enum Step {
    Runs,
    /// sudo asks for a password.
    Asks,
    NoServer,
    Ended(CloseReason),
}

/// A program that is about to become the server. What it prints on stdout before it says so is start-up files' noise.
struct Starting {
    channel: Channel,
    nonce: String,
    said: Vec<u8>,
}

impl Starting {
    fn new(channel: Channel, nonce: &str) -> Self {
        Self {
            channel,
            nonce: nonce.to_owned(),
            said: Vec::new(),
        }
    }

    async fn next(&mut self) -> Step {
        loop {
            if let Some(step) = judge(&mut self.said, &self.nonce) {
                return step;
            }
            match self.channel.next().await {
                Some(ChannelEvent::Stderr(bytes)) => {
                    self.said.extend_from_slice(&bytes);
                    let surplus = self.said.len().saturating_sub(SAID_MAX);
                    self.said.drain(..surplus);
                }
                Some(ChannelEvent::Closed { reason }) => return Step::Ended(reason),
                Some(_) => {}
                None => return Step::Ended(CloseReason::Normal),
            }
        }
    }

    /// In English, as we ask for.
    fn says_refused(&self) -> bool {
        let said = String::from_utf8_lossy(&self.said);
        said.contains("incorrect password attempt") || said.contains("no password was provided")
    }

    fn words(&self) -> String {
        let words = plain(&String::from_utf8_lossy(&self.said));
        // Ours is longer than a reason has room for.
        let words = match words.split_once("'/bin/sh") {
            Some((head, _)) => format!("{head}sftp-server"),
            None => words,
        };
        if words.is_empty() {
            "it gave no reason".to_owned()
        } else {
            words
        }
    }
}

/// The first of our words in what was said; it is taken out, with all before it.
fn judge(said: &mut Vec<u8>, nonce: &str) -> Option<Step> {
    let find = |word: String| memchr::memmem::find(said, word.as_bytes()).map(|at| at + word.len());
    let found = [
        (find(prompt(nonce)), Step::Asks),
        (find(runs(nonce)), Step::Runs),
        (find(has_none(nonce)), Step::NoServer),
    ];
    let mut found: Vec<(usize, Step)> = found
        .into_iter()
        .filter_map(|(end, step)| Some((end?, step)))
        .collect();
    found.sort_by_key(|(end, _)| *end);
    let (end, step) = found.into_iter().next()?;
    said.drain(..end);
    Some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only our own words count, in the order in which they came, however much noise is around them.
    #[test]
    fn steps() {
        let mut said = b"noise\n[sudo] password for a: [sudo n1] ".to_vec();
        assert!(matches!(judge(&mut said, "n1"), Some(Step::Asks)));
        assert!(judge(&mut said, "n1").is_none(), "it is asked once");
        said.extend_from_slice(b"Sorry, try again.\n[sudo n1] ");
        assert!(matches!(judge(&mut said, "n1"), Some(Step::Asks)));
        said.extend_from_slice(b"<n2+><n1+>\n[sudo n1]");
        assert!(matches!(judge(&mut said, "n1"), Some(Step::Runs)));
        let mut said = b"<n1->\n".to_vec();
        assert!(matches!(judge(&mut said, "n1"), Some(Step::NoServer)));
    }

    /// The command line has no single quote within its own, and no line end: it is the same in every shell.
    #[test]
    fn command_lines() {
        for line in [start("n1"), start_below_sudo("n1")] {
            let inner = line
                .strip_prefix("exec /bin/sh -c '")
                .and_then(|rest| rest.strip_suffix("' n1"));
            let inner = inner.expect("quoted");
            assert!(!inner.contains(['\'', '\n', '!']), "{inner}");
            let mut said = line.into_bytes();
            assert!(
                judge(&mut said, "n1").is_none(),
                "it does not look like its own answer"
            );
        }
        assert!(start_below_sudo("n").contains(r"exec \$p;"));
    }
}
