//! One SSH session channel: a shell or a command, on a terminal or on pipes, as sshd would run it.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use russh::server::{Handle, Msg};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncWriteExt as _, copy};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use super::{shell, terminal};
use crate::demo::shell::BECOME_SHELL;

/// How long output may still come from a terminal whose shell has ended: a background job may hold it for ever.
const DRAIN: Duration = Duration::from_millis(500);

/// What is read from a terminal at once; the kernel's own buffer has 4 KiB.
const PIECE: usize = 16 * 1024;

/// What every process on this host starts with.
#[derive(Debug)]
pub(super) struct Host {
    /// The home directory there.
    pub(super) home: PathBuf,
    /// The login shell.
    pub(super) shell: PathBuf,
    /// The environment, besides the terminal's.
    pub(super) environment: Vec<(OsString, OsString)>,
}

/// What a client asked for on a channel before it started anything.
#[derive(Default)]
struct Wishes {
    environment: Vec<(String, String)>,
    terminal: Option<(String, u32, u32)>,
}

/// Serves a channel to its end.
pub(super) async fn serve(channel: Channel<Msg>, handle: Handle, host: Arc<Host>) {
    let id = channel.id();
    let (mut requests, answers) = channel.split();
    let mut wishes = Wishes::default();
    let command = loop {
        match requests.wait().await {
            Some(ChannelMsg::RequestPty {
                term,
                col_width,
                row_height,
                ..
            }) => wishes.terminal = Some((term, col_width, row_height)),
            // What sshd accepts as it is shipped.
            Some(ChannelMsg::SetEnv {
                variable_name,
                variable_value,
                ..
            }) if variable_name == "LANG" || variable_name.starts_with("LC_") => {
                wishes.environment.push((variable_name, variable_value));
            }
            Some(ChannelMsg::RequestShell { .. }) => break None,
            Some(ChannelMsg::Exec { command, .. }) => break Some(command),
            Some(ChannelMsg::Close) | None => return,
            Some(_) => {}
        }
    };
    let ended = match &wishes.terminal {
        Some((_, cols, rows)) => {
            let (cols, rows) = (*cols, *rows);
            on_terminal(&host, &wishes, command, (cols, rows), &mut requests, &answers).await
        }
        None => on_pipes(&host, &wishes, command, &mut requests, &answers).await,
    };
    // Whoever is gone need not be told.
    let _told = match ended {
        Ok(Some(status)) => tell(status, id, &handle).await,
        Ok(None) => Ok(()),
        Err(_) => handle.exit_status_request(id, 126).await,
    };
    let _closed = answers.eof().await;
    let _closed = answers.close().await;
}

/// The program and arguments that a request means.
fn arguments(host: &Host, command: Option<Vec<u8>>) -> Vec<OsString> {
    match command {
        None => vec![shell::login_name(&host.shell), host.shell.clone().into()],
        Some(text) => vec![
            host.shell.file_name().unwrap_or("sh".as_ref()).to_owned(),
            host.shell.clone().into(),
            "-c".into(),
            OsString::from_vec(text),
        ],
    }
}

/// A process of ours that becomes the shell; the caller gives it its streams.
fn process(host: &Host, wishes: &Wishes) -> io::Result<Command> {
    let mut process = Command::new(std::env::current_exe()?);
    process
        .arg(BECOME_SHELL)
        .env_clear()
        .envs(host.environment.iter().map(|(name, value)| (name, value)))
        .envs(wishes.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&host.home);
    if let Some((term, _, _)) = &wishes.terminal {
        process.env("TERM", term);
    }
    Ok(process)
}

