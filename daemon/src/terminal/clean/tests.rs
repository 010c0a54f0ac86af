//! Tables of what terminals do, hostile streams, and the cleaner against a screen too simple to be wrong.

use std::time::Instant;

use proptest::prelude::*;

use super::*;

/// One table of what goes in and what a reader sees.
#[test]
fn table() {
    let table: &[(&str, &str)] = &[
        ("", ""),
        ("a", "a"),
        ("a\n", "a\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("a\tb  \n\n\tc", "a\tb  \n\n\tc"),
        ("\x1b[1;31mred\x1b[0m\x1b[K\n", "red\n"),
        ("\x1b[38:2::1:2:3mx", "x"),
        ("\x1b]0;title\x07a", "a"),
        ("\x1b]0;title\nmore\x1b\\a", "a"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bktitle\x1b\\a", "a"),
        ("\x1bP1000p$q\x07m\x1b\\a", "a"),
        ("\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\a", "a"),
        ("\x1b]52;c;AAAA\x1b[1mx", "x"),
        ("\x1b]never ends", ""),
        ("\x1b[", ""),
        ("\x1b", ""),
        ("\x1b[12;3", ""),
        ("\x1b(Ba\x1b)0b\x1b#8c\x1b=\x1b>", "abc"),
        ("\x1b[?2004ha\x1b[?25l\x1b[>4;1mb\x1b[2 qc", "abc"),
        ("\x1b[3\x18mx", "mx"),
        ("\x1b[\u{e9}", "\u{e9}"),
        ("a\0b\x07c\x0ed\x7fe\u{85}f\u{9b}g", "abcdefg"),
        ("10%\r20%\r100%\n", "100%\n"),
        ("loading\rok\n", "okading\n"),
        ("loading\r\x1b[Kok\n", "ok\n"),
        ("\x1b[2Kone\x1b[2K\rtwo\n", "two\n"),
        ("loading   \r        \rx\n", "x\n"),
        ("abc\x08\x08X", "aXc"),
        ("abc\x08 \x08\x08 \x08d", "ad"),
        ("\x08\x08a", "a"),
        ("abcdef\x1b[3Dxy", "abcxyf"),
        ("abcdef\x1b[2Gx\x1b[Ky", "axy"),
        ("abcdef\x1b[4G\x1b[1K", "    ef"),
        ("a\x1b[3Cb", "a   b"),
        ("abcdef\r\x1b[2P\x1b[2@", "  cdef"),
        ("abcdef\r\x1b[2X", "  cdef"),
        ("a\tb\rxxxxxxxxx", "xxxxxxxxx"),
        ("a\tb\rxx", "xx      b"),
        ("a\tb\rx\n", "x\tb\n"),
        ("日本語\rx", "x 本語"),
        ("日本語\x08\x08x", "日本x"),
        ("abc\r日", "日c"),
        ("e\u{301}x\ry", "yx"),
        ("ae\u{301}\rb", "be\u{301}"),
        ("\u{301}a", "\u{301}a"),
        ("👩\u{200d}👩\u{200d}👧 ok\n", "👩\u{200d}👩\u{200d}👧 ok\n"),
        ("a\u{202e}b\u{2066}c", "a<U+202E>b<U+2066>c"),
        ("x\ra\u{202e}", "a<U+202E>"),
        ("1\n2\n3\n\x1b[2Ax\n", "1\nx\n3\n"),
        ("1\n2\n3\x1b[Ax", "1\n2x\n3"),
        ("1\n2\n\x1b[1A\x1b[2Knew\n", "1\nnew\n"),
        ("1\n2\n3\n\x1b[3A\x1b[Jx", "x"),
        ("1\n2\n\x1b[9Ax\x1b[9By", "x\n2\n y"),
        ("1\n2\n\x1bMx", "1\nx\n"),
        ("1\n2\x1b[Fx", "x\n2"),
        ("one\x1b[H\x1b[2Jtwo\x1b[5;1Hthree", "one\ntwo\nthree"),
        ("\x1b[H\x1b[2J\x1b[3Jx\n", "x\n"),
        ("a\x1bEb", "a\nb"),
        ("a\x1b[4096Cb", &format!("a{}b", " ".repeat(511))),
    ];
    for (input, expected) in table {
        assert_eq!(&clean(input.as_bytes()), expected, "{input:?}");
    }
    assert_eq!(
        clean(b"a\xFFb\xE2\x82\nc\xF0\x9F"),
        "a\u{FFFD}b\u{FFFD}\nc\u{FFFD}"
    );
}

/// A docker-like display: layers that each rewrite their line, many times.
#[test]
fn progress_of_many_lines() {
    let mut stream = String::from("pull\n");
    for layer in 0..8 {
        stream += &format!("layer{layer}: waiting\n");
    }
    for percent in 0..=100 {
        for layer in 0..8 {
            let up = 8 - layer;
            stream += &format!("\x1b[{up}A\x1b[2K\rlayer{layer}: {percent}%\r\x1b[{up}B");
        }
    }
    stream += "done\n";
    let mut expected = String::from("pull\n");
    for layer in 0..8 {
        expected += &format!("layer{layer}: 100%\n");
    }
    assert_eq!(clean(stream.as_bytes()), expected + "done\n");
}

/// Streams made to exhaust time or memory. Each is a megabyte; quadratic time would take minutes.
#[test]
fn hostile_streams() {
    const SIZE: usize = 1 << 20;
    let unit = |unit: &str| unit.repeat(SIZE / unit.len());
    for (stream, most) in [
        (format!("\x1b]{}", unit("x")), 0),
        (format!("\x1b[{}m", unit("1;")), 0),
        (format!("\x1b[{}", unit("1;")), 0),
        (
            unit("\x1b[99999999999999999999C\u{301}x\n"),
            SIZE + PADDING_MAX * 2,
        ),
        (unit("\x1b[200A\x1b[200B\n"), SIZE),
        (
            format!("{}{}", unit("long line "), "\n\x1b[A\x1b[B".repeat(1000)),
            SIZE * 2,
        ),
        (unit("x\r"), 1),
        (unit("x\x08"), 1),
        (unit("\x1b[999@y\r"), SIZE + PADDING_MAX * 2),
        (unit("\x1bMx"), SIZE),
        (format!("a{}", unit("\u{301}")), SIZE + 1),
        (unit("\x1b["), 0),
        (unit("\x1b]52;c;QQ==\x07"), 0),
        (unit("a\tb\r"), 3),
        (format!("{}\r{}", unit("y"), unit("\x1b[P")), SIZE),
        (format!("{}{}", unit("y"), unit("\x1b[1K")), SIZE),
        (format!("{}\x08{}", unit("y"), unit("\x1b[K\x1b[D")), SIZE),
        (format!("{}\r{}", unit("e\u{301}"), unit("x")), SIZE),
        (format!("{}\x08{}", unit("e\u{301}"), unit("\x1b[K\x08")), SIZE),
        (unit("\x1b7\x1b[1;1H\x1b8y"), SIZE),
        (unit("\x1b[200Ay\x1b[J\n"), SIZE),
    ] {
        let text = clean(stream.as_bytes());
        assert!(
            text.len() <= most,
            "{} of {most}: {:?}",
            text.len(),
            stream.get(..30)
        );
    }
}

/// A string is no text, however long it is and wherever it is cut.
#[test]
fn a_long_string_in_pieces() {
    let stream = format!(
        "a\x1b]52;c;{}\x07b\x1bP{}\x1b\\c",
        "QUJD".repeat(2000),
        "x".repeat(5000)
    );
    for size in [1, 7, 1500] {
        let mut cleaner = Cleaner::new();
        stream
            .as_bytes()
            .chunks(size)
            .for_each(|piece| cleaner.feed(piece));
        assert_eq!(cleaner.finish(), "abc", "{size}");
    }
}

/// With a cap, lines and memory stay bounded, and what is settled comes out once and in order.
#[test]
fn streaming_with_a_cap() {
    let mut cleaner = Cleaner::with_line_cap(100);
    let mut text = String::new();
    for line in 0..2000 {
        cleaner.feed(format!("{line} {}\n", "é".repeat(line)).as_bytes());
        text += &cleaner.take_settled(500);
        assert!(cleaner.done_len() < 700);
    }
    text += &cleaner.finish();
    assert_eq!(text.lines().count(), 2000);
    for (at, line) in text.lines().enumerate() {
        assert!(line.starts_with(&format!("{at} ")) && line.len() < 105, "{line}");
    }
}

/// A figure for the log; no assertion, machines differ.
#[test]
fn throughput() {
    let plain = "The quick brown fox jumps over the lazy dog, again and again.\n".repeat(150_000);
    let colour = "\x1b[1;32mok\x1b[0m   test::some::name ... \x1b[33mwarning\x1b[0m\r\n".repeat(150_000);
    let progress = "downloading [=====>     ] 42%\r".repeat(300_000);
    let unicode = "Schöne Grüße, 日本語, und mehr davon\n".repeat(200_000);
    for (name, stream) in [
        ("plain", plain),
        ("colour", colour),
        ("progress", progress),
        ("unicode", unicode),
    ] {
        let start = Instant::now();
        let len = clean(stream.as_bytes()).len();
        let seconds = start.elapsed().as_secs_f64();
        let rate = stream.len() as f64 / seconds / 1e6;
        note(&format!("clean {name}: {rate:.0} MB/s ({len} bytes left)"));
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a figure for whoever runs the test with --nocapture"
)]
fn note(text: &str) {
    eprintln!("{text}");
}

/// A piece of a generated stream.
fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z ]{1,6}",
        1 => Just("\r".to_owned()),
        1 => Just("\x08".to_owned()),
        2 => Just("\n".to_owned()),
        1 => Just("\r\n".to_owned()),
        1 => (0_u32..4).prop_map(|code| format!("\x1b[{code}K")),
        1 => (0_u32..5).prop_map(|count| format!("\x1b[{count}C")),
        1 => (0_u32..5).prop_map(|count| format!("\x1b[{count}D")),
        1 => (0_u32..9).prop_map(|column| format!("\x1b[{column}G")),
        1 => (0_u32..4).prop_map(|count| format!("\x1b[{count}A")),
        1 => (0_u32..4).prop_map(|count| format!("\x1b[{count}B")),
        1 => Just("\x1b[J".to_owned()),
        1 => Just("\x1b[1;33m".to_owned()),
        1 => Just("\x1b]0;t\x07".to_owned()),
    ]
}

