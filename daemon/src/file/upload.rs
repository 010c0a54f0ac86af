//! A file of any size, piece by piece as it comes. As with `replace`, it goes into a file beside the one that is meant and gets
//! its name at the end; what breaks off before leaves all as it was. Where that cannot be, it is written in place, and the
//! result says so: half of it may be there then, as no old content of that size is held.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use sshmcp_proto::{error::Fault, v1::Reason};

use super::{
    open::{Access, open},
    packet::{Attributes, flags},
    read::length,
    replace::{self, Beside, GRACE, NO_DIRECTORY, NO_NAME, NO_RENAME, No, PRIVATE},
    sftp::{Handle, Sftp, Trouble},
    turn::Turns,
    words,
    write::{File, Left, Place, Written, exists, place, put},
};

/// For each of the requests that are under way; the longest that a call waits elsewhere.
const PATIENCE: Duration = Duration::from_secs(50);
/// Read in one request, where a file is copied on the host: what every server gives.
const PIECE: u32 = 32 << 10; // 32 KiB

/// What to upload.
pub struct Upload {
    /// The path as it was written.
    pub path: String,
    /// Permission bits of a file that is made.
    pub permissions: Option<u32>,
}

/// What comes.
pub enum Part {
    /// The next bytes.
    Data(Bytes),
    /// There were so many.
    End(u64),
}

/// Where the bytes go while they come.
enum Way<'f> {
    Beside(Beside<'f>),
    InPlace(Handle, &'static str),
}

/// Uploads it. To be run to its end, as `write`.
pub async fn upload<S>(access: Access, turns: &Turns, upload: Upload, parts: S) -> Result<Written, Fault>
where
    S: Stream<Item = Result<Part, Fault>> + Unpin,
{
    let left = Left::default();
    let written = attempt(&access, turns, upload, parts, &left).await;
    left.tidy_up(access);
    written
}

async fn attempt<S>(
    access: &Access,
    turns: &Turns,
    upload: Upload,
    parts: S,
    left: &Left,
) -> Result<Written, Fault>
where
    S: Stream<Item = Result<Part, Fault>> + Unpin,
{
    let sftp = open(access).await?;
    let Place {
        path,
        there,
        turn: _turn,
    } = place(&sftp, access, turns, &upload.path).await?;
    let file = File {
        sftp: &sftp,
        path: &path,
        expected: None,
        permissions: upload.permissions,
        left,
    };
    let (way, mode) = match &there {
        Some(there) => {
            words::regular(there, &path)?;
            replace::may_be_written(&file).await?;
            over(&file, there).await?
        }
        None => anew(&file).await?,
    };
    let written = match way {
        Way::Beside(beside) => {
            let came = come(&sftp, &beside.handle, parts).await;
            let came = match came {
                Ok(came) => came,
                Err(Broken::Here(fault)) => return Err(beside.given_up(fault).await),
                Err(Broken::There(trouble, size)) => return Err(beside.failed(trouble, size).await),
            };
            named(&file, &beside, there.as_ref(), mode, came).await?
        }
        Way::InPlace(handle, why) => match in_place(&file, &handle, parts).await {
            Ok(came) => came.written(mode, replace::notice(why)),
            Err(fault) => {
                let message = format!("{}; it may be half-written: copy it again", fault.message);
                return Err(Fault { message, ..fault });
            }
        },
    };
    Ok(Written {
        path: path.clone(),
        created: there.is_none(),
        ..written
    })
}

/// The way to a file that is there.
async fn over<'f>(file: &'f File<'f>, there: &Attributes) -> Result<(Way<'f>, Option<u32>), Fault> {
    let mode = there.permissions();
    let why = if file.sftp.offers.posix_rename {
        match Beside::make(file, PRIVATE).await {
            Ok(beside) => match beside.dress(there.owner, mode, 0).await {
                Ok(_) => return Ok((Way::Beside(beside), mode)),
                Err(No::Failed(fault)) => return Err(fault),
                Err(No::InPlace(why)) => {
                    beside.remove().await;
                    why
                }
            },
            Err(Trouble::Gone(fault)) => return Err(fault),
            Err(Trouble::Refused(..)) => NO_DIRECTORY,
        }
    } else {
        NO_RENAME
    };
    let handle = file.sftp.open(file.path, flags::WRITE, None).await;
    let handle = handle.map_err(|trouble| words::fault(trouble, "write", file.path))?;
    Ok((Way::InPlace(handle, why), mode))
}

/// The way to a file that is not.
async fn anew<'f>(file: &'f File<'f>) -> Result<(Way<'f>, Option<u32>), Fault> {
    // What the host's umask leaves of it, as for every program; unless it is said.
    let beside = match Beside::make(file, file.permissions.map_or(0o666, |_| PRIVATE)).await {
        Ok(beside) => beside,
        Err(trouble) => return Err(replace::unmade(file, trouble, 0).await),
    };
    match beside.dress(None, file.permissions, 0).await {
        Ok(mode) => Ok((Way::Beside(beside), mode)),
        Err(No::Failed(fault)) => Err(fault),
        // A file system without permissions.
        Err(No::InPlace(_)) => Ok((Way::Beside(beside), None)),
    }
}

