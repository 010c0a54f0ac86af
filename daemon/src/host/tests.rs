//! Names to targets with a real `ssh -G` where one is installed, in a home directory of the test's own.

mod no_effect;
mod snippets;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;
use tempfile::TempDir;

use super::*;
use crate::config::{Config, ConfigStore, HostKeyPolicy, Kind, SecretSource, Sources};
use crate::secret::Secret;

/// A home directory with an ssh_config and a config.toml in it.
struct Home {
    directory: TempDir,
    config: Arc<Config>,
}

impl Home {
    /// `files` are names below `.ssh` that are to be there.
    fn new(ssh_config: &str, toml: &str, files: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path();
        std::fs::create_dir(home.join(".ssh")).unwrap();
        if !ssh_config.is_empty() {
            std::fs::write(home.join(".ssh/config"), ssh_config).unwrap();
        }
        for file in files {
            std::fs::write(home.join(".ssh").join(file), "").unwrap();
        }
        std::fs::write(home.join("config.toml"), toml).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(home.join("config.toml"), mode).unwrap();
        let sources = Sources {
            toml: home.join("config.toml"),
            toml_named: true,
            yaml: Vec::new(),
            home: home.to_owned(),
        };
        let config = ConfigStore::open(sources).current();
        Self { directory, config }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    async fn resolve(&self, host: &str) -> Result<Target, Fault> {
        resolve(&self.config, host, &Overrides::default()).await
    }

    async fn target(&self, host: &str) -> Target {
        self.resolve(host)
            .await
            .unwrap_or_else(|fault| panic!("{host}: {fault}"))
    }
}

fn secret(source: Option<&SecretSource>) -> Option<String> {
    match source {
        Some(SecretSource::Literal(secret)) => Some(secret.expose().to_string()),
        _ => None,
    }
}

/// In an empty home nothing of the account's own `~/.ssh` is seen.
#[tokio::test]
async fn an_empty_home() {
    let home = Home::new("", "", &[]);
    let target = home.target("joe@web.example.com:2222").await;
    assert_eq!(target.key().to_string(), "joe@web.example.com:2222");
    assert_eq!(target.alias, "joe@web.example.com:2222");
    assert_eq!(target.identities, Vec::<PathBuf>::new());
    assert_eq!(target.identity_agent, AgentSource::Default);
    assert_eq!(target.host_key_policy, HostKeyPolicy::Ask);
    assert_eq!(
        target.user_known_hosts,
        [home.path(".ssh/known_hosts"), home.path(".ssh/known_hosts2")]
    );
    assert!(
        target
            .global_known_hosts
            .contains(&PathBuf::from("/etc/ssh/ssh_known_hosts"))
    );
    assert_eq!(target.connect_timeout, Duration::from_secs(15));
    assert_eq!(target.keepalive, None);
    assert_eq!(target.source, "argument");
    let plain = home.target("web.example.com").await;
    assert_eq!(plain.port, 22);
    assert!(!plain.user.is_empty());
    let v6 = home.target("u@[::1]:2200").await;
    assert_eq!(v6.hostname, "::1");
    assert_eq!(v6.key().to_string(), "u@[::1]:2200");
    assert_eq!(home.target("u@::1").await.port, 22);
}

/// Default keys that are there are offered, others are not.
#[tokio::test]
async fn default_identities() {
    let home = Home::new("", "", &["id_ed25519", "id_rsa.pub", "other"]);
    let target = home.target("h").await;
    assert_eq!(
        target.identities,
        [home.path(".ssh/id_rsa"), home.path(".ssh/id_ed25519")]
    );
    assert!(!target.identities_only);
}

const ALIASES: &str = "Host db\n  HostName 10.1.2.3\n  User deploy\n  Port 2200\n  IdentityFile ~/.ssh/%r_%h\n  \
    IdentityFile ~/.ssh/absent\n  CertificateFile ~/.ssh/cert.pub\n  IdentitiesOnly yes\n  \
    IdentityAgent ~/agent.sock\n  StrictHostKeyChecking no\n  HostKeyAlias db.internal\n  \
    UserKnownHostsFile ~/.ssh/kh1 /elsewhere/kh2\n  GlobalKnownHostsFile none\n  ConnectTimeout 7\n  \
    ServerAliveInterval 30\n  ServerAliveCountMax 4\nHost noagent\n  IdentityAgent none\n  \
    StrictHostKeyChecking yes\nHost *.lan\n  User lan\nMatch host matched\n  Port 77\n";

/// Everything that an alias says, tokens and `~` expanded below HOME.
#[tokio::test]
async fn an_alias() {
    let home = Home::new(ALIASES, "", &["deploy_10.1.2.3", "cert.pub"]);
    let target = home.target("db").await;
    assert_eq!(target.key().to_string(), "deploy@10.1.2.3:2200");
    assert_eq!(
        target.identities,
        [home.path(".ssh/deploy_10.1.2.3"), home.path(".ssh/absent")],
        "what is named and not there is told by whoever looks for it"
    );
    assert_eq!(target.certificates, [home.path(".ssh/cert.pub")]);
    assert!(target.identities_only);
    assert_eq!(target.identity_agent, AgentSource::Path(home.path("agent.sock")));
    assert_eq!(target.host_key_policy, HostKeyPolicy::AcceptNew);
    assert_eq!(target.host_key_alias.as_deref(), Some("db.internal"));
    assert_eq!(
        target.user_known_hosts,
        [home.path(".ssh/kh1"), PathBuf::from("/elsewhere/kh2")]
    );
    assert_eq!(target.global_known_hosts, Vec::<PathBuf>::new());
    assert_eq!(target.connect_timeout, Duration::from_secs(7));
    assert_eq!(target.keepalive, Some((Duration::from_secs(30), 4)));
    assert_eq!(target.source, "ssh_config");
    assert_eq!(
        home.target("root@db:22").await.key().to_string(),
        "root@10.1.2.3:22"
    );
    let noagent = home.target("noagent").await;
    assert_eq!(noagent.identity_agent, AgentSource::None);
    assert_eq!(noagent.host_key_policy, HostKeyPolicy::Strict);
    assert_eq!(home.target("x.lan").await.user, "lan");
    assert_eq!(home.target("matched").await.port, 77);
}

/// A change of ssh_config counts at once, though answers are remembered.
#[tokio::test]
async fn an_edit_counts_at_once() {
    let home = Home::new("Host a\n  Port 1001\n", "", &[]);
    assert_eq!(home.target("a").await.port, 1001);
    std::fs::write(home.path(".ssh/config"), "Host a\n  Port 100\n").unwrap();
    assert_eq!(home.target("a").await.port, 100);
}

/// config.toml wins over ssh_config, and the call over both.
#[tokio::test]
async fn precedence() {
    let home = Home::new(
        ALIASES,
        "[settings]\nconnect_timeout = 3\n[connections.prod]\nhost = 'db'\nuser = 'app'\npassword = 'pw'\n\
         sudo_password = 'sp'\nkey_path = '~/.ssh/key'\nhost_key_policy = 'ask'\nkind = 'posix'\n\
         description = 'd'\ntags = ['t']\nnotes_path = '~/n.md'\n\
         [connections.\"we@ird\"]\nhost = 'x'\n[connections.db]\ntags = ['layer']\n",
        &["key", "other"],
    );
    let target = home.target("prod").await;
    assert_eq!(target.key().to_string(), "app@10.1.2.3:2200");
    assert_eq!(target.identities, [home.path(".ssh/key")]);
    assert!(target.identities_only);
    assert_eq!(target.host_key_policy, HostKeyPolicy::Ask);
    assert_eq!(target.kind, Kind::Posix);
    assert_eq!(target.tags, ["t"]);
    assert_eq!(target.description, "d");
    assert_eq!(target.notes.len(), 1);
    assert_eq!(target.notes[0].path, home.path("n.md"));
    assert_eq!(secret(target.password.as_ref()).as_deref(), Some("pw"));
    assert_eq!(secret(target.sudo_password.as_ref()).as_deref(), Some("sp"));
    assert_eq!(
        target.connect_timeout,
        Duration::from_secs(7),
        "ssh_config says so"
    );
    assert_eq!(home.target("else").await.connect_timeout, Duration::from_secs(3));
    assert_eq!(target.source, "config");

    let overrides = Overrides {
        username: Some("root".into()),
        port: Some(9),
        key_filename: Some(home.path(".ssh/other").to_string_lossy().into_owned()),
        password: Some(Secret::new("given".into())),
        hostname: None,
    };
    let target = resolve(&home.config, "prod", &overrides).await.unwrap();
    assert_eq!(target.key().to_string(), "root@10.1.2.3:9");
    assert_eq!(target.identities, [home.path(".ssh/other")]);
    assert_eq!(secret(target.password.as_ref()).as_deref(), Some("given"));
    assert_eq!(
        secret(target.sudo_password.as_ref()),
        None,
        "it is another user's"
    );

    let elsewhere = Overrides {
        hostname: Some("10.9.9.9".into()),
        ..Overrides::default()
    };
    let target = resolve(&home.config, "prod", &elsewhere).await.unwrap();
    assert_eq!(target.key().to_string(), "app@10.9.9.9:2200");
    assert_eq!(target.alias, "prod", "it keeps its name");
    assert_eq!(secret(target.password.as_ref()), None, "it is another address's");
    for wrong in ["", "a b", "u@h", "h:22", "-oProxyCommand=x"] {
        let overrides = Overrides {
            hostname: Some(wrong.into()),
            ..Overrides::default()
        };
        let fault = resolve(&home.config, "prod", &overrides).await.unwrap_err();
        assert_eq!(fault.reason, Reason::InvalidArgument, "{wrong:?}");
    }

    let other = home.target("root@prod").await;
    assert_eq!(other.key().to_string(), "root@10.1.2.3:2200");
    assert_eq!(
        secret(other.password.as_ref()),
        None,
        "a stored password is its user's"
    );
    assert_eq!(
        secret(home.target("app@prod").await.password.as_ref()).as_deref(),
        Some("pw")
    );
    assert_eq!(
        home.target("we@ird").await.hostname,
        "x",
        "a configured name is taken as it is"
    );
    let layered = home.target("db").await;
    assert_eq!(layered.key().to_string(), "deploy@10.1.2.3:2200");
    assert_eq!(layered.tags, ["layer"]);
}

/// The strictest word of the settings is not undone by ssh_config.
#[tokio::test]
async fn host_key_policy_of_the_settings() {
    let home = Home::new(ALIASES, "[settings]\nhost_key_policy = 'strict'\n", &[]);
    assert_eq!(home.target("db").await.host_key_policy, HostKeyPolicy::Strict);
}

#[tokio::test]
async fn jump_hosts() {
    let home = Home::new(
        "Host inner\n  ProxyJump b1,u2@b2:2222\nHost b1\n  User u1\n  ProxyJump b0\nHost b0\n  HostName outer\n  \
         User u0\nHost uri\n  ProxyJump ssh://u@b0:24\nHost none\n  ProxyJump none\n",
        "[connections.toml]\nhost = 'inner'\njump = ['b0']\n[connections.straight]\nhost = 'inner'\njump = 'none'\n",
        &[],
    );
    let keys =
        |target: &Target| -> Vec<String> { target.jump.iter().map(|hop| hop.key().to_string()).collect() };
    let inner = home.target("inner").await;
    assert_eq!(keys(&inner), ["u0@outer:22", "u1@b1:22", "u2@b2:2222"]);
    let lengths: Vec<usize> = inner.jump.iter().map(|hop| hop.jump.len()).collect();
    assert_eq!(lengths, [0, 1, 2], "each hop knows the way to it");
    assert_eq!(
        inner.jump[0].key(),
        home.target("b0").await.key(),
        "as a hop or by itself, one target"
    );
    assert_eq!(keys(&home.target("toml").await), ["u0@outer:22"]);
    assert_eq!(keys(&home.target("straight").await), Vec::<String>::new());
    assert_ne!(
        inner.key(),
        home.target("straight").await.key(),
        "another way, another target"
    );
    assert_eq!(keys(&home.target("uri").await), ["u@outer:24"]);
    assert_eq!(keys(&home.target("none").await), Vec::<String>::new());
}

#[tokio::test]
async fn jumps_in_circles_end() {
    let long: String = (0..12)
        .map(|n| format!("Host l{n}\n  ProxyJump l{}\n", n + 1))
        .collect();
    let home = Home::new(
        &format!("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\nHost self\n  ProxyJump u@self\n{long}"),
        "[connections.c]\njump = 'c'\n",
        &[],
    );
    for host in ["a", "c", "self", "l0"] {
        let fault = home.resolve(host).await.unwrap_err();
        assert_eq!(fault.reason, Reason::ConfigInvalid, "{host}");
        // OpenSSH sees some circles itself and says "jumphost loop".
        assert!(fault.message.contains("jump"), "{host}: {fault}");
    }
}

#[tokio::test]
async fn what_cannot_be() {
    let home = Home::new(
        "Host pc\n  ProxyCommand nc %h %p\n",
        "[connections.bad]\nport = 0\n[connections.through]\nhost = 'pc'\njump = 'none'\n",
        &["key"],
    );
    let cases = [
        ("bad", Reason::ConfigInvalid, "config.toml:2:8"),
        ("root@bad", Reason::ConfigInvalid, "config.toml:2:8"),
        ("-oProxyCommand=touch x", Reason::InvalidArgument, "host name"),
        ("$(id)", Reason::InvalidArgument, "host name"),
        ("h:22x", Reason::InvalidArgument, "port"),
    ];
    for (host, reason, words) in cases {
        let fault = home.resolve(host).await.unwrap_err();
        assert_eq!(fault.reason, reason, "{host}: {fault}");
        assert!(fault.message.contains(words), "{host}: {fault}");
        assert!(!fault.hint.is_empty(), "{host}");
    }
    let proxied = home.target("pc").await;
    assert_eq!(proxied.options.proxy_command.as_deref(), Some("nc pc 22"));
    assert_ne!(
        proxied.key(),
        TargetKey::of([(proxied.user.clone(), "pc".into(), 22)]),
        "behind another program may be another host"
    );
    let through = home.target("through").await;
    assert!(
        through.jump.is_empty() && through.options.proxy_command.is_none(),
        "config.toml wins over the ProxyCommand"
    );
    let with = |overrides: Overrides| {
        let config = Arc::clone(&home.config);
        async move { resolve(&config, "h", &overrides).await.map(|_| ()).unwrap_err() }
    };
    for (username, port, key, reason) in [
        (Some("-x"), None, None, Reason::InvalidArgument),
        (Some("a b"), None, None, Reason::InvalidArgument),
        (None, Some(0), None, Reason::InvalidArgument),
        (None, Some(65536), None, Reason::InvalidArgument),
        (None, None, Some("key"), Reason::InvalidArgument),
        (None, None, Some(""), Reason::InvalidArgument),
        (None, None, Some("~/.ssh/missing"), Reason::NotFound),
        (None, None, Some("~/.ssh"), Reason::NotFound),
    ] {
        let fault = with(Overrides {
            username: username.map(str::to_owned),
            port,
            key_filename: key.map(str::to_owned),
            ..Overrides::default()
        })
        .await;
        assert_eq!(fault.reason, reason, "{username:?} {port:?} {key:?}: {fault}");
    }
}

/// A file that OpenSSH refuses is a sentence with its own words in it.
#[tokio::test]
async fn a_broken_ssh_config() {
    let home = Home::new("Host a\n  Port many\n", "", &[]);
    let fault = home.resolve("a").await.unwrap_err();
    assert_eq!(fault.reason, Reason::ConfigInvalid);
    assert!(fault.message.contains("~/.ssh/config"), "{fault}");
    assert!(fault.message.contains("line 2"), "{fault}");
}

/// `Include` is followed below HOME, inside a block and within an included file; blocks end where they ended.
#[tokio::test]
async fn includes() {
    let home = Home::new(
        "Include conf.d/*.conf\nHost web\n  Include ~/.ssh/only-web\n  Port 1\nHost db\n  User dbuser\n",
        "",
        &[],
    );
    let write = |file: &str, text: &str| {
        let path = home.path(".ssh").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "conf.d/a.conf",
        "Host inc\n  HostName 10.9.9.9\nInclude conf.d/deeper\n",
    );
    write("conf.d/deeper", "Host inc\n  Port 99\nHost far\n  User never\n");
    write("only-web", "Host *\n  User webuser\n");
    assert_eq!(home.target("web").await.key().to_string(), "webuser@web:1");
    assert_eq!(home.target("db").await.user, "dbuser");
    assert_eq!(
        home.target("inc").await.key().to_string(),
        format!("{}@10.9.9.9:99", home.target("x").await.user)
    );
    assert_eq!(home.target("far").await.source, "ssh_config");
}

/// An alias that would not pass as a host is one all the same if the user's own file has it.
#[tokio::test]
async fn odd_aliases() {
    let home = Home::new("Host prod/web büro\n  HostName 10.0.0.9\n", "", &[]);
    assert_eq!(home.target("prod/web").await.hostname, "10.0.0.9");
    assert_eq!(home.target("büro").await.hostname, "10.0.0.9");
    assert!(home.resolve("prod/other").await.is_err());
}

#[tokio::test]
async fn the_list() {
    let home = Home::new(
        "Host web db *.lan\n  HostName %h.example.com\n  ProxyJump gate\nHost pc\n  ProxyCommand nc\n\
         Host fd\n  ProxyCommand nc\n  ProxyUseFdpass yes\n",
        "[connections.zeta]\nhost = 'web'\nuser = 'u'\ndescription = 'd'\ntags = ['t']\npassword = 'S3cret'\n\
         notes_path = '~/.ssh/notes'\n[connections.bad]\nport = 'S3cret'\n[connections.db]\n",
        &["notes"],
    );
    let list = list(&home.config).await;
    let names: Vec<&str> = list.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["bad", "db", "zeta", "web", "pc", "fd"]);
    assert!(list[0].problem.contains("config.toml:9:8"), "{}", list[0].problem);
    assert_eq!(list[1].source, "config");
    let zeta = HostEntry {
        name: "zeta".into(),
        user: "u".into(),
        hostname: "web.example.com".into(),
        port: 22,
        description: "d".into(),
        tags: vec!["t".into()],
        source: "config",
        jump: vec!["gate".into()],
        has_notes: true,
        resolved_by: "ssh -G",
        problem: String::new(),
    };
    assert_eq!(list[2], zeta);
    assert_eq!(list[3].source, "ssh_config");
    assert_eq!(list[3].hostname, "web.example.com");
    assert_eq!(list[4].problem, "", "a ProxyCommand is followed");
    assert!(list[5].problem.contains("ProxyUseFdpass"), "{}", list[5].problem);
    assert!(!format!("{list:?}").contains("S3cret"));
}

