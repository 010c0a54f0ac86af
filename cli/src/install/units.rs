//! What the service manager reads, for this machine: the repository's units and property list with the right paths in
//! them; and the units that a package brought.

use std::path::{Path, PathBuf};

use sshmcp_proto::{endpoint::SOCKET_BELOW_HOME, error::Fault, v1::Reason};

const SERVICE: &str = include_str!("../../../systemd/sshmcpd.service");
const SOCKET: &str = include_str!("../../../systemd/sshmcpd.socket");
const AGENT: &str = include_str!("../../../launchd/org.sshmcp.sshmcpd.plist");

/// What stands over a file that we wrote.
const HEAD: &str = "Put in place by `sshctl install`; `sshctl uninstall` takes it away.";
/// What the property list has in the place of a home.
const SOMEBODY: &str = "/Users/YOU";

/// The service manager of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// systemd's user manager.
    Systemd,
    /// macOS's launchd.
    Launchd,
}

impl System {
    /// This machine's.
    pub(crate) const fn here() -> Self {
        if cfg!(target_os = "macos") {
            Self::Launchd
        } else {
            Self::Systemd
        }
    }

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Launchd => "launchd",
        }
    }
}

/// What differs from user to user.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Where units go.
    pub(crate) directory: PathBuf,
    /// The daemon's executable, absolute.
    pub(crate) daemon: PathBuf,
    /// The daemon's socket, absolute.
    pub(crate) socket: PathBuf,
    /// Flags beyond who starts it, where it is not to use the usual places.
    pub(crate) flags: Vec<String>,
    /// All places are the usual ones.
    pub(crate) usual: bool,
}

/// A file to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Where.
    pub(crate) path: PathBuf,
    /// What is in it.
    pub(crate) text: String,
}

/// Where packages put units for all users.
const PACKAGED: [&str; 2] = ["/usr/lib/systemd/user", "/usr/local/lib/systemd/user"];

/// The socket unit that a package brought with this daemon: it does as it is, where nobody wants other places.
pub(crate) fn packaged(system: System, places: &Places) -> Option<PathBuf> {
    if system != System::Systemd || !places.usual {
        return None;
    }
    let line = format!("ExecStart={} --started-by systemd", places.daemon.display());
    PACKAGED.iter().map(Path::new).find_map(|directory| {
        let service = std::fs::read_to_string(directory.join("sshmcpd.service")).ok()?;
        let socket = directory.join("sshmcpd.socket");
        (service.lines().any(|one| one == line) && socket.is_file()).then_some(socket)
    })
}

/// The files of a service manager.
pub(crate) fn units(system: System, places: &Places) -> Result<Vec<Unit>, Fault> {
    let words = |path: &Path| {
        path.to_str()
            .filter(|text| !text.chars().any(char::is_control))
            .map(str::to_owned)
            .ok_or_else(|| {
                Fault::new(
                    Reason::InvalidArgument,
                    format!("{path:?} cannot stand in a unit: it is not printable text"),
                )
                .hint("put it at another place")
            })
    };
    let (daemon, socket) = (words(&places.daemon)?, words(&places.socket)?);
    let unit = |name: &str, text: String| Unit {
        path: places.directory.join(name),
        text,
    };
    Ok(match system {
        System::Systemd => {
            let given = places.flags.iter().map(String::as_str);
            let line: Vec<String> = [daemon.as_str(), "--started-by", "systemd"]
                .into_iter()
                .chain(given)
                .map(systemd_word)
                .collect();
            vec![
                unit(
                    "sshmcpd.service",
                    with_line(SERVICE, "ExecStart=", &line.join(" ")),
                ),
                unit(
                    "sshmcpd.socket",
                    with_line(SOCKET, "ListenStream=", &socket.replace('%', "%%")),
                ),
            ]
        }
        System::Launchd => {
            let program = format!("<string>{SOMEBODY}/.local/bin/sshmcpd</string>");
            let path = format!("<string>{SOMEBODY}/{SOCKET_BELOW_HOME}</string>");
            let launchd = "<string>launchd</string>";
            let mut last = launchd.to_owned();
            for flag in &places.flags {
                last.push_str(&format!("\n        <string>{}</string>", xml(flag)));
            }
            let text = without_comment(AGENT)
                .replace(&program, &format!("<string>{}</string>", xml(&daemon)))
                .replace(launchd, &last)
                .replace(&path, &format!("<string>{}</string>", xml(&socket)));
            vec![unit("org.sshmcp.sshmcpd.plist", text)]
        }
    })
}

/// A unit with another value in one line, and our words over it instead of those for people who copy it.
fn with_line(unit: &str, key: &str, value: &str) -> String {
    let body = unit.lines().skip_while(|line| line.starts_with('#'));
    let lines = body.map(|line| {
        if line.starts_with(key) {
            format!("{key}{value}\n")
        } else {
            format!("{line}\n")
        }
    });
    format!("# {HEAD}\n{}", lines.collect::<String>())
}

/// The property list with our words in the place of those for people who copy it.
fn without_comment(list: &str) -> String {
    match (list.split_once("<!--"), list.split_once("-->")) {
        (Some((before, _)), Some((_, after))) => format!("{before}<!-- {HEAD} -->{after}"),
        _ => list.to_owned(),
    }
}

/// One word of a command line as systemd reads it (systemd.service, "Command lines").
fn systemd_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' | '$' => quoted.extend([c, c]),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(daemon: &str, flags: &[&str]) -> Places {
        Places {
            directory: "/home/a/units".into(),
            daemon: daemon.into(),
            socket: "/home/a/100%/s".into(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            usual: false,
        }
    }

    /// The templates have the lines that are put in their places, and those are read as what they mean.
    #[test]
    fn systemd_units_have_this_machines_paths() {
        let made = units(
            System::Systemd,
            &places("/opt/my $tools/sshmcpd", &["--config", "/e\"x"]),
        );
        let [service, socket] = made.expect("printable").try_into().expect("two");
        assert!(
            service.text.contains(
                "\nExecStart=\"/opt/my $$tools/sshmcpd\" --started-by systemd --config \"/e\\\"x\"\n"
            ),
            "{}",
            service.text
        );
        assert_eq!(service.text.matches("ExecStart=").count(), 1);
        assert!(service.text.starts_with(&format!("# {HEAD}\n\n[Unit]\n")));
        assert!(
            socket.text.contains("\nListenStream=/home/a/100%%/s\n"),
            "{}",
            socket.text
        );
        assert!(!socket.text.contains("%h"));
    }

    /// The property list names the real executable, and nobody else's home.
    #[test]
    fn the_property_list_has_this_machines_paths() {
        let made = units(
            System::Launchd,
            &places("/Users/a&b/sshmcpd", &["--socket", "/s"]),
        );
        let [list] = made.expect("printable").try_into().expect("one");
        assert!(list.text.contains("<string>/Users/a&amp;b/sshmcpd</string>"));
        assert!(
            list.text
                .contains("<string>launchd</string>\n        <string>--socket</string>")
        );
        assert!(
            list.text
                .contains("<key>SockPathName</key>\n            <string>/home/a/100%/s</string>"),
            "{}",
            list.text
        );
        assert!(!list.text.contains(SOMEBODY), "{}", list.text);
    }

    /// A path that would become two lines is refused.
    #[test]
    fn paths_that_are_no_text_are_refused() {
        let fault = units(System::Systemd, &places("/a\nExecStartPre=/x", &[])).expect_err("two lines");
        assert_eq!(fault.reason, Reason::InvalidArgument);
    }
}
