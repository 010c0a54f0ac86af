//! Looks at a host for `sshctl doctor`: connects and logs in as a session would, on a connection of its own, and asks the
//! account. Judges nothing, changes nothing, and trusts no key, whatever the policy says.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use sshmcp_proto::error::Fault;
use tokio::time::{Instant, timeout_at};

use crate::{
    config::HostKeyPolicy,
    connection::{ChannelEvent, Connection, Pool, PoolSettings, Verdict},
    host::Target,
    session,
    shell::examine::{self, Said},
};

/// Channels tried on one connection: OpenSSH allows 10 unless told otherwise.
const CHANNELS_MAX: usize = 20;
/// The account is asked for no longer than this: three runs of its login shell, bounded each.
const ACCOUNT_TIME: Duration = Duration::from_secs(75);
/// Most that the account's script may say.
const SAID_MAX: usize = 256 << 10; // 256 KiB
/// Most start-up files that are told.
const FILES_MAX: usize = 40;

/// What was found, as far as it came.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// `trusted`, `unknown`, `changed` or `revoked`; empty if no key was seen.
    pub host_key_state: &'static str,
    /// The host key.
    pub fingerprint: String,
    /// What ended it early, and at which step.
    pub failure: Option<(&'static str, Fault)>,
    /// Steps that were done, with their times.
    pub steps: Vec<(&'static str, Duration)>,
    /// What the server calls itself.
    pub server: String,
    /// The login shell and its version.
    pub shell: String,
    /// stdout and stderr are got apart there.
    pub is_apart: bool,
    /// Channels that one connection took, and whether it refused one more.
    pub channels: (usize, bool),
    /// Where a session's private directory is.
    pub private_dir: String,
    /// Milliseconds that the host's clock is ahead, and how far that may be off.
    pub clock: Option<(i64, u64)>,
    /// What the account said of itself.
    pub account: Account,
}

/// What the account said of itself.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Facts by name: `system`, `uid`, `sudo`, `tmux`, `umask`, `tmout`, `charmap`.
    pub facts: Vec<(String, String)>,
    /// Mode, owner and path.
    pub paths: Vec<(String, u32, String)>,
    /// Free KiB in the private directory.
    pub private_free_kib: u64,
    /// The login shell's time with start-up files, and without.
    pub startup: [Option<Duration>; 2],
    /// Start-up files: path, time, slowest line and its time; the slowest first.
    pub files: Vec<(String, Duration, u32, Duration)>,
}

/// Examines a target.
pub async fn examine(mut target: Target) -> Examination {
    target.host_key_policy = HostKeyPolicy::Strict;
    for hop in &mut target.jump {
        strictly(hop);
    }
    let pool = Pool::new(PoolSettings::default());
    let mut found = Examination::default();
    if let Err(failure) = go(&pool, &target, &mut found).await {
        found.failure = Some(failure);
    }
    pool.shutdown().await;
    found
}

fn strictly(hop: &mut Target) {
    hop.host_key_policy = HostKeyPolicy::Strict;
    hop.jump.iter_mut().for_each(strictly);
}

async fn go(pool: &Arc<Pool>, target: &Target, found: &mut Examination) -> Result<(), (&'static str, Fault)> {
    let scan = pool.scan(target).await.map_err(|fault| ("tcp", fault))?;
    found.fingerprint = scan.fingerprint;
    found.host_key_state = match scan.verdict {
        Verdict::Trusted => "trusted",
        Verdict::Unknown { .. } => "unknown",
        Verdict::Changed(_) => "changed",
        Verdict::Revoked(_) => "revoked",
    };
    if found.host_key_state != "trusted" {
        return Ok(());
    }
    let tried = session::try_shell(pool, target)
        .await
        .map_err(|fault| ("login", fault))?;
    let connection = tried.connection().clone();
    let times = connection.times();
    found.steps.extend(times.tcp.map(|time| ("tcp", time)));
    found.steps.extend([
        ("handshake", times.handshake),
        ("login", times.login),
        ("shell", tried.took),
    ]);
    found.server = connection.server_version();
    found.shell = tried.shell();
    found.is_apart = tried.is_apart();
    tried.directory().clone_into(&mut found.private_dir);
    let asked = ask(pool, target, &connection, found).await;
    // Last: what is opened for it stays open as long as the connection.
    let counted = pool.count_channels(&connection, CHANNELS_MAX).await;
    tried.close().await;
    found.channels = counted.map_err(|fault| ("account", fault))?;
    asked.map_err(|fault| ("account", fault))
}

