//! What goes in comes out by offset, whatever the limits; views account for every byte.

mod narrow;
mod running;
mod searches;

use std::{collections::BTreeSet, time::Instant};

use proptest::prelude::*;
use regex::bytes::Regex;

use super::*;

const LIMITS: OutputLimits = OutputLimits {
    memory_bytes: 256,
    disk_bytes: 4096,
};

fn output(directory: &tempfile::TempDir, limits: OutputLimits) -> Output {
    Output::new(
        directory.path().join("spool/c1.out"),
        limits,
        Arc::new(Budget::new(u64::MAX)),
    )
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// Everything that can be read, by offset.
fn read_all(output: &Output, max: usize) -> Vec<(u64, StreamKind, u8)> {
    let mut all = Vec::new();
    let mut at = 0;
    loop {
        let pieces = output.read(at, max);
        let Some(last) = pieces.last() else { return all };
        let size: usize = pieces.iter().map(|piece| piece.data.len()).sum();
        assert!(size <= max && last.end() > at);
        at = last.end();
        for piece in pieces {
            for (offset, byte) in (piece.offset..).zip(piece.data) {
                all.push((offset, piece.stream, byte));
            }
        }
    }
}

fn stdout(bytes: &[u8]) -> (tempfile::TempDir, Output) {
    let directory = directory();
    let mut output = output(&directory, OutputLimits::default());
    output.append(StreamKind::Stdout, bytes);
    (directory, output)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("a view is UTF-8")
}

/// What the note in a view says: bytes left out, from, to.
fn note(view: &[u8]) -> (u64, u64, u64) {
    let pattern = regex::Regex::new(
        r"(?m)^\[… (\d+) bytes left out \(.* from offset (\d+) to (\d+)\).*; get_command_output command_id=c42 offset=(\d+) reads them …\]$",
    );
    let pattern = pattern.expect("a pattern");
    let found = pattern.captures(text(view)).expect("a note");
    let number = |at: usize| found[at].parse::<u64>().expect("a number");
    assert_eq!(number(2), number(4));
    (number(1), number(2), number(3))
}

/// The same where the view's words say it.
fn words(words: &str) -> (u64, u64, u64) {
    let pattern = regex::Regex::new(
        r"^(\d+) bytes are left out \(.* from offset (\d+) to (\d+)\).*; get_command_output offset=(\d+) reads them$",
    );
    let found = pattern.expect("a pattern").captures(words).expect("words");
    let number = |at: usize| found[at].parse::<u64>().expect("a number");
    assert_eq!(number(2), number(4));
    (number(1), number(2), number(3))
}

/// The file is private, made only when it is needed, and goes with the output.
#[test]
fn spool_file() {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory();
    let path = directory.path().join("spool/c1.out");
    let mut output = output(&directory, LIMITS);
    output.append(StreamKind::Stdout, &[b'x'; 200]);
    assert!(!path.exists());
    output.append(StreamKind::Stdout, &[b'x'; 200]);
    let mode = |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&directory.path().join("spool")), 0o700);
    drop(output);
    assert!(!path.exists());
    // What a crash left behind is replaced; what is to stay stays.
    std::fs::write(&path, "old").expect("written");
    let mut output = self::output(&directory, LIMITS);
    output.append(StreamKind::Stdout, &[b'x'; 400]);
    assert_eq!(mode(&path), 0o600);
    output.keep();
    drop(output);
    assert!(path.exists());
}

