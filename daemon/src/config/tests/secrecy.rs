//! No configuration, however damaged, makes a message show a secret.

use proptest::prelude::*;

use super::*;

/// A secret that no message may show.
const MARKER: &str = "S3cr3tMARKERvalue";

const TOML_WITH_SECRETS: &str = "[settings]\nmax_wait = 9\n[connections.web]\nhost = 'h'\nuser = 'u'\n\
    password = 'S3cr3tMARKERvalue'\nport = 22\nsudo_password = { env = 'S3cr3tMARKERvalue' }\n\
    enable_password = { command = \"S3cr3tMARKERvalue\" }\ntags = ['a']\n[connections.b]\n\
    password = { keyring = 'S3cr3tMARKERvalue' }\nsudo_password = \"\"\"S3cr3tMARKERvalue\"\"\"\n";

const YAML_WITH_SECRETS: &str = "connections:\n  web:\n    host: h\n    password: S3cr3tMARKERvalue\n    port: 22\n  \
    b: {host: h, password: \"S3cr3tMARKERvalue\", user: u}\n  c:\n    password: 'S3cr3tMARKERvalue'\n    \
    description: d\n  d:\n    password: >-\n      S3cr3tMARKERvalue\n    user: u\n";

/// Everything that a person or an agent could come to see of a configuration.
fn all_that_is_shown(home: &Home, names: &[&str]) -> String {
    let store = home.store();
    let config = store.current();
    let mut shown = format!("{config:?} {:?}", store.reload());
    for problem in config.all_problems() {
        shown += &format!("{problem} {problem:?} {:?}", problem.fault());
    }
    for name in names {
        shown += &format!("{:?}", config.connection(name));
    }
    let report = check(home.sources());
    shown + &format!("{report} {report:?} {}", report.json())
}

fn assert_hidden(home: &Home, what: impl Fn() -> String) {
    let shown = all_that_is_shown(home, &["web", "b", "c", "d"]);
    assert!(!shown.contains("MARKER"), "{}\n{shown}", what());
}

/// Each byte of a file replaced by each of what files are made of, removed, and the file cut there.
#[test]
fn no_damage_shows_a_secret() {
    for (file, text) in [
        ("config.toml", TOML_WITH_SECRETS),
        (".ssh_mcp_config.yml", YAML_WITH_SECRETS),
    ] {
        let home = Home::new();
        for at in 0..text.len() {
            for with in [
                &b""[..],
                b"\n",
                b"'",
                b"=",
                b"{",
                b"[",
                b":",
                b"#",
                b"\xff",
                b"\0",
                b" ",
            ] {
                let bytes = text.as_bytes();
                let damaged = [&bytes[..at], with, &bytes[at + 1..]].concat();
                home.write(file, &damaged);
                assert_hidden(&home, || String::from_utf8_lossy(&damaged).into_owned());
            }
            home.write(file, &text.as_bytes()[..at]);
            assert_hidden(&home, || text[..at].to_owned());
        }
    }
}

/// A secret as the value of any key, of the wrong type's key, and as a key itself.
#[test]
fn no_position_shows_a_secret() {
    let connection = fields::CONNECTION
        .iter()
        .map(|field| ("connections.web", field.name));
    let settings = fields::SETTINGS.iter().map(|field| ("settings", field.name));
    let logs = fields::LOGS.iter().map(|field| ("logs", field.name));
    // Paths, and what a listing is for, are shown on purpose.
    let shown = [
        "key_path",
        "notes_path",
        "description",
        "host",
        "user",
        "tags",
        "jump",
        "enable_command",
    ];
    for (table, name) in connection
        .chain(settings)
        .chain(logs)
        .filter(|(_, name)| !shown.contains(name))
    {
        for value in [
            format!("'{MARKER}'"),
            format!("['{MARKER}']"),
            format!("{{ env = '{MARKER}' }}"),
            format!("{{ {MARKER} = 1 }}"),
            format!("{{ {MARKER} = '{MARKER}', b = 1 }}"),
            format!("'''{MARKER}\n{MARKER}'''"),
            MARKER.to_owned(),
            format!("'{MARKER}"),
        ] {
            let text = format!("[{table}]\n{name} = {value}\n");
            assert_hidden(&Home::with(&text), || text.clone());
        }
    }
    for text in [
        format!("{MARKER} = 1\n"),
        format!("[{MARKER}]\nx = 1\n"),
        format!("[connections.web]\n{MARKER} = 1\n"),
        format!("[connections.web]\nuser = ['{MARKER}']\n"),
        format!("[connections.web]\nhost = '{MARKER} x'\n"),
        format!("[connections.web]\nuser = '{MARKER} x'\n"),
        format!("[connections.web]\njump = '{MARKER} x'\n"),
        format!("[connections.web]\ntags = ['{MARKER} x']\n"),
        format!("[connections.web]\nkey_path = '~{MARKER}'\n"),
        format!("[connections.' {MARKER} ']\n\"{MARKER}\" = 1\n").replace(&format!("' {MARKER} '"), "web"),
    ] {
        assert_hidden(&Home::with(&text), || text.clone());
    }
}

proptest! {
    /// Whatever is in a file, reading it ends, panics never, and shows no secret.
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let home = Home::new();
        home.write("config.toml", &bytes);
        home.write(".ssh_mcp_config.yml", &bytes);
        home.load();
    }

    /// Lines of the files in any order and number: whole files of every kind of nonsense.
    #[test]
    fn any_lines_hide_secrets(picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        for (file, text) in [("config.toml", TOML_WITH_SECRETS), (".ssh_mcp_config.yml", YAML_WITH_SECRETS)] {
            let lines: Vec<&str> = text.lines().collect();
            let mixed: Vec<&str> = picks.iter().map(|pick| *pick.get(&lines)).collect();
            let home = Home::new();
            home.write(file, mixed.join("\n"));
            assert_hidden(&home, || mixed.join("\n"));
        }
    }
}
