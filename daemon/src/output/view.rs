//! What a caller is given of an output: at most so many characters, cut where a reader would cut, with every byte
//! accounted for. Cleaning changes lengths, so each cut is a raw offset, and each part is cleaned by itself.
//!
//! Only windows of bounded size are looked at, never a whole large output.

use super::{
    Output, Piece, StreamKind,
    render::{Rendered, cuts, poor_cuts, render},
};
use crate::terminal::clean::Cleaner;

/// Raw bytes up to which an output is cleaned as a whole to see whether it fits: a progress display may shrink to one
/// line.
const TRY_WHOLE: u64 = 8 << 20;

/// Smallest and largest stretch of raw bytes looked at for one end of a cut output.
const WINDOW_MIN: usize = 4 << 10;
const WINDOW_MAX: usize = 256 << 10;

/// Smallest limit that is honoured: one character may be spelled out as this many.
const LIMIT_MIN: usize = 16;

/// Text above the current line that the cursor may still change, about: more than this is taken for settled.
const UNSETTLED: usize = 64 << 10;

/// Bytes read at once while streaming.
const READ_BYTES: usize = 256 << 10;

/// Output as a caller is given it: cleaned UTF-8, or the bytes if raw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Raw bytes between the first and the last of this view that it does not show.
    pub omitted_bytes: u64,
    /// Where to go on reading.
    pub offset: u64,
}

/// The whole output in at most `limit` characters (bytes if raw) of both streams together: all of it, or head and tail
/// with a line between them that says exactly what was left out and how to read it. That line comes on top.
pub fn whole(output: &Output, limit: usize, raw: bool, hint_id: &str) -> View {
    let limit = limit.max(LIMIT_MIN);
    let total = output.total();
    if let Some(all) = try_whole(output, limit, raw) {
        return View {
            stdout: all.stdout,
            stderr: all.stderr,
            omitted_bytes: 0,
            offset: total,
        };
    }
    let stop = output.gap_from(0).map_or(total, |(start, _)| start);
    let mut head = fit_head(output, 0, stop, limit / 2, raw);
    let floor = head.end.max(output.contiguous_from());
    let tail = fit_tail(output, floor, limit - head.rendered.chars.min(limit), raw);
    if tail.start == head.end && head.end > 0 && !raw {
        // By themselves both are shorter than together: what is written behind an erased line stands behind its blanks.
        // As all of it does not fit, something is left out.
        let budget = limit.saturating_sub(tail.rendered.chars).min(limit / 2);
        head = fit_head(output, 0, head.end - 1, budget, raw);
        if head.rendered.chars > budget {
            head = Part::new(output, &[], 0, 0, raw);
        }
    }
    let omitted = tail.start - head.end;
    let left_out = |stream| output.total_of(stream) - head.shown(stream) - tail.shown(stream);
    let (stdout, stderr) = (left_out(StreamKind::Stdout), left_out(StreamKind::Stderr));
    let mut view = View {
        stdout: head.rendered.stdout,
        stderr: head.rendered.stderr,
        omitted_bytes: omitted,
        offset: total,
    };
    if omitted > 0 {
        let streams = match (stdout, stderr) {
            (_, 0) => "stdout",
            (0, _) => "stderr",
            _ => "stdout and stderr",
        };
        let lost = match output.dropped() {
            0 => String::new(),
            dropped => format!("; {dropped} of them were dropped for good, past the limit of what is kept"),
        };
        let note = format!(
            "[… {omitted} bytes left out ({streams} from offset {} to {}){lost}; get_command_output \
             command_id={hint_id} offset={} reads them …]\n",
            head.end, tail.start, head.end
        );
        if stdout > 0 {
            push_line(&mut view.stdout, &note);
        }
        if stderr > 0 {
            push_line(&mut view.stderr, &note);
        }
    }
    view.stdout.extend_from_slice(&tail.rendered.stdout);
    view.stderr.extend_from_slice(&tail.rendered.stderr);
    view
}

