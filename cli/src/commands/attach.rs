//! `sshctl attach` and `sshctl watch`: a session's live terminal in the person's own, shared with agents. The screen comes
//! as paintings from the daemon; the person's terminal is as before however this ends, but for SIGKILL.

use std::io::{self, IsTerminal as _, Write as _};

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::{
    AttachRequest, AttachResponse, AttachStart, AttachStatus, Reason, TerminalSize,
    attach_request::What as Say, attach_response::What,
};
use tokio::io::{AsyncReadExt as _, stdin};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::args::AttachArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::terminal::{self, Ends, Raw};

/// Ctrl-]: detaches; twice types it.
const DETACH: u8 = 0x1d;
/// Ctrl-C, which also leaves where nothing is typed.
const CTRL_C: u8 = 0x03;
/// Requests that wait for the daemon: keys of a person, who is slower.
const REQUESTS_MAX: usize = 16;
/// Read of the keyboard at a time; a paste comes in several.
const KEYS_MAX: usize = 16 << 10; // 16 KiB

/// What a person's terminal is given first: another screen, so that their own stays as it is.
pub(super) const ENTER: &str = "\x1b[?1049h\x1b[H\x1b[2J";
/// Undoes everything that paintings can switch on, and gives the first screen back.
pub(super) const LEAVE: &str =
    "\x1b[0m\x1b[?1l\x1b[?2004l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?25h\x1b[r\x1b[?1049l";

/// Attaches; the exit code is 0 however the person leaves, and 0 when the session ends.
pub(crate) async fn run(args: AttachArgs, watch: bool, context: &Context) -> Result<u8, Failure> {
    attach(args, watch, false, context).await
}

/// Attaches until the session's shell is there, or will not come.
pub(super) async fn until_ready(args: AttachArgs, context: &Context) -> Result<u8, Failure> {
    attach(args, false, true, context).await
}

async fn attach(args: AttachArgs, watch: bool, until_ready: bool, context: &Context) -> Result<u8, Failure> {
    let AttachArgs { session, take } = args;
    wants_terminal()?;
    // Before anything changes: a signal that comes at once must find us ready to change it back.
    let ends = Ends::new()?;
    let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
    let start = AttachStart {
        session: session.clone(),
        size: Some(inner_size()),
        watch,
        take,
    };
    // There is room: it is the first.
    let _ = requests.send(request(Say::Start(start))).await;
    let answers = context
        .daemon()
        .await?
        .terminals()
        .attach(ReceiverStream::new(receiver))
        .await?
        .into_inner();
    let raw = Raw::new()?;
    let mut attached = Attached {
        session: crate::sanitise::line(&session),
        watch,
        took: take,
        until_ready,
        requests,
        bar: String::new(),
    };
    write(ENTER)?;
    let left = attached.live(answers, ends).await;
    let restored = write(LEAVE);
    drop(raw);
    restored?;
    context.out.note(&left?)?;
    Ok(0)
}

/// Where there is no terminal, nobody can attach.
pub(super) fn wants_terminal() -> Result<(), Fault> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    Err(
        Fault::new(Reason::InvalidArgument, "there is no terminal here to attach")
            .hint("run this in a terminal; `sshctl screen` and `sshctl send` work without one"),
    )
}

fn request(what: Say) -> AttachRequest {
    AttachRequest { what: Some(what) }
}

/// The lowest row is ours.
fn inner_size() -> TerminalSize {
    let (cols, rows) = terminal::size();
    TerminalSize {
        cols: cols.into(),
        rows: u32::from(rows.saturating_sub(1).max(1)),
    }
}

pub(super) fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

struct Attached {
    session: String,
    watch: bool,
    took: bool,
    until_ready: bool,
    requests: mpsc::Sender<AttachRequest>,
    bar: String,
}

/// What a piece of the keyboard's bytes means.
#[derive(Debug, PartialEq, Eq)]
enum Typed {
    Leave,
    Pass(Vec<u8>),
}

