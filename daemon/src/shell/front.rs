//! Who is in front of a session's shell, as the helper saw it, and what a signal reached of that. Parsing alone; what the
//! fields say comes from the host.

use super::probe::{LineMode, Modes};

/// Processes that are named in words; more are counted.
const NAMED_MAX: usize = 4;

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// None was asked for.
    Looked,
    /// At least one process took it.
    Sent,
    /// Nothing but the shell itself is in front: it was sent nothing.
    ShellAlone,
    /// The host refused it for every process.
    Refused,
    /// The host does not tell who is in front.
    Unknown,
}

/// How a process hangs together with the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The session's shell.
    Shell,
    /// In the group in front: what Ctrl-C and signals reach.
    InFront,
    /// Started by one in front, but no longer in its group.
    Left,
    /// A background job.
    Background,
}

/// One process below the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Process id.
    pub pid: u32,
    /// Where it stands.
    pub place: Place,
    /// State letter of /proc/PID/stat.
    pub state: char,
    /// Whose it is; none if not told.
    pub uid: Option<u32>,
    /// Signals that it ignores, bit n - 1 for signal n.
    pub ignored: u64,
    /// Signals that it handles itself.
    pub caught: u64,
    /// Name.
    pub name: String,
}

/// One look at the terminal's processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreground {
    /// What became of the signal.
    pub sent: Sent,
    /// How the terminal takes input.
    pub mode: LineMode,
    /// True if Ctrl-C is a signal there and no key.
    pub signals: bool,
    /// The byte that is the terminal's interrupt character, where that is one.
    pub interrupt: Option<u8>,
    /// The shell, and the processes below it.
    pub members: Vec<Member>,
}

impl Foreground {
    /// What is known where nobody can look.
    pub const fn unknown() -> Self {
        Self {
            sent: Sent::Unknown,
            mode: LineMode::Unknown,
            signals: true,
            interrupt: None,
            members: Vec::new(),
        }
    }

    /// Parses `SENT;MODES;INTERRUPT;PROCESS|PROCESS|`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(4, ';');
        let sent = match fields.next()? {
            "seen" => Sent::Looked,
            "sent" => Sent::Sent,
            "shell" => Sent::ShellAlone,
            "refused" => Sent::Refused,
            _ => Sent::Unknown,
        };
        let modes = fields.next()?;
        let mode = Modes::parse(modes).line;
        let interrupt = match fields.next()?.as_bytes() {
            [b'^', letter @ b'@'..=b'_'] => Some(letter & 0x1f),
            [plain] => Some(*plain),
            _ => None,
        };
        let members = fields.next().unwrap_or_default();
        Some(Self {
            sent,
            mode,
            signals: modes.chars().nth(3) != Some('i'),
            interrupt,
            members: members.split('|').filter_map(Member::parse).collect(),
        })
    }

    /// The processes in this place.
    pub fn at(&self, place: Place) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.place == place)
    }

    /// Background jobs that are stopped.
    pub fn stopped(&self) -> impl Iterator<Item = &Member> {
        self.at(Place::Background).filter(|member| member.is_stopped())
    }

    /// Processes in front that the login's user may not signal.
    pub fn foreign(&self) -> impl Iterator<Item = &Member> {
        let ours = self.at(Place::Shell).find_map(|shell| shell.uid);
        self.at(Place::InFront).filter(move |member| {
            ours.is_some_and(|ours| ours != 0) && member.uid.is_some() && member.uid != ours
        })
    }

    /// It was seen that nobody is in front: the shell is between two programs, or done with the last.
    pub fn is_shell_alone(&self) -> bool {
        self.sent == Sent::Looked && self.at(Place::InFront).next().is_none()
    }

    /// It was seen who is in front, and none of those was in front then.
    pub fn goes_on(&self, before: &Self) -> bool {
        self.sent == Sent::Looked
            && !self
                .at(Place::InFront)
                .any(|now| before.at(Place::InFront).any(|then| then.pid == now.pid))
    }
}

impl Member {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        Some(Self {
            pid: fields.next()?.parse().ok()?,
            place: match fields.next()? {
                "s" => Place::Shell,
                "g" => Place::InFront,
                "l" => Place::Left,
                "b" => Place::Background,
                _ => return None,
            },
            state: fields.next()?.chars().next()?,
            uid: fields.next()?.parse().ok(),
            ignored: mask(fields.next()?),
            caught: mask(fields.next()?),
            name: fields.next().unwrap_or_default().to_owned(),
        })
    }

    /// Stopped by a signal: it takes none but KILL until it goes on.
    pub const fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    /// It ignores the signal with this number.
    pub const fn ignores(&self, signal: u32) -> bool {
        self.ignored >> (signal - 1) & 1 == 1
    }

    /// It handles the signal with this number itself.
    pub const fn catches(&self, signal: u32) -> bool {
        self.caught >> (signal - 1) & 1 == 1
    }
}

/// `sleep (812), cat (813) and 3 more`.
pub fn names<'m>(members: impl IntoIterator<Item = &'m Member>) -> String {
    let all: Vec<String> = members
        .into_iter()
        .map(|member| format!("{} ({})", member.name, member.pid))
        .collect();
    let more = all.len().saturating_sub(NAMED_MAX);
    let shown = all
        .get(..all.len() - more)
        .map(|shown| shown.join(", "))
        .unwrap_or_default();
    if more > 0 {
        format!("{shown} and {more} more")
    } else {
        shown
    }
}

fn mask(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the helper prints it on Linux.
    #[test]
    fn parses() {
        let text = "sent;ceks;^C;\
            10 s S 1000 0000000000384004 000000004b813efb bash|\
            20 g S 1000 0000000001001002 0000000000010002 sh|\
            21 l S 1000 0 0 sleep|22 g T 0 0 0 sudo|30 b T 1000 0 0 vim|";
        let front = Foreground::parse(text).expect("a front");
        assert_eq!(
            (front.sent, front.mode, front.signals, front.interrupt),
            (Sent::Sent, LineMode::Canonical, true, Some(3))
        );
        assert_eq!(names(front.at(Place::InFront)), "sh (20), sudo (22)");
        assert_eq!(names(front.at(Place::Left)), "sleep (21)");
        assert_eq!(names(front.stopped()), "vim (30)");
        assert_eq!(names(front.foreign()), "sudo (22)");
        let sh = front.at(Place::InFront).next().expect("sh");
        assert!(sh.ignores(2) && sh.catches(2) && sh.catches(17) && !sh.ignores(15));
    }

    /// Anything may come from a host.
    #[test]
    fn parses_anything() {
        assert_eq!(Foreground::parse(""), None);
        assert_eq!(Foreground::parse("sent"), None);
        let front = Foreground::parse("what;rnki;<undef>;x|1 q|1 g S|").expect("a front");
        assert_eq!(
            (front.sent, front.signals, front.interrupt, front.members.len()),
            (Sent::Unknown, false, None, 0)
        );
    }

    /// Many are counted.
    #[test]
    fn many_names() {
        let text = (1..=6)
            .map(|pid| format!("{pid} g S 0 0 0 x|"))
            .collect::<String>();
        let front = Foreground::parse(&format!("sent;ceks;^C;{text}")).expect("a front");
        assert_eq!(
            names(front.at(Place::InFront)),
            "x (1), x (2), x (3), x (4) and 2 more"
        );
    }
}
