//! Writes a file: checks what is there, makes what is to be there, and chooses how it comes there. A file is replaced in one
//! moment where the host can do that and nothing is lost by it (`replace`); else it is written where it is (`in_place`).

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    edit::{Edit, Edited, edit},
    open::{Access, open},
    packet::{Attributes, flags, status},
    path,
    read::{digest, length, whole},
    replace,
    sftp::{Handle, Sftp, Trouble},
    turn::Turns,
    words::{self, shown},
};

/// Most content of one call.
pub const WRITE_MAX: u64 = 2 << 20; // 2 MiB
/// Largest file that is edited, and that can be put back if it cannot be written where it is: it is held in memory.
pub(super) const HELD_MAX: u64 = 8 << 20; // 8 MiB
/// Written in one request: what every server takes.
const PIECE: usize = 32 << 10; // 32 KiB
/// A host that is not reached again in this time keeps what was left there.
const TIDY_MAX: Duration = Duration::from_secs(30);
/// Requests at a time.
const AT_A_TIME: usize = 32;

/// What to write.
pub struct Writing {
    /// The path as it was written.
    pub path: String,
    /// How.
    pub what: What,
    /// The file must have this digest.
    pub if_digest: Option<[u8; 32]>,
    /// Directories that are not there are made.
    pub make_dirs: bool,
    /// Permission bits afterwards; none: those that it had.
    pub permissions: Option<u32>,
}

/// How a file is written.
pub enum What {
    /// This is its content.
    Content(Vec<u8>, Mode),
    /// A text in it is replaced.
    Edit(Edit),
}

/// Where content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Instead of what is there.
    Overwrite,
    /// Behind it.
    Append,
    /// Nothing may be there.
    Create,
}

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    /// The file's path from the host's root on, links at its end followed.
    pub path: Vec<u8>,
    /// Bytes that it has now.
    pub size: u64,
    /// Of the whole file; none after an append.
    pub digest: Option<[u8; 32]>,
    /// Permission bits.
    pub mode: Option<u32>,
    /// It was not there before.
    pub created: bool,
    /// Texts that were replaced.
    pub replacements: u32,
    /// What an edit changed.
    pub diff: String,
    /// What the caller must know; empty if nothing.
    pub notice: String,
}

/// A file that is about to be written.
pub(super) struct File<'a> {
    pub(super) sftp: &'a Sftp,
    pub(super) path: &'a [u8],
    /// What it must still be when it is replaced.
    pub(super) expected: Option<[u8; 32]>,
    /// Permission bits that are asked for.
    pub(super) permissions: Option<u32>,
    /// What could not be removed.
    pub(super) left: &'a Left,
}

/// A file of ours that could not be removed.
#[derive(Debug, Default)]
pub(super) struct Left(Mutex<Option<Vec<u8>>>);

impl Left {
    pub(super) fn behind(&self, path: &[u8]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.to_vec());
    }

    /// Has it removed soon.
    pub(super) fn tidy_up(self, access: Access) {
        if let Some(path) = self.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
            tokio::spawn(tidy(access, path));
        }
    }
}

/// A file that is named, and the right to change it.
pub(super) struct Place {
    pub(super) path: Vec<u8>,
    /// What is there.
    pub(super) there: Option<Attributes>,
    /// To be held until it is changed.
    pub(super) turn: OwnedSemaphorePermit,
}

/// Finds it, and waits for its turn.
pub(super) async fn place(sftp: &Sftp, access: &Access, turns: &Turns, named: &str) -> Result<Place, Fault> {
    let named = path::absolute(sftp, named).await?;
    if named.ends_with(b"/") {
        return Err(Fault::new(
            Reason::InvalidArgument,
            format!("{} names a directory", shown(&named)),
        )
        .hint("name a file in it"));
    }
    let (path, _) = path::followed(sftp, named).await?;
    // The same file by another name of its directory.
    let turn = match sftp.realpath(path::parent(&path)).await {
        Ok(directory) => path::join(&directory, path::name(&path)),
        Err(_) => path.clone(),
    };
    let turn = turns.take(access.target.key(), &turn, access.deadline).await?;
    let (path, there) = path::followed(sftp, path).await?;
    Ok(Place { path, there, turn })
}

/// Writes it. To be run to its end: a caller that goes away must not leave half of it.
pub async fn write(access: Access, turns: &Turns, writing: Writing) -> Result<Written, Fault> {
    let left = Left::default();
    let written = attempt(&access, turns, writing, &left).await;
    left.tidy_up(access);
    written
}

