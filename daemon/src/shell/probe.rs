//! What the helper saw of a terminal and of the processes in front of it, and what follows from it. A wait is only
//! called one when the process was seen reading from that terminal; text decides nothing here.

/// How a terminal takes input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineMode {
    /// A line at a time (`icanon`).
    Canonical,
    /// Every key (`-icanon`): a line editor or a full-screen program.
    Raw,
    /// Could not be asked.
    Unknown,
}

/// The modes of a terminal that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes {
    /// Line mode.
    pub line: LineMode,
    /// True if the terminal shows what is typed.
    pub echo: bool,
    /// Set as line editors and full-screen programs want it (`-icrnl`, or zsh's `inlcr`, or busybox's `-isig`), which
    /// show by themselves what is typed. Who only wants a key or a password leaves it.
    pub editor: bool,
}

/// What a process in front waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Sleeps in a read of its terminal.
    Reads,
    /// The same in a thread beside others, and it holds a socket: it may pass on what it reads.
    ReadsBeside,
    /// Polls its terminal, and nothing else that somebody could answer.
    Polls,
    /// Polls its terminal and more: whichever comes first.
    PollsMore,
    /// Polls, and what cannot be told.
    PollsUnknown,
    /// The same, and it has more open than the terminal that it could wait for.
    PollsAnything,
    /// May not be looked into.
    Hidden,
    /// May not be looked into, and is a shell without a script and without children.
    HiddenShell,
    /// None of that.
    Else,
}

/// The answer to one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Modes of the session's terminal.
    pub modes: Modes,
    /// The foreground process group; none if unknown.
    pub foreground: Option<u32>,
    /// The shell's process runs another program since (`exec`).
    pub replaced: bool,
    /// The processes in front that hang below the shell, of this terminal and of terminals below it.
    pub processes: Vec<Process>,
    /// Modes of the terminals below, by their numbers.
    pub below: Vec<(u32, Modes)>,
    /// Frames that end what was written before.
    pub level: Option<Level>,
}

/// Frames with a number in the streams of the command: what was written before the look stands before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The number.
    pub number: u32,
    /// There is one in its stdout.
    pub out: bool,
    /// There is one in its stderr.
    pub err: bool,
}

impl Level {
    fn parse(text: &str) -> Option<Self> {
        let letters = text.trim_start_matches(|c: char| c.is_ascii_digit());
        Some(Self {
            number: text.strip_suffix(letters)?.parse().ok()?,
            out: letters.contains('o'),
            err: letters.contains('e'),
        })
    }
}

/// One process in front of its terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// The terminal's number; none: the session's own.
    pub terminal: Option<u32>,
    /// State letter of /proc/PID/stat.
    pub state: char,
    /// What it waits for.
    pub wait: Wait,
    /// Where it may not be looked into: how often it has run, as the host says it.
    pub runs: String,
    /// Name.
    pub name: String,
}

/// What a probe says of the command that is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody reads the terminal.
    Working,
    /// A process reads a line from the terminal.
    Reading {
        /// Whether what is typed is shown.
        echo: bool,
    },
    /// A full-screen program, a pager or a line editor waits for keys.
    Keys {
        /// Whether what is typed is shown.
        echo: bool,
    },
    /// Cannot be told: a relay (sudo, ssh, …) or a process that may not be inspected is in front.
    Unclear {
        /// Whether what is typed is shown, as far as it can be seen.
        echo: bool,
        /// What speaks for a wait beside the text.
        clue: Clue,
    },
}

/// What speaks for a wait where it cannot be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clue {
    /// Only the text.
    Text,
    /// Only the text, and whoever passes the terminal on takes every key.
    Relay,
    /// A shell without a script sits there: that reads commands.
    Shell,
    /// sudo has taken the terminal for what runs behind it: where the output is captured, only once that reads.
    Handed,
    /// A process of another user has set the terminal so that it gets every key.
    Keys,
}

/// Programs that pass a terminal through: what they wait for is not what the program behind them does.
const RELAYS: [&str; 18] = [
    "sudo",
    "su",
    "doas",
    "ssh",
    "mosh-client",
    "telnet",
    "docker",
    "podman",
    "nerdctl",
    "kubectl",
    "lxc",
    "incus",
    "machinectl",
    "script",
    "tmux",
    "screen",
    "picocom",
    "minicom",
];

/// Those whose terminal is read by their server.
const HANDING: [&str; 2] = ["tmux", "screen"];

/// Programs that wait and read nothing.
const SLEEPERS: [&str; 1] = ["sleep"];

/// Shells whose `read` can have a time limit.
const SHELLS: [&str; 6] = ["bash", "zsh", "ksh", "ksh93", "mksh", "fish"];

/// Shells that take every key at their prompt, and lines in a `read`.
const EDITORS: [&str; 4] = ["bash", "zsh", "mksh", "fish"];

