//! What `sshctl install` did, written down beside the daemon's state, so that `uninstall` undoes that and no more.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sshmcp_proto::endpoint::private_directory;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

use super::units::Unit;

/// A program that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copied {
    /// Where to.
    pub(crate) path: PathBuf,
    /// The copy's SHA-256.
    pub(crate) checksum: String,
    /// Where what was in its place is kept.
    pub(crate) replaced: Option<PathBuf>,
}

/// An entry in a client's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Added {
    /// The client's name.
    pub(crate) client: String,
    /// Its file.
    pub(crate) path: PathBuf,
    /// What the entry starts.
    pub(crate) program: String,
    /// So many tables were made for it.
    pub(crate) made: usize,
    /// The file was made for it.
    pub(crate) created: bool,
    /// What the file was.
    pub(crate) backup: Option<PathBuf>,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// Files as they were written.
    pub(crate) files: Vec<Unit>,
    /// Directories that were not there before, outer ones first.
    pub(crate) directories: Vec<PathBuf>,
    /// The service manager was told to start it from now on.
    pub(crate) enabled: bool,
    /// Programs.
    pub(crate) copied: Vec<Copied>,
    /// Entries.
    pub(crate) added: Vec<Added>,
}

impl Record {
    /// Where it is, in this state directory.
    pub(crate) fn path(state: &Path) -> PathBuf {
        state.join("installed.json")
    }

    /// Reads it; none where nothing was installed.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Fault> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot(path, &error.to_string())),
        };
        let value: Value = serde_json::from_str(&text).map_err(|error| cannot(path, &error.to_string()))?;
        Self::of(&value)
            .map(Some)
            .ok_or_else(|| cannot(path, "it is not what sshctl writes"))
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Fault> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        private_directory(directory)?;
        write_whole(path, &format!("{:#}\n", self.json())).map_err(|error| cannot(path, &error.to_string()))
    }

    fn json(&self) -> Value {
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|Unit { path, text }| json!({"path": path, "text": text}))
            .collect();
        let copied: Vec<Value> = self
            .copied
            .iter()
            .map(
                |Copied {
                     path,
                     checksum,
                     replaced,
                 }| json!({"path": path, "sha256": checksum, "replaced": replaced}),
            )
            .collect();
        let added: Vec<Value> = self
            .added
            .iter()
            .map(|Added { client, path, program, made, created, backup }| {
                json!({
                    "client": client, "path": path, "program": program, "made": made, "created": created, "backup": backup,
                })
            })
            .collect();
        json!({
            "files": files, "directories": self.directories, "enabled": self.enabled, "copied": copied, "added": added,
        })
    }

    fn of(value: &Value) -> Option<Self> {
        let file = |value: &Value| {
            Some(Unit {
                path: value.get("path")?.as_str()?.into(),
                text: value.get("text")?.as_str()?.to_owned(),
            })
        };
        let place = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(PathBuf::from);
        let word = |value: &Value, key: &str| Some(value.get(key)?.as_str()?.to_owned());
        let copied = |value: &Value| {
            Some(Copied {
                path: place(value, "path")?,
                checksum: word(value, "sha256")?,
                replaced: place(value, "replaced"),
            })
        };
        let added = |value: &Value| {
            Some(Added {
                client: word(value, "client")?,
                path: place(value, "path")?,
                program: word(value, "program")?,
                made: usize::try_from(value.get("made")?.as_u64()?).ok()?,
                created: value.get("created")?.as_bool()?,
                backup: place(value, "backup"),
            })
        };
        // Earlier versions wrote neither.
        let list = |key: &str| value.get(key).and_then(Value::as_array).into_iter().flatten();
        let files = value.get("files")?.as_array()?.iter().map(file);
        let directories = value.get("directories")?.as_array()?.iter();
        Some(Self {
            files: files.collect::<Option<_>>()?,
            directories: directories
                .map(|path| path.as_str().map(PathBuf::from))
                .collect::<Option<_>>()?,
            enabled: value.get("enabled")?.as_bool()?,
            copied: list("copied").map(copied).collect::<Option<_>>()?,
            added: list("added").map(added).collect::<Option<_>>()?,
        })
    }
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut partial = path.to_owned().into_os_string();
    partial.push(".new");
    let written = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, path)
    })();
    if written.is_err() {
        // What is half written is nobody's.
        let _gone = fs::remove_file(&partial);
    }
    written
}

fn cannot(path: &Path, cause: &str) -> Fault {
    Fault::new(
        Reason::PermissionDenied,
        format!("{} cannot be used: {cause}", path.display()),
    )
    .hint("mend that, and run this again")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written is read again; what is not ours is told, not guessed.
    #[test]
    fn a_record_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().expect("tempdir");
        let path = Record::path(&directory.path().join("state"));
        assert_eq!(Record::read(&path).expect("nothing there"), None);
        let record = Record {
            files: vec![Unit {
                path: "/u/a".into(),
                text: "one\ntwo\n".into(),
            }],
            directories: vec!["/u".into()],
            enabled: true,
            copied: vec![Copied {
                path: "/b/sshctl".into(),
                checksum: "00".to_owned(),
                replaced: Some("/b/old".into()),
            }],
            added: vec![Added {
                client: "zed".to_owned(),
                path: "/z".into(),
                program: "/b/mcp-ssh".to_owned(),
                made: 1,
                created: false,
                backup: None,
            }],
        };
        record.write(&path).expect("written");
        assert_eq!(Record::read(&path).expect("read"), Some(record));
        fs::write(&path, r#"{"files": [], "directories": [], "enabled": false}"#).expect("write");
        assert_eq!(
            Record::read(&path).expect("an earlier version's"),
            Some(Record::default())
        );
        fs::write(&path, "{\"files\": 1}").expect("write");
        Record::read(&path).expect_err("not ours");
    }
}
