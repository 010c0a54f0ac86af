//! Processes as /proc tells of them: whose children they are, and which bed they belong to.
//!
//! Everything that a bed starts, here or through its sshd, has the bed's mark in its environment and hands it on.

use std::{collections::HashMap, fs, path::Path, path::PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// The variable that marks the processes of a bed.
pub const MARK: &str = "SSHMCP_TEST_BED";

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// The name of its program.
    pub name: String,
    /// Its state: `R`, `S`, `Z`, …
    pub state: char,
    /// Its command line, words joined by spaces.
    pub line: String,
}

impl Process {
    /// Reads one; none if it is gone.
    pub fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (head, tail) = stat.rsplit_once(") ")?;
        let mut fields = tail.split(' ');
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        Some(Self {
            pid,
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
            name: head.split_once('(')?.1.to_owned(),
            line: String::from_utf8_lossy(&line)
                .replace('\0', " ")
                .trim()
                .to_owned(),
        })
    }

    /// Every process that lives; zombies are not among them.
    pub fn all() -> Vec<Self> {
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(Self::read)
            .filter(|process| process.state != 'Z')
            .collect()
    }

    /// Those with this bed's mark.
    pub fn marked(mark: &str) -> Vec<Self> {
        let wanted = format!("{MARK}={mark}");
        let mut all = Self::all();
        all.retain(|process| {
            let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|entry| entry == wanted.as_bytes())
        });
        all
    }

    /// Every process below this one.
    pub fn below(root: i32) -> Vec<Self> {
        let mut children: HashMap<i32, Vec<Self>> = HashMap::new();
        for process in Self::all() {
            children.entry(process.parent).or_default().push(process);
        }
        let mut found = Vec::new();
        let mut open = vec![root];
        while let Some(parent) = open.pop() {
            let of_parent = children.remove(&parent).unwrap_or_default();
            open.extend(of_parent.iter().map(|process| process.pid));
            found.extend(of_parent);
        }
        found
    }

    /// A part of OpenSSH's server: one program, and three from 9.8 on.
    pub fn is_sshd(&self) -> bool {
        ["sshd", "sshd-session", "sshd-auth"].contains(&&*self.name)
    }

    /// True while it lives.
    pub fn lives(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| now.state != 'Z' && now.name == self.name)
    }

    /// True if no thread of it is left but as a zombie, so that its files are closed: its memory goes before its sockets do,
    /// and its first thread before the others.
    pub fn is_dead(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid))
            .into_iter()
            .flatten();
        tasks.flatten().all(|task| {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ")
        })
    }

    /// Signals it; one that is gone is what was wanted.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            kill_process(pid, signal).ok();
        }
    }

    /// The files that it has open.
    pub fn open_files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(Path::new("/proc").join(self.pid.to_string()).join("fd")) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .collect()
    }
}
