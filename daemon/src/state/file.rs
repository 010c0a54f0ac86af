//! The state's file and the generation before it: replaced as a whole, never changed in place. What is damaged, or was
//! written by a later version, is set aside under another name and never overwritten.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sshmcp_proto::endpoint::private_state;

use super::{SavedSession, each::Each};

/// Below the state directory.
const DIRECTORY: &str = "state";
const CURRENT: &str = "current.json";
const PREVIOUS: &str = "previous.json";
/// A directory: a file for each session that outlives the daemon.
const EACH: &str = "each";
/// Being written.
const NEW: &str = "current.json.new";
/// In the name of what was set aside; its time follows.
const ASIDE: &str = ".damaged-";
/// As `ASIDE`, for a file of a later version.
const LATER: &str = ".later-version-";
/// Files set aside that stay; the oldest goes first.
const ASIDE_MAX: usize = 8;
/// A file beyond this is none of ours: a session takes a KiB or two.
const SIZE_MAX: u64 = 64 << 20; // 64 MiB
/// The form of what follows the header.
const VERSION: u32 = 1;

/// The first line of the file, which every version has. The rest is the content.
#[derive(Serialize, Deserialize)]
struct Header {
    sshmcp_state: u32,
    /// Version of the program.
    by: String,
    /// Of version, program and content, in hexadecimal digits.
    sha256: String,
}

/// What is kept.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Content {
    /// Milliseconds since the Unix epoch.
    written_ms: i64,
    pub(super) sessions: Vec<SavedSession>,
}

/// The same, as it is written.
#[derive(Serialize)]
struct Written<'s> {
    written_ms: i64,
    sessions: Vec<&'s SavedSession>,
}

/// Why a file gives nothing.
#[derive(Debug)]
enum Unusable {
    Missing,
    Damaged(String),
    /// Version of the form, and of the program that wrote it.
    Later(u32, String),
}

pub(super) struct Files {
    state_dir: PathBuf,
    directory: PathBuf,
    each: Each,
}

impl Files {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            directory: state_dir.join(DIRECTORY),
            each: Each::new(state_dir.join(DIRECTORY).join(EACH)),
        }
    }

    pub(super) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The newest content that is whole, and what is to be said of the rest.
    pub(super) fn read(&self) -> (Content, Vec<String>) {
        let (mut content, mut told) = self.read_generations();
        if !told.is_empty() && self.each.correct(&mut content.sessions) {
            told.push(
                "sessions that outlive the daemon are as they were last, from files of their own".into(),
            );
        }
        (content, told)
    }

    fn read_generations(&self) -> (Content, Vec<String>) {
        let mut told = Vec::new();
        match self.load(CURRENT) {
            Ok(content) => return (content, told),
            Err(Unusable::Missing) => {
                // Between two renames a daemon was killed.
                if let Ok(content) = self.load(NEW) {
                    let newer = self
                        .load(PREVIOUS)
                        .map_or(true, |previous| previous.written_ms <= content.written_ms);
                    if newer {
                        return (content, told);
                    }
                }
                return match self.load(PREVIOUS) {
                    Ok(content) => (content, told),
                    Err(why) => (self.nothing(PREVIOUS, why, &mut told), told),
                };
            }
            Err(Unusable::Later(version, by)) => {
                let path = self.directory.join(CURRENT);
                let aside = self.set_aside(CURRENT, LATER);
                // Older than what that one knew.
                let _missing = self.set_aside(PREVIOUS, LATER);
                let _missing = self.set_aside(EACH, LATER);
                told.push(format!(
                    "{} is not used: sshmcpd {by} wrote it in form {version}, and this sshmcpd {} knows form {VERSION}; {aside}. Start that version to have its sessions back",
                    path.display(),
                    env!("CARGO_PKG_VERSION"),
                ));
                return (Content::default(), told);
            }
            Err(Unusable::Damaged(why)) => {
                let aside = self.set_aside(CURRENT, ASIDE);
                told.push(format!(
                    "{} was damaged ({why}); {aside}",
                    self.directory.join(CURRENT).display()
                ));
            }
        }
        match self.load(PREVIOUS) {
            Ok(content) => {
                told.push(format!(
                    "the state as it was at {} is used: sessions opened since are not known by it, and sessions closed since may be listed",
                    time(content.written_ms)
                ));
                (content, told)
            }
            Err(why) => (self.nothing(PREVIOUS, why, &mut told), told),
        }
    }

    /// There is no generation left.
    fn nothing(&self, name: &str, why: Unusable, told: &mut Vec<String>) -> Content {
        let path = self.directory.join(name);
        match why {
            Unusable::Missing if told.is_empty() => return Content::default(),
            Unusable::Missing => {}
            Unusable::Damaged(why) => {
                let aside = self.set_aside(name, ASIDE);
                told.push(format!("{} was damaged ({why}); {aside}", path.display()));
            }
            Unusable::Later(version, by) => {
                let aside = self.set_aside(name, LATER);
                told.push(format!(
                    "{} is not used: sshmcpd {by} wrote it in form {version}; {aside}",
                    path.display()
                ));
            }
        }
        told.push("which sessions there were before is not known".into());
        Content::default()
    }

    fn load(&self, name: &str) -> Result<Content, Unusable> {
        load(&self.directory.join(name))
    }

    /// Makes this the current generation, and the one that was the previous; path and cause if that is not possible.
    pub(super) fn write(&self, sessions: &[Arc<SavedSession>]) -> Result<(), String> {
        let content = Written {
            written_ms: now_ms(),
            sessions: sessions.iter().map(AsRef::as_ref).collect(),
        };
        let bytes = encode(&content).map_err(|error| format!("cannot write the state: {error}"))?;
        private_state(&self.state_dir, DIRECTORY).map_err(|fault| fault.message)?;
        self.each.write(sessions);
        let new = self.directory.join(NEW);
        let cannot = |path: &Path| {
            let path = path.display().to_string();
            move |error: io::Error| format!("cannot write {path}: {error}")
        };
        // Of sessions that are gone with the daemon only names and places are lost with a power cut.
        let is_to_sync = sessions.iter().any(|session| session.is_kept());
        if let Err(error) = write_whole(&new, &bytes, is_to_sync) {
            // What was written of it is given back to whoever needs the room.
            fs::remove_file(&new).ok();
            return Err(cannot(&new)(error));
        }
        let current = self.directory.join(CURRENT);
        match fs::rename(&current, self.directory.join(PREVIOUS)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(&current)(error)),
            _ => {}
        }
        fs::rename(&new, &current).map_err(cannot(&current))?;
        if !is_to_sync {
            return Ok(());
        }
        fs::File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(cannot(&self.directory))
    }

    /// Gives a file another name, and says which.
    fn set_aside(&self, name: &str, what: &str) -> String {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let free = (1..)
            .map(|number: u32| {
                let number = if number > 1 {
                    format!("-{number}")
                } else {
                    String::new()
                };
                self.directory.join(format!("{name}{what}{now}{number}"))
            })
            .find(|path| !path.exists());
        let path = free.unwrap_or_else(|| self.directory.join(format!("{name}{what}{now}")));
        let said = match fs::rename(self.directory.join(name), &path) {
            Ok(()) => format!("it was set aside as {}", path.display()),
            Err(error) => format!("it could not be set aside as {}: {error}", path.display()),
        };
        self.prune();
        said
    }

    /// Removes the oldest of what was set aside.
    fn prune(&self) {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let mut aside: Vec<(SystemTime, PathBuf)> = entries
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.contains(ASIDE) || name.contains(LATER)
            })
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        aside.sort();
        let surplus = aside.len().saturating_sub(ASIDE_MAX);
        for (_, path) in aside.into_iter().take(surplus) {
            fs::remove_file(path).ok();
        }
    }
}

