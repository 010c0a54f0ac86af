//! Every word that `sshctl` understands, as clap types; the doc comments are the help. Nothing is decided here.

mod below;
mod commands;
mod copy;
mod install;
mod terminal;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use self::below::{ConfigVerb, DaemonVerb, SecretVerb};
pub(crate) use self::commands::{CommandsArgs, ExecArgs, InterruptArgs, OutputArgs, SignalName, WaitArgs};
pub(crate) use self::copy::CpArgs;
pub(crate) use self::install::{ImportArgs, InstallArgs, ManArgs, UninstallArgs};
pub(crate) use self::terminal::{AttachArgs, LogsArgs, ReplayArgs, ScreenArgs, SendArgs, WatchArgs};
use crate::error::EXIT_CODES_HELP;

/// Work with the SSH sessions that sshmcpd keeps: the same ones that an agent works in.
#[derive(Debug, Parser)]
#[command(
    name = "sshctl",
    version,
    after_help = "Examples:
  sshctl hosts                          what can be named
  sshctl exec web1 -- uptime            run a command in web1's session
  sshctl ls                             sessions, and what runs in them
  sshctl output c12 --tail 20           look at a command's output again

`sshctl --help` lists the exit codes.",
    after_long_help = EXIT_CODES_HELP,
    propagate_version = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    /// The settings that every verb knows.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Settings that every verb knows.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The daemon's socket instead of the usual one (or SSHMCP_SOCKET)
    #[arg(long, global = true, value_name = "PATH", help_heading = "Global options")]
    pub(crate) socket: Option<PathBuf>,
    /// The configuration file that a daemon started by this call reads (or SSHMCP_CONFIG)
    #[arg(long, global = true, value_name = "PATH", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// What the daemon is and holds; starts none
    Status,
    /// List the hosts that can be named: configured connections and ssh_config aliases
    #[command(
        after_help = "Examples:\n  sshctl hosts\n  sshctl hosts web1          that one, with its notes"
    )]
    Hosts(HostsArgs),
    /// List the open sessions and what runs in them
    #[command(visible_alias = "ls")]
    Sessions,
    /// Open a session on a host
    #[command(after_help = "Examples:
  sshctl open web1
  sshctl open deploy@10.0.0.7:2222 --session release
  sshctl open web1 --attach                  and join its terminal at once")]
    Open(OpenArgs),
    /// Answer what a host's login asks (password, passphrase, code, touch), and leave the open session to agents
    #[command(after_help = "Examples:
  sshctl login web1
  sshctl login web1 --keeper local-tmux      OpenSSH's own client asks, in a tmux of this machine; ctrl-] leaves

What you type goes to the daemon, which keeps a password or passphrase that worked in memory, for this host's further
connections, until it ends. A code is never kept.")]
    Login(LoginArgs),
    /// Keep passwords in the system's keyring, where the configuration names them
    #[command(
        subcommand,
        after_help = "Examples:
  sshctl secret set web1                     then in config.toml: password = { keyring = \"web1\" }
  sshctl secret check web1
  sshctl secret remove web1"
    )]
    Secret(SecretVerb),
    /// Run a command in a session, show its output as it comes, and exit with its code
    #[command(
        after_help = "Examples:
  sshctl exec web1 -- df -h
  sshctl exec web1 -- 'cd /srv && git pull'     the session keeps the directory
  sshctl exec -s release -- make test
  sshctl exec web1 --terminal -- top -bn1
  sshctl exec web1 -i -- 'wc -l' < list.txt",
        after_long_help = "\
The words behind `--` are joined by blanks and given to the session's shell, as ssh does.

Ctrl-C goes to the command. A second one sends SIGTERM; a third leaves the command running and tells its id.

Output is passed on byte for byte where stdout (or stderr) is a pipe or a file. On a terminal colours, tabs and
carriage returns are kept and every other control sequence is taken out: a host must not drive your terminal.

Exits with the command's code (128 + n after signal n), 89 if the connection died and the code is not known, 90 if
--timeout passed or you left the command running. Network devices have no exit codes: 91 if the device marked a line
as an error, else 0."
    )]
    Exec(ExecArgs),
    /// List the commands that run, and the latest that ended
    #[command(after_help = "Examples:\n  sshctl commands\n  sshctl commands --finished 20 --session web1")]
    Commands(CommandsArgs),
    /// Show a command's output, without running anything again
    #[command(after_help = "Examples:
  sshctl output c12
  sshctl output c12 --tail 20
  sshctl output c12 --grep 'error|warning' --context 2
  sshctl output c12 -f               follow it until it ends")]
    Output(OutputArgs),
    /// Wait until commands end or sessions have nothing running
    #[command(after_help = "Examples:
  sshctl wait c12
  sshctl wait c12 c13 --any --timeout 60
  sshctl wait web1 --pattern 'listening on'

