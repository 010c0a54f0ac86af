//! How new content comes to a file's place. The usual way is a file beside it, made for the purpose, which gets the old one's
//! permissions and owner and then its name, in one moment: whoever opens the file has the old content or the new one.
//!
//! Where that would cost the file its owner, or cannot be done (nothing may be made in the directory, the file is a mount
//! point, the server has no such rename), it is written in place instead, and the result says so; what it had is held, and
//! written back if the new content cannot be. Other hard links keep the old content, as SFTP does not tell of them.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sshmcp_proto::error::Fault;

use super::{
    packet::{Attributes, flags, status},
    path,
    read::{length, whole},
    sftp::{Handle, Trouble},
    words::{self, shown},
    write::{File, HELD_MAX, Written, changed, exists, put},
};

/// For putting things back once the time is over.
const GRACE: Duration = Duration::from_secs(3);
/// What is made before its permissions are known.
const PRIVATE: u32 = 0o600;

/// A file of ours beside the one that is meant.
struct Beside<'a> {
    file: &'a File<'a>,
    path: Vec<u8>,
    handle: Handle,
}

/// Why a file cannot be replaced as a whole.
enum No {
    /// It can be written in place instead, for this reason.
    InPlace(&'static str),
    Failed(Fault),
}

/// A file that was not there.
pub(super) async fn new(file: &File<'_>, content: &[u8], must_be_new: bool) -> Result<Written, Fault> {
    // What the host's umask leaves of it, as for every program; unless it is said.
    let mode = file.permissions.map_or(0o666, |_| PRIVATE);
    let beside = match Beside::make(file, mode).await {
        Ok(beside) => beside,
        Err(trouble) => {
            let fault = match trouble.status() {
                Some(status::NO_SUCH_FILE) => {
                    let directory = path::parent(file.path);
                    return Err(words::fault(trouble, "write in", directory)
                        .hint("make the directory first: mkdir -p with execute_command"));
                }
                _ => file.unwritten(trouble, length(content)).await,
            };
            return Err(fault);
        }
    };
    let mode = match beside.fill(content, None, file.permissions).await {
        Ok(mode) => mode,
        Err(No::Failed(fault)) => return Err(fault),
        Err(No::InPlace(why)) => return at_its_place(file, content, why).await,
    };
    let sftp = file.sftp;
    let named = if must_be_new || !sftp.offers.posix_rename {
        sftp.rename(&beside.path, file.path).await
    } else {
        sftp.replace(&beside.path, file.path).await
    };
    match named {
        Ok(()) => Ok(done(content, mode, String::new())),
        Err(Trouble::Gone(fault)) => Err(beside.unknown(fault).await),
        Err(Trouble::Refused(..)) => {
            beside.remove().await;
            if sftp.lstat(file.path).await.is_ok() {
                return Err(exists(file.path));
            }
            at_its_place(file, content, "the server does not rename files").await
        }
    }
}

/// A file that is there.
pub(super) async fn existing(file: &File<'_>, there: &Attributes, content: &[u8]) -> Result<Written, Fault> {
    let sftp = file.sftp;
    // A rename would not ask whether the file itself may be written.
    match sftp.open(file.path, flags::WRITE, None).await {
        Ok(handle) => drop(sftp.close(&handle).await),
        Err(trouble) if trouble.status() == Some(status::PERMISSION_DENIED) => {
            return Err(words::fault(trouble, "write", file.path));
        }
        Err(Trouble::Gone(fault)) => return Err(fault),
        // A program that runs cannot be opened, yet replaced.
        Err(Trouble::Refused(..)) => {}
    }
    match replaced(file, there, content).await {
        Ok(written) => Ok(written),
        Err(No::Failed(fault)) => Err(fault),
        Err(No::InPlace(why)) => in_place(file, there, content, why).await,
    }
}

async fn replaced(file: &File<'_>, there: &Attributes, content: &[u8]) -> Result<Written, No> {
    if !file.sftp.offers.posix_rename {
        return Err(No::InPlace("the server has no rename that replaces"));
    }
    let beside = match Beside::make(file, PRIVATE).await {
        Ok(beside) => beside,
        Err(Trouble::Gone(fault)) => return Err(No::Failed(fault)),
        Err(Trouble::Refused(..)) => return Err(No::InPlace("no file can be made in its directory")),
    };
    let permissions = file.permissions.or_else(|| there.permissions());
    let mode = beside.fill(content, there.owner, permissions).await?;
    if let Err(fault) = file.unchanged("somebody changed it meanwhile").await {
        beside.remove().await;
        return Err(No::Failed(fault));
    }
    match file.sftp.replace(&beside.path, file.path).await {
        Ok(()) => Ok(done(content, mode, String::new())),
        Err(Trouble::Gone(fault)) => Err(No::Failed(beside.unknown(fault).await)),
        Err(Trouble::Refused(..)) => {
            beside.remove().await;
            Err(No::InPlace(
                "it cannot be replaced (a mount point, or another user's in a directory of everybody)",
            ))
        }
    }
}

impl<'a> Beside<'a> {
    async fn make(file: &'a File<'a>, mode: u32) -> Result<Self, Trouble> {
        let name = format!(".sshmcp-{:016x}", rand::random::<u64>());
        let path = path::join(path::parent(file.path), name.as_bytes());
        let flags = flags::WRITE | flags::CREATE | flags::EXCLUSIVE;
        let handle = file.sftp.open(&path, flags, Some(mode)).await?;
        Ok(Self { file, path, handle })
    }