fn load(path: &Path) -> Result<Content, Unusable> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unusable::Missing),
        Err(error) => return Err(Unusable::Damaged(error.to_string())),
    };
    let mut bytes = Vec::new();
    file.take(SIZE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Unusable::Damaged(error.to_string()))?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(Unusable::Damaged("it is larger than any state".into()));
    }
    decode(&bytes)
}

/// The content in a file that is whole.
pub(super) fn sessions_in(path: &Path) -> Option<Vec<SavedSession>> {
    load(path).ok().map(|content| content.sessions)
}

/// Writes a file of one session, as a whole.
pub(super) fn write_one(path: &Path, session: &SavedSession) -> io::Result<()> {
    let content = Written {
        written_ms: now_ms(),
        sessions: vec![session],
    };
    let bytes = encode(&content).map_err(io::Error::other)?;
    // No session's name begins with a dot.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}"));
    let written = write_whole(&new, &bytes, false).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        fs::remove_file(&new).ok();
    }
    written
}

fn write_whole(path: &Path, bytes: &[u8], is_to_sync: bool) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    if is_to_sync { file.sync_all() } else { Ok(()) }
}

fn checksum(version: u32, by: &str, content: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{version}\n{by}\n"));
    hash.update(content);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encode(content: &Written<'_>) -> serde_json::Result<Vec<u8>> {
    let content = serde_json::to_vec(content)?;
    let by = env!("CARGO_PKG_VERSION").to_owned();
    let mut bytes = serde_json::to_vec(&Header {
        sshmcp_state: VERSION,
        sha256: checksum(VERSION, &by, &content),
        by,
    })?;
    bytes.push(b'\n');
    bytes.extend(content);
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<Content, Unusable> {
    let damaged = |why: &str| Unusable::Damaged(why.to_owned());
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or_else(|| damaged("its first line is cut off"))?;
    let (header, content) = bytes.split_at(end);
    let content = content.get(1..).unwrap_or_default();
    let header: Header =
        serde_json::from_slice(header).map_err(|_| damaged("its first line is no header of ours"))?;
    if header.sha256 != checksum(header.sshmcp_state, &header.by, content) {
        return Err(damaged("its checksum is another"));
    }
    if header.sshmcp_state != VERSION {
        return Err(Unusable::Later(header.sshmcp_state, header.by));
    }
    serde_json::from_slice(content).map_err(|error| Unusable::Damaged(error.to_string()))
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| "a time that is not known".into(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a later version wrote is told from what is damaged.
    #[test]
    fn a_later_version() {
        let content = b"anything at all";
        let header = |sum: &str| format!("{{\"sshmcp_state\":7,\"by\":\"9.9\",\"sha256\":\"{sum}\"}}\n");
        let whole = [header(&checksum(7, "9.9", content)).as_bytes(), content].concat();
        assert!(matches!(decode(&whole), Err(Unusable::Later(7, by)) if by == "9.9"));
        let broken = [header(&checksum(1, "9.9", content)).as_bytes(), content].concat();
        assert!(matches!(decode(&broken), Err(Unusable::Damaged(_))));
    }
}
