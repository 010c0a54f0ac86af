//! The three programs, brought to where they stay: below the home, unless they are in a directory of PATH already.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

use super::record::{Copied, Record};
use super::{Outcome, Run, cannot, missing_above};
use crate::edit::file::beside;

/// What we install.
const PROGRAMS: [&str; 3] = ["sshmcpd", "mcp-ssh", "sshctl"];

/// Where they go below the home.
const BELOW_HOME: &str = ".local/bin";

/// Where the programs are afterwards.
pub(super) struct Installed {
    /// `sshmcpd`.
    pub(super) daemon: PathBuf,
    /// `mcp-ssh`.
    pub(super) shim: PathBuf,
}

impl Run<'_> {
    /// Copies what is not in its place; `daemon` is the daemon's program as it is found now.
    pub(super) fn copy_programs(&mut self, daemon: &Path, record: &mut Record) -> Result<Installed, Fault> {
        let own = std::env::current_exe().and_then(|own| own.canonicalize());
        let own = own.map_err(|error| {
            Fault::new(
                Reason::Internal,
                format!("where sshctl is, is not known: {error}"),
            )
        })?;
        let mut places = Vec::new();
        for name in PROGRAMS {
            let source = if name == "sshmcpd" {
                daemon.to_owned()
            } else {
                own.with_file_name(name)
            };
            // One that is missing is told where it is needed.
            let stays = !source.is_file() || self.stays(&source);
            places.push(if stays {
                source
            } else {
                self.copy(name, &source, record)?
            });
        }
        let [daemon, shim, _] = <[PathBuf; 3]>::try_from(places)
            .map_err(|_| Fault::new(Reason::Internal, "there are three programs"))?;
        Ok(Installed { daemon, shim })
    }

    /// True if a program is where it will be found later.
    fn stays(&self, program: &Path) -> bool {
        in_path(program) || is_in(program, &self.home.join(BELOW_HOME))
    }

    fn copy(&mut self, name: &str, source: &Path, record: &mut Record) -> Result<PathBuf, Fault> {
        let target = self.home.join(BELOW_HOME).join(name);
        let what = format!("copy {} to {}", source.display(), target.display());
        let is_there = target.exists();
        if is_there && same(source, &target).map_err(|error| cannot(&target, &error))? {
            self.step(what, Outcome::Already, "");
            return Ok(target);
        }
        let known = record.copied.iter().find(|copied| copied.path == target).cloned();
        let ours = known.as_ref().is_some_and(|known| known.is_unchanged());
        let replaced = match known {
            Some(known) if ours => known.replaced,
            _ if is_there => Some(beside(&target, ".sshmcp-replaced")),
            _ => None,
        };
        let mut why = match &replaced {
            Some(old) if !ours => format!("what is there now is kept as {}", old.display()),
            _ => String::new(),
        };
        if why.is_empty() && name == "sshctl" && !in_path(&target) {
            why = format!("your PATH lacks ~/{BELOW_HOME}: add it in your shell's start-up file");
        }
        if !self.act {
            self.step(what, Outcome::Planned, &why);
            return Ok(target);
        }
        let directory = self.home.join(BELOW_HOME);
        record.directories.extend(missing_above(&directory));
        fs::create_dir_all(&directory).map_err(|error| cannot(&directory, &error))?;
        record.copied.retain(|copied| copied.path != target);
        record.copied.push(Copied {
            path: target.clone(),
            checksum: checksum(source).map_err(|error| cannot(source, &error))?,
            replaced: replaced.clone(),
        });
        record.write(&Record::path(&self.state))?;
        if let Some(old) = replaced.filter(|_| !ours) {
            fs::rename(&target, &old).map_err(|error| cannot(&target, &error))?;
        }
        place(source, &target).map_err(|error| cannot(&target, &error))?;
        self.step(what, Outcome::Done, &why);
        Ok(target)
    }

    /// Leaves the copies for another time.
    pub(super) fn keep_programs(&mut self, record: &Record) {
        for Copied { path, .. } in &record.copied {
            let what = format!("remove {}", path.display());
            self.step(what, Outcome::Left, "what failed is to be mended first");
        }
    }

    /// Takes the copies away, and puts back what was in their place.
    pub(super) fn remove_programs(&mut self, record: &Record) -> Result<(), Fault> {
        for copied in &record.copied {
            let Copied { path, replaced, .. } = copied;
            let what = format!("remove {}", path.display());
            if !path.exists() {
                self.step(what, Outcome::Already, "");
            } else if !copied.is_unchanged() {
                self.step(
                    what,
                    Outcome::Left,
                    "it is another program by now: remove it yourself if nobody needs it",
                );
                continue;
            } else {
                if self.act {
                    fs::remove_file(path).map_err(|error| cannot(path, &error))?;
                }
                self.step(what, self.done(), "");
            }
            let Some(old) = replaced.as_ref().filter(|old| old.exists()) else {
                continue;
            };
            if self.act {
                fs::rename(old, path).map_err(|error| cannot(old, &error))?;
            }
            self.step(
                format!("put {} back as {}", old.display(), path.display()),
                self.done(),
                "",
            );
        }
        Ok(())
    }
}

impl Copied {
    fn is_unchanged(&self) -> bool {
        checksum(&self.path).is_ok_and(|checksum| checksum == self.checksum)
    }
}

fn in_path(program: &Path) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| is_in(program, &directory))
}

fn is_in(program: &Path, directory: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    program.parent().is_some_and(|own| real(own) == real(directory))
}

/// A copy that is there whole or not at all; a program that runs from that place goes on.
fn place(source: &Path, target: &Path) -> io::Result<()> {
    let partial = beside(target, ".sshmcp-new");
    let written = (|| {
        let mut from = File::open(source)?;
        let mut to = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o755)
            .open(&partial)?;
        io::copy(&mut from, &mut to)?;
        to.set_permissions(Permissions::from_mode(0o755))?;
        to.sync_all()?;
        fs::rename(&partial, target)
    })();
    if written.is_err() {
        // What is half written is nobody's.
        let _gone = fs::remove_file(&partial);
    }
    written
}

fn same(one: &Path, other: &Path) -> io::Result<bool> {
    if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
        return Ok(false);
    }
    Ok(checksum(one)? == checksum(other)?)
}

/// SHA-256, in hexadecimal digits.
fn checksum(path: &Path) -> io::Result<String> {
    use sha2::{Digest as _, Sha256};
    let mut digest = Sha256::new();
    io::copy(&mut File::open(path)?, &mut digest)?;
    Ok(digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
