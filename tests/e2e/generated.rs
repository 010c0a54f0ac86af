//! Scripts that nobody thought of: written by a small grammar, run by the product and by `SHELL -c` on the same host,
//! and alike in exit code, standard output and standard error.
//!
//! `SSHMCP_SEED=N` repeats a run, `SSHMCP_LONG=1` writes 1,000 scripts a shell.

mod fish;
mod grammar;

use std::path::PathBuf;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use regex::Regex;
use serde_json::json;
use sshmcp_tests::{Shell, Shim, TestBed, User};

use self::grammar::{RUN, Writer};
use crate::shells::reference::{Said, run, without_names};

/// Scripts a shell in the fast suite.
const FEW: u32 = 60;
/// Scripts a shell in the long one.
const MANY: u32 = 1000;
/// Runs of a script whose answer is left to chance.
const CHANCES: usize = 5;
/// Differences that are told; one fault shows in many scripts.
const TOLD: usize = 5;

#[test]
fn bash_runs_what_is_generated() {
    play(Shell::Bash);
}

#[test]
fn zsh_runs_what_is_generated() {
    play(Shell::Zsh);
}

#[test]
fn dash_runs_what_is_generated() {
    play(Shell::Dash);
}

#[test]
fn ash_runs_what_is_generated() {
    play(Shell::Ash);
}

#[test]
fn ksh_runs_what_is_generated() {
    play(Shell::Ksh);
}

#[test]
fn mksh_runs_what_is_generated() {
    play(Shell::Mksh);
}

#[test]
fn fish_runs_what_is_generated() {
    play(Shell::Fish);
}

/// Of the fast suite.
const SEED: u64 = 20_261_126;

