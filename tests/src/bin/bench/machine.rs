//! What the figures depend on: the machine and the versions of what took part.

use std::{fs, process::Command, thread};

use sshmcp_tests::TestBed;

/// Cores, kernel and versions, as a list.
pub(crate) fn describe(bed: &TestBed) -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    let version = |mut command: Command, argument: &str| {
        let output = command.arg(argument).output().expect("a program runs");
        let said = if output.stdout.is_empty() {
            output.stderr
        } else {
            output.stdout
        };
        let said = String::from_utf8_lossy(&said).into_owned();
        said.lines().next().unwrap_or_default().to_owned()
    };
    format!(
        "- machine: {cores} cores, {model}, {}, load {load}\n- {}; {}\n- {}; {}\n",
        version(bed.tool("uname"), "-sr"),
        version(bed.program("sshmcpd"), "--version"),
        version(bed.tool("ssh"), "-V"),
        version(bed.tool("bash"), "--version"),
        version(bed.tool("zsh"), "--version"),
    )
}
