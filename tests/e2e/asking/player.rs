//! Plays rows of the matrix side by side, each in a session of its player's, and writes down what was told wrongly and
//! how soon a wait was told.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use sshmcp_tests::{Outcome, Shell, Shim, SshdOptions, Sudoer, TestBed, User, sshd::keygen};

use super::row::{Row, Source, Step, Who};

/// Rows that are played at the same time: most only wait.
const PLAYERS: usize = 16;
/// How long a row that must never be said to ask is watched: more than two looks behind the quiet time of a text.
const WATCHED: Duration = Duration::from_millis(1_800);
/// A machine under load gets this far in this time.
const STEP: f64 = 30.0;

/// What became of the plays.
#[derive(Default)]
pub(super) struct Report {
    /// How many there were.
    plays: usize,
    /// What was told otherwise, in words.
    wrong: Vec<String>,
    /// Of these: said to await input, and at work.
    false_reports: usize,
    /// Of these: awaited input, and never said to.
    misses: usize,
    /// From the call to the answer that it awaits input, in milliseconds, its own start in it.
    delays: Vec<u128>,
}

impl Report {
    fn add(&mut self, other: Self) {
        self.plays += other.plays;
        self.wrong.extend(other.wrong);
        self.false_reports += other.false_reports;
        self.misses += other.misses;
        self.delays.extend(other.delays);
    }

    /// The figures in a line.
    fn summary(&mut self) -> String {
        self.delays.sort_unstable();
        let median = self
            .delays
            .get(self.delays.len() / 2)
            .copied()
            .unwrap_or_default();
        let worst = self.delays.last().copied().unwrap_or_default();
        format!(
            "{} plays, {} wrong ({} false reports, {} misses); told after {median} ms in the median, {worst} ms at worst, the command's own start included",
            self.plays,
            self.wrong.len(),
            self.false_reports,
            self.misses,
        )
    }

    /// Fails with what was told wrongly.
    #[expect(
        clippy::print_stdout,
        reason = "the figures are what the long suite is run for"
    )]
    pub(super) fn check(mut self, host: &str) {
        let summary = format!("{host}: {}", self.summary());
        println!("{summary}");
        assert!(self.wrong.is_empty(), "{summary}\n\n{}", self.wrong.join("\n\n"));
    }
}

/// Programs that the rows run.
const PROGRAMS: [(&str, &str); 5] = [
    ("either.py", include_str!("programs/either.py")),
    ("server.py", include_str!("programs/server.py")),
    ("dialog.py", include_str!("programs/dialog.py")),
    ("relay.py", include_str!("programs/relay.py")),
    (
        "page.1",
        ".TH PAGE 1\n.SH NAME\npage \\- a page\n.SH TEXT\nIts text.\n",
    ),
];