impl Attached {
    /// Until the person leaves or the session ends; in words, which.
    async fn live(
        &mut self,
        mut answers: Streaming<AttachResponse>,
        mut ends: Ends,
    ) -> Result<String, Failure> {
        let mut resized = signal(SignalKind::window_change())?;
        let mut keyboard = stdin();
        let mut keys = vec![0; KEYS_MAX];
        let mut pending = false;
        loop {
            tokio::select! {
                answer = answers.message() => match answer {
                    Ok(Some(AttachResponse { what: Some(What::Painting(bytes)) })) => self.paint(&bytes)?,
                    Ok(Some(AttachResponse { what: Some(What::Status(status)) })) => {
                        self.show(&status)?;
                        if let Some(left) = self.left_by(&status.state) {
                            return left;
                        }
                    }
                    Ok(Some(AttachResponse { what: Some(What::Ended(words)) })) => {
                        return Ok(crate::sanitise::line(&words));
                    }
                    Ok(Some(AttachResponse { what: None })) => {}
                    Ok(None) => return Ok("the daemon ended the attachment".into()),
                    Err(status) => return Err(status.into()),
                },
                count = keyboard.read(&mut keys) => {
                    let count = count?;
                    let typed = keys.get(..count).unwrap_or_default();
                    if count == 0 {
                        return Ok(self.left());
                    }
                    match typed_by(typed, self.watch, &mut pending) {
                        Typed::Leave => return Ok(self.left()),
                        Typed::Pass(bytes) if bytes.is_empty() => {}
                        Typed::Pass(bytes) => self.say(Say::Data(bytes)).await,
                    }
                    keys.fill(0);
                }
                _ = resized.recv() => {
                    write("\x1b[H\x1b[2J")?;
                    self.say(Say::Size(inner_size())).await;
                    self.draw_bar()?;
                }
                () = ends.next() => return Ok(self.left()),
            }
        }
    }

    async fn say(&self, what: Say) {
        // A daemon that is gone is told by its answers' end.
        let _ = self.requests.send(request(what)).await;
    }

    /// Whether what was waited for has come.
    fn left_by(&self, state: &str) -> Option<Result<String, Failure>> {
        match state {
            "ready" | "busy" if self.until_ready => Some(Ok(format!("session {} is open", self.session))),
            "disconnected" if self.until_ready => {
                let fault = Fault::new(
                    Reason::AuthFailed,
                    format!(
                        "the login of session {} came to an end without a shell",
                        self.session
                    ),
                );
                Some(Err(fault
                    .hint("`sshctl login` again shows what the host asks; `ssh` by hand what it says at the end")
                    .into()))
            }
            _ => None,
        }
    }

    fn left(&self) -> String {
        format!("detached from {}, which goes on", self.session)
    }

    fn paint(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()?;
        drop(out);
        // A full painting clears the row that is ours.
        if bytes.windows(4).any(|part| part == b"\x1b[2J") {
            self.draw_bar()?;
        }
        Ok(())
    }

    fn show(&mut self, status: &AttachStatus) -> Result<(), Failure> {
        let AttachStatus {
            session,
            state,
            command,
            client,
            holder,
        } = status;
        let mut bar = format!(" {session} · {state}");
        if !command.is_empty() {
            bar.push_str(&format!(" · {client}: {command}"));
        }
        if !holder.is_empty() {
            bar.push_str(&format!(" · {holder} has the keyboard"));
        }
        bar.push_str(match (self.watch, self.took) {
            (true, _) => " · looking on · q leaves ",
            (false, true) => " · agents are kept out · ctrl-] detaches ",
            (false, false) => " · ctrl-] detaches ",
        });
        self.bar = crate::sanitise::line(&bar);
        self.draw_bar()
    }

    /// Draws our row, and puts the cursor back.
    fn draw_bar(&self) -> Result<(), Failure> {
        let (cols, rows) = terminal::size();
        let text: String = self
            .bar
            .chars()
            .take(usize::from(cols).saturating_sub(1))
            .collect();
        write(&format!("\x1b7\x1b[{rows};1H\x1b[0;7m{text}\x1b[K\x1b[0m\x1b8"))?;
        Ok(())
    }
}

/// Ctrl-] leaves, unless another follows it; a lookers-on leaves by `q` and Ctrl-C, too.
fn typed_by(bytes: &[u8], watch: bool, pending: &mut bool) -> Typed {
    let mut passed = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'q' | CTRL_C | DETACH if watch => return Typed::Leave,
            DETACH if *pending => {
                *pending = false;
                passed.push(DETACH);
            }
            DETACH => *pending = true,
            _ if *pending => return Typed::Leave,
            _ => passed.push(byte),
        }
    }
    // Alone it leaves at once: nobody waits for what could follow.
    if *pending {
        return Typed::Leave;
    }
    if watch {
        Typed::Pass(Vec::new())
    } else {
        Typed::Pass(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8], watch: bool) -> Typed {
        typed_by(bytes, watch, &mut false)
    }

    /// Which keys leave, and what is passed on.
    #[test]
    fn keys() {
        assert_eq!(typed(b"ls\r\x03", false), Typed::Pass(b"ls\r\x03".to_vec()));
        assert_eq!(typed(b"\x1d", false), Typed::Leave);
        assert_eq!(typed(b"a\x1d\x1db", false), Typed::Pass(b"a\x1db".to_vec()));
        assert_eq!(typed(b"a\x1db", false), Typed::Leave);
        assert_eq!(typed(b"x", true), Typed::Pass(Vec::new()));
        for key in [b"q", b"\x03", b"\x1d"] {
            assert_eq!(typed(key, true), Typed::Leave);
        }
    }
}
