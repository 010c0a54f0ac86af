//! The man pages and completions: one page for each program and verb, which `man` reads without a complaint, and all that a verb's
//! `--help` says is in both.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Desk, SYSTEMCTL};

/// A verb with those above it, and its help.
struct Verb {
    words: Vec<String>,
    help: String,
}

impl Verb {
    /// `sshctl`, its verbs, and theirs.
    fn all(desk: &Desk) -> Vec<Self> {
        let (mut open, mut found) = (vec![Vec::new()], Vec::new());
        while let Some(words) = open.pop() {
            let asked: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
            let help = desk.ctl(&asked);
            assert!(help.status.success(), "{help:?}");
            let help = String::from_utf8_lossy(&help.stdout).into_owned();
            let below = help
                .lines()
                .skip_while(|line| *line != "Commands:")
                .skip(1)
                .take_while(|line| !line.is_empty())
                .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
                .filter_map(|line| line.split_whitespace().next());
            open.extend(below.map(|verb| [words.as_slice(), &[verb.to_owned()]].concat()));
            found.push(Self { words, help });
        }
        assert!(found.len() > 35, "{}", found.len());
        found
    }

    fn page(&self) -> String {
        let words = self.words.iter().map(|word| format!("-{word}"));
        format!("sshctl{}", words.collect::<String>())
    }

    /// How it is called, on one line.
    fn usage(&self) -> String {
        let usage = self.help.split_once("Usage: ").expect("a usage").1;
        words(usage.split_once("\n\n").map_or(usage, |(usage, _)| usage))
    }

    /// Its flags, and what stands for their values and for its arguments.
    fn parts(&self) -> (Vec<&str>, Vec<&str>) {
        let begins = |word: &&str| word.starts_with(['-', '<', '[']);
        let lines = self.help.lines().map(str::trim);
        let names: Vec<&str> = lines
            .flat_map(|line| line.split_whitespace().take_while(begins))
            .collect();
        let flags = names
            .iter()
            .map(|word| word.trim_end_matches(','))
            .filter(|word| word.starts_with('-') && word.contains(char::is_alphabetic));
        let values = names
            .iter()
            .filter(|word| word.starts_with('<') && word.ends_with('>'));
        (flags.collect(), values.copied().collect())
    }

    /// The words behind its flags: examples, and what else there is to know.
    fn more(&self) -> Vec<&str> {
        let behind = self.help.split_once("      --json").map_or("", |(_, rest)| rest);
        behind.split("\n\n").skip(1).collect()
    }
}

