//! A row of the matrix: a command, who runs it, and what must be told of it step by step.

/// What must be told, or what somebody does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// It awaits input. The source of its prompt, whether what is typed is shown, and what the prompt's text ends in.
    Asks(Source, bool, &'static str),
    /// It awaits a key that is not shown and is no secret. What the prompt's text ends in.
    Presses(&'static str),
    /// It awaits keys, and has no prompt: it draws the whole screen.
    Draws,
    /// It is never said to await input while it is watched.
    Works,
    /// A line is typed.
    Type(&'static str),
    /// The password of the user is typed.
    TypePassword,
    /// It ends with this code.
    Ends(i64),
}

/// How a wait was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In the terminal and the process.
    Terminal,
    /// By the text.
    Text,
}

/// Who runs a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Both,
    /// An ordinary user.
    User,
    Root,
}

/// One row. In the command `@` is a directory of the row's own, `%PROGRAMS` where the matrix's programs are, `%SSH` an ssh
/// command for the host itself as the ordinary user, `%SILENT` a port that takes connections and says nothing, `%ASKER` the ordinary user.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) command: &'static str,
    pub(super) terminal: bool,
    pub(super) who: Who,
    pub(super) steps: Vec<Step>,
    /// It leaves the terminal changed when it is interrupted: no other row is played there.
    pub(super) spoils: bool,
}

pub(super) const fn row(command: &'static str, steps: Vec<Step>) -> Row {
    Row {
        command,
        terminal: false,
        who: Who::Both,
        steps,
        spoils: false,
    }
}

/// It reads from the terminal, and that is seen.
pub(super) fn asks(command: &'static str, echo: bool, text: &'static str) -> Row {
    row(command, vec![Step::Asks(Source::Terminal, echo, text)])
}

/// The text says so.
pub(super) fn says(command: &'static str, echo: bool, text: &'static str) -> Row {
    row(command, vec![Step::Asks(Source::Text, echo, text)])
}

/// It waits for a key, and asks for no secret.
pub(super) fn presses(command: &'static str, text: &'static str) -> Row {
    row(command, vec![Step::Presses(text)])
}

/// It waits for keys on the whole screen.
pub(super) fn draws(command: &'static str) -> Row {
    row(command, vec![Step::Draws]).on_terminal()
}

/// It is never said to wait for input.
pub(super) fn works(command: &'static str) -> Row {
    row(command, vec![Step::Works])
}

impl Row {
    /// The command has the terminal.
    pub(super) const fn on_terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    pub(super) const fn spoiling(mut self) -> Self {
        self.spoils = true;
        self
    }

    pub(super) const fn of(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    pub(super) fn then(mut self, steps: &[Step]) -> Self {
        self.steps.extend(steps);
        self
    }
}
