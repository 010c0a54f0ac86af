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
pub(super) const GRACE: Duration = Duration::from_secs(3);
/// What is made before its permissions are known.
pub(super) const PRIVATE: u32 = 0o600;
/// What it would cost, or could not be done for.
pub(super) const NO_RENAME: &str = "the server has no rename that replaces";
pub(super) const NO_DIRECTORY: &str = "no file can be made in its directory";
pub(super) const NO_NAME: &str =
    "it cannot be replaced (a mount point, or another user's in a directory of everybody)";

/// A file of ours beside the one that is meant.
pub(super) struct Beside<'a> {
    file: &'a File<'a>,
    pub(super) path: Vec<u8>,
    pub(super) handle: Handle,
}

/// Why a file cannot be replaced as a whole.
pub(super) enum No {
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
        Err(trouble) => return Err(unmade(file, trouble, length(content)).await),
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

/// The fault of a file that cannot even be begun.
pub(super) async fn unmade(file: &File<'_>, trouble: Trouble, wanted: u64) -> Fault {
    if trouble.status() == Some(status::NO_SUCH_FILE) {
        return words::fault(trouble, "write in", path::parent(file.path))
            .hint("make the directory first: mkdir -p with execute_command");
    }
    file.unwritten(trouble, wanted).await
}

/// Fails where a file that is there may not be written: a rename would not ask.
pub(super) async fn may_be_written(file: &File<'_>) -> Result<(), Fault> {
    match file.sftp.open(file.path, flags::WRITE, None).await {
        Ok(handle) => drop(file.sftp.close(&handle).await),
        Err(trouble) if trouble.status() == Some(status::PERMISSION_DENIED) => {
            return Err(words::fault(trouble, "write", file.path));
        }
        Err(Trouble::Gone(fault)) => return Err(fault),
        // A program that runs cannot be opened, yet replaced.
        Err(Trouble::Refused(..)) => {}
    }
    Ok(())
}

/// A file that is there.
pub(super) async fn existing(file: &File<'_>, there: &Attributes, content: &[u8]) -> Result<Written, Fault> {
    may_be_written(file).await?;
    match replaced(file, there, content).await {
        Ok(written) => Ok(written),
        Err(No::Failed(fault)) => Err(fault),
        Err(No::InPlace(why)) => in_place(file, there, content, why).await,
    }
}

async fn replaced(file: &File<'_>, there: &Attributes, content: &[u8]) -> Result<Written, No> {
    if !file.sftp.offers.posix_rename {
        return Err(No::InPlace(NO_RENAME));
    }
    let beside = match Beside::make(file, PRIVATE).await {
        Ok(beside) => beside,
        Err(Trouble::Gone(fault)) => return Err(No::Failed(fault)),
        Err(Trouble::Refused(..)) => return Err(No::InPlace(NO_DIRECTORY)),
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
            Err(No::InPlace(NO_NAME))
        }
    }
}

impl<'a> Beside<'a> {
    pub(super) async fn make(file: &'a File<'a>, mode: u32) -> Result<Self, Trouble> {
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
        let handle = &self.handle;
        if let Err(trouble) = put(self.file.sftp, handle, 0, content, Duration::ZERO).await {
            return Err(No::Failed(self.failed(trouble, length(content)).await));
        }
        let made = match self.dress(owner, permissions, length(content)).await {
            Ok(made) => made,
            Err(No::InPlace(why)) => {
                self.remove().await;
                return Err(No::InPlace(why));
            }
            Err(no) => return Err(no),
        };
        self.settle(length(content)).await.map_err(No::Failed)?;
        Ok(made)
    }

    /// Gives it owner and permissions; the permissions that it has then.
    pub(super) async fn dress(
        &self,
        owner: Option<(u32, u32)>,
        permissions: Option<u32>,
        wanted: u64,
    ) -> Result<Option<u32>, No> {
        let (sftp, handle) = (self.file.sftp, &self.handle);
        let made = match sftp.fstat(handle).await {
            Ok(made) => made,
            Err(trouble) => return Err(No::Failed(self.failed(trouble, wanted).await)),
        };
        let owner = Attributes {
            owner: owner.filter(|_| owner != made.owner),
            ..Attributes::default()
        };
        // The owner first: to change it takes bits away.
        for (attributes, why) in [
            (owner, "only so it keeps its owner and group"),
            (
                permissions.map_or_else(Attributes::default, Attributes::of_mode),
                "the host does not let us set permissions",
            ),
        ] {
            if attributes == Attributes::default() {
                continue;
            }
            match sftp.fsetstat(handle, attributes).await {
                Ok(()) => {}
                Err(Trouble::Refused(..)) => return Err(No::InPlace(why)),
                Err(trouble) => return Err(No::Failed(self.failed(trouble, wanted).await)),
            }
        }
        Ok(permissions.or_else(|| made.permissions()))
    }

    /// Has it on the disk, and closed.
    pub(super) async fn settle(&self, wanted: u64) -> Result<(), Fault> {
        let (sftp, handle) = (self.file.sftp, &self.handle);
        for done in [sftp.fsync(handle).await, sftp.close(handle).await] {
            if let Err(trouble) = done {
                return Err(self.failed(trouble, wanted).await);
            }
        }
        Ok(())
    }

    /// The fault of a step before the file got its name; nothing of ours stays.
    pub(super) async fn failed(&self, trouble: Trouble, wanted: u64) -> Fault {
        let fault = self.file.unwritten(trouble, wanted).await;
        self.given_up(fault).await
    }

    /// The same for a fault of somebody else.
    pub(super) async fn given_up(&self, fault: Fault) -> Fault {
        let left = if self.remove().await {
            String::new()
        } else {
            format!("; {} may be left there", shown(&self.path))
        };
        let message = format!("{}; {} is as it was{left}", fault.message, shown(self.file.path));
        Fault { message, ..fault }
    }

    /// The fault of the last step, of which nobody knows whether it was done.
    pub(super) async fn unknown(&self, fault: Fault) -> Fault {
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
    pub(super) async fn remove(&self) -> bool {
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

pub(super) fn notice(why: &str) -> String {
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
    for step in [
        put(sftp, &handle, 0, content, Duration::ZERO).await,
        sftp.fsync(&handle).await,
    ] {
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
    put(file.sftp, handle, 0, content, Duration::ZERO).await?;
    let size = Attributes {
        size: Some(length(content)),
        ..Attributes::default()
    };
    file.sftp.fsetstat(handle, size).await?;
    file.sftp.fsync(handle).await
}
