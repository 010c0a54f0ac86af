//! What everything costs through MCP, beside OpenSSH and beside the least that SSH allows: one run, one machine, one kind
//! of sshd. Only figures of one run may be compared.
//!
//! ```sh
//! cargo run --release --bin bench                    # about five minutes; nothing else should run meanwhile
//! cargo run --release --bin bench -- --write FILE    # and its tables go into the file
//! cargo run --release --bin bench -- warm far        # only these parts
//! cargo run --bin bench -- --quick                   # shows that it works; its figures mean nothing
//! ```
//!
//! It builds the programs itself, optimised, and starts sshds and users of its own, as the stories do.
#![expect(clippy::print_stdout, reason = "a table on stdout is what a benchmark is for")]

mod at_once;
mod bulk;
mod cold;
mod far;
mod feed;
mod figures;
mod hosts;
mod idle;
mod keepers;
mod machine;
mod mcp;
mod openssh;
mod raw;
mod report;
mod sizes;
mod start;
mod warm;

use std::{env, fs, process::Command};

use report::Report;
use sizes::Sizes;
use sshmcp_tests::TestBed;

/// What can be measured alone.
const PARTS: [&str; 9] = [
    "start", "warm", "bulk", "keepers", "far", "feed", "cold", "at-once", "idle",
];

fn main() {
    if feed::is_part() {
        return;
    }
    let mut parts = Vec::new();
    let (mut quick, mut file) = (false, None);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--quick" => quick = true,
            "--write" => file = Some(arguments.next().expect("--write FILE")),
            part if PARTS.contains(&part) => parts.push(argument),
            other => panic!("{other}: unknown; --quick, --write FILE, or some of {PARTS:?}"),
        }
    }
    if !quick {
        build();
    }
    let sizes = if quick { &Sizes::QUICK } else { &Sizes::FULL };
    let text = run(sizes, &|part| {
        parts.is_empty() || parts.iter().any(|one| one == part)
    });
    if let Some(file) = file {
        fs::write(&file, text).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

fn run(sizes: &Sizes, wanted: &dyn Fn(&str) -> bool) -> String {
    let mut bed = TestBed::new();
    let mut report = Report::new(&machine::describe(&bed));
    if wanted("start") {
        start::measure(&bed, sizes, &mut report);
    }
    // Before others fill the daemon's memory of commands.
    let mut memories = Vec::new();
    if wanted("cold") || wanted("at-once") || wanted("idle") {
        bed.stop_daemon();
        let hosts = hosts::add(&mut bed, sizes.many);
        let some = &hosts[..sizes.some];
        if wanted("cold") {
            let seen = cold::measure(&bed, some, &mut report);
            memories.extend(seen.into_iter().map(|memory| ("one by one", memory)));
            cold::starting(&bed, some, sizes, &mut report);
        }
        if wanted("at-once") {
            report.times("Sessions opened at once, the daemon runs", "");
            let (figures, memory) = at_once::measure(&bed, some, sizes.openings, &mut report);
            memories.push(("at once", memory));
            let what = format!("{} sessions at once", some.len());
            report.less(what, figures.median() / 1000.0, 2.0, " s");
            let (_, memory) = at_once::measure(&bed, &hosts, sizes.openings, &mut report);
            memories.push(("at once", memory));
        }
        if wanted("idle") {
            idle::measure(&bed, some, sizes, &mut report);
        }
        if !memories.is_empty() {
            at_once::tell(&memories, &mut report);
        }
    }
    if wanted("warm") {
        warm::measure(&bed, sizes, &mut report);
    }
    if wanted("bulk") {
        bulk::measure(&bed, sizes, &mut report);
    }
    if wanted("keepers") {
        keepers::measure(&bed, sizes, &mut report);
    }
    if wanted("far") {
        far::measure(&bed, sizes, &mut report);
    }
    if wanted("feed") {
        feed::measure(sizes, &mut report);
    }
    bed.finish();
    report.finish()
}

/// The programs must be of the same sources and profile as this benchmark.
fn build() {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--bins", "--quiet"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["--manifest-path", "../Cargo.toml"])
        .status();
    assert!(status.expect("cargo runs").success(), "the programs do not build");
}

/// As it comes, on stdout.
fn say(text: &str) {
    print!("{text}");
}
