//! What a caller is given of an output: at most so many characters, cut where a reader would cut, with every byte
//! accounted for. Cleaning changes lengths, so each cut is a raw offset, and each part is cleaned by itself.

use super::{
    Output, StreamKind,
    fit::{self, Part},
    render::{Rendered, clip, render},
};
use crate::terminal::clean::Cleaner;

/// Raw bytes up to which an output is cleaned as a whole to see whether it fits: a progress display may shrink to one
/// line.
const TRY_WHOLE: u64 = 8 << 20;

/// Text above the current line that the cursor may still change, about: more than this is taken for settled.
const UNSETTLED: usize = 64 << 10;

/// By how many characters notes grow at most where less of an output is shown.
const NOTE_GROWS: usize = 8;

/// Bytes read at once while streaming.
const READ_BYTES: usize = 256 << 10;

/// Output as a caller is given it: cleaned UTF-8, or the bytes if raw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Raw bytes between the first and the last of this view that it does not show, or that were asked for before them.
    pub omitted_bytes: u64,
    /// Where to go on reading.
    pub offset: u64,
    /// What is left out and how to read it, where the text itself does not say so; empty if nothing is.
    pub words: String,
}

impl View {
    /// This part, and nothing left out.
    fn of(rendered: Rendered, offset: u64) -> Self {
        Self {
            stdout: rendered.stdout,
            stderr: rendered.stderr,
            offset,
            ..Self::default()
        }
    }
}

/// The whole output in at most `limit` characters (bytes if raw) of both streams together: all of it, or head and tail; in
/// text a stream that has little is all there, for what a program says on stderr comes anywhere in a long stdout.
/// In text a line between them says exactly what was left out and how to read it; where the limit leaves too little room
/// for that it only says how much, and the view's words the rest; where it leaves none, the line comes on top. Of bytes
/// the view's words say so.
pub fn whole(output: &Output, limit: usize, raw: bool, hint_id: &str) -> View {
    spelled(limit, raw, |limit| with_note(output, limit, raw, hint_id))
}

/// A limit is worth a note that takes no more than half of it.
fn with_note(output: &Output, limit: usize, raw: bool, hint_id: &str) -> View {
    let kept = if raw { None } else { kept(output, limit) };
    let kept = kept.as_ref();
    let (on_top, noted) = whole_within(output, limit, raw, hint_id, false, kept);
    let is_within = |view: &View| chars(&view.stdout) + chars(&view.stderr) <= limit;
    if raw || is_within(&on_top) {
        return on_top;
    }
    let (_, short) = whole_within(output, limit, raw, hint_id, true, kept);
    for (is_short, mut noted) in [(false, noted), (true, short)] {
        loop {
            let room = noted + NOTE_GROWS;
            if room * 2 > limit {
                break;
            }
            let (view, now) = whole_within(output, limit - room, raw, hint_id, is_short, kept);
            if is_within(&view) {
                return view;
            }
            // Now the other stream may need one, too.
            if now <= noted {
                break;
            }
            noted = now;
        }
    }
    on_top
}

/// A stream of which all is shown though not all of the other is: it takes a quarter of the limit at most.
struct Kept {
    stream: StreamKind,
    text: String,
}

/// The stream that has little, if not all fits; of very much nothing is looked for.
fn kept(output: &Output, limit: usize) -> Option<Kept> {
    let (end, most) = (output.settled(), limit / 4);
    if output.dropped() > 0 || end > TRY_WHOLE {
        return None;
    }
    let is_little = |stream: &StreamKind| (1..=most as u64).contains(&output.total_of(*stream));
    let stream = [StreamKind::Stderr, StreamKind::Stdout]
        .into_iter()
        .find(is_little)?;
    let (mut cleaner, mut at) = (Cleaner::new(), 0);
    while at < end {
        let pieces = output.read(at, READ_BYTES);
        for piece in &pieces {
            if piece.offset != at {
                // The disk does not give everything back.
                return None;
            }
            at = piece.end();
            if piece.stream == stream {
                for text in output.drawn.text(piece.offset, clip(piece, 0, end)) {
                    cleaner.feed(text);
                }
            }
        }
        if pieces.is_empty() {
            return None;
        }
    }
    let text = cleaner.finish();
    (text.chars().count() <= most).then_some(Kept { stream, text })
}

fn chars(bytes: &[u8]) -> usize {
    String::from_utf8_lossy(bytes).chars().count()
}

/// Bytes that are no text are spelled in base64, in four characters for three of them: then fewer fit.
fn spelled(limit: usize, raw: bool, view: impl Fn(usize) -> View) -> View {
    let all = view(limit);
    let length = |bytes: &[u8]| {
        if std::str::from_utf8(bytes).is_ok() {
            bytes.len()
        } else {
            bytes.len().div_ceil(3) * 4
        }
    };
    if raw && length(&all.stdout) + length(&all.stderr) > limit {
        // Each stream is filled up to a multiple of four.
        return view((limit / 4 * 3).saturating_sub(4).max(1));
    }
    all
}

