//! MCP clients that have an entry for us: where, and whether what it starts is there. Their files are only read.

use std::path::{Path, PathBuf};

use super::Findings;
use crate::install::entries::entries;

/// Looks for our entries.
pub(crate) fn look(home: &Path, findings: &mut Findings) {
    let mut names = Vec::new();
    for (client, path, program) in entries(home) {
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
            "none that we know has an entry for mcp-ssh in this home; `sshctl install` adds it",
        );
    } else {
        findings.ok("MCP clients", names.join("; "));
    }
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
    use std::fs;

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
