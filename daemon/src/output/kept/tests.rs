//! Whenever the daemon dies, what was read stays what it was, nothing is there twice, and what was not kept is counted.

use std::{collections::HashMap, fs, path::Path};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::*;
use crate::output::{Found, Losses};

const LIMITS: OutputLimits = OutputLimits {
    memory_bytes: 64 << 10,
    disk_bytes: 2 << 20,
};

/// Lives of one output that are tried; more with `SSHMCP_LONG`.
fn rounds() -> usize {
    if std::env::var_os("SSHMCP_LONG").is_some() {
        600
    } else {
        12
    }
}

/// What a stream on the host has at a place.
fn byte(source: u8, at: u64) -> u8 {
    let mixed = (at ^ (at >> 7))
        .wrapping_mul(31)
        .wrapping_add(u64::from(source) * 101);
    mixed.to_le_bytes()[0]
}

const fn stream_of(source: u8) -> StreamKind {
    if source == 0 {
        StreamKind::Stdout
    } else {
        StreamKind::Stderr
    }
}

fn numbers(directory: &Path) -> Vec<u32> {
    let entries = fs::read_dir(directory).expect("a directory").flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter_map(|name| name.strip_prefix("c1.")?.parse().ok())
        .collect()
}

/// A daemon's view of one output, with two streams on the host behind it.
struct Life {
    directory: tempfile::TempDir,
    budget: Arc<Budget>,
    output: Output,
    /// How far each stream was taken.
    taken: [u64; 2],
    /// Which stream's byte is at each offset.
    model: Vec<(u8, u64)>,
}

impl Life {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let budget = Arc::new(Budget::new(u64::MAX));
        let mut output = Output::new(directory.path().join("none"), LIMITS, budget.clone());
        output.keep_as(directory.path().join("c1"), budget.clone(), b"head".to_vec());
        Self {
            directory,
            budget,
            output,
            taken: [0, 0],
            model: Vec::new(),
        }
    }

    fn take(&mut self, source: u8, size: u64) {
        let from = self.taken[usize::from(source)];
        let bytes: Vec<u8> = (from..from + size).map(|at| byte(source, at)).collect();
        let consumed = Consumed {
            source,
            segment: 1,
            offset: from + size,
        };
        self.output.append_from(stream_of(source), &bytes, consumed);
        self.taken[usize::from(source)] += size;
        self.model.extend((from..from + size).map(|at| (source, at)));
    }

    /// The next daemon, after this one was killed with so many bytes of its last file not written.
    fn die(self, torn: u64) -> Self {
        let Self {
            directory,
            output,
            mut model,
            ..
        } = self;
        drop(output);
        let numbers = numbers(directory.path());
        let last = numbers.iter().max().expect("a file");
        let path = directory.path().join(format!("c1.{last}"));
        let file = fs::OpenOptions::new().write(true).open(&path).expect("a file");
        let length = file.metadata().expect("a file").len();
        // The owner's first words are synchronous with the command's own beginning.
        let kept = length.saturating_sub(torn).max(if *last == 1 { 40 } else { 0 });
        file.set_len(kept.min(length)).expect("cut");
        let budget = Arc::new(Budget::new(u64::MAX));
        let stem = directory.path().join("c1");
        let found = Found::read(&stem, numbers, LIMITS, budget.clone()).expect("its head is there");
        assert_eq!(found.head(), b"head");
        let output = found.output(Losses::default(), false);
        let mut taken = [0, 0];
        for consumed in output.positions() {
            taken[usize::from(consumed.source)] = consumed.offset;
        }
        let total = usize::try_from(output.total()).expect("small");
        assert!(total <= model.len());
        model.truncate(total);
        Self {
            directory,
            budget,
            output,
            taken,
            model,
        }
    }

    /// What is read is what was written there, and the rest is counted.
    fn check(&self, what: &str) -> u64 {
        let mut at = 0;
        let mut there = 0;
        loop {
            let pieces = self.output.read(at, 50_000);
            let Some(last) = pieces.last() else { break };
            at = last.end();
            for piece in pieces {
                for (offset, &found) in (piece.offset..).zip(&piece.data) {
                    let (source, place) = self.model[usize::try_from(offset).expect("small")];
                    assert_eq!(
                        (piece.stream, found),
                        (stream_of(source), byte(source, place)),
                        "{what}: at {offset}"
                    );
                    there += 1;
                }
            }
        }
        assert_eq!(
            there + self.output.dropped(),
            self.output.total(),
            "{what}: {:?}",
            self.output.losses()
        );
        assert_eq!(self.output.total(), self.model.len() as u64, "{what}");
        there
    }

    /// Every byte of each stream came once, in order.
    fn check_streams(&self, what: &str) {
        let mut next: HashMap<u8, u64> = HashMap::new();
        for (source, place) in &self.model {
            let next = next.entry(*source).or_default();
            assert_eq!(place, next, "{what}: of stream {source}");
            *next += 1;
        }
    }
}

