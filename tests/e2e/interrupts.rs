//! Interrupts: each signal on what agents run, what the answer says of it, and that the next command is right.

mod play;
mod rows;
mod stories;

use sshmcp_tests::{Shell, TestBed};

use self::play::Session;

fn play(shell: Shell) {
    let bed = TestBed::new();
    let mut session = Session::new(&bed, shell);
    let rows = rows::rows(shell);
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

/// In the long suite: in dash a signal that comes between two commands of a loop is now and then told in other words.
#[test]
fn dash_is_interrupted() {
    if std::env::var_os("SSHMCP_LONG").is_some() {
        play(Shell::Dash);
    }
}
