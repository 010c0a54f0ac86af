//! The shell that a session opens: begun when there is none, what its start-up files ask, and what is told once it is
//! there. How it is opened is not known here.

use std::time::Instant;

use tokio::{sync::oneshot, task::JoinHandle};

use super::{Actor, Shell, Stream, mirroring::Mirror, signal::Signals};
use crate::{
    config::{Keeper, Kind},
    device::Dialect,
    output::StreamKind,
    recording,
    session::{
        Caller, Run,
        device::Handover,
        flow::Flow,
        kept::Kept,
        link::Link,
        machine::Machine,
        open::{
            self, Here, Keep, NotOpened, Opened,
            dialog::{Listening, Question, dialog},
        },
        spot::Spot,
    },
    shell::{
        fish, frame, mark,
        order::{self, Capture},
        scan::Scanner,
    },
    terminal::clean::clean,
};

/// What is shown of what start-up files printed.
const GREETING_SHOWN: usize = 2000;

/// Characters of the session's name in tmux's: a path of a socket has little room.
const TMUX_NAME_MAX: usize = 32;

/// A shell that is being opened.
pub(super) struct Starting {
    pub(super) task: JoinHandle<Result<Opened, NotOpened>>,
    /// What its start-up files ask, and the way to answer.
    pub(super) dialog: Listening,
    /// They asked something.
    pub(super) has_asked: bool,
    /// So many bytes of what it showed are in the view already.
    greeted: u64,
    /// What of it is on this machine.
    pub(super) begun: Here,
    /// Of its terminal.
    size: (u16, u16),
}

impl Actor {
    /// Begins to open a shell unless one is there or on its way.
    pub(super) fn ensure_shell(&mut self) {
        if self.shell.is_some() || self.starting.is_some() {
            return;
        }
        let (pool, claims, target) = (self.pool.clone(), self.claims.clone(), self.session.target());
        let size = (self.opening.cols, self.opening.rows);
        let keeper = self.opening.keeper;
        let keep = Keep {
            name: tmux_name(self.session.name.as_str()),
            orphan_after: self.opening.orphan_after.as_secs(),
        };
        let here = Here::of(self.session.store());
        let begun = here.clone();
        let name = self.session.name.clone();
        let (asking, listening) = dialog();
        let asking = Some(asking);
        let is_unknown = target.kind == Kind::Auto;
        let opening = async move {
            open::refuse_windows(&target, "")?;
            let by_openssh = match keeper {
                Keeper::LocalTmux => true,
                Keeper::Auto => pool.leaves_to_openssh(&target).await?,
                Keeper::Daemon | Keeper::RemoteTmux => false,
            };
            // What its server calls itself is known before anything is opened there.
            if is_unknown && !by_openssh {
                let version = pool.server_version(&target).await?;
                if Dialect::is_servers(&version) {
                    return Err(NotOpened::Device);
                }
                open::refuse_windows(&target, &version)?;
            }
            if by_openssh {
                let opened = open::open_local(&pool, &claims, &target, size, asking, &keep, &here);
                return opened.await.map_err(NotOpened::from);
            }
            if !matches!(keeper, Keeper::RemoteTmux | Keeper::Auto) {
                return open::open(&pool, &claims, &target, size, asking, name.as_str()).await;
            }
            let kept = open::open_kept(&pool, &claims, &target, size, asking, &keep, name.as_str());
            let (words, asking) = match kept.await {
                Err(NotOpened::NoTmux(words, asking)) => (words, asking),
                outcome => return outcome,
            };
            let mut opened = open::open(&pool, &claims, &target, size, asking, name.as_str()).await?;
            opened.not_kept = Some(words);
            Ok(opened)
        };
        self.starting = Some(Starting {
            task: tokio::spawn(opening),
            dialog: listening,
            has_asked: false,
            greeted: 0,
            begun,
            size,
        });
    }