/// Output from offset `from` on in at most `limit` characters (bytes if raw); the view's `offset` is where to go on.
/// At a dropped range it stops, or, if that is where it begins, passes over it and counts it. As long as there is
/// anything behind `from`, it goes on.
pub fn forward(output: &Output, from: u64, limit: usize, raw: bool) -> View {
    let limit = limit.max(LIMIT_MIN);
    let mut start = from.min(output.total());
    let mut stop = output.total();
    let mut omitted = 0;
    if let Some((gap, end)) = output.gap_from(start) {
        if gap <= start {
            omitted = end - start;
            start = end;
            stop = output.gap_from(start).map_or(stop, |(next, _)| next);
        } else {
            stop = gap;
        }
    }
    let head = fit_head(output, start, stop, limit, raw);
    let mut end = head.end;
    if end == start && start < stop {
        // The disk does not give these bytes back.
        let next = output.read(start, 1).first().map_or(stop, |piece| piece.offset);
        omitted += next - start;
        end = next;
    }
    View {
        stdout: head.rendered.stdout,
        stderr: head.rendered.stderr,
        omitted_bytes: omitted,
        offset: end,
    }
}

/// The last `lines` lines, of both streams together as they arrived, in at most `limit` characters (bytes if raw).
/// Lines are counted before cleaning, so that a progress display makes them fewer.
pub fn tail(output: &Output, lines: usize, limit: usize, raw: bool) -> View {
    let limit = limit.max(LIMIT_MIN);
    let floor = output.contiguous_from();
    let mut window = WINDOW_MIN;
    let start = loop {
        let from = output.total().saturating_sub(window as u64).max(floor);
        if let Some(start) = line_from_end(&output.read(from, window), lines) {
            break start;
        }
        if from == floor || window >= WINDOW_MAX {
            break floor;
        }
        window *= 4;
    };
    let part = fit_tail(output, start, limit, raw);
    View {
        stdout: part.rendered.stdout,
        stderr: part.rendered.stderr,
        omitted_bytes: 0,
        offset: output.total(),
    }
}

/// Where the last `lines` lines of these pieces begin; none if they have no more than those.
fn line_from_end(pieces: &[Piece], lines: usize) -> Option<u64> {
    let end = pieces.last()?.end();
    let mut left = lines;
    for piece in pieces.iter().rev() {
        for at in memchr::memrchr_iter(b'\n', &piece.data) {
            let behind = piece.offset + at as u64 + 1;
            if behind == end && lines > 0 {
                continue;
            }
            left = match left.checked_sub(1) {
                None | Some(0) => return Some(behind),
                Some(left) => left,
            };
        }
    }
    None
}