/// Past the limit on disk the beginning and the end stay, and the rest is counted.
#[test]
fn beyond_the_disk() {
    let directory = directory();
    let mut output = output(&directory, LIMITS);
    for at in 0..10_000_u32 {
        output.append(StreamKind::Stdout, format!("{at:08}\n").as_bytes());
        assert!(output.disk_used() <= LIMITS.disk_bytes);
    }
    let all = read_all(&output, 1000);
    assert_eq!(output.total(), 90_000);
    assert_eq!(all.len() as u64 + output.dropped(), output.total());
    assert!(all.len() as u64 > LIMITS.disk_bytes * 3 / 4);
    let (gap, end) = output.gap_from(0).expect("a gap");
    assert_eq!(end - gap, output.dropped());
    assert_eq!(output.contiguous_from(), end);
    assert!(gap > LIMITS.disk_bytes / 3 && output.total() - end > LIMITS.disk_bytes / 3);
    for (offset, _, byte) in all {
        let line = format!("{:08}\n", offset / 9);
        assert_eq!(line.as_bytes()[(offset % 9) as usize], byte);
    }
    // Views pass over it and say so.
    let view = whole(&output, 900, false, "c42");
    let (omitted, from, to) = note(&view.stdout);
    assert_eq!((omitted, to - from), (view.omitted_bytes, omitted));
    assert!(text(&view.stdout).contains(&format!("{} of them were dropped", output.dropped())));
    let (mut at, mut seen, mut omitted) = (0, String::new(), 0);
    while at < output.total() {
        let view = forward(&output, at, 500, false);
        assert!(view.offset > at);
        at = view.offset;
        omitted += view.omitted_bytes;
        seen += text(&view.stdout);
    }
    assert_eq!(omitted, output.dropped());
    assert_eq!(seen.len() as u64 + omitted, output.total());
}

/// A disk that takes nothing costs the middle, and only for as long as that lasts.
#[test]
fn disk_problem() {
    let directory = directory();
    // A file where the directory should be.
    let obstacle = directory.path().join("spool");
    std::fs::write(&obstacle, "").expect("written");
    let mut output = output(&directory, LIMITS);
    for at in 0..100_u32 {
        output.append(StreamKind::Stdout, format!("{at:08}\n").as_bytes());
    }
    let losses = output.losses().clone();
    assert!(losses.disk_cause.contains("c1.out"), "{losses:?}");
    assert_eq!(losses.disk, output.dropped());
    let all = read_all(&output, 100);
    assert_eq!(all.len() as u64 + output.dropped(), 900);
    assert!(output.dropped() > 0);
    assert_eq!(all.first().map(|first| first.0), Some(0));
    assert_eq!(all.last().map(|last| last.0), Some(899));
    let lost = output.dropped();
    std::fs::remove_file(&obstacle).expect("removed");
    for at in 100..200_u32 {
        output.append(StreamKind::Stdout, format!("{at:08}\n").as_bytes());
    }
    assert_eq!(output.dropped(), lost);
    let all = read_all(&output, 100);
    assert_eq!(all.len() as u64 + lost, 1800);
    let view = whole(&output, 200, false, "c42");
    assert!(text(&view.stdout).ends_with("00000199\n"));
    assert!(text(&view.stdout).starts_with("00000000\n"));
}

/// A million one-byte writes to alternating streams stay within the limits.
#[test]
fn alternating_bytes() {
    let directory = directory();
    let mut output = output(&directory, OutputLimits::default());
    for _ in 0..500_000 {
        output.append(StreamKind::Stdout, b"o");
        output.append(StreamKind::Stderr, b"e");
    }
    assert!(output.memory <= OutputLimits::default().memory_bytes);
    assert!(output.chunks.len() < 200);
    assert_eq!(output.dropped(), 0);
    let pieces = output.read(499_999, 3);
    let offsets: Vec<_> = pieces.iter().map(|piece| (piece.offset, piece.stream)).collect();
    assert_eq!(
        offsets,
        [
            (499_999, StreamKind::Stderr),
            (500_000, StreamKind::Stdout),
            (500_001, StreamKind::Stderr)
        ]
    );
    let view = whole(&output, 8000, false, "c42");
    assert_eq!(note(&view.stdout), note(&view.stderr));
    assert_eq!(note(&view.stdout).0, view.omitted_bytes);
}

/// The last line as a list of running commands shows it.
#[test]
fn last_line() {
    for (bytes, line) in [
        (&b""[..], ""),
        (b"a\nb", "b"),
        (b"a\nb\n\n  \n", "b"),
        (b"10%\r20%\r\x1b[32m30%\x1b[0m", "30%"),
        (b"a\n\xFF\xFE\n", "\u{FFFD}\u{FFFD}"),
    ] {
        assert_eq!(stdout(bytes).1.last_line(), line);
    }
    let (_directory, mut output) = stdout("é".repeat(10_000).as_bytes());
    assert_eq!(output.last_line().chars().count(), 200);
    output.append(StreamKind::Stderr, b"oops\n");
    assert_eq!(output.last_line(), "oops");
}

