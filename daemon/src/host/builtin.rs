//! ssh_config where no `ssh` is installed: `Host` blocks and the first value of each keyword. A file that says more
//! than that (`Match`, `Include`) is refused rather than half understood.

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

use super::directives::{self, Directives};
use super::lines;

/// What the text says about a name.
pub(super) fn resolve(text: &str, name: &str) -> Result<Directives, Fault> {
    let mut applies = true;
    // In the form of `ssh -G`, so that one parser reads both.
    let mut effective = String::new();
    let mut said: Vec<String> = Vec::new();
    for line in lines::lines(text) {
        match line.keyword.as_str() {
            "host" => applies = lines::host_matches(&line.words, name),
            "match" | "include" => {
                return Err(Fault::new(
                    Reason::NotSupported,
                    format!(
                        "~/.ssh/config has `{}`, which only OpenSSH's own `ssh` understands, and none is installed",
                        line.keyword
                    ),
                )
                .hint("install the OpenSSH client, or configure the host in config.toml"));
            }
            _ if !applies => {}
            // Of these every line counts, of all others the first.
            "identityfile" | "certificatefile" => push(&mut effective, &line),
            _ if said.contains(&line.keyword) => {}
            _ => {
                push(&mut effective, &line);
                said.push(line.keyword);
            }
        }
    }
    let mut found = directives::parse(&effective);
    if let Some(hostname) = &mut found.hostname {
        *hostname = hostname.replace("%h", name).replace("%%", "%");
    }
    Ok(found)
}

fn push(effective: &mut String, line: &lines::Line) {
    effective.push_str(&line.keyword);
    effective.push(' ');
    effective.push_str(&line.words.join(" "));
    effective.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_value_wins() {
        let text = "User early\nHost web*\n HostName %h.example.com\n User late\n Port 2200\n IdentityFile ~/a\n\
                    Host *\n Port 22\n IdentityFile ~/b\n ProxyJump bastion\nHost other\n Port 1\n";
        let found = resolve(text, "web1").unwrap();
        assert_eq!(found.hostname.as_deref(), Some("web1.example.com"));
        assert_eq!(found.user.as_deref(), Some("early"));
        assert_eq!(found.port, Some(2200));
        assert_eq!(found.identity_files, ["~/a", "~/b"]);
        assert_eq!(found.proxy_jump.as_deref(), Some("bastion"));
    }

    #[test]
    fn more_is_refused() {
        for text in ["Match host x\n", "Host a\nInclude b\n"] {
            assert_eq!(resolve(text, "x").unwrap_err().reason, Reason::NotSupported);
        }
    }
}