/// Runs the script in the account and takes in what it says.
async fn ask(
    pool: &Arc<Pool>,
    target: &Target,
    connection: &Arc<Connection>,
    found: &mut Examination,
) -> Result<(), Fault> {
    let (command, script) = examine::command(&found.private_dir);
    let (_, mut channel) = pool.open_exec(target, connection, &command).await?;
    let writer = channel.writer();
    let deadline = Instant::now() + ACCOUNT_TIME;
    let mut script = Some(script);
    let (mut said, mut taken) = (Vec::new(), 0);
    let mut since = Instant::now();
    while let Ok(Some(event)) = timeout_at(deadline, channel.next()).await {
        let bytes = match event {
            ChannelEvent::Stdout(bytes) => bytes,
            ChannelEvent::Closed { .. } => break,
            _ => continue,
        };
        taken += bytes.len();
        if taken > SAID_MAX {
            break;
        }
        said.extend_from_slice(&bytes);
        while let Some(end) = said.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = said.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let now = Instant::now();
            match examine::parse(&line) {
                Some(Said::Ready) => {
                    if let Some(script) = script.take() {
                        writer.write(Bytes::from(script)).await?;
                        since = now;
                    }
                }
                Some(Said::Clock(seconds, millis)) => found.clock = clock(seconds, millis, now - since),
                Some(Said::Mark(name)) => {
                    found.account.mark(name, now - since);
                    since = now;
                }
                Some(other) => found.account.take(&other),
                None => {}
            }
        }
    }
    found
        .account
        .files
        .sort_by_key(|(_, time, ..)| std::cmp::Reverse(*time));
    Ok(())
}

/// The clock was read between our sending the script and the answer's coming.
fn clock(seconds: i64, millis: Option<i64>, round_trip: Duration) -> Option<(i64, u64)> {
    let here = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let half = u64::try_from(round_trip.as_millis() / 2).ok()?;
    let here = i64::try_from(here.as_millis()).ok()?.checked_sub_unsigned(half)?;
    // A clock that tells seconds alone is on average half of one further.
    let there = seconds.checked_mul(1000)?.checked_add(millis.unwrap_or(500))?;
    let error = half + if millis.is_some() { 1 } else { 500 };
    Some((there.checked_sub(here)?, error))
}

impl Account {
    fn mark(&mut self, name: &str, took: Duration) {
        let [with, without] = &mut self.startup;
        match name {
            "with" => *with = Some(took),
            "without" => *without = Some(took),
            name => {
                if let Some(path) = name
                    .strip_prefix("file ")
                    .filter(|_| self.files.len() < FILES_MAX)
                {
                    self.files.push((path.to_owned(), took, 0, Duration::ZERO));
                }
            }
        }
    }

    fn take(&mut self, said: &Said<'_>) {
        match *said {
            Said::Fact(name, value) if self.facts.len() < FILES_MAX => {
                self.facts.push((name.to_owned(), value.trim().to_owned()));
            }
            Said::Path { mode, uid, path } if self.paths.len() < FILES_MAX => {
                self.paths.push((mode.to_owned(), uid, path.to_owned()));
            }
            Said::Free(kib, _) => self.private_free_kib = kib,
            Said::File {
                ms,
                line_ms,
                line,
                path,
            } if self.files.len() < FILES_MAX => {
                let (time, line_time) = (Duration::from_millis(ms), Duration::from_millis(line_ms));
                self.files.push((path.to_owned(), time, line, line_time));
            }
            Said::Fact(..)
            | Said::Path { .. }
            | Said::File { .. }
            | Said::Ready
            | Said::Clock(..)
            | Said::Mark(_) => {}
        }
    }

    /// A fact; empty if it was not told.
    pub fn fact(&self, name: &str) -> &str {
        self.facts
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The difference of clocks lies within the error that is told.
    #[test]
    fn clocks() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let seconds = i64::try_from(now.as_secs()).expect("small") + 100;
        let (ahead, error) = clock(seconds, None, Duration::from_millis(40)).expect("a difference");
        assert!((ahead - 100_000).unsigned_abs() <= 1020 + 2000, "{ahead}");
        assert_eq!(error, 520);
        assert_eq!(clock(i64::MAX, None, Duration::ZERO), None);
    }
}