    /// Writes the content, gives owner and permissions, and has it on the disk. The permissions that it has then.
    async fn fill(
        &self,
        content: &[u8],
        owner: Option<(u32, u32)>,
        permissions: Option<u32>,
    ) -> Result<Option<u32>, No> {
        let (sftp, handle) = (self.file.sftp, &self.handle);
        if let Err(trouble) = put(sftp, handle, content).await {
            return Err(No::Failed(self.failed(trouble, content).await));
        }
        let made = match sftp.fstat(handle).await {
            Ok(made) => made,
            Err(trouble) => return Err(No::Failed(self.failed(trouble, content).await)),
        };
        if owner.is_some() && owner != made.owner {
            let owner = Attributes {
                owner,
                ..Attributes::default()
            };
            match sftp.fsetstat(handle, owner).await {
                Ok(()) => {}
                Err(Trouble::Refused(..)) => {
                    self.remove().await;
                    return Err(No::InPlace("only so it keeps its owner and group"));
                }
                Err(trouble) => return Err(No::Failed(self.failed(trouble, content).await)),
            }
        }
        // After the owner, whose change takes bits away.
        if let Some(mode) = permissions {
            match sftp.fsetstat(handle, Attributes::of_mode(mode)).await {
                Ok(()) => {}
                Err(Trouble::Refused(..)) => {
                    self.remove().await;
                    return Err(No::InPlace("the host does not let us set permissions"));
                }
                Err(trouble) => return Err(No::Failed(self.failed(trouble, content).await)),
            }
        }
        for done in [sftp.fsync(handle).await, sftp.close(handle).await] {
            if let Err(trouble) = done {
                return Err(No::Failed(self.failed(trouble, content).await));
            }
        }
        Ok(permissions.or_else(|| made.permissions()))
    }

    /// The fault of a step before the file got its name; nothing of ours stays.
    async fn failed(&self, trouble: Trouble, content: &[u8]) -> Fault {
        let fault = self.file.unwritten(trouble, length(content)).await;
        let left = if self.remove().await {
            String::new()
        } else {
            format!("; {} may be left there", shown(&self.path))
        };
        let message = format!("{}; {} is as it was{left}", fault.message, shown(self.file.path));
        Fault { message, ..fault }
    }

    /// The fault of the last step, of which nobody knows whether it was done.
    async fn unknown(&self, fault: Fault) -> Fault {
        self.remove().await;
        let message = format!(
            "{}; it is not known whether {} was replaced",
            fault.message,
            shown(self.file.path)
        );
        Fault {
            message,
            hint: "read it with read_file before you repeat anything".into(),
            retryable: false,
            ..fault
        }
    }

