//! Answers sudo's own prompt in one command: sees the prompt, says what is to be done about it, and knows what became
//! of it. Does no I/O. A password is given to each sudo once, and to none after one was refused.

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::sync::oneshot;

use crate::{
    config::SecretSource,
    id::{CommandId, shorten},
    output::StreamKind,
    secret::Secret,
    shell::{
        scan::{Piece, Scanner},
        sudo::{self, Front},
    },
};

/// What sudo said is kept as far as its own lines go.
const SAID_MAX: usize = 2 << 10; // 2 KiB
/// Pairs of looks until sudo is seen at rest: on a loaded host it may get to its read late.
const LOOKS_MAX: u8 = 20;
/// What is shown of it.
const SAID_SHOWN: usize = 200;

/// Where a password comes from.
pub(super) enum Password {
    /// Given in the call.
    Given(Secret),
    /// From the configuration; fetched when sudo asks.
    Stored(SecretSource),
}

/// What has to be done.
pub(super) enum Step {
    /// Fetch the stored password.
    Fetch(SecretSource),
    /// Ask who would take what is typed.
    Look,
    /// Type this password.
    Release(Secret),
    /// Type the end of file: sudo ends without a further try.
    Abort,
    /// Leave the prompt to a person, for this reason.
    Leave(String),
}

/// sudo in one command.
pub(super) struct Answering {
    pub(super) id: CommandId,
    password: Password,
    fetched: Option<Secret>,
    /// The command's text runs below sudo, started by us.
    below: bool,
    /// It does.
    began: bool,
    /// Told if it never did.
    failed: Option<oneshot::Sender<Fault>>,
    terminal: Scanner,
    stdout: Scanner,
    stderr: Scanner,
    /// A prompt stands that we are about to answer.
    pending: bool,
    /// The first of two looks, and how often there were two.
    first: Option<Front>,
    looks: u8,
    /// The sudos that asked when the password was given last.
    given: Vec<u32>,
    refused: bool,
    said: Vec<u8>,
}

impl Answering {
    /// `mode` is what the integration script was told of the command.
    pub(super) fn new(id: CommandId, mode: &str, password: Password) -> Self {
        let scanner = || Scanner::new(&sudo::tag(mode), sudo::TAG_END);
        Self {
            id,
            password,
            fetched: None,
            below: false,
            began: false,
            failed: None,
            terminal: scanner(),
            stdout: scanner(),
            stderr: scanner(),
            pending: false,
            first: None,
            looks: 0,
            given: Vec::new(),
            refused: false,
            said: Vec::new(),
        }
    }

    /// The command is one that we put below sudo; `failed` is told if sudo does not run it.
    pub(super) fn set_below(&mut self, failed: oneshot::Sender<Fault>) {
        self.below = true;
        self.failed = Some(failed);
    }

    /// The command was not fetched: what was given for it goes back into the request.
    pub(super) fn give_back(self) -> (Option<Secret>, Option<oneshot::Sender<Fault>>) {
        let password = match self.password {
            Password::Given(secret) => Some(secret),
            Password::Stored(_) => None,
        };
        (password, self.failed)
    }

    /// Bytes as they are to be kept: sudo's prompt without our nonce. True if such a prompt was among them.
    pub(super) fn filter(&mut self, stream: Option<StreamKind>, bytes: &[u8]) -> (Vec<u8>, bool) {
        let pieces = self.scanner(stream).feed(bytes);
        let (mut kept, mut asked) = (Vec::with_capacity(bytes.len()), false);
        for piece in pieces {
            match piece {
                Piece::Data(data) => kept.extend(data),
                Piece::Frame(body) => {
                    asked |= body.is_empty();
                    kept.extend_from_slice(sudo::SHOWN);
                }
            }
        }
        if stream != Some(StreamKind::Stdout) && !self.began {
            self.said.extend_from_slice(&kept);
            let surplus = self.said.len().saturating_sub(SAID_MAX);
            self.said.drain(..surplus);
        }
        (kept, asked)
    }

    /// The end of a stream: what was held back is data.
    pub(super) fn rest(&mut self, stream: Option<StreamKind>) -> Vec<u8> {
        match self.scanner(stream).finish() {
            Some(Piece::Data(data)) => data,
            Some(Piece::Frame(_)) | None => Vec::new(),
        }
    }

