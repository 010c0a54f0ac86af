//! A row of the table: start-up files, and what must come of them.

use sshmcp_tests::Shell;

/// One command and all that is told of it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) command: String,
    pub(super) code: i64,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// What comes of an open.
#[derive(Clone, Debug)]
pub(super) enum Then {
    /// Every command is exact, stdout and stderr apart.
    Works,
    /// Every command's end is exact; stdout and stderr are one stream.
    OneStream,
    /// The open fails with this code, this in its sentence, and this in its hint.
    Fails(&'static str, &'static str, &'static str),
    /// It waits for input: this is asked, this is answered, and then it works.
    Asks(&'static str, &'static str),
    /// The same of a program that they started; nothing is remembered of the answer.
    Holds(&'static str, &'static str),
}

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Also the host's name, and part of the user's.
    pub(super) name: &'static str,
    pub(super) shell: Shell,
    pub(super) files: Vec<(&'static str, String)>,
    pub(super) then: Then,
    /// The shell that answers in the end.
    pub(super) speaks: Shell,
    /// Commands of the row's own instead of those that every row plays.
    pub(super) steps: Option<Vec<Step>>,
    /// What the greeting has.
    pub(super) greets: &'static str,
    /// No file of the home has anything of ours at the end.
    pub(super) history: bool,
}

pub(super) fn row(name: &'static str, shell: Shell, rc: &str) -> Row {
    let files = match shell {
        Shell::Bash => vec![
            (".bash_profile", ". ~/.bashrc\n".to_owned()),
            (".bashrc", format!("case $- in *i*) ;; *) return ;; esac\n{rc}\n")),
        ],
        Shell::Zsh | Shell::ZshThemed => vec![(".zshrc", format!("{rc}\n"))],
        Shell::Dash | Shell::Ash => vec![
            (".profile", "ENV=$HOME/.shrc; export ENV\n".to_owned()),
            (".shrc", format!("{rc}\n")),
        ],
        Shell::Ksh => vec![(".kshrc", format!("{rc}\n"))],
        Shell::Mksh => vec![(".mkshrc", format!("{rc}\n"))],
        Shell::Fish => vec![(
            ".config/fish/config.fish",
            format!("if status is-interactive\n{rc}\nend\n"),
        )],
    };
    Row {
        name,
        shell,
        files,
        then: Then::Works,
        speaks: shell,
        steps: None,
        greets: "",
        history: false,
    }
}

impl Row {
    /// These files instead.
    pub(super) fn files(mut self, files: &[(&'static str, &str)]) -> Self {
        self.files = files
            .iter()
            .map(|(name, text)| (*name, format!("{text}\n")))
            .collect();
        self
    }

    /// One file more.
    pub(super) fn and(mut self, name: &'static str, text: &str) -> Self {
        self.files.push((name, format!("{text}\n")));
        self
    }

    pub(super) fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    pub(super) fn speaks(mut self, shell: Shell) -> Self {
        self.speaks = shell;
        self
    }

    pub(super) fn plays(mut self, steps: &[(&str, i64, &str, &str)]) -> Self {
        self.steps = Some(steps.iter().map(|step| self::step(*step)).collect());
        self
    }

    pub(super) fn greets(mut self, words: &'static str) -> Self {
        self.greets = words;
        self
    }

    /// The home's files have nothing of ours at the end.
    pub(super) fn history(mut self) -> Self {
        self.history = true;
        self
    }

    /// What is played.
    pub(super) fn steps(&self) -> Vec<Step> {
        self.steps.clone().unwrap_or_else(|| match self.speaks {
            Shell::Fish => FISH.map(step).to_vec(),
            _ => POSIX.map(step).to_vec(),
        })
    }
}

fn step((command, code, stdout, stderr): (&str, i64, &str, &str)) -> Step {
    Step {
        command: command.to_owned(),
        code,
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    }
}

/// What every row plays; the last but one is interrupted.
const POSIX: [(&str, i64, &str, &str); 6] = [
    ("echo out; echo err >&2; (exit 3)", 3, "out\n", "err\n"),
    ("cd /usr; kept='a  b'", 0, "", ""),
    ("echo \"$kept $PWD\"", 0, "a  b /usr\n", ""),
    ("cat <<'E'\nhere !x\nü\nE", 0, "here !x\nü\n", ""),
    (SLEEP, 130, "", ""),
    ("echo last", 0, "last\n", ""),
];

const FISH: [(&str, i64, &str, &str); 6] = [
    ("echo out; echo err >&2; sh -c 'exit 3'", 3, "out\n", "err\n"),
    ("cd /usr; set kept 'a  b'", 0, "", ""),
    ("echo \"$kept $PWD\"", 0, "a  b /usr\n", ""),
    ("echo 'here !x\nü'", 0, "here !x\nü\n", ""),
    (SLEEP, 130, "", ""),
    ("echo last", 0, "last\n", ""),
];

/// What is interrupted.
pub(super) const SLEEP: &str = "sleep 1000";