fn try_whole(output: &Output, limit: usize, raw: bool) -> Option<Rendered> {
    let total = output.total();
    if output.dropped() > 0 || total > TRY_WHOLE || (raw && total > limit as u64) {
        return None;
    }
    if raw {
        let pieces = output.read(0, limit);
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
            for text in output.drawn.text(piece.offset, &piece.data) {
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

/// A part of the output that fits, and what it shows of each stream.
struct Part {
    start: u64,
    end: u64,
    rendered: Rendered,
    shown: [u64; 2],
}

impl Part {
    fn new(output: &Output, pieces: &[Piece], start: u64, end: u64, raw: bool) -> Self {
        let mut shown = [0; 2];
        for piece in pieces {
            let len = piece.end().min(end).saturating_sub(piece.offset.max(start));
            let [stdout, stderr] = &mut shown;
            match piece.stream {
                StreamKind::Stdout => *stdout += len,
                StreamKind::Stderr => *stderr += len,
            }
        }
        Self {
            start,
            end,
            rendered: render(output, pieces, start, end, raw),
            shown,
        }
    }

    const fn shown(&self, stream: StreamKind) -> u64 {
        let [stdout, stderr] = self.shown;
        match stream {
            StreamKind::Stdout => stdout,
            StreamKind::Stderr => stderr,
        }
    }
}

/// The longest part from `start` that ends at `stop` or at a good place before it and fits into `budget`. Whatever
/// `start..stop` has of unfinished characters or sequences at its end is left for the next part, if it is not all.
fn fit_head(output: &Output, start: u64, stop: u64, budget: usize, raw: bool) -> Part {
    let mut window = budget.saturating_mul(2).clamp(WINDOW_MIN, WINDOW_MAX);
    let (pieces, end, fits) = loop {
        let size = window.min(usize::try_from(stop.saturating_sub(start)).unwrap_or(usize::MAX));
        let pieces = contiguous(output.read(start, size), start);
        let end = pieces.last().map_or(start, Piece::end);
        let fits = render(output, &pieces, start, end, raw).chars <= budget;
        if !fits || end >= stop || window >= WINDOW_MAX || pieces.is_empty() {
            break (pieces, end, fits);
        }
        window *= 4;
    };
    let cuts = cuts(&pieces, raw);
    let fit = |end: u64| render(output, &pieces, start, end, raw).chars;
    let cut = if fits {
        // Without the end, that may erase much, it may be more.
        let last = cuts.all.last().copied();
        last.filter(|&cut| fit(cut) <= budget).unwrap_or(end)
    } else {
        let line = last_fitting(&cuts.lines, budget, fit).unwrap_or(start);
        if line > start && fit(line) >= budget - budget / 4 {
            line
        } else {
            let inner = cuts.all.get(cuts.all.partition_point(|&cut| cut <= line)..);
            last_fitting(inner.unwrap_or_default(), budget, fit).unwrap_or(line)
        }
    };
    if cut > start {
        return Part::new(output, &pieces, start, cut, raw);
    }
    // One sequence or cluster, or streams that break into each other's, longer than the budget.
    let cut = last_fitting(&poor_cuts(&pieces).all, budget, fit).unwrap_or(end);
    Part::new(output, &pieces, start, cut, raw)
}

/// The longest part from `floor`, or from a good place behind it, to the end of the output that fits into `budget`.
fn fit_tail(output: &Output, floor: u64, budget: usize, raw: bool) -> Part {
    let total = output.total();
    let mut window = budget.saturating_mul(2).clamp(WINDOW_MIN, WINDOW_MAX);
    let (pieces, start) = loop {
        let start = total.saturating_sub(window as u64).max(floor);
        let mut pieces = output.read(start, window);
        if let Some(broken) = pieces.windows(2).rposition(|pair| match pair {
            [a, b] => a.end() != b.offset,
            _ => false,
        }) {
            pieces.drain(..=broken);
        }
        let start = pieces.first().map_or(total, |piece| piece.offset);
        let fits = render(output, &pieces, start, total, raw).chars <= budget;
        if fits && start <= floor {
            return Part::new(output, &pieces, start, total, raw);
        }
        if !fits || window >= WINDOW_MAX || pieces.is_empty() {
            break (pieces, start);
        }
        window *= 4;
    };
    let mut cuts = cuts(&pieces, raw);
    // From the end backwards, so that a longer part comes later, as at the head.
    cuts.lines.reverse();
    cuts.all.reverse();
    let fit = |start: u64| render(output, &pieces, start, total, raw).chars;
    let line = last_fitting(&cuts.lines, budget, fit).unwrap_or(total);
    let cut = if line < total && fit(line) >= budget - budget / 4 {
        line
    } else {
        let inner = cuts.all.get(cuts.all.partition_point(|&cut| cut >= line)..);
        last_fitting(inner.unwrap_or_default(), budget, fit).unwrap_or(line)
    };
    Part::new(output, &pieces, cut.max(start), total, raw)
}

/// The pieces up to the first that does not follow its neighbour.
fn contiguous(mut pieces: Vec<Piece>, start: u64) -> Vec<Piece> {
    let mut at = start;
    let good = pieces
        .iter()
        .take_while(|piece| piece.offset == std::mem::replace(&mut at, piece.end()))
        .count();
    pieces.truncate(good);
    pieces
}

/// The last of these cuts whose text fits, as far as a search by halves finds it: what it finds does fit.
fn last_fitting(cuts: &[u64], budget: usize, chars: impl Fn(u64) -> usize) -> Option<u64> {
    let mut best = None;
    let (mut low, mut high) = (0, cuts.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let &cut = cuts.get(middle)?;
        if chars(cut) <= budget {
            best = Some(cut);
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    best
}

fn push_line(text: &mut Vec<u8>, line: &str) {
    if text.last().is_some_and(|&byte| byte != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(line.as_bytes());
}
