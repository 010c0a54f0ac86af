//! The table: a command, the signals it is sent one after the other, and what each does.

use sshmcp_tests::Shell;

/// One signal and what its answer must say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) signal: &'static str,
    pub(super) ends: bool,
    /// Part of the message.
    pub(super) says: &'static str,
}

/// One command of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) text: String,
    pub(super) terminal: bool,
    /// It is interrupted once its output shows this.
    pub(super) ready: &'static str,
    pub(super) steps: Vec<Step>,
    /// Exit code; none: whatever the program likes.
    pub(super) code: Option<i64>,
    /// What is run after it, and what that prints.
    pub(super) then: Option<(&'static str, &'static str)>,
    /// The session's shell dies of it.
    pub(super) kills_shell: bool,
}

/// The command ends by the last of these signals, each with a part of its message; those before do not end it.
fn row(text: &'static str, signals: &[(&'static str, &'static str)], code: i64) -> Row {
    let last = signals.len() - 1;
    let steps = signals.iter().enumerate();
    Row {
        text: text.to_owned(),
        terminal: false,
        ready: if text.contains("ready") { "ready" } else { "" },
        steps: steps
            .map(|(at, &(signal, says))| Step {
                signal,
                ends: at == last,
                says,
            })
            .collect(),
        code: Some(code),
        then: None,
        kills_shell: false,
    }
}

impl Row {
    fn terminal(mut self, ready: &'static str) -> Self {
        self.terminal = true;
        self.ready = ready;
        self
    }

    fn any_code(mut self) -> Self {
        self.code = None;
        self
    }

    fn then(mut self, text: &'static str, prints: &'static str) -> Self {
        self.then = Some((text, prints));
        self
    }
}

const IGNORES_INT: &str = "sh -c 'trap \"\" INT; echo ready; sleep 100; :'";
const IGNORES_BOTH: &str = "sh -c 'trap \"\" INT TERM; echo ready; sleep 100; :'";
const HANDLES_INT: &str = "sh -c 'trap \"echo caught\" INT; echo ready; while :; do sleep 0.1; done'";
const LEAVES: &str = "sh -c 'setsid sleep 77 & echo ready; sleep 100; :'";

pub(super) fn rows(shell: Shell) -> Vec<Row> {
    let mut rows = programs();
    if shell == Shell::Fish {
        rows.extend(of_fish());
    } else {
        rows.extend(of_posix(shell));
    }
    if shell == Shell::Ksh {
        // Its own sleep is a part of the shell.
        for row in rows.iter_mut().filter(|row| !row.text.starts_with("sh ")) {
            row.text = row.text.replace("sleep", "/bin/sleep");
        }
        for row in &mut rows {
            // 256 + 15 in eight bits, and it does not tell the system what it ignores itself.
            if row.text.starts_with("(/bin/sleep") {
                row.code = Some(15);
            }
            for step in &mut row.steps {
                step.says = step
                    .says
                    .strip_suffix(" and ignores the signal")
                    .unwrap_or(step.says);
            }
        }
        rows.push(row("sleep 100", &[("INT", "ended")], 130));
        rows.push(row("sleep 100", &[("KILL", "nothing but the shell itself")], 130));
        // The terminal is left to the writer, which has ended.
        rows.push(row(
            "echo ready | while read x; do echo $x; sleep 100; done",
            &[("INT", "ended")],
            130,
        ));
    }
    rows
}