/// What fits is whole, also when only cleaning makes it fit.
#[test]
fn whole_that_fits() {
    let (_directory, mut output) = stdout("héllo\n".as_bytes());
    output.append(StreamKind::Stderr, b"\x1b[31merr\x1b[0m");
    let view = whole(&output, 100, false, "c42");
    assert_eq!((text(&view.stdout), text(&view.stderr)), ("héllo\n", "err"));
    assert_eq!((view.omitted_bytes, view.offset), (0, output.total()));
    let raw = whole(&output, 100, true, "c42");
    assert_eq!(raw.stderr, b"\x1b[31merr\x1b[0m");
    let (_directory, output) = stdout("downloading [====>    ] 42%\r".repeat(50_000).as_bytes());
    let view = whole(&output, 8000, false, "c42");
    assert_eq!(
        (text(&view.stdout), view.omitted_bytes),
        ("downloading [====>    ] 42%", 0)
    );
}

/// Short lines are cut between lines; long ones between characters, never between a letter and its accents.
#[test]
fn where_it_cuts() {
    let lines: String = (0..10_000).map(|at| format!("line {at}\n")).collect();
    let (_directory, output) = stdout(lines.as_bytes());
    let view = whole(&output, 1000, false, "c42");
    let (_, from, to) = note(&view.stdout);
    assert!(lines[..from as usize].ends_with('\n') && lines[..to as usize].ends_with('\n'));
    assert!((900..=1000).contains(&text(&view.stdout).chars().count()));
    for unit in ["日本", "😀", "e\u{301}", "👩\u{200d}👧", "a"] {
        let long = unit.repeat(20_000);
        let (_directory, output) = stdout(long.as_bytes());
        let view = whole(&output, 1000, false, "c42");
        let (_, from, to) = note(&view.stdout);
        for cut in [from, to] {
            let cut = cut as usize;
            assert!(
                cut.is_multiple_of(unit.len()) || (unit == "日本" && cut.is_multiple_of(3)),
                "{unit} {cut}"
            );
        }
        assert!(!text(&view.stdout).contains('\u{FFFD}'));
        assert!((800..=1000).contains(&text(&view.stdout).chars().count()));
    }
}

/// The tail counts lines of both streams, within the limit.
#[test]
fn tails() {
    let (_directory, mut output) = stdout(b"1\n2\n3\n");
    output.append(StreamKind::Stderr, b"e\n");
    output.append(StreamKind::Stdout, b"4\n");
    let shown = |lines, limit| {
        let view = tail(&output, lines, limit, false);
        assert_eq!((view.offset, view.omitted_bytes), (output.total(), 0));
        (text(&view.stdout).to_owned(), text(&view.stderr).to_owned())
    };
    assert_eq!(shown(1, 100), ("4\n".into(), String::new()));
    assert_eq!(shown(3, 100), ("3\n4\n".into(), "e\n".into()));
    assert_eq!(shown(99, 100), ("1\n2\n3\n4\n".into(), "e\n".into()));
    assert_eq!(shown(0, 100), (String::new(), String::new()));
    let lines: String = (0..100_000).map(|at| format!("line {at}\n")).collect();
    let (_directory, output) = stdout(lines.as_bytes());
    assert_eq!(
        text(&tail(&output, 2, 8000, false).stdout),
        "line 99998\nline 99999\n"
    );
    assert_eq!(
        text(&tail(&output, 3000, 40_000, false).stdout).lines().count(),
        3000
    );
    let view = tail(&output, 3000, 1000, false);
    assert!(view.stdout.len() <= 1000 && view.stdout.len() > 900 && view.stdout.starts_with(b"line"));
    // What was asked for and did not fit is told, to the byte.
    let asked: String = (97_000..100_000).map(|at| format!("line {at}\n")).collect();
    let from = lines.len() - asked.len();
    assert_eq!(view.omitted_bytes as usize, asked.len() - view.stdout.len());
    assert!(view.words.contains(&format!("offset={from} ")), "{}", view.words);
    let rest = forward(&output, from as u64, 40_000, false);
    assert!(asked.starts_with(text(&rest.stdout)));
    // Of lines that are longer than any window their beginning is known as well.
    let (_directory, mut output) = stdout(b"first\n");
    for _ in 0..3 {
        output.append(StreamKind::Stdout, &b"x".repeat(400_000));
        output.append(StreamKind::Stdout, b"\n");
    }
    let view = tail(&output, 2, 100, false);
    assert_eq!((view.omitted_bytes, view.stdout.len()), (800_002 - 100, 100));
    assert_eq!(tail(&output, 9, 100, false).omitted_bytes, 1_200_009 - 100);
    // Bytes are exact, and spelled within the limit.
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let (_directory, output) = stdout(&noise);
    let view = tail(&output, usize::MAX, 8000, true);
    assert!(noise.ends_with(&view.stdout) && view.stdout.len() > 4400);
    assert!(view.stdout.len().div_ceil(3) * 4 <= 8000);
    assert_eq!(view.omitted_bytes as usize, noise.len() - view.stdout.len());
}