/// Removes what a conversation that broke off left on the host, over a new one if there is one soon.
async fn tidy(access: Access, path: Vec<u8>) {
    let access = Access {
        deadline: Instant::now() + TIDY_MAX,
        ..access
    };
    let removed = match open(&access).await {
        Ok(sftp) => sftp.remove(&path).await.is_ok(),
        Err(_) => false,
    };
    tracing::debug!(target = %access.target.key(), removed, "a file of ours was left on a host");
}

async fn attempt(access: &Access, turns: &Turns, writing: Writing, left: &Left) -> Result<Written, Fault> {
    let sftp = open(access).await?;
    let Place {
        path,
        there,
        turn: _turn,
    } = place(&sftp, access, turns, &writing.path).await?;
    let mut file = File {
        sftp: &sftp,
        path: &path,
        expected: writing.if_digest,
        permissions: writing.permissions,
        left,
    };
    let mut written = match (there, writing.what) {
        (Some(there), what) => {
            words::regular(&there, &path)?;
            let size = there.size.unwrap_or_default();
            match what {
                What::Content(_, Mode::Create) => return Err(exists(&path)),
                What::Content(content, mode) => {
                    file.unchanged("it has another sha256 than `if_sha256`").await?;
                    if mode == Mode::Append {
                        append(&file, Some(there), &content).await?
                    } else {
                        replace::existing(&file, &there, &content).await?
                    }
                }
                What::Edit(change) => {
                    let held = whole(&sftp, &path, size, HELD_MAX).await;
                    let held = held.map_err(|trouble| words::fault(trouble, "read", &path))?;
                    let held = held.ok_or_else(|| too_large(&path))?;
                    let digest = Sha256::digest(&held).into();
                    if file.expected.is_some_and(|expected| expected != digest) {
                        return Err(changed(&path, "it has another sha256 than `if_sha256`"));
                    }
                    let Edited {
                        content,
                        replacements,
                        diff,
                    } = edit(&held, &change, &shown(&path))?;
                    file.expected = Some(digest);
                    let written = replace::existing(&file, &there, &content).await?;
                    Written {
                        replacements,
                        diff,
                        ..written
                    }
                }
            }
        }
        (None, What::Edit(_)) => {
            return Err(words::fault(
                Trouble::Refused(status::NO_SUCH_FILE, String::new()),
                "edit",
                &path,
            ));
        }
        (None, What::Content(..)) if file.expected.is_some() => {
            return Err(changed(&path, "it is not there"));
        }
        (None, What::Content(content, mode)) => {
            if writing.make_dirs {
                make_dirs(&sftp, &path).await?;
            }
            let written = if mode == Mode::Append {
                append(&file, None, &content).await?
            } else {
                replace::new(&file, &content, mode == Mode::Create).await?
            };
            Written {
                created: true,
                ..written
            }
        }
    };
    written.path.clone_from(&path);
    Ok(written)
}

impl File<'_> {
    /// Fails if it is another than is expected; `why` is told then.
    pub(super) async fn unchanged(&self, why: &str) -> Result<(), Fault> {
        let Some(expected) = self.expected else {
            return Ok(());
        };
        let size = match self.sftp.stat(self.path).await {
            Ok(there) => {
                words::regular(&there, self.path)?;
                there.size.unwrap_or_default()
            }
            Err(Trouble::Refused(status::NO_SUCH_FILE, _)) => {
                return Err(changed(self.path, "it is not there any more"));
            }
            Err(trouble) => return Err(words::fault(trouble, "look at", self.path)),
        };
        match digest(self.sftp, self.path, size).await {
            Ok(digest) if digest == expected => Ok(()),
            Ok(_) => Err(changed(self.path, why)),
            Err(trouble) => Err(words::fault(trouble, "read", self.path)),
        }
    }

    /// The fault of a refused write, with the cause that the file system shows.
    pub(super) async fn unwritten(&self, trouble: Trouble, wanted: u64) -> Fault {
        let space = match trouble {
            Trouble::Refused(..) => self.sftp.space(path::parent(self.path)).await,
            Trouble::Gone(_) => None,
        };
        words::unwritten(trouble, "write", self.path, space, wanted)
    }
}

/// All of it from there on, many pieces at a time; for each there is so much time at least.
pub(super) async fn put(
    sftp: &Sftp,
    handle: &Handle,
    mut at: u64,
    content: &[u8],
    patience: Duration,
) -> Result<(), Trouble> {
    let mut pieces = Vec::new();
    for piece in content.chunks(PIECE) {
        let from = at;
        pieces.push(async move {
            sftp.give_time(patience);
            sftp.write(handle, from, piece).await
        });
        at = at.saturating_add(length(piece));
    }
    let mut pieces = stream::iter(pieces).buffer_unordered(AT_A_TIME);
    while let Some(done) = pieces.next().await {
        done?;
    }
    Ok(())
}

