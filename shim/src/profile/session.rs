//! The tools of mcp-ssh-session, as its page has them: hosts by alias or explicit values, one shell a target, commands by id.

pub(super) mod files;
mod told;

use super::{Listing, Preset, Setting, listing::Parameter};
use crate::tools::Effect;

const HOST: Parameter = Parameter::required(
    "host",
    "ssh_config alias, configured name, hostname or user@host:port",
);
const COMMAND: Parameter = Parameter::required("command", "The command");
const COMMAND_ID: Parameter = Parameter::required("command_id", "Id from an earlier answer, like c42");
const USERNAME: Parameter = Parameter::new("username", "string", "Login name, if not the configured one");
const PASSWORD: Parameter = Parameter::new("password", "string", "Login password, if the user gave one");
const KEY: Parameter = Parameter::new(
    "key_filename",
    "string",
    "Private key file, if not the configured one",
);
const PORT: Parameter = Parameter::new("port", "integer", "Port, if not the configured one");
/// Where its default stood for the configured port as well.
const PORT_22: Parameter = PORT.or(Setting::Number(22));

const CONFIGURED_PORT: (&str, Preset) = ("port", Preset::Unsaid(Setting::Number(22)));

const REMOTE_PATH: Parameter =
    Parameter::required("remote_path", "Path on the host, absolute or from the home");
const ENCODING: Parameter = Parameter::new("encoding", "string", "utf-8, latin-1, ascii, utf-16 or base64")
    .or(Setting::Word("utf-8"));
const ERRORS: Parameter = Parameter::new("errors", "string", "strict, replace or ignore");
const MAX_BYTES: Parameter = Parameter::new("max_bytes", "integer", "Bytes at most, up to 2 MiB");
const SUDO_PASSWORD: Parameter = Parameter::new("sudo_password", "string", "As root, by sudo with it");
const USE_SUDO: Parameter =
    Parameter::new("use_sudo", "boolean", "As root, by sudo without a password").or(Setting::Flag(false));

/// As much as an answer of ours carries: it told all.
const ALL_OUTPUT: (&str, Preset) = ("output_limit", Preset::Unless(Setting::Number(40_000)));

