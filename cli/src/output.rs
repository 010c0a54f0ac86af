//! The only printer: tables or JSON on stdout, notes and faults on stderr. All of it is made harmless for a terminal.

use std::io::{self, IsTerminal, Write};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use serde_json::Value;
use sshmcp_proto::advice;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Stream;
use tokio::io::AsyncWriteExt;

use crate::sanitise::{self, Filter, Keep};
use crate::{error, terminal};

/// How a word in a table is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As the rest.
    Plain,
    /// What one looks for first.
    Strong,
    /// All is well.
    Good,
    /// Something goes on, or wants somebody.
    Busy,
    /// Something is wrong.
    Bad,
    /// Less important.
    Faint,
}

impl Tone {
    /// The parameters of the colour sequence.
    const fn sgr(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Good => Some("32"),
            Self::Busy => Some("33"),
            Self::Bad => Some("31"),
            Self::Faint => Some("2"),
        }
    }
}

/// One entry of a table.
#[derive(Clone, Debug)]
pub(crate) struct Entry(pub(crate) String, pub(crate) Tone);

impl<T: Into<String>> From<T> for Entry {
    fn from(text: T) -> Self {
        Self(text.into(), Tone::Plain)
    }
}

/// Where to and how to print.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    json: bool,
    /// The terminal's width if stdout is one.
    width: Option<u16>,
    colour: bool,
    colour_stderr: bool,
}

