//! Every class of error with its place and words.

use super::*;
use crate::config::fields::{self, Shape};

/// Every class of error inside a connection: its place, its words, and the other connection goes on.
#[test]
fn errors_inside_a_connection() {
    let table = [
        ("passwrod = 'x'", "2:1 unknown key (did you mean `password`?)"),
        ("keypath = 'x'", "2:1 unknown key (did you mean `key_path`?)"),
        (
            "zzz = 1",
            "2:1 unknown key (known here: host, user, port, key_path, password, description, kind, keeper, orphan_after, jump, tags, sudo_password, enable_password, secrets, enable_command, policy, host_key_policy, notes_path)",
        ),
        ("info_file = 'x'", "2:1 unknown key"),
        (
            "host = 1",
            "2:8 `host` must be a string, found a number (put it in quotes)",
        ),
        ("host = ''", "2:8 `host` is empty ()"),
        (
            "host = '-oProxyCommand=x'",
            "2:8 `host` is no host name, address or alias (write",
        ),
        ("host = 'a b'", "2:8 `host` is no host name"),
        ("user = 'a b'", "2:8 `user` is no login name ()"),
        (
            "user = []",
            "2:8 `user` must be a string, found a list (write one text in quotes)",
        ),
        ("user = \"a\\nb\"", "2:8 `user` has control characters ()"),
        ("port = 0", "2:8 `port` must be a whole number from 1 to 65535 ()"),
        (
            "port = 65536",
            "2:8 `port` must be a whole number from 1 to 65535 ()",
        ),
        (
            "port = -1",
            "2:8 `port` must be a whole number from 1 to 65535 ()",
        ),
        (
            "port = '22'",
            "2:8 `port` must be a whole number from 1 to 65535, found a string (write a number as it is, without quotes or fraction)",
        ),
        (
            "port = 22.5",
            "2:8 `port` must be a whole number from 1 to 65535, found a fraction (write a number as it is, without quotes or fraction)",
        ),
        (
            "port = 99999999999999999999",
            "2:8 `port` must be a whole number from 1 to 65535, found a number too large (write a number as it is, without quotes or fraction)",
        ),
        (
            "port = 2020-01-01",
            "2:8 `port` must be a whole number from 1 to 65535, found a date (write a number as it is, without quotes or fraction)",
        ),
        ("key_path = '~root/k'", "2:12 `key_path`: another user's home"),
        (
            "password = 5",
            "2:12 `password` must be a string, or one of { env",
        ),
        (
            "secrets = 'x'",
            "2:11 `secrets` must be a table of named secrets, found a string (write it as { NAME = … })",
        ),
        (
            "secrets = { 'a b' = 'x' }",
            "2:13 a secret's name has other characters",
        ),
        (
            "secrets = { a = 5 }",
            "2:17 `secrets` must be a string, or one of",
        ),
        (
            "password = ''",
            "2:12 `password` is empty or has more than one line ()",
        ),
        ("password = {}", "2:12 `password` must be a string, or one of"),
        (
            "password = { env = 'A', command = 'b' }",
            "2:12 `password` must be a string, or one of",
        ),
        (
            "password = { evn = 'A' }",
            "2:14 unknown key (did you mean `env`?)",
        ),
        (
            "password = { env = 1 }",
            "2:20 `env` must be a string, found a number (put it in quotes)",
        ),
        ("password = { command = '' }", "2:24 `command` is empty ()"),
        (
            "kind = 'posx'",
            "2:8 `kind` must be one of auto, posix, network, windows (did you mean `posix`?)",
        ),
        (
            "kind = true",
            "2:8 `kind` must be one of auto, posix, network, windows, found a boolean (write one of these words in quotes)",
        ),
        (
            "keeper = 'screen'",
            "2:10 `keeper` must be one of auto, daemon, remote-tmux, local-tmux ()",
        ),
        ("jump = 'a,,b'", "2:8 `jump` has a hop that is no host ()"),
        ("jump = ['-x']", "2:8 `jump` has a hop that is no host ()"),
        (
            "jump = [1]",
            "2:9 `jump` must be a host or a list of hosts, found a number (write",
        ),
        (
            "tags = 'a'",
            "2:8 `tags` must be a list of strings, found a string (write it as [",
        ),
        ("tags = ['a', 'b c']", "2:14 `tags`: a tag is 1 to 64 letters"),
        ("policy = 'read-only'", "2:1 `policy` is not built yet"),
        (
            "host_key_policy = 'no'",
            "2:19 `host_key_policy` must be one of ask, accept-new, strict ()",
        ),
    ];
    for (line, expected) in table {
        let home = Home::with(&format!(
            "[connections.bad]\n{line}\n[connections.good]\nhost = 'h'\n"
        ));
        let config = home.load();
        let found = problems(&config);
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{line}\nexpected {expected}\nfound {found:?}"
        );
        assert!(config.problems.is_empty(), "{line}: {:?}", config.problems);
        usable(&config, "good");
        let fault = config.connection("bad").unwrap_err();
        assert_eq!(fault.reason, Reason::ConfigInvalid);
        assert!(fault.message.contains("config.toml:2:"), "{fault}");
        assert!(!fault.hint.is_empty());
    }
}