    fn scanner(&mut self, stream: Option<StreamKind>) -> &mut Scanner {
        match stream {
            None => &mut self.terminal,
            Some(StreamKind::Stdout) => &mut self.stdout,
            Some(StreamKind::Stderr) => &mut self.stderr,
        }
    }

    /// A prompt stands that is about to be answered: nobody else has to.
    pub(super) const fn is_pending(&self) -> bool {
        self.pending
    }

    /// sudo's prompt came.
    pub(super) fn asked(&mut self) -> Step {
        self.pending = true;
        self.first = None;
        self.looks = 0;
        match &self.password {
            Password::Stored(source) if self.fetched.is_none() && !self.refused => {
                Step::Fetch(source.clone())
            }
            Password::Stored(_) | Password::Given(_) => Step::Look,
        }
    }

    /// The stored password was fetched; `is_refused` tells one that sudo has refused before.
    pub(super) fn fetched(
        &mut self,
        outcome: Result<Secret, Fault>,
        is_refused: impl Fn(&Secret) -> bool,
    ) -> Step {
        match outcome {
            Ok(secret) if is_refused(&secret) => self.leave(
                "the stored sudo_password was refused before and is not tried again until it is changed"
                    .into(),
            ),
            Ok(secret) => {
                self.fetched = Some(secret);
                Step::Look
            }
            Err(fault) => self.leave(format!(
                "the stored sudo_password could not be got: {}",
                fault.message
            )),
        }
    }

    /// The helper looked, as it does twice. None: it looks again, or no prompt of ours stands any more.
    pub(super) fn looked(&mut self, front: Option<Front>) -> Option<Step> {
        if !self.pending {
            return None;
        }
        let asking = match front.as_ref().map(Front::asking) {
            Some(Ok(asking)) => asking,
            // Somebody printed the prompt, and nobody waits for a hidden answer.
            Some(Err(_)) if front.as_ref().is_some_and(|front| front.echo) => {
                self.pending = false;
                return None;
            }
            Some(Err(why)) => return Some(self.leave(format!("sudo's prompt was not answered: {why}"))),
            None => {
                return Some(self.leave(
                    "sudo's prompt was not answered: the host does not tell what reads the terminal".into(),
                ));
            }
        };
        let front = front?;
        let Some(first) = self.first.take() else {
            self.first = Some(front);
            return None;
        };
        if !front.rests_since(&first) {
            self.looks += 1;
            if self.looks < LOOKS_MAX {
                return Some(Step::Look);
            }
            return Some(self.leave("sudo's prompt was not answered: sudo did not come to rest".into()));
        }
        let again = !self.given.is_empty()
            && asking.len() == self.given.len()
            && asking.iter().all(|pid| self.given.contains(pid));
        self.refused |= again || (!self.given.is_empty() && self.says_refused());
        self.pending = false;
        if self.refused {
            return Some(Step::Abort);
        }
        let secret = match &self.password {
            Password::Given(secret) => secret.clone(),
            Password::Stored(_) => self.fetched.take()?,
        };
        self.given = asking;
        self.said.clear();
        Some(Step::Release(secret))
    }

    fn leave(&mut self, why: String) -> Step {
        self.pending = false;
        self.fetched = None;
        Step::Leave(why)
    }

    /// In English, where sudo speaks it: in other languages only its second prompt tells.
    fn says_refused(&self) -> bool {
        let said = String::from_utf8_lossy(&self.said);
        said.contains("incorrect password attempt") || said.contains("Sorry, try again")
    }

    /// The child shell says that it runs: from here on the password is not needed.
    pub(super) fn began(&mut self) {
        self.began = true;
        self.failed = None;
        self.said.clear();
    }

    /// The command ended. What it means that sudo did not run it, who is to be told, and a notice for everybody else.
    pub(super) fn ended(mut self, code: Option<i32>, interrupted: bool) -> Ended {
        self.refused |= !self.given.is_empty() && self.says_refused();
        let mut ended = Ended {
            refused: self.refused,
            notice: None,
            fault: None,
        };
        let not_run = self.below && !self.began;
        if self.refused && !not_run {
            ended.notice = Some("sudo refused the password; it was tried once".into());
        }
        if !not_run || interrupted {
            return ended;
        }
        let words = self.words();
        if matches!(code, Some(126 | 127)) {
            ended.notice =
                Some("sudo is not installed on the host, or not in PATH: the command was not run".into());
            return ended;
        }
        let fault = if self.refused {
            Fault::new(Reason::AuthFailed, "sudo refused the password; the command was not run")
                .hint("call again with the right `sudo_password`; it is that of the login unless sudoers says otherwise (rootpw, targetpw)")
        } else {
            Fault::new(
                Reason::PermissionDenied,
                format!("sudo did not run the command: {words}"),
            )
            .hint("`sudo -l` shows what the login may run; a command that begins with sudo is run as it is")
        };
        ended.notice = Some(fault.message.clone());
        ended.fault = self.failed.take().map(|failed| (failed, fault));
        ended
    }

