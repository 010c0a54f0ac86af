//! One configuration file as a whole: reading it within limits, refusing one that gives secrets away, and its parts.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::connection::Draft;
use super::fields::TOP;
use super::problem::{Pos, Problem};
use super::reading::Reading;
use super::settings::Settings;
use super::tags::{self, Tag};
use super::tree::{Entry, Node, Value};
use super::{logs, toml_text, yaml_text};
use crate::recording::Limits;

/// A configuration larger than this is a mistake: a thousand connections take a fifth of it.
const MAX_BYTES: u64 = 1 << 20; // 1 MiB

/// Characters of a connection's name.
const MAX_NAME: usize = 128;

/// Permissions of group and others, who must not read a secret.
const OTHERS: u32 = 0o077;

/// The language and the origin of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Our own `config.toml`.
    Toml,
    /// The YAML of mcp-ssh-interactive.
    Yaml,
}

/// What one file says.
#[derive(Clone, Default)]
pub(super) struct Document {
    /// Its connections, right or wrong.
    pub(super) drafts: Vec<Draft>,
    /// Its settings, if it has any.
    pub(super) settings: Option<Settings>,
    /// What it says of tags.
    pub(super) tags: Vec<Tag>,
    /// What it says of transcripts and recordings, if anything.
    pub(super) logs: Option<Limits>,
    /// What is wrong outside the connections.
    pub(super) problems: Vec<Problem>,
}

impl Document {
    /// Reads and parses a file; one that is not there says nothing. An error is one of the whole file.
    pub(super) fn load(file: &Path, home: &Path, format: Format) -> Result<Option<Self>, Problem> {
        let Some((text, mode)) = read(file)? else {
            return Ok(None);
        };
        let reading = Reading {
            file,
            home,
            predecessor: format == Format::Yaml,
        };
        let entries = match format {
            Format::Toml => toml_text::parse(file, &text)?,
            Format::Yaml => yaml_text::parse(file, &text)?,
        };
        if mode & OTHERS != 0 && holds_secret(&entries, false) {
            return Err(Problem::file(
                file,
                format!(
                    "it holds a literal secret and others may read it (mode {:04o})",
                    mode & 0o7777
                ),
            )
            .hint(format!("run: chmod 600 {}", shell_word(file))));
        }
        Ok(Some(Self::read(reading, &entries)))
    }

    fn read(reading: Reading<'_>, entries: &[Entry]) -> Self {
        let mut document = Self::default();
        for entry in entries {
            match entry.key.as_str() {
                "connections" => document.connections(reading, &entry.node),
                "settings" if !reading.predecessor => {
                    let (settings, problems) = Settings::read(reading, &entry.node);
                    document.settings = Some(settings);
                    document.problems.extend(problems);
                }
                "tags" if !reading.predecessor => {
                    let (tags, problems) = tags::read(reading, &entry.node);
                    document.tags = tags;
                    document.problems.extend(problems);
                }
                "logs" if !reading.predecessor => {
                    let (limits, problems) = logs::read(reading, &entry.node);
                    document.logs = Some(limits);
                    document.problems.extend(problems);
                }
                _ => {
                    let known = if reading.predecessor {
                        TOP.get(..1)
                    } else {
                        Some(TOP)
                    };
                    let problem = reading.unknown(entry, known.unwrap_or_default().iter().copied());
                    document.problems.push(problem);
                }
            }
        }
        document
    }

    fn connections(&mut self, reading: Reading<'_>, node: &Node) {
        let Some(entries) = node.table() else {
            if !matches!(node.value, Value::Null) {
                self.problems
                    .push(reading.no_table(node, "`connections`", "connections.NAME"));
            }
            return;
        };
        let source = if reading.predecessor {
            "mcp-ssh-interactive"
        } else {
            "config"
        };
        for entry in entries {
            if let Some(why) = bad_name(&entry.key) {
                self.problems.push(reading.at(entry.at, why));
            } else {
                self.drafts.push(Draft::read(reading, entry, source));
            }
        }
    }
}

/// Why a name cannot be a connection's; it is not quoted.
fn bad_name(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        Some("a connection's name is empty")
    } else if name.chars().count() > MAX_NAME {
        Some("a connection's name is longer than 128 characters")
    } else if name.starts_with('-') {
        Some("a connection's name begins with `-`, which programs take for an option")
    } else if name.chars().any(|c| c.is_control() || is_invisible(c)) {
        Some("a connection's name has control or invisible characters")
    } else {
        None
    }
}

/// Characters that make two names look the same or run the other way.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether a literal secret stands somewhere, also under a misspelt key. A table below such a key says where
/// the secret is instead.
fn holds_secret(entries: &[Entry], listed: bool) -> bool {
    entries.iter().any(|entry| {
        let named = !listed && entry.key.to_ascii_lowercase().contains("pass");
        match &entry.node.value {
            Value::Table(inner) if entry.key.eq_ignore_ascii_case("secrets") => {
                let is_literal = |value: &Value| !matches!(value, Value::Table(_) | Value::Null);
                inner.iter().any(|one| is_literal(&one.node.value)) || holds_secret(inner, false)
            }
            Value::Table(inner) => holds_secret(inner, false),
            Value::List(items) => items.iter().any(|item| match &item.value {
                Value::Table(inner) => holds_secret(inner, false),
                _ => named,
            }),
            Value::Null => false,
            _ => named,
        }
    })
}

/// Text and mode of a file; `None` if there is none.
fn read(file: &Path) -> Result<Option<(zeroize::Zeroizing<String>, u32)>, Problem> {
    let failed = |error: io::Error| Problem::file(file, format!("it cannot be read: {}", error.kind()));
    // Without waiting: a FIFO in the file's place must not stop the daemon.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open(file);
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let metadata = opened.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Problem::file(file, "it is a directory, not a file"));
    }
    if !metadata.is_file() {
        return Err(Problem::file(file, "it is not an ordinary file"));
    }
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    opened
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(Problem::file(file, "it is larger than 1 MiB"));
    }
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let before = std::str::from_utf8(valid).unwrap_or_default();
            return Err(Problem::at(file, Pos::of(before, before.len()), "not UTF-8 text"));
        }
    };
    // An editor's byte order mark says nothing in UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(offset) = text.find('\0') {
        return Err(Problem::at(file, Pos::of(text, offset), "binary data, not text"));
    }
    Ok(Some((zeroize::Zeroizing::new(text.to_owned()), metadata.mode())))
}

/// A path as one word of a shell command, to be copied by a person.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    if text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c))
    {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Which file it is, and what its text is written in.
pub(super) type Source = (PathBuf, Format);
