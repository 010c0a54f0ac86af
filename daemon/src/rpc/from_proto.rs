//! Messages into the daemon's own words. Everything from outside is checked here, and a fault names the field.

use sshmcp_proto::{
    error::Fault,
    v1::{self, Reason},
};

use crate::session::{Enable, Keeper};
use crate::{
    file::{self, Edit, Mode, Sudo, WRITE_MAX, What},
    host::Overrides,
    registry::HostCall,
    secret::Secret,
};

/// Terminal widths and heights that programs can cope with.
const COLS: std::ops::RangeInclusive<u32> = 20..=500;
const ROWS: std::ops::RangeInclusive<u32> = 5..=200;

pub(super) fn host(message: v1::HostRef) -> Result<HostCall, Fault> {
    let v1::HostRef {
        host,
        username,
        port,
        key_filename,
        password,
        hostname,
    } = message;
    if host.is_empty() {
        return Err(
            Fault::new(Reason::InvalidArgument, "`host` is empty").hint("list_hosts shows known names")
        );
    }
    Ok(HostCall {
        host,
        overrides: Overrides {
            username,
            port,
            key_filename,
            password: password.map(Secret::new),
            hostname,
        },
    })
}

/// A durable command is a child with no terminal and no input.
pub(super) fn durable(durable: bool, terminal: bool, stdin: bool) -> Result<(), Fault> {
    let (other, why) = match (durable, terminal, stdin) {
        (true, true, _) => ("terminal", "a durable command has no terminal"),
        (true, false, true) => ("stdin", "a durable command has no standard input"),
        _ => return Ok(()),
    };
    Err(Fault::new(
        Reason::InvalidArgument,
        format!("`durable` and `{other}` do not go together: {why}"),
    )
    .hint("leave one of them out"))
}

/// A password for sudo: what can be typed on one line.
pub(super) fn sudo_password(password: Option<String>, durable: bool) -> Result<Option<Secret>, Fault> {
    let Some(password) = password.map(Secret::new) else {
        return Ok(None);
    };
    if durable {
        return Err(Fault::new(
            Reason::InvalidArgument,
            "`durable` and `sudo_password` do not go together: a durable command has no terminal for sudo's prompt",
        )
        .hint("leave one of them out"));
    }
    if password.expose().is_empty() || password.expose().contains(|c: char| c.is_control()) {
        return Err(Fault::new(
            Reason::InvalidArgument,
            "`sudo_password` is empty or has a control character",
        )
        .hint("give the password alone, or leave it out"));
    }
    Ok(Some(password))
}

/// The privileged mode of a network device: what can be typed on one line each.
pub(super) fn enable(password: Option<String>, command: Option<String>) -> Result<Option<Enable>, Fault> {
    let password = password.filter(|password| !password.is_empty()).map(Secret::new);
    let command = command.filter(|command| !command.trim().is_empty());
    let has_controls = |text: &str| text.chars().any(char::is_control);
    let wrong = if password
        .as_ref()
        .is_some_and(|password| has_controls(&password.expose()))
    {
        "`enable_password`"
    } else if command.as_deref().is_some_and(has_controls) {
        "`enable_command`"
    } else {
        return Ok((password.is_some() || command.is_some()).then_some(Enable { password, command }));
    };
    Err(Fault::new(
        Reason::InvalidArgument,
        format!("{wrong} has a control character"),
    )
    .hint("give the text alone, without a line end"))
}

pub(super) fn size(cols: Option<u32>, rows: Option<u32>) -> Result<Option<(u16, u16)>, Fault> {
    if cols.is_none() && rows.is_none() {
        return Ok(None);
    }
    let check =
        |name: &str, value: Option<u32>, default: u16, range: &std::ops::RangeInclusive<u32>| match value {
            None => Ok(default),
            Some(value) if range.contains(&value) => Ok(u16::try_from(value).unwrap_or(default)),
            Some(value) => Err(Fault::new(
                Reason::InvalidArgument,
                format!(
                    "`{name}` is {value}, outside of {} to {}",
                    range.start(),
                    range.end()
                ),
            )
            .hint("leave it out for 120 columns and 40 rows")),
        };
    Ok(Some((
        check("cols", cols, crate::registry::COLS, &COLS)?,
        check("rows", rows, crate::registry::ROWS, &ROWS)?,
    )))
}

/// The keeper that is asked for; none if that is left to the configuration.
pub(super) fn keeper(keeper: Option<&str>) -> Result<Option<Keeper>, Fault> {
    let Some(word) = keeper else { return Ok(None) };
    match Keeper::from_word(word) {
        Some(keeper) => Ok(Some(keeper)),
        None => Err(Fault::new(
            Reason::InvalidArgument,
            format!("{:?} is no keeper", crate::id::shorten(word, 40)),
        )
        .hint("keepers are daemon, remote-tmux, local-tmux and auto")),
    }
}

/// The characters of output that a caller wants.
pub(super) fn output_limit(limit: u32) -> usize {
    const DEFAULT: u32 = 8_000;
    const MAX: u32 = 40_000;
    let limit = if limit == 0 { DEFAULT } else { limit.min(MAX) };
    usize::try_from(limit).unwrap_or(8_000)
}

