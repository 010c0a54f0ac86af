//! The words of the verbs that show a session's terminal, or type there.

use clap::Args;

/// What to type.
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The session, or the id of the command that runs in it
    #[arg(
        value_name = "SESSION|cN",
        required_unless_present = "session",
        conflicts_with = "session"
    )]
    pub(crate) target: Option<String>,
    /// A session whose name looks like a command's id
    #[arg(short, long, value_name = "NAME")]
    pub(crate) session: Option<String>,
    /// Text, typed as it is; Enter is pressed behind it
    #[arg(short, long)]
    pub(crate) text: Option<String>,
    /// Keys by name, typed behind the text: ctrl-c, up, f5, escape, …
    #[arg(short, long, value_delimiter = ',', value_name = "KEY,…")]
    pub(crate) keys: Vec<String>,
    /// Type what stdin holds, byte for byte, behind text and keys; Enter is not pressed
    #[arg(long, conflicts_with = "secret")]
    pub(crate) stdin: bool,
    /// Do not press Enter (with --keys alone none is pressed anyway)
    #[arg(long)]
    pub(crate) no_enter: bool,
    /// Ask for the text on the terminal without showing it, and keep it out of every record
    #[arg(long, conflicts_with = "text")]
    pub(crate) secret: bool,
    /// Wait until new output matches this regular expression
    #[arg(long, value_name = "REGEX")]
    pub(crate) pattern: Option<String>,
    /// Seconds to wait
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    pub(crate) timeout: f64,
}

/// Which terminal.
#[derive(Debug, Args)]
pub(crate) struct ScreenArgs {
    /// The session
    pub(crate) session: String,
    /// Lines of scrollback above the screen
    #[arg(short = 'n', long, default_value_t = 0)]
    pub(crate) lines: u32,
    /// Only what is new since this cursor
    #[arg(long)]
    pub(crate) cursor: Option<u64>,
}

/// Which transcript.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The session
    pub(crate) session: String,
    /// Go on with what is shown, until the session is closed
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// The last N lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) lines: u32,
}

/// Which recording, how fast.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A recording's file, or a session
    #[arg(value_name = "FILE|SESSION")]
    pub(crate) recording: String,
    /// So many times as fast
    #[arg(short, long, value_name = "N", default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// Seconds that nothing may happen; longer pauses are cut to it
    #[arg(short, long, value_name = "SECONDS")]
    pub(crate) idle_limit: Option<f64>,
}

/// Which session to join.
#[derive(Debug, Args)]
pub(crate) struct AttachArgs {
    /// The session
    pub(crate) session: String,
    /// Take the keyboard: agents are told that a person has control
    #[arg(long)]
    pub(crate) take: bool,
}

/// Which session to look on at.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The session
    pub(crate) session: String,
}

impl From<WatchArgs> for AttachArgs {
    fn from(WatchArgs { session }: WatchArgs) -> Self {
        Self { session, take: false }
    }
}