/// The ordinary user, root, and the hosts of both.
pub(super) struct Stage {
    pub(super) bed: TestBed,
    asker: Sudoer,
    silent: TcpListener,
    /// Root's home here: what the machine's own root has in start-up files is nothing of ours.
    root_home: tempfile::TempDir,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(Shell::Bash, &SshdOptions::default())
    }

    /// The ordinary user has this login shell, and the host is as the options say.
    pub(super) fn with(shell: Shell, options: &SshdOptions) -> Self {
        let asker = Sudoer::new(shell);
        let mut options = options.clone();
        // Rows log in from the host to itself, by password too.
        options.lines.push(format!(
            "Match User {}\n PasswordAuthentication yes",
            asker.user.name
        ));
        let root_home = tempfile::tempdir().expect("a directory");
        options.lines.push(format!(
            "Match User root\n SetEnv %MARK HOME={}",
            root_home.path().display()
        ));
        let bed = TestBed::with(&options);
        let root = User::named("root", &Shell::Bash.program());
        for (host, user) in [("asker", &asker.user), ("root", &root)] {
            bed.authorize(bed.sshd(), user);
            bed.alias(host, &user.name, bed.sshd().port());
        }
        asker.allow(
            "Defaults:@ use_pty, timestamp_timeout=0, lecture=never\n\
             Defaults!/usr/bin/env !use_pty\nDefaults!/usr/bin/nice !use_pty\n\
             @ ALL=(ALL:ALL) ALL\n@ ALL=(ALL:ALL) NOPASSWD: /usr/bin/sleep, /usr/bin/env",
        );
        let key = bed.path("asker-key");
        keygen(&key);
        asker.user.own(&key);
        bed.sshd().authorize(
            &asker.user,
            &fs::read_to_string(bed.path("asker-key.pub")).expect("a key"),
        );
        let programs = bed.path("programs");
        fs::create_dir_all(&programs).expect("a directory");
        for (name, text) in PROGRAMS {
            fs::write(programs.join(name), text).expect("a program");
        }
        let long: String = (0..500).map(|line| format!("line {line}\n")).collect();
        fs::write(programs.join("long.txt"), long).expect("a text");
        Self {
            bed,
            asker,
            silent: TcpListener::bind(("127.0.0.1", 0)).expect("bind"),
            root_home,
        }
    }

    fn fill(&self, text: &str, scratch: &str) -> String {
        let port = self.bed.sshd().port();
        let name = &self.asker.user.name;
        let ssh = "ssh -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
        text.replace(
            "%SSH",
            &format!("{ssh} -o StrictHostKeyChecking=no -i @/key -p {port} {name}@127.0.0.1"),
        )
        .replace(
            "%ASK_SSH",
            &format!(
                "{ssh} -o StrictHostKeyChecking=ask -o PubkeyAuthentication=no -p {port} {name}@127.0.0.1"
            ),
        )
        .replace("@/", &format!("{scratch}/"))
        .replace("%PROGRAMS", &self.bed.path("programs").display().to_string())
        .replace(
            "%SILENT",
            &self.silent.local_addr().expect("bound").port().to_string(),
        )
        .replace("%ASKER", name)
    }

    /// Plays every row so many times as this host's user.
    pub(super) fn play(&self, host: &str, rows: &[Row], rounds: usize) -> Report {
        let who = if host.starts_with("root") {
            Who::Root
        } else {
            Who::User
        };
        let rows: Vec<&Row> = rows
            .iter()
            .filter(|row| row.who == Who::Both || row.who == who)
            .collect();
        let report = Mutex::new(Report::default());
        let next = AtomicUsize::new(0);
        let count = rows.len() * rounds;
        thread::scope(|scope| {
            for number in 0..PLAYERS.min(count) {
                let (rows, report, next) = (&rows, &report, &next);
                scope.spawn(move || {
                    let mut player = Player::new(self, host, number);
                    loop {
                        let turn = next.fetch_add(1, Ordering::Relaxed);
                        if turn >= count {
                            break;
                        }
                        let Some(row) = rows.get(turn % rows.len()) else {
                            break;
                        };
                        let played = player.report(row, turn);
                        report.lock().expect("no player panics with it").add(played);
                    }
                    player.shim.close();
                });
            }
        });
        report.into_inner().expect("no player panicked")
    }

    pub(super) fn finish(self) {
        self.bed.stop_daemon();
        drop(self.asker);
        self.bed.finish();
        self.root_home.close().expect("nothing holds it");
    }
}

struct Player<'s> {
    stage: &'s Stage,
    shim: Shim,
    host: &'s str,
    session: String,
}

impl<'s> Player<'s> {
    fn new(stage: &'s Stage, host: &'s str, number: usize) -> Self {
        Self {
            stage,
            shim: stage.bed.shim(),
            host,
            session: format!("{host}-{number}"),
        }
    }

