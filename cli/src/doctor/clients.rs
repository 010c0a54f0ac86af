//! MCP clients that have an entry for us: where, and whether what it starts is there. Their files are only read.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Findings;

/// Files of MCP clients below the home directory.
const FILES: &[(&str, &str)] = &[
    ("Claude Code", ".claude.json"),
    ("Claude Desktop", ".config/Claude/claude_desktop_config.json"),
    (
        "Claude Desktop",
        "Library/Application Support/Claude/claude_desktop_config.json",
    ),
    ("Cursor", ".cursor/mcp.json"),
    ("Codex", ".codex/config.toml"),
    ("VS Code", ".config/Code/User/mcp.json"),
    ("VS Code", "Library/Application Support/Code/User/mcp.json"),
    ("Zed", ".config/zed/settings.json"),
];
/// More is read of none.
const BYTES_MAX: u64 = 16 << 20; // 16 MiB

/// Looks for our entries.
pub(crate) fn look(home: &Path, findings: &mut Findings) {
    let mut names = Vec::new();
    for (client, file) in FILES {
        let path = home.join(file);
        let Some(program) = entry(&path) else { continue };
        if is_there(&program) {
            names.push(format!("{client} starts {program}"));
        } else {
            findings.problem(
                "MCP clients",
                format!(
                    "{client} is to start {program}, which is not there ({})",
                    path.display()
                ),
                "give it the whole path that `command -v mcp-ssh` prints",
            );
        }
    }
    if names.is_empty() {
        findings.ok(
            "MCP clients",
            "none that we know has an entry for mcp-ssh in this home",
        );
    } else {
        findings.ok("MCP clients", names.join("; "));
    }
}

/// The quoted word that ends in our program's name.
fn entry(path: &Path) -> Option<String> {
    let mut text = String::new();
    fs::File::open(path)
        .ok()?
        .take(BYTES_MAX)
        .read_to_string(&mut text)
        .ok()?;
    let words = text.split(['"', '\'']);
    words
        .map(str::trim)
        .find(|word| *word == "mcp-ssh" || (word.starts_with('/') && word.ends_with("/mcp-ssh")))
        .map(str::to_owned)
}

fn is_there(program: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|place| -> PathBuf { place.join(program) });
    places.any(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    /// An entry is found in JSON and TOML; one whose program is gone is a problem.
    #[test]
    fn entries() {
        let home = tempfile::tempdir().expect("a directory");
        let mut findings = Findings::default();
        look(home.path(), &mut findings);
        assert_eq!(findings.worst(), Level::Ok);
        let program = home.path().join("mcp-ssh");
        fs::create_dir(home.path().join(".codex")).expect("a directory");
        let text = format!("[mcp_servers.ssh]\ncommand = \"{}\"\n", program.display());
        fs::write(home.path().join(".codex/config.toml"), text).expect("a file");
        let mut findings = Findings::default();
        look(home.path(), &mut findings);
        assert_eq!(findings.worst(), Level::Problem);
        fs::write(&program, "").expect("a file");
        let mut findings = Findings::default();
        look(home.path(), &mut findings);
        assert!(findings.0[0].seen.starts_with("Codex starts /"), "{findings:?}");
    }
}
