//! The privileged mode: entered once a session, before the first command that wants it. The password goes to a question that
//! hides it and to nothing else, once; whether the mode is held is read off the prompt.

use std::time::{Duration, Instant};

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{Device, Stage};
use crate::{
    device::{Exchange, Learned, Verdict, asks_for_name, hides, is_error},
    id::shorten,
    secret::Secret,
    session::Run,
};

/// A device may ask a server that is slow.
const ENABLING_MAX: Duration = Duration::from_secs(30);
/// IOS asks three times.
const LEAVES_MAX: u8 = 4;

/// What a call wants of the privileged mode.
#[derive(Debug, Default)]
pub struct Enable {
    /// The password, where the call gives one.
    pub password: Option<Secret>,
    /// What enters it, instead of the dialect's own.
    pub command: Option<String>,
}

/// What became of the privileged mode in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    No,
    Entered,
    /// With what is configured, which is not tried again.
    Refused,
}

/// On its way there.
pub(super) struct Enabling {
    pub(super) run: Run,
    pub(super) exchange: Exchange,
    command: String,
    password: Option<Secret>,
    is_configured: bool,
    is_typed: bool,
    is_named: bool,
    said: Vec<String>,
    /// Why it is being left, and how often it was.
    leaving: Option<(Fault, u8)>,
    began: Instant,
}

impl Enabling {
    pub(super) fn deadline(&self) -> Instant {
        self.began + ENABLING_MAX
    }

    pub(super) fn line(&mut self, line: String, prompt: &Learned) {
        let lines = self.exchange.line(line, prompt);
        let lines = lines.into_iter().filter(|line| !line.trim().is_empty());
        self.said.extend(lines);
        self.said.truncate(20);
    }

    /// What the device said to it.
    fn answer(&self) -> String {
        let error = self.said.iter().find(|line| is_error(line));
        let line = error.or_else(|| self.said.iter().rev().find(|line| !hides(line)));
        line.map_or_else(String::new, |line| format!(": {}", shorten(line.trim(), 200)))
    }

    fn wrong_password(&self) -> Fault {
        let whose = if self.is_configured { "configured " } else { "" };
        Fault::new(
            Reason::AuthFailed,
            format!("the device refused the {whose}enable password{}; nothing was run", self.answer()),
        )
        .hint("it was tried once; give the right one (`enable_password` of the connection in config.toml, or `sshctl secret`)")
    }

    fn not_taken(&self) -> Fault {
        Fault::new(
            Reason::NotSupported,
            format!(
                "{} did not lead into the privileged mode{}; nothing was run",
                self.command,
                self.answer()
            ),
        )
        .hint("give the device's own command as `enable_command`")
    }
}

impl Device {
    /// What a command needs before it is typed; it comes back if that is nothing.
    pub(super) fn before(&mut self, mut run: Run) -> Option<Run> {
        let Some(terminal) = &mut self.terminal else {
            return Some(run);
        };
        let target = self.session.target();
        let given = run.enable.take();
        let is_configured = target.enable_password.is_some() || target.enable_command.is_some();
        let privileged = terminal.prompt.as_ref().and_then(Learned::is_privileged);
        let is_held = match privileged {
            Some(is) => is,
            None => terminal.enabled == Tried::Entered,
        };
        if is_held || given.is_none() && !is_configured {
            return Some(run);
        }
        if given.is_none() && terminal.enabled != Tried::No {
            // Whoever left the mode meant that.
            if terminal.enabled == Tried::Refused {
                run.command
                    .notice("not in the privileged mode: it was tried once with what is configured, and the device refused");
            }
            return Some(run);
        }
        let Enable { password, command } = given.map(|given| *given).unwrap_or_default();
        let command = command
            .or_else(|| target.enable_command.clone())
            .unwrap_or_else(|| terminal.dialect.enable.to_owned());
        if command.is_empty() || command.chars().any(char::is_control) {
            run.command.notice(format!(
                "{} has no privileged mode that is entered by a command; none was entered",
                terminal.dialect.name
            ));
            return Some(run);
        }
        if password.is_none()
            && let Some(source) = target.enable_password
        {
            run.enable = Some(Box::new(Enable {
                password: None,
                command: Some(command),
            }));
            self.queue.push_front(run);
            self.fetching = Some(tokio::spawn(async move { source.resolve().await }));
            return None;
        }
        self.enter(run, command, password, false);
        None
    }

    /// The configured password came, or did not.
    pub(super) fn on_fetched(&mut self, password: Result<Secret, Fault>) {
        self.fetching = None;
        let Some(mut run) = self.queue.pop_front() else {
            return;
        };
        let command = run.enable.take().and_then(|enable| enable.command);
        match (password, command) {
            (Ok(password), Some(command))
                if matches!(
                    self.terminal.as_ref().map(|terminal| &terminal.stage),
                    Some(Stage::Ready)
                ) =>
            {
                self.enter(run, command, Some(password), true);
            }
            (Ok(_), _) => self.queue.push_front(run),
            (Err(fault), _) => run.fail(fault),
        }
    }

