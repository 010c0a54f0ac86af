//! When a command waits for input: a matrix of programs, each told exactly what it is, as an ordinary user;
//! shells within the shell; and what looking costs. `SSHMCP_LONG=1` plays every row 20 times.

mod cost;
mod inner;
mod lines;
mod never;
mod player;
mod relays;
mod row;
mod screens;

use self::{player::Stage, row::Row};

fn all() -> Vec<Row> {
    [
        lines::rows(),
        screens::rows(),
        relays::rows(),
        relays::inner(),
        never::rows(),
    ]
    .concat()
}

fn play(host: &str) {
    let rounds = if std::env::var_os("SSHMCP_LONG").is_some() {
        20
    } else {
        1
    };
    let stage = Stage::new();
    let (wrong, count) = stage.play(host, &all(), rounds);
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