/// The view, and how many characters of it are notes.
fn whole_within(
    output: &Output,
    limit: usize,
    raw: bool,
    hint_id: &str,
    is_short: bool,
    kept: Option<&Kept>,
) -> (View, usize) {
    let end = output.settled();
    if let Some(all) = try_whole(output, end, limit, raw) {
        return (View::of(all, end), 0);
    }
    let limit = limit.saturating_sub(kept.map_or(0, |kept| kept.text.chars().count()));
    let stop = output.gap_from(0).map_or(end, |(start, _)| start.min(end));
    let mut head = fit::head(output, 0, stop, limit / 2, raw);
    let floor = head.end.max(output.contiguous_from());
    let tail = fit::tail(output, floor, end, limit - head.rendered.chars.min(limit), raw);
    let mut held = [0, 0];
    for piece in output.read(end, usize::try_from(output.total() - end).unwrap_or(usize::MAX)) {
        let [stdout, stderr] = &mut held;
        *match piece.stream {
            StreamKind::Stdout => stdout,
            StreamKind::Stderr => stderr,
        } += piece.data.len() as u64;
    }
    let [stdout_held, stderr_held] = held;
    let is_cut = |stream| kept.is_none_or(|kept| kept.stream != stream);
    let left_out = |head: &Part| {
        let of = |stream, held| {
            if is_cut(stream) {
                output.total_of(stream) - held - head.shown(stream) - tail.shown(stream)
            } else {
                0
            }
        };
        Left {
            stdout: of(StreamKind::Stdout, stdout_held),
            stderr: of(StreamKind::Stderr, stderr_held),
        }
    };
    if !raw
        && left_out(&head).is_nothing()
        && let Some(last) = last_byte(output, head.end, is_cut)
    {
        // By themselves both are shorter than together: what is written behind an erased line stands behind its blanks.
        // As all of it does not fit, something is left out.
        let budget = limit.saturating_sub(tail.rendered.chars).min(limit / 2);
        head = fit::head(output, 0, last, budget, raw);
        if head.rendered.chars > budget {
            head = Part::empty(0);
        }
    }
    let left_out = left_out(&head);
    let omitted = match kept {
        Some(_) => left_out.stdout + left_out.stderr,
        None => tail.start - head.end,
    };
    let mut view = View {
        omitted_bytes: omitted,
        ..View::of(head.rendered, end)
    };
    let mut noted = 0;
    if omitted > 0 {
        let lost = match output.dropped() {
            0 => String::new(),
            dropped => format!("; {dropped} of them were dropped for good, past the limit of what is kept"),
        };
        let (from, to) = (head.end, tail.start);
        if raw {
            view.words = format!(
                "{omitted} bytes are left out ({} from offset {from} to {to}){lost}; get_command_output offset={from} reads them",
                left_out.places(view.stdout.len(), view.stderr.len()),
            );
        } else {
            let place = format!("({} from offset {from} to {to}){lost}", left_out.streams());
            let note = if is_short {
                view.words = format!(
                    "{omitted} bytes are left out {place}; get_command_output offset={from} reads them"
                );
                format!("[… {omitted} bytes left out …]\n")
            } else {
                format!(
                    "[… {omitted} bytes left out {place}; get_command_output command_id={hint_id} offset={from} reads them …]\n"
                )
            };
            if left_out.stdout > 0 {
                noted += push_line(&mut view.stdout, &note);
            }
            if left_out.stderr > 0 {
                noted += push_line(&mut view.stderr, &note);
            }
        }
    }
    view.stdout.extend_from_slice(&tail.rendered.stdout);
    view.stderr.extend_from_slice(&tail.rendered.stderr);
    if let Some(Kept { stream, text }) = kept {
        let shown = match stream {
            StreamKind::Stdout => &mut view.stdout,
            StreamKind::Stderr => &mut view.stderr,
        };
        *shown = text.clone().into_bytes();
    }
    (view, noted)
}

/// Where the last byte before `end` is that belongs to one of these streams.
fn last_byte(output: &Output, end: u64, is_of: impl Fn(StreamKind) -> bool) -> Option<u64> {
    let pieces = output.read(0, usize::try_from(end).unwrap_or(usize::MAX));
    let last = pieces.iter().rev().find(|piece| is_of(piece.stream))?;
    Some(last.end().min(end).saturating_sub(1))
}

/// How many bytes of each stream are left out.
struct Left {
    stdout: u64,
    stderr: u64,
}

impl Left {
    const fn is_nothing(&self) -> bool {
        self.stdout == 0 && self.stderr == 0
    }

    /// Of which streams.
    const fn streams(&self) -> &'static str {
        match (self.stdout, self.stderr) {
            (_, 0) => "stdout",
            (0, _) => "stderr",
            _ => "stdout and stderr",
        }
    }

    /// Of which streams, and behind how many bytes of each.
    fn places(&self, stdout: usize, stderr: usize) -> String {
        let place = |name, left: u64, shown| format!("{left} of {name} behind its first {shown}");
        let (of_stdout, of_stderr) = (
            place("stdout", self.stdout, stdout),
            place("stderr", self.stderr, stderr),
        );
        match (self.stdout, self.stderr) {
            (_, 0) => of_stdout,
            (0, _) => of_stderr,
            _ => format!("{of_stdout}, {of_stderr}"),
        }
    }
}

