//! A disk that is full: the session goes on, and what could not be kept is counted and told with path and cause.

use std::process::{Child, Command, Stdio};

use sshmcp_tests::{TestBed, User, eventually, program::tool};

use super::output::{lines, read_all};

/// Room on the disk for state.
const SIZE: &str = "1m";

/// A daemon whose state is on a small disk of its own.
pub(crate) fn daemon(bed: &TestBed) -> Child {
    let inner = bed.program("sshmcpd");
    let state = bed.path("state");
    std::fs::create_dir(&state).expect("a directory");
    let mut mounted = Command::new(tool("unshare"));
    let (uid, as_operator) = if User::many() {
        let operator = User::operator();
        let become_operator = format!(
            "{} --reuid={name} --regid={name} --init-groups",
            tool("setpriv").display(),
            name = operator.name
        );
        (operator.uid(), become_operator)
    } else {
        mounted.arg("--map-root-user");
        (0, String::new())
    };
    let script = format!(
        "mount -t tmpfs -o size={SIZE},mode=700,uid={uid} tmpfs {} && exec {as_operator} \"$0\"",
        state.display()
    );
    mounted
        .args(["--mount", "sh", "-c", &script])
        .arg(inner.get_program())
        .env_clear()
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("SSHMCP_STATE_DIR", &state)
        .stdin(Stdio::null())
        .spawn()
        .expect("unshare runs")
}

#[test]
fn full() {
    let bed = TestBed::new();
    let mut daemon = daemon(&bed);
    eventually("it serves", || bed.ctl(&["status"]).status.success());
    let mut shim = bed.shim();
    let small = shim.run("bash", &lines(100));
    let large = shim.run(
        "bash",
        &format!("{}; exit_code() {{ return 7; }}; exit_code", lines(50_000)),
    );
    assert_eq!(large.exit_code, Some(7), "the command goes on: {large:?}");
    let (kept, gone) = read_all(&mut shim, &large.id);
    assert_eq!(kept + gone, 50_000 * 64);
    assert!(gone > 1 << 20, "{kept} and {gone}");
    for word in [&*gone.to_string(), "spool/", "No space left on device"] {
        assert!(large.notice.contains(word), "{word}: {large:?}");
    }
    assert_eq!(read_all(&mut shim, &small.id), (6400, 0));
    assert_eq!(
        shim.run("bash", "echo fine").stdout,
        "fine\n",
        "the session goes on"
    );
    assert_eq!(shim.run("dash", "echo fine").stdout, "fine\n", "and a new one");
    shim.close();
    bed.finish();
    daemon.wait().expect("ours");
}
