//! Recorded terminals (`tests/corpus`) look in our screen as they do in tmux, given the same bytes and sizes in the same
//! run. What differs is listed with its reason; what is listed and does not differ fails too.

#[path = "screens/differences.rs"]
mod differences;
#[path = "screens/pane.rs"]
mod pane;

use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf};

use sshmcpd::terminal::screen::{SCROLLBACK, Screen};

use crate::{differences::DIFFERENCES, pane::Server};

/// What one terminal shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Rows from the top, without blanks at their ends.
    pub(crate) rows: Vec<String>,
    /// Column and row of the cursor, from 0.
    pub(crate) cursor: (usize, usize),
    /// The alternate screen is on.
    pub(crate) alternate: bool,
}

/// A recording: bytes between changes of size.
struct Recording {
    name: String,
    /// Columns, rows, and what was written at that size.
    parts: Vec<(u16, u16, Vec<u8>)>,
}

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus")
}

/// `NAME COLSxROWS [@OFFSET COLSxROWS]…`
fn recordings() -> Vec<Recording> {
    let sizes = fs::read_to_string(corpus().join("sizes")).expect("the list of recordings");
    let side = |text: &str| text.parse().expect("a number");
    let recording = |line: &str| {
        let mut words = line.split(' ');
        let name = words.next().expect("a name").to_owned();
        let bytes = fs::read(corpus().join(format!("{name}.bin"))).expect("a recording");
        let (mut parts, mut starts) = (Vec::new(), Vec::new());
        let mut start = 0;
        for word in words {
            if let Some(offset) = word.strip_prefix('@') {
                start = offset.parse().expect("an offset");
            } else {
                let (cols, rows) = word.split_once('x').expect("a size");
                parts.push((side(cols), side(rows), Vec::new()));
                starts.push(start);
            }
        }
        starts.push(bytes.len());
        for (part, range) in parts.iter_mut().zip(starts.windows(2)) {
            part.2 = bytes[range[0]..range[1]].to_vec();
        }
        Recording { name, parts }
    };
    sizes.lines().map(recording).collect()
}

impl Recording {
    fn in_ours(&self) -> Seen {
        let (cols, rows, _) = self.parts[0];
        let mut screen = Screen::new(cols, rows, SCROLLBACK);
        for (number, (cols, rows, bytes)) in self.parts.iter().enumerate() {
            if number > 0 {
                screen.resize(*cols, *rows);
            }
            screen.feed(bytes);
        }
        let shot = screen.shot(0);
        Seen {
            rows: shot.rows,
            cursor: (shot.column.into(), shot.row.into()),
            alternate: shot.alternate,
        }
    }

    fn in_tmux(&self, server: &Server) -> Seen {
        let (cols, rows, _) = self.parts[0];
        let mut pane = server.pane(&self.name, cols, rows);
        for (number, (cols, rows, bytes)) in self.parts.iter().enumerate() {
            if number > 0 {
                pane.resize(*cols, *rows);
            }
            pane.show(bytes);
        }
        pane.seen()
    }
}

/// One difference: the row's number, or none for the cursor or the alternate screen.
type Difference = (Option<usize>, String, String);

fn compare(ours: &Seen, theirs: &Seen) -> Vec<Difference> {
    let mut found = Vec::new();
    let height = ours.rows.len().max(theirs.rows.len());
    let nothing = String::new();
    for number in 0..height {
        let row = |seen: &Seen| seen.rows.get(number).unwrap_or(&nothing).clone();
        if row(ours) != row(theirs) {
            found.push((Some(number), row(ours), row(theirs)));
        }
    }
    let rest = |seen: &Seen| format!("{:?} alternate {}", seen.cursor, seen.alternate);
    if rest(ours) != rest(theirs) {
        found.push((None, rest(ours), rest(theirs)));
    }
    found
}

/// Every recording, in both terminals.
#[test]
fn screens_equal_tmux() {
    let server = Server::start();
    let recordings = recordings();
    assert!(recordings.len() >= 30, "{}", recordings.len());
    let mut wrong = String::new();
    let mut listed: BTreeSet<usize> = (0..DIFFERENCES.len()).collect();
    for recording in &recordings {
        let (ours, theirs) = (recording.in_ours(), recording.in_tmux(&server));
        let whole = theirs.rows.join("").trim().len();
        assert!(whole > 0, "{}: nothing is shown", recording.name);
        for (row, one, other) in compare(&ours, &theirs) {
            let known = DIFFERENCES.iter().position(|known| {
                known.recording == recording.name
                    && known.row == row
                    && known.ours == one
                    && known.theirs == other
            });
            match known {
                Some(known) => {
                    listed.remove(&known);
                }
                None => {
                    let name = &recording.name;
                    writeln!(wrong, "{name}, {row:?}:\n  ours {one:?}\n  tmux {other:?}").expect("a string");
                }
            }
        }
    }
    for number in listed {
        let known = &DIFFERENCES[number];
        let (name, row, why) = (known.recording, known.row, known.why);
        writeln!(wrong, "{name}, {row:?}: does not differ any more ({why})").expect("a string");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The list and the files are the same, and small.
#[test]
fn every_recording_is_listed() {
    let listed: BTreeSet<String> = recordings().into_iter().map(|one| one.name).collect();
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(corpus()).expect("the corpus") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".bin") {
            assert!(entry.metadata().expect("a file").len() <= 60_000, "{name}");
            there.insert(name.to_owned());
        }
    }
    assert_eq!(listed, there);
}
