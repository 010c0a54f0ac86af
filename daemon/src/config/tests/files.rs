//! Files as wholes: unreadable, open to others, changed, several of them, and mcp-ssh-interactive's.

use super::*;

/// A file that is wrong as a whole leaves the last good state in force, says so, and heals.
#[test]
fn the_last_good_configuration_stays() {
    let good = "[connections.web]\nhost = 'h1'\n[settings]\nmax_wait = 20\n";
    let home = Home::with(good);
    home.write(".ssh_mcp_config.yml", "connections:\n  old: {host: o1}\n");
    let store = home.store();
    for (bad, expected) in [
        (b"[connections.web\n".to_vec(), "1:17 not valid TOML: "),
        (
            b"[connections.web]\nhost = 'a'\nhost = 'b'\n".to_vec(),
            "3:1 not valid TOML: duplicate key",
        ),
        (b"x = '\xff'\n".to_vec(), "1:6 not UTF-8 text"),
        (b"x = 1\n\0\0".to_vec(), "2:1 binary data, not text"),
        (vec![b'#'; (1 << 20) + 1], "- it is larger than 1 MiB"),
    ] {
        home.write("config.toml", &bad);
        home.write(".ssh_mcp_config.yml", "connections:\n  old: {host: o2}\n");
        let outcome = store.reload();
        let config = store.current();
        assert!(!outcome.applied);
        let found = problems(&config);
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{expected}\n{found:?}"
        );
        assert_eq!(config.problems.len(), 1, "every listing says so");
        assert_eq!(usable(&config, "web").host.as_deref(), Some("h1"));
        assert_eq!(config.settings.max_wait, Duration::from_secs(20));
        assert_eq!(
            usable(&config, "old").host.as_deref(),
            Some("o2"),
            "the other file counts"
        );
    }
    home.write("config.toml", "[connections.web]\nhost = 'h2'\n");
    let outcome = store.reload();
    assert!(outcome.applied && outcome.problems.is_empty());
    assert_eq!(usable(&store.current(), "web").host.as_deref(), Some("h2"));
    assert_eq!(store.current().settings, Settings::default());
    std::fs::remove_file(home.path("config.toml")).unwrap();
    assert!(store.reload().applied);
    assert!(!store.current().connections.contains_key("web"));
}

