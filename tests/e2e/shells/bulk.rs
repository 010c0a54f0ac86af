//! Much output, output that is no text, and output that comes after the end.

use std::fmt::Write as _;

use sshmcp_tests::Shell;

use super::table::{Row, Text, gives, like, sees};

pub(super) fn rows(shell: Shell) -> Vec<Row> {
    let mut numbers = String::new();
    for number in 1..=700_000 {
        writeln!(numbers, "{number}").expect("a string takes all");
    }
    let small: String = numbers
        .lines()
        .take(3000)
        .map(|line| line.to_owned() + "\n")
        .collect();
    // Some tell a job's number on standard error, zsh on its terminal; the process's id differs each time.
    let job = match shell {
        Shell::Bash | Shell::Ksh | Shell::Mksh => Text::Has("[1]"),
        _ => Text::Is(String::new()),
    };
    // Pipes of ksh are sockets: a writer whose reader has gone says so.
    let reset = |row: Row, stdout: &str| match shell {
        Shell::Ksh => sees(row.text(), 0, Text::Is(stdout.to_owned()), Text::Any),
        _ => row,
    };

    let killed = Text::Any;
    let nothing = || Text::Is(String::new());
    vec![
        gives("seq 1 700000", 0, numbers, "").whole(),
        gives(
            "head -c 5000000 /dev/zero | tr '\\0' x",
            0,
            "x".repeat(5_000_000),
            "",
        )
        .whole(),
        gives("seq 1 3000; seq 1 3000 >&2", 0, small.clone(), &small),
        reset(gives("yes | head -n 5", 0, "y\n".repeat(5), ""), &"y\n".repeat(5)),
        reset(
            gives("yes | head -c 200000 | wc -c", 0, "200000\n", ""),
            "200000\n",
        ),
        reset(like("yes | head -n 3; seq 1 100000 | head -n 1"), "y\ny\ny\n1\n"),
        sees("head -c 100000 /dev/urandom", 0, Text::Any, nothing()),
        sees(
            "printf '\\000\\001\\377\\376bin\\200\\n'",
            0,
            Text::Has("bin"),
            nothing(),
        ),
        gives("printf 'a\\000b' | od -An -tx1", 0, " 61 00 62\n", ""),
        sees(
            "(sleep 0.3; echo late) & echo now",
            0,
            Text::Is("now\n".into()),
            job.clone(),
        )
        .traced(),
        sees("wait", 0, nothing(), Text::Any),
        sees(
            "nohup sleep 1000 >/dev/null 2>&1 & echo started",
            0,
            Text::Is("started\n".into()),
            job.clone(),
        ),
        sees("kill $!; wait $!", 143, nothing(), killed.clone()).traced(),
        sees(
            "nohup sleep 1000 & echo started",
            0,
            Text::Is("started\n".into()),
            Text::Any,
        ),
        sees("kill $!; wait $!", 143, nothing(), killed.clone()).traced(),
        sees("sleep 1000 & echo held", 0, Text::Is("held\n".into()), job),
        sees("kill $!; wait $!", 143, nothing(), killed).traced(),
        sees("sleep 0.2 & wait $!", 0, nothing(), Text::Any).traced(),
    ]
}