/// Of very many aliases all are named, though not all resolved.
#[tokio::test]
async fn a_long_list() {
    let aliases: String = (0..300).map(|n| format!("Host h{n}\n")).collect();
    let home = Home::new(&aliases, "", &[]);
    let list = list(&home.config).await;
    assert_eq!(list.len(), 300);
    assert_eq!(list[0].hostname, "h0");
    assert_eq!(list[299].name, "h299");
    assert_eq!(list[299].port, 0);
}

/// No formatter of a target shows a password.
#[tokio::test]
async fn debug_hides() {
    let home = Home::new("", "[connections.a]\npassword = 'S3cret'\n", &[]);
    let target = home.target("a").await;
    assert!(!format!("{target:?}").contains("S3cret"));
    assert!(Path::new(&target.alias).is_relative());
}

/// A configuration that others can change is refused by every resolver, as OpenSSH refuses it: it names programs to run.
#[tokio::test]
async fn a_configuration_that_others_can_change() {
    let home = Home::new("Host web1\n HostName 10.0.0.1\nInclude more\n", "", &["more"]);
    let ssh = openssh::program();
    let ways = [ssh.as_deref(), None];
    for (name, mode, is_used) in [
        ("config", 0o644, true),
        ("config", 0o664, false),
        ("config", 0o646, false),
        ("config", 0o600, true),
        ("more", 0o620, false),
        ("more", 0o600, true),
    ] {
        let file = home.path(".ssh").join(name);
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file, permissions).unwrap();
        for way in ways {
            let found = resolve::resolve_by(way, &home.config, "web1", &Overrides::default()).await;
            match found {
                Ok(target) => assert!(is_used && target.hostname == "10.0.0.1", "{name} {mode:o}"),
                Err(fault) => assert!(
                    !is_used
                        && fault.reason == Reason::ConfigInvalid
                        && fault.hint.contains(&format!("chmod go-w {}", file.display())),
                    "{name} {mode:o}: {fault:?}"
                ),
            }
        }
    }
}

/// A person who is told to log in does so as the call did, and not as the name alone would.
#[tokio::test]
async fn what_a_person_types_for_the_same_login() {
    let home = Home::new("Host web1\n HostName 10.0.0.1\n User u\n", "", &["k 1"]);
    let key = home.path(".ssh/k 1").display().to_string();
    let call = |username: Option<&str>, port, key_filename: Option<&str>| Overrides {
        username: username.map(str::to_owned),
        port,
        key_filename: key_filename.map(str::to_owned),
        ..Overrides::default()
    };
    for (overrides, typed) in [
        (call(None, None, None), "web1".to_owned()),
        (
            call(Some("other"), Some(2222), None),
            "web1 -l other -p 2222".to_owned(),
        ),
        (call(Some("DOM\\u$"), None, None), "web1 -l 'DOM\\u$'".to_owned()),
        (call(None, None, Some(&key)), format!("web1 --key '{key}'")),
        (
            Overrides {
                hostname: Some("10.0.0.9".to_owned()),
                ..call(Some("hidden"), Some(2222), None)
            },
            "web1".to_owned(),
        ),
    ] {
        let target = resolve(&home.config, "web1", &overrides).await.expect("a host");
        assert_eq!(target.typed, typed);
    }
}