fn words(text: &str) -> String {
    // As a terminal of UTF-8 has these two.
    let text = text.replace('\u{2010}', "-").replace('\u{2019}', "'");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `man` shows of a page.
fn shown(desk: &Desk, directory: &Path, page: &str) -> String {
    let read = desk
        .bed
        .tool("man")
        .args(["--warnings", "--nh", "--nj", "-E", "UTF-8", "-l", "-Tutf8"])
        .arg(directory.join(format!("{page}.1")))
        .env("MANWIDTH", "1000")
        .output()
        .expect("man runs");
    let complained = String::from_utf8_lossy(&read.stderr);
    assert_eq!(complained, "", "{page}");
    // Bold is a letter struck twice.
    let mut said = String::new();
    for letter in String::from_utf8_lossy(&read.stdout).chars() {
        if letter == '\u{8}' {
            said.pop();
        } else {
            said.push(letter);
        }
    }
    let named: Vec<&str> = said.split_whitespace().collect();
    assert!(named.windows(2).any(|pair| pair == [page, "-"]), "{page}: {said}");
    said
}

fn pages(desk: &Desk) -> PathBuf {
    let directory = desk.bed.home().join("man");
    fs::create_dir(&directory).expect("a directory");
    desk.bed.give("man");
    let made = desk.ctl(&["man", directory.to_str().expect("a plain path")]);
    assert!(made.status.success(), "{made:?}");
    directory
}

/// Each verb's usage, flags, arguments, examples and words are in its page.
#[test]
fn there_is_a_page_for_each_verb() {
    let desk = Desk::new(SYSTEMCTL);
    let directory = pages(&desk);
    for program in ["sshmcpd", "mcp-ssh"] {
        let help = desk.bed.program(program).arg("--help").output().expect("it runs");
        let verb = Verb {
            words: Vec::new(),
            help: String::from_utf8_lossy(&help.stdout).into_owned(),
        };
        let page = words(&shown(&desk, &directory, program));
        let (flags, values) = verb.parts();
        assert!(!flags.is_empty(), "{}", verb.help);
        for part in flags.into_iter().chain(values) {
            assert!(page.contains(part), "{program}: {part}: {page}");
        }
    }
    let all = Verb::all(&desk);
    for verb in &all {
        let page = words(&shown(&desk, &directory, &verb.page()));
        let usage = verb.usage();
        assert!(page.contains(&usage), "{usage}: {page}");
        let (flags, values) = verb.parts();
        for part in flags.into_iter().chain(values) {
            assert!(page.contains(part), "{usage}: {part}: {page}");
        }
        for more in verb.more() {
            assert!(page.contains(&words(more)), "{usage}: {more}: {page}");
        }
        // The examples of the short help, where the long one has other words.
        let short: Vec<&str> = verb.words.iter().map(String::as_str).chain(["-h"]).collect();
        let short = desk.ctl(&short);
        let short = String::from_utf8_lossy(&short.stdout).into_owned();
        if let Some((_, examples)) = short.split_once("Examples:\n") {
            for example in examples.split("\n\n").next().unwrap_or_default().lines() {
                assert!(page.contains(&words(example)), "{usage}: {example}: {page}");
            }
        }
    }
    // No page but these.
    let mut there: Vec<String> = fs::read_dir(&directory)
        .expect("a directory")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let mut wanted: Vec<String> = all.iter().map(|verb| format!("{}.1", verb.page())).collect();
    wanted.extend(["sshmcpd.1", "mcp-ssh.1"].map(str::to_owned));
    there.sort();
    wanted.sort();
    assert_eq!(there, wanted);
    desk.bed.finish();
}

/// Each shell completes every verb, and every flag of it; and each takes its script without a complaint.
#[test]
fn completions_have_every_verb_and_flag() {
    let desk = Desk::new(SYSTEMCTL);
    let scripts = ["bash", "zsh", "fish"].map(|shell| {
        let made = desk.ctl(&["completions", shell]);
        assert!(made.status.success(), "{made:?}");
        let script = desk.bed.path(&format!("completions.{shell}"));
        fs::write(&script, &made.stdout).expect("a file");
        let read = desk
            .bed
            .tool(shell)
            .arg("-n")
            .arg(&script)
            .output()
            .expect("it runs");
        assert!(read.status.success() && read.stderr.is_empty(), "{read:?}");
        String::from_utf8(made.stdout).expect("UTF-8")
    });
    let [bash, zsh, fish] = &scripts;
    for verb in Verb::all(&desk) {
        let case = verb.words.iter().map(|word| format!("__subcmd__{word}"));
        let case = format!("\n        sshctl{})\n", case.collect::<String>());
        let offered = bash.split_once(&case).unwrap_or_else(|| panic!("{case}")).1;
        let offered = offered.split('"').nth(1).expect("a list");
        let offered: Vec<&str> = offered.split_whitespace().collect();
        for flag in verb.parts().0 {
            assert!(offered.contains(&flag), "{case}: {flag}: {offered:?}");
            assert!(zsh.contains(flag), "{case}: {flag}");
            let long = flag.strip_prefix("--").map(|name| format!(" -l {name}"));
            let short = flag.strip_prefix('-').map(|name| format!(" -s {name}"));
            let option = long.or(short).expect("a flag");
            assert!(fish.contains(&option), "{case}: {option}");
        }
        if let Some(word) = verb.words.last() {
            for (script, how) in [(zsh, format!("\n'{word}:")), (fish, format!(" -a \"{word}\""))] {
                assert!(script.contains(&how), "{how}");
            }
        }
    }
    desk.bed.finish();
}
