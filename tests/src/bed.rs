//! What a story needs: an operator's home, an sshd with host users, and the built programs; and nothing is left of it.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    patient,
    process::{MARK, Process},
    program::{built, tool},
    shim::Shim,
    sshd::{Sshd, SshdOptions, forced, keygen},
    trace::{abandoned, directories},
    user::{Shell, User},
    wait::{LONG, within},
};

/// Beds of this process so far, which makes their marks differ.
static BEDS: AtomicU32 = AtomicU32::new(0);

/// How a login of ours gets another shell than our own: `login SHELL HOME`, run by `ForceCommand`.
const LOGIN: &str = r#"#!/bin/sh
SHELL=$1 HOME=$2
export SHELL HOME
unset ENV ZDOTDIR
cd "$HOME" || exit
[ -z "${SSH_ORIGINAL_COMMAND:-}" ] || exec "$SHELL" -c "$SSH_ORIGINAL_COMMAND"
exec "$SHELL" -l
"#;

/// A place for one story.
pub struct TestBed {
    mark: String,
    operator: User,
    hosts: Vec<(Shell, User)>,
    guests: Vec<User>,
    sshds: Vec<Sshd>,
    before: BTreeSet<PathBuf>,
    finished: bool,
    // Last: what runs above has its files there.
    directory: tempfile::TempDir,
}

impl TestBed {
    /// A bed with an sshd as it comes, and a host for each of [`Shell::ALL`], named as [`Shell::host`] says.
    pub fn new() -> Self {
        Self::with(&SshdOptions::default())
    }

    /// A bed whose sshd has these options.
    pub fn with(options: &SshdOptions) -> Self {
        let directory = tempfile::Builder::new().prefix("sshmcp-bed-").tempdir();
        let directory = directory.expect("a temporary directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let number = BEDS.fetch_add(1, Ordering::Relaxed);
        let mut operator = User::operator();
        operator.home = directory.path().join("home");
        let hosts = Shell::ALL.map(|shell| (shell, User::of(shell, &directory.path().join("homes"))));
        let mut bed = Self {
            mark: format!("{}-{number}", std::process::id()),
            operator,
            hosts: hosts.into(),
            guests: Vec::new(),
            sshds: Vec::new(),
            before: BTreeSet::new(),
            finished: false,
            directory,
        };
        bed.before = abandoned(&bed.users());
        bed.make_home();
        if User::many() {
            bed.add_sshd(options, &Shell::ALL);
        } else {
            let login = bed.path("login");
            fs::write(&login, LOGIN).expect("the login script");
            fs::set_permissions(&login, fs::Permissions::from_mode(0o755)).expect("chmod");
            for shell in Shell::ALL {
                let mut options = options.clone();
                options.lines.push(forced(&login, shell, &bed.user(shell).home));
                bed.add_sshd(&options, &[shell]);
            }
        }
        bed
    }

    fn make_home(&self) {
        let ssh = self.home().join(".ssh");
        fs::create_dir_all(&ssh).expect("a home");
        keygen(&ssh.join("id_ed25519"));
        for name in ["config", "known_hosts"] {
            fs::write(ssh.join(name), "").expect("a file of the home");
        }
        for path in [self.home(), &ssh] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("chmod");
            self.operator.own(path);
        }
        for entry in fs::read_dir(&ssh).expect("just made").flatten() {
            self.operator.own(&entry.path());
        }
    }

    /// Starts one more sshd, whose users are those of these shells, and gives its number; the host names mean it then
    /// unless an earlier one has them.
    pub fn add_sshd(&mut self, options: &SshdOptions, shells: &[Shell]) -> usize {
        let number = self.sshds.len();
        let sshd = Sshd::start(&self.path(&format!("sshd{number}")), &self.mark, options);
        self.append(".ssh/known_hosts", &sshd.known_host());
        for shell in shells {
            let user = self.user(*shell).clone();
            self.authorize(&sshd, &user);
            self.alias(shell.host(), &user.name, sshd.port());
        }
        self.sshds.push(sshd);
        number
    }

