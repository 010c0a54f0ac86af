//! The daemon's own log: to a file a day in the state directory, and to stderr where somebody reads it. What is logged
//! is said by `SSHMCP_LOG`; the sessions' transcripts are not here.

use std::{env, panic, path::Path};

use sshmcp_proto::{
    endpoint::{LOG_VARIABLE, private_directory, private_state},
    error::Fault,
    v1::Reason,
};
use tracing_appender::{
    non_blocking::{NonBlockingBuilder, WorkerGuard},
    rolling::{RollingFileAppender, Rotation},
};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// What is logged where `SSHMCP_LOG` says nothing: our own steps, and of the libraries only what went wrong.
const DEFAULT_FILTER: &str = "warn,sshmcpd=info";

/// Days that are kept.
const KEPT_FILES: usize = 7;

/// Lines that wait for the disk; more are lost. Several seconds of the busiest log; the queue's memory is taken at once, and
/// the library's 128,000 lines are 4 MB.
const WAITING_LINES: usize = 8_192;

/// Not `logs`: there every name belongs to a session.
const DIRECTORY: &str = "daemon";

/// Keeps the writers alive; what is still queued is written when it is dropped.
#[must_use = "the log ends when this is dropped"]
pub struct Log {
    _writers: Vec<WorkerGuard>,
    /// Why there is no file.
    pub problem: Option<String>,
}

/// Starts logging. Writers never block a task: a terminal that is stopped or a disk that is slow loses lines instead. A
/// disk that is full or read-only costs the file alone; a state directory that is not safe is a fault.
pub fn start(state: &Path, stderr: bool) -> Result<Log, Fault> {
    private_directory(state)?;
    let (file, problem) = match open(state) {
        Ok(file) => (Some(file), None),
        Err(cause) => (None, Some(format!("the daemon's log is not written: {cause}"))),
    };
    let mut writers = Vec::new();
    let file = file.map(|file| {
        let (writer, guard) = queue().finish(file);
        writers.push(guard);
        fmt::layer().with_ansi(false).with_writer(writer)
    });
    let stderr = stderr.then(|| {
        let (writer, guard) = queue().finish(std::io::stderr());
        writers.push(guard);
        fmt::layer().with_ansi(false).with_writer(writer)
    });
    let (filter, complaint) = filter(env::var(LOG_VARIABLE).ok().as_deref());
    tracing_subscriber::registry()
        .with(filter)
        .with(file)
        .with(stderr)
        .try_init()
        .map_err(|error| Fault::new(Reason::Internal, format!("the log was started twice: {error}")))?;
    if let Some(complaint) = complaint {
        tracing::warn!("{LOG_VARIABLE} is not understood and is ignored: {complaint}");
    }
    if let Some(problem) = &problem {
        tracing::warn!("{problem}");
    }
    log_panics();
    Ok(Log {
        _writers: writers,
        problem,
    })
}

/// Between who logs and the disk.
fn queue() -> NonBlockingBuilder {
    NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES)
}

/// Opens the file of the day, or says why there is none.
fn open(state: &Path) -> Result<RollingFileAppender, String> {
    let directory = private_state(state, DIRECTORY).map_err(|fault| fault.message)?;
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("sshmcpd")
        .filename_suffix("log")
        .max_log_files(KEPT_FILES)
        .build(&directory)
        .map_err(|error| {
            let directory = directory.display();
            // The library tells the cause apart from what it was doing.
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            format!("{directory}: {error}{}", cause.unwrap_or_default())
        })
}

/// The filter that a user named; the default and a complaint if it is none.
fn filter(named: Option<&str>) -> (EnvFilter, Option<String>) {
    let named = named.map(str::trim).filter(|named| !named.is_empty());
    match named.map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(DEFAULT_FILTER), Some(error.to_string())),
        None => (EnvFilter::new(DEFAULT_FILTER), None),
    }
}

/// A panic ends one task; it must leave a trace even where there is no stderr.
fn log_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        // The payload may quote data from outside, so it is shown quoted.
        let payload = info.payload();
        let what = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a payload that is no text");
        tracing::error!(place, what = ?what, "a task panicked");
        before(info);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A filter that cannot be read never keeps the daemon from starting.
    #[test]
    fn bad_filters_are_ignored() {
        for good in ["debug", "info,russh=debug", " warn "] {
            assert_eq!(filter(Some(good)).1, None, "{good}");
        }
        assert_eq!(filter(Some("")).0.to_string(), filter(None).0.to_string());
        let (filter, complaint) = filter(Some("=,,=[{{"));
        assert!(complaint.is_some());
        assert!(filter.to_string().contains("sshmcpd=info"), "{filter}");
    }
}
