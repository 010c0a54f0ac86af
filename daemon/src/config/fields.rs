//! Every key that a configuration file may have, once: the parser takes it only if it is here, and the schema and
//! the suggestions are made from it.

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Text in one line.
    Text,
    /// A file; `~/` is the home directory, a relative path begins at the configuration file's directory.
    Path,
    /// A whole number from the first to the last.
    Number(i64, i64),
    /// true or false.
    Boolean,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A string, or a table with one key that says where the secret is.
    Secret,
    /// A table of named secrets.
    Secrets,
    /// A host, or a list of hosts.
    Hosts,
    /// A list of words.
    Tags,
    /// Known, but refused for now.
    Refused,
}

/// One key.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) about: &'static str,
}

const fn field(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { name, shape, about }
}

/// Words of `kind`.
pub(super) const KINDS: &[&str] = &["auto", "posix", "network", "windows"];

/// Range of `orphan_after`: a minute to a year.
const ORPHAN_AFTER: Shape = Shape::Number(60, 31_536_000);
/// Words of `keeper`.
pub(super) const KEEPERS: &[&str] = &["auto", "daemon", "remote-tmux", "local-tmux"];

/// Words of `host_key_policy`.
pub(super) const HOST_KEY_POLICIES: &[&str] = &["ask", "accept-new", "strict"];

/// Keys of a table that says where a secret is.
pub(super) const SECRET_KEYS: &[&str] = &["env", "command", "keyring"];

/// Keys of the file itself.
pub(super) const TOP: &[&str] = &["connections", "settings", "logs", "tags"];

/// Keys of `[connections.NAME]`.
pub(super) const CONNECTION: &[Field] = &[
    field(
        "host",
        Shape::Text,
        "Host name, address or ssh_config alias to connect to; the connection's own name if missing.",
    ),
    field("user", Shape::Text, "Login name."),
    field(
        "port",
        Shape::Number(1, 65535),
        "TCP port; 22 unless ssh_config says otherwise.",
    ),
    field(
        "key_path",
        Shape::Path,
        "Private key file; the only one that is then offered.",
    ),
    field("password", Shape::Secret, "Login password."),
    field(
        "description",
        Shape::Text,
        "What the host is, for people and agents.",
    ),
    field(
        "kind",
        Shape::Word(KINDS),
        "What answers there; found out by asking if `auto`, the default.",
    ),
    field(
        "keeper",
        Shape::Word(KEEPERS),
        "What keeps a session's shell alive: `daemon`, the default; `remote-tmux`, a tmux on the host; `auto`, that where the host has it, and `local-tmux` where only OpenSSH's own client can do what ssh_config says; `local-tmux`, OpenSSH's own client in a tmux of this machine.",
    ),
    field(
        "orphan_after",
        ORPHAN_AFTER,
        "Seconds after which a kept shell that nobody came back to ends on this host, and a durable command's files go.",
    ),
    field(
        "jump",
        Shape::Hosts,
        "Hosts to go through, first hop first, instead of ssh_config's ProxyJump; `none` for a direct way.",
    ),
    field("tags", Shape::Tags, "Labels to address many hosts by."),
    field("sudo_password", Shape::Secret, "Given to sudo's own prompt only."),
    field(
        "enable_password",
        Shape::Secret,
        "Password of a network device's privileged mode.",
    ),
    field(
        "secrets",
        Shape::Secrets,
        "Secrets by name that an agent may have typed there (send_input's `secret`), at prompts that hide them.",
    ),
    field(
        "enable_command",
        Shape::Text,
        "Command that enters a network device's privileged mode; `enable` if missing.",
    ),
    field(
        "policy",
        Shape::Refused,
        "What agents may do there; not built yet, hence refused.",
    ),
    field(
        "host_key_policy",
        Shape::Word(HOST_KEY_POLICIES),
        "What to do with an unknown host key: fail and ask a person, trust it on first use, or fail.",
    ),
    field(
        "notes_path",
        Shape::Path,
        "Markdown file written by a person for agents.",
    ),
];

/// The other name that mcp-ssh-interactive has for `notes_path`.
pub(super) const INFO_FILE: &str = "info_file";

