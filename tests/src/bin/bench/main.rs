//! What a warm `true` costs through MCP, beside OpenSSH's ControlMaster and beside the least that SSH allows. Figures
//! are of one run on one machine; only those of one table may be compared.
//!
//! ```sh
//! cargo run --release --bin bench
//! ```
//!
//! It builds the programs itself, optimised, and starts an sshd and users of its own, as the stories do.
#![expect(clippy::print_stdout, reason = "a table on stdout is what a benchmark is for")]

mod figures;
mod machine;
mod mcp;
mod openssh;
mod raw;

use std::{env, process::Command, time::Instant};

use figures::Figures;
use mcp::Client;
use openssh::Master;
use raw::RawShell;
use sshmcp_tests::{Shell, TestBed};

/// Rounds of each way in turn, so that a busy moment of the machine hits all of them.
const ROUNDS: usize = 10;
/// Runs of the ways that take a millisecond, a round.
const RUNS: usize = 100;
/// Runs of the way that starts a process, a round.
const PROCESS_RUNS: usize = 50;
/// Runs before the first that counts.
const WARM_UP: usize = 50;

fn main() {
    build();
    let bed = TestBed::new();
    println!("{}", machine::describe(&bed));
    println!("| shell | way | runs | median ms | p95 ms | × raw |\n|---|---|--:|--:|--:|--:|");
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        for line in measure(&bed, shell) {
            println!("{line}");
        }
    }
    bed.finish();
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

fn measure(bed: &TestBed, shell: Shell) -> Vec<String> {
    let began = Instant::now();
    let mut client = Client::start(bed);
    client.run_true(shell.host());
    let first = began.elapsed();
    let mut raw = RawShell::open(bed, shell);
    let master = Master::open(bed, shell);
    for _ in 0..WARM_UP {
        client.run_true(shell.host());
        client.list_sessions();
        raw.run_true();
    }
    master.run_true();

    let mut through_mcp = Figures::default();
    let mut without_ssh = Figures::default();
    let mut marker = Figures::default();
    let mut to_the_prompt = Figures::default();
    let mut control_master = Figures::default();
    for _ in 0..ROUNDS {
        marker.measure(RUNS, || raw.run_true());
        to_the_prompt.measure(RUNS, || raw.run_true_to_the_prompt());
        through_mcp.measure(RUNS, || client.run_true(shell.host()));
        without_ssh.measure(RUNS, || client.list_sessions());
        control_master.measure(PROCESS_RUNS, || master.run_true());
    }
    let least = marker.median();
    vec![
        through_mcp.line(shell.host(), "`true` through MCP", least),
        control_master.line(shell.host(), "`ssh -o ControlPath=… true`, a process each", least),
        marker.line(shell.host(), "raw: marker typed into one shell over russh", least),
        to_the_prompt.line(shell.host(), "raw, and its next prompt waited for", least),
        without_ssh.line(shell.host(), "`list_sessions` through MCP (no SSH in it)", least),
        format!(
            "| {} | first call: programs started, logged in, session opened | 1 | {:.0} | | |",
            shell.host(),
            first.as_secs_f64() * 1000.0
        ),
    ]
}