/// Gives what is complete its name.
async fn named(
    file: &File<'_>,
    beside: &Beside<'_>,
    there: Option<&Attributes>,
    mode: Option<u32>,
    came: Came,
) -> Result<Written, Fault> {
    let sftp = file.sftp;
    // What is written loses some bits.
    if let Some(mode) = mode.filter(|mode| mode & 0o7000 != 0) {
        let again = sftp.fsetstat(&beside.handle, Attributes::of_mode(mode)).await;
        if let Err(trouble) = again {
            return Err(beside.failed(trouble, came.size).await);
        }
    }
    beside.settle(came.size).await?;
    sftp.give_time(PATIENCE);
    let renamed = if sftp.offers.posix_rename {
        sftp.replace(&beside.path, file.path).await
    } else {
        sftp.rename(&beside.path, file.path).await
    };
    match renamed {
        Ok(()) => Ok(came.written(mode, String::new())),
        Err(Trouble::Gone(fault)) => Err(beside.unknown(fault).await),
        Err(Trouble::Refused(..)) => {
            if there.is_none() && sftp.lstat(file.path).await.is_ok() {
                beside.remove().await;
                return Err(exists(file.path));
            }
            let copied = copied(file, beside, came.size).await;
            beside.remove().await;
            match copied {
                Ok(()) => Ok(came.written(mode, replace::notice(NO_NAME))),
                Err(trouble) => {
                    let fault = file.unwritten(trouble, came.size).await;
                    let message = format!("{}; it may be half-written: copy it again", fault.message);
                    Err(Fault { message, ..fault })
                }
            }
        }
    }
}

/// Has what is beside it in its place, piece by piece.
async fn copied(file: &File<'_>, beside: &Beside<'_>, size: u64) -> Result<(), Trouble> {
    let sftp = file.sftp;
    let from = sftp.open(&beside.path, flags::READ, None).await?;
    let to = sftp.open(file.path, flags::WRITE | flags::CREATE, None).await?;
    let mut at = 0;
    loop {
        sftp.give_time(PATIENCE);
        let Some(data) = sftp.read(&from, at, PIECE).await? else {
            break;
        };
        sftp.write(&to, at, &data).await?;
        at = at.saturating_add(length(&data));
    }
    ended(sftp, &to, size).await?;
    sftp.close(&from).await
}

/// What came.
struct Came {
    size: u64,
    digest: [u8; 32],
}

impl Came {
    fn written(self, mode: Option<u32>, notice: String) -> Written {
        Written {
            size: self.size,
            digest: Some(self.digest),
            mode,
            notice,
            ..Written::default()
        }
    }
}

/// Why no more comes.
enum Broken {
    /// Who sends it has stopped.
    Here(Fault),
    /// The host takes no more; so much is wanted.
    There(Trouble, u64),
}

/// Writes what comes, until the end is told.
async fn come<S>(sftp: &Sftp, handle: &Handle, mut parts: S) -> Result<Came, Broken>
where
    S: Stream<Item = Result<Part, Fault>> + Unpin,
{
    let (mut size, mut hash) = (0_u64, Sha256::new());
    loop {
        match parts.next().await {
            Some(Ok(Part::Data(data))) => {
                let wanted = size.saturating_add(length(&data));
                let done = put(sftp, handle, size, &data, PATIENCE).await;
                done.map_err(|trouble| Broken::There(trouble, wanted))?;
                hash.update(&data);
                size = wanted;
            }
            Some(Ok(Part::End(told))) if told == size => break,
            Some(Ok(Part::End(told))) => {
                return Err(Broken::Here(Fault::new(
                    Reason::InvalidArgument,
                    format!("{size} bytes came of {told}"),
                )));
            }
            Some(Err(fault)) => return Err(Broken::Here(fault)),
            None => {
                return Err(Broken::Here(Fault::new(
                    Reason::InvalidArgument,
                    "who sent the file went away before its end",
                )));
            }
        }
    }
    sftp.give_time(PATIENCE);
    Ok(Came {
        size,
        digest: hash.finalize().into(),
    })
}

/// Over what is there.
async fn in_place<S>(file: &File<'_>, handle: &Handle, parts: S) -> Result<Came, Fault>
where
    S: Stream<Item = Result<Part, Fault>> + Unpin,
{
    let came = match come(file.sftp, handle, parts).await {
        Ok(came) => came,
        Err(Broken::Here(fault)) => {
            file.sftp.give_time(GRACE);
            drop(file.sftp.close(handle).await);
            return Err(fault);
        }
        Err(Broken::There(trouble, wanted)) => return Err(file.unwritten(trouble, wanted).await),
    };
    match ended(file.sftp, handle, came.size).await {
        Ok(()) => Ok(came),
        Err(trouble) => Err(file.unwritten(trouble, came.size).await),
    }
}

/// Nothing is behind what was written, and it is on the disk.
async fn ended(sftp: &Sftp, handle: &Handle, size: u64) -> Result<(), Trouble> {
    let size = Attributes {
        size: Some(size),
        ..Attributes::default()
    };
    sftp.fsetstat(handle, size).await?;
    sftp.fsync(handle).await?;
    sftp.close(handle).await
}
