//! The daemon's own words into messages; cannot fail.

use std::time::{Duration, Instant};

use sshmcp_proto::v1;

use super::beside;
use crate::{
    command::{Command, State, Status, now_ms},
    examine::Examination,
    file,
    host::HostEntry,
    id::shorten,
    output::{Losses, View},
    registry::Registry,
    session::{Session, SessionState},
};

/// What is shown of a command's text in lists.
const TEXT_SHOWN: usize = 200;

/// A command with a part of its output.
pub(super) fn command(command: &Command, state: &State, view: Option<View>, raw: bool) -> v1::Command {
    let (status, prompt) = match &state.status {
        Status::Queued => (v1::CommandStatus::Queued, None),
        Status::Running => (v1::CommandStatus::Running, None),
        Status::Awaiting(question) => (v1::CommandStatus::AwaitingInput, question.clone()),
        Status::Completed => (v1::CommandStatus::Completed, None),
        Status::Interrupted => (v1::CommandStatus::Interrupted, None),
        Status::Lost => (v1::CommandStatus::Lost, None),
    };
    let total = state.output.total();
    let View {
        stdout,
        stderr,
        omitted_bytes,
        offset,
        words,
    } = view.unwrap_or(View {
        offset: total,
        ..View::default()
    });
    let mut notices = state.notices.clone();
    notices.extend(Some(words).filter(|words| !words.is_empty()));
    notices.extend(lost(state.output.losses()));
    if let Some(cause) = state.output.journal_problem() {
        notices.push(format!("its output is not kept beyond the daemon now: {cause}"));
    }
    if state.output.has_screen() && !state.status.is_final() {
        notices.push(
            "a full-screen program has the terminal: get_terminal_output shows its screen, send_input drives it"
                .to_owned(),
        );
    }
    let completion = match state.status {
        Status::Completed | Status::Interrupted if state.by_prompt => v1::Completion::Prompt,
        Status::Completed | Status::Interrupted => v1::Completion::Exact,
        Status::Queued | Status::Running | Status::Awaiting(_) | Status::Lost => v1::Completion::Unspecified,
    };
    v1::Command {
        id: command.id.to_string(),
        session: command.session.to_string(),
        text: command.text.clone(),
        status: status.into(),
        exit_code: state.exit_code,
        stdout,
        stderr: state.apart.then_some(stderr),
        omitted_bytes,
        total_bytes: total,
        offset,
        cwd: state.cwd.clone(),
        duration_ms: state.duration_ms(),
        completion: completion.into(),
        prompt: prompt.map(|question| v1::Prompt {
            text: question.text,
            echo: question.echo,
            keys: question.keys,
            source: if question.exact { "terminal" } else { "text" }.into(),
        }),
        notice: notices.join("; "),
        started_at_ms: state.accepted_ms,
        ended_at_ms: state.ended.map_or(0, |(_, ms)| ms),
        last_line: state.output.last_line(),
        late_bytes: state
            .bytes_at_end
            .map_or(0, |at_end| total.saturating_sub(at_end)),
        dropped_bytes: state.output.dropped(),
        raw,
        reported_error: state.reported_error,
    }
}

/// What of its output is gone, and why.
fn lost(losses: &Losses) -> impl Iterator<Item = String> + use<> {
    let Losses {
        own_limit,
        budget,
        disk,
        disk_cause,
    } = losses;
    let told = |bytes: &u64, why: &str| {
        (*bytes > 0).then(|| format!("{bytes} bytes of its output were dropped: {why}"))
    };
    let all = [
        told(
            own_limit,
            "from its middle, for it passed what is kept of one command (spool_limit_mib)",
        ),
        told(
            budget,
            "the outputs of all commands together passed what is kept (spool_total_mib)",
        ),
        told(disk, disk_cause),
    ];
    all.into_iter().flatten()
}

/// The same with what is to be known of its session: its host does not answer, and what is told is what is known here; or
/// a person has the keyboard.
pub(super) fn told(mut command: v1::Command, session: Option<&Session>) -> v1::Command {
    let goes_on = matches!(
        command.status(),
        v1::CommandStatus::Queued | v1::CommandStatus::Running | v1::CommandStatus::AwaitingInput
    );
    if goes_on && let Some(since) = session.and_then(|session| session.summary().silent_since) {
        append(&mut command.notice, &silence(since));
    }
    if let Some(held) = session.and_then(Session::held) {
        append(&mut command.notice, &held);
    }
    command
}

fn silence(since: Instant) -> String {
    format!(
        "the host has not answered for {} s: it, or the network, may be down; what runs there goes on, and what is known \
         here is told. If it does not answer soon, the connection counts as lost",
        since.elapsed().as_secs()
    )
}

pub(super) fn append(notice: &mut String, words: &str) {
    if !notice.is_empty() {
        notice.push_str("; ");
    }
    notice.push_str(words);
}

