//! The rules of the code as tests over its text: what may use what, what a file looks like, and what the documents name.
//! They read files only; that the code compiles and works is for the others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

/// Lines of a source file that nobody wants to read beyond.
const LINES_MAX: usize = 600;

/// Every tool of the MCP server: the RPC behind it, and the `sshctl` command that gives a person the same.
const TOOLS: [(&str, &str, &str); 13] = [
    ("list_hosts", "ListHosts", "hosts"),
    ("open_session", "OpenSession", "open"),
    ("list_sessions", "ListSessions", "sessions"),
    ("close_session", "CloseSession", "close"),
    ("execute_command", "Execute", "exec"),
    ("get_active_commands", "ListCommands", "commands"),
    ("get_command_output", "GetOutput", "output"),
    ("wait_for", "Wait", "wait"),
    ("interrupt_command", "Interrupt", "interrupt"),
    ("get_terminal_output", "GetTerminal", "screen"),
    ("send_input", "SendInput", "send"),
    ("read_file", "ReadFile", "cp"),
    ("write_file", "WriteFile", "cp"),
];

/// Files of the daemon that decide and never act: no task, no clock, no disk, no network.
const PURE: [&str; 8] = [
    "device.rs",
    "device/",
    "file/edit.rs",
    "file/packet.rs",
    "session/machine.rs",
    "session/machine/",
    "shell",
    "terminal",
];
/// What a pure file may not name.
const IMPURE: [&str; 7] = [
    "tokio",
    "Instant::now",
    "SystemTime",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
];

/// Files of the daemon that know the wire; the others see `Fault` and `Reason`, the words of errors, alone.
const WIRE: [&str; 4] = ["rpc.rs", "rpc/", "core.rs", "engine.rs"];

/// The binary, which stands over the library's layers.
const BINARY: [&str; 3] = ["main", "arguments", "lib"];

/// Where tests may pause, and why.
const PAUSES: [(&str, &str); 7] = [
    ("tests/devices/nasty.py", "a device that is slow"),
    ("tests/src/wait.rs", "the loop behind every wait for a condition"),
    ("tests/src/patient.rs", "the same loop for the end of a program"),
    (
        "daemon/tests/keep/place.rs",
        "the same loop for the tests of the spool on the host",
    ),
    (
        "tests/e2e/durable/daemon.rs",
        "any moment is one after some pause",
    ),
    (
        "daemon/tests/start/place.rs",
        "the same loop for the tests of the start",
    ),
    (
        "daemon/tests/connection/connection_sharing.rs",
        "that a connection in use is not closed can only be seen by time passing",
    ),
];

/// Directories that documents name and the programs make.
const MADE: [&str; 2] = ["spool/", "logs/"];

/// Names that say nothing about what is in a file.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "manager", "types"];