Exits 0 if what was asked for came to pass, 90 if the time passed first.")]
    Wait(WaitArgs),
    /// Signal the command that runs in a session
    #[command(after_help = "Examples:\n  sshctl interrupt web1\n  sshctl interrupt c12 --signal kill")]
    Interrupt(InterruptArgs),
    /// Type into a session, and show its terminal once it has settled
    #[command(after_help = "Examples:
  sshctl send web1 --text yes                types yes and Enter
  sshctl send c12 --secret                   asks you for a password, without showing it
  sshctl send web1 --keys ctrl-c
  sshctl send web1 --text /etc --no-enter --keys tab,tab")]
    Send(SendArgs),
    /// Join a session's live terminal, beside the agents that work in it
    #[command(after_help = "Examples:
  sshctl attach web1                         ctrl-] detaches, and the session goes on
  sshctl attach web1 --take                  agents are kept out until you detach

Type ctrl-] twice to type it once.")]
    Attach(AttachArgs),
    /// Look on at a session's live terminal; nothing is typed
    Watch(WatchArgs),
    /// Show a session's terminal
    Screen(ScreenArgs),
    /// Show what a session's terminal showed, also of one that is closed
    #[command(after_help = "Examples:
  sshctl logs web1                           the last 100 lines
  sshctl logs web1 -f                        and what comes, until the session is closed
  sshctl logs web1 -n 5000 | less

The file is `logs/SESSION.log` in the state directory (`sshctl status`), with older ones beside it (`SESSION.log.1`).")]
    Logs(LogsArgs),
    /// Play what a session's terminal showed, in its own time
    #[command(after_help = "Examples:
  sshctl replay web1                         its recording, also if it is closed
  sshctl replay web1 --speed 4 --idle-limit 1
  sshctl replay ./web1.cast.1                a file: asciicast 2 or 3

q leaves. The recordings are `logs/SESSION.cast` in the state directory; asciinema plays them, too.")]
    Replay(ReplayArgs),
    /// Copy one file from a host or to it
    #[command(
        after_help = "Examples:\n  sshctl cp web1:/etc/hosts .\n  sshctl cp app.conf web1:/etc/app/ --sudo
  date | sshctl cp - web1:notes.txt\n
The file that is there stays until the whole copy is, whatever its size; where that cannot be, it is written in place, and told."
    )]
    Cp(CpArgs),
    /// Close sessions; says what was still running
    #[command(
        after_help = "Examples:\n  sshctl close web1 release\n  sshctl close --host web1\n  sshctl close --all"
    )]
    Close(CloseArgs),
    /// Look at a host's key, compare it, and trust it
    #[command(after_help = "Examples:
  sshctl trust web1
  sshctl trust web1 --fingerprint SHA256:2nonw17hnRcrJVswZPwFH7m34WaK3qURopegHSPILrU

The question is asked on the terminal only, never answered by a pipe. A script must know the fingerprint.")]
    Trust(TrustArgs),
    /// Check the configuration, take over another program's, or tell where it is
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Tell what is missing, slow or unsafe here, and on a host, with what to do
    #[command(
        after_help = "Examples:\n  sshctl doctor\n  sshctl doctor web1",
        after_long_help = "\
On a host it connects and logs in as a session would, on a connection of its own, and runs the login shell a few times
to find slow start-up files. It changes nothing there, and trusts no key.

Exits 0 if all is well, 1 with warnings, 2 with problems."
    )]
    Doctor(DoctorArgs),
    /// Start, stop or look at the daemon
    #[command(subcommand)]
    Daemon(DaemonVerb),
    /// Put the programs, the daemon's service and the entries of MCP clients in place; shown first
    #[command(
        after_help = "Examples:
  sshctl install                             shows what it would do, and asks
  sshctl install --client claude-code --client zed
  sshctl install --no-clients --yes",
        after_long_help = "\
Programs that are in no directory of PATH are copied to ~/.local/bin. The units (the property list on macOS) are written for
your user, unless a package brought them, and enabled where your user manager runs; else it says what is left to do. Each
MCP client that is found gets an entry `ssh`: its file is kept beside it, and nothing else in it changes. Nothing of others
is overwritten. `sshctl uninstall` undoes exactly that.