/// Hostile outputs: views stay within their limit, in time, and always go on.
#[test]
fn hostile_outputs() {
    let noise: Vec<u8> = (0..3_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for bytes in [
        b"y\n".repeat(1 << 20),
        noise,
        b"x".repeat(3 << 20),
        [b"\x1b]0;".to_vec(), b"x".repeat(9 << 20)].concat(),
        [b"\x1b[".to_vec(), b"1;".repeat(5 << 20)].concat(),
        "\u{301}".repeat(1 << 20).into_bytes(),
        b"\x1b[500C\x1b[1mx\n".repeat(1 << 17),
        b"\xF0\x9F".repeat(1 << 19),
        "\u{202e}".repeat(1 << 19).into_bytes(),
    ] {
        let (_directory, output) = stdout(&bytes);
        for raw in [false, true] {
            let view = whole(&output, 8000, raw, "c42");
            let shown = String::from_utf8_lossy(&view.stdout).chars().count();
            assert!(shown < 8400, "{shown} {:?}", bytes.get(..20));
            if !raw {
                text(&view.stdout);
            }
            let mut at = 0;
            for _ in 0..4 {
                let view = forward(&output, at, 8000, raw);
                assert!(view.offset > at || at == output.total());
                assert!(String::from_utf8_lossy(&view.stdout).chars().count() <= 8000);
                at = view.offset;
            }
            assert!(tail(&output, 10, 8000, raw).stdout.len() <= 32_000);
        }
        assert!(output.last_line().chars().count() <= 200);
    }
}

/// A figure for the log; no assertion, machines differ.
#[test]
#[expect(
    clippy::print_stderr,
    reason = "a figure for whoever runs the test with --nocapture"
)]
fn throughput() {
    let directory = directory();
    let mut output = output(&directory, OutputLimits::default());
    let chunk = b"The quick brown fox jumps over the lazy dog, again.\n".repeat(630);
    let start = Instant::now();
    while output.total() < 60 << 20 {
        output.append(StreamKind::Stdout, &chunk);
    }
    let rate = output.total() as f64 / start.elapsed().as_secs_f64() / 1e6;
    let start = Instant::now();
    let view = whole(&output, 8000, false, "c42");
    let rendered = start.elapsed();
    let start = Instant::now();
    let (_, matches) = grep(&output, &Regex::new("quick.*again").expect("a pattern"), 2, 8000);
    let searched = start.elapsed();
    eprintln!(
        "append {rate:.0} MB/s; whole {rendered:?} ({} bytes); grep {searched:?} ({matches})",
        view.stdout.len()
    );
    let (_directory, output) =
        stdout(&b"\x1b[1;32mok\x1b[0m   test::some::name ... warning\r\n".repeat(120_000));
    let start = Instant::now();
    whole(&output, 8000, false, "c42");
    eprintln!(
        "whole of {} coloured bytes: {:?}",
        output.total(),
        start.elapsed()
    );
}

fn stream() -> impl Strategy<Value = StreamKind> {
    prop_oneof![Just(StreamKind::Stdout), Just(StreamKind::Stderr)]
}