#[test]
fn what_is_no_file_is_refused() {
    let home = Home::new();
    std::fs::create_dir(home.path("config.toml")).unwrap();
    assert_eq!(problems(&home.load()), ["- it is a directory, not a file ()"]);
    std::fs::remove_dir(home.path("config.toml")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        home.path("config.toml"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    assert_eq!(problems(&home.load()), ["- it is not an ordinary file ()"]);
    let named = Sources {
        toml: home.path("missing.toml"),
        toml_named: true,
        ..home.sources()
    };
    assert!(problems(&ConfigStore::open(named).current())[0].contains("is not there"));
}

#[test]
fn empty_files_say_nothing() {
    for text in ["", "\n", "# x\n", "\u{feff}", "\u{feff}# x"] {
        let home = Home::with(text);
        home.write(".ssh_mcp_config.yml", text);
        assert_eq!(problems(&home.load()), Vec::<String>::new(), "{text:?}");
    }
    let home = Home::new();
    home.write(".ssh_mcp_config.yml", "connections:\n");
    assert_eq!(problems(&home.load()), Vec::<String>::new());
}

/// Only a literal secret makes an open file unfit, and the command mends it.
#[test]
fn a_file_that_gives_secrets_away() {
    let refused = [
        ("config.toml", "[connections.a]\npassword = 'x'\n"),
        ("config.toml", "[connections.a]\nsudo_password = 'x'\n"),
        ("config.toml", "[connections.a]\nenable_password = 'x'\n"),
        ("config.toml", "[connections.a]\npasswrod = 'x'\n"),
        ("config.toml", "[connections.a.secrets]\ntoken = 'x'\n"),
        (
            ".ssh_mcp_config.yml",
            "connections: {a: {host: h, password: x}}\n",
        ),
        (
            ".ssh_mcp_config.yml",
            "connections: {a: {host: h, password: 12345}}\n",
        ),
    ];
    for (file, text) in refused {
        for mode in [0o644, 0o640, 0o602, 0o610] {
            let home = Home::new();
            home.write_mode(file, text, mode);
            let config = home.load();
            assert!(config.connections.is_empty(), "{text}");
            let found = problems(&config);
            assert_eq!(
                found,
                [format!(
                    "- it holds a literal secret and others may read it (mode {mode:04o}) (run: chmod 600 {})",
                    home.path(file).display()
                )]
            );
        }
        let home = Home::new();
        home.write_mode(file, text, 0o600);
        assert_eq!(home.load().connections.len(), 1);
    }
    let home = Home::new();
    home.write_mode(
        "config.toml",
        "[connections.a]\npassword = { env = 'X' }\n",
        0o644,
    );
    assert_eq!(problems(&home.load()), Vec::<String>::new());
}

/// The file of mcp-ssh-interactive as its users have it.
#[test]
fn the_predecessors_file_works_as_it_is() {
    let home = Home::new();
    home.write("id", "");
    home.write(
        ".ssh_mcp_config.yml",
        "# my servers\nconnections:\n  prod-web:\n    host: 10.0.0.5\n    user: ubuntu\n    key_path: ~/id\n    \
         port: 2222\n    description: \"Production: web\"\n    info_file: ~/notes.md\n  'lab':\n    host: lab\n    \
         user: root\n    password: 0123\n    port: \"22\"\n    info_file: lab.md\n  plain: {host: h, user: u, password: 'p: #w', key_path: null}\n",
    );
    let config = home.load();
    assert_eq!(problems(&config), Vec::<String>::new());
    let lab = usable(&config, "lab");
    assert_eq!(lab.port, Some(22));
    assert!(
        matches!(&lab.password, Some(SecretSource::Literal(secret)) if secret.expose().as_str() == "0123")
    );
    let info = home.path(".mcp-ssh-interactive/info/lab.md");
    assert_eq!(lab.notes_path, Some(info), "where it kept them");
    let web = usable(&config, "prod-web");
    assert_eq!(web.host.as_deref(), Some("10.0.0.5"));
    assert_eq!(web.port, Some(2222));
    assert_eq!(web.key_path, Some(home.path("id")));
    assert_eq!(web.notes_path, Some(home.path("notes.md")));
    assert_eq!(web.description.as_deref(), Some("Production: web"));
    assert_eq!(web.source, "mcp-ssh-interactive");
    let plain = usable(&config, "plain");
    assert!(
        matches!(&plain.password, Some(SecretSource::Literal(secret)) if secret.expose().as_str() == "p: #w")
    );
    assert_eq!(plain.key_path, None);
}

#[test]
fn yaml_anchors_numbers_and_errors() {
    let home = Home::new();
    home.write(
        ".ssh_mcp_config.yml",
        "connections:\n  a: &base\n    user: u\n    password: 0123\n  b:\n    <<: *base\n    host: h\n    user: v\n",
    );
    let config = home.load();
    assert_eq!(problems(&config), Vec::<String>::new());
    let b = usable(&config, "b");
    assert_eq!(b.user.as_deref(), Some("v"));
    assert!(matches!(&b.password, Some(SecretSource::Literal(secret)) if secret.expose().as_str() == "0123"));
    let bomb = format!(
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n{}",
        (1..12)
            .map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(",")))
            .collect::<String>()
    );
    let deep = format!("connections: {}", "[".repeat(100_000));
    for (text, expected) in [
        ("connections: [a", "not valid YAML (check"),
        (
            "- a\n- b\n",
            "1:1 expected a table with the key `connections`, found a list",
        ),
        (
            "hello\n",
            "1:1 expected a table with the key `connections`, found a string",
        ),
        (
            "connections:\n  a: {host: h}\n  a: {host: i}\n",
            "3:3 this key was already given in the same table",
        ),
        (
            "connections:\n  a:\n    hots: h\n",
            "3:5 unknown key (did you mean `host`?)",
        ),
        (
            "connections:\n  a:\n    - host\n",
            "3:5 a connection must be a table, found a list",
        ),
        (
            "connection:\n  a: {host: h}\n",
            "1:1 unknown key (did you mean `connections`?)",
        ),
        ("settings: {}\n", "1:1 unknown key (known here: connections)"),
        ("a: 1\n---\nb: 1\n", "3:1 a second YAML document begins here"),
        ("? [a, b]\n: c\n", "a key must be a plain word"),
        ("connections: *nope\n", "not valid YAML"),
        ("connections: &x [*x]\n", ""),
        ("a: 1\n<<: 3\n", "`<<` takes an alias of a table"),
        (&bomb, "too large with its aliases written out"),
        (&deep, ""),
    ] {
        let home = Home::new();
        home.write(".ssh_mcp_config.yml", text);
        let found = problems(&home.load());
        let head: String = text.chars().take(60).collect();
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{head}\n{found:?}"
        );
    }
}