/// Adds to the end, piece by piece in their order; what cannot be added as a whole is taken back.
async fn append(file: &File<'_>, there: Option<Attributes>, content: &[u8]) -> Result<Written, Fault> {
    let File {
        sftp,
        path,
        permissions,
        ..
    } = file;
    let flags = flags::WRITE | flags::APPEND | flags::CREATE;
    let mode = there.is_none().then(|| permissions.unwrap_or(0o666));
    let handle = match sftp.open(path, flags, mode).await {
        Ok(handle) => handle,
        Err(trouble) => return Err(file.unwritten(trouble, 0).await),
    };
    let before = there.and_then(|there| there.size).unwrap_or_default();
    let mut added = 0;
    for piece in content.chunks(PIECE) {
        let at = before.saturating_add(added);
        if let Err(trouble) = sftp.write(&handle, at, piece).await {
            let fault = file.unwritten(trouble, length(content)).await;
            let most = at.saturating_add(length(piece));
            return Err(fault_of_append(sftp, &handle, before..=most, fault).await);
        }
        added = added.saturating_add(length(piece));
    }
    if let Some(mode) = permissions {
        let set = sftp.fsetstat(&handle, Attributes::of_mode(*mode)).await;
        set.map_err(|trouble| partly(words::fault(trouble, "set the permissions of", path)))?;
    }
    if let Err(trouble) = sftp.fsync(&handle).await {
        let fault = file.unwritten(trouble, length(content)).await;
        let most = before.saturating_add(added);
        return Err(fault_of_append(sftp, &handle, before..=most, fault).await);
    }
    let now = sftp.fstat(&handle).await.unwrap_or_default();
    sftp.close(&handle)
        .await
        .map_err(|trouble| partly(words::fault(trouble, "close", path)))?;
    Ok(Written {
        size: now.size.unwrap_or(before.saturating_add(added)),
        mode: now.permissions(),
        ..Written::default()
    })
}

/// The content was added, and something after that failed.
fn partly(fault: Fault) -> Fault {
    let message = format!("{}; the content was added all the same", fault.message);
    Fault { message, ..fault }
}

/// Takes back what was added, unless others have added something as well, and says so.
async fn fault_of_append(
    sftp: &Sftp,
    handle: &Handle,
    sizes: std::ops::RangeInclusive<u64>,
    fault: Fault,
) -> Fault {
    let ours = match sftp.fstat(handle).await {
        Ok(Attributes { size: Some(size), .. }) => sizes.contains(&size),
        Ok(_) | Err(_) => false,
    };
    let back = Attributes {
        size: Some(*sizes.start()),
        ..Attributes::default()
    };
    let state = if ours && sftp.fsetstat(handle, back).await.is_ok() {
        "the file is as it was"
    } else {
        "a part may have been added: look at its end before you repeat it"
    };
    let message = format!("{}; {state}", fault.message);
    Fault { message, ..fault }
}

/// Makes the directories above a path that are not there.
async fn make_dirs(sftp: &Sftp, path: &[u8]) -> Result<(), Fault> {
    let mut missing = Vec::new();
    for directory in path::above(path).into_iter().rev() {
        match sftp.stat(directory).await {
            Ok(_) => break,
            Err(Trouble::Refused(status::NO_SUCH_FILE, _)) => missing.push(directory),
            Err(trouble) => return Err(words::fault(trouble, "look at", directory)),
        }
    }
    for directory in missing.into_iter().rev() {
        if let Err(trouble) = sftp.mkdir(directory).await
            // Somebody else may have made it.
            && sftp.stat(directory).await.is_err()
        {
            return Err(words::fault(trouble, "make the directory", directory));
        }
    }
    Ok(())
}

pub(super) fn exists(path: &[u8]) -> Fault {
    Fault::new(
        Reason::Conflict,
        format!("{} is there already; nothing was done", shown(path)),
    )
    .hint("`mode`: overwrite replaces it, append adds to it, `old_text` and `new_text` change it")
}

pub(super) fn changed(path: &[u8], why: &str) -> Fault {
    Fault::new(
        Reason::Conflict,
        format!("{} is not what it was: {why}; nothing was done", shown(path)),
    )
    .hint("read it again with read_file, and decide anew")
}

fn too_large(path: &[u8]) -> Fault {
    Fault::new(
        Reason::TooLarge,
        format!(
            "{} has more than 8 MiB, and is not edited; nothing was done",
            shown(path)
        ),
    )
    .hint("change it on the host, with sed or another program by execute_command")
}
