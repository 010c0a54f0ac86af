//! Windows hosts: recognised by the server's version or by what the terminal shows, and refused in words. Nothing is typed
//! there.

use sshmcp_proto::{error::Fault, v1::Reason};

use crate::{config::Kind, device::Lines, host::Target, id::shorten};

/// Microsoft's port of OpenSSH calls itself so.
const SERVER: &str = "OpenSSH_for_Windows";

/// What cmd and PowerShell show before anybody has typed.
const SHOWN: [&str; 3] = ["Microsoft Windows [Version", "Windows PowerShell", "PS C:\\"];

/// Refuses what is known to be a Windows host, by its configuration or the server's version; `kind = "posix"` says that a
/// POSIX shell is there all the same.
pub fn refuse_server(target: &Target, version: &str) -> Result<(), Fault> {
    match target.kind {
        Kind::Windows => Err(refusal("its configuration says `kind = \"windows\"`")),
        Kind::Auto if version.contains(SERVER) => Err(refusal(&format!("its SSH server is {version}"))),
        _ => Ok(()),
    }
}

/// Refuses a prompt that only cmd and PowerShell have, before anything is typed at it.
pub(super) fn refuse_prompt(target: &Target, shown: &[u8]) -> Result<(), Fault> {
    let mut lines = Lines::default();
    lines.feed(shown);
    let tail = lines.tail();
    let prompt = tail.trim();
    if target.kind == Kind::Auto && is_prompt(prompt) {
        return Err(refusal(&format!("its prompt is `{}`", shorten(prompt, 80))));
    }
    Ok(())
}

/// `C:\Users\x>`, `user@machine C:\Users\x>`, `PS C:\Users\x>`.
fn is_prompt(line: &str) -> bool {
    let path = match line.split_once(' ') {
        Some((before, path)) if before == "PS" || before.contains('@') => path,
        _ => line,
    };
    let is_drive = |letter: char| letter.is_ascii_alphabetic();
    path.ends_with('>')
        && path
            .strip_prefix(is_drive)
            .is_some_and(|rest| rest.starts_with(":\\"))
}

/// Refuses what looks like a Windows shell, where nothing understood us.
pub(super) fn refuse_screen(shown: &[u8]) -> Result<(), Fault> {
    let shown = String::from_utf8_lossy(shown);
    match SHOWN.iter().find(|words| shown.contains(**words)) {
        Some(words) => Err(refusal(&format!("its terminal shows `{words}`"))),
        None => Ok(()),
    }
}

fn refusal(why: &str) -> Fault {
    Fault::new(
        Reason::NotSupported,
        format!("this is a Windows host ({why}); cmd and PowerShell are not supported, and nothing was run"),
    )
    .hint("use a host with a POSIX shell; if one is the login shell here (WSL, Cygwin, MSYS2), say `kind = \"posix\"` in config.toml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::TargetKey;

    #[test]
    fn recognised() {
        let mut target = Target::bare("h", &TargetKey::of([("u".into(), "h".into(), 22)]));
        let server = "SSH-2.0-OpenSSH_for_Windows_9.5";
        let is_refused = |target: &Target, version: &str| refuse_server(target, version).is_err();
        assert!(is_refused(&target, server));
        assert!(!is_refused(&target, "SSH-2.0-OpenSSH_9.2p1 Debian-2"));
        target.kind = Kind::Posix;
        assert!(!is_refused(&target, server), "somebody says that it is none");
        target.kind = Kind::Windows;
        assert!(is_refused(&target, "SSH-2.0-anything"));
        target.kind = Kind::Posix;
        assert!(refuse_screen(b"Microsoft Windows [Version 10.0.1]\r\n(c) x\r\n\r\nC:\\Users\\x>").is_err());
        assert!(refuse_screen(b"user@windows:~$ ").is_ok());
        assert!(
            refuse_prompt(&target, b"C:\\>").is_ok(),
            "a posix one is said to be none"
        );
        target.kind = Kind::Auto;
        for shown in [
            &b"(c) Microsoft Corporation. All rights reserved.\r\n\r\nuser@PC C:\\Users\\x>"[..],
            b"Windows PowerShell\r\n\r\nPS C:\\Users\\x> ",
            b"\x1b[2J\x1b[m\x1b[HPS D:\\> ",
            b"C:\\>",
        ] {
            assert!(refuse_prompt(&target, shown).is_err(), "{shown:?}");
        }
        for shown in [
            &b"user@windows:~$ "[..],
            b"Windows PowerShell\r\n$ ",
            b"R1>",
            b"PS1>",
            b"",
        ] {
            assert!(refuse_prompt(&target, shown).is_ok(), "{shown:?}");
        }
    }
}
