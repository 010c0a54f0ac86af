//! What an interrupt's answer says, from what was seen. Words alone.

use sshmcp_proto::{
    error::Fault,
    v1::{Reason, Signal},
};

use crate::{
    command::{State, Status},
    shell::front::{Foreground, Member, Place, names},
};

/// The signal's name.
pub(super) const fn name(signal: Signal) -> &'static str {
    match signal {
        Signal::Unspecified | Signal::Int => "INT",
        Signal::Quit => "QUIT",
        Signal::Term => "TERM",
        Signal::Kill => "KILL",
    }
}

const fn number(signal: Signal) -> u32 {
    match signal {
        Signal::Unspecified | Signal::Int => 2,
        Signal::Quit => 3,
        Signal::Term => 15,
        Signal::Kill => 9,
    }
}

pub(super) fn ended_already(state: &State) -> String {
    let how = match (&state.status, state.exit_code) {
        (Status::Lost, _) => " (lost: how is not known)".to_owned(),
        (_, Some(code)) => format!(" (exit code {code})"),
        (_, None) => String::new(),
    };
    format!("the command had ended already{how}; no signal was sent")
}

/// Whom a signal reached, and whom not.
pub(super) fn sent(name: &str, front: &Foreground) -> String {
    let foreign: Vec<u32> = front.foreign().map(|member| member.pid).collect();
    let reached = names(
        front
            .at(Place::InFront)
            .filter(|member| !foreign.contains(&member.pid)),
    );
    let mut words = if reached.is_empty() {
        format!("{name} was sent to the foreground process group")
    } else {
        format!("{name} was sent to {reached}")
    };
    if !foreign.is_empty() {
        words.push_str(&format!(
            "; the host refused it for {}, of another user",
            names(front.foreign())
        ));
    }
    let left = names(front.at(Place::Left));
    if !left.is_empty() {
        words.push_str(&format!(
            "; not to {left}, which it had started and which has left its process group"
        ));
    }
    words
}

pub(super) fn shell_alone(name: &str) -> String {
    format!("nothing but the shell itself runs it, so Ctrl-C was typed instead of sending {name}")
}

pub(super) fn refused(name: &str, front: &Foreground) -> Fault {
    let pids: Vec<String> = front.foreign().map(|member| member.pid.to_string()).collect();
    let who = names(front.at(Place::InFront));
    Fault::new(
        Reason::PermissionDenied,
        format!("the host refused {name}: {who} belongs to another user; no signal was sent"),
    )
    .hint(format!(
        "send INT: Ctrl-C goes through the terminal and needs no permission; or run `sudo kill -{name} {}` in another session",
        pids.join(" ")
    ))
}

pub(super) fn unseen() -> Fault {
    Fault::new(
        Reason::NotSupported,
        "the host does not tell which process is in front; no signal was sent",
    )
    .hint("send INT or QUIT: they go through the terminal")
}

pub(super) fn unanswered() -> Fault {
    Fault::new(
        Reason::Unreachable,
        "the host did not say what became of the signal",
    )
    .hint(
        "look with get_active_commands whether the command ended; send INT, which goes through the terminal",
    )
    .retryable()
}

/// Why it has not ended, and what to do next.
pub(super) fn not_ended(signal: Signal, front: &Foreground, is_device: bool) -> (String, &'static str) {
    let next = if is_device {
        "look with get_terminal_output, and type what it takes with send_input; close_session ends the session"
    } else {
        next(signal)
    };
    (why(signal, front), next)
}

fn why(signal: Signal, front: &Foreground) -> String {
    let number = number(signal);
    let key = matches!(signal, Signal::Unspecified | Signal::Int | Signal::Quit);
    let all: Vec<&Member> = front.at(Place::InFront).collect();
    let only = |test: &dyn Fn(&Member) -> bool| -> Option<String> {
        let some: Vec<&Member> = all.iter().copied().filter(|member| test(member)).collect();
        (!some.is_empty()).then(|| names(some))
    };
    if all.is_empty() {
        let Some(shell) = front.at(Place::Shell).next() else {
            return "the host does not tell what runs".into();
        };
        return if key && shell.ignores(number) {
            "the shell itself runs it and ignores the signal".into()
        } else {
            "the shell itself runs it".into()
        };
    }
    if key && !front.signals {
        return format!(
            "the terminal gave it as a key to {}, which does with it what it likes",
            names(all)
        );
    }
    if let Some(who) = only(&Member::is_stopped) {
        return format!("{who} is stopped and takes no signal but KILL until it goes on");
    }
    if let Some(who) = only(&|member| member.ignores(number)) {
        return format!("{who} ignores it");
    }
    if let Some(who) = only(&|member| member.catches(number)) {
        return format!("{who} handles it itself");
    }
    if let Some(who) = only(&|member| member.state == 'D') {
        return format!("{who} waits in the kernel for a device and cannot be ended now");
    }
    format!("{} still runs", names(all))
}

const fn next(signal: Signal) -> &'static str {
    match signal {
        Signal::Unspecified | Signal::Int => "try QUIT, TERM or KILL",
        Signal::Quit => "try TERM or KILL",
        Signal::Term => "try KILL",
        Signal::Kill => "close_session ends the shell and what it runs",
    }
}
