//! The spool on the host (`shell/keep.sh`) under the shells that may be `/bin/sh` there, with real FIFOs: what was written
//! comes out byte for byte, whoever reads and from wherever, and nothing stays. `SSHMCP_LONG=1` plays it with 100 MB.

mod keep {
    pub(crate) mod place;
}

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write as _,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use keep::place::{self, NONCE, Place, SHELLS, eventually};
use rand::{Rng as _, RngCore as _, SeedableRng as _, rngs::StdRng};
use sshmcpd::shell::durable::{Launch, parse_started};

/// Each shell at once, each in a place of its own.
fn in_each(story: impl Fn(&Place) + Sync) {
    thread::scope(|scope| {
        for shell in SHELLS {
            let story = &story;
            scope.spawn(move || {
                let place = Place::new(shell);
                story(&place);
                place.finish();
            });
        }
    });
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

fn writer(fifo: &Path) -> std::fs::File {
    OpenOptions::new().write(true).open(fifo).expect("a FIFO")
}

fn frame(words: &str) -> Vec<u8> {
    format!("\x1e{NONCE};{words}\x1f").into_bytes()
}

/// Every byte value, in pieces of any size, through both FIFOs in turn, and the ends where they were.
#[test]
fn exact() {
    in_each(|place| {
        place.run(&["stream", "o0"]);
        let mut position = (1, 0);
        for turn in 0..4_usize {
            let data = noise(turn as u64, 700_000);
            let mut fifo = writer(&place.path(&format!("o0{}", turn % 2)));
            for byte in &data[..2_000] {
                fifo.write_all(&[*byte]).expect("a reader");
            }
            fifo.write_all(&data[2_000..]).expect("a reader");
            drop(fifo);
            // As in a session: the next begins when the end was seen.
            let wanted = [data, frame(&format!("M{}", turn % 2))].concat();
            let mut reader = place.reader();
            assert!(
                reader.read("o0", position, wanted.len()) == wanted,
                "{}",
                place.shell
            );
            position = reader.position();
        }
    });
}

/// Whoever comes late finds everything, though the writer was made to wait; and a part that was taken is gone there.
#[test]
fn late() {
    let (segments, length) = if std::env::var_os("SSHMCP_LONG").is_some() {
        (16, 100 << 20)
    } else {
        (3, 24 << 20)
    };
    in_each(|place| {
        place.run(&["stream", "o7", &segments.to_string()]);
        let data = noise(7, length);
        let written = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut fifo = writer(&place.path("o70"));
                for piece in data.chunks(100_000) {
                    fifo.write_all(piece).expect("a reader, or one to come");
                    written.fetch_add(piece.len(), Ordering::Relaxed);
                }
            });
            eventually("the writer is made to wait", || place.path("w.o7").exists());
            let there: u64 = place.segments("o7").values().sum();
            assert!(there <= segments * (4 << 20), "{there} bytes");
            assert!(written.load(Ordering::Relaxed) < data.len());
            let mut reader = place.reader();
            let got = reader.read("o7", (1, 0), data.len() + frame("M0").len());
            assert!(got == [data.clone(), frame("M0")].concat(), "{}", place.shell);
            // The last, and perhaps one that was begun behind it.
            eventually("what was taken is gone", || {
                let left = place.segments("o7");
                left.len() <= 2 && !left.contains_key(&1)
            });
            // What went before cannot be had again, and that is said.
            assert_eq!(place.reader().read("o7", (1, 0), frame("X").len()), frame("X"));
        });
    });
}

/// Readers that die anywhere: the next goes on with the byte behind the last one that was taken.
#[test]
fn resumed() {
    const SEED: u64 = 11;
    in_each(|place| {
        place.run(&["stream", "o0"]);
        let data = noise(SEED, 5 << 20);
        let wanted = [data.clone(), frame("M0")].concat();
        thread::scope(|scope| {
            scope.spawn(|| writer(&place.path("o00")).write_all(&data).expect("a reader"));
            let mut dice = StdRng::seed_from_u64(SEED);
            let (mut got, mut position) = (Vec::new(), (1, 0));
            while got.len() < wanted.len() {
                let piece = dice.random_range(1..800_000).min(wanted.len() - got.len());
                let mut reader = place.reader();
                got.extend(reader.read("o0", position, piece));
                position = reader.position();
            }
            assert!(got == wanted, "{} from seed {SEED}", place.shell);
        });
    });
}

