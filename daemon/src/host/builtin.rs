//! ssh_config where no `ssh` is installed: `Host`, `Match`, `Include` and the first value of each keyword, as OpenSSH has it.
//! What it does not understand (canonical names, `Match tagged`, …) is refused by name rather than half understood.

mod matching;

use std::path::{Path, PathBuf};

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

use super::directives::{self, Directives};
use super::lines::{self, Line};
use super::openssh::{Question, SYSTEM_CONFIG};
use super::{aliases, treatment};

/// Keywords of which every line counts; of all others the first.
const EVERY: [&str; 2] = ["identityfile", "certificatefile"];

/// Keywords whose value is the rest of the line, quotes and all.
const WHOLE: [&str; 5] = [
    "knownhostscommand",
    "localcommand",
    "proxycommand",
    "proxyjump",
    "remotecommand",
];

/// Keywords that OpenSSH knows and ignores, and its names for others.
const OLD: [(&str, &str); 28] = [
    ("afstokenpassing", ""),
    ("cipher", ""),
    ("compressionlevel", ""),
    ("dsaauthentication", "pubkeyauthentication"),
    ("fallbacktorsh", ""),
    ("globalknownhostsfile2", ""),
    ("hostbasedkeytypes", "hostbasedacceptedalgorithms"),
    ("identityfile2", "identityfile"),
    ("keepalive", "tcpkeepalive"),
    ("kerberosauthentication", ""),
    ("kerberostgtpassing", ""),
    ("protocol", ""),
    ("protocolkeepalives", "serveraliveinterval"),
    ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"),
    ("rhostsauthentication", ""),
    ("rhostsrsaauthentication", ""),
    ("rsaauthentication", ""),
    ("setupipqos", "ipqos"),
    ("skeyauthentication", "kbdinteractiveauthentication"),
    ("smartcarddevice", "pkcs11provider"),
    ("tisauthentication", "kbdinteractiveauthentication"),
    ("usekeychain", ""),
    ("useprivilegedport", ""),
    ("userknownhostsfile2", ""),
    ("useroaming", ""),
    ("usersh", ""),
    ("usexauth", ""),
    ("challengeresponseauthentication", "kbdinteractiveauthentication"),
];

/// What the files say about a name. Runs the programs of `Match exec`, and waits for them.
pub(super) fn resolve(question: &Question) -> Result<Directives, Fault> {
    let mut reading = Reading {
        question,
        said: Vec::new(),
        host: question.name.clone(),
        wants_final: false,
        is_final: false,
        files: 0,
    };
    reading.pass()?;
    reading.host = reading.hostname();
    if reading.wants_final {
        reading.is_final = true;
        reading.pass()?;
    }
    let hostname = reading.hostname();
    // In the form of `ssh -G`, so that one parser reads both.
    let mut effective = String::new();
    for (keyword, value) in &reading.said {
        effective.push_str(&format!("{keyword} {value}\n"));
    }
    let mut found = directives::parse(&effective);
    found
        .openssh
        .retain(|(keyword, value)| (keyword.as_str(), value.as_str()) != ("requiredrsasize", "1024"));
    found.hostname = Some(hostname);
    Ok(found)
}

struct Reading<'a> {
    question: &'a Question,
    /// Keywords and values in the order in which they count.
    said: Vec<(String, String)>,
    /// What `Host` lines are compared with.
    host: String,
    wants_final: bool,
    is_final: bool,
    files: usize,
}

/// Where a line stands.
struct Place<'a> {
    file: &'a Path,
    /// Where relative names of `Include` begin.
    base: &'a Path,
    depth: usize,
}