systemd's user manager, and the daemon with it, ends with your last login; `loginctl enable-linger` keeps it."
    )]
    Install(InstallArgs),
    /// Undo what `sshctl install` did; shown first
    Uninstall(UninstallArgs),
    /// Play the main job on a one-time SSH host on this machine, as an agent would; leaves nothing behind
    #[command(after_help = "\
Needs no SSH server and no configuration, and touches none: host, keys, homes and daemon live in one temporary
directory. Takes seconds. Exits 0 only if every step did what it says.")]
    Demo(DemoArgs),
    /// Print the completions of a shell
    #[command(after_help = "Examples:
  sshctl completions bash > ~/.local/share/bash-completion/completions/sshctl
  sshctl completions zsh > \"${fpath[1]}/_sshctl\"
  sshctl completions fish > ~/.config/fish/completions/sshctl.fish")]
    Completions(CompletionsArgs),
    /// Write the man pages of all programs into a directory
    #[command(hide = true)]
    Man(ManArgs),
}

/// A host and how to log in there.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// Login name instead of the configured one
    #[arg(short = 'l', long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Port instead of the configured one
    #[arg(short = 'p', long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Private key file instead of the configured ones
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<String>,
}

/// Which hosts.
#[derive(Debug, Args)]
pub(crate) struct HostsArgs {
    /// Only this one, with its notes
    pub(crate) host: Option<String>,
}

/// What to open.
#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// Configured connection, ssh_config alias, hostname, or user@host:port
    pub(crate) host: String,
    /// How to log in.
    #[command(flatten)]
    pub(crate) login: Login,
    /// The session's name; the host's default session if not given
    #[arg(short, long, value_name = "NAME")]
    pub(crate) session: Option<String>,
    /// What keeps the shell alive: auto, daemon, remote-tmux, local-tmux
    #[arg(long)]
    pub(crate) keeper: Option<String>,
    /// Terminal width
    #[arg(long, value_parser = clap::value_parser!(u32).range(20..=500))]
    pub(crate) cols: Option<u32>,
    /// Terminal height
    #[arg(long, value_parser = clap::value_parser!(u32).range(5..=200))]
    pub(crate) rows: Option<u32>,
    /// Fail if a session of that name is open already
    #[arg(long)]
    pub(crate) new: bool,
    /// Join its live terminal
    #[arg(short, long)]
    pub(crate) attach: bool,
}

/// Where to log in.
#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// Configured connection, ssh_config alias, hostname, or user@host:port
    pub(crate) host: String,
    /// As whom.
    #[command(flatten)]
    pub(crate) login: Login,
    /// The session's name; the host's default session if not given
    #[arg(short, long, value_name = "NAME")]
    pub(crate) session: Option<String>,
    /// What keeps the shell alive: auto, daemon, remote-tmux, local-tmux (OpenSSH's own client logs in, and asks)
    #[arg(long)]
    pub(crate) keeper: Option<String>,
}

/// What to close.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, args = ["sessions", "host", "all"])]
pub(crate) struct CloseArgs {
    /// Names of sessions
    #[arg(value_name = "SESSION")]
    pub(crate) sessions: Vec<String>,
    /// Every session of this host
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Every session
    #[arg(long)]
    pub(crate) all: bool,
}

/// Whose key.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// The host
    pub(crate) host: String,
    /// How to log in.
    #[command(flatten)]
    pub(crate) login: Login,
    /// Trust the key without a question if it has exactly this fingerprint
    #[arg(long, value_name = "SHA256:…")]
    pub(crate) fingerprint: Option<String>,
}

/// What to look at beside this machine.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Also this host
    pub(crate) host: Option<String>,
    /// How to log in.
    #[command(flatten)]
    pub(crate) login: Login,
}

/// Whether running commands are in the way.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Force {
    /// Stop though commands are running; they end
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// How much of the demo.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DemoArgs {
    /// Only start the one-time host and say how to log in with ssh, until Ctrl-C or the end of stdin
    #[arg(long)]
    pub(crate) host_only: bool,
}

/// Whose completions.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}
