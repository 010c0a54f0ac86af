//! Interrupts: each signal on what agents run, what the answer says of it, and that the next command is right.

mod play;
mod rows;
mod stories;
mod sudo;

use sshmcp_tests::{Shell, TestBed};

use self::play::Session;

fn play(shell: Shell) {
    let bed = TestBed::new();
    let mut session = Session::new(&bed, shell);
    let mut rows = rows::rows(shell);
    // All but bash play a third of them here, and every row in the long suite.
    if shell != Shell::Bash && std::env::var_os("SSHMCP_LONG").is_none() {
        rows = rows.into_iter().step_by(3).collect();
    }
    for row in &rows {
        session.play(row);
    }
    let wrong = session.finish();
    assert!(
        wrong.is_empty(),
        "{shell:?}: {} of {} rows are wrong:\n\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n\n")
    );
    bed.finish();
}

#[test]
fn bash_is_interrupted() {
    play(Shell::Bash);
}

#[test]
fn zsh_is_interrupted() {
    play(Shell::Zsh);
}

#[test]
fn dash_is_interrupted() {
    play(Shell::Dash);
}

#[test]
fn ash_is_interrupted() {
    play(Shell::Ash);
}

#[test]
fn ksh_is_interrupted() {
    play(Shell::Ksh);
}

#[test]
fn mksh_is_interrupted() {
    play(Shell::Mksh);
}

/// Its syntax is its own; the programs are the same.
#[test]
fn fish_is_interrupted() {
    play(Shell::Fish);
}