    fn scratch(&self, turn: usize) -> PathBuf {
        let path = self.stage.bed.path(&format!("{}-{turn}", self.host));
        fs::create_dir_all(&path).expect("a directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("chmod");
        let key = path.join("key");
        // ssh takes only a key that is its user's own.
        fs::copy(self.stage.bed.path("asker-key"), &key).expect("a key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("chmod");
        if self.host != "root" {
            self.stage.asker.user.own(&key);
        }
        path
    }

    fn report(&mut self, row: &Row, turn: usize) -> Report {
        let mut report = Report {
            plays: 1,
            ..Report::default()
        };
        if let Err(words) = self.play(row, turn, &mut report) {
            let command = self.stage.fill(row.command, "@");
            report.wrong.push(format!("{}: {command:?}: {words}", self.host));
        }
        report
    }

    fn play(&mut self, row: &Row, turn: usize, report: &mut Report) -> Result<(), String> {
        let scratch = self.scratch(turn).display().to_string();
        let mut command = self.stage.fill(row.command, &scratch);
        if command.contains("ssh-keygen") {
            command = command.replace("/key", "/new-key");
        }
        // What is watched only has to be watched from its begin on.
        let watched = matches!(row.steps.first(), Some(Step::Works));
        let timeout = if watched { WATCHED.as_secs_f64() } else { STEP };
        // The time is the command's own: its session is there before.
        let opened = json!({"host": self.host, "session": self.session, "command": "true", "timeout": STEP});
        self.shim.execute(opened).map_err(|error| format!("{error:?}"))?;
        let arguments = json!({
            "host": self.host, "session": self.session, "command": command, "terminal": row.terminal,
            "timeout": timeout,
        });
        let called = Instant::now();
        let began = self
            .shim
            .execute(arguments)
            .map_err(|error| format!("{error:?}"))?;
        if began.status == "awaiting_input" && !watched {
            report.delays.push(called.elapsed().as_millis());
        }
        let result = self.follow(row, began.clone(), report);
        self.end(&began.id, row)?;
        result
    }

    fn follow(&mut self, row: &Row, began: Outcome, report: &mut Report) -> Result<(), String> {
        let mut now = began;
        let mut typed = false;
        for (index, step) in row.steps.iter().enumerate() {
            match *step {
                Step::Type(line) => {
                    self.type_line(&now.id, line)?;
                    typed = true;
                }
                Step::TypePassword => {
                    let password = self.stage.asker.password.clone();
                    self.type_line(&now.id, &password)?;
                    typed = true;
                }
                Step::Works => {
                    if index > 0 {
                        now = self.watch(&now.id, WATCHED.as_secs_f64())?;
                    }
                    report.false_reports += usize::from(now.status == "awaiting_input");
                    if now.status != "running" {
                        return Err(format!("is not at work: {}", now.object));
                    }
                }
                Step::Asks(..) | Step::Presses(_) | Step::Draws | Step::Ends(_) => {
                    if typed {
                        now = self.watch(&now.id, STEP)?;
                        typed = false;
                    }
                    let asks = !matches!(step, Step::Ends(_));
                    report.misses += usize::from(asks && now.status == "running");
                    self.compare(step, &now)?;
                }
            }
        }
        Ok(())
    }

    fn compare(&self, step: &Step, now: &Outcome) -> Result<(), String> {
        let prompt = &now.object["prompt"];
        let right = match *step {
            Step::Presses(text) => {
                now.status == "awaiting_input"
                    && prompt["source"] == json!("terminal")
                    && (&prompt["echo"], &prompt["keys"]) == (&json!(false), &json!(true))
                    && prompt["text"].as_str().is_some_and(|shown| shown.ends_with(text))
            }
            Step::Asks(source, echo, text) => {
                let source = match source {
                    Source::Terminal => "terminal",
                    Source::Text => "text",
                };
                let text = self.stage.fill(text, "@");
                now.status == "awaiting_input"
                    && prompt["source"] == json!(source)
                    && prompt["echo"] == json!(echo)
                    && prompt.get("keys").is_none()
                    && prompt["text"]
                        .as_str()
                        .is_some_and(|shown| shown.ends_with(&text))
            }
            Step::Draws => now.status == "awaiting_input" && prompt.is_null(),
            Step::Ends(code) => now.status == "completed" && now.exit_code == Some(code),
            Step::Works | Step::Type(_) | Step::TypePassword => true,
        };
        if right {
            Ok(())
        } else {
            Err(format!("wanted {step:?}, got {}", now.object))
        }
    }

    fn type_line(&mut self, id: &str, line: &str) -> Result<(), String> {
        self.shim
            .call("send_input", json!({"command_id": id, "text": line}))
            .map(|_| ())
            .map_err(|error| format!("{error:?}"))
    }

    /// The command when it asks or has ended, or at the end of the time.
    fn watch(&mut self, id: &str, seconds: f64) -> Result<Outcome, String> {
        let waited = json!({"commands": [id], "timeout": seconds});
        self.shim
            .call("wait_for", waited)
            .map_err(|error| format!("{error:?}"))?;
        let read = json!({"command_id": id});
        self.shim
            .call("get_command_output", read)
            .map(Outcome::read)
            .map_err(|error| format!("{error:?}"))
    }

    /// Ends what a row left running; a session in which it does not end is closed.
    fn end(&mut self, id: &str, row: &Row) -> Result<(), String> {
        let now = self.watch(id, 0.0)?;
        let plain = row
            .steps
            .iter()
            .all(|step| matches!(step, Step::Asks(..) | Step::Presses(_) | Step::Works));
        if !matches!(&*now.status, "running" | "awaiting_input") {
            return Ok(());
        }
        if plain && !row.terminal && !row.spoils && row.steps.len() == 1 {
            self.shim
                .call("interrupt_command", json!({"command_id": id}))
                .map_err(|error| format!("{error:?}"))?;
            let until = Instant::now() + Duration::from_secs(1);
            while Instant::now() < until {
                let now = self.watch(id, 1.0)?;
                if !matches!(&*now.status, "running" | "awaiting_input") {
                    return Ok(());
                }
                if now.status == "awaiting_input" {
                    break;
                }
            }
        }
        let closed = self.shim.call("close_session", json!({"session": self.session}));
        closed.map_err(|error| format!("{error:?}"))?;
        Ok(())
    }
}
