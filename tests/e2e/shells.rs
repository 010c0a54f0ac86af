//! Each shell of a host, through the real programs: one session, a long table of commands, each told exactly and the
//! next one right; against `SHELL -c` where that has an answer.

mod asking;
mod bulk;
mod endings;
mod fish;
mod meddling;
pub(crate) mod reference;
mod state;
mod table;
mod words;

use sshmcp_tests::{Shell, TestBed};

use self::table::{Row, Session};

/// Commands that each shell must play at least.
const ROWS_MIN: usize = 60;

fn play(shell: Shell, topics: &[fn(Shell) -> Vec<Row>]) {
    let bed = TestBed::new();
    let mut session = Session::new(&bed, shell);
    let mut rows = 0;
    for topic in topics {
        for row in topic(shell) {
            rows += 1;
            session.play(&row);
        }
    }
    let wrong = session.finish();
    assert!(rows >= ROWS_MIN, "{shell:?}: only {rows} rows");
    assert!(
        wrong.is_empty(),
        "{shell:?}: {} of {rows} rows are wrong:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    bed.finish();
}

/// What every shell is asked, in one session, in this order.
const ALL: &[fn(Shell) -> Vec<Row>] = &[
    words::rows,
    state::rows,
    asking::rows,
    bulk::rows,
    meddling::rows,
    endings::rows,
];

#[test]
fn bash_plays_the_table() {
    play(Shell::Bash, ALL);
}

#[test]
fn zsh_plays_the_table() {
    play(Shell::Zsh, ALL);
}

/// A theme with hooks and a prompt of several lines changes nothing. What does not touch the prompt is in the long suite.
#[test]
fn zsh_with_a_theme_plays_the_table() {
    if std::env::var_os("SSHMCP_LONG").is_some() {
        play(Shell::ZshThemed, ALL);
    } else {
        play(Shell::ZshThemed, &[words::rows, endings::rows]);
    }
}

#[test]
fn dash_plays_the_table() {
    play(Shell::Dash, ALL);
}

#[test]
fn ash_plays_the_table() {
    play(Shell::Ash, ALL);
}

#[test]
fn ksh_plays_the_table() {
    play(Shell::Ksh, ALL);
}

#[test]
fn mksh_plays_the_table() {
    play(Shell::Mksh, ALL);
}

/// Its syntax is its own, and so are its rows.
#[test]
fn fish_plays_its_table() {
    play(Shell::Fish, &[fish::rows]);
}
