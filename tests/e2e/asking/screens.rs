//! Programs that draw the whole screen.

use super::row::{Row, draws, works};

pub(super) fn rows() -> Vec<Row> {
    vec![
        draws("less %PROGRAMS/long.txt"),
        draws("MANPAGER=less man -l %PROGRAMS/page.1"),
        draws("vi"),
        draws("top"),
        draws("tmux -f /dev/null -S @/tmux new-session cat ';' set destroy-unattached on"),
        draws("python3 %PROGRAMS/dialog.py"),
        // It draws and reads nothing.
        works("watch -n 1 date").on_terminal(),
    ]
}
