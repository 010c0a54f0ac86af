//! Reads a file or a piece of it. How long a file is nobody says for sure: what the host announces is a guess that saves
//! time, and its end is where nothing more comes.

use futures::{StreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use sshmcp_proto::error::Fault;

use super::{
    open::{Access, open},
    packet::{Attributes, Kind, flags, status},
    path,
    sftp::{Handle, Sftp, Trouble},
    words,
};

/// Most that one call reads.
pub const READ_MAX: u64 = 2 << 20; // 2 MiB
/// Read in one request: what every server gives at once.
const PIECE: u64 = 32 << 10; // 32 KiB
/// Requests at a time: a MiB on its way fills a slow link, and the channel's window.
const AT_A_TIME: usize = 32;

/// What to read.
pub struct Reading {
    /// The path as it was written.
    pub path: String,
    /// The first byte.
    pub offset: u64,
    /// Bytes at most; at most `READ_MAX` of them.
    pub limit: u64,
}

/// What was read.
pub struct Read {
    /// The path from the host's root on.
    pub path: Vec<u8>,
    /// The bytes.
    pub data: Vec<u8>,
    /// Nothing follows.
    pub eof: bool,
    /// Of the whole file, if that was read.
    pub digest: Option<[u8; 32]>,
    /// Bytes that the host says it has.
    pub size: u64,
    /// Permission bits.
    pub mode: Option<u32>,
    /// User and group.
    pub owner: Option<(u32, u32)>,
    /// Written last, seconds since the Unix epoch.
    pub modified: Option<u32>,
}

/// Reads it.
pub async fn read(access: &Access, reading: &Reading) -> Result<Read, Fault> {
    let Reading { path, offset, limit } = reading;
    let sftp = open(access).await?;
    let path = path::absolute(&sftp, path).await?;
    let told = |trouble| words::fault(trouble, "read", &path);
    let there = match sftp.stat(&path).await {
        Ok(there) => there,
        Err(trouble) => return Err(unfound(&sftp, trouble, &path).await),
    };
    words::regular(&there, &path)?;
    let handle = sftp.open(&path, flags::READ, None).await.map_err(told)?;
    let there = sftp.fstat(&handle).await.unwrap_or(there);
    let size = there.size.unwrap_or_default();
    let limit = (*limit).min(READ_MAX);
    let (data, mut eof) = match piece(&sftp, &handle, *offset, limit, size).await {
        // So far behind the end that the host cannot even look there.
        Err(Trouble::Refused(code, _))
            if *offset > 0 && *offset >= size && (size > 0 || code == status::BAD_MESSAGE) =>
        {
            (Vec::new(), true)
        }
        read => read.map_err(told)?,
    };
    let end = offset.saturating_add(length(&data));
    if !eof && size <= end {
        // Nobody knows yet.
        eof = sftp.read(&handle, end, 1).await.map_err(told)?.is_none();
    }
    let digest = (*offset == 0 && eof).then(|| Sha256::digest(&data).into());
    let Attributes { owner, times, .. } = there;
    Ok(Read {
        mode: there.permissions(),
        path,
        data,
        eof,
        digest,
        size,
        owner,
        modified: times.map(|(_, written)| written),
    })
}

/// A server that follows links says of those that lead nowhere that they are not there.
async fn unfound(sftp: &Sftp, trouble: Trouble, path: &[u8]) -> Fault {
    let is_missing = matches!(trouble, Trouble::Refused(status::NO_SUCH_FILE, _));
    let fault = words::fault(trouble, "read", path);
    if !is_missing || !matches!(sftp.lstat(path).await, Ok(there) if there.kind() == Kind::Link) {
        return fault;
    }
    match path::followed(sftp, path.to_vec()).await {
        Ok((end, None)) => Fault {
            message: format!(
                "{} is a link to {}, which is not there",
                words::shown(path),
                words::shown(&end)
            ),
            ..fault
        },
        Ok((_, Some(_))) => fault,
        Err(endless) => endless,
    }
}

/// At most `limit` bytes from an offset of a file that may have `size`; true if it ends with them.
async fn piece(
    sftp: &Sftp,
    handle: &Handle,
    offset: u64,
    limit: u64,
    size: u64,
) -> Result<(Vec<u8>, bool), Trouble> {
    let mut data = Vec::new();
    let likely = limit.min(size.saturating_sub(offset));
    let starts = (0..likely).step_by(usize::try_from(PIECE).unwrap_or(1));
    let mut pieces = stream::iter(starts)
        .map(|at| full(sftp, handle, offset.saturating_add(at), PIECE.min(likely - at)))
        .buffered(AT_A_TIME);
    while let Some(piece) = pieces.next().await {
        let (bytes, ended) = piece?;
        data.extend_from_slice(&bytes);
        if ended {
            return Ok((data, true));
        }
    }
    drop(pieces);
    // What is longer than it said, as everything in /proc.
    while length(&data) < limit {
        let left = limit.saturating_sub(length(&data));
        let at = offset.saturating_add(length(&data));
        let (bytes, ended) = full(sftp, handle, at, left.min(PIECE)).await?;
        data.extend_from_slice(&bytes);
        if ended {
            return Ok((data, true));
        }
    }
    Ok((data, false))
}

/// Exactly so many bytes from there, however few come at once; fewer, and true, at the end of the file.
async fn full(sftp: &Sftp, handle: &Handle, offset: u64, size: u64) -> Result<(Vec<u8>, bool), Trouble> {
    let mut data = Vec::new();
    loop {
        let left = size.saturating_sub(length(&data));
        let Some(wanted) = u32::try_from(left).ok().filter(|left| *left > 0) else {
            return Ok((data, false));
        };
        match sftp
            .read(handle, offset.saturating_add(length(&data)), wanted)
            .await?
        {
            Some(bytes) => data.extend_from_slice(&bytes),
            None => return Ok((data, true)),
        }
    }
}

/// The whole file, if it has at most so many bytes; none if it has more.
pub(super) async fn whole(
    sftp: &Sftp,
    path: &[u8],
    size: u64,
    limit: u64,
) -> Result<Option<Vec<u8>>, Trouble> {
    let handle = sftp.open(path, flags::READ, None).await?;
    let (data, eof) = piece(sftp, &handle, 0, limit.saturating_add(1), size).await?;
    sftp.close(&handle).await?;
    Ok((eof || length(&data) <= limit).then_some(data))
}

/// SHA-256 of the whole file, of which no more than a piece is held.
pub(super) async fn digest(sftp: &Sftp, path: &[u8], size: u64) -> Result<[u8; 32], Trouble> {
    let handle = sftp.open(path, flags::READ, None).await?;
    let mut digest = Sha256::new();
    let mut at = 0;
    loop {
        let (data, eof) = piece(sftp, &handle, at, READ_MAX, size).await?;
        digest.update(&data);
        at = at.saturating_add(length(&data));
        if eof {
            break;
        }
    }
    sftp.close(&handle).await?;
    Ok(digest.finalize().into())
}

/// Bytes, as offsets count them.
pub(super) fn length(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}
