//! Hosts as `list_hosts` shows them.

use serde_json::{Value, json};
use sshmcp_proto::v1::{Host, ListHostsResponse};

use super::{Reply, known, line};

/// All hosts, or the one that was asked for.
pub(crate) fn hosts(response: &ListHostsResponse) -> Reply {
    let ListHostsResponse {
        hosts,
        config_problems,
        config_path,
    } = response;
    let mut text = String::new();
    for host in hosts {
        text.push_str(&row(host));
        text.push('\n');
    }
    text.push_str(&match hosts.len() {
        0 => "[no host is configured; any ssh_config alias, hostname or user@host:port works as host]"
            .to_owned(),
        1 => "[1 host]".to_owned(),
        many => format!("[{many} hosts]"),
    });
    for problem in config_problems {
        text.push_str(&format!("\n[configuration: {}]", line(problem)));
    }
    Reply::new(
        json!({
            "hosts": hosts.iter().map(object).collect::<Vec<_>>(),
            "config_path": known(config_path),
            "config_problems": config_problems,
        }),
        text,
    )
}

fn object(host: &Host) -> Value {
    let Host {
        name,
        user,
        hostname,
        port,
        description,
        tags,
        policy,
        source,
        jump,
        problem,
        notes,
        has_notes,
        resolved_by,
        notes_paths,
    } = host;
    json!({
        "name": name, "user": known(user), "hostname": known(hostname), "port": port,
        "description": known(description), "tags": tags, "policy": known(policy), "source": known(source),
        "jump": jump, "problem": known(problem), "notes": known(notes), "has_notes": has_notes, "notes_paths": notes_paths,
        "resolved_by": known(resolved_by),
    })
}

fn row(host: &Host) -> String {
    let user = if host.user.is_empty() {
        String::new()
    } else {
        format!("{}@", host.user)
    };
    let mut row = line(&format!("{}: {user}{}:{}", host.name, host.hostname, host.port));
    for (title, words) in [
        ("", host.description.clone()),
        ("tags ", host.tags.join(", ")),
        ("via ", host.jump.join(", ")),
        (
            "policy ",
            if host.policy == "full" {
                String::new()
            } else {
                host.policy.clone()
            },
        ),
        ("from ", host.source.clone()),
        ("problem: ", host.problem.clone()),
    ] {
        if !words.is_empty() {
            row.push_str(&line(&format!(" · {title}{words}")));
        }
    }
    if !host.notes.is_empty() {
        row.push_str(&format!("\nNotes by its owner:\n{}", host.notes.trim_end()));
    } else if host.has_notes {
        row.push_str(&format!(
            " · has notes: list_hosts(host=\"{}\")",
            line(&host.name)
        ));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not known is left out of the text and null for programs.
    #[test]
    fn hosts_read_well() {
        let web = Host {
            name: "web1".to_owned(),
            user: "deploy".to_owned(),
            hostname: "10.0.0.5".to_owned(),
            port: 22,
            description: "front end".to_owned(),
            tags: vec!["prod".to_owned()],
            policy: "full".to_owned(),
            source: "config".to_owned(),
            has_notes: true,
            ..Host::default()
        };
        let bare = Host {
            name: "db".to_owned(),
            hostname: "db.local".to_owned(),
            port: 2222,
            ..Host::default()
        };
        let reply = hosts(&ListHostsResponse {
            hosts: vec![web, bare],
            config_problems: vec!["config.toml:3:1: unknown key".to_owned()],
            config_path: String::new(),
        });
        assert_eq!(
            reply.text,
            "web1: deploy@10.0.0.5:22 · front end · tags prod · from config · has notes: list_hosts(host=\"web1\")\n\
             db: db.local:2222\n[2 hosts]\n[configuration: config.toml:3:1: unknown key]"
        );
        assert_eq!(reply.structured.get("config_path"), Some(&Value::Null));
        assert!(
            hosts(&ListHostsResponse::default())
                .text
                .contains("no host is configured")
        );
    }
}