/// Deaths at random moments, some in the middle of a write, some while there was no room on the disk.
#[test]
fn killed_at_random_moments() {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..rounds() {
        let what = format!("seed {seed}, round {round}");
        let mut life = Life::new();
        let sizes = [10, 300, 20_000][round % 3];
        for step in 0..120 {
            let what = format!("{what}, step {step}");
            match random.random_range(0..100) {
                0..4 => {
                    let torn = if random.random() {
                        0
                    } else {
                        random.random_range(0..sizes * 2)
                    };
                    life = life.die(torn);
                    life.check(&what);
                    life.check_streams(&what);
                }
                4..7 => life.budget.set_limit(0),
                7..12 => life.budget.set_limit(u64::MAX),
                12..16 => life.output.set_meta(format!("meta {step}").into_bytes()),
                16..18 => {
                    let offset = life.taken[1];
                    life.output.consumed(Consumed {
                        source: 1,
                        segment: 1,
                        offset,
                    });
                }
                _ => {
                    let source = random.random_range(0..2);
                    life.take(source, random.random_range(1..sizes));
                }
            }
        }
        life.budget.set_limit(u64::MAX);
        life.take(0, 1);
        life.check(&what);
        life.check_streams(&what);
        let total = life.output.total();
        let there = life.check(&what);
        let again = life.die(0);
        assert_eq!(again.output.total(), total, "{what}");
        assert_eq!(again.check(&what), there, "{what}");
    }
}

/// Of much output the beginning and the end stay, as without a journal, and both are there again.
#[test]
fn beyond_the_limit() {
    let mut life = Life::new();
    for _ in 0..600 {
        life.take(0, 7000);
        life.take(1, 3000);
        assert!(life.output.disk_used() <= LIMITS.disk_bytes + (64 << 10));
    }
    let there = life.check("living");
    assert!(there > LIMITS.disk_bytes * 3 / 4, "{there}");
    let losses = life.output.losses().clone();
    assert_eq!((losses.budget, losses.disk), (0, 0));
    let life = life.die(0);
    assert_eq!(life.check("again"), there);
    assert_eq!(life.output.losses(), &losses);
    assert_eq!(life.taken, [600 * 7000, 600 * 3000]);
    // Discarded, nothing of it is left.
    let Life {
        directory,
        mut output,
        budget,
        ..
    } = life;
    assert!(budget.used() > 0);
    output.discard();
    assert_eq!((numbers(directory.path()).len(), budget.used()), (0, 0));
}

/// A disk that takes nothing: what is lost of the middle is counted with path and cause, and when there is room again what
/// is in memory is written, so that all that can be read is there afterwards.
#[test]
fn a_disk_that_takes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let obstacle = directory.path().join("spool");
    fs::write(&obstacle, "").expect("written");
    let budget = Arc::new(Budget::new(u64::MAX));
    let mut output = Output::new(directory.path().join("none"), LIMITS, budget.clone());
    output.keep_as(obstacle.join("c1"), budget.clone(), b"head".to_vec());
    let mut life = Life {
        directory,
        budget,
        output,
        taken: [0, 0],
        model: Vec::new(),
    };
    life.output.set_meta(b"meta".to_vec());
    for _ in 0..50 {
        life.take(0, 5000);
        life.take(1, 100);
    }
    let problem = life.output.journal_problem().expect("a problem").to_owned();
    assert!(problem.contains("spool/c1.1"), "{problem}");
    let losses = life.output.losses().clone();
    assert_eq!(losses.disk_cause, problem);
    let there = life.check("no disk");
    assert!(losses.disk > 0 && there >= 50_000, "{losses:?}");
    fs::remove_file(&obstacle).expect("removed");
    life.take(0, 1);
    assert_eq!(life.output.journal_problem(), None);
    assert_eq!(life.check("room again"), there + 1);
    // The files are where the next daemon looks.
    for entry in fs::read_dir(&obstacle).expect("a directory").flatten() {
        fs::rename(entry.path(), life.directory.path().join(entry.file_name())).expect("renamed");
    }
    let taken = life.taken;
    let life = life.die(0);
    assert_eq!((life.check("again"), life.taken), (there + 1, taken));
}