    /// Lets the operator's key in.
    pub fn authorize(&self, sshd: &Sshd, user: &User) {
        let key = fs::read_to_string(self.home().join(".ssh/id_ed25519.pub"));
        sshd.authorize(user, &key.expect("the operator's key"));
    }

    /// Lets one more host user in, under this host name; nothing of ours may be left of that one's either.
    pub fn add_guest(&mut self, host: &str, user: &User) {
        self.authorize(self.sshd(), user);
        self.alias(host, &user.name, self.sshd().port());
        self.before.extend(abandoned(std::slice::from_ref(user)));
        self.guests.push(user.clone());
    }

    /// Adds a host to the operator's ssh configuration.
    pub fn alias(&self, name: &str, user: &str, port: u16) {
        let lines = format!("Host {name}\n HostName 127.0.0.1\n Port {port}\n User {user}\n");
        self.append(".ssh/config", &lines);
    }

    /// Appends to a file of the operator's home.
    pub fn append(&self, file: &str, text: &str) {
        let path = self.home().join(file);
        let opened = fs::OpenOptions::new().append(true).create(true).open(&path);
        opened
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .expect("a file of the home");
        self.operator.own(&path);
    }

    /// Gives what a story put below the operator's home to the operator.
    pub fn give(&self, name: &str) {
        let mut open = vec![self.home().join(name)];
        while let Some(path) = open.pop() {
            self.operator.own(&path);
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(entries.map(|entry| entry.path()));
        }
    }

    /// The operator's home.
    pub fn home(&self) -> &Path {
        &self.operator.home
    }

    /// A name in the bed's directory, which everybody can read.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// An empty directory that a host user may write to, for this story alone.
    pub fn scratch(&self, shell: Shell) -> PathBuf {
        let path = self.path(&format!("scratch-{}", shell.host()));
        fs::create_dir_all(&path).expect("a directory");
        self.user(shell).own(&path);
        path
    }

    /// Who logs in on the host with this shell.
    pub fn user(&self, shell: Shell) -> &User {
        let found = self.hosts.iter().find(|(of, _)| *of == shell);
        &found.expect("a user for every shell").1
    }

    /// The first sshd.
    pub fn sshd(&self) -> &Sshd {
        self.sshds.first().expect("a bed has an sshd")
    }

    /// The same, to be stopped and started.
    pub fn sshd_mut(&mut self) -> &mut Sshd {
        self.sshds.first_mut().expect("a bed has an sshd")
    }

    /// Ends one of them.
    pub fn stop_sshd(&mut self, number: usize) {
        self.sshds.get_mut(number).expect("an sshd").stop();
    }

    /// All of them.
    pub fn sshds(&self) -> &[Sshd] {
        &self.sshds
    }

    fn users(&self) -> Vec<User> {
        let hosts = self.hosts.iter().map(|(_, user)| user);
        hosts.chain(&self.guests).cloned().collect()
    }

    /// One of our programs, run by the operator with `HOME` and `PATH` alone.
    pub fn program(&self, name: &str) -> Command {
        let mut command = self.operator.command(&self.runnable(name));
        command
            .env_remove("USER")
            .env_remove("LOGNAME")
            .env("SSHMCP_DAEMON", self.runnable("sshmcpd"))
            .env(MARK, &self.mark)
            .stdin(Stdio::null());
        command
    }