/// Keys of `[settings]`.
pub(super) const SETTINGS: &[Field] = &[
    field(
        "max_wait",
        Shape::Number(1, 3600),
        "Longest wait of one call, in seconds; below the 60 s at which clients give up. Default 50.",
    ),
    field(
        "idle_exit",
        Shape::Number(0, 31_536_000),
        "Seconds without sessions after which a daemon that a client started leaves; 0 = never. Default 1800.",
    ),
    field(
        "keeper",
        Shape::Word(KEEPERS),
        "What keeps the shells of connections without a keeper of their own or of a tag. Default `daemon`.",
    ),
    field(
        "orphan_after",
        ORPHAN_AFTER,
        "Seconds after which a kept shell that nobody came back to ends on its host, and a durable command's files go, where neither connection nor tag says it. Default 259200, three days.",
    ),
    field(
        "host_key_policy",
        Shape::Word(HOST_KEY_POLICIES),
        "For every connection without its own. Default `ask`, or what ssh_config says.",
    ),
    field(
        "expose_secret_parameters",
        Shape::Boolean,
        "List the tool parameters that carry secrets in every profile. Default false.",
    ),
    field(
        "connect_timeout",
        Shape::Number(1, 600),
        "Seconds for connecting, unless ssh_config's ConnectTimeout says otherwise. Default 15.",
    ),
    field(
        "max_sessions",
        Shape::Number(1, 10_000),
        "Sessions at a time. Default 500.",
    ),
    field(
        "max_sessions_per_host",
        Shape::Number(1, 10_000),
        "Sessions at a time on one target. Default 250.",
    ),
    field(
        "max_queued_commands",
        Shape::Number(1, 1_000),
        "Commands that wait for their turn in one session. Default 32.",
    ),
    field(
        "max_clients",
        Shape::Number(1, 10_000),
        "Programs connected to the daemon at a time. Default 256.",
    ),
    field(
        "max_calls",
        Shape::Number(1, 100_000),
        "Calls under way at a time, all clients together. Default 2048.",
    ),
    field(
        "max_calls_per_client",
        Shape::Number(1, 4_096),
        "Calls under way at a time of one program. Default 512.",
    ),
    field(
        "max_command_kib",
        Shape::Number(1, 4_096),
        "KiB of one command's text. Default 1024.",
    ),
    field(
        "max_stdin_kib",
        Shape::Number(1, 16_384),
        "KiB of one command's `stdin`. Default 1024.",
    ),
    field(
        "idle_after",
        Shape::Number(0, 31_536_000),
        "Seconds in which nothing happened in a session after which it is listed as idle; 0 = never. Default 3600.",
    ),
    field(
        "close_idle_after",
        Shape::Number(0, 31_536_000),
        "Seconds in which nothing happened in a session after which it is closed; 0 = never, the default.",
    ),
    field(
        "spool_limit_mib",
        Shape::Number(1, 65_536),
        "MiB of output kept of one command; then its middle is dropped and counted. Default 64.",
    ),
    field(
        "spool_total_mib",
        Shape::Number(1, 1_048_576),
        "MiB of output kept of all commands; then that of the command that ended first goes. Default 2048.",
    ),
    field(
        "keep_commands",
        Shape::Number(1, 100_000),
        "Ended commands whose output is kept. Default 200.",
    ),
];

/// Keys of `[tags.NAME]`.
pub(super) const TAG: &[Field] = &[
    field(
        "keeper",
        Shape::Word(KEEPERS),
        "What keeps the shells of connections with this tag and without a keeper of their own.",
    ),
    field(
        "orphan_after",
        ORPHAN_AFTER,
        "The same as in a connection, for those with this tag that do not say it themselves.",
    ),
    field(
        "notes_path",
        Shape::Path,
        "Markdown file written by a person for agents that work on hosts with this tag.",
    ),
    field(
        "policy",
        Shape::Refused,
        "What agents may do there; not built yet, hence refused.",
    ),
];

/// Keys of `[logs]`.
pub(super) const LOGS: &[Field] = &[
    field(
        "transcripts",
        Shape::Boolean,
        "Write what each session's terminal showed as text to logs/SESSION.log. Default true.",
    ),
    field(
        "recordings",
        Shape::Boolean,
        "Write the same with its times to logs/SESSION.cast, for asciinema and `sshctl replay`. Default true.",
    ),
    field(
        "max_mib",
        Shape::Number(1, 65_536),
        "MiB of one file; then it is set aside (SESSION.log.1) and another begun. Default 16.",
    ),
    field(
        "keep_files",
        Shape::Number(1, 1_000),
        "Files of one kind of one session, the one that is written included. Default 4.",
    ),
    field(
        "keep_days",
        Shape::Number(0, 36_500),
        "Days after which a file that nothing was written to is removed; 0 = never. Default 30.",
    ),
];
