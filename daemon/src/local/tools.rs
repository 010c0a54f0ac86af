//! The programs of this machine that a local tmux needs, and whether they serve.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use sshmcp_proto::{error::Fault, v1::Reason};
use tokio::process::Command;

use crate::tmux::command::{OLDEST, Version, version};

/// Where they are even if a poor environment's PATH does not say so.
const USUAL_PLACES: [&str; 4] = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/usr/pkg/bin"];

/// Both programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// tmux.
    pub tmux: PathBuf,
    /// OpenSSH's client.
    pub ssh: PathBuf,
}

impl Tools {
    /// Wherever they are; what is missing, or too old, is said by name.
    pub async fn find() -> Result<Self, Fault> {
        let tools = Self::places()?;
        let mut asked = Command::new(&tools.tmux);
        asked.arg("-V");
        let words = super::run(asked).await.unwrap_or_default();
        if version(&words).is_some_and(|version| version >= OLDEST) {
            return Ok(tools);
        }
        let Version { major, minor } = OLDEST;
        let words = match words.trim() {
            "" => format!("{} does not say its version", tools.tmux.display()),
            words => format!("this machine has {words}"),
        };
        Err(refused(&format!(
            "tmux {major}.{minor} or later on this machine: {words}"
        )))
    }

    /// Where they are, whatever they are.
    pub fn places() -> Result<Self, Fault> {
        let find = |name: &str| {
            program(name).ok_or_else(|| refused(&format!("`{name}` on this machine: it is not there")))
        };
        Ok(Self {
            tmux: find("tmux")?,
            ssh: find("ssh")?,
        })
    }
}

fn refused(what: &str) -> Fault {
    Fault::new(
        Reason::NotSupported,
        format!("the keeper local-tmux needs {what}; nothing was opened"),
    )
    .hint("install it, or open the session with the keeper `remote-tmux` or `daemon`")
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_program = |file: &Path| {
        let found = file.metadata();
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&path)
        // A relative entry depends on the directory that the daemon was started in.
        .filter(|directory| directory.is_absolute())
        .chain(USUAL_PLACES.map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|file| is_program(file))
}