/// What commands write, in pieces that split characters and sequences.
fn writes() -> impl Strategy<Value = Vec<(StreamKind, Vec<u8>)>> {
    let bytes = prop_oneof![
        3 => "[a-z]{1,12}\n".prop_map(String::into_bytes),
        2 => "\\PC{1,8}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 1..6),
        1 => Just(b"\x1b[1;31mred\x1b[0m\r\n".to_vec()),
        1 => Just("é😀日e\u{301}".as_bytes().to_vec()),
        1 => Just(b"12%\r".to_vec()),
        1 => Just(b"\xF0\x9F".to_vec()),
        1 => Just(b"\x1b[".to_vec()),
        1 => prop::sample::select(vec!["\x1b[2K", "\x1b[K", "\x1b[1K", "\r", "\x08", "\x1b[A", "\n", "\u{16100}", "\u{301}"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => Just("long ".repeat(60).into_bytes()),
    ];
    prop::collection::vec((stream(), bytes), 0..60)
}

fn filled(
    writes: &[(StreamKind, Vec<u8>)],
    limits: OutputLimits,
) -> (tempfile::TempDir, Output, Vec<(u64, StreamKind, u8)>) {
    let directory = directory();
    let mut output = output(&directory, limits);
    let mut expected = Vec::new();
    for (stream, bytes) in writes {
        output.append(*stream, bytes);
        for &byte in bytes {
            expected.push((expected.len() as u64, *stream, byte));
        }
    }
    (directory, output, expected)
}

/// The bytes of one stream in a range.
fn part(all: &[(u64, StreamKind, u8)], stream: StreamKind, from: u64, to: u64) -> Vec<u8> {
    let inside = all
        .iter()
        .filter(|(at, kind, _)| *kind == stream && (from..to).contains(at));
    inside.map(|(_, _, byte)| *byte).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(300)))]

    /// Reading in any portions gives what was appended; what is not there is counted.
    #[test]
    fn reads_what_was_written(writes in writes(), max in 1_usize..400, disk in 200_u64..3000, memory in 16_usize..400) {
        let limits = OutputLimits { memory_bytes: memory, disk_bytes: disk };
        let (_directory, output, expected) = filled(&writes, limits);
        let read = read_all(&output, max);
        prop_assert_eq!(output.total(), expected.len() as u64);
        prop_assert_eq!(read.len() as u64 + output.dropped(), output.total());
        prop_assert!(output.disk_used() <= disk);
        let expected: BTreeSet<_> = expected.into_iter().collect();
        prop_assert!(read.iter().all(|byte| expected.contains(byte)));
        prop_assert!(read.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    /// Head and tail are the cleaned ends, and the note is exact: what lies between is precisely what was left out.
    #[test]
    fn whole_accounts(writes in writes(), limit in 16_usize..600, raw: bool) {
        let (_directory, mut output, all) = filled(&writes, LIMITS);
        output.end();
        prop_assume!(output.dropped() == 0);
        let view = whole(&output, limit, raw, "c42");
        prop_assert_eq!(view.offset, output.total());
        let show = |stream, from, to| {
            let bytes = part(&all, stream, from, to);
            if raw { bytes } else { clean(&bytes).into_bytes() }
        };
        let total = output.total();
        let count = |bytes: &[u8]| if raw { bytes.len() } else { String::from_utf8_lossy(bytes).chars().count() };
        if raw && view.omitted_bytes > 0 {
            // Bytes alone: what is left out is told beside them.
            let pattern = regex::Regex::new(r"^(\d+) bytes are left out \((.*) from offset (\d+) to (\d+)\); get_command_output offset=").expect("a pattern");
            let found = pattern.captures(&view.words).expect("words");
            let [omitted, from, to] = [1, 3, 4].map(|at| found[at].parse::<u64>().expect("a number"));
            prop_assert_eq!((omitted, to - from), (view.omitted_bytes, omitted));
            for (name, stream, shown) in [("stdout", StreamKind::Stdout, &view.stdout), ("stderr", StreamKind::Stderr, &view.stderr)] {
                let (head, tail) = (show(stream, 0, from), show(stream, to, total));
                prop_assert_eq!(shown, &[&*head, &*tail].concat());
                let left = part(&all, stream, from, to).len();
                let place = format!("{left} of {name} behind its first {}", head.len());
                prop_assert_eq!(found[2].contains(&place), left > 0, "{}", &view.words);
            }
            let spelled = |bytes: &[u8]| if std::str::from_utf8(bytes).is_ok() { bytes.len() } else { bytes.len().div_ceil(3) * 4 };
            prop_assert!(spelled(&view.stdout) + spelled(&view.stderr) <= limit);
            return Ok(());
        }
        if view.omitted_bytes == 0 {
            prop_assert_eq!(&view.stdout, &show(StreamKind::Stdout, 0, total));
            prop_assert_eq!(&view.stderr, &show(StreamKind::Stderr, 0, total));
            prop_assert!(count(&view.stdout) + count(&view.stderr) <= limit);
            return Ok(());
        }
        let whole_chars = count(&show(StreamKind::Stdout, 0, total)) + count(&show(StreamKind::Stderr, 0, total));
        prop_assert!(whole_chars > limit);
        let marked = if String::from_utf8_lossy(&view.stdout).contains("bytes left out") { &view.stdout } else { &view.stderr };
        let marked = String::from_utf8_lossy(marked).into_owned();
        let (omitted, from, to) = if view.words.is_empty() { note(marked.as_bytes()) } else { words(&view.words) };
        prop_assert!(limit < 150 || count(&view.stdout) + count(&view.stderr) <= limit);
        let kept = [StreamKind::Stderr, StreamKind::Stdout].into_iter().find(|stream| {
            (1..=limit / 4).contains(&part(&all, *stream, 0, total).len())
        });
        let kept = kept.filter(|stream| count(&show(*stream, 0, total)) <= limit / 4);
        let of_kept = kept.map_or(0, |stream| part(&all, stream, from, to).len() as u64);
        prop_assert_eq!((omitted, to - from - of_kept), (view.omitted_bytes, omitted));
        let mut chars = 0;
        for (stream, shown) in [(StreamKind::Stdout, &view.stdout), (StreamKind::Stderr, &view.stderr)] {
            if kept == Some(stream) {
                prop_assert_eq!(shown, &show(stream, 0, total));
                chars += count(shown);
                continue;
            }
            let (head, tail) = (show(stream, 0, from), show(stream, to, total));
            chars += count(&head) + count(&tail);
            prop_assert!(shown.starts_with(&head) && shown.ends_with(&tail));
            let has_note = String::from_utf8_lossy(shown).contains("bytes left out");
            prop_assert_eq!(has_note, !part(&all, stream, from, to).is_empty());
            if !has_note {
                prop_assert_eq!(shown.len(), head.len() + tail.len());
            }
        }
        prop_assert!(chars <= limit);
    }

    /// Reading on from each answer's offset covers everything, in order, within the limit.
    #[test]
    fn forward_covers(writes in writes(), limit in 16_usize..300, raw: bool) {
        let (_directory, mut output, all) = filled(&writes, LIMITS);
        output.end();
        let mut at = 0;
        let mut omitted = 0;
        while at < output.total() {
            let view = forward(&output, at, limit, raw);
            prop_assert!(view.offset > at);
            let begin = at + view.omitted_bytes;
            for (stream, shown) in [(StreamKind::Stdout, &view.stdout), (StreamKind::Stderr, &view.stderr)] {
                let bytes = part(&all, stream, begin, view.offset);
                let expected = if raw { bytes } else { clean(&bytes).into_bytes() };
                prop_assert_eq!(shown, &expected);
            }
            let chars = if raw {
                view.stdout.len() + view.stderr.len()
            } else {
                text(&view.stdout).chars().count() + text(&view.stderr).chars().count()
            };
            prop_assert!(chars <= limit);
            omitted += view.omitted_bytes;
            at = view.offset;
        }
        prop_assert_eq!(omitted, output.dropped());
        let end = forward(&output, at, limit, raw);
        prop_assert_eq!(end, View { offset: at, ..View::default() });
    }

    /// No cut makes valid text invalid, in either stream.
    #[test]
    fn cuts_keep_utf8(pieces in prop::collection::vec((stream(), "\\PC{1,9}"), 1..60), limit in 16_usize..100) {
        let writes: Vec<_> = pieces.into_iter().map(|(stream, text)| (stream, text.replace(char::REPLACEMENT_CHARACTER, "x").into_bytes())).collect();
        let (_directory, output, _) = filled(&writes, LIMITS);
        let view = whole(&output, limit, false, "c42");
        prop_assert!(!text(&view.stdout).contains(char::REPLACEMENT_CHARACTER) && !text(&view.stderr).contains(char::REPLACEMENT_CHARACTER));
        let view = tail(&output, 1, limit, false);
        prop_assert!(!text(&view.stdout).contains(char::REPLACEMENT_CHARACTER) && !text(&view.stderr).contains(char::REPLACEMENT_CHARACTER));
        let view = forward(&output, 0, limit, true);
        prop_assert!(std::str::from_utf8(&view.stdout).is_ok() && std::str::from_utf8(&view.stderr).is_ok());
    }
}