#[test]
fn every_source_file_says_what_it_is_and_is_short() {
    let mut wrong = String::new();
    for file in sources() {
        let lines = file.text.lines().count();
        if !file.text.starts_with("//! ") {
            writeln!(wrong, "{}: begins without `//!`", file.name).unwrap();
        }
        if lines > LINES_MAX {
            writeln!(wrong, "{}: {lines} lines, at most {LINES_MAX}", file.name).unwrap();
        }
        let stem = Path::new(&file.name).file_stem().unwrap().to_string_lossy();
        if EMPTY_NAMES.contains(&&*stem) || stem == "mod" {
            writeln!(wrong, "{}: a name that says nothing of its content", file.name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// `ARCHITECTURE.md` has a block fenced as `layers`: a line a module, `module: what it may use`. A line names modules of
/// lines below it only; modules that must know each other share a line.
#[test]
fn modules_of_the_daemon_use_what_the_layers_allow() {
    let used = uses();
    let table = layers(&used);
    let place: BTreeMap<&str, usize> = table
        .iter()
        .enumerate()
        .flat_map(|(line, (modules, _))| modules.iter().map(move |module| (module.as_str(), line)))
        .collect();
    let mut wrong = String::new();
    for (line, (modules, allowed)) in table.iter().enumerate() {
        for name in modules.iter().chain(allowed) {
            if !used.contains_key(name) {
                writeln!(wrong, "`{name}` is no module of the daemon").unwrap();
            }
        }
        for name in allowed {
            if place.get(name.as_str()).is_some_and(|below| *below <= line) {
                writeln!(wrong, "{modules:?} may use `{name}`, which is not below").unwrap();
            }
            if !modules.iter().any(|module| used[module].contains_key(name)) {
                writeln!(wrong, "{modules:?} may use `{name}`, and does not").unwrap();
            }
        }
    }
    for (module, names) in &used {
        let Some(line) = place.get(module.as_str()) else {
            writeln!(wrong, "`{module}` is in no line").unwrap();
            continue;
        };
        let (together, allowed) = &table[*line];
        for (name, file) in names {
            if !together.contains(name) && !allowed.contains(name) {
                writeln!(wrong, "{file} uses `{name}`, which `{module}` may not").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}\nas the code is:\n{}", as_it_is(&used));
}

#[test]
fn pure_files_neither_act_nor_look_at_a_clock() {
    let mut wrong = String::new();
    for (name, code) in daemon_code() {
        if !PURE.iter().any(|pure| name.starts_with(pure)) {
            continue;
        }
        for word in IMPURE.iter().filter(|word| code.contains(**word)) {
            writeln!(wrong, "daemon/src/{name}: `{word}`").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_wire_stops_at_the_edge() {
    let generated = Regex::new(r"\bv1::(\{[^}]*\}|\w+)").unwrap();
    let mut wrong = String::new();
    for (name, code) in daemon_code() {
        if WIRE.iter().any(|wire| name.starts_with(wire)) {
            continue;
        }
        for found in generated.captures_iter(&code) {
            if found[1].trim_matches(['{', '}', ' ']) != "Reason" {
                writeln!(wrong, "daemon/src/{name}: `{}`", &found[0]).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_tool_has_an_rpc_and_a_command_for_people() {
    let root = root();
    let list: serde_json::Value = serde_json::from_str(&read("shim/src/snapshots/tools.json")).unwrap();
    let list = list.get("tools").unwrap_or(&list);
    let listed: BTreeSet<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    let known: BTreeSet<&str> = TOOLS.iter().map(|(tool, _, _)| *tool).collect();
    assert_eq!(listed, known);
    let mut protocol = String::new();
    for entry in fs::read_dir(root.join("proto/sshmcp/v1")).unwrap().flatten() {
        protocol.push_str(&fs::read_to_string(entry.path()).unwrap());
    }
    let verbs = read("cli/src/args.rs");
    for (tool, rpc, command) in TOOLS {
        assert!(protocol.contains(&format!("rpc {rpc}(")), "{tool}: no rpc {rpc}");
        let verb = Regex::new(&format!(r"(?mi)^    {command}[(,]")).unwrap();
        assert!(verb.is_match(&verbs), "{tool}: no sshctl {command}");
        let code = read(&format!("shim/src/tools/{tool}.rs"));
        let call = format!(".{}(", snake(rpc));
        assert!(code.contains(&call), "{tool}: does not call {call}");
    }
}

#[test]
fn tests_wait_for_conditions() {
    let call = ["sle", "ep("].concat();
    let mut wrong = String::new();
    for file in files() {
        let tests = file.name.starts_with("tests/") || file.name.contains("/tests");
        let text = if tests {
            file.text.as_str()
        } else {
            file.text.split_once(TESTS).map_or("", |(_, tests)| tests)
        };
        let code = file.name.ends_with(".rs") || file.name.ends_with(".py");
        let excused = PAUSES.iter().any(|(name, _)| *name == file.name);
        if code && !excused && text.contains(&call) {
            writeln!(wrong, "{}: `{call}`", file.name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What documents write in backticks and looks like a path of the repository is there.
#[test]
fn documents_name_what_exists() {
    let names: Vec<String> = files()
        .into_iter()
        .map(|file| format!("/{}", file.name))
        .collect();
    let exists = |name: &str| {
        let (whole, folder) = (format!("/{name}"), format!("/{}/", name.trim_end_matches('/')));
        names
            .iter()
            .any(|file| file.ends_with(&whole) || file.contains(&folder))
    };
    let quoted = Regex::new(r"`([\w./-]+)`").unwrap();
    let code = Regex::new(r"\.(rs|proto|sh|py|service|socket|plist)$").unwrap();
    let mut wrong = String::new();
    for document in ["README.md", "ARCHITECTURE.md"] {
        let text = prose(&read(document));
        for found in quoted.captures_iter(&text) {
            let name = &found[1];
            let path = (name.contains('/') && !name.starts_with(['/', '.'])) || code.is_match(name);
            if path && !name.starts_with("target/") && !MADE.contains(&name) && !exists(name) {
                writeln!(wrong, "{document}: `{name}` is not there").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn nothing_names_the_machine_that_it_was_written_on() {
    // A test may take the home of root as its example, in quotes.
    let home = Regex::new(&["(^|[^\\w~.\"])/(wo", "rk|ro", "ot)/"].concat()).unwrap();
    let mut wrong = String::new();
    for file in files() {
        for (number, line) in file.text.lines().enumerate() {
            if home.is_match(line) {
                writeln!(wrong, "{}:{}: {line}", file.name, number + 1).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Where the tests of a file begin.
const TESTS: &str = "#[cfg(test)]\nmod tests {";

/// A text file of the repository, named from its root.
struct TextFile {
    name: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All text files but what builds make.
fn files() -> Vec<TextFile> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let name = entry.path().strip_prefix(&root).unwrap().display().to_string();
            if name == "target" || name == ".git" || name.ends_with("__pycache__") {
                continue;
            }
            // Another test, or an editor, may take a file away at any time.
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                found.push(TextFile { name, text });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn sources() -> Vec<TextFile> {
    let mut files = files();
    files.retain(|file| file.name.ends_with(".rs"));
    files
}

/// The daemon's files, named from its `src`, without comments and tests.
fn daemon_code() -> Vec<(String, String)> {
    let comment = Regex::new(r"(?m)(^|\s)//.*$").unwrap();
    let mut found = Vec::new();
    for file in sources() {
        let Some(name) = file.name.strip_prefix("daemon/src/") else {
            continue;
        };
        if name.ends_with("/tests.rs") || name.contains("/tests/") {
            continue;
        }
        let code = file.text.split(TESTS).next().unwrap_or_default();
        found.push((name.to_owned(), comment.replace_all(code, "").into_owned()));
    }
    found
}

/// Module, what it uses, and a file that does.
type Uses = BTreeMap<String, BTreeMap<String, String>>;

fn uses() -> Uses {
    let mut all = Uses::new();
    for (file, code) in daemon_code() {
        let module = file.split(['/', '.']).next().unwrap().to_owned();
        if BINARY.contains(&&*module) {
            continue;
        }
        let used = all.entry(module.clone()).or_default();
        for (at, word) in code.match_indices("crate::") {
            for name in first_names(&code[at + word.len()..]) {
                if name != module {
                    used.insert(name, format!("daemon/src/{file}"));
                }
            }
        }
    }
    all
}

/// The first name of each path in `a::b`, or in `{a::{b, c}, d}`.
fn first_names(text: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        let text = text.trim_start();
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    if !text.starts_with('{') {
        return vec![word(text)];
    }
    let (mut names, mut depth) = (Vec::new(), 0);
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(character, '{' | ',') {
            names.push(word(&text[at + 1..]));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The table of `ARCHITECTURE.md`: modules of a line, and what they may use.
fn layers(used: &Uses) -> Vec<(Vec<String>, Vec<String>)> {
    let file = root().join("ARCHITECTURE.md");
    let text = fs::read_to_string(file).unwrap_or_default();
    let block = text
        .split_once("```layers\n")
        .and_then(|(_, rest)| rest.split_once("```"));
    let Some((block, _)) = block else {
        panic!(
            "ARCHITECTURE.md has no block `layers`; as the code is:\n{}",
            as_it_is(used)
        );
    };
    let names = |text: &str| {
        text.split([',', ' '])
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    };
    block
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (modules, allowed) = line
                .split_once(':')
                .unwrap_or_else(|| panic!("`module: what it may use`, not {line:?}"));
            (names(modules), names(allowed))
        })
        .collect()
}

/// The table that the code would pass with: every module below those that use it.
fn as_it_is(used: &Uses) -> String {
    let below = |name: &str| -> BTreeSet<&str> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![name]);
        while let Some(next) = open.pop() {
            for used in used.get(next).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(used.as_str()) {
                    open.push(used);
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        used.keys().map(|name| (name.as_str(), below(name))).collect();
    let mut order: Vec<&str> = reach.keys().copied().collect();
    order.sort_by_key(|name| (std::cmp::Reverse(reach[name].len()), *name));
    let (mut lines, mut done) = (String::new(), BTreeSet::<&str>::new());
    for name in order {
        if done.contains(name) {
            continue;
        }
        let both =
            |other: &&str| *other == name || (reach[name].contains(other) && reach[other].contains(name));
        let together: Vec<&str> = reach.keys().copied().filter(both).collect();
        done.extend(&together);
        let mut uses: BTreeSet<&str> = together
            .iter()
            .flat_map(|module| used[*module].keys().map(String::as_str))
            .collect();
        uses.retain(|name| !together.contains(name));
        let uses: Vec<&str> = uses.into_iter().collect();
        let line = format!("{}: {}", together.join(", "), uses.join(", "));
        writeln!(lines, "{}", line.trim_end()).unwrap();
    }
    lines
}

/// A document without its fenced blocks.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// `GetOutput` as `get_output`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for (at, character) in name.char_indices() {
        if at > 0 && character.is_uppercase() {
            text.push('_');
        }
        text.extend(character.to_lowercase());
    }
    text
}
