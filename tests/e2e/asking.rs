//! When a command waits for input: a matrix of programs, each told exactly what it is, as an ordinary user;
//! shells within the shell; and what looking costs. `SSHMCP_LONG=1` adds relays and full screens, and plays every row
//! 20 times.

mod cost;
mod inner;
mod lines;
mod never;
mod player;
mod relays;
mod row;
mod screens;

use self::{player::Stage, row::Row};

/// What needs nothing but a shell and its tools, and in the long suite everything.
fn rows(long: bool) -> Vec<Row> {
    let mut rows = [lines::rows(), never::rows()].concat();
    if long {
        rows.extend([screens::rows(), relays::rows(), relays::inner()].concat());
    }
    rows
}

fn play(host: &str) {
    let long = std::env::var_os("SSHMCP_LONG").is_some();
    let rounds = if long { 20 } else { 1 };
    let stage = Stage::new();
    let (wrong, count) = stage.play(host, &rows(long), rounds);
    assert!(
        wrong.is_empty(),
        "{} of {count} plays ({rounds} of each row) were told wrongly:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    stage.finish();
}

#[test]
fn an_ordinary_user_is_told_who_asks() {
    play("asker");
}