    /// True if it is gone.
    async fn remove(&self) -> bool {
        self.file.sftp.give_time(GRACE);
        // Some servers do not remove what is open.
        let _ = self.file.sftp.close(&self.handle).await;
        let is_gone = match self.file.sftp.remove(&self.path).await {
            Ok(()) => true,
            Err(trouble) => trouble.status() == Some(status::NO_SUCH_FILE),
        };
        if !is_gone {
            self.file.left.behind(&self.path);
        }
        is_gone
    }
}

fn done(content: &[u8], mode: Option<u32>, notice: String) -> Written {
    Written {
        size: length(content),
        digest: Some(Sha256::digest(content).into()),
        mode,
        notice,
        ..Written::default()
    }
}

fn notice(why: &str) -> String {
    format!("written in place, not replaced in one moment: {why}")
}

/// A new file under its own name from the beginning; it goes again if it cannot be written.
async fn at_its_place(file: &File<'_>, content: &[u8], why: &str) -> Result<Written, Fault> {
    let sftp = file.sftp;
    let flags = flags::WRITE | flags::CREATE | flags::EXCLUSIVE;
    let mode = file.permissions.unwrap_or(0o666);
    let handle = match sftp.open(file.path, flags, Some(mode)).await {
        Ok(handle) => handle,
        Err(trouble) => return Err(file.unwritten(trouble, length(content)).await),
    };
    for step in [put(sftp, &handle, content).await, sftp.fsync(&handle).await] {
        if let Err(trouble) = step {
            let fault = file.unwritten(trouble, length(content)).await;
            sftp.give_time(GRACE);
            let state = match sftp.remove(file.path).await {
                Ok(()) => "it is not there, as before",
                Err(_) => "a part of it may be there",
            };
            let message = format!("{}; {state}", fault.message);
            return Err(Fault { message, ..fault });
        }
    }
    let made = sftp.fstat(&handle).await.unwrap_or_default();
    let closed = sftp.close(&handle).await;
    closed.map_err(|trouble| words::fault(trouble, "close", file.path))?;
    Ok(done(content, made.permissions(), notice(why)))
}

/// Over what is there.
async fn in_place(
    file: &File<'_>,
    there: &Attributes,
    content: &[u8],
    why: &'static str,
) -> Result<Written, Fault> {
    let sftp = file.sftp;
    let told = |trouble| words::fault(trouble, "write", file.path);
    let held = whole(sftp, file.path, there.size.unwrap_or_default(), HELD_MAX).await;
    // One may be allowed to write what one may not read.
    let held = match held {
        Ok(held) => held,
        Err(Trouble::Refused(..)) if file.expected.is_none() => None,
        Err(trouble) => return Err(words::fault(trouble, "read", file.path)),
    };
    match (&held, file.expected) {
        (Some(held), Some(expected)) if <[u8; 32]>::from(Sha256::digest(held)) != expected => {
            return Err(changed(file.path, "somebody changed it meanwhile"));
        }
        (None, Some(_)) => file.unchanged("somebody changed it meanwhile").await?,
        (_, _) => {}
    }
    let handle = sftp.open(file.path, flags::WRITE, None).await.map_err(told)?;
    if let Err(trouble) = overwrite(file, &handle, content).await {
        let fault = file.unwritten(trouble, length(content)).await;
        sftp.give_time(GRACE);
        let restored = match &held {
            Some(held) => overwrite(file, &handle, held).await.is_ok(),
            None => false,
        };
        let state = if restored {
            "what it had was written back"
        } else {
            "it may be half-written: read it before you go on"
        };
        let message = format!("{}; {state}", fault.message);
        return Err(Fault { message, ..fault });
    }
    let mut mode = there.permissions();
    if let Some(permissions) = file.permissions {
        let set = sftp.fsetstat(&handle, Attributes::of_mode(permissions)).await;
        set.map_err(|trouble| {
            let fault = words::fault(trouble, "set the permissions of", file.path);
            let message = format!("{}; it was written all the same", fault.message);
            Fault { message, ..fault }
        })?;
        mode = Some(permissions);
    }
    sftp.close(&handle).await.map_err(told)?;
    Ok(done(content, mode, notice(why)))
}

/// Content from the first byte on, and nothing behind it.
async fn overwrite(file: &File<'_>, handle: &Handle, content: &[u8]) -> Result<(), Trouble> {
    put(file.sftp, handle, content).await?;
    let size = Attributes {
        size: Some(length(content)),
        ..Attributes::default()
    };
    file.sftp.fsetstat(handle, size).await?;
    file.sftp.fsync(handle).await
}
