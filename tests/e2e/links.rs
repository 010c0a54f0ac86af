//! What a network does to sessions: between two hosts in namespaces, with a real sshd on the far one. `SSHMCP_LONG=1` takes
//! the time that a dead peer is given, and plays the stories of shims and stopped machines at full length.

mod durable;
mod lid;
mod returning;
mod shims;

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    process::Output,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sshmcp_tests::{
    Net, Outcome, Shell, Shim, SshdOptions, TestBed, eventually, eventually_some,
    net::{FAR, NEAR, PORT},
    wait::within,
};

/// The host beyond the cable.
const HOST: &str = "far";
/// Longer than a new connection, login and shell take, on a machine under load.
const AT_ONCE: Duration = Duration::from_secs(10);
/// The promise: a dead peer is seen within this time, without any setting.
const DEAD_WITHIN: Duration = Duration::from_secs(45);

/// True in the long suite.
fn is_long() -> bool {
    std::env::var_os("SSHMCP_LONG").is_some()
}

/// Lets time pass while nothing is to happen.
fn pass(time: Duration) {
    within(time, || None::<()>);
}

/// A daemon on our host, and a bed whose sshd is on the far one.
struct Far {
    bed: TestBed,
    net: Net,
}

impl Far {
    /// With these further lines for the far host in the operator's ssh configuration.
    fn with(lines: &str) -> Self {
        Self::of(lines, |_| {})
    }

    /// The same, where tmux has its servers' sockets in this directory.
    fn keeping(lines: &str, sockets: &Path) -> Self {
        fs::set_permissions(sockets, fs::Permissions::from_mode(0o1777)).expect("everybody's");
        Self::of(lines, |options| {
            let line = format!("Match All\n SetEnv %MARK TMUX_TMPDIR={}", sockets.display());
            options.lines.push(line);
        })
    }

    fn of(lines: &str, more: impl FnOnce(&mut SshdOptions)) -> Self {
        let net = Net::new();
        let mut options = net.sshd();
        more(&mut options);
        let bed = TestBed::with(&options);
        let known = bed.sshd().known_host();
        let (_, key) = known.split_once(' ').expect("a name and a key");
        bed.append(".ssh/known_hosts", &format!("{FAR} {key}"));
        let user = &bed.user(Shell::Bash).name;
        bed.append(
            ".ssh/config",
            &format!("Host {HOST}\n HostName {FAR}\n Port {PORT}\n User {user}\n{lines}"),
        );
        let far = Self { bed, net };
        let started = far.ctl_near(&["daemon", "start"]);
        assert!(started.status.success(), "{started:?}");
        far
    }

    /// sshctl on our host: a daemon that it starts has its network.
    fn ctl_near(&self, arguments: &[&str]) -> Output {
        let mut command = self.bed.program("sshctl");
        command.args(arguments);
        let home = self.bed.home().metadata().expect("a home");
        let inside = self.net.on_near(&command, (home.uid(), home.gid())).output();
        inside.expect("nsenter runs")
    }

    /// Ends the story.
    fn finish(self) {
        self.net.deliver();
        self.bed.finish();
    }
}

fn session(shim: &mut Shim) -> Value {
    session_of(shim, HOST)
}

fn session_of(shim: &mut Shim, name: &str) -> Value {
    let listed = shim.call("list_sessions", json!({})).expect("a list");
    let sessions = listed["sessions"].as_array().expect("a list");
    let found = sessions.iter().find(|one| one["session"] == name);
    found.cloned().unwrap_or_default()
}

fn state(shim: &mut Shim) -> String {
    state_of(shim, HOST)
}