impl Reading<'_> {
    /// Reads the user's file, then the system's.
    fn pass(&mut self) -> Result<(), Fault> {
        let ssh = self.question.home.join(".ssh");
        let system = PathBuf::from(SYSTEM_CONFIG);
        let etc = system.parent().unwrap_or(Path::new("/")).to_owned();
        self.files = 0;
        for (file, base) in [(ssh.join("config"), ssh), (system, etc)] {
            let mut applies = true;
            let place = Place {
                file: &file,
                base: &base,
                depth: 0,
            };
            self.read(&place, &mut applies, true)?;
        }
        Ok(())
    }

    /// Reads one file; `may`: what is around its `Include` applies.
    fn read(&mut self, place: &Place<'_>, applies: &mut bool, may: bool) -> Result<(), Fault> {
        self.files += 1;
        if self.files > aliases::MAX_FILES {
            return Err(wrong(place, 0, "more files than anybody reads"));
        }
        let Some(text) = aliases::read(place.file) else {
            return Ok(());
        };
        for (number, text) in text.lines().enumerate() {
            let Some(line) = lines::lines(text).next() else {
                continue;
            };
            match line.keyword.as_str() {
                "host" => *applies = may && lines::host_matches(&line.words, &self.host),
                "match" => {
                    let matched = self.matched(&line).map_err(|why| wrong(place, number, &why))?;
                    *applies = may && matched;
                }
                "include" => self.include(place, number, &line, *applies)?,
                _ => self.line(place, number, &line, *applies)?,
            }
        }
        Ok(())
    }

    fn include(&mut self, place: &Place<'_>, number: usize, line: &Line, applies: bool) -> Result<(), Fault> {
        if place.depth >= aliases::MAX_DEPTH {
            return Err(wrong(place, number, "too many files within files"));
        }
        for word in &line.words {
            for file in aliases::included_from(&self.question.home, place.base, word) {
                let within = Place {
                    file: &file,
                    base: place.base,
                    depth: place.depth + 1,
                };
                // Blocks of the file end with it.
                self.read(&within, &mut applies.clone(), applies)?;
            }
        }
        Ok(())
    }

    /// A line that is no block's beginning.
    fn line(&mut self, place: &Place<'_>, number: usize, line: &Line, applies: bool) -> Result<(), Fault> {
        let keyword = line.keyword.as_str();
        let keyword = match OLD.iter().find(|(old, _)| *old == keyword) {
            Some((_, "")) => return Ok(()),
            Some((_, now)) => now,
            None => keyword,
        };
        if treatment::of(keyword).is_none() {
            let ignored = self.said.iter().find(|(said, _)| said == "ignoreunknown");
            let ignores = |pattern: &str| lines::matches(&pattern.to_ascii_lowercase(), keyword);
            if ignored.is_some_and(|(_, patterns)| patterns.split([',', ' ']).any(ignores)) {
                return Ok(());
            }
            return Err(wrong(
                place,
                number,
                &format!("`{keyword}` is no directive that is known"),
            ));
        }
        if keyword == "tag" || keyword == "canonicalizehostname" && !is_off(line) {
            return Err(only_openssh(place, number, keyword));
        }
        let value = if WHOLE.contains(&keyword) {
            line.rest.clone()
        } else {
            line.words.join(" ")
        };
        if value.is_empty() {
            return Err(wrong(place, number, &format!("`{keyword}` has no value")));
        }
        if applies {
            let value = self
                .checked(keyword, line, value)
                .map_err(|why| wrong(place, number, &why))?;
            self.say(keyword, line, value);
        }
        Ok(())
    }

    /// A value in the form in which `ssh -G` prints it.
    fn checked(&self, keyword: &str, line: &Line, value: String) -> Result<String, String> {
        match keyword {
            "port" => match value.parse::<u16>() {
                Ok(1..) => Ok(value),
                _ => Err("the port is none".to_owned()),
            },
            "connecttimeout" | "serveraliveinterval" if value != "none" => {
                let seconds = seconds(&value).ok_or_else(|| format!("`{keyword}` is no time"))?;
                Ok(seconds.to_string())
            }
            "identityfile" | "certificatefile" | "identityagent" | "hostname" | "user" => {
                Ok(line.words.first().cloned().unwrap_or_default())
            }
            "proxyjump" => {
                let hops = value.split(',').map(|hop| {
                    let hop = hop.trim();
                    hop.strip_prefix("ssh://")
                        .map_or(hop, |hop| hop.trim_end_matches('/'))
                });
                Ok(hops.collect::<Vec<_>>().join(","))
            }
            _ => Ok(value),
        }
    }

    fn say(&mut self, keyword: &str, line: &Line, value: String) {
        let is_said = |keyword: &str| self.said.iter().any(|(said, _)| said == keyword);
        match keyword {
            "sendenv" => {
                for word in &line.words {
                    match word.strip_prefix('-') {
                        Some(pattern) => self
                            .said
                            .retain(|(said, name)| said != "sendenv" || !lines::matches(pattern, name)),
                        None => self.said.push(("sendenv".to_owned(), word.clone())),
                    }
                }
            }
            "setenv" if !is_said("setenv") => {
                let words = line.words.iter().map(|word| ("setenv".to_owned(), word.clone()));
                self.said.extend(words);
            }
            "setenv" => {}
            // Either says how the host is reached, and the first that is said counts.
            "proxyjump" if is_said("proxycommand") => {}
            "proxycommand" if is_said("proxyjump") => {}
            _ if EVERY.contains(&keyword) => {
                let said = (keyword.to_owned(), value);
                if !self.said.contains(&said) {
                    self.said.push(said);
                }
            }
            _ if is_said(keyword) => {}
            _ => self.said.push((keyword.to_owned(), value)),
        }
    }

    /// The first value of a keyword.
    fn value(&self, keyword: &str) -> Option<&str> {
        let found = self.said.iter().find(|(said, _)| said == keyword);
        found.map(|(_, value)| value.as_str())
    }

    /// What is dialled, as far as it is known.
    fn hostname(&self) -> String {
        let name = &self.question.name;
        let hostname = match self.value("hostname") {
            Some(pattern) => hostname_of(pattern, name),
            None => name.clone(),
        };
        if hostname.contains(':') {
            hostname
        } else {
            hostname.to_lowercase()
        }
    }
}