    fn enter(&mut self, run: Run, command: String, password: Option<Secret>, is_configured: bool) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let prompt = terminal.prompt.as_ref().map_or("", |prompt| prompt.text.as_str());
        let exchange = Exchange::new(prompt, &command);
        terminal.type_line(&command);
        terminal.stage = Stage::Enabling(Box::new(Enabling {
            run,
            exchange,
            command,
            password,
            is_configured,
            is_typed: false,
            is_named: false,
            said: Vec::new(),
            leaving: None,
            began: Instant::now(),
        }));
    }

    pub(super) fn enabling_answered(&mut self, verdict: &Verdict) {
        let user = self.session.target().user;
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let tail = terminal.lines.tail();
        let Stage::Enabling(enabling) = &mut terminal.stage else {
            return;
        };
        match verdict {
            Verdict::Pager => {
                terminal.turn_page();
            }
            Verdict::HelpShown | Verdict::NoHelp => {}
            Verdict::Question => {
                if let Some((_, times)) = &mut enabling.leaving {
                    *times = times.saturating_add(1);
                    let key: &[u8] = if *times < LEAVES_MAX { b"\r" } else { b"\x03" };
                    terminal.key(key);
                } else if asks_for_name(&tail) && !enabling.is_named {
                    // Of ProCurve and ASA, where users have passwords of their own.
                    enabling.is_named = true;
                    terminal.type_line(&user);
                } else if !hides(&tail) {
                    let fault = Fault::new(
                        Reason::NotSupported,
                        format!(
                            "the device asked for something else than a password: {}; nothing was run",
                            shorten(&tail, 100)
                        ),
                    )
                    .hint("enter the mode with send_input");
                    enabling.leaving = Some((fault, 1));
                    terminal.key(b"\x03");
                } else if enabling.is_typed {
                    enabling.leaving = Some((enabling.wrong_password(), 1));
                    terminal.key(b"\r");
                } else if let Some(password) = enabling.password.take() {
                    enabling.is_typed = true;
                    terminal.type_secret(&password);
                } else {
                    let fault = Fault::new(
                        Reason::AuthInputRequired,
                        format!("the device asks for the password of its privileged mode ({tail}), and none is known; nothing was run"),
                    )
                    .hint("set `enable_password` of the connection in config.toml, or have a person enter the mode: `sshctl attach`");
                    enabling.leaving = Some((fault, 1));
                    terminal.key(b"\r");
                }
            }
            Verdict::Prompt | Verdict::OtherPrompt | Verdict::JoinedPrompt | Verdict::LoggedOver => {
                terminal.follow(&tail, None);
                self.enabling_ended();
            }
        }
    }

    /// The prompt is back.
    fn enabling_ended(&mut self) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let Stage::Enabling(enabling) = std::mem::replace(&mut terminal.stage, Stage::Ready) else {
            return;
        };
        let privileged = terminal.prompt.as_ref().and_then(Learned::is_privileged);
        let refuses = |line: &String| {
            let line = line.to_lowercase();
            is_error(&line)
                || ["fail", "denied", "incorrect", "wrong"]
                    .iter()
                    .any(|word| line.contains(word))
        };
        let fault = match (&enabling.leaving, privileged) {
            (Some((fault, _)), _) => Some(fault.clone()),
            (None, Some(true)) => None,
            (None, None) if !enabling.said.iter().any(refuses) => {
                enabling
                    .run
                    .command
                    .notice("whether the privileged mode is held cannot be seen: this device's prompt does not show it");
                None
            }
            (None, Some(false) | None) if enabling.is_typed => Some(enabling.wrong_password()),
            (None, Some(false) | None) => Some(enabling.not_taken()),
        };
        let Enabling {
            run, is_configured, ..
        } = *enabling;
        match fault {
            Some(fault) => {
                if is_configured {
                    terminal.enabled = Tried::Refused;
                }
                run.fail(fault);
            }
            None => {
                terminal.enabled = Tried::Entered;
                self.queue.push_front(run);
                if !terminal.is_unpaged {
                    // Some take that in this mode alone.
                    terminal.set_up(terminal.dialect.paging.iter().copied().collect());
                }
            }
        }
    }

    /// It takes too long.
    pub(super) fn enabling_due(&mut self) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let Stage::Enabling(enabling) =
            std::mem::replace(&mut terminal.stage, Stage::Typed(Exchange::unknown()))
        else {
            return;
        };
        terminal.key(b"\x03");
        let fault = Fault::new(
            Reason::Unreachable,
            format!(
                "the device did not answer {} within {} s{}; nothing was run",
                enabling.command,
                ENABLING_MAX.as_secs(),
                enabling.answer()
            ),
        );
        enabling
            .run
            .fail(fault.hint("look with get_terminal_output").retryable());
    }
}
