//! ssh_config for a HOME that is not the account's: OpenSSH takes `~` and relative `Include` from the account, whatever
//! HOME says, so it is given a copy in which every `Include` names its file. Only for such a HOME.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{aliases, lines};

/// A copy that lives as long as this value.
pub(super) struct Copy {
    directory: Place,
    files: usize,
}

enum Place {
    Brief(TempDir),
    Kept(PathBuf),
}

/// Keys that OpenSSH's client tries where nothing is said.
const KEYS: [&str; 5] = ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"];

impl Copy {
    /// Copies `~/.ssh/config`, if there is one, and has the system's file follow it as it would.
    pub(super) fn new(home: &Path, system: &Path) -> io::Result<Self> {
        let mut copy = Self {
            // 0700: somebody's configuration is nobody else's to read.
            directory: Place::Brief(tempfile::Builder::new().prefix("sshmcp-").tempdir()?),
            files: 0,
        };
        copy.write(home, system, "")?;
        Ok(copy)
    }

    /// The same in this directory, for the client itself: it has its own defaults below the home, too.
    pub(super) fn kept(home: &Path, system: &Path, directory: &Path) -> io::Result<PathBuf> {
        let mut copy = Self {
            directory: Place::Kept(directory.to_owned()),
            files: 0,
        };
        let ssh = home.join(".ssh");
        let mut defaults = format!(
            "\nHost *\nUserKnownHostsFile \"{0}/known_hosts\" \"{0}/known_hosts2\"\n",
            ssh.display()
        );
        for key in KEYS.map(|key| ssh.join(key)) {
            if key.is_file() {
                defaults += &format!("IdentityFile \"{}\"\n", key.display());
            }
        }
        copy.write(home, system, &defaults)?;
        Ok(copy.path())
    }

    fn write(&mut self, home: &Path, system: &Path, defaults: &str) -> io::Result<()> {
        let own = aliases::own_config(home).unwrap_or_default();
        let mut text = self.rewritten(home, &own, 0)?;
        text += defaults;
        if system.is_file() {
            text += &format!("\nHost *\nInclude {}\n", system.display());
        }
        std::fs::write(self.path(), text)
    }

    fn directory(&self) -> &Path {
        match &self.directory {
            Place::Brief(directory) => directory.path(),
            Place::Kept(directory) => directory,
        }
    }

    /// What `-F` is to name.
    pub(super) fn path(&self) -> PathBuf {
        self.directory().join("config")
    }

    /// A text with its lines where they were, but for `Include`.
    fn rewritten(&mut self, home: &Path, text: &str, depth: usize) -> io::Result<String> {
        let mut copied = String::with_capacity(text.len());
        for line in text.lines() {
            match lines::lines(line).next() {
                Some(parsed) if parsed.keyword == "include" => {
                    copied += &self.include(home, &parsed.words, depth)?;
                }
                _ => copied += line,
            }
            copied.push('\n');
        }
        Ok(copied)
    }

    /// One `Include` of copies; nothing if it names no file, as OpenSSH has it.
    fn include(&mut self, home: &Path, words: &[String], depth: usize) -> io::Result<String> {
        let mut line = String::new();
        if depth >= aliases::MAX_DEPTH {
            return Ok(line);
        }
        for file in words.iter().flat_map(|word| aliases::included(home, word)) {
            let Some(text) = aliases::read(&file).filter(|_| self.files < aliases::MAX_FILES) else {
                continue;
            };
            self.files += 1;
            let path = self.directory().join(self.files.to_string());
            let text = self.rewritten(home, &text, depth + 1)?;
            std::fs::write(&path, text)?;
            line += &format!(" \"{}\"", path.display());
        }
        Ok(if line.is_empty() {
            line
        } else {
            format!("Include{line}")
        })
    }
}
