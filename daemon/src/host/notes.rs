//! Notes that a person wrote for agents: read when they are asked for, and never larger than an agent can take.

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
};

use crate::config::NotesFile;

/// Of one file; what is longer is cut there, and said so: a tenth of it is a long page.
const MAX: usize = 64 << 10; // 64 KiB

/// What a host's notes say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The text of those that can be read; those of tags under a title.
    pub text: String,
    /// The others, each with its path and why.
    pub problems: Vec<String>,
}

/// Whether any of them is there.
pub fn are_there(files: &[NotesFile]) -> bool {
    files.iter().any(|file| file.path.is_file())
}

/// Reads them now.
pub fn read(files: &[NotesFile]) -> Notes {
    let mut notes = Notes::default();
    for file in files {
        let path = file.path.display();
        let (bytes, size) = match read_one(file) {
            Ok(found) => found,
            Err(error) => {
                notes
                    .problems
                    .push(format!("the notes {path} cannot be read: {error}"));
                continue;
            }
        };
        if let Some(tag) = &file.tag {
            notes
                .text
                .push_str(&format!("For every host with the tag {tag}:\n"));
        }
        let is_cut = size > u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        notes
            .text
            .push_str(&String::from_utf8_lossy(whole_characters(&bytes, is_cut)));
        if is_cut {
            notes.text.push_str(&format!(
                "\n[cut after {} KiB: {path} has {size} bytes]",
                MAX >> 10
            ));
        }
        if !notes.text.ends_with('\n') {
            notes.text.push('\n');
        }
    }
    notes
}

fn read_one(file: &NotesFile) -> io::Result<(Vec<u8>, u64)> {
    // Without waiting: a FIFO in the file's place must not hold anybody up.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(&file.path)?;
    let metadata = opened.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no ordinary file"));
    }
    let mut bytes = Vec::new();
    opened
        .take(u64::try_from(MAX).unwrap_or(u64::MAX))
        .read_to_end(&mut bytes)?;
    Ok((bytes, metadata.len()))
}

/// A cut text ends before the character that the cut went through.
fn whole_characters(bytes: &[u8], is_cut: bool) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if is_cut && error.error_len().is_none() => {
            bytes.get(..error.valid_up_to()).unwrap_or_default()
        }
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(directory: &tempfile::TempDir, name: &str, tag: Option<&str>) -> NotesFile {
        NotesFile {
            tag: tag.map(str::to_owned),
            path: directory.path().join(name),
        }
    }

    /// A host's own, then its tags' under a title; what is missing costs only itself, and is named.
    #[test]
    fn they_are_put_together() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("own"), "# web\nuse deploy.sh").expect("written");
        fs::write(directory.path().join("tag"), "ask before a restart\n").expect("written");
        let files = [
            file(&directory, "own", None),
            file(&directory, "missing", None),
            file(&directory, "tag", Some("prod")),
            file(&directory, ".", None),
        ];
        let notes = read(&files);
        assert_eq!(
            notes.text,
            "# web\nuse deploy.sh\nFor every host with the tag prod:\nask before a restart\n"
        );
        let missing = format!("the notes {} cannot be read", files[1].path.display());
        assert!(notes.problems[0].starts_with(&missing), "{notes:?}");
        assert_eq!(notes.problems.len(), 2, "a directory is none: {notes:?}");
        assert!(are_there(&files) && !are_there(&files[1..2]));
    }

    /// What an agent is sent has a bound, which goes through no character, and says so.
    #[test]
    fn they_are_bounded() {
        let directory = tempfile::tempdir().expect("a directory");
        let long = "a".to_owned() + &"ä".repeat(MAX);
        fs::write(directory.path().join("long"), &long).expect("written");
        let notes = read(&[file(&directory, "long", None)]);
        let end = format!(
            "ä\n[cut after 64 KiB: {} has {} bytes]\n",
            directory.path().join("long").display(),
            long.len()
        );
        assert!(
            notes.text.ends_with(&end),
            "{:?}",
            notes.text.chars().rev().take(90).collect::<String>()
        );
        assert!(!notes.text.contains('\u{fffd}'));
    }
}
