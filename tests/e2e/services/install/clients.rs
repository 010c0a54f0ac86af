//! The entries of MCP clients: shown, added, and taken out, with everything else in their files as it was.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
};

use serde_json::Value;

use super::{Desk, SYSTEMCTL};

const CURSOR: &str = "{\n  \"mcpServers\": {\n    \"other\": { \"command\": \"x\", \"env\": { \"KEY\": \"hunter2\" } }\n  }\n}\n";
const CLAUDE: &str = "{\"numStartups\":7,\"projects\":{\"/p\":{\"history\":[]}}}";
const ZED: &str = "// Zed\n{\n  // the looks\n  \"theme\": \"One Dark\", // dark\n  \"vim_mode\": true,\n}\n";
const CODEX: &str = "# mine\nmodel = \"o\"\n\n[mcp_servers.other] # theirs\ncommand = \"x\"\n";
const BROKEN: &str = "{ \"servers\": { nobody\n";
const TAKEN: &str = "{\"mcpServers\": {\"ssh\": {\"command\": \"uvx\", \"args\": [\"mcp-ssh-session\"]}}}";

impl Desk {
    fn write(&self, name: &str, text: &str) {
        let path = self.bed.home().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, text).expect("a file");
        self.bed.give(name.split('/').next().expect("a name"));
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.bed.home().join(name)).expect(name)
    }
}

fn outcome<'s>(steps: &'s [(String, String)], client: &str) -> &'s str {
    let found = steps
        .iter()
        .find(|(step, _)| step.contains(&format!(" {client} (")));
    &found.unwrap_or_else(|| panic!("{client}: {steps:#?}")).1
}

/// Each client that is found starts our server by its whole path, its other settings stay to the byte, and afterwards all
/// is as before.
#[test]
fn added_and_taken_out() {
    let desk = Desk::new(SYSTEMCTL);
    let home = desk.bed.home().to_owned();
    desk.write("dotfiles/cursor.json", CURSOR);
    fs::create_dir(home.join(".cursor")).expect("a directory");
    symlink("../dotfiles/cursor.json", home.join(".cursor/mcp.json")).expect("a link");
    desk.write(".claude.json", CLAUDE);
    fs::set_permissions(home.join(".claude.json"), fs::Permissions::from_mode(0o640)).expect("chmod");
    desk.write(".config/zed/settings.json", ZED);
    desk.write(".codex/config.toml", CODEX);
    desk.write(".config/Code/User/mcp.json", BROKEN);
    desk.write(".codeium/windsurf/mcp_config.json", TAKEN);
    fs::create_dir(home.join(".gemini")).expect("a directory");
    desk.bed.give(".gemini");
    desk.bed.give(".cursor");
    let before = desk.files();

    let planned = desk.ctl(&["install", "--json"]);
    let plan: Value = serde_json::from_slice(&planned.stdout).expect("JSON");
    assert_eq!(desk.files(), before, "only shown");
    let text = plan.to_string();
    assert!(text.contains("+     \\\"ssh\\\": {"), "{text}");
    assert!(!text.contains("hunter2"), "what is not ours is not shown: {text}");
    let steps = Desk::told(&planned);
    for (client, expected) in [
        ("Cursor", "planned"),
        ("Claude Code", "planned"),
        ("Zed", "planned"),
        ("Codex", "planned"),
        ("Gemini CLI", "planned"),
        ("VS Code", "left"),
        ("Windsurf", "left"),
    ] {
        assert_eq!(outcome(&steps, client), expected);
    }
    assert!(
        !text.contains("opencode") && !text.contains("Claude Desktop"),
        "{text}"
    );
    assert!(
        text.contains("line 1, column 16") && text.contains("starts uvx"),
        "{text}"
    );

    let none = desk.steps(&["install", "--yes", "--json", "--no-clients"]);
    assert!(!none.iter().any(|(step, _)| step.contains("Cursor")), "{none:?}");
    let done = desk.steps(&["install", "--yes", "--json"]);
    assert_eq!(outcome(&done, "Zed"), "done");
    let shim = desk.programs().join("mcp-ssh").display().to_string();
    for (file, pointer) in [
        (".cursor/mcp.json", "/mcpServers/ssh"),
        (".claude.json", "/mcpServers/ssh"),
        (".gemini/settings.json", "/mcpServers/ssh"),
    ] {
        let settings: Value = serde_json::from_str(&desk.read(file)).expect("JSON as it is");
        let entry = settings.pointer(pointer).expect(file);
        assert_eq!(entry["command"], shim.as_str(), "{file}");
        assert_eq!(entry.get("args"), None, "{file}");
    }
    assert!(
        fs::symlink_metadata(home.join(".cursor/mcp.json"))
            .expect("there")
            .is_symlink()
    );
    assert_eq!(
        fs::metadata(home.join(".claude.json")).expect("there").mode() & 0o777,
        0o640
    );
    assert_eq!(desk.read(".claude.json.sshmcp-backup"), CLAUDE);
    let zed = desk.read(".config/zed/settings.json");
    assert!(
        zed.contains("  // the looks\n  \"theme\": \"One Dark\", // dark\n") && zed.contains(&shim),
        "{zed}"
    );
    assert!(desk.read(".codex/config.toml").starts_with(CODEX));
    assert_eq!(desk.read(".config/Code/User/mcp.json"), BROKEN);
    let again = desk.steps(&["install", "--yes", "--json"]);
    assert_eq!(outcome(&again, "Zed"), "already");
    let doctor = desk.ctl(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains(&format!("Zed starts {shim}")), "{said}");

    // What somebody writes meanwhile stays; a client may write the whole file anew.
    desk.write(".config/zed/settings.json", &zed.replace("true,", "false,"));
    let claude: Value = serde_json::from_str(&desk.read(".claude.json")).expect("JSON");
    desk.write(".claude.json", &format!("{claude:#}"));
    desk.bed.stop_daemon();
    let undone = desk.steps(&["uninstall", "--yes", "--json"]);
    // What the daemon left is a person's.
    let (stays, taken): (Vec<_>, Vec<_>) = undone.iter().partition(|(_, outcome)| outcome == "left");
    assert!(taken.iter().all(|(_, outcome)| outcome == "done"), "{undone:#?}");
    assert!(
        matches!(&*stays, [(step, _)] if step.ends_with("/.local/state/sshmcp")),
        "{undone:#?}"
    );
    let mut after = desk.files();
    assert_eq!(
        desk.read(".config/zed/settings.json"),
        ZED.replace("true,", "false,")
    );
    let claude = home.join(".claude.json");
    let rest: Value = serde_json::from_slice(&after[&claude]).expect("JSON");
    assert_eq!(rest, serde_json::from_str::<Value>(CLAUDE).expect("JSON"));
    for changed in [claude, home.join(".config/zed/settings.json")] {
        after.insert(changed.clone(), before[&changed].clone());
    }
    assert_eq!(after, before);
    desk.bed.finish();
}

