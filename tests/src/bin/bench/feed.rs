//! How fast a terminal's output becomes a screen: as a session does it, by the emulator alone, and in tmux; and what
//! memory each needs at most. Each runs in a process of its own.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
    time::Instant,
};

use alacritty_terminal::{
    Term,
    event::VoidListener,
    term::{Config, test::TermSize},
    vte::ansi::Processor,
};
use sshmcpd::{
    id::SessionName,
    recording::{Limits, Recordings},
    session::view::View,
    terminal::screen::SCROLLBACK,
};

use crate::{report::Report, sizes::Sizes};

const COLS: u16 = 120;
const ROWS: u16 = 40;
/// What a channel gives at once.
const CHUNK: usize = 32 << 10; // 32 KiB
/// Somebody looks at the screen whenever so much was shown.
const LOOK: usize = 4 << 20; // 4 MiB
/// What is shown again and again.
const BLOCK: usize = 5_000_000;
/// Says to a process of this program that it is one of the parts.
const PART: &str = "SSHMCP_FEED";

/// Log lines, colours, other scripts, progress, and full-screen drawing.
fn mixed() -> Vec<u8> {
    let mut block = String::with_capacity(BLOCK + 4096);
    let mut number = 0_u32;
    while block.len() < BLOCK {
        number = number.wrapping_add(1);
        let n = number;
        let line = match n % 10 {
            0..4 => {
                format!(
                    "2026-05-01T12:{:02}:{:02} INFO server: request {n} of 10.0.0.{} took {} ms\r\n",
                    n / 60 % 60,
                    n % 60,
                    n % 250,
                    n % 977
                )
            }
            4 | 5 => {
                format!(
                    "\x1b[1;32m   Compiling\x1b[0m crate-{n} v1.{}.0 \x1b[38;5;{}m(registry)\x1b[0m \x1b[48;2;{};0;90mx\x1b[m\r\n",
                    n % 7,
                    n % 256,
                    n % 256
                )
            }
            6 => format!("Grüße aus 東京 Nr. {n}: žluťoučký kůň, Ελληνικά, e\u{301}, 😀\r\n"),
            7 => {
                format!(
                    "\r\x1b[Kdownloading [{:<30}] {}%",
                    "=".repeat(n as usize % 30),
                    n % 100
                )
            }
            8 => {
                format!(
                    "\r\n\x1b[{};{}Hcell {n}\x1b[K\x1b[{}A\x1b[2C\x1b[7mstatus\x1b[27m",
                    n % 39 + 1,
                    n % 100 + 1,
                    n % 3 + 1
                )
            }
            _ => {
                "\x1b[39;1H\tplain text behind a tab, and a line that is longer than the screen is wide, so that it wraps at its end as lines do\r\n".to_owned()
            }
        };
        block += &line;
    }
    // Exactly so many bytes, in whole characters.
    while block.len() > BLOCK {
        block.pop();
    }
    block += &" ".repeat(BLOCK - block.len());
    block.into_bytes()
}

