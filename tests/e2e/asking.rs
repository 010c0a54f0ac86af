//! When a command waits for input: a matrix of programs, each told exactly what it is, as an ordinary user and as root;
//! the same on hosts that show less; shells within the shell; and what looking costs. `SSHMCP_LONG=1` plays every row 20 times; `SSHMCP_ROWS=TEXT` only those
//! whose command has this text in it.

mod cost;
mod hosts;
mod inner;
mod lines;
mod never;
mod player;
mod relays;
mod row;
mod screens;

use self::{player::Stage, row::Row};

fn rows() -> Vec<Row> {
    let mut rows = [
        lines::rows(),
        screens::rows(),
        relays::rows(),
        relays::inner(),
        never::rows(),
    ]
    .concat();
    if let Ok(text) = std::env::var("SSHMCP_ROWS") {
        rows.retain(|row| row.command.contains(&text));
    }
    rows
}

/// How often each row is played.
fn rounds() -> usize {
    if std::env::var_os("SSHMCP_LONG").is_some() {
        20
    } else {
        1
    }
}

fn play(host: &str) {
    let stage = Stage::new();
    stage.play(host, &rows(), rounds()).check(host);
    stage.finish();
}

#[test]
fn an_ordinary_user_is_told_who_asks() {
    play("asker");
}

#[test]
fn root_is_told_who_asks() {
    play("root");
}