pub(super) static LISTINGS: [Listing; 17] = [
    Listing {
        name: "execute_command",
        title: "Run command",
        description: "Runs a shell command on a host in its persistent shell and waits for its end: exit status, stdout, stderr. After \
                      `timeout` seconds (50 at most) it goes on, and the answer is a command id and how to go on. \
                      `sudo_password` runs it under sudo; `enable_password` enters a network device's privileged mode.",
        effect: Effect::Acts,
        parameters: &[
            HOST,
            COMMAND,
            USERNAME,
            PASSWORD,
            KEY,
            PORT,
            Parameter::new(
                "enable_password",
                "string",
                "For a network device's privileged mode",
            ),
            Parameter::new("enable_command", "string", "What enters that mode").or(Setting::Word("enable")),
            Parameter::new("sudo_password", "string", "Runs the command under sudo with it"),
            Parameter::new("timeout", "integer", "Seconds to wait; the command goes on")
                .or(Setting::Number(30)),
        ],
        instead: None,
        presets: &[
            ALL_OUTPUT,
            ("enable_command", Preset::Unsaid(Setting::Word("enable"))),
        ],
        told: told::executed,
    },
    Listing {
        name: "interrupt_command",
        title: "Interrupt command",
        description: "Types Ctrl-C where a command runs on a host; says what it reached and whether it ended.",
        effect: Effect::Ends,
        parameters: &[HOST, USERNAME, PORT_22],
        instead: None,
        presets: &[CONFIGURED_PORT],
        told: told::interrupted,
    },
    Listing {
        name: "get_active_commands",
        title: "Active commands",
        description: "Lists the commands that run now, on all hosts.",
        effect: Effect::Looks,
        parameters: &[],
        instead: None,
        presets: &[],
        told: told::active,
    },
    Listing {
        name: "list_sessions",
        title: "List sessions",
        description: "Lists the open shells as user@host:port, with their state and directory.",
        effect: Effect::Looks,
        parameters: &[],
        instead: None,
        presets: &[],
        told: told::sessions,
    },
    Listing {
        name: "close_session",
        title: "Close session",
        description: "Closes the shells of a host, with what runs in them.",
        effect: Effect::Ends,
        parameters: &[HOST, USERNAME, PORT_22],
        instead: None,
        presets: &[CONFIGURED_PORT],
        told: told::closed,
    },
    Listing {
        name: "close_all_sessions",
        title: "Close all sessions",
        description: "Closes every shell on every host, with what runs in them.",
        effect: Effect::Ends,
        parameters: &[],
        instead: None,
        presets: &[],
        told: told::all_closed,
    },
    Listing {
        name: "execute_command_async",
        title: "Start command",
        description: "Starts a command and returns at once with its id, for get_command_status, send_input and \
                      interrupt_command_by_id. It runs for as long as it takes.",
        effect: Effect::Acts,
        parameters: &[
            HOST,
            COMMAND,
            USERNAME,
            PASSWORD,
            KEY,
            PORT,
            Parameter::new(
                "timeout",
                "integer",
                "Taken, and not needed: nothing ends a command but itself and you",
            )
            .or(Setting::Number(300)),
        ],
        instead: None,
        presets: &[],
        told: told::started,
    },
    Listing {
        name: "get_command_status",
        title: "Command status",
        description: "Status and output of a command by its id, running or ended; runs nothing.",
        effect: Effect::Looks,
        parameters: &[COMMAND_ID],
        instead: None,
        presets: &[ALL_OUTPUT],
        told: told::status,
    },
    Listing {
        name: "interrupt_command_by_id",
        title: "Interrupt command by id",
        description: "Types Ctrl-C where this command runs; says what it reached and whether it ended.",
        effect: Effect::Ends,
        parameters: &[COMMAND_ID],
        instead: None,
        presets: &[],
        told: told::interrupted,
    },
    Listing {
        name: "list_running_commands",
        title: "Running commands",
        description: "Lists the commands that run now, with their ids.",
        effect: Effect::Looks,
        parameters: &[],
        instead: None,
        presets: &[],
        told: told::running,
    },
    Listing {
        name: "list_command_history",
        title: "Command history",
        description: "Lists the latest ended commands, with their ids and exit codes, behind those that run.",
        effect: Effect::Looks,
        parameters: &[Parameter::new("limit", "integer", "How many").or(Setting::Number(50))],
        instead: None,
        presets: &[],
        told: told::history,
    },
    Listing {
        name: "send_input",
        title: "Send input",
        description: "Types text into the terminal of a running command, and returns what it wrote then. `\\n` is Enter.",
        effect: Effect::Acts,
        parameters: &[
            COMMAND_ID,
            Parameter::required("input_text", "Text; `\\n` is Enter: `yes\\n`"),
        ],
        // Enter is pressed where it is spelled, and only there.
        instead: Some(("send_input_by_session", &[])),
        presets: &[],
        told: told::typed,
    },
    Listing {
        name: "send_input_by_session",
        title: "Send input to session",
        description: "Types text into the shell's terminal of a host, and returns what came of it. `\\n` is Enter.",
        effect: Effect::Acts,
        parameters: &[
            HOST,
            Parameter::required("input_text", "Text; `\\n` is Enter: `q`, `yes\\n`"),
            USERNAME,
            PORT,
        ],
        instead: None,
        presets: &[],
        told: told::typed,
    },
    Listing {
        name: "read_screen",
        title: "Read screen",
        description: "What the terminal of a host's shell shows now, and where its cursor is; for full-screen programs.",
        effect: Effect::Looks,
        parameters: &[
            HOST,
            USERNAME,
            PORT,
            Parameter::new("max_lines", "integer", "Lines at most").or(Setting::Number(24)),
        ],
        instead: None,
        presets: &[("screen_rows", Preset::Unless(Setting::Number(24)))],
        told: told::screen,
    },
    Listing {
        name: "send_keys",
        title: "Send keys",
        description: "Types text and keys into the terminal of a host's shell: `:wq<enter>`, `<esc>`, `<tab>`, `<ctrl-c>`, `<up>`, \
                      `<space>`.",
        effect: Effect::Acts,
        parameters: &[
            HOST,
            Parameter::required("keys", "Text with keys in it: `<esc>:wq<enter>`"),
            USERNAME,
            PORT,
        ],
        instead: None,
        presets: &[],
        told: told::pressed,
    },
    Listing {
        name: "read_file",
        title: "Read file",
        description: "Reads a text file on a host by SFTP, at most 2 MiB, and returns its content.",
        effect: Effect::Reads,
        parameters: &[
            HOST,
            REMOTE_PATH,
            USERNAME,
            PASSWORD,
            KEY,
            PORT,
            ENCODING,
            ERRORS.or(Setting::Word("replace")),
            MAX_BYTES,
            SUDO_PASSWORD,
            USE_SUDO,
        ],
        instead: None,
        presets: &[
            ("encoding", Preset::Unless(Setting::Word("utf-8"))),
            ("errors", Preset::Unless(Setting::Word("replace"))),
            // There it was as good as left out.
            ("limit", Preset::Unsaid(Setting::Number(0))),
        ],
        told: files::read,
    },
    Listing {
        name: "write_file",
        title: "Write file",
        description: "Writes content to a file on a host by SFTP, at most 2 MiB; the file is replaced in one moment, or added to.",
        effect: Effect::Acts,
        parameters: &[
            HOST,
            REMOTE_PATH,
            Parameter::required("content", "The content"),
            USERNAME,
            PASSWORD,
            KEY,
            PORT,
            ENCODING,
            ERRORS.or(Setting::Word("strict")),
            Parameter::new("append", "boolean", "Add it to the end").or(Setting::Flag(false)),
            Parameter::new("make_dirs", "boolean", "Make directories that are not there")
                .or(Setting::Flag(false)),
            Parameter::new("permissions", "integer", "Decimal: 420 is 0644"),
            MAX_BYTES,
            SUDO_PASSWORD,
            USE_SUDO,
        ],
        instead: None,
        presets: &[],
        told: files::written,
    },
];
