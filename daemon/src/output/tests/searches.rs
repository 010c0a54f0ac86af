//! Searches: matches and what is around them, with much room and with little.

use super::*;

/// Matching lines, with context and groups, on cleaned text, each stream by itself.
#[test]
fn greps() {
    let (_directory, mut output) = stdout(b"a1\nb\nc\nd\ne\n\x1b[31ma\x1b[0m2\nf");
    output.append(StreamKind::Stderr, b"xa3\n");
    let found = |pattern: &str, context, limit| {
        let (view, matches) = grep(&output, &Regex::new(pattern).expect("a pattern"), context, limit);
        assert_eq!(view.offset, output.total());
        (
            text(&view.stdout).to_owned(),
            text(&view.stderr).to_owned(),
            matches,
        )
    };
    assert_eq!(found("a[0-9]", 0, 100), ("a1\na2\n".into(), "xa3\n".into(), 3));
    assert_eq!(
        found("^a[0-9]$", 1, 100),
        ("a1\nb\n--\ne\na2\nf\n".into(), String::new(), 2)
    );
    assert_eq!(found("^a", 3, 100).0, "a1\nb\nc\nd\ne\na2\nf\n");
    assert_eq!(found("nothing", 2, 100), (String::new(), String::new(), 0));
    assert_eq!(found("^.", 0, 4), ("a1\n".into(), String::new(), 8));
    let (view, _) = grep(&output, &Regex::new("^.").expect("a pattern"), 0, 4);
    assert!(
        view.words.starts_with("7 more matching lines are not shown"),
        "{}",
        view.words
    );
}

/// Where not everything fits it is context that goes, the farthest first; a match stays, and of a long line the match.
#[test]
fn greps_in_little_room() {
    let mut lines: Vec<String> = (0..2000).map(|at| format!("line {at}")).collect();
    for at in [500, 1000, 1003, 1990] {
        lines[at] = format!("needle {at}");
    }
    let (_directory, output) = stdout(lines.join("\n").as_bytes());
    let needle = Regex::new("needle").expect("a pattern");
    for context in [0, 1, 3, 50, 400, 5000] {
        for limit in [60, 100, 300, 2000, 8000] {
            let (view, matches) = grep(&output, &needle, context, limit);
            let shown: Vec<&str> = text(&view.stdout).lines().collect();
            assert_eq!(matches, 4);
            for at in [500, 1000, 1003, 1990] {
                assert!(
                    shown.contains(&&*format!("needle {at}")),
                    "{context} in {limit}: {shown:?}"
                );
            }
            assert!(
                view.stdout.len() <= limit,
                "{context} in {limit}: {}",
                view.stdout.len()
            );
            let (all, _) = grep(&output, &needle, context, 1 << 20);
            assert!(all.words.is_empty());
            assert_eq!(
                view.words.is_empty(),
                view.stdout == all.stdout,
                "{context} in {limit}: {}",
                view.words
            );
            assert!(
                view.stdout == all.stdout || all.stdout.len() + 20 > limit,
                "{context} in {limit}"
            );
            // What is shown together is together.
            for pair in shown
                .windows(2)
                .filter(|pair| !pair.contains(&"--") && context > 0)
            {
                let number = |line: &str| line.rsplit(' ').next().and_then(|at| at.parse::<u64>().ok());
                assert_eq!(
                    number(pair[1]),
                    number(pair[0]).map(|at| at + 1),
                    "{context} in {limit}"
                );
            }
        }
    }
    let long = format!("{}needle{}\n", "a".repeat(20_000), "b".repeat(20_000));
    let (_directory, output) = stdout(long.repeat(2).as_bytes());
    let (view, matches) = grep(&output, &needle, 3, 8000);
    assert!(text(&view.stdout).contains("aneedleb") && text(&view.stdout).chars().count() <= 8000);
    assert_eq!(matches, 2);
    assert!(view.words.contains("1 more matching lines"), "{}", view.words);
    assert!(view.words.contains("what is around its match"), "{}", view.words);
}

/// Searching a spool of many megabytes with a line longer than the cap.
#[test]
fn grep_a_large_output() {
    let directory = directory();
    let mut output = output(&directory, OutputLimits::default());
    for at in 0..100_000 {
        output.append(
            StreamKind::Stdout,
            format!("some line with number {at}\n").as_bytes(),
        );
    }
    output.append(StreamKind::Stdout, &b"z".repeat(3 << 20));
    output.append(StreamKind::Stdout, b"\nneedle\n");
    let (view, matches) = grep(
        &output,
        &Regex::new("number 77777$|needle|^zz").expect("a pattern"),
        0,
        100_000,
    );
    assert_eq!(matches, 3);
    let lines: Vec<_> = text(&view.stdout).lines().collect();
    assert_eq!(lines.first(), Some(&"some line with number 77777"));
    assert_eq!(lines.get(1).map(|line| line.len()), Some(LINE_CAP));
    assert_eq!(lines.get(2), Some(&"needle"));
}
