//! Answers about a command that still writes: one behind the other they are the whole, and nothing is told in halves.

use super::*;

/// While a command runs, a character or sequence that has only begun waits for its end, with what is behind it; once it
/// has ended, what there is is told.
#[test]
fn unfinished_ends_wait() {
    let anything = Regex::new("").expect("a pattern");
    for (bytes, settled) in [
        (&b"abc"[..], 3),
        (b"abc\xE2\x82", 3),
        (b"abc\xE2\x82\xAC", 6),
        (b"abc\x1b", 3),
        (b"abc\x1b[3", 3),
        (b"abc\x1b[31mx", 9),
        (b"\x1b]0;title", 0),
        (b"\x1b]0;title\x07", 10),
        (b"\xE2\x1b[1m", 5),
        (b"\xE2\xE2\x82", 1),
        (b"\x80\x80", 2),
        (b"\x1b[1\x1b[2", 0),
    ] {
        let (_directory, mut output) = stdout(bytes);
        assert_eq!(output.settled(), settled, "{:?}", bytes.escape_ascii());
        for view in [
            forward(&output, 0, 100, false),
            whole(&output, 100, false, "c42"),
            tail(&output, 5, 100, false),
            grep(&output, &anything, 0, 100).0,
            whole(&output, 100, true, "c42"),
        ] {
            assert_eq!((view.offset, view.omitted_bytes), (settled, 0));
            assert!(!String::from_utf8_lossy(&view.stdout).contains('\u{FFFD}') || settled != 3);
        }
        output.end();
        assert_eq!(whole(&output, 100, false, "c42").offset, output.total());
        assert_eq!(whole(&output, 100, true, "c42").stdout, bytes);
    }
    // Of the other stream little is held back, and an endless sequence holds nothing back for ever.
    let (_directory, mut output) = stdout(b"\xE2");
    output.append(StreamKind::Stderr, b"err");
    assert_eq!(output.settled(), 0);
    output.append(StreamKind::Stderr, &b"x".repeat(UNFINISHED_MAX));
    assert_eq!(output.settled(), output.total());
    let (_directory, output) = stdout(&[b"\x1b[".to_vec(), b"1;".repeat(5000)].concat());
    assert_eq!(output.settled(), output.total());
}

/// What programs write that move no cursor.
fn item() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z ]{1,12}\n",
        2 => "[a-zé漢😀]{1,8}",
        2 => prop::sample::select(vec![
            "\x1b[1;31mred\x1b[0m", "\r\n", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "e\u{301}",
            "👩\u{200d}👧", "\x1b(B", "\x1b[?25l", "\x1b[38;2;1;2;3m", "\u{202e}", "\t", "\x1bP1000p\x1b\\",
        ]).prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(300)))]

    /// Answers given while the bytes come, one behind the other, are the clean text of all of them: however they are
    /// split, whatever of them was there at each answer, whoever answers.
    #[test]
    fn answers_in_turn_are_the_whole(
        items in prop::collection::vec((stream(), item()), 1..80),
        splits in prop::collection::vec(1_usize..9, 1..60),
        limit in prop_oneof![Just(40_000_usize), 200_usize..400],
    ) {
        let directory = directory();
        let mut output = output(&directory, OutputLimits::default());
        let (mut shown, mut at) = ([String::new(), String::new()], 0);
        let mut expected = [Vec::new(), Vec::new()];
        let mut sizes = splits.iter().copied().cycle();
        let mut answer = |output: &Output, at: &mut u64| {
            let total = output.total();
            let view = if *at == 0 && total < 200 { whole(output, limit, false, "c42") } else { forward(output, *at, limit, false) };
            shown[0] += text(&view.stdout);
            shown[1] += text(&view.stderr);
            *at = view.offset;
        };
        for (stream, item) in &items {
            expected[*stream as usize].extend_from_slice(item.as_bytes());
            let mut rest = item.as_bytes();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
                output.append(*stream, now);
                answer(&output, &mut at);
                rest = later;
            }
        }
        output.end();
        while at < output.total() {
            answer(&output, &mut at);
        }
        prop_assert_eq!(&shown[0], &clean(&expected[0]));
        prop_assert_eq!(&shown[1], &clean(&expected[1]));
    }
}
