//! What a refusal of an SFTP server means, in words with the path in them. Decides nothing.

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{
    packet::{Attributes, Kind, Space, status},
    sftp::Trouble,
};
use crate::connection::plain;

/// A path as a person can read it, on one line.
pub(super) fn shown(path: &[u8]) -> String {
    plain(&String::from_utf8_lossy(path))
}

/// The fault of something that was to be done with a path.
pub(super) fn fault(trouble: Trouble, doing: &str, path: &[u8]) -> Fault {
    let (code, said) = match trouble {
        Trouble::Gone(fault) => return fault,
        Trouble::Refused(code, said) => (code, said),
    };
    let path = shown(path);
    match code {
        status::NO_SUCH_FILE => Fault::new(Reason::NotFound, format!("{path} is not there"))
            .hint("look with execute_command (ls -la); a path that does not begin with / is taken from the login's home"),
        status::PERMISSION_DENIED => {
            Fault::new(Reason::PermissionDenied, format!("the host does not let the login {doing} {path}"))
                .hint("`sudo`: true does it as root, where the login may use sudo")
        }
        status::UNSUPPORTED => Fault::new(
            Reason::NotSupported,
            format!("the host's SFTP server cannot {doing} {path}"),
        )
        .hint("use execute_command"),
        status::BAD_MESSAGE => Fault::new(
            Reason::InvalidArgument,
            format!("the host takes no such name: it could not {doing} {path}"),
        )
        .hint("names of files have 255 bytes at most"),
        _ => Fault::new(
            Reason::PermissionDenied,
            format!("the host failed to {doing} {path}, and says no more than {said:?}"),
        )
        .hint("try it with execute_command to see the cause"),
    }
}

/// The same, where a file system's state may be the cause of a refusal without one; `wanted` bytes were to be written.
pub(super) fn unwritten(
    trouble: Trouble,
    doing: &str,
    path: &[u8],
    space: Option<Space>,
    wanted: u64,
) -> Fault {
    let Some(space) = space else {
        return fault(trouble, doing, path);
    };
    let path_shown = shown(path);
    if matches!(trouble, Trouble::Gone(_)) {
        return fault(trouble, doing, path);
    }
    if space.is_read_only {
        return Fault::new(
            Reason::PermissionDenied,
            format!("could not {doing} {path_shown}: its file system is read-only"),
        )
        .hint("write somewhere else, or ask the host's owner");
    }
    if space.free < wanted || space.files == 0 {
        return Fault::new(
            Reason::LimitReached,
            format!(
                "could not {doing} {path_shown}: no space left on its file system ({} bytes, {} files)",
                space.free, space.files
            ),
        )
        .hint("make room there (df -h, du), or write somewhere else");
    }
    fault(trouble, doing, path)
}

/// Refuses what has no content of its own, before it is opened: a FIFO would never be, and a device may do anything.
pub(super) fn regular(there: &Attributes, path: &[u8]) -> Result<(), Fault> {
    let path = shown(path);
    match there.kind() {
        Kind::Regular | Kind::Unknown => Ok(()),
        Kind::Directory => Err(
            Fault::new(Reason::InvalidArgument, format!("{path} is a directory"))
                .hint("name a file in it; `ls -la` with execute_command lists them"),
        ),
        Kind::Link => Err(Fault::new(
            Reason::InvalidArgument,
            format!("{path} is a link that leads to no file"),
        )
        .hint("look at it with execute_command: ls -l")),
        Kind::Other(what) => Err(Fault::new(
            Reason::NotSupported,
            format!("{path} is {what}, no regular file; it was not opened"),
        )
        .hint("use execute_command for it, with a bound (head -c, timeout)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u32) -> Trouble {
        Trouble::Refused(code, "Failure".into())
    }

    /// A refusal without a cause gets the one that the file system shows.
    #[test]
    fn causes() {
        let space = |free, files, is_read_only| {
            Some(Space {
                free,
                files,
                is_read_only,
            })
        };
        for (space, reason, word) in [
            (space(10, 5, false), Reason::LimitReached, "no space left"),
            (space(1000, 0, false), Reason::LimitReached, "no space left"),
            (space(1000, 5, true), Reason::PermissionDenied, "read-only"),
            (space(1000, 5, false), Reason::PermissionDenied, "\"Failure\""),
            (None, Reason::PermissionDenied, "\"Failure\""),
        ] {
            let fault = unwritten(refused(4), "write", b"/a", space, 100);
            assert_eq!(fault.reason, reason, "{fault}");
            assert!(
                fault.message.contains(word) && fault.message.contains("/a"),
                "{fault}"
            );
        }
    }

    /// What is not opened.
    #[test]
    fn kinds() {
        let of = |mode| regular(&Attributes::of_mode(mode), b"/x").map_err(|fault| fault.reason);
        assert_eq!(of(0o100_644), Ok(()));
        assert_eq!(of(0o644), Ok(()));
        assert_eq!(of(0o040_755), Err(Reason::InvalidArgument));
        assert_eq!(of(0o010_644), Err(Reason::NotSupported));
        assert_eq!(of(0o020_644), Err(Reason::NotSupported));
    }
}
