//! What a process holds, as the kernel counts it.

use std::fs;

use crate::bed::TestBed;

/// Memory of a process.
#[derive(Clone, Copy)]
pub struct Memory {
    /// Pages that it has in memory, shared ones included; bytes.
    pub rss: u64,
    /// The same, shared ones by the share that it has of them; bytes.
    pub pss: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Memory {
    /// Of one process.
    pub fn of(pid: u32) -> Self {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process lives");
        let field = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
            let number: Option<u64> = number.and_then(|number| number.parse().ok());
            number.expect("a number of KiB") * 1024
        };
        Self {
            rss: field("Rss:"),
            pss: field("Pss:"),
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count),
        }
    }

    /// Of the bed's daemon.
    pub fn of_daemon(bed: &TestBed) -> Self {
        let daemons = bed.daemons();
        assert_eq!(daemons.len(), 1, "{daemons:?}");
        Self::of(daemons[0].pid.cast_unsigned())
    }

    /// RSS in millions of bytes.
    pub fn megabytes(self) -> f64 {
        self.rss as f64 / 1e6
    }
}