/// The regular expression of a field.
pub(super) fn pattern(field: &str, pattern: &str) -> Result<regex::bytes::Regex, Fault> {
    /// Compiled size; a pattern that needs more is a mistake or an attack.
    const SIZE_MAX: usize = 1 << 20;
    regex::bytes::RegexBuilder::new(pattern)
        .size_limit(SIZE_MAX)
        .multi_line(true)
        .build()
        .map_err(|error| {
            let words = error.to_string();
            let last = words.lines().last().unwrap_or_default().trim().to_owned();
            Fault::new(
                Reason::InvalidArgument,
                format!("`{field}` is not a regular expression: {last}"),
            )
            .hint("the syntax is that of Rust's regex crate: no look-around, no back-references")
        })
}

/// The host, the path there, and as whom.
pub(super) fn file_access(message: v1::FileAccess) -> Result<(HostCall, String, Option<Sudo>), Fault> {
    let v1::FileAccess {
        host: whose,
        path,
        sudo,
        sudo_password: password,
    } = message;
    let password = sudo_password(password, false)?;
    let call = host(whose.unwrap_or_default())?;
    Ok((call, path, sudo.then_some(Sudo { password })))
}

/// What comes of a file; none at the end of the stream.
pub(super) fn upload_part(
    came: Result<Option<v1::UploadFileRequest>, tonic::Status>,
) -> Result<Option<file::Part>, Fault> {
    use v1::upload_file_request::Part;

    let came = came.map_err(|status| {
        Fault::new(
            Reason::InvalidArgument,
            format!("who sent the file went away before its end: {}", status.message()),
        )
    })?;
    match came.map(|came| came.part) {
        None => Ok(None),
        Some(Some(Part::Data(data))) => {
            within_limit("a part", &data)?;
            Ok(Some(file::Part::Data(data.into())))
        }
        Some(Some(Part::End(size))) => Ok(Some(file::Part::End(size))),
        Some(Some(Part::Begin(_)) | None) => Err(Fault::new(
            Reason::InvalidArgument,
            "behind the first part of an upload are its bytes and its end",
        )),
    }
}

/// What to write into a file.
pub(super) fn write(what: Option<v1::write_file_request::What>) -> Result<What, Fault> {
    use v1::{WriteMode, write_file_request};

    match what {
        Some(write_file_request::What::Content(content)) => {
            let mode = match content.mode() {
                WriteMode::Unspecified | WriteMode::Overwrite => Mode::Overwrite,
                WriteMode::Append => Mode::Append,
                WriteMode::Create => Mode::Create,
            };
            let v1::FileContent { data, mode: _ } = content;
            within_limit("`content`", &data)?;
            Ok(What::Content(data, mode))
        }
        Some(write_file_request::What::Edit(v1::FileEdit {
            old_text: old,
            new_text: new,
            all,
        })) => {
            within_limit("`old_text`", &old)?;
            within_limit("`new_text`", &new)?;
            Ok(What::Edit(Edit { old, new, all }))
        }
        None => Err(Fault::new(
            Reason::InvalidArgument,
            "neither `content` nor `old_text` with `new_text` is given",
        )
        .hint("give the content, or the text to replace and what replaces it")),
    }
}

fn within_limit(field: &str, bytes: &[u8]) -> Result<(), Fault> {
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) <= WRITE_MAX {
        return Ok(());
    }
    Err(Fault::new(
        Reason::TooLarge,
        format!(
            "{field} has {} bytes, more than 2 MiB; nothing was done",
            bytes.len()
        ),
    )
    .hint("write it in pieces: the first with `mode` overwrite, the others with append"))
}

/// A digest as `sha256sum` prints it.
pub(super) fn sha256(text: &str) -> Result<[u8; 32], Fault> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let digits: Option<Vec<u8>> = text.trim().as_bytes().iter().map(digit).collect();
    let bytes: Option<Vec<u8>> = digits.filter(|digits| digits.len() == 64).map(|digits| {
        digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect()
    });
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        Fault::new(
            Reason::InvalidArgument,
            "`if_sha256` is no SHA-256 of 64 hexadecimal digits",
        )
        .hint("give the `sha256` of read_file's answer, or leave it out")
    })
}

/// Permission bits.
pub(super) fn permissions(bits: u32) -> Result<u32, Fault> {
    if bits <= 0o7777 {
        return Ok(bits);
    }
    Err(Fault::new(
        Reason::InvalidArgument,
        format!("`permissions` is {bits}, more than 4095 (07777)"),
    )
    .hint("it is a decimal number: 420 for 0644, 384 for 0600, 493 for 0755"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digests as programs print them, and nothing else.
    #[test]
    fn digests() {
        let text = "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let digest = sha256(text).expect("a digest");
        assert_eq!((digest[0], digest[1], digest[31]), (0xe3, 0xb0, 0x55));
        for no in [
            "",
            "e3b0",
            &text[1..],
            &format!("{text}0"),
            &text.replace('4', "g"),
        ] {
            assert!(sha256(no).is_err(), "{no}");
        }
    }
}
