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
    /// The streams of a kept session.
    Kept(Vec<KeptStream>),
    /// The mark with this number is behind that byte of all that a kept terminal ever showed; none: that is not known.
    At(u32, Option<u64>),
    /// So many bytes of that are not kept any more, here between those that are.
    Missing(u64),
    /// That was all, up to this place.
    Caught(u64),
    /// What a kept session that nobody attends says of itself; none: that was all of them.
    Label(Option<String>),
}

/// One stream that is kept on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptStream {
    /// It is a pair's stderr.
    pub is_err: bool,
    /// The pair.
    pub set: u8,
    /// The FIFO that is drained, or is next.
    pub turn: u8,
    /// Somebody may still write to that one.
    pub held: bool,
    /// The last segment, and how much is in it.
    pub segment: u64,
    /// As above, bytes.
    pub size: u64,
}

impl KeptStream {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let name = words.next()?;
        let (is_err, set) = match name.split_at_checked(1)? {
            ("o", set) => (false, set),
            ("e", set) => (true, set),
            _ => return None,
        };
        let turn = words.next()?.parse().ok().filter(|turn| *turn < 2)?;
        Some(Self {
            is_err,
            set: set.parse().ok()?,
            turn,
            held: words.next()? == "1",
            segment: words.next()?.parse().ok()?,
            size: words.next()?.parse().ok()?,
        })
    }
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
    /// The tmux that keeps the shell, where one was to.
    pub tmux: Tmux,
}

/// What the helper says of tmux.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tmux {
    /// Where it is; empty where there is none.
    pub path: String,
    /// `tmux 3.3a`; empty where there is none.
    pub version: String,
    /// Our pane, `%0`; empty where there is none.
    pub pane: String,
    /// Its process.
    pub pid: u32,
    /// Its terminal.
    pub tty: String,
    /// How its shell ended, if it has and that is known.
    pub exit: Option<i32>,
}

impl Tmux {
    /// From the fields that are left; what is put into commands later holds nothing that a shell or tmux would take for
    /// anything else.
    fn parse<'f>(mut fields: impl Iterator<Item = &'f str>) -> Self {
        let is_plain = |word: &&str| {
            word.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
        };
        let mut next = || fields.next().unwrap_or_default();
        let (path, version, pane, pid, tty, exit) = (next(), next(), next(), next(), next(), next());
        let is_pane = |word: &&str| {
            word.strip_prefix('%')
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let owned = |word: Option<&str>| word.unwrap_or_default().to_owned();
        Self {
            path: owned(Some(path).filter(is_plain)),
            version: version.chars().take(40).collect(),
            pane: owned(Some(pane).filter(is_pane)),
            pid: pid.parse().unwrap_or_default(),
            tty: owned(Some(tty).filter(is_plain)),
            exit: exit.parse().ok(),
        }
    }
}

/// A frame that came through the FIFO of a command's stream, in order with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFrame {
    /// The command with this id ended; what follows was written by its background jobs.
    End(CommandId),
    /// The durable command whose spool it is ended, with this code; what follows as above.
    Ended(i32),
    /// The child shell of this command runs below sudo.
    Below(CommandId),
    /// The last writer of the FIFO with this number, 0 or 1, has gone.
    Eof(u8),
    /// What was written before the look with this number is before this.
    Level(u32),
    /// The reader was killed, or what it is to read is not there any more; the stream is of no more use.
    Broken,
    /// What is kept of the stream goes on in the segment with this number.
    Next(u32),
    /// Up to 64 KiB are missing here: the host's disk had no room.
    Dropped,
}

/// The introducer of the helper's own frames.
pub fn helper_introducer(nonce: &str) -> Vec<u8> {
    format!("\x1e{nonce}!").into_bytes()
}

/// The introducer of frames within a stream.
pub fn stream_introducer(nonce: &str) -> Vec<u8> {
    format!("\x1e{nonce};").into_bytes()
}

/// Bytes of a whole frame within a stream.
pub const fn stream_length(nonce: &str, body: &[u8]) -> usize {
    // RS, nonce, semicolon; US.
    nonce.len() + body.len() + 3
}