/// Does the part that this process is for; false if it is for none.
pub(crate) fn is_part() -> bool {
    let Ok(part) = env::var(PART) else { return false };
    let (way, total) = part.split_once(' ').expect("a way and a number");
    let block = mixed();
    let rounds = total.parse::<usize>().expect("a number").div_ceil(block.len());
    let start = Instant::now();
    if way == "session" {
        // Nothing is recorded before a shell is there; what recording costs is its own thread's.
        let state = tempfile::tempdir().expect("a directory");
        let recordings = Recordings::new(state.path(), Limits::default);
        let mut view = View::new(COLS, ROWS, recordings.recorder(&SessionName::for_host("h")));
        let mut shown = 0;
        for chunk in (0..rounds).flat_map(|_| block.chunks(CHUNK)) {
            view.show(chunk);
            shown += chunk.len();
            if shown > LOOK {
                shown = 0;
                view.screen_now(0);
            }
        }
        view.screen_now(0);
    } else {
        let config = Config {
            scrolling_history: SCROLLBACK,
            ..Config::default()
        };
        let mut term = Term::new(config, &TermSize::new(COLS.into(), ROWS.into()), VoidListener);
        let mut parser: Processor = Processor::new();
        for chunk in (0..rounds).flat_map(|_| block.chunks(CHUNK)) {
            parser.advance(&mut term, chunk);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    crate::say(&format!("{seconds} {}\n", peak("self")));
    true
}

/// The most memory that a process had so far, in bytes.
fn peak(pid: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.expect("a number of KiB").parse::<f64>().expect("a number") * 1024.0
}

/// Seconds and bytes of one of our ways.
fn ours(way: &str, total: usize) -> (f64, f64) {
    // Not its path: building what is measured may have put another program there.
    let output = Command::new("/proc/self/exe")
        .env(PART, format!("{way} {total}"))
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let (seconds, bytes) = text.trim().split_once(' ').expect("two numbers");
    (
        seconds.parse().expect("a number"),
        bytes.parse().expect("a number"),
    )
}

fn tmux(directory: &Path, arguments: &[&str]) -> Output {
    let output = Command::new("tmux")
        .args(["-u", "-f", "/dev/null", "-S"])
        .arg(directory.join("socket"))
        .args(arguments)
        .env_remove("TMUX")
        .output()
        .expect("tmux");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output
}

/// The same in a pane.
fn in_tmux(total: usize) -> (f64, f64) {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path();
    let block = mixed();
    let rounds = total.div_ceil(block.len());
    fs::write(place.join("block"), &block).expect("a file");
    let limit = SCROLLBACK.to_string();
    let (cols, rows) = (COLS.to_string(), ROWS.to_string());
    tmux(
        place,
        &[
            "new-session",
            "-d",
            ";",
            "set",
            "-g",
            "status",
            "off",
            ";",
            "set",
            "-g",
            "history-limit",
            &limit,
        ],
    );
    let command = format!(
        "stty raw -echo; tmux wait-for start; for n in $(seq {rounds}); do cat {}/block; done; tmux wait-for -S end; exec sleep 60",
        place.display()
    );
    tmux(place, &["new-session", "-d", "-x", &cols, "-y", &rows, &command]);
    let start = Instant::now();
    tmux(place, &["wait-for", "-S", "start"]);
    tmux(place, &["wait-for", "end"]);
    let seconds = start.elapsed().as_secs_f64();
    let pid = tmux(place, &["display-message", "-p", "#{pid}"]);
    let bytes = peak(String::from_utf8_lossy(&pid.stdout).trim());
    tmux(place, &["kill-server"]);
    (seconds, bytes)
}

/// All three in turn.
pub(crate) fn measure(sizes: &Sizes, report: &mut Report) {
    let total = sizes.feed.div_ceil(BLOCK) * BLOCK;
    let ways = [
        ("as a session does", ours("session", total)),
        ("the emulator alone", ours("emulator", total)),
        ("tmux", in_tmux(total)),
    ];
    let title = format!(
        "{} MB of mixed output to a screen of {COLS}x{ROWS}, {SCROLLBACK} lines kept",
        total / 1_000_000
    );
    report.table(&title, &["way", "MB/s", "peak memory MB"]);
    let rate = |seconds: f64| total as f64 / 1e6 / seconds;
    for (way, (seconds, bytes)) in ways {
        report.row(&[
            way.to_owned(),
            format!("{:.1}", rate(seconds)),
            format!("{:.1}", bytes / 1e6),
        ]);
    }
    let [(_, (session, memory)), (_, (emulator, _)), _] = ways;
    report.at_least(
        "a session's screen, × the emulator alone",
        emulator / session,
        0.7,
        "",
    );
    report.less("a session's screen, peak memory", memory / 1e6, 64.0, " MB");
}
