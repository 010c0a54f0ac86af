//! `Fault`, the one error that crosses the wire, and its way into and out of a `tonic::Status`.

use prost::Message;
use tonic::{Code, Status};

use crate::{
    advice,
    v1::{ErrorDetail, Reason},
};

/// What happened, why in a form to branch on, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The cause.
    pub reason: Reason,
    /// One sentence of what happened.
    pub message: String,
    /// One sentence of what to do next; empty if no more is known than by the cause (`advice`).
    pub hint: String,
    /// True if the same call may succeed later without anything being changed.
    pub retryable: bool,
}

impl Fault {
    /// A fault without a hint that is not worth retrying.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            hint: String::new(),
            retryable: false,
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Says that the same call may succeed later.
    #[must_use]
    pub const fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// What to do next, never nothing.
    pub fn advice(&self) -> &str {
        if self.hint.is_empty() {
            advice::next_step(self.reason)
        } else {
            &self.hint
        }
    }

    /// The same for a person, who has `sshctl` and no tools.
    #[must_use]
    pub fn for_people(mut self) -> Self {
        let words = |words: &str| {
            let words = advice::for_people(words);
            if self.reason == Reason::ConfigInvalid {
                words
            } else {
                advice::in_flags(&words)
            }
        };
        (self.hint, self.message) = (words(self.advice()), words(&self.message));
        self
    }

    /// The cause as tools and the command line print it: `session_busy`.
    pub fn code(&self) -> String {
        reason_code(self.reason)
    }
}

/// A cause in the form that users see: `REASON_SESSION_BUSY` is `session_busy`.
pub fn reason_code(reason: Reason) -> String {
    reason
        .as_str_name()
        .trim_start_matches("REASON_")
        .to_ascii_lowercase()
}

/// `google.rpc.Status`, the form in which gRPC tools expect details.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<RpcAny>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct RpcAny {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

const TYPE_URL: &str = "type.googleapis.com/sshmcp.v1.ErrorDetail";

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let code = grpc_code(fault.reason);
        let detail = ErrorDetail {
            reason: fault.reason.into(),
            message: fault.message.clone(),
            hint: fault.hint,
            retryable: fault.retryable,
        };
        let status = RpcStatus {
            code: code as i32,
            message: fault.message.clone(),
            details: vec![RpcAny {
                type_url: TYPE_URL.to_owned(),
                value: detail.encode_to_vec(),
            }],
        };
        Self::with_details(code, fault.message, status.encode_to_vec().into())
    }
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        let detail = RpcStatus::decode(status.details()).ok().and_then(|rpc| {
            rpc.details
                .into_iter()
                .find(|any| any.type_url == TYPE_URL)
                .and_then(|any| ErrorDetail::decode(any.value.as_slice()).ok())
        });
        if let Some(detail) = detail {
            return Self {
                reason: detail.reason(),
                message: detail.message,
                hint: detail.hint,
                retryable: detail.retryable,
            };
        }
        // A status with a cause was made on this side, where the transport broke; the daemon's carry none over the wire.
        let broken = std::error::Error::source(&status).is_some();
        match status.code() {
            _ if broken => Self::new(
                Reason::DaemonUnavailable,
                "the connection to the daemon broke".to_owned(),
            )
            .hint("look at `sshctl daemon status`; what was running may go on")
            .retryable(),
            Code::Unavailable | Code::Cancelled => Self::new(
                Reason::DaemonUnavailable,
                format!("the connection to the daemon ended: {}", status.message()),
            )
            .hint("look at `sshctl daemon status`; what was running goes on")
            .retryable(),
            Code::Unimplemented => Self::new(
                Reason::VersionMismatch,
                "the daemon does not know this call".to_owned(),
            )
            .hint("run `sshctl daemon restart` so that client and daemon are of one version"),
            Code::OutOfRange | Code::ResourceExhausted => {
                Self::new(Reason::TooLarge, status.message().to_owned())
            }
            _ => Self::new(Reason::Internal, status.message().to_owned()),
        }
    }
}

/// The gRPC code nearest to a reason; clients of ours branch on the reason only.
const fn grpc_code(reason: Reason) -> Code {
    match reason {
        Reason::InvalidArgument | Reason::ConfigInvalid => Code::InvalidArgument,
        Reason::HostNotFound | Reason::SessionNotFound | Reason::CommandNotFound | Reason::NotFound => {
            Code::NotFound
        }
        Reason::Unreachable | Reason::ConnectionLost | Reason::DaemonUnavailable => Code::Unavailable,
        Reason::AuthFailed | Reason::AuthInputRequired => Code::Unauthenticated,
        Reason::HostKeyUnknown
        | Reason::HostKeyChanged
        | Reason::SessionBusy
        | Reason::HumanHasControl
        | Reason::ApprovalRequired
        | Reason::VersionMismatch => Code::FailedPrecondition,
        Reason::SessionExists | Reason::Conflict => Code::AlreadyExists,
        Reason::DeniedByPolicy | Reason::PermissionDenied => Code::PermissionDenied,
        Reason::NotSupported => Code::Unimplemented,
        Reason::TooLarge => Code::OutOfRange,
        Reason::LimitReached => Code::ResourceExhausted,
        Reason::Internal | Reason::Unspecified => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reason survives the wire whole.
    #[test]
    fn fault_survives_the_wire() {
        for number in 1..=25 {
            let reason = Reason::try_from(number).expect("reasons are numbered without a gap");
            let fault = Fault::new(reason, "it failed").hint("do this").retryable();
            assert_eq!(Fault::from(Status::from(fault.clone())), fault);
        }
    }

    /// A call that the loss of the daemon cut off says so, whatever code the transport chose.
    #[test]
    fn broken_transport_is_daemon_unavailable() {
        let cause = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let fault = Fault::from(Status::from_error(Box::new(cause)));
        assert_eq!(fault.reason, Reason::DaemonUnavailable);
        assert!(fault.retryable);
    }

    /// What users see is the contract's spelling.
    #[test]
    fn codes_are_snake_case() {
        assert_eq!(reason_code(Reason::HostKeyUnknown), "host_key_unknown");
    }
}
