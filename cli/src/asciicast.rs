//! Reads recordings of terminals: asciicast 2, and 3 as newer programs write it. A file may be anybody's: every line is
//! bounded, and what is wrong is told with its number. It shows nothing.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

/// Longest line: ours have at most 0.4 MiB.
const LINE_MAX: u64 = 16 << 20; // 16 MiB

/// A recording that is being read.
#[derive(Debug)]
pub(crate) struct Cast {
    /// Version of the format.
    pub(crate) version: u64,
    /// What it is of; not harmless.
    pub(crate) title: String,
    /// Columns and rows at the beginning.
    pub(crate) size: (u16, u16),
    path: PathBuf,
    reader: BufReader<File>,
    line: u64,
    now: Duration,
}

/// What happened, and when since the beginning.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, PartialEq)]
pub(crate) enum What {
    /// The terminal was sent this.
    Output(String),
    /// It has so many columns and rows.
    Size(u16, u16),
    /// Somebody marked this place.
    Marker(String),
    /// Something that is not shown.
    Other,
}

impl Cast {
    /// Opens a file and reads its header.
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(|error| {
            let reason = match error.kind() {
                std::io::ErrorKind::NotFound => Reason::NotFound,
                std::io::ErrorKind::PermissionDenied => Reason::PermissionDenied,
                _ => Reason::InvalidArgument,
            };
            Fault::new(reason, format!("{} cannot be read: {error}", path.display()))
        })?;
        let mut cast = Self {
            version: 0,
            title: path.display().to_string(),
            size: (80, 24),
            path: path.to_owned(),
            reader: BufReader::new(file),
            line: 0,
            now: Duration::ZERO,
        };
        let header = cast.next_line()?.ok_or_else(|| cast.wrong("it is empty"))?;
        cast.version = header.get("version").and_then(Value::as_u64).unwrap_or_default();
        let (holder, cols, rows) = match cast.version {
            2 => (Some(&header), "width", "height"),
            3 => (header.get("term"), "cols", "rows"),
            _ => return Err(cast.wrong("it is no asciicast of version 2 or 3")),
        };
        let side = |name| u16::try_from(holder?.get(name)?.as_u64()?).ok();
        if let (Some(cols), Some(rows)) = (side(cols), side(rows)) {
            cast.size = (cols, rows);
        } else {
            return Err(cast.wrong("its header tells no size"));
        }
        if let Some(title) = header.get("title").and_then(Value::as_str) {
            title.clone_into(&mut cast.title);
        }
        Ok(cast)
    }

    /// The next event; none at the end. A last line that was cut off is the end, too.
    pub(crate) fn next_event(&mut self) -> Result<Option<Event>, Fault> {
        let Some(line) = self.next_line()? else {
            return Ok(None);
        };
        let part = |at: usize| line.get(at);
        let text = |at: usize| part(at).and_then(Value::as_str);
        let seconds = part(0).and_then(Value::as_f64);
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let (Some(time), Some(code), Some(data)) = (time, text(1), text(2)) else {
            return Err(self.wrong("an event is a time, a code and a text"));
        };
        self.now = if self.version == 3 {
            self.now.saturating_add(time)
        } else {
            // Time does not run back.
            self.now.max(time)
        };
        let what = match code {
            "o" => What::Output(data.to_owned()),
            "m" => What::Marker(data.to_owned()),
            "r" => {
                let sides = data.split_once('x');
                let sides = sides.and_then(|(cols, rows)| Some((cols.parse().ok()?, rows.parse().ok()?)));
                let (cols, rows) = sides.ok_or_else(|| self.wrong("a size is `COLSxROWS`"))?;
                What::Size(cols, rows)
            }
            _ => What::Other,
        };
        Ok(Some(Event { at: self.now, what }))
    }

    fn next_line(&mut self) -> Result<Option<Value>, Fault> {
        loop {
            let mut line = Vec::new();
            let read = self.reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut line);
            read.map_err(|error| self.wrong(&error.to_string()))?;
            self.line += 1;
            if line.is_empty() {
                return Ok(None);
            }
            let is_whole = line.ends_with(b"\n");
            if line.len() as u64 == LINE_MAX {
                return Err(self.wrong("a line is longer than 16 MiB"));
            }
            let text = line.trim_ascii();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            return match serde_json::from_slice(text) {
                Ok(value) => Ok(Some(value)),
                // It is still being written, or its writer was killed.
                Err(_) if !is_whole && self.line > 1 => Ok(None),
                Err(error) => Err(self.wrong(&error.to_string())),
            };
        }
    }

    fn wrong(&self, what: &str) -> Fault {
        Fault::new(
            Reason::InvalidArgument,
            format!("{}, line {}: {what}", self.path.display(), self.line),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Cast, Vec<Event>), Fault> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut cast = Cast::open(file.path())?;
        let mut events = Vec::new();
        while let Some(event) = cast.next_event()? {
            events.push(event);
        }
        Ok((cast, events))
    }

    /// Both versions give the same.
    #[test]
    fn versions() {
        let two = "{\"version\": 2, \"width\": 100, \"height\": 30, \"title\": \"t\"}\n\
            [0.5, \"o\", \"a\\u001b[1m\"]\n[0.5, \"i\", \"x\"]\n[1.0, \"r\", \"80x24\"]\n[0.2, \"m\", \"b\"]\n[2.0, \"o\", \"cut";
        let three = "{\"version\": 3, \"term\": {\"cols\": 100, \"rows\": 30}, \"title\": \"t\"}\n# a comment\n\
            [0.5, \"o\", \"a\\u001b[1m\"]\n[0, \"i\", \"x\"]\n[0.5, \"r\", \"80x24\"]\n[0, \"m\", \"b\"]\n";
        for text in [two, three] {
            let (cast, events) = read(text).unwrap();
            assert_eq!((cast.size, &*cast.title), ((100, 30), "t"));
            let times: Vec<u128> = events.iter().map(|event| event.at.as_millis()).collect();
            assert_eq!(times, [500, 500, 1000, 1000]);
            let what: Vec<&What> = events.iter().map(|event| &event.what).collect();
            let wanted = [
                &What::Output("a\x1b[1m".into()),
                &What::Other,
                &What::Size(80, 24),
                &What::Marker("b".into()),
            ];
            assert_eq!(what, wanted);
        }
    }

    /// What is wrong is told with its line.
    #[test]
    fn wrong_files() {
        let header = "{\"version\": 2, \"width\": 1, \"height\": 1}\n";
        for (text, words) in [
            ("", "line 1: it is empty"),
            ("x\n", "line 1: expected value"),
            ("{\"version\": 1}", "line 1: it is no asciicast of version 2 or 3"),
            (
                "{\"version\": 2, \"width\": 70000, \"height\": 1}",
                "line 1: its header tells no size",
            ),
            (&format!("{header}[]\n"), "line 2: an event is"),
            (&format!("{header}[-1, \"o\", \"\"]\n"), "line 2: an event is"),
            (&format!("{header}[1, \"r\", \"8\"]\n"), "line 2: a size is"),
            (&format!("{header}[1, \"o\", \"\"]\n[1,\n"), "line 3: "),
        ] {
            let fault = read(text).expect_err(text);
            assert!(fault.message.contains(words), "{text}: {}", fault.message);
        }
        let fault = Cast::open(Path::new("/nowhere/x.cast")).expect_err("nothing is there");
        assert_eq!(fault.reason, Reason::NotFound);
    }
}
