//! Limits that are narrow, and what is shown within them before all else.

use super::*;

/// A stream that has little is shown as a whole, wherever in the other it came; where both have much, neither is.
#[test]
fn little_in_much() {
    let lines: String = (0..10_000).map(|at| format!("line {at}\n")).collect();
    let (before, after) = lines.split_at(lines.len() / 2);
    for (little, much) in [
        (StreamKind::Stderr, StreamKind::Stdout),
        (StreamKind::Stdout, StreamKind::Stderr),
    ] {
        let directory = directory();
        let mut output = output(&directory, OutputLimits::default());
        output.append(much, before.as_bytes());
        output.append(little, b"warning\n");
        output.append(much, after.as_bytes());
        output.append(little, b"error\n");
        output.end();
        let view = whole(&output, 8000, false, "c42");
        let (of_little, of_much) = match little {
            StreamKind::Stdout => (&view.stdout, &view.stderr),
            StreamKind::Stderr => (&view.stderr, &view.stdout),
        };
        assert_eq!(text(of_little), "warning\nerror\n");
        let (omitted, from, to) = note(of_much);
        assert_eq!((omitted, to - from), (view.omitted_bytes, omitted + 8));
        let shown = text(of_much).chars().count() + 14;
        assert!((7000..=8000).contains(&shown), "{shown}");
    }
}

/// The smallest limits are kept, and reading forward ends.
#[test]
fn tiny_limits() {
    let bytes = "é漢e\u{301}\x1b[31m\u{202e}ab\ncd\x1b[0m\n".as_bytes();
    let (_directory, mut output) = stdout(bytes);
    output.append(StreamKind::Stderr, b"ef\xFFgh");
    output.end();
    for limit in 1..30 {
        let view = whole(&output, limit, false, "c42");
        let note = text(&view.stdout).lines().find(|line| line.contains("left out"));
        let note = note.map_or(0, |line| line.chars().count() + 1);
        assert!(
            text(&view.stdout).chars().count() <= limit + note + 1,
            "{limit}: {view:?}"
        );
        assert!(tail(&output, 9, limit, false).stdout.len() <= limit * 4);
        for raw in [false, true] {
            let (mut at, mut shown) = (0, [Vec::new(), Vec::new()]);
            while at < output.total() {
                let view = forward(&output, at, limit, raw);
                assert!(view.offset > at, "{limit}");
                at = view.offset;
                shown[0].extend(view.stdout);
                shown[1].extend(view.stderr);
            }
            if raw {
                assert_eq!(shown, [bytes.to_vec(), b"ef\xFFgh".to_vec()]);
            } else {
                assert_eq!(text(&shown[0]), clean(bytes), "{limit}");
            }
        }
    }
}

/// What is shorter in two parts than as a whole, which does not fit, is said to be cut.
#[test]
fn an_erased_line_that_fits_in_parts_alone() {
    let (_directory, output) = stdout(format!("{}\x1b[2Kb", "a".repeat(40)).as_bytes());
    for limit in 1..41 {
        let view = whole(&output, limit, false, "c42");
        assert!(view.omitted_bytes > 0, "{limit}");
        assert!(view.stdout.ends_with(b"b"), "{limit}");
    }
    let view = whole(&output, 41, false, "c42");
    assert_eq!(view.stdout, format!("{}b", " ".repeat(40)).into_bytes());
}

/// So it is where the other stream has little, which lies between the two parts.
#[test]
fn an_erased_line_that_fits_in_parts_around_the_other_stream() {
    let directory = directory();
    let mut output = output(&directory, LIMITS);
    output.append(StreamKind::Stderr, "long ".repeat(60).as_bytes());
    output.append(StreamKind::Stderr, b"\x1b[2K");
    output.append(StreamKind::Stdout, b"a\n");
    output.append(StreamKind::Stderr, b"a\n");
    for limit in 8..304 {
        let view = whole(&output, limit, false, "c42");
        assert!(view.omitted_bytes > 0, "{limit}");
        assert!(view.stderr.ends_with(b"a\n"), "{limit}");
        assert_eq!(view.stdout, b"a\n", "{limit}");
    }
    let view = whole(&output, 304, false, "c42");
    assert_eq!(view.omitted_bytes, 0);
    assert_eq!(view.stderr, format!("{}a\n", " ".repeat(300)).into_bytes());
}
