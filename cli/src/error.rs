//! What goes wrong, as a person sees it: a heading, a sentence and a hint on stderr, and one exit code for each cause.

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use sshmcp_proto::error::{Fault, reason_code};
use sshmcp_proto::v1::Reason;
use tonic::Status;

use crate::output::Output;

/// The connection died under a command whose exit code nobody knows.
pub(crate) const EXIT_LOST: u8 = 89;
/// The wait ended before what it waited for: the command goes on.
pub(crate) const EXIT_STILL_RUNNING: u8 = 90;
/// A network device, which has no exit codes, marked a line as an error.
pub(crate) const EXIT_REPORTED_ERROR: u8 = 91;
/// Wrong usage, as sysexits(3) has it.
pub(crate) const EXIT_USAGE: u8 = 64;
/// Ctrl-C before anything was run: 128 + SIGINT, as shells tell it.
pub(crate) const EXIT_CANCELLED: u8 = 130;

/// Nobody reads our output: 128 + SIGPIPE, as shells tell it.
const EXIT_READER_GONE: u8 = 141;

/// The table of exit codes, for `--help`; a test holds it against `exit_code`.
pub(crate) const EXIT_CODES_HELP: &str = "\
Exit codes (`sshctl exec` exits with the code of the command; these are sshctl's own):
   0  done                          76  connection_lost
  64  invalid_argument, usage       77  permission_denied
  65  host_not_found                78  config_invalid
  66  unreachable                   79  command_not_found
  67  auth_failed                   80  not_found
  68  auth_input_required           81  too_large
  69  daemon_unavailable            82  conflict
  70  internal                      83  limit_reached
  71  host_key_unknown              84  not_supported
  72  host_key_changed              85  version_mismatch
  73  session_not_found             86  denied_by_policy
  74  session_exists                87  approval_required
  75  session_busy                  88  human_has_control
  89  the connection died under the command; its exit code is not known
  90  the wait ended first: the command is still running
  91  the network device marked a line as an error; it has no exit codes, and 0 says only that it marked none
 130  Ctrl-C before anything was run";

/// Why a verb did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A cause that the table knows.
    Fault(Fault),
    /// Nobody reads what we print any more (`sshctl ls | head -1`).
    ReaderGone,
    /// The person pressed Ctrl-C before anything was done.
    Cancelled,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Fault(Fault::from(status))
    }
}

/// Failures of our own stdin, stdout and terminal.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Self::Fault(Fault::new(
            Reason::Internal,
            format!("the terminal or a pipe of sshctl failed: {error}"),
        ))
    }
}

/// Prints a failure, once, and turns it into the exit code.
pub(crate) fn report(failure: Failure, out: &Output) -> ExitCode {
    match failure {
        // As a program dies that has no handler for SIGPIPE, but quietly.
        Failure::ReaderGone => ExitCode::from(EXIT_READER_GONE),
        Failure::Cancelled => ExitCode::from(EXIT_CANCELLED),
        Failure::Fault(fault) => {
            let fault = fault.for_people();
            // A stderr that cannot be written to leaves nobody to tell.
            drop(out.fault(&fault, heading(fault.reason)));
            ExitCode::from(exit_code(fault.reason))
        }
    }
}

/// The exit code of a cause.
pub(crate) const fn exit_code(reason: Reason) -> u8 {
    match reason {
        Reason::InvalidArgument => EXIT_USAGE,
        Reason::HostNotFound => 65,
        Reason::Unreachable => 66,
        Reason::AuthFailed => 67,
        Reason::AuthInputRequired => 68,
        Reason::DaemonUnavailable => 69,
        Reason::Internal | Reason::Unspecified => 70,
        Reason::HostKeyUnknown => 71,
        Reason::HostKeyChanged => 72,
        Reason::SessionNotFound => 73,
        Reason::SessionExists => 74,
        Reason::SessionBusy => 75,
        Reason::ConnectionLost => 76,
        Reason::PermissionDenied => 77,
        Reason::ConfigInvalid => 78,
        Reason::CommandNotFound => 79,
        Reason::NotFound => 80,
        Reason::TooLarge => 81,
        Reason::Conflict => 82,
        Reason::LimitReached => 83,
        Reason::NotSupported => 84,
        Reason::VersionMismatch => 85,
        Reason::DeniedByPolicy => 86,
        Reason::ApprovalRequired => 87,
        Reason::HumanHasControl => 88,
    }
}

/// Two or three words that stand above the sentence.
const fn heading(reason: Reason) -> &'static str {
    match reason {
        Reason::InvalidArgument => "wrong argument",
        Reason::HostNotFound => "no such host",
        Reason::Unreachable => "host unreachable",
        Reason::AuthFailed => "login refused",
        Reason::AuthInputRequired => "login needs a person",
        Reason::DaemonUnavailable => "no daemon",
        Reason::Internal | Reason::Unspecified => "internal fault",
        Reason::HostKeyUnknown => "unknown host key",
        Reason::HostKeyChanged => "HOST KEY CHANGED",
        Reason::SessionNotFound => "no such session",
        Reason::SessionExists => "session exists",
        Reason::SessionBusy => "session busy",
        Reason::ConnectionLost => "connection lost",
        Reason::PermissionDenied => "permission denied",
        Reason::ConfigInvalid => "wrong configuration",
        Reason::CommandNotFound => "no such command",
        Reason::NotFound => "not found",
        Reason::TooLarge => "too large",
        Reason::Conflict => "conflict",
        Reason::LimitReached => "limit reached",
        Reason::NotSupported => "not supported",
        Reason::VersionMismatch => "versions differ",
        Reason::DeniedByPolicy => "denied by policy",
        Reason::ApprovalRequired => "approval required",
        Reason::HumanHasControl => "a person has the keyboard",
    }
}

/// The fault as programs read it.
pub(crate) fn to_json(fault: &Fault) -> serde_json::Value {
    let Fault {
        reason,
        message,
        hint,
        retryable,
    } = fault;
    serde_json::json!({"error": {
        "code": reason_code(*reason), "message": message, "hint": hint, "retryable": retryable,
        "exit_code": exit_code(*reason),
    }})
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Every cause has a code of its own, and the help says which.
    #[test]
    fn every_reason_has_its_own_documented_code() {
        let mut seen = HashSet::from([EXIT_LOST, EXIT_STILL_RUNNING, EXIT_REPORTED_ERROR, EXIT_CANCELLED]);
        for number in 1..=25 {
            let reason = Reason::try_from(number).expect("reasons are numbered without a gap");
            let code = exit_code(reason);
            assert!((64..=88).contains(&code), "{reason:?} has {code}");
            assert!(seen.insert(code), "{code} is used twice");
            let entry = format!("{code}  {}", reason_code(reason));
            assert!(EXIT_CODES_HELP.contains(&entry), "the help lacks {entry:?}");
        }
        assert!(
            Reason::try_from(26).is_err(),
            "a new reason needs a code and a line in the help"
        );
    }

    /// A reader that went away is no error to talk about; any other trouble with a pipe is.
    #[test]
    fn broken_pipe_is_quiet() {
        assert!(matches!(
            Failure::from(io::Error::from(ErrorKind::BrokenPipe)),
            Failure::ReaderGone
        ));
        assert!(matches!(
            Failure::from(io::Error::from(ErrorKind::Other)),
            Failure::Fault(_)
        ));
    }
}