    pub(super) async fn on_started(&mut self, outcome: Result<Opened, NotOpened>) {
        let starting = self.starting.take();
        let greeted = starting.as_ref().map_or(0, |starting| starting.greeted);
        let size = starting.map(|starting| {
            // A session has it now, or it is ended already.
            starting.begun.take();
            starting.size
        });
        self.session.touch();
        let opened = match outcome {
            Ok(opened) => opened,
            Err(NotOpened::Left(left)) => {
                self.take_over(*left);
                return;
            }
            Err(fault) => {
                let fault = fault.into_fault();
                tracing::info!(session = %self.session.name, %fault, "the session could not be opened");
                self.ended = Some(fault.message.clone());
                self.summary
                    .send_modify(|summary| summary.not_opened(&fault.message));
                // Before anybody is told: who is told looks at what the session is now.
                self.publish();
                for reply in self.waiting_open.drain(..) {
                    let _ = reply.send(Err(fault.clone()));
                }
                for run in self.queue.drain(..) {
                    run.fail(fault.clone());
                }
                return;
            }
        };
        let Opened {
            mut link,
            greeting,
            greeted: total,
            cwd,
            rest,
            not_kept,
        } = opened;
        self.note_keeper(link.kept.as_ref(), not_kept);
        if let Some(words) = link.road.take_accepted_key() {
            self.tell(words);
        }
        if self.claims.add(link.road.id(), link.shell.pid) {
            link.order(order::sweep());
        }
        tracing::info!(
            session = %self.session.name, shell = %link.shell.kind, version = %link.shell.version,
            system = %link.hello.system, "shell opened"
        );
        let greeting_text = clean(&greeting);
        // Behind the last line end stands the prompt, which is no greeting.
        let greeting_text = greeting_text
            .rsplit_once('\n')
            .map_or("", |(text, _)| text.trim());
        let greeting_text = crate::id::shorten(greeting_text, GREETING_SHOWN);
        self.summary
            .send_modify(|summary| summary.greeting = greeting_text);
        self.session.recorder.opened(recording::Opened {
            target: self.session.target().key().to_string(),
            shell: link.shell.kind.clone(),
            size: self.view.size(),
        });
        let new = unseen(&greeting, total, greeted);
        let before_prompt = new.iter().rposition(|byte| *byte == b'\n');
        let shown = before_prompt.and_then(|at| new.get(..=at)).unwrap_or_default();
        let shown = self.mask.filter(None, shown.to_vec(), false, Instant::now()).0;
        self.view.show(&shown);
        let wanted_cwd = std::mem::replace(&mut self.cwd, cwd);
        let nonce = link.nonce.clone();
        let machine = Machine::new(link.shell.pid, Instant::now());
        let streams = [StreamKind::Stdout, StreamKind::Stderr].map(|kind| Stream::new(0, kind, &nonce));
        if let Some(kept) = &link.kept {
            let saved = serde_json::to_value(kept).unwrap_or(serde_json::Value::Null);
            if let Some(labels) = self.claims.labels() {
                labels.hold(&saved);
            }
            self.session.keep(saved);
            if let Some(place) = &kept.local {
                self.session.leave_note(place);
            }
        }
        let mirror = link.kept.is_some().then(|| Mirror::all(Instant::now()));
        self.shell = Some(Shell::new(link, machine, streams.into()));
        if let Some(shell) = &mut self.shell {
            shell.mirror = mirror;
        }
        self.say_whose();
        self.ask_place();
        if size.is_some_and(|size| size != self.view.size()) {
            // A person came meanwhile, to answer.
            self.fit_terminal();
        }
        self.after_opening(&wanted_cwd);
        self.end_ghosts();
        self.on_terminal(&rest).await;
    }

    /// It is a network device: what is known so far, for who works that.
    pub(super) fn hand_over(self) -> Handover {
        Handover {
            opening: self.opening,
            session: self.session,
            pool: self.pool,
            summary: self.summary,
            view: self.view,
            waiting_open: self.waiting_open,
            queue: self.queue,
            ended: self.ended,
        }
    }

    /// Gives the shell's terminal the view's size.
    pub(super) fn fit_terminal(&self) {
        let (cols, rows) = self.view.size();
        if let Some(shell) = &self.shell {
            let writer = shell.link.terminal();
            tokio::spawn(async move {
                // A link that is gone says so itself.
                let _ = writer.resize(cols, rows).await;
            });
        }
    }

    /// What keeps the shell, and why it is not what was asked for.
    fn note_keeper(&self, kept: Option<&Kept>, not_kept: Option<String>) {
        let keeper = match kept {
            Some(kept) if kept.local.is_some() => Keeper::LocalTmux,
            Some(_) => Keeper::RemoteTmux,
            None => Keeper::Daemon,
        };
        let was_asked = self.opening.keeper == Keeper::RemoteTmux;
        self.summary.send_modify(|summary| {
            // What was said of an earlier shell, or of an attempt that failed.
            summary.notice.clear();
            summary.keeper = keeper;
            if let Some(words) = not_kept.filter(|_| was_asked) {
                summary.notice = format!(
                    "not kept by remote-tmux: {words}; the daemon keeps this shell, which ends with its connection"
                );
            }
        });
    }

