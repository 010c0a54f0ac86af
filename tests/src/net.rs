//! A network of a story's own: two hosts in namespaces with one cable between them, which can be cut in many ways; or a row
//! of them, each with a cable to the next. Nothing of it is outside of the namespaces, and they end with the processes that
//! hold them. For root alone.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::{program::tool, sshd::SshdOptions, user::User, wait::eventually};

/// Where the far host is.
pub const FAR: &str = "10.77.0.2";
/// Where we are.
pub const NEAR: &str = "10.77.0.1";
/// The far host's SSH port.
pub const PORT: u16 = 22;

/// Two hosts and the cable between them.
pub struct Net {
    near: Child,
    far: Child,
}

impl Net {
    /// Lays the cable.
    pub fn new() -> Self {
        assert!(User::many(), "networks are made of namespaces: run this as root");
        let (near, far) = (namespace(), namespace());
        let net = Self { near, far };
        let peer = net.far.id().to_string();
        net.near(&["ip", "link", "set", "lo", "up"]);
        net.far(&["ip", "link", "set", "lo", "up"]);
        net.near(&[
            "ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", &peer,
        ]);
        for (run, address) in [(Self::near as fn(&Self, &[&str]), NEAR), (Self::far, FAR)] {
            run(
                &net,
                &["ip", "address", "add", &format!("{address}/24"), "dev", "cable"],
            );
            run(&net, &["ip", "link", "set", "cable", "up"]);
        }
        net
    }

    /// What makes a bed's sshd serve on the far host.
    pub fn sshd(&self) -> SshdOptions {
        serves_in(&self.far, FAR)
    }

    /// The same command run on our host, with its words and environment.
    pub fn on_near(&self, command: &Command, user: (u32, u32)) -> Command {
        run_in(&self.near, command, user)
    }

    /// Runs a tool on our host.
    pub fn near(&self, words: &[&str]) {
        run(&self.near, words);
    }

    /// Runs a tool on the far host.
    pub fn far(&self, words: &[&str]) {
        run(&self.far, words);
    }

    /// From now on what either host sends is dropped without a word.
    pub fn swallow(&self) {
        self.near(&["iptables", "-w", "-I", "INPUT", "-i", "cable", "-j", "DROP"]);
        self.far(&["iptables", "-w", "-I", "INPUT", "-i", "cable", "-j", "DROP"]);
    }

    /// What either host sends arrives again.
    pub fn deliver(&self) {
        self.near(&["iptables", "-w", "-F", "INPUT"]);
        self.far(&["iptables", "-w", "-F", "INPUT"]);
    }

    /// Every connection to the far host is reset at both ends.
    pub fn reset(&self) {
        self.near(&["ss", "-K", "dst", FAR]);
        self.far(&["ss", "-K", "dst", NEAR]);
    }

    /// From now on the far host answers all that comes for it with a reset.
    pub fn refuse(&self) {
        let reject = ["-j", "REJECT", "--reject-with", "tcp-reset"];
        let rule = ["iptables", "-w", "-I", "INPUT", "-i", "cable", "-p", "tcp"];
        self.far(&[&rule[..], &reject[..]].concat());
    }

    /// Pulls the cable out on the far side, or puts it in again. Addresses are kept.
    pub fn plug(&self, is_in: bool) {
        self.far(&["ip", "link", "set", "cable", if is_in { "up" } else { "down" }]);
    }

    /// Takes our own side of the cable down, or up again; the address is kept.
    pub fn near_link(&self, is_up: bool) {
        self.near(&["ip", "link", "set", "cable", if is_up { "up" } else { "down" }]);
    }
}

impl Default for Net {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for holder in [&mut self.near, &mut self.far] {
            holder.kill().ok();
            holder.wait().ok();
        }
    }
}

/// Hosts in a row, of which we are the first: each reaches its neighbours and nobody else.
pub struct Row(Vec<Child>);

impl Row {
    /// Lays the cables to so many further hosts.
    pub fn new(further: u8) -> Self {
        assert!(User::many(), "networks are made of namespaces: run this as root");
        let row = Self((0..=further).map(|_| namespace()).collect());
        for host in &row.0 {
            run(host, &["ip", "link", "set", "lo", "up"]);
        }
        for (number, ends) in (1..).zip(row.0.windows(2)) {
            let [from, to] = ends else { continue };
            let peer = to.id().to_string();
            run(
                from,
                &[
                    "ip", "link", "add", "onwards", "type", "veth", "peer", "name", "back", "netns", &peer,
                ],
            );
            for (host, name, address) in [
                (from, "onwards", format!("10.78.{number}.1/24")),
                (to, "back", format!("{}/24", Self::address(number))),
            ] {
                run(host, &["ip", "address", "add", &address, "dev", name]);
                run(host, &["ip", "link", "set", name, "up"]);
            }
        }
        row
    }

    /// Where the host with this number (from 1) is for the one before it.
    pub fn address(number: u8) -> String {
        format!("10.78.{number}.2")
    }

    /// What makes a bed's sshd serve on the host with this number.
    pub fn sshd(&self, number: u8) -> SshdOptions {
        let host = self.0.get(usize::from(number)).expect("a host of the row");
        serves_in(host, &Self::address(number))
    }

    /// The same command run on our host, with its words and environment.
    pub fn on_first(&self, command: &Command, user: (u32, u32)) -> Command {
        run_in(self.0.first().expect("our host"), command, user)
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        for holder in &mut self.0 {
            holder.kill().ok();
            holder.wait().ok();
        }
    }
}

/// What makes a bed's sshd serve in a namespace, at this address.
fn serves_in(holder: &Child, address: &str) -> SshdOptions {
    let nsenter = tool("nsenter");
    SshdOptions {
        lines: vec![format!("ListenAddress {address}:{PORT}")],
        world: Some(format!(
            "exec {} --net={} \"$@\"",
            nsenter.display(),
            net_of(holder).display()
        )),
        ..SshdOptions::default()
    }
}

/// The same command run in a namespace, with its words and environment.
fn run_in(holder: &Child, command: &Command, user: (u32, u32)) -> Command {
    let mut inside = Command::new(tool("nsenter"));
    inside
        .arg(format!("--net={}", net_of(holder).display()))
        .arg(tool("setpriv"))
        .args([
            format!("--reuid={}", user.0),
            format!("--regid={}", user.1),
            "--clear-groups".to_owned(),
            "--".to_owned(),
        ])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            inside.env(name, value);
        }
    }
    inside
}

/// A process in a network namespace of its own, which lives as long as we do.
fn namespace() -> Child {
    let ours = fs::read_link("/proc/self/ns/net").expect("namespaces");
    let holder = Command::new(tool("unshare"))
        .args(["--net", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("unshare runs");
    eventually("a network namespace", || {
        fs::read_link(net_of(&holder)).is_ok_and(|its| its != ours)
    });
    holder
}

fn net_of(holder: &Child) -> PathBuf {
    format!("/proc/{}/ns/net", holder.id()).into()
}

fn run(holder: &Child, words: &[&str]) {
    let output = Command::new(tool("nsenter"))
        .arg(format!("--net={}", net_of(holder).display()))
        .arg(tool(words.first().expect("a tool")))
        .args(words.iter().skip(1))
        .stdin(Stdio::null())
        .output()
        .expect("nsenter runs");
    assert!(output.status.success(), "{words:?}: {output:?}");
}
