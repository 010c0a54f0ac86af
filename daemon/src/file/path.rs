//! What a path as somebody writes it means on a host: `~`, the home, and the links at its end. Names are bytes; they are
//! compared with nothing and made no shorter, for `..` behind a link is the host's matter.

use sshmcp_proto::{error::Fault, v1::Reason};

use super::{
    packet::{Attributes, Kind, status},
    sftp::{Sftp, Trouble},
    words::{self, shown},
};

/// As many links as kernels follow.
const LINKS_MAX: usize = 40;
/// Longest path that kernels take is 4,096 bytes.
const PATH_MAX: usize = 4096;

/// The path from the host's root on.
pub(super) async fn absolute(sftp: &Sftp, path: &str) -> Result<Vec<u8>, Fault> {
    if path.is_empty() || path.contains('\0') || path.len() > PATH_MAX {
        return Err(Fault::new(
            Reason::InvalidArgument,
            "`path` is empty, has a NUL character, or has more than 4,096 bytes",
        )
        .hint("give the file's path on the host"));
    }
    if path.starts_with('/') {
        return Ok(path.as_bytes().to_vec());
    }
    match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            let home = home(sftp).await?;
            Ok(join(&home, rest.trim_start_matches('/').as_bytes()))
        }
        Some(_) if sftp.offers.expand_path => {
            let expanded = sftp.expand_path(path.as_bytes()).await;
            expanded.map_err(|trouble| words::fault(trouble, "expand", path.as_bytes()))
        }
        Some(_) => Err(Fault::new(
            Reason::NotSupported,
            format!(
                "the host's SFTP server does not tell whose home {:?} is",
                shown(path.as_bytes())
            ),
        )
        .hint(
            "give the path from / on (`getent passwd NAME` tells a home), or ./~NAME for a file of that name",
        )),
        None => Ok(join(&home(sftp).await?, path.as_bytes())),
    }
}

async fn home(sftp: &Sftp) -> Result<Vec<u8>, Fault> {
    let home = sftp.realpath(b".").await;
    home.map_err(|trouble| words::fault(trouble, "tell the place of", b"the home"))
}

/// The end of a chain of links, and what is there; none: nothing is.
pub(super) async fn followed(sftp: &Sftp, path: Vec<u8>) -> Result<(Vec<u8>, Option<Attributes>), Fault> {
    let mut path = path;
    for _ in 0..LINKS_MAX {
        let there = match sftp.lstat(&path).await {
            Ok(there) => there,
            Err(Trouble::Refused(status::NO_SUCH_FILE, _)) => return Ok((path, None)),
            Err(trouble) => return Err(words::fault(trouble, "look at", &path)),
        };
        if there.kind() != Kind::Link {
            return Ok((path, Some(there)));
        }
        let target = sftp
            .readlink(&path)
            .await
            .map_err(|trouble| words::fault(trouble, "follow the link", &path))?;
        path = join(parent(&path), &target);
    }
    Err(Fault::new(
        Reason::InvalidArgument,
        format!("{} is a link that leads to no end", shown(&path)),
    )
    .hint("look at it with execute_command: ls -l"))
}

/// The directory that a path is in.
pub(super) fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(0) => b"/",
        Some(at) => path.split_at(at).0,
        None => b".",
    }
}

/// What a path is called in that directory.
pub(super) fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// A path from a directory on.
pub(super) fn join(directory: &[u8], path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") {
        return path.to_vec();
    }
    let mut joined = directory.to_vec();
    if !path.is_empty() {
        if !joined.ends_with(b"/") {
            joined.push(b'/');
        }
        joined.extend_from_slice(path);
    }
    joined
}

/// The directories above a path, the uppermost first, without the root.
pub(super) fn above(path: &[u8]) -> Vec<&[u8]> {
    let ends = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
    ends.map(|(at, _)| path.split_at(at).0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths are put together as the host would.
    #[test]
    fn paths() {
        for (directory, path, joined) in [
            ("/home/u", "a/b", "/home/u/a/b"),
            ("/", "a", "/a"),
            ("/home/u", "", "/home/u"),
            ("/home/u", "/etc/x", "/etc/x"),
            ("/home/u", "../x", "/home/u/../x"),
        ] {
            assert_eq!(join(directory.as_bytes(), path.as_bytes()), joined.as_bytes());
        }
        for (path, directory) in [("/a", "/"), ("/a/b", "/a"), ("a", "."), ("/a/b/", "/a/b")] {
            assert_eq!(parent(path.as_bytes()), directory.as_bytes());
        }
        assert_eq!(above(b"/a/bc/d"), [&b"/a"[..], b"/a/bc"]);
        assert!(above(b"/a").is_empty());
    }
}