/// What every shell runs as it stands.
fn programs() -> Vec<Row> {
    vec![
        row(
            "sleep 100",
            &[("INT", "Ctrl-C was typed, and the command ended")],
            130,
        ),
        row("sleep 100", &[("QUIT", "Ctrl-\\ was typed")], 131),
        row("sleep 100", &[("TERM", "TERM was sent to sleep (")], 143),
        row("sleep 100", &[("KILL", "KILL was sent to sleep (")], 137),
        row("sleep 100 | cat", &[("INT", "ended")], 130),
        row("sleep 100 | cat", &[("TERM", ", cat (")], 143),
        row("sleep 100 | cat", &[("KILL", ", cat (")], 137),
        row(
            IGNORES_INT,
            &[("INT", "ignores it; try QUIT, TERM or KILL"), ("TERM", "ended")],
            143,
        ),
        row(
            IGNORES_BOTH,
            &[("TERM", "ignores it; try KILL"), ("KILL", "ended")],
            137,
        ),
        row(
            HANDLES_INT,
            &[("INT", "handles it itself"), ("TERM", "ended")],
            143,
        ),
        row("echo ready; cat", &[("TERM", "cat (")], 143),
        row(
            LEAVES,
            &[(
                "TERM",
                "which it had started and which has left its process group",
            )],
            143,
        )
        .then("pkill -xf 'sleep 77' && echo 0", "0\n"),
        row("stty intr ^G; echo ready; sleep 100", &[("INT", "ended")], 130)
            .then("stty intr ^C; echo x", "x\n"),
        row("yes", &[("INT", "ended")], 130),
        row("yes", &[("KILL", "ended")], 137),
        row("yes", &[("INT", "ended")], 130).terminal("y"),
        row("yes | cat", &[("TERM", "ended")], 143).terminal("y"),
        row(
            "vim -u NONE -n",
            &[("INT", "as a key to vim ("), ("TERM", "ended")],
            1,
        )
        .any_code()
        .terminal("~"),
        row("vim -u NONE -n", &[("KILL", "KILL was sent to vim (")], 137).terminal("~"),
        row("less /etc/services", &[("KILL", "KILL was sent to less (")], 137).terminal("discard"),
        row("top", &[("INT", "ended")], 0).any_code().terminal("PID"),
        row(
            "sh -c 'stty raw -echo; echo ready; exec cat'",
            &[("INT", "as a key to cat ("), ("KILL", "ended")],
            137,
        )
        .terminal("ready"),
    ]
}

fn of_posix(shell: Shell) -> Vec<Row> {
    let mut rows = vec![
        row("(sleep 100; echo NO)", &[("TERM", "ended")], 143),
        row("while :; do :; done", &[("INT", "ended")], 130),
        row(
            "while :; do :; done",
            &[("TERM", "nothing but the shell itself")],
            130,
        ),
        row(
            "while :; do :; done",
            &[("KILL", "nothing but the shell itself")],
            130,
        ),
        row("while :; do sleep 0.2; done", &[("INT", "ended")], 130),
        row(
            // It meets a sleep, which is killed, and Ctrl-C ends the loop; or the shell between two of them.
            "while :; do sleep 0.2; done",
            &[("KILL", "Ctrl-C was typed")],
            130,
        ),
        row(
            "read x; echo NO",
            &[("TERM", "nothing but the shell itself")],
            130,
        ),
        row("x=$(sleep 100)", &[("TERM", "TERM was sent to sleep (")], 143),
        row("sleep 66 & echo ready; sleep 100", &[("INT", "ended")], 130).then("kill $!; echo $?", "0\n"),
        row("sleep 66 & echo ready; sleep 100", &[("KILL", "ended")], 137).then("kill $!; echo $?", "0\n"),
        row(
            "trap '' INT; echo ready; sleep 100",
            &[("INT", "ignores it"), ("TERM", "ended")],
            143,
        )
        .then("trap - INT; echo x", "x\n"),
    ];
    // zsh's own `wait` goes on after Ctrl-C, as at its prompt.
    if shell != Shell::Zsh {
        rows.push(
            row("sleep 66 & echo ready; wait", &[("INT", "ended")], 130).then("kill $!; echo $?", "0\n"),
        );
    }
    rows.push(Row {
        kills_shell: true,
        ..row(
            "trap '' INT; echo ready; while :; do :; done",
            &[
                ("INT", "the shell itself runs it and ignores the signal"),
                ("KILL", "the session's shell was killed"),
            ],
            137,
        )
    });
    rows
}

fn of_fish() -> Vec<Row> {
    vec![
        row(
            "begin; sh -c 'sleep 100; echo NO'; end",
            &[("TERM", "ended")],
            143,
        ),
        row("while true; end", &[("INT", "ended")], 130),
        row(
            "while true; end",
            &[("TERM", "nothing but the shell itself")],
            130,
        ),
        row(
            "while true; end",
            &[("KILL", "nothing but the shell itself")],
            130,
        ),
        row("while true; sleep 0.2; end", &[("INT", "ended")], 130),
        row("while true; sleep 0.2; end", &[("KILL", "Ctrl-C was typed")], 130),
        row("set x (sleep 100)", &[("TERM", "TERM was sent to sleep (")], 143),
        row("sleep 66 & echo ready; sleep 100", &[("INT", "ended")], 130)
            .then("kill $last_pid; echo $status", "0\n"),
        row("sleep 66 & echo ready; sleep 100", &[("KILL", "ended")], 137)
            .then("kill $last_pid; echo $status", "0\n"),
    ]
}