/// Field by field, the first file that says something wins; what is wrong in either takes the connection out.
#[test]
fn precedence_is_by_field() {
    let home = Home::with("[connections.web]\nuser = 'toml'\ntags = ['t']\n");
    home.write(
        ".ssh_mcp_config.yml",
        "connections:\n  web: {host: first, user: yaml, port: 1}\n  other: {host: o}\n",
    );
    home.write(
        ".mcp-ssh-interactive/config.yml",
        "connections:\n  web: {host: second, description: d}\n",
    );
    let store = home.store();
    let config = store.current();
    let web = usable(&config, "web");
    assert_eq!(web.user.as_deref(), Some("toml"));
    assert_eq!(web.host.as_deref(), Some("first"));
    assert_eq!(web.port, Some(1));
    assert_eq!(web.description.as_deref(), Some("d"));
    assert_eq!(web.source, "config");
    assert_eq!(usable(&config, "other").source, "mcp-ssh-interactive");
    home.write(
        ".mcp-ssh-interactive/config.yml",
        "connections:\n  web: {port: many}\n",
    );
    store.reload();
    let fault = store.current().connection("web").unwrap_err();
    assert!(fault.message.contains("config.yml:2:15"), "{fault}");
}

/// The watcher sees an edit, a rename and a key file that appears, without being told.
#[tokio::test]
async fn changes_are_seen() {
    let home = Home::with("[connections.a]\nhost = 'one'\n");
    let store = Arc::new(home.store());
    let watcher = tokio::spawn(Arc::clone(&store).watch_every(Duration::from_millis(5)));
    let host = |config: &Config| usable(config, "a").host.clone();
    let until = async |condition: &dyn Fn(&Config) -> bool| {
        let mut looks = tokio::time::interval(Duration::from_millis(2));
        let seen = async {
            while !condition(&store.current()) {
                looks.tick().await;
            }
        };
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, seen)
            .await
            .expect("the change is seen");
    };
    home.write("config.toml", "[connections.a]\nhost = 'two'\n");
    until(&|config| host(config).as_deref() == Some("two")).await;
    home.write("config.toml", "[connections.a]\nkey_path = '~/k'\n");
    until(&|config| config.connection("a").is_err()).await;
    home.write("k", "");
    until(&|config| config.connection("a").is_ok()).await;
    watcher.abort();
}

/// A file at the limit is read in a moment, whatever is in it.
#[test]
fn large_files_are_read_quickly() {
    let fill = |prefix: &str, item: &dyn Fn(usize) -> String, suffix: &str| {
        let mut text = prefix.to_owned();
        for number in 0.. {
            let item = item(number);
            if text.len() + item.len() + suffix.len() > 1 << 20 {
                return text + suffix;
            }
            text += &item;
        }
        text
    };
    for (file, text) in [
        ("config.toml", fill("", &|n| format!("k{n}=1\n"), "")),
        ("config.toml", fill("x=[", &|_| "1,".into(), "]")),
        ("config.toml", fill("x=[", &|_| "'ü',".into(), "]")),
        ("config.toml", fill("", &|n| format!("[connections.c{n}]\n"), "")),
        (".ssh_mcp_config.yml", fill("", &|n| format!("k{n}: 1\n"), "")),
        (".ssh_mcp_config.yml", fill("x: [", &|_| "1,".into(), "]")),
    ] {
        let home = Home::new();
        home.write(file, &text);
        let began = std::time::Instant::now();
        let found = problems(&home.load());
        assert!(found.len() <= 20, "{}", found.len());
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
