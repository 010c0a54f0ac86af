//! What runs in the pane of a local tmux: OpenSSH's client, as a child of ours that is never a shell. When that ends, it is
//! kept how, exactly, for whoever comes back; and the pane says so.

use std::{
    ffi::OsString,
    fs,
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitCode, ExitStatus, Stdio},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use super::{check_master, files};

/// The pane stays so long, for whoever reads it still.
const LINGER: Duration = Duration::from_secs(20);
/// Where OpenSSH's client ends with this code, it may be the shell's or its own.
const OWN_CODE: i32 = 255;

/// How the client in a pane ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The shell's exit code; none: the client ended without one.
    pub code: Option<i32>,
    /// What the client did, in words.
    pub words: String,
}

/// Runs the program, with its arguments, in the pane of the session with this directory; returns when all is told.
pub fn run(directory: &Path, command: &[OsString]) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.and_then(|runtime| runtime.block_on(watch(directory, command)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A person may see it.
            let _unread = writeln!(
                std::io::stderr(),
                "sshmcpd: the pane's program did not run: {error}\r"
            );
            ExitCode::FAILURE
        }
    }
}

async fn watch(directory: &Path, command: &[OsString]) -> std::io::Result<()> {
    // Keys that make signals are the client's; it begins with these signals as they come by default.
    let mut kinds = [
        SignalKind::interrupt(),
        SignalKind::quit(),
        SignalKind::terminate(),
    ]
    .map(signal);
    for kind in &mut kinds {
        if let Err(error) = kind {
            return Err(std::io::Error::other(error.to_string()));
        }
    }
    let mut hangup = signal(SignalKind::hangup())?;
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| std::io::Error::other("there is none"))?;
    let nonce = fs::read_to_string(directory.join(files::NONCE))?;
    let status = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .env_remove("TMUX")
        .env_remove("TMUX_PANE")
        .stdin(Stdio::inherit())
        .status()
        .await;
    let ended = judge(directory, program, status).await;
    let mark = ended
        .code
        .map_or_else(|| "G;".to_owned(), |code| format!("X;{code}"));
    if let Ok(text) = serde_json::to_vec(&ended) {
        // A directory that is gone was closed.
        let _gone = files::put(directory, files::EXIT, &text);
    }
    let mut out = std::io::stdout();
    let _unread = write!(out, "\x1b]6973;{nonce};{mark}\x07").and_then(|()| out.flush());
    tokio::select! {
        () = sleep(LINGER) => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

async fn judge(directory: &Path, program: &OsString, status: std::io::Result<ExitStatus>) -> Ended {
    let lost = |words: String| Ended { code: None, words };
    let status = match status {
        Ok(status) => status,
        Err(error) => return lost(format!("ssh did not run: {error}")),
    };
    match (status.code(), status.signal()) {
        (Some(OWN_CODE), _) if !check_master(Path::new(program), directory).await => {
            lost("ssh ended with code 255".to_owned())
        }
        (Some(code), _) => Ended {
            code: Some(code),
            words: format!("ssh ended with code {code}"),
        },
        (None, signal) => lost(format!("ssh was ended by signal {}", signal.unwrap_or_default())),
    }
}
