//! What takes long.

use super::{Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row(
            "head -c 104857600 /dev/zero | tr '\\0' x; echo; echo after",
            "after",
        ),
        row("yes x | head -n 1000000; echo after", "after"),
        row(
            "dd if=/dev/zero bs=1 count=1000000 2>/dev/null | tr '\\0' x; echo; echo after",
            "after",
        ),
        row(
            "dd if=/dev/zero bs=1 count=1000000 2>/dev/null; echo; echo after",
            "after",
        ),
        row("for i in 1 2 3 4; do printf .; sleep 10; done; echo", "...."),
        row("timeout 40 yes; echo after", "after"),
        row(
            "timeout 40 cat /dev/urandom; printf '\\030\\n'; echo after",
            "after",
        ),
    ]
}