/// Terminals below terminals that are followed down.
const DEPTH_MAX: usize = 8;

impl Modes {
    /// What is said where nobody can ask.
    pub const UNKNOWN: Self = Self {
        line: LineMode::Unknown,
        echo: true,
        editor: false,
    };

    /// Parses the helper's letters.
    pub fn parse(letters: &str) -> Self {
        let mut letters = letters.chars();
        let line = match letters.next() {
            Some('c') => LineMode::Canonical,
            Some('r') => LineMode::Raw,
            _ => LineMode::Unknown,
        };
        Self {
            line,
            echo: letters.next() != Some('n'),
            editor: letters.next() == Some('e'),
        }
    }

    fn shown(self) -> bool {
        self.echo || self.line == LineMode::Raw && self.editor
    }
}

impl Probe {
    /// What is seen where nobody can look.
    pub const fn blind() -> Self {
        Self {
            modes: Modes::UNKNOWN,
            foreground: None,
            replaced: false,
            processes: Vec::new(),
            below: Vec::new(),
            level: None,
        }
    }

    /// Nothing was seen at all.
    pub fn is_blind(&self) -> bool {
        self.foreground.is_none() && self.processes.is_empty()
    }

    /// Parses `MODES;PGID;REPLACED;PROCESS|PROCESS|;TERMINAL MODES|;LEVEL`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(';');
        let modes = Modes::parse(fields.next()?);
        let foreground = fields.next()?.parse().ok();
        let replaced = fields.next()? == "x";
        let processes = fields.next()?.split('|').filter_map(Process::parse).collect();
        let below = fields
            .next()?
            .split('|')
            .filter_map(|part| part.split_once(' '))
            .filter_map(|(number, letters)| Some((number.parse().ok()?, Modes::parse(letters))))
            .collect();
        let level = fields.next().and_then(Level::parse);
        Some(Self {
            modes,
            foreground,
            replaced,
            processes,
            below,
            level,
        })
    }

    /// The session's shell itself has the terminal and reads it.
    pub fn shell_reads(&self, shell: u32) -> bool {
        let reads = |process: &Process| {
            process.pid == shell
                && process.terminal.is_none()
                && match process.wait {
                    Wait::Reads | Wait::ReadsBeside | Wait::Polls => true,
                    Wait::PollsMore | Wait::PollsUnknown | Wait::PollsAnything => {
                        self.modes.line == LineMode::Raw || SHELLS.contains(&process.name.as_str())
                    }
                    Wait::Hidden | Wait::HiddenShell | Wait::Else => false,
                }
        };
        self.foreground == Some(shell) && !self.replaced && self.processes.iter().any(reads)
    }

    /// The same where it may just as well sit at its prompt: the end of the command may be on its way still.
    pub fn shell_may_prompt(&self, shell: u32) -> bool {
        let edits = |process: &Process| process.pid == shell && EDITORS.contains(&process.name.as_str());
        let at_editor = self.modes.line == LineMode::Raw || !self.processes.iter().any(edits);
        at_editor && self.shell_reads(shell)
    }

    /// How often the processes have run that may not be looked into: while it does not change, they sleep.
    pub fn stir(&self) -> Vec<(u32, String)> {
        self.processes
            .iter()
            .filter(|process| matches!(process.wait, Wait::Hidden | Wait::HiddenShell))
            .map(|process| (process.pid, process.runs.clone()))
            .collect()
    }

    /// What it says of the command in front.
    pub fn verdict(&self) -> Verdict {
        let mut terminal = None;
        let mut modes = self.modes;
        let mut handed = false;
        for _ in 0..DEPTH_MAX {
            let Some((relay, inner)) = self.relay(terminal) else {
                break;
            };
            if modes.line == LineMode::Canonical && relay.is_hidden() {
                // Whoever passes keys on takes every key: this one does not, or asks for itself without echo.
                return if modes.echo {
                    Verdict::Working
                } else {
                    Verdict::Unclear {
                        echo: false,
                        clue: Clue::Text,
                    }
                };
            }
            if modes.line == LineMode::Canonical {
                break;
            }
            terminal = Some(inner);
            handed = relay.is_hidden() && relay.name == "sudo";
            modes = self
                .below
                .iter()
                .find(|(number, _)| *number == inner)
                .map_or(Modes::UNKNOWN, |(_, modes)| *modes);
        }
        let verdict = self.verdict_at(terminal, modes);
        match verdict {
            Verdict::Unclear {
                echo,
                clue: Clue::Text,
            } if handed && self.may_read(terminal) => Verdict::Unclear {
                echo,
                clue: Clue::Handed,
            },
            verdict => verdict,
        }
    }

    /// Whoever may not be looked into on this terminal is nobody who is known to read nothing, or to pass on what he
    /// reads.
    fn may_read(&self, terminal: Option<u32>) -> bool {
        !self.processes.iter().any(|process| {
            process.terminal == terminal && (process.is_relay() || SLEEPERS.contains(&process.name.as_str()))
        })
    }

    /// A process in front of this terminal below which another terminal hangs, and that one.
    fn relay(&self, terminal: Option<u32>) -> Option<(&Process, u32)> {
        self.processes
            .iter()
            .filter(|process| process.terminal != terminal)
            .find_map(|inner| {
                let number = inner.terminal?;
                let mut at = inner.parent;
                for _ in &self.processes {
                    let parent = self.processes.iter().find(|process| process.pid == at)?;
                    if parent.terminal == terminal {
                        return Some((parent, number));
                    }
                    at = parent.parent;
                }
                None
            })
    }

    fn verdict_at(&self, terminal: Option<u32>, modes: Modes) -> Verdict {
        let here: Vec<&Process> = self
            .processes
            .iter()
            .filter(|process| process.terminal == terminal)
            .collect();
        let raw = modes.line == LineMode::Raw;
        let some = |wanted: &dyn Fn(&Process) -> bool| {
            // What is stopped waits for nothing but its parent.
            here.iter().any(|process| process.state != 'T' && wanted(process))
        };
        let unclear = |clue| Verdict::Unclear {
            echo: raw || modes.echo,
            clue,
        };
        let text = unclear(if raw { Clue::Relay } else { Clue::Text });
        let passes_on = |process: &Process| {
            process.is_relay() && (process.wait != Wait::Else || HANDING.contains(&process.name.as_str()))
        };
        if raw && some(&passes_on) {
            return text;
        }
        let reads = |process: &Process| match process.wait {
            Wait::Reads | Wait::Polls => true,
            Wait::ReadsBeside => !raw,
            // `read -t`, and any read under TMOUT: a shell that waits for a child sits in another call.
            Wait::PollsUnknown => raw || SHELLS.contains(&process.name.as_str()),
            // A shell's line editor also waits for what its own jobs and sessions tell it.
            Wait::PollsMore | Wait::PollsAnything => raw && SHELLS.contains(&process.name.as_str()),
            Wait::Hidden | Wait::HiddenShell | Wait::Else => false,
        };
        if some(&reads) {
            let echo = modes.shown();
            return if raw && !modes.echo {
                Verdict::Keys { echo }
            } else {
                Verdict::Reading { echo }
            };
        }
        if some(&|process| process.wait == Wait::HiddenShell && process.state == 'S') {
            return unclear(if raw { Clue::Keys } else { Clue::Shell });
        }
        // What computes there is at work, and what waits beside it waits for that.
        if some(&|process| process.is_hidden() && matches!(process.state, 'R' | 'D')) {
            return Verdict::Working;
        }
        if some(&Process::is_hidden) {
            let keys = raw && terminal.is_none() && modes.editor && !some(&Process::is_relay_of_terminals);
            return if keys { unclear(Clue::Keys) } else { text };
        }
        let may_read = |process: &Process| match process.wait {
            Wait::PollsMore | Wait::ReadsBeside => true,
            // Whoever takes every key waits for them also.
            Wait::PollsAnything => raw,
            _ => false,
        };
        if here.is_empty() || some(&may_read) {
            return text;
        }
        Verdict::Working
    }
}