    /// What the start-up files of a shell that is being opened ask now.
    pub(super) fn asked(&self) -> Option<Question> {
        self.starting.as_ref()?.dialog.asked.borrow().clone()
    }

    /// They ask, or do not any more: who waits for the shell is told to answer.
    pub(super) fn on_asked(&mut self) {
        self.session.touch();
        let Some(question) = self.asked() else { return };
        if let Some(starting) = &mut self.starting {
            self.view
                .show(unseen(&question.shown, question.total, starting.greeted));
            starting.greeted = question.total;
            starting.has_asked = true;
        }
        self.publish();
        let fault = question.fault(&self.session.name);
        for reply in self.waiting_open.drain(..) {
            let _ = reply.send(Err(fault.clone()));
        }
        for run in self.queue.drain(..) {
            run.fail(fault.clone());
        }
    }

    /// Restores the working directory, and says what became of an earlier shell.
    fn after_opening(&mut self, wanted_cwd: &str) {
        let again = self.opened_before;
        self.opened_before = true;
        let cause = self.ended.take();
        if !wanted_cwd.is_empty() && *wanted_cwd != self.cwd {
            // The first space keeps it out of histories.
            let text = format!(" cd -- {}", crate::shell::order::quote(wanted_cwd));
            let command = self
                .commands
                .create(&self.session.name, text, Capture::Apart, true);
            let (failed, _) = oneshot::channel();
            self.queue.push_front(Run {
                command,
                stdin: None,
                sudo_password: None,
                enable: None,
                sudo_nonce: None,
                client: Caller::default(),
                failed,
                attempts: 0,
                queue_max: usize::MAX,
                durable: None,
            });
        }
        if again {
            let cause = cause.unwrap_or_else(|| "its shell had ended".into());
            let restored = if wanted_cwd.is_empty() {
                ""
            } else {
                "the working directory was restored; "
            };
            let words = format!(
                "the session was opened again because {cause}: {restored}variables, functions and background jobs of the earlier shell are gone"
            );
            self.tell(words);
        }
    }

    /// Says it with the next command that waits, or else of the session.
    fn tell(&self, words: String) {
        if let Some(run) = self.queue.iter().find(|run| !run.command.internal) {
            run.command.notice(words);
            return;
        }
        self.summary.send_modify(|summary| summary.add_notice(&words));
    }
}

impl Shell {
    /// A living shell of which nothing is known but this.
    pub(super) fn new(link: Link, machine: Machine, streams: Vec<Stream>) -> Self {
        let nonce = &link.nonce;
        Self {
            machine,
            helper_frames: Scanner::new(&frame::helper_introducer(nonce), frame::TERMINATOR),
            streams,
            marks: Scanner::new(&mark::introducer(nonce), mark::TERMINATOR),
            running: None,
            names: None,
            unfetched: None,
            answering: None,
            late: Vec::new(),
            exit: None,
            exit_at: None,
            closed: false,
            last_status: None,
            is_told: false,
            is_dead: false,
            signals: Signals::default(),
            started_at: None,
            terminal_text: Vec::new(),
            typed_meanwhile: false,
            fish_text: None,
            flow: Flow::default(),
            terminal_stopped: false,
            unowned: 0,
            last_on_terminal: false,
            wrote_since_input: false,
            mirror: None,
            is_mirroring: false,
            spot: Spot::default(),
            unanswered: None,
            fish_asks: fish::Questions::default(),
            interest: link.kept.is_some().then(Instant::now),
            pulse: link.road.pulse(),
            link,
        }
    }
}

/// A name for tmux that tells a person which session it is, and is no other's.
fn tmux_name(session: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let name: String = session.chars().map(plain).take(TMUX_NAME_MAX).collect();
    format!("sshmcp-{name}-{:08x}", rand::random::<u32>())
}

/// Of the end of what a terminal showed, `total` bytes in all, what is not in the view yet.
fn unseen(shown: &[u8], total: u64, seen: u64) -> &[u8] {
    let new = usize::try_from(total.saturating_sub(seen)).unwrap_or(usize::MAX);
    shown.get(shown.len().saturating_sub(new)..).unwrap_or_default()
}