    /// What sudo said, but for its prompt.
    fn words(&self) -> String {
        let text = crate::terminal::clean::clean(&self.said);
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("[sudo]"))
            .collect();
        if lines.is_empty() {
            return "it gave no reason".into();
        }
        shorten(&lines.join(" "), SAID_SHOWN)
    }
}

/// What became of it.
pub(super) struct Ended {
    /// sudo refused the password.
    pub(super) refused: bool,
    /// For the command's result.
    pub(super) notice: Option<String>,
    /// For whoever waits, instead of a result.
    pub(super) fault: Option<(oneshot::Sender<Fault>, Fault)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answering() -> Answering {
        Answering::new(
            CommandId::new(1),
            "c1f",
            Password::Given(Secret::new("hunter2".into())),
        )
    }

    fn front(text: &str) -> Front {
        Front::parse(&format!("cn;1000;{text}")).expect("a front")
    }

    fn looked(answering: &mut Answering, front: &Front) -> Option<Step> {
        answering.asked();
        assert!(
            answering.looked(Some(front.clone())).is_none(),
            "once is not enough"
        );
        answering.looked(Some(front.clone()))
    }

    /// Only the tag of this command is a prompt, however it arrives, and it is never kept.
    #[test]
    fn prompts_are_found_and_cleaned() {
        let mut answering = answering();
        let (kept, asked) = answering.filter(None, b"[sudo c2f] password for a: ");
        assert_eq!(
            (kept.as_slice(), asked),
            (&b"[sudo c2f] password for a: "[..], false)
        );
        let (kept, asked) = answering.filter(None, b"x[sudo c1");
        assert_eq!((kept.as_slice(), asked), (&b"x"[..], false));
        let (kept, asked) = answering.filter(None, b"f] password for a: ");
        assert_eq!((kept.as_slice(), asked), (&b"[sudo] password for a: "[..], true));
        let _ = answering.filter(Some(StreamKind::Stderr), b"y[su");
        assert_eq!(answering.rest(Some(StreamKind::Stderr)), b"[su");
    }

    /// Each sudo once; none after a refusal.
    #[test]
    fn once() {
        let mut answering = answering();
        let sudo = front("50 0 0 - S.1 sudo|");
        assert!(answering.looked(Some(sudo.clone())).is_none(), "nobody asked");
        assert!(matches!(looked(&mut answering, &sudo), Some(Step::Release(_))));
        let another = front("51 0 0 - S.1 sudo|");
        assert!(matches!(looked(&mut answering, &another), Some(Step::Release(_))));
        assert!(matches!(looked(&mut answering, &another), Some(Step::Abort)));
        let third = front("52 0 0 - S.1 sudo|");
        assert!(matches!(looked(&mut answering, &third), Some(Step::Abort)));
        let ended = answering.ended(Some(1), false);
        assert!(ended.refused && ended.fault.is_none() && ended.notice.is_some());
    }

    /// Two at once: whoever is left over has not been refused.
    #[test]
    fn a_pipeline() {
        let mut answering = answering();
        let both = front("50 0 0 - S.1 sudo|51 0 0 - S.1 sudo|");
        assert!(matches!(looked(&mut answering, &both), Some(Step::Release(_))));
        let one = front("50 0 1 - S.1 sudo|51 0 0 - S.1 sudo|");
        assert!(matches!(looked(&mut answering, &one), Some(Step::Release(_))));
    }

    /// What sudo did not run is told by its own words, once.
    #[test]
    fn not_run() {
        let (failed, _listening) = oneshot::channel();
        let mut answering = answering();
        answering.set_below(failed);
        answering.filter(
            Some(StreamKind::Stderr),
            b"a is not in the sudoers file.\nThis incident will be reported.\n",
        );
        let ended = answering.ended(Some(1), false);
        let (_, fault) = ended.fault.expect("a fault");
        assert_eq!(fault.reason, Reason::PermissionDenied);
        assert!(fault.message.contains("not in the sudoers file"), "{fault}");
    }
}