/// Output from offset `from` on in at most `limit` characters (bytes if raw); the view's `offset` is where to go on.
/// At a dropped range it stops, or, if that is where it begins, passes over it and counts it. As long as there is
/// anything settled behind `from`, it goes on by at least one character, however that is spelled.
pub fn forward(output: &Output, from: u64, limit: usize, raw: bool) -> View {
    spelled(limit, raw, |limit| forward_within(output, from, limit, raw))
}

fn forward_within(output: &Output, from: u64, limit: usize, raw: bool) -> View {
    let mut start = from.min(output.total());
    let mut stop = output.settled().max(start);
    let mut omitted = 0;
    if let Some((gap, end)) = output.gap_from(start) {
        if gap <= start {
            omitted = end - start;
            start = end;
            stop = output.gap_from(start).map_or(stop, |(next, _)| next.min(stop));
        } else {
            stop = gap.min(stop);
        }
    }
    let mut head = fit::head(output, start, stop, limit, raw);
    if head.end == start
        && start < stop
        && let Some(least) = fit::least(output, start, stop, raw)
    {
        head = least;
    }
    let mut end = head.end;
    if end == start && start < stop {
        // The disk does not give these bytes back.
        let next = output.read(start, 1).first().map_or(stop, |piece| piece.offset);
        omitted += next - start;
        end = next;
    }
    View {
        omitted_bytes: omitted,
        ..View::of(head.rendered, end)
    }
}

/// The last `lines` lines, of both streams together as they arrived, in at most `limit` characters (bytes if raw): of
/// more, their end. Lines are counted before cleaning, so that a progress display makes them fewer.
pub fn tail(output: &Output, lines: usize, limit: usize, raw: bool) -> View {
    let end = output.settled();
    let start = lines_start(output, end, lines);
    spelled(limit, raw, |limit| {
        let part = fit::tail(output, start, end, limit, raw);
        let omitted = part.start - start;
        let words = if omitted > 0 {
            format!(
                "{omitted} bytes at the beginning of these lines are left out; get_command_output offset={start} reads them"
            )
        } else {
            String::new()
        };
        View {
            omitted_bytes: omitted,
            words,
            ..View::of(part.rendered, end)
        }
    })
}

/// Where the last `lines` lines before `end` begin; of what is kept, where there are fewer.
fn lines_start(output: &Output, end: u64, lines: usize) -> u64 {
    let floor = output.contiguous_from().min(end);
    let (mut at, mut left) = (end, lines);
    if lines == 0 {
        return end;
    }
    while at > floor {
        let from = at.saturating_sub(READ_BYTES as u64).max(floor);
        let pieces = output.read(from, usize::try_from(at - from).unwrap_or(usize::MAX));
        for piece in pieces.iter().rev() {
            for newline in memchr::memrchr_iter(b'\n', &piece.data) {
                let behind = piece.offset + newline as u64 + 1;
                if behind >= end {
                    continue;
                }
                left -= 1;
                if left == 0 {
                    return behind;
                }
            }
        }
        at = from;
    }
    floor
}

fn try_whole(output: &Output, total: u64, limit: usize, raw: bool) -> Option<Rendered> {
    if output.dropped() > 0 || total > TRY_WHOLE || (raw && total > limit as u64) {
        return None;
    }
    if raw {
        let pieces = output.read(0, usize::try_from(total).unwrap_or(limit));
        let read = pieces.iter().map(|piece| piece.data.len() as u64).sum::<u64>();
        return (read == total).then(|| render(output, &pieces, 0, total, true));
    }
    let (mut stdout, mut stderr) = (Cleaner::new(), Cleaner::new());
    let mut at = 0;
    while at < total {
        let pieces = output.read(at, READ_BYTES);
        for piece in &pieces {
            if piece.offset != at {
                // The disk does not give everything back.
                return None;
            }
            at = piece.end();
            let target = match piece.stream {
                StreamKind::Stdout => &mut stdout,
                StreamKind::Stderr => &mut stderr,
            };
            for text in output.drawn.text(piece.offset, clip(piece, 0, total)) {
                target.feed(text);
            }
        }
        // A character has at most four bytes.
        if pieces.is_empty() || stdout.done_len() + stderr.done_len() > limit.saturating_mul(4) + UNSETTLED {
            return None;
        }
    }
    let all = Rendered::from_text(stdout.finish(), stderr.finish());
    (all.chars <= limit).then_some(all)
}

/// Adds a line; gives how many characters that took at most.
fn push_line(text: &mut Vec<u8>, line: &str) -> usize {
    if text.last().is_some_and(|&byte| byte != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(line.as_bytes());
    line.chars().count() + 1
}