/// A missing key file is shown with its path at its place; the connection is right as soon as the key is there.
#[test]
fn missing_key_file() {
    let home = Home::with("[connections.a]\nkey_path = 'keys/id'\n");
    let store = home.store();
    let found = problems(&store.current());
    let key = home.path("keys/id");
    assert_eq!(
        found,
        [format!(
            "2:12 the key file {} is not there (correct `key_path`, or create the key)",
            key.display()
        )]
    );
    home.write("keys/id", "");
    assert!(store.reload().problems.is_empty());
    usable(&store.current(), "a");
}

/// Every class of error outside the connections; what can be used stays in use.
#[test]
fn errors_outside_connections() {
    for (text, expected) in [
        ("conections = 1", "1:1 unknown key (did you mean `connections`?)"),
        (
            "[conection.web]\nhost = 'x'",
            "1:2 unknown key (did you mean `connections`?)",
        ),
        (
            "connections = 1",
            "1:15 `connections` must be a table, found a number (write [",
        ),
        (
            "connections.a = 1",
            "1:17 a connection must be a table, found a number (write [",
        ),
        ("[connections.'']", "1:14 a connection's name is empty ()"),
        ("[connections.-x]", "1:14 a connection's name begins with `-`"),
        (
            "[connections.\"a\\u202Eb\"]",
            "1:14 a connection's name has control or invisible characters ()",
        ),
        (
            "[connections.\"a\\nb\"]",
            "1:14 a connection's name has control or invisible characters ()",
        ),
        (
            "[connections.'a b']\nuser = 'u'",
            "1:14 `host` is missing, and the connection's name is no host either (add `host`)",
        ),
        (
            "settings = []",
            "1:12 `settings` must be a table, found a list (write [",
        ),
        ("tags = []", "1:8 `tags` must be a table, found a list (write ["),
        (
            "tags.a = 1",
            "1:10 a tag must be a table, found a number (write [",
        ),
        ("[tags.'a b']", "1:7 a tag is 1 to 64 letters"),
        (
            "[tags.a]\nkeper = 'auto'",
            "2:1 unknown key (did you mean `keeper`?)",
        ),
        (
            "[tags.a]\nkeeper = 'screen'",
            "2:10 `keeper` must be one of auto, daemon, remote-tmux",
        ),
        ("[tags.a]\npolicy = 'full'", "2:1 `policy` is not built yet"),
        ("logs = 1", "1:8 `logs` must be a table, found a number (write ["),
        ("[logs]\nmax_mb = 1", "2:1 unknown key (did you mean `max_mib`?)"),
        (
            "[settings]\nmax_wiat = 1",
            "2:1 unknown key (did you mean `max_wait`?)",
        ),
        (
            "[settings]\nmax_wait = 0",
            "2:12 `max_wait` must be a whole number from 1 to 3600 ()",
        ),
        (
            "[settings]\nexpose_secret_parameters = 'yes'",
            "2:28 `expose_secret_parameters` must be true or false, found a string (write true or false, without quotes)",
        ),
    ] {
        let found = problems(&Home::with(text).load());
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{text}\n{found:?}"
        );
    }
}

/// A misspelt `strict` does not become `ask`.
#[test]
fn a_wrong_host_key_policy_fails_closed() {
    let config = Home::with("[settings]\nhost_key_policy = 'strickt'\nmax_wait = 9\n").load();
    assert_eq!(config.settings.host_key_policy, Some(HostKeyPolicy::Strict));
    assert_eq!(config.settings.max_wait, Duration::from_secs(9));
    assert!(problems(&config)[0].contains("did you mean `strict`?"));
}

/// Every number of the settings has a range, and a value outside of it is told with its place; the default stays.
#[test]
fn settings_out_of_range() {
    let mut tried = 0;
    for field in fields::SETTINGS {
        let Shape::Number(from, to) = field.shape else {
            continue;
        };
        for value in [from - 1, to + 1, i64::MAX] {
            let text = format!("[settings]\n{} = {value}\n", field.name);
            let config = Home::with(&text).load();
            let found = problems(&config);
            let column = field.name.len() + 4;
            let begin = format!("2:{column} `{}` must be", field.name);
            assert!(
                found.len() == 1 && found[0].starts_with(&begin) && found[0].contains(&to.to_string()),
                "{text}: {found:?}"
            );
            assert_eq!(config.settings, Settings::default(), "{text}");
            tried += 1;
        }
        for value in [from, to] {
            let config = Home::with(&format!("[settings]\n{} = {value}\n", field.name)).load();
            assert_eq!(problems(&config), Vec::<String>::new());
        }
    }
    assert!(tried > 30);
}