/// A session as lists show it.
pub(super) fn session(registry: &Registry, session: &Session) -> v1::Session {
    let summary = session.summary();
    let idle = registry.config.current().settings.idle_after.and_then(|after| {
        let idle = session.idle_for().filter(|idle| *idle >= after)?;
        Some(now_ms().saturating_sub(i64::try_from(idle.as_millis()).unwrap_or(i64::MAX)))
    });
    let durables = beside::of_session(registry, session.name.as_str());
    let running = match summary.running {
        Some(id) => beside::in_shell(registry, session.name.as_str(), id),
        None => durables.last().cloned(),
    };
    let state = match summary.state {
        _ if summary.silent_since.is_some() => v1::SessionState::Stalled,
        SessionState::Opening => v1::SessionState::Opening,
        SessionState::Ready => v1::SessionState::Ready,
        SessionState::Busy => v1::SessionState::Busy,
        SessionState::Awaiting => v1::SessionState::AwaitingInput,
        SessionState::Disconnected => v1::SessionState::Disconnected,
        SessionState::Reconnecting => v1::SessionState::Reconnecting,
    };
    let problems = session
        .recorder
        .problem()
        .into_iter()
        .chain(session.save_problem());
    let notices: Vec<String> = std::iter::once(summary.notice)
        .filter(|notice| !notice.is_empty())
        .chain(summary.silent_since.map(silence))
        .chain(session.held())
        .chain(problems)
        .collect();
    v1::Session {
        name: session.name.to_string(),
        host: session.host.clone(),
        target: session.target().key().to_string(),
        keeper: summary.keeper.word().into(),
        state: state.into(),
        capture: match (summary.shell.is_empty(), summary.apart) {
            (true, _) => "",
            (false, true) => "captured",
            (false, false) => "terminal",
        }
        .into(),
        shell: summary.shell,
        cwd: summary.cwd,
        running_command: running
            .as_ref()
            .map(|command| command.id.to_string())
            .unwrap_or_default(),
        running_text: running
            .map(|command| shorten(&command.text, TEXT_SHOWN))
            .unwrap_or_default(),
        opened_at_ms: session.opened_ms,
        last_used_at_ms: summary.last_used_ms,
        client: summary.client,
        cursor: summary.cursor,
        log_path: session
            .recorder
            .log_path()
            .map_or_else(String::new, |path| path.display().to_string()),
        cols: summary.size.0.into(),
        rows: summary.size.1.into(),
        is_default: registry.is_default(session),
        notice: notices.join("; "),
        idle_since_ms: idle.unwrap_or(0),
        durable_commands: beside::ids(&durables),
    }
}

/// A host as lists show it.
pub(super) fn host(entry: HostEntry) -> v1::Host {
    let HostEntry {
        name,
        user,
        hostname,
        port,
        description,
        tags,
        source,
        jump,
        has_notes,
        resolved_by,
        problem,
    } = entry;
    v1::Host {
        name,
        user,
        hostname,
        port: port.into(),
        description,
        tags,
        policy: "full".into(),
        source: source.into(),
        jump,
        problem,
        notes: String::new(),
        notes_paths: Vec::new(),
        resolved_by: resolved_by.into(),
        has_notes,
    }
}

/// What was found of a host.
pub(super) fn examination(target: String, found: Examination) -> v1::ExamineHostResponse {
    let Examination {
        host_key_state,
        fingerprint,
        failure,
        steps,
        server,
        shell,
        is_apart,
        channels: (channels, channels_refused),
        private_dir,
        clock,
        account,
    } = found;
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (failed_step, failure) = failure.unzip();
    let fact = |name: &str| account.fact(name).to_owned();
    let [startup, bare] = account.startup;
    v1::ExamineHostResponse {
        target,
        host_key_state: host_key_state.into(),
        fingerprint,
        failure: failure.map(|fault| v1::ErrorDetail {
            reason: fault.reason.into(),
            message: fault.message,
            hint: fault.hint,
            retryable: fault.retryable,
        }),
        failed_step: failed_step.unwrap_or_default().into(),
        steps: steps
            .into_iter()
            .map(|(name, time)| v1::Step {
                name: name.into(),
                ms: ms(time),
            })
            .collect(),
        server,
        capture: match (shell.is_empty(), is_apart) {
            (true, _) => "",
            (false, true) => "captured",
            (false, false) => "terminal",
        }
        .into(),
        shell,
        channels: u32::try_from(channels).unwrap_or(u32::MAX),
        channels_refused,
        private_dir,
        private_free_kib: account.private_free_kib,
        clock_ahead_ms: clock.map(|(ahead, _)| ahead),
        clock_error_ms: clock.map_or(0, |(_, error)| error),
        system: fact("system"),
        uid: account.fact("uid").parse().unwrap_or(u32::MAX),
        paths: account
            .paths
            .iter()
            .map(|(mode, uid, path)| v1::AccountPath {
                path: path.clone(),
                mode: mode.clone(),
                uid: *uid,
            })
            .collect(),
        sudo: fact("sudo"),
        tmux: fact("tmux"),
        umask: fact("umask"),
        tmout: fact("tmout"),
        charmap: fact("charmap"),
        startup_ms: startup.map(ms),
        bare_ms: bare.map(ms),
        startup_files: account
            .files
            .iter()
            .map(|(path, time, line, line_time)| v1::StartupFile {
                path: path.clone(),
                ms: ms(*time),
                line: *line,
                line_ms: ms(*line_time),
            })
            .collect(),
    }
}

pub(super) fn read_file(read: file::Read) -> v1::ReadFileResponse {
    let file::Read {
        path,
        data,
        eof,
        digest,
        size,
        mode,
        owner,
        modified,
    } = read;
    v1::ReadFileResponse {
        path: String::from_utf8_lossy(&path).into_owned(),
        data,
        size,
        eof,
        mode,
        uid: owner.map(|(uid, _)| uid),
        gid: owner.map(|(_, gid)| gid),
        modified,
        sha256: digest.map(hex).unwrap_or_default(),
    }
}

pub(super) fn write_file(written: file::Written) -> v1::WriteFileResponse {
    let file::Written {
        path,
        size,
        digest,
        mode,
        created,
        replacements,
        diff,
        notice,
    } = written;
    v1::WriteFileResponse {
        path: String::from_utf8_lossy(&path).into_owned(),
        size,
        sha256: digest.map(hex).unwrap_or_default(),
        mode,
        created,
        replacements,
        diff,
        notice,
    }
}

fn hex(digest: [u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