impl Wait {
    fn parse(letter: &str) -> Option<Self> {
        Some(match letter {
            "t" => Self::Reads,
            "x" => Self::ReadsBeside,
            "p" => Self::Polls,
            "m" => Self::PollsMore,
            "w" => Self::PollsUnknown,
            "a" => Self::PollsAnything,
            "h" => Self::Hidden,
            "s" => Self::HiddenShell,
            "n" => Self::Else,
            _ => return None,
        })
    }
}

impl Process {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        Some(Self {
            pid: fields.next()?.parse().ok()?,
            parent: fields.next()?.parse().ok()?,
            terminal: match fields.next()? {
                "." => None,
                number => Some(number.parse().ok()?),
            },
            state: fields.next()?.chars().next()?,
            wait: Wait::parse(fields.next()?)?,
            runs: fields.next()?.to_owned(),
            name: fields.next().unwrap_or_default().to_owned(),
        })
    }

    fn is_hidden(&self) -> bool {
        matches!(self.wait, Wait::Hidden | Wait::HiddenShell)
    }

    fn is_relay(&self) -> bool {
        RELAYS.contains(&self.name.as_str())
    }

    /// It gives what runs behind it a terminal of its own, or a far one; or who it is is hidden too.
    fn is_relay_of_terminals(&self) -> bool {
        self.is_relay() && self.name != "su" || self.name == "?"
    }
}

#[cfg(test)]
mod tests;
