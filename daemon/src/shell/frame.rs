//! What the helper on the host prints, parsed. Fields come from the host: anything malformed is no frame at all.

use super::{candidate::Candidate, front::Foreground, probe::Probe, sudo::Front};
use crate::id::CommandId;

/// A frame that the helper script prints itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelperFrame {
    /// The helper can be given its script.
    Reading,
    /// The helper runs.
    Hello(HelperHello),
    /// The integration script is in place.
    Installed,
    /// Another pair of FIFOs is there, with this number.
    Opened(u8),
    /// The state of the terminal.
    Probe(Probe),
    /// Who would take what is typed; none if that cannot be told.
    Front(Option<Front>),
    /// Login shells on this connection.
    Who(Vec<Candidate>),
    /// The answer to the look or signal with this number.
    Foreground(u32, Foreground),
    /// Ctrl-S stops what the terminal shows.
    Flow(bool),
}

/// What the helper says first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelperHello {
    /// The private directory; empty where none could be made.
    pub dir: String,
    /// The host's boot id; empty where it has none.
    pub boot_id: String,
    /// `uname -sm`.
    pub system: String,
    /// `$SHELL` there.
    pub shell: String,
}

/// A frame that came through the FIFO of a command's stream, in order with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFrame {
    /// The command with this id ended; what follows was written by its background jobs.
    End(CommandId),
    /// The child shell of this command runs below sudo.
    Below(CommandId),
    /// The last writer of the FIFO with this number, 0 or 1, has gone.
    Eof(u8),
    /// What was written before the look with this number is before this.
    Level(u32),
    /// The reader was killed; the stream is of no more use.
    Broken,
}

/// The introducer of the helper's own frames.
pub fn helper_introducer(nonce: &str) -> Vec<u8> {
    format!("\x1e{nonce}!").into_bytes()
}

/// The introducer of frames within a stream.
pub fn stream_introducer(nonce: &str) -> Vec<u8> {
    format!("\x1e{nonce};").into_bytes()
}

/// Ends either kind of frame.
pub const TERMINATOR: u8 = 0x1f;

/// Parses the inside of a helper's frame.
pub fn parse_helper(body: &[u8]) -> Option<HelperFrame> {
    let body = String::from_utf8_lossy(body);
    let (letter, rest) = body.split_once(';').unwrap_or((&body, ""));
    match letter {
        "H" => {
            let mut fields = rest.split(';');
            Some(HelperFrame::Hello(HelperHello {
                dir: fields.next()?.to_owned(),
                boot_id: fields.next()?.to_owned(),
                system: fields.next()?.to_owned(),
                shell: fields.next()?.to_owned(),
            }))
        }
        "R" => Some(HelperFrame::Reading),
        "B" => Some(HelperFrame::Installed),
        "O" => rest.parse().ok().map(HelperFrame::Opened),
        "Q" => Probe::parse(rest).map(HelperFrame::Probe),
        "U" => Some(HelperFrame::Front(Front::parse(rest))),
        "W" => Some(HelperFrame::Who(
            rest.split('|').filter_map(Candidate::parse).collect(),
        )),
        "K" => {
            let (number, rest) = rest.split_once(';')?;
            Some(HelperFrame::Foreground(
                number.parse().ok()?,
                Foreground::parse(rest)?,
            ))
        }
        "S" => Some(HelperFrame::Flow(rest == "on")),
        _ => None,
    }
}

/// Parses the inside of a stream's frame.
pub fn parse_stream(body: &[u8]) -> Option<StreamFrame> {
    match body.first()? {
        b'M' if body == b"M0" => Some(StreamFrame::Eof(0)),
        b'M' if body == b"M1" => Some(StreamFrame::Eof(1)),
        b'X' => Some(StreamFrame::Broken),
        b'L' => {
            let text = String::from_utf8_lossy(body);
            text.strip_prefix("L;")?.parse().ok().map(StreamFrame::Level)
        }
        b'S' => {
            let text = String::from_utf8_lossy(body);
            CommandId::parse(text.strip_prefix("S;")?).map(StreamFrame::Below)
        }
        b'E' => {
            let text = String::from_utf8_lossy(body);
            CommandId::parse(text.split(';').nth(1)?).map(StreamFrame::End)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames as the script prints them, and some that it never prints.
    #[test]
    fn table() {
        assert_eq!(
            parse_helper(b"H;/dev/shm/.sshmcp-1;boot;Linux x86_64;/bin/bash;77"),
            Some(HelperFrame::Hello(HelperHello {
                dir: "/dev/shm/.sshmcp-1".into(),
                boot_id: "boot".into(),
                system: "Linux x86_64".into(),
                shell: "/bin/bash".into(),
            }))
        );
        assert_eq!(parse_helper(b"B"), Some(HelperFrame::Installed));
        assert_eq!(parse_helper(b"O;3"), Some(HelperFrame::Opened(3)));
        assert_eq!(parse_helper(b"O;999"), None);
        assert_eq!(parse_helper(b"S;on"), Some(HelperFrame::Flow(true)));
        assert_eq!(parse_helper(b"S;?"), Some(HelperFrame::Flow(false)));
        assert_eq!(parse_helper(b"H;only"), None);
        assert_eq!(parse_helper(b""), None);
        assert_eq!(parse_stream(b"M1"), Some(StreamFrame::Eof(1)));
        assert_eq!(
            parse_stream(b"E;c7;0;/tmp"),
            Some(StreamFrame::End(CommandId::new(7)))
        );
        assert_eq!(parse_stream(b"S;c7"), Some(StreamFrame::Below(CommandId::new(7))));
        assert_eq!(parse_stream(b"L;7"), Some(StreamFrame::Level(7)));
        assert_eq!(parse_stream(b"L;x"), None);
        assert_eq!(parse_stream(b"E;7"), None);
        assert_eq!(parse_stream(b""), None);
    }
}