/// A screen of one column a character, without tabs or wide characters: grids and nothing clever.
fn reference(tokens: &[String]) -> Vec<String> {
    let mut rows: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    for token in tokens {
        let count = token
            .chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
            .parse::<usize>()
            .unwrap_or(0);
        let one = count.max(1);
        match (token.starts_with("\x1b["), token.chars().last().unwrap_or(' ')) {
            (true, 'K') => {
                let line = &mut rows[row];
                match count {
                    0 => line.truncate(column),
                    1 => line.iter_mut().take(column + 1).for_each(|c| *c = ' '),
                    2 => line.clear(),
                    _ => {}
                }
            }
            (true, 'C') => column += one,
            (true, 'D') => column = column.saturating_sub(one),
            (true, 'G') => column = one - 1,
            (true, 'A') => row = row.saturating_sub(one),
            (true, 'B') => row = (row + one).min(rows.len() - 1),
            (true, 'J') => {
                rows[row].truncate(column);
                rows.truncate(row + 1);
            }
            (true, _) => {}
            (false, '\x07') => {}
            (false, '\r') => column = 0,
            (false, '\x08') => column = column.saturating_sub(1),
            (false, '\n') => {
                row += 1;
                column = 0;
                if row == rows.len() {
                    rows.push(Vec::new());
                }
            }
            (false, _) => {
                for c in token.chars() {
                    let line = &mut rows[row];
                    while line.len() <= column {
                        line.push(' ');
                    }
                    line[column] = c;
                    column += 1;
                }
            }
        }
    }
    rows.iter()
        .map(|row| row.iter().collect::<String>().trim_end().to_owned())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(2000)))]

    /// The cleaner shows what the simple screen shows, blanks at ends of lines aside.
    #[test]
    fn equals_reference(tokens in prop::collection::vec(token(), 0..30)) {
        let text = clean(tokens.concat().as_bytes());
        let lines: Vec<_> = text.split('\n').map(|line| line.trim_end().to_owned()).collect();
        prop_assert_eq!(lines, reference(&tokens));
    }

    /// How a stream is cut into chunks makes no difference.
    #[test]
    fn chunks_do_not_matter(
        bytes in prop::collection::vec(prop_oneof![
            token().prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 1..4),
            "\\PC{1,3}".prop_map(String::into_bytes),
            Just(b"\t".to_vec()),
            Just("日e\u{301}".as_bytes().to_vec()),
            Just(b"\x1b[2@\x1b[P\x1b[X".to_vec()),
            Just(b"\n".repeat(150)),
        ], 0..40),
        size in 1_usize..9,
    ) {
        let bytes = bytes.concat();
        let mut cleaner = Cleaner::new();
        for chunk in bytes.chunks(size) {
            cleaner.feed(chunk);
        }
        prop_assert_eq!(cleaner.finish(), clean(&bytes));
    }

    /// Text without controls passes unchanged.
    #[test]
    fn plain_text_passes(text in "[\\PC\n\t]{0,200}") {
        prop_assume!(!text.chars().any(|c| !matches!(unsafe_name(c), Replace::Keep)));
        prop_assert_eq!(clean(text.as_bytes()), text);
    }
}