/// What was given up for others stays given up, and what it was is still known.
#[test]
fn given_up() {
    let mut life = Life::new();
    for _ in 0..50 {
        life.take(0, 9000);
    }
    life.output.drop_spooled();
    life.check("given up");
    let total = life.output.total();
    assert_eq!(life.output.disk_used(), 0);
    let mut life = life.die(0);
    assert_eq!((life.output.total(), life.check("again")), (total, 0));
    life.take(0, 10);
    assert_eq!(life.check("again"), 10);
}

/// Whatever is damaged in whichever file: no byte is told that was not written there.
#[test]
fn damaged() {
    let mut life = Life::new();
    for _ in 0..160 {
        life.take(0, 9000);
        life.take(1, 500);
    }
    let whole = life.check("whole");
    let Life {
        directory,
        output,
        model,
        ..
    } = life;
    drop(output);
    let mut files: Vec<(u32, Vec<u8>)> = numbers(directory.path())
        .into_iter()
        .map(|number| {
            (
                number,
                fs::read(directory.path().join(format!("c1.{number}"))).expect("a file"),
            )
        })
        .collect();
    files.sort();
    assert!(files.len() > 3, "{}", files.len());
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let mut unknown = 0;
    for round in 0..30 {
        let what = format!("seed {seed}, round {round}");
        let (number, bytes) = &files[random.random_range(0..files.len())];
        let mut damaged = bytes.clone();
        // Half of them in the first records, where the owner's words are.
        let range = if random.random() { 200 } else { damaged.len() };
        let at = random.random_range(0..range.min(damaged.len()));
        if random.random_range(0..4) == 0 {
            damaged.truncate(at);
        } else {
            damaged[at] ^= 1 << random.random_range(0..8);
        }
        let path = directory.path().join(format!("c1.{number}"));
        fs::write(&path, &damaged).expect("written");
        let budget = Arc::new(Budget::new(u64::MAX));
        let numbers = files.iter().map(|(number, _)| *number).collect();
        match Found::read(&directory.path().join("c1"), numbers, LIMITS, budget.clone()) {
            None => unknown += 1,
            Some(found) => {
                let output = found.output(Losses::default(), false);
                let mut model = model.clone();
                model.truncate(usize::try_from(output.total()).expect("small"));
                let life = Life {
                    directory: tempfile::tempdir().expect("a directory"),
                    budget,
                    output,
                    taken: [0, 0],
                    model,
                };
                let mut at = 0;
                let mut there = 0;
                while let Some(last) = life.output.read(at, 50_000).last() {
                    for piece in life.output.read(at, 50_000) {
                        for (offset, &found) in (piece.offset..).zip(&piece.data) {
                            let (source, place) = life.model[usize::try_from(offset).expect("small")];
                            assert_eq!(found, byte(source, place), "{what}: at {offset}");
                        }
                        there += piece.data.len() as u64;
                    }
                    at = last.end();
                }
                assert!(there <= whole, "{what}");
            }
        }
        // It may have been cut where it was torn.
        fs::write(&path, bytes).expect("written");
    }
    assert!(unknown < 15, "{unknown}");
}

/// A seed, told where a failure can be repeated by it.
#[expect(clippy::print_stdout, reason = "the test runner shows it with the failure")]
fn seed() -> u64 {
    let seed = rand::random();
    println!("seed {seed}");
    seed
}
