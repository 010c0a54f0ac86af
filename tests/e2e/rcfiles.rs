//! Start-up files as people write them, each in a home of its own: the session opens and every command is exact, or the
//! open says in time, and in words, why not.

mod changed;
mod csh;
mod home;
mod play;
mod posix;
mod row;
mod theirs;
mod users;

use self::{play::play, row::Row};

/// Every row, side by side.
#[test]
fn start_up_files_play_the_table() {
    let rows: Vec<Row> = [posix::bash(), posix::zsh(), posix::small(), theirs::rows()].concat();
    assert!(rows.len() >= 25);
    play(&rows);
}
