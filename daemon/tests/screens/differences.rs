//! Where our screen and tmux's differ on the recordings, and why.

/// One row of one recording, or (row none) where its cursor is.
pub(crate) struct Difference {
    pub(crate) recording: &'static str,
    /// From 0; none: the cursor and which screen is on.
    pub(crate) row: Option<usize>,
    pub(crate) ours: &'static str,
    pub(crate) theirs: &'static str,
    pub(crate) why: &'static str,
}

const HPR: &str = "tmux does not know HPR and VPR (CSI a, CSI e); xterm does.";
const CHT: &str = "tmux does not know CHT (CSI I); xterm does.";
const JOIN: &str = "tmux puts what follows a zero-width joiner into the cell before it, whatever it is; xterm, and programs that count by wcwidth, do not.";
const LONG: &str = "A cell of tmux holds 21 bytes (up to 3.4); what is more of a cluster is lost there.";
const CUT: &str = "tmux keeps what a narrower alternate screen cuts off, for when it grows again; xterm does not. Programs that have it draw it again.";
const FAMILY: &str = "tmux takes joined emoji as one of two columns, so that the tmux inside drew less over them than we, as xterm, show.";
const INVALID: &str = "tmux leaves out what is no UTF-8; we show that there is something, as xterm does.";
const HALF: &str =
    "tmux leaves the wide character whose right half was written over behind a backspace; xterm blanks it.";
const LAST: &str = "Behind the last column tmux counts one column more, so that a backspace goes to the last; as in xterm, ours goes to the last but one.";

pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        recording: "combining",
        row: Some(5),
        ours: "x\u{200d}y\u{200b}z|",
        theirs: "xy\u{200d}\u{200b}z|",
        why: JOIN,
    },
    Difference {
        recording: "emoji",
        row: Some(4),
        ours: "👨\u{200d}👩\u{200d}👧\u{200d}👦|",
        theirs: "👨\u{200d}👩\u{200d}👧\u{200d}|",
        why: LONG,
    },
    Difference {
        recording: "emoji",
        row: Some(7),
        ours: "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}|",
        theirs: "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}|",
        why: LONG,
    },
    Difference {
        recording: "positions",
        row: Some(2),
        ours: "MO   P   Q",
        theirs: "MO   PQR",
        why: HPR,
    },
    Difference {
        recording: "positions",
        row: Some(4),
        ours: "    A     R",
        theirs: "    A",
        why: HPR,
    },
    Difference {
        recording: "reflow-alternate",
        row: Some(0),
        ours: "alternate alternate alternate",
        theirs: "alternate alternate alternate alternate alternate alternate",
        why: CUT,
    },
    Difference {
        recording: "reflow-alternate",
        row: Some(1),
        ours: "alternate alternate alternate",
        theirs: "alternate alternate alternate alternate",
        why: CUT,
    },
    Difference {
        recording: "reflow-alternate",
        row: None,
        ours: "(29, 1) alternate true",
        theirs: "(40, 1) alternate true",
        why: CUT,
    },
    Difference {
        recording: "tabs",
        row: Some(2),
        ours: "12345     x                            y",
        theirs: "12345     xy",
        why: CHT,
    },
    Difference {
        recording: "tmux",
        row: Some(19),
        ours: "                                             │Emoji: 😀 🎉 👍 ❤\u{fe0f} 🇩      👧",
        theirs: "                                             │Emoji: 😀 🎉 👍 ❤\u{fe0f} 🇩",
        why: FAMILY,
    },
    Difference {
        recording: "utf8",
        row: Some(7),
        ours: "Zero: a\u{200b}b\u{200c}c\u{200d}d\u{feff}e soft\u{ad}hyphen no\u{a0}break",
        theirs: "Zero: a\u{200b}b\u{200c}cd\u{200d}\u{feff}e soft\u{ad}hyphen no\u{a0}break",
        why: JOIN,
    },
    Difference {
        recording: "utf8",
        row: Some(8),
        ours: "Bad: �� �( � � �� �|",
        theirs: "Bad:  (    |",
        why: INVALID,
    },
    Difference {
        recording: "wide-edges",
        row: Some(8),
        ours: " x",
        theirs: "日x",
        why: HALF,
    },
    Difference {
        recording: "wrap",
        row: Some(8),
        ours: "llllllllllllllllllml",
        theirs: "lllllllllllllllllllm",
        why: LAST,
    },
];
