//! The memory of a running process, as root reads it: what a core of it would hold.

use std::{fs, os::unix::fs::FileExt as _};

use regex::bytes::Regex;

/// A place where something was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The mapping: `[heap]`, `[stack]`, a file, or its addresses.
    pub region: String,
    /// What was found, with what stands around it, printable.
    pub around: String,
}

/// Bytes read at a time; pieces overlap by what is searched for at most.
const PIECE: usize = 1 << 20;
const OVERLAP: usize = 512;

/// Searches all readable memory of a process; tells the bytes read, too.
pub fn search(pid: i32, wanted: &Regex) -> (Vec<Hit>, u64) {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("maps");
    let memory = fs::File::open(format!("/proc/{pid}/mem")).expect("memory is read as root");
    let (mut hits, mut total) = (Vec::new(), 0);
    for line in maps.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let readable = fields.get(1).is_some_and(|modes| modes.starts_with('r'));
        let name = fields.get(5).copied().unwrap_or(fields[0]);
        let Some((from, to)) = fields[0].split_once('-').filter(|_| readable) else {
            continue;
        };
        let from = u64::from_str_radix(from, 16).expect("an address");
        let to = u64::from_str_radix(to, 16).expect("an address");
        let mut at = from;
        while at < to {
            let size = usize::try_from(to - at).map_or(PIECE, |left| left.min(PIECE));
            let mut piece = vec![0; size];
            // A mapping that cannot be read (vvar), or that has gone meanwhile, is in no core either.
            let Ok(count) = memory.read_at(&mut piece, at) else {
                break;
            };
            total += count as u64;
            for hit in wanted.find_iter(&piece[..count]) {
                let around = &piece[hit.start().saturating_sub(80)..(hit.end() + 80).min(count)];
                hits.push(Hit {
                    region: name.to_owned(),
                    around: around.escape_ascii().to_string(),
                });
            }
            if count < OVERLAP || at + count as u64 >= to {
                break;
            }
            at += (count - OVERLAP) as u64;
        }
    }
    (hits, total)
}