/// One that is named gets its entry though it was never there; what is then changed by hand is left, and nobody's name is
/// an error that lists the others.
#[test]
fn one_that_is_named() {
    let desk = Desk::new(SYSTEMCTL);
    let before = desk.files();
    let unknown = desk.ctl(&["install", "--yes", "--client", "emacs"]);
    assert_eq!(unknown.status.code(), Some(64), "{unknown:?}");
    assert!(
        String::from_utf8_lossy(&unknown.stderr).contains("opencode"),
        "{unknown:?}"
    );
    let done = desk.steps(&["install", "--yes", "--json", "--client", "opencode"]);
    assert_eq!(outcome(&done, "opencode"), "done");
    let file = ".config/opencode/opencode.json";
    let text = desk.read(file);
    let settings: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(settings["mcp"]["ssh"]["type"], "local");
    desk.write(file, &text.replace("/mcp-ssh", "/wrapper"));
    let undone = desk.steps(&["uninstall", "--yes", "--json"]);
    assert_eq!(outcome(&undone, "opencode"), "left");
    // What was left is somebody's, with the directories that it is in.
    fs::remove_dir_all(desk.bed.home().join(".config")).expect("a directory");
    desk.steps(&["install", "--yes", "--json", "--client", "opencode"]);
    desk.steps(&["uninstall", "--yes", "--json"]);
    assert_eq!(desk.files(), before, "what was made for it is gone");

    // The form of its second version, where the file has that.
    let second = "{\n  // mine\n  \"mcp\": { \"servers\": { \"a\": { \"type\": \"local\", \"command\": [\"a\"] } } },\n}\n";
    desk.write(file, second);
    let before = desk.files();
    let done = desk.steps(&["install", "--yes", "--json"]);
    assert_eq!(outcome(&done, "opencode"), "done");
    let shim = desk.programs().join("mcp-ssh").display().to_string();
    let text = desk.read(file);
    let entry = text.split_once("\"ssh\": ").expect("an entry").1;
    assert!(
        text.starts_with("{\n  // mine\n") && entry.contains(&shim) && !entry.contains("enabled"),
        "{text}"
    );
    assert_eq!(
        outcome(&desk.steps(&["install", "--yes", "--json"]), "opencode"),
        "already"
    );
    desk.steps(&["uninstall", "--yes", "--json"]);
    assert_eq!(desk.files(), before);
    desk.bed.finish();
}
