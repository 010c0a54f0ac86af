//! Expansion of `~`, `%` tokens and `${VAR}` in the paths that `ssh -G` prints as written. `ssh_config(5)`, TOKENS.

use std::path::{Path, PathBuf};

/// What the tokens stand for.
pub(super) struct Tokens<'a> {
    /// `%d` and `~`.
    pub(super) home: &'a Path,
    /// `%h`.
    pub(super) hostname: &'a str,
    /// `%n`.
    pub(super) name: &'a str,
    /// `%p`.
    pub(super) port: u16,
    /// `%r`.
    pub(super) remote_user: &'a str,
    /// `%j`.
    pub(super) jump: &'a str,
    /// `%k`, where it is not the hostname.
    pub(super) host_key_alias: Option<&'a str>,
}

impl Tokens<'_> {
    /// The path of a pattern; `None` where a token or variable has no value here: such a path names nothing.
    pub(super) fn path(&self, pattern: &str) -> Option<PathBuf> {
        let pattern = if pattern == "~" {
            self.home.to_string_lossy().into_owned()
        } else if let Some(rest) = pattern.strip_prefix("~/") {
            format!("{}/{rest}", self.home.to_string_lossy())
        } else {
            pattern.to_owned()
        };
        self.text(&pattern).map(PathBuf::from)
    }

    /// A command line with its tokens; variables are the shell's to expand. `None`: it has a token that is none there.
    pub(super) fn command(&self, pattern: &str) -> Option<String> {
        let mut expanded = String::with_capacity(pattern.len());
        let mut letters = pattern.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '%' => match letters.next()? {
                    letter @ ('%' | 'h' | 'n' | 'p' | 'r') => expanded.push_str(&self.token(letter)?),
                    _ => return None,
                },
                letter => expanded.push(letter),
            }
        }
        Some(expanded)
    }

    /// A text with every token that there is; variables are left as they are.
    pub(super) fn percent(&self, pattern: &str) -> Option<String> {
        let mut expanded = String::with_capacity(pattern.len());
        let mut letters = pattern.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '%' => expanded.push_str(&self.token(letters.next()?)?),
                letter => expanded.push(letter),
            }
        }
        Some(expanded)
    }

    /// The text of a pattern. What a token brings in is not expanded again.
    pub(super) fn text(&self, pattern: &str) -> Option<String> {
        let mut expanded = String::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some(at) = rest.find(['%', '$']) {
            let (before, from) = rest.split_at(at);
            expanded.push_str(before);
            if let Some(inside) = from.strip_prefix("${") {
                let (name, after) = inside.split_once('}')?;
                if name.is_empty() || name.contains(['=', '\0']) {
                    return None;
                }
                expanded.push_str(&std::env::var(name).ok()?);
                rest = after;
            } else if let Some(after) = from.strip_prefix('$') {
                expanded.push('$');
                rest = after;
            } else {
                let mut letters = from.chars();
                letters.next();
                expanded.push_str(&self.token(letters.next()?)?);
                rest = letters.as_str();
            }
        }
        expanded.push_str(rest);
        Some(expanded)
    }

    fn token(&self, letter: char) -> Option<String> {
        Some(match letter {
            '%' => "%".to_owned(),
            'd' => self.home.to_string_lossy().into_owned(),
            'h' => self.hostname.to_owned(),
            'n' => self.name.to_owned(),
            'p' => self.port.to_string(),
            'r' => self.remote_user.to_owned(),
            'j' => self.jump.to_owned(),
            'k' => self.host_key_alias.unwrap_or(self.hostname).to_owned(),
            'i' => rustix::process::getuid().as_raw().to_string(),
            'u' => local_user(),
            'l' => local_host()?,
            'L' => local_host()?.split('.').next().unwrap_or_default().to_owned(),
            // `%C` is a SHA-1 meant for control sockets, which we have none of.
            _ => return None,
        })
    }
}

/// The name of the daemon's user: as the environment has it, else the number.
pub(super) fn local_user() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
        .or_else(passwd_user)
        .unwrap_or_else(|| rustix::process::getuid().as_raw().to_string())
}

/// The user's name in /etc/passwd; directories and macOS have others, where the environment has the name.
fn passwd_user() -> Option<String> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    })
}

/// The machine's own name, where the system shows it in a file or the environment.
fn local_host() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens<'static> {
        Tokens {
            home: Path::new("/home/me"),
            hostname: "10.0.0.1",
            name: "db",
            port: 2200,
            remote_user: "deploy",
            jump: "bastion",
            host_key_alias: None,
        }
    }

    #[test]
    fn expands() {
        for (pattern, expected) in [
            ("~/.ssh/id", "/home/me/.ssh/id"),
            ("~", "/home/me"),
            ("/k/%r_%h", "/k/deploy_10.0.0.1"),
            ("%d/%n-%p-%k-%j-100%%", "/home/me/db-2200-10.0.0.1-bastion-100%"),
            ("/a~b/$x", "/a~b/$x"),
            ("", ""),
        ] {
            assert_eq!(
                tokens().text(pattern).map(|_| tokens().path(pattern).unwrap()),
                Some(expected.into()),
                "{pattern}"
            );
        }
        let path = std::env::var("PATH").unwrap();
        assert_eq!(tokens().text("a${PATH}b"), Some(format!("a{path}b")));
        assert_eq!(tokens().text("%u"), Some(local_user()));
        assert!(tokens().text("%i").unwrap().parse::<u32>().is_ok());
    }

    #[test]
    fn commands() {
        for (pattern, expected) in [
            ("nc %h %p", Some("nc 10.0.0.1 2200")),
            (
                "x '%r@%n' 100%% $HOME ${A} ~",
                Some("x 'deploy@db' 100% $HOME ${A} ~"),
            ),
            ("%d", None),
            ("%", None),
        ] {
            assert_eq!(tokens().command(pattern).as_deref(), expected, "{pattern}");
        }
    }

    /// What has no value makes the whole path nothing, never a path with a hole.
    #[test]
    fn unknown_is_nothing() {
        for pattern in [
            "%z",
            "%",
            "a%",
            "%C",
            "${",
            "${}",
            "${SSHMCP_SURELY_NOT_SET}",
            "${a=b}",
            "100%ü",
        ] {
            assert_eq!(tokens().text(pattern), None, "{pattern}");
        }
    }

    /// A token's value is not looked at again.
    #[test]
    fn no_second_expansion() {
        let evil = Tokens {
            remote_user: "%d${PATH}",
            ..tokens()
        };
        assert_eq!(evil.text("%r"), Some("%d${PATH}".into()));
    }
}