impl Output {
    /// As the flags, the terminal and `NO_COLOR` have it.
    pub(crate) fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let is_terminal = io::stdout().is_terminal();
        Self {
            json,
            width: is_terminal.then(|| terminal::size().0),
            colour: wanted && is_terminal,
            colour_stderr: wanted && io::stderr().is_terminal(),
        }
    }

    /// True if a program reads it.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a JSON value on stdout.
    pub(crate) fn json(&self, value: &Value) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", sanitise::json(&text))?;
        stdout.flush()
    }

    /// Prints a JSON value in one line on stdout, for values that come one after another.
    pub(crate) fn json_line(&self, value: &Value) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", sanitise::json(&value.to_string()))?;
        stdout.flush()
    }

    /// Prints a table on stdout: fitted to a terminal's width, plain columns elsewhere. `empty` stands for no rows.
    pub(crate) fn table(&self, heads: &[&str], rows: Vec<Vec<Entry>>, empty: &str) -> io::Result<()> {
        if rows.is_empty() {
            return self.line(empty);
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(heads.iter().map(|head| self.cell(head, Tone::Faint)));
        for row in rows {
            table.add_row(
                row.iter()
                    .map(|Entry(text, tone)| self.cell(&sanitise::line(text), *tone)),
            );
        }
        self.print_table(table)
    }

    /// Prints names and values, one a line.
    pub(crate) fn pairs(&self, pairs: Vec<(&str, Entry)>) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        for (name, Entry(text, tone)) in pairs {
            if !text.is_empty() {
                table.add_row([
                    self.cell(name, Tone::Faint),
                    self.cell(&sanitise::line(&text), tone),
                ]);
            }
        }
        self.print_table(table)
    }

    fn print_table(&self, mut table: Table) -> io::Result<()> {
        match self.width {
            Some(width) => {
                table.set_content_arrangement(ContentArrangement::Dynamic);
                table.set_width(width);
                if self.colour {
                    table.enforce_styling();
                }
            }
            None => {
                table.force_no_tty();
                table.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let mut stdout = io::stdout().lock();
        for line in table.lines() {
            writeln!(stdout, "{}", line.trim_end())?;
        }
        stdout.flush()
    }

    fn cell(&self, text: &str, tone: Tone) -> Cell {
        let cell = Cell::new(text);
        if !self.colour {
            return cell;
        }
        match tone {
            Tone::Plain => cell,
            Tone::Strong => cell.add_attribute(Attribute::Bold),
            Tone::Good => cell.fg(Color::Green),
            Tone::Busy => cell.fg(Color::Yellow),
            Tone::Bad => cell.fg(Color::Red),
            Tone::Faint => cell.add_attribute(Attribute::Dim),
        }
    }

    /// Prints one line on stdout.
    pub(crate) fn line(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", sanitise::line(text))?;
        stdout.flush()
    }

    /// Prints one line of differently meant pieces on stdout.
    pub(crate) fn pieces(&self, pieces: &[(&str, Tone)]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        for (text, tone) in pieces {
            let text = sanitise::inside_line(text);
            match (self.colour, tone.sgr()) {
                (true, Some(sgr)) => write!(stdout, "\x1b[{sgr}m{text}\x1b[0m")?,
                _ => write!(stdout, "{text}")?,
            }
        }
        writeln!(stdout)?;
        stdout.flush()
    }

    /// Prints a line of a change (`+`, `-` or a blank before it) on stdout.
    pub(crate) fn change(&self, line: &str) -> io::Result<()> {
        let tone = match line.chars().next() {
            Some('+') => Tone::Good,
            Some('-') => Tone::Bad,
            _ => Tone::Faint,
        };
        self.pieces(&[(line, tone)])
    }

    /// Prints text of several lines on stdout; it ends with a line end.
    pub(crate) fn text(&self, text: &str) -> io::Result<()> {
        let safe = sanitise::text(text);
        let mut stdout = io::stdout().lock();
        stdout.write_all(safe.as_bytes())?;
        if !safe.is_empty() && !safe.ends_with('\n') {
            stdout.write_all(b"\n")?;
        }
        stdout.flush()
    }

    /// Prints bytes that a command wrote, as they are for a pipe or file and made harmless for a terminal.
    pub(crate) fn command_text(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let mut filter = Filter::new(Keep::Colours);
        let mut stdout = io::stdout().lock();
        let mut stderr = io::stderr().lock();
        let (writer, is_terminal): (&mut dyn Write, bool) = if stream == Stream::Stderr {
            let is_terminal = stderr.is_terminal();
            (&mut stderr, is_terminal)
        } else {
            let is_terminal = stdout.is_terminal();
            (&mut stdout, is_terminal)
        };
        if is_terminal {
            writer.write_all(&filter.feed(bytes))?;
            writer.write_all(&filter.finish())?;
            if !bytes.is_empty() && !bytes.ends_with(b"\n") {
                writer.write_all(b"\n")?;
            }
        } else {
            writer.write_all(bytes)?;
        }
        writer.flush()
    }

    /// Says something to the person on stderr that is no result.
    pub(crate) fn note(&self, text: &str) -> io::Result<()> {
        let (faint, reset) = if self.colour_stderr {
            ("\x1b[2m", "\x1b[0m")
        } else {
            ("", "")
        };
        writeln!(
            io::stderr().lock(),
            "{faint}sshctl: {}{reset}",
            sanitise::line(&advice::for_people(text))
        )
    }

    /// Prints a fault on stderr (as JSON on stdout where a program reads).
    pub(crate) fn fault(&self, fault: &Fault, heading: &str) -> io::Result<()> {
        if self.json {
            return self.json(&error::to_json(fault));
        }
        let (red, reset) = if self.colour_stderr {
            ("\x1b[1;31m", "\x1b[0m")
        } else {
            ("", "")
        };
        let mut stderr = io::stderr().lock();
        writeln!(
            stderr,
            "{red}sshctl: {heading}{reset}: {}",
            sanitise::line(&fault.message)
        )?;
        if !fault.hint.is_empty() {
            writeln!(stderr, "  {}", sanitise::line(&fault.hint))?;
        }
        Ok(())
    }
}

/// The way of a running command's output to stdout and stderr.
#[derive(Debug)]
pub(crate) struct Sink {
    stdout: tokio::io::Stdout,
    stderr: tokio::io::Stderr,
    /// Each set if that one is a terminal.
    stdout_filter: Option<Filter>,
    stderr_filter: Option<Filter>,
}

impl Sink {
    /// To our own stdout and stderr.
    pub(crate) fn new() -> Self {
        let filter = |is_terminal: bool| is_terminal.then(|| Filter::new(Keep::Colours));
        Self {
            stdout: tokio::io::stdout(),
            stderr: tokio::io::stderr(),
            stdout_filter: filter(io::stdout().is_terminal()),
            stderr_filter: filter(io::stderr().is_terminal()),
        }
    }

    /// The same, and made harmless also for what is no terminal now: a file may be shown on one later.
    pub(crate) fn harmless() -> Self {
        Self {
            stdout_filter: Some(Filter::new(Keep::Colours)),
            stderr_filter: Some(Filter::new(Keep::Colours)),
            ..Self::new()
        }
    }

    /// Passes on a piece.
    pub(crate) async fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        match stream {
            Stream::Stderr => match &mut self.stderr_filter {
                Some(filter) => self.stderr.write_all(&filter.feed(bytes)).await?,
                None => self.stderr.write_all(bytes).await?,
            },
            Stream::Stdout | Stream::Unspecified => match &mut self.stdout_filter {
                Some(filter) => self.stdout.write_all(&filter.feed(bytes)).await?,
                None => self.stdout.write_all(bytes).await?,
            },
        }
        self.stdout.flush().await?;
        self.stderr.flush().await
    }

    /// Ends both.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        if let Some(filter) = &mut self.stdout_filter {
            self.stdout.write_all(&filter.finish()).await?;
        }
        if let Some(filter) = &mut self.stderr_filter {
            self.stderr.write_all(&filter.finish()).await?;
        }
        self.stdout.flush().await?;
        self.stderr.flush().await
    }
}