/// On a terminal: ends when the shell ends, or when the client goes, which hangs the terminal up.
async fn on_terminal(
    host: &Host,
    wishes: &Wishes,
    command: Option<Vec<u8>>,
    (cols, rows): (u32, u32),
    requests: &mut ChannelReadHalf,
    answers: &ChannelWriteHalf<Msg>,
) -> io::Result<Option<ExitStatus>> {
    let (master, slave) = terminal::open(cols, rows)?;
    let mut child = process(host, wishes)?
        .args(arguments(host, command))
        .stdin(slave.try_clone()?)
        .stdout(slave.try_clone()?)
        .stderr(slave)
        .kill_on_drop(true)
        .spawn()?;
    let mut writer = Box::pin(answers.make_writer());
    let reading = master.clone();
    let mut output = tokio::spawn(async move {
        let mut piece = vec![0; PIECE];
        while let Ok(length @ 1..) = reading.read(&mut piece).await {
            let bytes = piece.get(..length).unwrap_or_default();
            if writer.write_all(bytes).await.is_err() {
                break;
            }
        }
    });
    let group = group(&child);
    let input = async {
        while let Some(message) = requests.wait().await {
            match message {
                ChannelMsg::Data { data } if master.write_all(&data).await.is_err() => break,
                ChannelMsg::WindowChange {
                    col_width,
                    row_height,
                    ..
                } => drop(master.resize(col_width, row_height)),
                ChannelMsg::Signal { signal } => send(group, &signal),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
    };
    let status = tokio::select! {
        status = child.wait() => Some(status?),
        () = input => None,
    };
    if status.is_none() || timeout(DRAIN, &mut output).await.is_err() {
        output.abort();
    }
    Ok(status)
}

/// On pipes: ends when the process has ended and its output is closed, as sshd has it.
async fn on_pipes(
    host: &Host,
    wishes: &Wishes,
    command: Option<Vec<u8>>,
    requests: &mut ChannelReadHalf,
    answers: &ChannelWriteHalf<Msg>,
) -> io::Result<Option<ExitStatus>> {
    let mut child = process(host, wishes)?
        .args(arguments(host, command))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let group = group(&child);
    let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let output = async {
        let (mut out, mut err) = (
            Box::pin(answers.make_writer()),
            Box::pin(answers.make_writer_ext(Some(1))),
        );
        let out = async {
            if let Some(mut stdout) = stdout {
                let _gone = copy(&mut stdout, &mut out).await;
            }
        };
        let err = async {
            if let Some(mut stderr) = stderr {
                let _gone = copy(&mut stderr, &mut err).await;
            }
        };
        tokio::join!(out, err);
        child.wait().await
    };
    let input = async {
        while let Some(message) = requests.wait().await {
            match message {
                ChannelMsg::Data { data } => feed(&mut stdin, &data).await,
                ChannelMsg::Eof => stdin = None,
                ChannelMsg::Signal { signal } => send(group, &signal),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
    };
    tokio::select! {
        status = output => Ok(Some(status?)),
        () = input => {
            send(group, &Sig::HUP);
            Ok(None)
        }
    }
}

/// Gives a process its input; one that does not want it any more gets none.
async fn feed(stdin: &mut Option<ChildStdin>, bytes: &[u8]) {
    if let Some(open) = stdin
        && open.write_all(bytes).await.is_err()
    {
        *stdin = None;
    }
}

/// The process group that a child of ours leads: it makes a session of its own.
fn group(child: &Child) -> Option<Pid> {
    child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw)
}

fn send(group: Option<Pid>, signal: &Sig) {
    let signal = match signal {
        Sig::HUP => Signal::HUP,
        Sig::INT => Signal::INT,
        Sig::KILL => Signal::KILL,
        Sig::QUIT => Signal::QUIT,
        Sig::TERM => Signal::TERM,
        Sig::USR1 => Signal::USR1,
        _ => return,
    };
    if let Some(group) = group {
        // A group that has ended needs no signal.
        let _ = kill_process_group(group, signal);
    }
}

/// Tells how a process ended.
async fn tell(status: ExitStatus, id: ChannelId, handle: &Handle) -> Result<(), ()> {
    let signal = match status.signal() {
        None => {
            let code = status.code().and_then(|code| u32::try_from(code).ok());
            return handle.exit_status_request(id, code.unwrap_or(255)).await;
        }
        Some(1) => Sig::HUP,
        Some(2) => Sig::INT,
        Some(3) => Sig::QUIT,
        Some(9) => Sig::KILL,
        Some(13) => Sig::PIPE,
        Some(15) => Sig::TERM,
        Some(other) => return handle.exit_status_request(id, 128 + other.unsigned_abs()).await,
    };
    handle
        .exit_signal_request(id, signal, status.core_dumped(), String::new(), String::new())
        .await
}
