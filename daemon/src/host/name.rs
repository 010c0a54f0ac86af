//! A host as a user writes it: `name`, `user@name:port`, `[::1]:22`. Users and names are taken by an allow-list, so
//! that none is ever an option, a shell word or a token of somebody's ssh_config.

use std::net::Ipv6Addr;

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

/// Characters of a DNS name without its trailing dot.
const MAX_NAME: usize = 253;

/// Characters of a login name; Linux allows 32, directories and jump services more.
const MAX_USER: usize = 128;

/// A host as it was written, taken apart and found fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName {
    /// The login name before `@`.
    pub user: Option<String>,
    /// Alias, DNS name or address, without brackets.
    pub name: String,
    /// The port after `:`.
    pub port: Option<u16>,
}

impl HostName {
    /// Takes a host apart; anything unfit is `invalid_argument`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        // ProxyJump may write hops as URIs.
        let text = text.strip_prefix("ssh://").unwrap_or(text);
        if text.is_empty() {
            return Err(invalid("the host is empty"));
        }
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => {
                check_user(user)?;
                (Some(user.to_owned()), rest)
            }
            None => (None, text),
        };
        let (name, port) = split_port(rest)?;
        check_name(name)?;
        Ok(Self {
            user,
            name: name.to_owned(),
            port: port.map(parse_port).transpose()?,
        })
    }
}

fn split_port(rest: &str) -> Result<(&str, Option<&str>), Fault> {
    if let Some(bracketed) = rest.strip_prefix('[') {
        let (address, after) = bracketed
            .split_once(']')
            .ok_or_else(|| invalid("the host has `[` without `]`"))?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((address, Some(port))),
            None if after.is_empty() => Ok((address, None)),
            None => Err(invalid("after `[address]` only `:port` may follow")),
        };
    }
    match rest.split_once(':') {
        // Two colons without brackets: an IPv6 address.
        Some((_, port)) if port.contains(':') => Ok((rest, None)),
        Some((name, port)) => Ok((name, Some(port))),
        None => Ok((rest, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, Fault> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse::<u32>().ok()).flatten();
    check_port(number.unwrap_or(0))
}

/// A port that can be dialled.
pub fn check_port(port: u32) -> Result<u16, Fault> {
    u16::try_from(port)
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(|| invalid("the port must be a number from 1 to 65535"))
}

/// A login name that is no option and means nothing to a shell.
pub fn check_user(user: &str) -> Result<(), Fault> {
    /// Beside letters and digits: Windows domains, realms, machine accounts, and the separators of jump services.
    const INSIDE: &str = "._-+@\\$%:=/#,";
    let wrong = |why: &str| Err(invalid(format!("the user name {why}")));
    if user.is_empty() {
        return wrong("is empty");
    }
    if user.chars().count() > MAX_USER {
        return wrong("is longer than 128 characters");
    }
    if !user.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return wrong("must begin with a letter, a digit or `_`");
    }
    if !user.chars().all(|c| c.is_alphanumeric() || INSIDE.contains(c)) {
        return wrong("may have letters, digits and ._-+@\\$%:=/#, only");
    }
    if !user.ends_with(|c: char| c.is_alphanumeric() || "_-.$".contains(c)) {
        return wrong("ends in a character that it cannot end in");
    }
    if user.trim_end_matches('$').contains('$') {
        return wrong("may have `$` at its end only");
    }
    Ok(())
}

/// An alias, DNS name or address that is no option and means nothing to a shell.
fn check_name(name: &str) -> Result<(), Fault> {
    let wrong = |why: &str| Err(invalid(format!("the host name {why}")));
    if name.is_empty() {
        return wrong("is empty");
    }
    if name.contains(':') {
        return check_ipv6(name);
    }
    // One trailing dot is DNS for "complete".
    let bare = name.strip_suffix('.').unwrap_or(name);
    if bare.chars().count() > MAX_NAME {
        return wrong("is longer than 253 characters");
    }
    if bare.starts_with('-') {
        return wrong("begins with `-`");
    }
    if !bare.is_ascii() && bare.chars().all(|c| c.is_alphanumeric() || "._-".contains(c)) {
        return Err(
            invalid("the host name has letters outside ASCII").hint("write it in its xn-- form (punycode)")
        );
    }
    if !bare
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte))
    {
        return wrong("may have letters, digits and ._-+ only");
    }
    if bare.split('.').any(str::is_empty) {
        return wrong("has an empty part between dots");
    }
    Ok(())
}

