//! Clients' files that somebody changed between `install` and `uninstall`, or between two installs: what is theirs stays theirs, and
//! what could not be undone is not forgotten.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::{Desk, SYSTEMCTL};

const CURSOR: &str = "{\n  // mine\n  \"mcpServers\": {\n    \"other\": { \"command\": \"x\" }\n  }\n}\n";

impl Desk {
    fn client_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.bed.home().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, text).expect("a file");
        self.bed.give(name.split('/').next().expect("a name"));
        path
    }

    /// The three programs once more, in a directory of their own.
    fn moved_programs(&self) -> PathBuf {
        let directory = self.bed.path("moved");
        fs::create_dir(&directory).expect("a directory");
        for name in ["sshmcpd", "mcp-ssh", "sshctl"] {
            fs::copy(self.programs().join(name), directory.join(name)).expect("a copy");
        }
        directory
    }
}

/// Arguments and variables that a user gave our entry are there when the programs have moved, and go with it in the end.
#[test]
fn what_users_add_moves_along() {
    let desk = Desk::new(SYSTEMCTL);
    let file = desk.client_file(".cursor/mcp.json", CURSOR);
    desk.steps(&["install", "--yes", "--json"]);
    let text = fs::read_to_string(&file).expect("a file");
    let program = json!(desk.programs().join("mcp-ssh")).to_string();
    let theirs = "\"args\": [\"--profile\", \"session\"], \"env\": { \"OVRD_web_USER\": \"u\" }";
    let edited = text.replace(
        &format!("\"command\": {program}"),
        &format!("\"command\": {program}, {theirs}"),
    );
    assert_ne!(edited, text);
    fs::write(&file, &edited).expect("a file");

    let moved = desk.moved_programs();
    let again = desk
        .bed
        .tool("env")
        .arg(moved.join("sshctl"))
        .args(["install", "--yes", "--json"])
        .env(
            "PATH",
            format!("{}:{}:/usr/bin:/bin", desk.tools.display(), moved.display()),
        )
        .env("SSHMCP_DAEMON", moved.join("sshmcpd"))
        .output();
    let done = Desk::told(&again.expect("it runs"));
    assert!(
        matches!(done.as_slice(), [.., (step, outcome)] if step.contains("Cursor") && outcome == "done"),
        "{done:#?}"
    );
    let text = fs::read_to_string(&file).expect("a file");
    let plain: String = text
        .lines()
        .filter(|line| !line.trim().starts_with("//"))
        .collect();
    let settings: Value = serde_json::from_str(&plain).expect("JSON");
    assert_eq!(
        settings["mcpServers"]["ssh"],
        json!({
            "command": moved.join("mcp-ssh"), "args": ["--profile", "session"], "env": {"OVRD_web_USER": "u"},
        })
    );
    desk.steps(&["uninstall", "--yes", "--json"]);
    assert_eq!(fs::read_to_string(&file).expect("a file"), CURSOR);
    desk.bed.finish();
}

/// What cannot be read any more is a failure, after which nothing is forgotten and the programs are still there; once it is
/// mended the same command ends it.
#[test]
fn what_cannot_be_undone_is_not_forgotten() {
    let desk = Desk::new(SYSTEMCTL);
    let file = desk.client_file(".cursor/mcp.json", CURSOR);
    let before = desk.files();
    let install = |more: &[&str]| desk.ctl_with(&[&["install", "--yes", "--json"], more].concat(), &[]);
    Desk::told(&install(&[]));
    let text = fs::read_to_string(&file).expect("a file");
    fs::write(&file, text.replacen('{', "{ nobody", 1)).expect("a file");
    let planned = desk.ctl(&["uninstall", "--json"]);
    let failed = desk.ctl(&["uninstall", "--yes"]);
    for output in [&planned, &failed] {
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(70), "{said}");
        assert!(
            said.contains("line 1, column 3; mend that, and run this again"),
            "{said}"
        );
    }
    let sshctl = desk.bed.home().join(".local/bin/sshctl");
    assert!(sshctl.exists(), "whoever runs it again needs it");

    fs::write(&file, &text).expect("a file");
    let undone = desk.steps(&["uninstall", "--yes", "--json"]);
    let left: Vec<_> = undone
        .iter()
        .filter(|(_, outcome)| !["done", "already"].contains(&outcome.as_str()))
        .collect();
    assert!(left.is_empty(), "{undone:#?}");
    assert_eq!(desk.files(), before);
    assert!(!sshctl.exists());
    desk.bed.finish();
}