#[expect(clippy::print_stderr, reason = "whoever wants to repeat a run needs its seed")]
fn play(shell: Shell) {
    let long = std::env::var_os("SSHMCP_LONG").is_some();
    let seed = match std::env::var("SSHMCP_SEED") {
        Ok(given) => given.parse().expect("SSHMCP_SEED is a number"),
        // A change is held against the same scripts as the one before; the long suite looks for others.
        Err(_) if long => rand::rng().random::<u64>(),
        Err(_) => SEED,
    };
    let count = if long { MANY } else { FEW };
    eprintln!("{shell:?}: {count} scripts with SSHMCP_SEED={seed}");
    let bed = TestBed::new();
    let mut pair = Pair {
        shim: bed.shim(),
        shell,
        user: bed.user(shell).clone(),
        scratch: bed.scratch(shell),
        runs: 0,
    };
    let mut random = StdRng::seed_from_u64(seed);
    let mut wrong = Vec::new();
    for number in 0..count {
        let script = match shell {
            Shell::Fish => fish::Writer::new(&mut random).script(),
            _ => Writer::new(&mut random, shell).script(),
        };
        if let Some(words) = pair.differ(&script) {
            let (least, words) = pair.least(script, words);
            wrong.push(format!("script {number}:\n{}\n{words}", least.join("\n")));
            if wrong.len() == TOLD {
                break;
            }
        }
    }
    pair.shim.close();
    assert!(
        wrong.is_empty(),
        "{shell:?}, SSHMCP_SEED={seed}: {} scripts differ:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    bed.finish();
}

/// The product beside the shell.
struct Pair {
    shim: Shim,
    shell: Shell,
    user: User,
    scratch: PathBuf,
    runs: u32,
}

impl Pair {
    /// In what the two differ, if they do. With quotes gone astray there are pipes that nobody meant, whose ends complain in
    /// any order, into each other's lines, or not at all: there a difference is one that is there each time.
    fn differ(&mut self, script: &[String]) -> Option<String> {
        let is_astray = script.iter().any(|line| line.ends_with("open"));
        let runs = if is_astray { CHANCES } else { 1 };
        let mut last = None;
        for _ in 0..runs {
            last = Some(self.differ_now(script, is_astray)?);
        }
        last
    }

    fn differ_now(&mut self, script: &[String], is_astray: bool) -> Option<String> {
        // Both write their files into a place of their own, of one name's length.
        let [ours, theirs] = ["a", "b"].map(|side| self.place(side));
        let body = script.join("\n").replace(RUN, &format!("{:06}", self.runs));
        let text = |place: &PathBuf| format!("cd {}\n{body}", place.display());
        let arguments = json!({
            "host": self.shell.host(),
            "session": "generated",
            "command": text(&ours),
            "timeout": 50,
            "output_limit": 40_000,
        });
        let outcome = match self.shim.execute(arguments) {
            Ok(outcome) => outcome,
            Err(error) => return Some(format!("{error:?}")),
        };
        if outcome.status != "completed" {
            self.shim
                .call("close_session", json!({"session": "generated"}))
                .ok();
            return Some(format!("status {}: {}", outcome.status, outcome.object));
        }
        let omitted = outcome.number("omitted_bytes");
        let (stdout, stderr) = if omitted == 0 {
            (outcome.stdout, outcome.stderr)
        } else {
            self.shim.whole_output(&outcome.id)
        };
        let code = outcome.exit_code;
        let got = Said { code, stdout, stderr };
        let mut reference = text(&theirs);
        // ksh reads a text for eval to its end before it runs any of it, and one for -c line by line.
        // Below an eval mksh passes over a subshell's EXIT trap where `set -e` ends that in an eval of its own.
        let is_passed_over =
            self.shell == Shell::Mksh && reference.contains("set -e") && reference.contains("' EXIT");
        if is_passed_over || self.shell == Shell::Ksh && got.stderr.contains("syntax error") {
            reference = format!("eval {}", quoted(&reference));
        }
        let wanted = run(&self.user, self.shell, &theirs, &reference);
        self.compare(got, wanted, is_astray)
    }

    /// In what two answers differ, if they do.
    fn compare(&self, got: Said, wanted: Said, is_astray: bool) -> Option<String> {
        let [mut got, mut wanted] = [got, wanted].map(|said| self.plain(said));
        // A quote gone astray may print $OLDPWD: a place of this or of an earlier script.
        let places = Regex::new("scratch-[a-z-]+/[ab][0-9]+").expect("it is a pattern");
        for said in [&mut got, &mut wanted] {
            said.stdout = places.replace_all(&said.stdout, "PLACE").into_owned();
            said.stderr = places.replace_all(&said.stderr, "PLACE").into_owned();
        }
        // What fish says itself, and what its command substitutions do, comes behind the rest.
        if is_astray || self.shell == Shell::Fish {
            for said in [&mut got, &mut wanted] {
                let mut lines: Vec<&str> = said.stderr.split_inclusive('\n').collect();
                lines.sort_unstable();
                said.stderr = lines.concat();
            }
        }
        let mut found = Vec::new();
        // eval and -c of one bash give different codes for a quote that never ends, those of fish for all that cannot
        // be read.
        let open = match self.shell {
            Shell::Bash => wanted.stderr.contains("unexpected EOF while looking"),
            Shell::Fish => matches!(got.code, Some(121..=123)) && wanted.stdout.is_empty(),
            _ => false,
        };
        if got.code != wanted.code && !open {
            found.push(format!("exit code {:?}, not {:?}", got.code, wanted.code));
        }
        found.extend(difference("stdout", &got.stdout, &wanted.stdout));
        found.extend(difference("stderr", &got.stderr, &wanted.stderr));
        (!found.is_empty()).then(|| found.join("\n"))
    }

    fn place(&mut self, side: &str) -> PathBuf {
        self.runs += 1;
        let place = self.scratch.join(format!("{side}{:06}", self.runs));
        std::fs::create_dir_all(&place).expect("a directory");
        self.user.own(&place);
        place
    }

    /// Without what an interactive shell alone says: its name, and which jobs it has.
    fn plain(&self, said: Said) -> Said {
        let names = without_names(self.shell, &said.stderr);
        // A ksh that is not interactive names the process that a signal ended, behind whatever stands on the line; its
        // number cannot be told from digits before it.
        let ended =
            Regex::new(r"(?m)(?:\d+: |\d+)?(Terminated|Killed|Memory fault)$").expect("it is a pattern");
        let names = match self.shell {
            Shell::Ksh => ended.replace_all(&names, "$1").into_owned(),
            // eval and -c of one mksh name the end of the text otherwise.
            Shell::Mksh => names.replace("unexpected 'newline'", "unexpected EOF"),
            // An interactive fish puts an empty line behind what it could not read, wherever that comes to stand.
            Shell::Fish => names.split_inclusive('\n').filter(|line| *line != "\n").collect(),
            _ => names,
        };
        let job = |line: &str| self.shell == Shell::Bash && line.starts_with('[') && line.contains(']');
        let left = |line: &&str| !job(line) && *line != "logout\n";
        Said {
            // What 2>&1 sent there has the names, too.
            stdout: without_names(self.shell, &said.stdout),
            stderr: names.split_inclusive('\n').filter(left).collect(),
            code: said.code,
        }
    }

    /// The script without the statements that the difference does not need, and how it differed last.
    fn least(&mut self, mut script: Vec<String>, mut words: String) -> (Vec<String>, String) {
        let mut at = 0;
        while at < script.len() && script.len() > 1 {
            let mut shorter = script.clone();
            shorter.remove(at);
            if let Some(now) = self.differ(&shorter) {
                (script, words) = (shorter, now);
            } else {
                at += 1;
            }
        }
        if self.differ(&script).is_none() {
            words.push_str("\n(but not each time)");
        }
        (script, words)
    }
}

/// One word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Where two texts begin to differ.
fn difference(name: &str, got: &str, wanted: &str) -> Option<String> {
    const BEFORE: usize = 60;
    const SHOWN: usize = 240;
    if got == wanted {
        return None;
    }
    let same = got
        .chars()
        .zip(wanted.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let from = same.saturating_sub(BEFORE);
    let [got, wanted] = [got, wanted].map(|text| text.chars().skip(from).take(SHOWN).collect::<String>());
    Some(format!(
        "{name} from character {from}\n  got    {got:?}\n  wanted {wanted:?}"
    ))
}