/// One that is removed leaves no process and no file; a job that still writes then neither dies nor waits.
#[test]
fn removed() {
    in_each(|place| {
        place.run(&["stream", "o0"]);
        place.run(&["stream", "e0"]);
        place.run(&["apart", "guard"]);
        eventually("all of it runs", || {
            ["k.o0", "k.e0", "k.guard"]
                .iter()
                .all(|name| place.path(name).exists())
        });
        let mut fifo = writer(&place.path("o00"));
        fifo.write_all(b"before").expect("a reader");
        place.remove();
        assert!(!place.path("k").exists());
        fifo.write_all(&noise(3, 1 << 20)).expect("somebody reads");
        drop(fifo);
    });
}

/// When nobody is interested for so long, everything goes by itself.
#[test]
fn forgotten() {
    in_each(|place| {
        std::fs::write(place.path("l"), "1\n").expect("a file");
        place.run(&["stream", "o0"]);
        place.run(&["interested"]);
        place.run(&["apart", "guard"]);
        eventually("the directory is gone", || !place.path("").exists());
    });
}

/// A full disk: what could not be kept is marked where it is missing, and all goes on when there is room again.
#[test]
fn no_room() {
    in_each(|place| {
        // A mount is in the way of whoever made it alone: all of it runs below one shell.
        let script = r#"
            mount -t tmpfs -o size=1m,mode=700 tmpfs "$0" && cp "$1" "$0/k" || exit 1
            $2 "$0/k" stream o0
            head -c 900000 /dev/zero >"$0/full"
            # There is no room for what is put there to see whether there is.
            { until [ -e "$0/t.o0" ]; do sleep 0.05; done; rm "$0/full"; } &
            { head -c 600000 /dev/zero; printf end; } >"$0/o00"
            until grep -q ';M0' "$0/s.o0.1"; do sleep 0.05; done
            cat "$0/s.o0.1"
            # A place where something is mounted stays.
            $2 "$0/k" clear "$0" 2>/dev/null
            exit 0
        "#;
        let out = place.mounted(script);
        let kept = out.iter().take_while(|byte| **byte == 0).count();
        let dropped = frame("D");
        let rest = &out[kept..];
        assert!(rest.starts_with(&dropped), "{}: {kept} and {rest:?}", place.shell);
        assert!(
            rest.ends_with(&[b"end".to_vec(), frame("M0")].concat()),
            "{}",
            place.shell
        );
        let marks = rest
            .windows(dropped.len())
            .filter(|part| *part == dropped)
            .count();
        let zeros = out.iter().filter(|byte| **byte == 0).count();
        assert!(
            zeros < 600_000 && zeros + marks * 65_536 >= 600_000,
            "{zeros} and {marks}"
        );
    });
}

/// A durable command needs a directory; where there is none that is said, and nothing is run.
#[test]
fn no_directory() {
    let launch = Launch {
        nonce: NONCE.into(),
        text: "echo no >&2".into(),
        keep_for: 60,
    };
    for kind in ["bash", "dash"] {
        let (text, input) = launch.order(kind, "/bin/sh");
        // A place where something is mounted that cannot be written.
        let script = format!(
            "for d in /var/tmp /tmp; do mount -t tmpfs -o ro tmpfs $d || exit 1; done; unset TMPDIR; HOME=/proc; {text}"
        );
        let said = place::apart(&script, &input);
        assert_eq!(
            parse_started(NONCE, &said),
            Some(Err("directory".to_owned())),
            "{kind}: {said}"
        );
    }
}

/// The names and sizes of a stream's segments.
type Segments = BTreeMap<u64, u64>;