    /// A tool of the system, run by the operator.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = self.operator.command(&tool(name));
        command.env(MARK, &self.mark).stdin(Stdio::null());
        command
    }

    /// The program where the operator may run it: the checkout can be closed to other users than root.
    fn runnable(&self, name: &str) -> PathBuf {
        let original = built(name);
        if !User::many() {
            return original;
        }
        let here = self.path(name);
        if !here.exists() {
            // Another file system takes a copy. It gets its name at once, whole: others may run it at this moment.
            let partial = self.path(&format!("{name}-{:?}", thread::current().id()));
            fs::hard_link(&original, &partial)
                .or_else(|_| fs::copy(&original, &partial).map(|_| ()))
                .expect("a copy");
            fs::rename(&partial, &here).expect("rename");
            fs::remove_file(&partial).ok();
        }
        here
    }

    /// An MCP client of a new `mcp-ssh`, hands shaken.
    pub fn shim(&self) -> Shim {
        let mut command = self.program("mcp-ssh");
        let log = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path("shim.log"));
        command.stderr(log.expect("a log"));
        Shim::start(command)
    }

    /// Runs sshctl to its end.
    pub fn ctl(&self, arguments: &[&str]) -> Output {
        let mut sshctl = self.program("sshctl");
        sshctl
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        patient::output(sshctl.spawn().expect("sshctl runs"))
    }

    /// The daemons of this bed.
    pub fn daemons(&self) -> Vec<Process> {
        let mut all = self.processes();
        all.retain(|process| process.name == "sshmcpd");
        all
    }

    /// Everything that this bed started, here and on its hosts, but for the sshds themselves.
    pub fn processes(&self) -> Vec<Process> {
        let mut all = Process::marked(&self.mark);
        all.retain(|process| process.pid != std::process::id().cast_signed());
        all
    }

    /// Asks the daemon to end, as `systemctl stop` does, and waits until it has.
    pub fn stop_daemon(&self) {
        for daemon in self.daemons() {
            daemon.signal(Signal::TERM);
        }
        let ended = within(LONG, || self.daemons().is_empty().then_some(()));
        assert!(ended.is_some(), "the daemon does not end: {:?}", self.daemons());
    }

    /// Ends the story: the daemon stops, and no process and no directory of ours is left anywhere.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.finished = true;
        // What a session of ours has on the host now must be gone then.
        let ours: BTreeSet<PathBuf> = directories(&self.users())
            .into_iter()
            .filter(|path| self.uses(path))
            .collect();
        self.stop_daemon();
        let left = within(LONG, || {
            let quiet =
                self.processes().is_empty() && self.sshds.iter().all(|sshd| sshd.serving().is_empty());
            quiet.then_some(())
        });
        assert!(left.is_some(), "left behind: {:#?}", self.processes());
        let left = within(LONG, || {
            let now = abandoned(&self.users());
            let new = now.difference(&self.before).next().is_none();
            (new && !ours.iter().any(|path| path.exists())).then_some(())
        });
        assert!(
            left.is_some(),
            "left behind: {:?}, of {ours:?}",
            abandoned(&self.users()).difference(&self.before)
        );
    }

    /// After a failure: the hosts are left clean all the same, or the stories beside this one would fail for it.
    fn sweep(&self) {
        let mut ours = directories(&self.users());
        ours.retain(|path| self.uses(path));
        for process in self.processes() {
            process.signal(Signal::TERM);
        }
        within(SWEEP, || self.processes().is_empty().then_some(()));
        for process in self.processes() {
            process.signal(Signal::KILL);
        }
        for path in ours {
            fs::remove_dir_all(path).ok();
        }
    }

    fn uses(&self, directory: &Path) -> bool {
        let uses = |process: &Process| {
            process
                .open_files()
                .iter()
                .any(|file| file.starts_with(directory))
        };
        self.processes().iter().any(uses)
    }

    /// What the daemon and the shims logged, for whoever reads why a story failed.
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
    fn tell(&self) {
        for path in [
            self.path("shim.log"),
            daemon_log(&self.home().join(".local/state/sshmcp/daemon")),
        ] {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.len().saturating_sub(LOG_TAIL);
            eprintln!("--- {}\n{}", path.display(), lines[last..].join("\n"));
        }
    }
}

/// The daemon's newest log.
fn daemon_log(directory: &Path) -> PathBuf {
    let logs = fs::read_dir(directory).into_iter().flatten().flatten();
    logs.map(|entry| entry.path()).max().unwrap_or_default()
}

/// What ends in good order after a failure does so in this time.
const SWEEP: Duration = Duration::from_secs(3);

/// Lines of a log that are shown when a story failed.
const LOG_TAIL: usize = 40;

impl Default for TestBed {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestBed {
    fn drop(&mut self) {
        if !self.finished && !thread::panicking() {
            self.end();
        }
        if thread::panicking() {
            self.tell();
            self.sweep();
        }
        for process in self.processes() {
            process.signal(Signal::KILL);
        }
    }
}
