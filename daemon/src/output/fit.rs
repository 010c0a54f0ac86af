//! The longest part at one end of an output that fits into so many characters, cut where a reader would cut. Only windows
//! of bounded size are looked at, never a whole large output.

use super::{
    Output, Piece, StreamKind,
    render::{Rendered, cuts, poor_cuts, render, unfinished},
};
use crate::terminal::clean::clean;

/// Smallest and largest stretch of raw bytes looked at for one end of a cut output.
const WINDOW_MIN: usize = 4 << 10;
const WINDOW_MAX: usize = 256 << 10;

/// A part of the output that fits, and what it shows of each stream.
pub(super) struct Part {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) rendered: Rendered,
    shown: [u64; 2],
}

impl Part {
    /// What `start..end` of these pieces shows.
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

    /// No bytes, at `at`.
    pub(super) fn empty(at: u64) -> Self {
        Self {
            start: at,
            end: at,
            rendered: Rendered::default(),
            shown: [0; 2],
        }
    }

    /// Raw bytes of `stream` that it covers.
    pub(super) const fn shown(&self, stream: StreamKind) -> u64 {
        let [stdout, stderr] = self.shown;
        match stream {
            StreamKind::Stdout => stdout,
            StreamKind::Stderr => stderr,
        }
    }
}

/// The longest part from `start` that ends at `stop` or at a good place before it and fits into `budget`. Whatever
/// `start..stop` has of unfinished characters or sequences at its end is left for the next part, if it is not all. Nothing
/// fits where the first character alone is more than the budget.
pub(super) fn head(output: &Output, start: u64, stop: u64, budget: usize, raw: bool) -> Part {
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
    match last_fitting(&poor_cuts(&pieces).all, budget, fit) {
        Some(cut) => Part::new(output, &pieces, start, cut, raw),
        None if fits => Part::new(output, &pieces, start, end, raw),
        None => Part::empty(start),
    }
}

/// The first character from `start` on, however it is spelled; none if there are no bytes to be had.
pub(super) fn least(output: &Output, start: u64, stop: u64, raw: bool) -> Option<Part> {
    let size = usize::try_from(stop.saturating_sub(start)).unwrap_or(usize::MAX);
    let pieces = contiguous(output.read(start, size.min(WINDOW_MIN)), start);
    let end = pieces.last()?.end();
    let cuts = poor_cuts(&pieces);
    let shows = |cut: &u64| render(output, &pieces, start, *cut, raw).chars > 0;
    let cut = cuts.all.iter().copied().find(shows).unwrap_or(end);
    Some(Part::new(output, &pieces, start, cut, raw))
}

/// The longest part from `floor`, or from a good place behind it, to `end` that fits into `budget`.
pub(super) fn tail(output: &Output, floor: u64, end: u64, budget: usize, raw: bool) -> Part {
    let total = end;
    let mut window = budget.saturating_mul(2).clamp(WINDOW_MIN, WINDOW_MAX);
    let (pieces, start) = loop {
        let start = total.saturating_sub(window as u64).max(floor);
        let size = usize::try_from(total.saturating_sub(start)).unwrap_or(usize::MAX);
        let mut pieces = output.read(start, size.min(window));
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

/// The beginning of a terminal's bytes that has at most `budget` characters when it is cleaned: that text, and how many
/// bytes it is made of. As long as there are any, it is of one character at least.
pub fn prefix(bytes: &[u8], budget: usize) -> (String, usize) {
    let all = clean(bytes);
    if all.chars().count() <= budget {
        return (all, bytes.len());
    }
    let cuts = cuts(&[terminals(bytes)], false);
    let upto = |cut: u64| usize::try_from(cut - BEGIN).unwrap_or(usize::MAX);
    let text = |cut: u64| clean(bytes.get(..upto(cut)).unwrap_or_default());
    let fit = |cut: u64| text(cut).chars().count();
    let cut = last_fitting(&cuts.lines, budget, fit).or_else(|| last_fitting(&cuts.all, budget, fit));
    match cut.or_else(|| cuts.all.first().copied()) {
        Some(cut) => (text(cut), upto(cut)),
        None => (all, bytes.len()),
    }
}

/// How many of a terminal's bytes stand for themselves: at their end, a character or sequence that has only begun does not.
pub fn settled_len(bytes: &[u8]) -> usize {
    let begun = unfinished(&[terminals(bytes)]);
    begun.map_or(bytes.len(), |at| {
        usize::try_from(at - BEGIN).unwrap_or(usize::MAX)
    })
}

/// Anywhere but at the beginning: what is before these bytes is not known.
const BEGIN: u64 = 1;

fn terminals(bytes: &[u8]) -> Piece {
    Piece {
        stream: StreamKind::Stdout,
        offset: BEGIN,
        data: bytes.to_vec(),
    }
}
