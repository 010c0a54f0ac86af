//! When a command waits for input: a matrix of programs, each told exactly what it is, as an ordinary user and as root;
//! shells within the shell; and what looking costs. `SSHMCP_LONG=1` plays every row 20 times; `SSHMCP_ROWS=TEXT` only those
//! whose command has this text in it.

mod cost;
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

fn play(host: &str) {
    let long = std::env::var_os("SSHMCP_LONG").is_some();
    let rounds = if long { 20 } else { 1 };
    let stage = Stage::new();
    let report = stage.play(host, &rows(), rounds);
    report.check(host);
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
