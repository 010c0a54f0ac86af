//! Literal aliases of `~/.ssh/config`, by a textual scan that follows `Include`. It says what can be named, not what
//! it means: that is OpenSSH's answer.

use std::fs::Metadata;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::lines;

/// Files read at most; a configuration of more is cut, not followed for ever.
pub(super) const MAX_FILES: usize = 200;

/// `Include` within `Include`, as in OpenSSH.
pub(super) const MAX_DEPTH: usize = 16;

/// Bytes read of one file.
const MAX_BYTES: u64 = 1 << 20; // 1 MiB

/// Aliases listed; more would be no list for a person or an agent.
const MAX_ALIASES: usize = 1000;

/// The aliases in the order of the files, each once; none if there is no file.
pub(super) fn scan(home: &Path) -> Vec<String> {
    Scan::of(home).found
}

/// A file of the user's configuration that others can write. What it says runs programs, so OpenSSH refuses it too.
pub(super) fn exposed(home: &Path) -> Option<PathBuf> {
    Scan::of(home).exposed
}

struct Scan<'a> {
    home: &'a Path,
    files: usize,
    found: Vec<String>,
    exposed: Option<PathBuf>,
}

impl<'a> Scan<'a> {
    fn of(home: &'a Path) -> Self {
        let mut scan = Self {
            home,
            files: 0,
            found: Vec::new(),
            exposed: None,
        };
        scan.file(&home.join(".ssh/config"), 0);
        scan
    }

    fn file(&mut self, file: &Path, depth: usize) {
        if depth > MAX_DEPTH || self.files >= MAX_FILES {
            return;
        }
        self.files += 1;
        let Some(text) = read(file) else {
            return;
        };
        if file.metadata().is_ok_and(|metadata| others_write(&metadata)) {
            self.exposed.get_or_insert_with(|| file.to_owned());
        }
        for line in lines::lines(&text) {
            match line.keyword.as_str() {
                "host" => {
                    for word in line.words {
                        let literal = !word.is_empty() && !word.contains(['*', '?', '!']);
                        if literal && !self.found.contains(&word) && self.found.len() < MAX_ALIASES {
                            self.found.push(word);
                        }
                    }
                }
                "include" => {
                    for word in &line.words {
                        for included in included(self.home, word) {
                            self.file(&included, depth + 1);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether somebody else but root can change it, by OpenSSH's rule.
fn others_write(metadata: &Metadata) -> bool {
    let owner = metadata.uid();
    let is_theirs = owner != 0 && owner != rustix::process::getuid().as_raw();
    is_theirs || metadata.mode() & 0o022 != 0
}

/// The files of an `Include` word of the user's, in the order of their names; what is relative begins at `~/.ssh`.
pub(super) fn included(home: &Path, word: &str) -> Vec<PathBuf> {
    included_from(home, &home.join(".ssh"), word)
}

/// The same where what is relative begins elsewhere.
pub(super) fn included_from(home: &Path, base: &Path, word: &str) -> Vec<PathBuf> {
    let path = match word.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => base.join(word),
    };
    let mut found = vec![PathBuf::new()];
    for part in path.components() {
        let text = part.as_os_str().to_string_lossy();
        if text.contains(['*', '?']) {
            found = found
                .iter()
                .flat_map(|directory| entries(directory, &text))
                .take(MAX_FILES)
                .collect();
        } else {
            for path in &mut found {
                path.push(part);
            }
        }
    }
    found.retain(|path| path.is_file());
    found
}

/// What a wildcard matches in a directory; as in a shell, `*` takes no hidden file.
fn entries(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            lines::matches(pattern, &name) && (pattern.starts_with('.') || !name.starts_with('.'))
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// The text of an ordinary file; nothing else is waited for.
pub(super) fn read(file: &Path) -> Option<String> {
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .ok()?
        .take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The text of `~/.ssh/config`; `None` if there is none.
pub(super) fn own_config(home: &Path) -> Option<String> {
    read(&home.join(".ssh/config"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_includes_and_skips_patterns() {
        let home = tempfile::tempdir().unwrap();
        let ssh = home.path().join(".ssh");
        std::fs::create_dir_all(ssh.join("conf.d")).unwrap();
        std::fs::create_dir_all(home.path().join("work")).unwrap();
        let write = |file: &str, text: &str| std::fs::write(home.path().join(file), text).unwrap();
        write(
            ".ssh/config",
            "Include conf.d/*.conf\nInclude ~/work/ssh\nHost web1 web2 *.lan !x\n  User u\nhost=db\nHost web1\n\
             Include config\nInclude missing\nMatch host q\n",
        );
        write(".ssh/conf.d/b.conf", "Host b\n");
        write(".ssh/conf.d/a.conf", "Host a \"a b\"\n");
        write(".ssh/conf.d/.hidden.conf", "Host hidden\n");
        write(".ssh/conf.d/c.txt", "Host c\n");
        write("work/ssh", "HOST work\n");
        assert_eq!(scan(home.path()), ["a", "a b", "b", "work", "web1", "web2", "db"]);
    }

    #[test]
    fn nothing_there() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(scan(home.path()), Vec::<String>::new());
        std::fs::create_dir_all(home.path().join(".ssh/config")).unwrap();
        assert_eq!(scan(home.path()), Vec::<String>::new());
    }
}
