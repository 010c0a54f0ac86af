//! Panes of a tmux server of the test's own. Nothing runs in them: the test writes to their terminals itself, and knows by
//! an answer of tmux that all was taken.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::{Command, Output},
};

use rustix::fs::{Mode, OFlags, open};

use crate::Seen;

/// Asks whether the terminal is well, which is answered behind all that was written before; and the answer.
const QUESTION: &[u8] = b"\x1b[5n";
const ANSWER: &[u8] = b"\x1b[0n";
/// Tenths of a second that an answer may take under load.
const PATIENCE: u8 = 250;

/// A tmux server; it ends when it is dropped.
pub(crate) struct Server {
    directory: tempfile::TempDir,
}

/// One pane of it.
pub(crate) struct Pane<'s> {
    server: &'s Server,
    id: String,
    terminal: File,
}

impl Server {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("tempdir");
        let server = Self { directory };
        // Without a status line a pane is as large as its window. One pane stays, so that the server does.
        server.tmux(&["new-session", "-d", ";", "set", "-g", "status", "off"]);
        server
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new("tmux")
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(self.directory.path().join("socket"))
            .args(arguments)
            .env_remove("TMUX")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("tmux")
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// An empty pane of this size.
    pub(crate) fn pane(&self, name: &str, cols: u16, rows: u16) -> Pane<'_> {
        let (cols, rows) = (cols.to_string(), rows.to_string());
        let format = "#{pane_id} #{pane_tty}";
        // tmux sets the terminal's modes in the pane's own process: ours come behind them.
        let command =
            format!("stty raw -echo min 0 time {PATIENCE} && tmux wait-for -S {name} && exec sleep 600");
        let made = self.tmux(&[
            "new-session",
            "-d",
            "-P",
            "-F",
            format,
            "-s",
            name,
            "-x",
            &cols,
            "-y",
            &rows,
            &command,
        ]);
        self.tmux(&["wait-for", name]);
        let (id, path) = made.trim().split_once(' ').expect("a pane");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = open(path, flags, Mode::empty()).expect("the pane's terminal");
        Pane {
            server: self,
            id: id.to_owned(),
            terminal: terminal.into(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

impl Pane<'_> {
    /// Shows bytes; they are on the screen when this returns.
    pub(crate) fn show(&mut self, bytes: &[u8]) {
        self.terminal.write_all(bytes).expect("tmux reads");
        self.terminal.write_all(QUESTION).expect("tmux reads");
        let mut answers = Vec::new();
        while !answers.ends_with(ANSWER) {
            let mut some = [0; 1024];
            let length = self.terminal.read(&mut some).expect("an answer");
            assert_ne!(length, 0, "tmux does not answer: {answers:?}");
            answers.extend_from_slice(&some[..length]);
        }
    }

    pub(crate) fn resize(&self, cols: u16, rows: u16) {
        let (cols, rows) = (cols.to_string(), rows.to_string());
        self.server
            .tmux(&["resize-window", "-t", &self.id, "-x", &cols, "-y", &rows]);
    }

    pub(crate) fn seen(&self) -> Seen {
        // With sequences, as without them line drawing comes as letters.
        let text = self.server.tmux(&["capture-pane", "-p", "-e", "-t", &self.id]);
        let format = "#{cursor_x} #{cursor_y} #{alternate_on} #{pane_width}";
        let state = self
            .server
            .tmux(&["display-message", "-p", "-t", &self.id, format]);
        let numbers: Vec<usize> = state
            .split_whitespace()
            .map(|number| number.parse().expect("a number"))
            .collect();
        let [column, row, alternate, width] = numbers[..] else {
            panic!("{state:?}");
        };
        Seen {
            rows: plain(&text)
                .lines()
                .map(|row| row.trim_end_matches(' ').to_owned())
                .collect(),
            // Behind the last column, tmux counts one more; others stay in it until the next character.
            cursor: (column.min(width - 1), row),
            alternate: alternate == 1,
        }
    }
}

/// Rows without their colours, with the lines that they draw.
fn plain(rows: &str) -> String {
    let mut plain = String::new();
    let mut draws = false;
    let mut rest = rows.chars();
    while let Some(character) = rest.next() {
        match character {
            '\x1b' => while rest.next().is_some_and(|last| last != 'm') {},
            '\x0e' => draws = true,
            '\x0f' => draws = false,
            _ => plain.push(if draws { drawn(character) } else { character }),
        }
    }
    plain
}

/// DEC's special graphics.
fn drawn(letter: char) -> char {
    const GRAPHICS: &str = "\u{a0}◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·";
    let place = u32::from(letter).checked_sub(0x5f);
    let place = place.and_then(|place| usize::try_from(place).ok());
    place
        .and_then(|place| GRAPHICS.chars().nth(place))
        .unwrap_or(letter)
}