fn check_ipv6(text: &str) -> Result<(), Fault> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    if address.parse::<Ipv6Addr>().is_err() {
        return Err(invalid("the host is neither `name:port` nor an IPv6 address")
            .hint("write an IPv6 address with a port as [address]:port"));
    }
    let fits = zone.is_none_or(|zone| {
        (1..=32).contains(&zone.len())
            && zone.starts_with(|c: char| c.is_ascii_alphanumeric())
            && zone
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    });
    if fits {
        Ok(())
    } else {
        Err(invalid("the zone after `%` is no interface name"))
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(Reason::InvalidArgument, message)
        .hint("give a configured connection, an ssh_config alias, `hostname`, or `user@host:port`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Option<String>, String, Option<u16>) {
        let HostName { user, name, port } =
            HostName::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        (user, name, port)
    }

    #[test]
    fn what_is_taken() {
        let long = "a".repeat(253);
        for (text, user, name, port) in [
            ("web1", None, "web1", None),
            ("web1:2222", None, "web1", Some(2222)),
            ("root@web1", Some("root"), "web1", None),
            (
                "root@web1.example.com.:22",
                Some("root"),
                "web1.example.com.",
                Some(22),
            ),
            ("10.0.0.1", None, "10.0.0.1", None),
            ("[::1]:22", None, "::1", Some(22)),
            ("[::1]", None, "::1", None),
            ("::1", None, "::1", None),
            ("u@fe80::1%eth0", Some("u"), "fe80::1%eth0", None),
            ("[fe80::1%eth0]:65535", None, "fe80::1%eth0", Some(65535)),
            ("xn--bcher-kva.example", None, "xn--bcher-kva.example", None),
            ("CORP\\joe@web1", Some("CORP\\joe"), "web1", None),
            ("joe@corp.example@web1", Some("joe@corp.example"), "web1", None),
            ("box$@web1", Some("box$"), "web1", None),
            ("jürgen@web1", Some("jürgen"), "web1", None),
            ("my_host", None, "my_host", None),
            ("ssh://u@h:1", Some("u"), "h", Some(1)),
            (&long, None, &long, None),
        ] {
            assert_eq!(
                parsed(text),
                (user.map(str::to_owned), name.to_owned(), port),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_refused() {
        let long = "a".repeat(256);
        for text in [
            "",
            "-oProxyCommand=x",
            "a b",
            "$(id)",
            "`id`",
            "user@@h",
            "@h",
            "user@",
            "h%scope",
            "h:0",
            "h:65536",
            "h:-1",
            "h:22x",
            "h:",
            "h: 22",
            "h:+22",
            "[::1",
            "[::1]22",
            "[::1]:",
            "[h]:22x",
            "[]",
            "::g",
            "1:2:3",
            "fe80::1%",
            "fe80::1%a b",
            "fe80::1%$(id)",
            "a..b",
            ".",
            "..",
            ".a",
            "../x",
            "a/b",
            "a;b",
            "a|b",
            "a'b",
            "a\"b",
            "a\\b",
            "a\0b",
            "a\nb",
            "a\x1b[31m",
            "{last}",
            "=",
            "*",
            "?",
            "!a",
            "a,b",
            "~",
            "#(touch p)",
            "-u@h",
            "u v@h",
            "$(id)@h",
            "a$b@h",
            "u\\@h",
            "u;x@h",
            "u\n@h",
            "%r",
            "büro",
            "a\u{202e}b",
            "a\u{200b}b",
            "😀",
            &long,
            "ssh://",
            "ssh://-x",
        ] {
            let fault = HostName::parse(text).expect_err(text);
            assert_eq!(fault.reason, Reason::InvalidArgument, "{text}");
            assert!(!fault.hint.is_empty(), "{text}");
        }
        assert!(check_user(&"u".repeat(129)).is_err());
    }

    #[test]
    fn ports() {
        assert_eq!(check_port(22), Ok(22));
        assert_eq!(check_port(65535), Ok(65535));
        for port in [0, 65536, u32::MAX] {
            assert_eq!(check_port(port).unwrap_err().reason, Reason::InvalidArgument);
        }
    }
}