/// In the place of an id: the command has the spool alone.
const DURABLE: &str = "c0";

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
                tmux: {
                    // Its own process comes first.
                    fields.next();
                    Tmux::parse(fields)
                },
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
        "T" => {
            let (number, place) = rest.split_once(';')?;
            Some(HelperFrame::At(number.parse().ok()?, place.parse().ok()))
        }
        "L" => rest.parse().ok().map(HelperFrame::Missing),
        "Z" => rest.parse().ok().map(HelperFrame::Caught),
        "A" => Some(HelperFrame::Label(
            Some(rest.to_owned()).filter(|rest| !rest.is_empty()),
        )),
        "P" => Some(HelperFrame::Kept(
            rest.split('|').filter_map(KeptStream::parse).collect(),
        )),
        _ => None,
    }
}

/// Parses the inside of a stream's frame.
pub fn parse_stream(body: &[u8]) -> Option<StreamFrame> {
    match body.first()? {
        b'M' if body == b"M0" => Some(StreamFrame::Eof(0)),
        b'M' if body == b"M1" => Some(StreamFrame::Eof(1)),
        b'X' => Some(StreamFrame::Broken),
        b'D' => Some(StreamFrame::Dropped),
        b'G' => {
            let text = String::from_utf8_lossy(body);
            text.strip_prefix("G;")?.parse().ok().map(StreamFrame::Next)
        }
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
            let mut fields = text.split(';').skip(1);
            match fields.next()? {
                DURABLE => fields.next()?.parse().ok().map(StreamFrame::Ended),
                id => CommandId::parse(id).map(StreamFrame::End),
            }
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
                tmux: Tmux::default(),
            }))
        );
        let kept = parse_helper(
            b"H;/var/tmp/.sshmcp-1;boot;Linux x86_64;/bin/bash;77;/usr/bin/tmux;tmux 3.3a;%0;12;/dev/pts/3;",
        );
        assert!(
            matches!(kept, Some(HelperFrame::Hello(HelperHello { tmux: Tmux { pane, pid: 12, exit: None, .. }, .. })) if pane == "%0")
        );
        let odd = parse_helper(b"H;/d;;;/bin/sh;77;/a b;tmux;%0 x;x;/dev/$(x);3");
        let tmux = Tmux {
            version: "tmux".into(),
            exit: Some(3),
            ..Tmux::default()
        };
        assert!(matches!(odd, Some(HelperFrame::Hello(HelperHello { tmux: found, .. })) if found == tmux));
        let stream = KeptStream {
            is_err: true,
            set: 2,
            turn: 1,
            held: false,
            segment: 3,
            size: 40,
        };
        assert_eq!(
            parse_helper(b"P;e2 1 0 3 40|o0 2 0 1 1|x|e0 0|"),
            Some(HelperFrame::Kept(vec![stream]))
        );
        assert_eq!(parse_stream(b"G;12"), Some(StreamFrame::Next(12)));
        assert_eq!(parse_stream(b"G;x"), None);
        assert_eq!(
            parse_helper(b"A;1f ab eHg="),
            Some(HelperFrame::Label(Some("1f ab eHg=".into())))
        );
        assert_eq!(parse_helper(b"A"), Some(HelperFrame::Label(None)));
        assert_eq!(
            parse_helper(b"T;3;1000000000000007"),
            Some(HelperFrame::At(3, Some(1_000_000_000_000_007)))
        );
        assert_eq!(parse_helper(b"T;3;-"), Some(HelperFrame::At(3, None)));
        assert_eq!(parse_helper(b"T;3"), None);
        assert_eq!(parse_helper(b"L;12"), Some(HelperFrame::Missing(12)));
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
        assert_eq!(parse_stream(b"E;c0;7;"), Some(StreamFrame::Ended(7)));
        assert_eq!(parse_stream(b"E;c0;"), None);
        assert_eq!(parse_stream(b"E;7"), None);
        assert_eq!(parse_stream(b""), None);
    }
}
