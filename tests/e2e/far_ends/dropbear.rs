//! Dropbear, the SSH server of small devices: another implementation of all that a session needs.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::json;
use sshmcp_tests::{TestBed, User, process::Process, program::tool, sshd::free_port, wait::eventually};

/// A running Dropbear, ended with all that it serves.
struct Dropbear(Child);

impl Drop for Dropbear {
    fn drop(&mut self) {
        let serving = Process::below(self.0.id().cast_signed());
        self.0.kill().ok();
        self.0.wait().ok();
        for process in serving {
            process.signal(rustix::process::Signal::KILL);
        }
    }
}

fn told(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Streams apart, codes, state, input that is awaited and interrupts are as exact as with OpenSSH.
#[test]
fn dropbear() {
    assert!(
        User::many(),
        "it reads the keys of the account's own home: run this as root"
    );
    let bed = TestBed::new();
    let user = User::named("sshmcp-t-dropbear", Path::new("/bin/bash"));
    let ssh = user.home.join(".ssh");
    fs::create_dir_all(&ssh).expect("a directory");
    let keys = ssh.join("authorized_keys");
    let key = fs::read_to_string(bed.home().join(".ssh/id_ed25519.pub")).expect("the operator's key");
    fs::write(&keys, key).expect("written");
    for (path, mode) in [(&ssh, 0o700), (&keys, 0o600)] {
        user.own(path);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    }
    let host_key = bed.path("dropbear_key");
    let made = told(
        Command::new(tool("dropbearkey"))
            .args(["-t", "ed25519", "-f"])
            .arg(&host_key),
    );
    let public = made
        .lines()
        .find(|line| line.starts_with("ssh-ed25519 "))
        .expect("its public key");
    let port = free_port();
    let server = Command::new(tool("dropbear"))
        .args(["-F", "-E", "-s", "-p", &format!("127.0.0.1:{port}"), "-r"])
        .arg(&host_key)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let server = Dropbear(server.expect("dropbear runs"));
    eventually("it listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let fields: Vec<&str> = public.split(' ').take(2).collect();
    bed.append(
        ".ssh/known_hosts",
        &format!("[127.0.0.1]:{port} {}\n", fields.join(" ")),
    );
    bed.alias("small", &user.name, port);
    let mut shim = bed.shim();
    let outcome = shim.run(
        "small",
        "cd /usr; there=here; echo out; echo err >&2; sh -c 'exit 3'",
    );
    assert_eq!(
        (
            outcome.exit_code,
            &*outcome.stdout,
            &*outcome.stderr,
            &*outcome.cwd
        ),
        (Some(3), "out\n", "err\n", "/usr"),
        "{outcome:?}"
    );
    assert_eq!(outcome.object["completion"], "exact", "{outcome:?}");
    assert_eq!(shim.run("small", "echo $there").stdout, "here\n");
    let reading = shim.run("small", "read -r line; echo \"[$line]\"");
    assert_eq!(reading.status, "awaiting_input", "{reading:?}");
    let typed = shim.call("send_input", json!({"command_id": reading.id, "text": "given"}));
    assert_eq!(typed.expect("it is typed")["why"], "ended");
    let sleeping = json!({"host": "small", "command": "sleep 100", "timeout": 0});
    let sleeping = shim.execute(sleeping).expect("it begins");
    let ended = shim.call("interrupt_command", json!({"command_id": sleeping.id}));
    assert_eq!(ended.expect("it is interrupted")["ended"], true);
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.stop_daemon();
    drop(server);
    bed.finish();
}