/// Where a user made the entry theirs, or removed the file, what the file was before is not lost without a word; a file that was made
/// for it and has nothing in it any more is gone, whatever was done to the entry.
#[test]
fn backups_and_made_files() {
    let desk = Desk::new(SYSTEMCTL);
    let cursor = desk.client_file(".cursor/mcp.json", CURSOR);
    let zed = desk.client_file(".config/zed/settings.json", "{}\n");
    let gemini = desk.bed.home().join(".gemini");
    fs::create_dir(&gemini).expect("a directory");
    desk.bed.give(".gemini");
    desk.steps(&["install", "--yes", "--json"]);
    let text = fs::read_to_string(&cursor).expect("a file");
    fs::write(&cursor, text.replace("/mcp-ssh\"", "/wrapper\"")).expect("a file");
    fs::remove_file(&zed).expect("there");
    let made = gemini.join("settings.json");
    let text = fs::read_to_string(&made).expect("a file");
    fs::write(
        &made,
        text.replacen("\"command\"", "\"trust\": true, \"command\"", 1),
    )
    .expect("a file");
    let undone = desk.ctl(&["uninstall", "--yes", "--json"]);
    assert!(undone.status.success(), "{undone:?}");
    let told: Value = serde_json::from_slice(&undone.stdout).expect("JSON");
    let why = |file: &PathBuf| {
        let steps = told["steps"].as_array().expect("a list");
        let of = |step: &&Value| {
            step["step"]
                .as_str()
                .is_some_and(|step| step.contains(&file.display().to_string()))
        };
        let step = steps
            .iter()
            .find(of)
            .unwrap_or_else(|| panic!("{file:?}: {told:#}"));
        (
            step["outcome"].clone(),
            step["why"].as_str().unwrap_or_default().to_owned(),
        )
    };
    for (file, outcome, before) in [(&cursor, "left", CURSOR), (&zed, "already", "{}\n")] {
        let backup = PathBuf::from(format!("{}.sshmcp-backup", file.display()));
        assert_eq!(fs::read_to_string(&backup).expect("it is kept"), before);
        let (what, words) = why(file);
        assert_eq!(what, outcome, "{words}");
        assert!(words.contains(&backup.display().to_string()), "{words}");
    }
    assert!(!made.exists(), "it was made for the entry");
    desk.bed.finish();
}

/// Clients that keep their settings where XDG says have them there, and nowhere else.
#[test]
fn settings_where_xdg_says() {
    let desk = Desk::new(SYSTEMCTL);
    let file = desk.client_file("settings/zed/settings.json", "{}\n");
    let path = format!(
        "{}:{}:/usr/bin:/bin",
        desk.tools.display(),
        desk.programs().display()
    );
    let ctl = |arguments: &[&str]| {
        let output = desk
            .bed
            .program("sshctl")
            .args(arguments)
            .env("PATH", &path)
            .env("XDG_CONFIG_HOME", desk.bed.home().join("settings"))
            .output();
        Desk::told(&output.expect("it runs"))
    };
    let before = desk.files();
    let done = ctl(&["install", "--yes", "--json"]);
    assert!(
        done.iter()
            .any(|(step, outcome)| step.contains(&file.display().to_string()) && outcome == "done"),
        "{done:#?}"
    );
    assert!(!desk.bed.home().join(".config").exists());
    ctl(&["uninstall", "--yes", "--json"]);
    assert_eq!(desk.files(), before);
    desk.bed.finish();
}
