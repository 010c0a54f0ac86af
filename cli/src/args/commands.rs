//! The words of the verbs that run commands and look after them.

use clap::{Args, ValueEnum};

use super::Login;

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// Runs in the default session of this host; opens it if there is none
    #[arg(required_unless_present = "session")]
    pub(crate) host: Option<String>,
    /// How to log in.
    #[command(flatten)]
    pub(crate) login: Login,
    /// Runs in this session; with HOST it is opened if missing
    #[arg(short, long, value_name = "NAME")]
    pub(crate) session: Option<String>,
    /// Give up waiting after so many seconds; the command goes on
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<f64>,
    /// Give the command a terminal: stdout and stderr become one stream
    #[arg(short, long)]
    pub(crate) terminal: bool,
    /// Give what is piped into sshctl (at most 1 MiB) to the command as its standard input
    #[arg(short = 'i', long)]
    pub(crate) stdin: bool,
    /// Let it survive the connection, the session and the daemon: a child of the session's shell, with neither input nor
    /// terminal
    #[arg(short, long, conflicts_with_all = ["terminal", "stdin"])]
    pub(crate) durable: bool,
    /// The command
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// Which commands.
#[derive(Debug, Args)]
pub(crate) struct CommandsArgs {
    /// Also the latest ended ones, this many
    #[arg(short, long, value_name = "N", default_value_t = 10)]
    pub(crate) finished: u32,
    /// Only of this session
    #[arg(short, long, value_name = "NAME")]
    pub(crate) session: Option<String>,
}

/// Which output.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct OutputArgs {
    /// The command's id
    #[arg(value_name = "cN")]
    pub(crate) command: String,
    /// Read forward from this byte
    #[arg(long, conflicts_with_all = ["tail", "grep"])]
    pub(crate) offset: Option<u64>,
    /// The last N lines
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "grep")]
    pub(crate) tail: Option<u32>,
    /// The lines that match this regular expression
    #[arg(short, long, value_name = "REGEX", conflicts_with = "follow")]
    pub(crate) grep: Option<String>,
    /// Lines around each match
    #[arg(short = 'C', long, value_name = "N", default_value_t = 0, requires = "grep")]
    pub(crate) context: u32,
    /// Characters at most, up to 40000
    #[arg(long, value_name = "N", default_value_t = 40_000)]
    pub(crate) limit: u32,
    /// The bytes as they came instead of cleaned text
    #[arg(long)]
    pub(crate) raw: bool,
    /// Go on with what is written, until the command ends
    #[arg(short, long, conflicts_with_all = ["tail", "limit"])]
    pub(crate) follow: bool,
}

/// What to wait for.
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Commands (c12) and sessions
    #[arg(value_name = "SESSION|cN", required_unless_present = "session")]
    pub(crate) targets: Vec<String>,
    /// A session whose name looks like a command's id
    #[arg(short, long, value_name = "NAME")]
    pub(crate) session: Vec<String>,
    /// One of them is enough
    #[arg(long)]
    pub(crate) any: bool,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<f64>,
    /// Also come to pass when new output matches this regular expression
    #[arg(long, value_name = "REGEX")]
    pub(crate) pattern: Option<String>,
    /// Also come to pass when nothing was written for so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) idle: Option<f64>,
}

/// Whom to signal, how.
#[derive(Debug, Args)]
pub(crate) struct InterruptArgs {
    /// The session, or the command's id
    #[arg(value_name = "SESSION|cN", required_unless_present_any = ["session", "host"], conflicts_with_all = ["session", "host"])]
    pub(crate) target: Option<String>,
    /// A session whose name looks like a command's id
    #[arg(short, long, value_name = "NAME", conflicts_with = "host")]
    pub(crate) session: Option<String>,
    /// Whatever runs in the default session of this host
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// The signal
    #[arg(long, value_enum, default_value_t = SignalName::Int, ignore_case = true)]
    pub(crate) signal: SignalName,
    /// Seconds to wait for the end
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    pub(crate) timeout: f64,
}

/// The signals that can be sent.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SignalName {
    /// Ctrl-C on the terminal
    Int,
    /// Ctrl-\ on the terminal
    Quit,
    /// SIGTERM to the foreground process group
    Term,
    /// SIGKILL to the foreground process group
    Kill,
}