/// `%h` and `%%` are all that a HostName may have.
fn hostname_of(pattern: &str, name: &str) -> String {
    let mut parts = pattern.split("%%").map(|part| part.replace("%h", name));
    let first = parts.next().unwrap_or_default();
    parts.fold(first, |whole, part| whole + "%" + &part)
}

fn is_off(line: &Line) -> bool {
    line.words
        .first()
        .is_some_and(|word| matches!(word.to_ascii_lowercase().as_str(), "no" | "false" | "none"))
}

/// A time as OpenSSH writes it: seconds, or numbers with a letter for their unit.
fn seconds(text: &str) -> Option<u64> {
    let mut whole = 0_u64;
    let mut number = String::new();
    for c in text.chars() {
        let unit = match c.to_ascii_lowercase() {
            digit if digit.is_ascii_digit() => {
                number.push(digit);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        let times: u64 = std::mem::take(&mut number).parse().ok()?;
        whole = whole.checked_add(times.checked_mul(unit)?)?;
    }
    if number.is_empty() {
        return (!text.is_empty()).then_some(whole);
    }
    whole.checked_add(number.parse().ok()?)
}

fn wrong(place: &Place<'_>, number: usize, why: &str) -> Fault {
    Fault::new(
        Reason::ConfigInvalid,
        format!(
            "ssh_config cannot be used: {} line {}: {why}",
            place.file.display(),
            number.saturating_add(1)
        ),
    )
    .hint("correct it; without an OpenSSH client the daemon reads it by itself")
}

fn only_openssh(place: &Place<'_>, number: usize, what: &str) -> Fault {
    Fault::new(
        Reason::NotSupported,
        format!(
            "{} line {} has `{what}`, which only OpenSSH's own `ssh` understands, and none is installed",
            place.file.display(),
            number.saturating_add(1)
        ),
    )
    .hint("install the OpenSSH client, or configure the host in config.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in [
            ("0", Some(0)),
            ("90", Some(90)),
            ("1m30s", Some(90)),
            ("1h2", Some(3602)),
            ("2D", Some(172_800)),
            ("", None),
            ("m", None),
            ("1y", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn names() {
        for (pattern, expected) in [
            ("%h.example.com", "web.example.com"),
            ("a%%h%h", "a%hweb"),
            ("fe80::1%%eth0", "fe80::1%eth0"),
        ] {
            assert_eq!(hostname_of(pattern, "web"), expected, "{pattern}");
        }
    }
}