fn state_of(shim: &mut Shim, name: &str) -> String {
    session_of(shim, name)["state"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Numbered lines, one every tenth of a second.
fn lines(number: usize) -> String {
    format!(
        "i=0; while [ $i -lt {number} ]; do echo line $i; i=$((i+1)); sleep 0.1; done; exit_code() {{ return 7; }}; exit_code"
    )
}

fn numbered(number: usize) -> String {
    (0..number).map(|line| format!("line {line}\n")).collect()
}

/// Begins a command that writes, and waits until it does.
fn begin(shim: &mut Shim, number: usize) -> u64 {
    let call = shim.begin_call(
        "execute_command",
        json!({"host": HOST, "command": lines(number), "timeout": 50, "output_limit": 40_000}),
    );
    writes(shim, 0);
    call
}

/// Waits until the running command has written more than so much.
fn writes(shim: &mut Shim, more_than: u64) {
    eventually("it writes", || {
        let active = shim.call("get_active_commands", json!({})).expect("a list");
        let bytes = active["commands"][0]["total_bytes"].as_u64();
        bytes.is_some_and(|bytes| bytes > more_than)
    });
}

/// Begins an outage (true), or ends it.
type Outage = fn(&Net, bool);

/// What can keep a shell, each as the session of that name; further a durable command, which has none.
const KEEPERS: [&str; 2] = ["daemon", "remote-tmux"];

/// Runs a command in the session of this keeper.
fn run_in(shim: &mut Shim, keeper: &str, command: &str) -> Outcome {
    let arguments = json!({"session": keeper, "command": command, "timeout": 50});
    shim.execute(arguments)
        .unwrap_or_else(|error| panic!("{keeper}: {error:?}"))
}

/// The state of each keeper's session is what it was, and nothing happened to it.
fn untouched(shim: &mut Shim, what: &str) {
    for keeper in KEEPERS {
        let after = run_in(shim, keeper, "echo $PWD $kept");
        assert_eq!(
            (&*after.stdout, &*after.notice),
            ("/usr variable\n", ""),
            "{keeper}: {what}"
        );
    }
}

/// Outages of some seconds are ordinary: whatever swallows the packets, sessions, their commands and every line of their
/// output are as if nothing had been, whatever keeps them.
#[test]
fn a_short_outage_loses_nothing() {
    let sockets = tempfile::tempdir().expect("a directory");
    let far = Far::keeping("", sockets.path());
    let mut shim = far.bed.shim();
    for keeper in KEEPERS {
        let opening = json!({"host": HOST, "session": keeper, "keeper": keeper});
        let opened = shim.call("open_session", opening).expect("it opens");
        assert_eq!(opened["keeper"], keeper, "{opened}");
        run_in(&mut shim, keeper, "cd /usr; kept=variable");
    }
    let short = Duration::from_millis(if is_long() { 5_000 } else { 500 });
    let outages: [(&str, Duration, Outage); 3] = [
        ("swallowed", Duration::from_secs(5), |net, out| {
            if out { net.swallow() } else { net.deliver() }
        }),
        ("the far cable", short, |net, out| net.plug(!out)),
        ("our link", short, |net, out| net.near_link(!out)),
    ];
    for (what, time, outage) in outages {
        let number = if time > Duration::from_secs(1) { 30 } else { 10 };
        // A session takes part in a durable command's start alone.
        let mut ways = vec![json!({"session": "daemon", "durable": true})];
        ways.extend(KEEPERS.iter().map(|keeper| json!({"session": keeper})));
        let commands: Vec<(String, String)> = ways
            .into_iter()
            .map(|mut arguments| {
                let way = arguments.to_string();
                arguments["command"] = lines(number).into();
                arguments["timeout"] = 0.into();
                (way, shim.execute(arguments).expect("it starts").id)
            })
            .collect();
        for (way, id) in &commands {
            eventually(&format!("{way} writes"), || {
                let read = shim.call("get_command_output", json!({"command_id": id}));
                read.expect("it is known")["total_bytes"] != 0
            });
        }
        outage(&far.net, true);
        pass(time);
        outage(&far.net, false);
        for (way, id) in &commands {
            let outcome = shim.wait_for(id);
            assert_eq!(
                (
                    &*outcome.status,
                    outcome.exit_code,
                    &*outcome.stdout,
                    &*outcome.notice
                ),
                ("completed", Some(7), &*numbered(number), ""),
                "{way}, {what}: {outcome:?}"
            );
        }
        untouched(&mut shim, what);
    }
    if is_long() {
        // As long as is promised to be forgiven, on lines that are at rest when it begins.
        far.net.swallow();
        pass(Duration::from_secs(10));
        far.net.deliver();
        untouched(&mut shim, "10 s");
    }
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    far.finish();
}

/// A host that does not answer is `stalled` for whoever asks, agent or person, and what it did is told with a word of it.
/// When it answers again, nothing was lost.
#[test]
fn a_stalled_host_is_told_and_forgiven() {
    let far = Far::with(" ServerAliveInterval 1\n ServerAliveCountMax 30\n");
    let mut shim = far.bed.shim();
    let mut looker = far.bed.shim();
    let call = begin(&mut shim, 30);
    let id =
        looker.call("get_active_commands", json!({})).expect("a list")["commands"][0]["command_id"].clone();
    far.net.swallow();
    eventually("it is stalled", || state(&mut looker) == "stalled");
    let told = session(&mut looker);
    assert!(
        told["notice"]
            .as_str()
            .is_some_and(|text| text.contains("not answered")),
        "{told}"
    );
    assert_eq!(told["running_command_id"], id);
    let outcome = Outcome::read(
        looker
            .call("get_command_output", json!({"command_id": id}))
            .expect("known"),
    );
    assert_eq!(outcome.status, "running");
    assert!(outcome.notice.contains("not answered"), "{outcome:?}");
    assert!(outcome.stdout.starts_with("line 0\n"), "{outcome:?}");
    let listed = far.bed.ctl(&["sessions", "--json"]);
    assert!(
        String::from_utf8_lossy(&listed.stdout).contains("\"stalled\""),
        "{listed:?}"
    );
    let status = far.bed.ctl(&["status", "--json"]);
    assert!(
        String::from_utf8_lossy(&status.stdout).contains("far: stalled"),
        "{status:?}"
    );
    // A call that meets it waits as long as it was told to, and no longer; its command did not run.
    let began = Instant::now();
    let refused = looker
        .execute(json!({"session": HOST, "command": "echo twice", "timeout": 1}))
        .expect_err("busy");
    assert_eq!(refused.code, "session_busy");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    far.net.deliver();
    eventually("it answers", || !matches!(&*state(&mut looker), "stalled"));
    let outcome = Outcome::read(shim.finish_call(call).expect("a result"));
    assert_eq!(
        (
            &*outcome.status,
            outcome.exit_code,
            &*outcome.stdout,
            &*outcome.notice
        ),
        ("completed", Some(7), &*numbered(30), ""),
        "{outcome:?}"
    );
    for one in [shim, looker] {
        one.close();
    }
    far.finish();
}

/// OpenSSH's own client tells nobody that its host is silent; it is seen all the same, forgiven, and told as the end when it
/// is one.
#[test]
fn a_black_hole_behind_openssh() {
    let far = Far::with(if is_long() {
        ""
    } else {
        " ServerAliveInterval 1\n ServerAliveCountMax 10\n"
    });
    let mut shim = far.bed.shim();
    let mut looker = far.bed.shim();
    let opening = json!({"host": HOST, "keeper": "local-tmux"});
    let opened = shim.call("open_session", opening).expect("it opens");
    assert_eq!(opened["keeper"], "local-tmux", "{opened}");
    shim.run(HOST, "cd /usr");
    let call = begin(&mut shim, 30);
    far.net.swallow();
    let is = |looker: &mut Shim, wanted: &str| {
        let seen = within(DEAD_WITHIN, || (state(looker) == wanted).then_some(()));
        assert!(seen.is_some(), "{wanted}: {}", session(looker));
    };
    is(&mut looker, "stalled");
    far.net.deliver();
    eventually("it answers", || state(&mut looker) != "stalled");
    let outcome = Outcome::read(shim.finish_call(call).expect("a result"));
    assert_eq!(
        (&*outcome.status, outcome.exit_code, &*outcome.stdout),
        ("completed", Some(7), &*numbered(30)),
        "{outcome:?}"
    );

    let call = begin(&mut shim, 900);
    far.net.swallow();
    is(&mut looker, "stalled");
    is(&mut looker, "disconnected");
    let outcome = Outcome::read(shim.finish_call(call).expect("a result"));
    assert_eq!(
        (&*outcome.status, outcome.exit_code),
        ("lost", None),
        "{outcome:?}"
    );
    far.net.deliver();
    let again = shim.run(HOST, "pwd");
    assert_eq!(again.stdout, "/usr\n", "{again:?}");
    shim.call("close_session", json!({"all": true})).expect("closed");
    for one in [shim, looker] {
        one.close();
    }
    // The far side sees the end of the connection that died.
    far.net.far(&["ss", "-K", "dst", NEAR]);
    far.finish();
}

/// Whatever is asked of a session whose host does not answer is answered in time, with what is known; it can be closed,
/// another session there can be tried, and the daemon ends as ever.
#[test]
fn no_call_hangs_on_a_stalled_host() {
    let far = Far::with(" ServerAliveInterval 1\n ServerAliveCountMax 120\n");
    let mut shim = far.bed.shim();
    let call = begin(&mut shim, 900);
    far.net.swallow();
    let mut looker = far.bed.shim();
    eventually("it is stalled", || state(&mut looker) == "stalled");
    let calls = [
        ("get_terminal_output", json!({"session": HOST})),
        ("wait_for", json!({"sessions": [HOST], "timeout": 0.3})),
        (
            "send_input",
            json!({"session": HOST, "text": "x", "timeout": 0.3}),
        ),
        ("interrupt_command", json!({"session": HOST, "timeout": 0.3})),
        (
            "interrupt_command",
            json!({"session": HOST, "signal": "TERM", "timeout": 0.3}),
        ),
        ("open_session", json!({"host": HOST, "session": "another"})),
        (
            "execute_command",
            json!({"host": HOST, "command": "true", "timeout": 0}),
        ),
        ("close_session", json!({"session": HOST})),
    ];
    for (tool, arguments) in calls {
        if arguments["host"] == HOST && !is_long() {
            continue;
        }
        let began = Instant::now();
        let answer = looker.call(tool, arguments.clone());
        let took = began.elapsed();
        // A new connection, for a further session, is given 15 s to be made.
        let is_new = arguments["host"] == HOST;
        let most = Duration::from_secs(if is_new { 20 } else { 6 });
        assert!(took < most, "{tool} {arguments}: {took:?}");
        if is_new {
            assert_eq!(answer.expect_err("nobody answers").code, "unreachable");
        }
    }
    let outcome = Outcome::read(shim.finish_call(call).expect("a result"));
    assert_eq!(outcome.status, "lost", "{outcome:?}");
    let call = shim.begin_call(
        "execute_command",
        json!({"host": HOST, "command": "true", "timeout": 50}),
    );
    let began = Instant::now();
    far.bed.stop_daemon();
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    shim.finish_call(call).expect_err("nothing was run");
    for one in [shim, looker] {
        one.close();
    }
    // Nobody of ours is there who could know of the shell that is left; the far side sees the end now.
    far.net.deliver();
    far.net.far(&["ss", "-K", "dst", NEAR]);
    far.finish();
}

/// Nothing but one session's shell is left on the far host.
fn alone(far: &Far) {
    eventually("nothing of the dead connection is left", || {
        let serving = far.bed.sshd().serving();
        let sleeping = serving.iter().filter(|process| process.line.contains("sleep"));
        sleeping.count() == 0 && serving.iter().filter(|process| process.name == "bash").count() == 1
    });
}

/// A black hole that does not end: first `stalled`, then `disconnected`, in the time that is promised; the call in flight
/// returns what it knows, and the next use of the session works once the network does.
#[test]
fn a_black_hole_is_seen_in_time() {
    let far = Far::with(if is_long() {
        ""
    } else {
        " ServerAliveInterval 1\n ServerAliveCountMax 2\n"
    });
    let mut shim = far.bed.shim();
    let mut looker = far.bed.shim();
    shim.run(HOST, "cd /usr");
    let call = begin(&mut shim, 900);
    let cut = Instant::now();
    far.net.swallow();
    let stalled = within(DEAD_WITHIN, || {
        (state(&mut looker) == "stalled").then(|| cut.elapsed())
    });
    let dead = within(DEAD_WITHIN, || {
        (state(&mut looker) == "disconnected").then(|| cut.elapsed())
    });
    say(&format!("stalled after {stalled:?}, disconnected after {dead:?}"));
    let (stalled, dead) = (stalled.expect("stalled"), dead.expect("disconnected"));
    assert!(stalled < dead && dead < DEAD_WITHIN, "{stalled:?}, {dead:?}");
    let outcome = Outcome::read(shim.finish_call(call).expect("a result"));
    assert_eq!(
        (&*outcome.status, outcome.exit_code),
        ("lost", None),
        "{outcome:?}"
    );
    assert!(outcome.stdout.starts_with("line 0\n"), "{outcome:?}");
    assert!(outcome.notice.contains("no longer answers"), "{outcome:?}");
    if is_long() {
        pass(Duration::from_secs(60).saturating_sub(cut.elapsed()));
    } else {
        // It is still dead: the next call says so, and does not hang.
        let refused = shim.execute(json!({"host": HOST, "command": "true", "timeout": 2}));
        let refused = refused.expect_err("nobody answers");
        assert!(
            matches!(&*refused.code, "unreachable" | "session_busy"),
            "{refused:?}"
        );
    }
    far.net.deliver();
    let again = eventually_some("it is there again", || {
        shim.execute(json!({"host": HOST, "command": "pwd", "timeout": 20}))
            .ok()
    });
    assert_eq!(again.stdout, "/usr\n", "{again:?}");
    // The far side does not know by itself that the first connection is dead.
    alone(&far);
    for one in [shim, looker] {
        one.close();
    }
    far.finish();
}

/// A command that was typed into a black hole: it is told as lost, and what the far side had not taken does not arrive when
/// everybody believes the connection dead. Whoever runs it again then runs it once. A session that was closed meanwhile is
/// closed for us; what is left of it there ends as soon as the host is reached again.
#[test]
fn what_was_not_taken_is_not_run_late() {
    let far = Far::with(" ServerAliveInterval 1\n ServerAliveCountMax 3\n");
    let mut shim = far.bed.shim();
    let closed = begin(&mut shim, 900);
    let mut other = far.bed.shim();
    let second =
        |command: &str| json!({"host": HOST, "session": "second", "command": command, "timeout": 50});
    other.execute(second("true")).expect("a session");
    let counter = far.bed.scratch(Shell::Bash).join("counter");
    let command = format!("echo ran >> {}", counter.display());
    let count = || {
        let text = std::fs::read_to_string(&counter).unwrap_or_default();
        text.lines().count()
    };
    far.net.swallow();
    let call = other.begin_call("execute_command", second(&command));
    eventually("it is stalled", || state(&mut shim) == "stalled");
    shim.call("close_session", json!({"session": HOST}))
        .expect("closed");
    for outcome in [shim.finish_call(closed), other.finish_call(call)] {
        let outcome = Outcome::read(outcome.expect("a result"));
        assert_eq!(outcome.status, "lost", "{outcome:?}");
    }
    far.net.deliver();
    // By then a closed connection would have sent it again.
    pass(Duration::from_secs(if is_long() { 20 } else { 3 }));
    assert_eq!(count(), 0, "nobody took it");
    let again = eventually_some("it is there again", || other.execute(second(&command)).ok());
    assert_eq!((&*again.status, count()), ("completed", 1), "{again:?}");
    alone(&far);
    for one in [shim, other] {
        one.close();
    }
    far.finish();
}

/// A reset is no outage: it is seen at once, and the next use works.
#[test]
fn a_reset_is_seen_at_once() {
    let far = Far::with("");
    let mut shim = far.bed.shim();
    for refuses in [false, true] {
        let call = begin(&mut shim, 900);
        let cut = Instant::now();
        if refuses {
            far.net.refuse();
            // Whatever is sent next is answered by a reset.
            let mut typist = far.bed.shim();
            typist
                .call("send_input", json!({"session": HOST, "text": "x", "timeout": 0}))
                .ok();
            typist.close();
        } else {
            far.net.reset();
        }
        let outcome = Outcome::read(shim.finish_call(call).expect("a result"));
        assert_eq!(outcome.status, "lost", "{outcome:?}");
        assert!(cut.elapsed() < AT_ONCE, "{:?}", cut.elapsed());
        far.net.deliver();
        assert_eq!(shim.run(HOST, "echo there").stdout, "there\n");
    }
    shim.close();
    far.finish();
}

/// A server that restarts ends its sessions; the next use of each finds the new one.
#[test]
fn a_server_restarts() {
    let mut far = Far::with("");
    let mut shim = far.bed.shim();
    shim.run(HOST, "cd /usr");
    far.bed.sshd_mut().stop();
    eventually("the end is seen", || state(&mut shim) == "disconnected");
    let refused = shim
        .execute(json!({"host": HOST, "command": "true"}))
        .expect_err("nobody listens");
    assert_eq!(refused.code, "unreachable", "{refused:?}");
    far.bed.sshd_mut().start_again();
    let again = shim.run(HOST, "pwd");
    assert_eq!(again.stdout, "/usr\n");
    assert!(again.notice.contains("opened again"), "{again:?}");
    shim.close();
    far.finish();
}

#[expect(clippy::print_stderr, reason = "figures for whoever runs the long suite")]
fn say(text: &str) {
    eprintln!("links: {text}");
}
