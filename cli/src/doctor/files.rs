//! The person's files that SSH rests on: who may read and change them. Their content is not shown.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Findings;

/// Entries of ~/.ssh that are looked at.
const ENTRIES_MAX: usize = 500;

/// Looks at ~/.ssh, the keys in it, and known_hosts.
pub(crate) fn look(home: &Path, findings: &mut Findings) {
    let ssh = home.join(".ssh");
    if !ssh.is_dir() {
        return findings.warning(
            "keys",
            format!("{} is not there: no key, no known host, no alias", ssh.display()),
            "make a key with `ssh-keygen -t ed25519`, and give its .pub to your hosts",
        );
    }
    match others_may(&ssh, 0o022, "change") {
        Some((seen, todo)) => findings.problem("keys", seen, todo),
        None => keys(&ssh, findings),
    }
    known_hosts(&ssh.join("known_hosts"), findings);
    known_hosts(Path::new("/etc/ssh/ssh_known_hosts"), findings);
    for config in [ssh.join("config"), PathBuf::from("/etc/ssh/ssh_config")] {
        if let Some((seen, todo)) = others_may(&config, 0o022, "change") {
            findings.problem("ssh_config", seen, todo);
        }
    }
}

fn keys(ssh: &Path, findings: &mut Findings) {
    let entries = fs::read_dir(ssh)
        .into_iter()
        .flatten()
        .flatten()
        .take(ENTRIES_MAX);
    let mut keys: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| is_key(path))
        .collect();
    keys.sort();
    let mut good = Vec::new();
    for key in keys {
        if let Some((seen, todo)) = others_may(&key, 0o077, "read") {
            findings.problem("keys", format!("{seen}, so neither we nor ssh use it"), todo);
        } else {
            good.push(key.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    if good.is_empty() {
        findings.ok("keys", format!("no usable private key file in {}", ssh.display()));
    } else {
        findings.ok("keys", format!("in {}: {}", ssh.display(), good.join(", ")));
    }
}

/// A private key begins with a line that says so.
fn is_key(path: &Path) -> bool {
    let mut begin = [0; 64];
    let read = fs::metadata(path)
        .ok()
        .filter(fs::Metadata::is_file)
        .and_then(|_| fs::File::open(path).ok())
        .and_then(|mut file| file.read(&mut begin).ok())
        .unwrap_or(0);
    let begin = String::from_utf8_lossy(begin.get(..read).unwrap_or_default()).into_owned();
    begin.starts_with("-----BEGIN ") && begin.contains("PRIVATE KEY-----")
}

fn known_hosts(path: &Path, findings: &mut Findings) {
    if !path.exists() {
        return;
    }
    if let Some((seen, todo)) = others_may(path, 0o022, "change") {
        return findings.problem("known hosts", seen, todo);
    }
    match fs::read(path) {
        Ok(text) => {
            let lines = text.split(|byte| *byte == b'\n');
            let keys = lines
                .filter(|line| !line.trim_ascii().is_empty() && !line.starts_with(b"#"))
                .count();
            findings.ok("known hosts", format!("{keys} keys in {}", path.display()));
        }
        Err(error) => findings.problem(
            "known hosts",
            format!("{} cannot be read: {error}", path.display()),
            "mend its permissions: every host is unknown without it",
        ),
    }
}

/// What is wrong if others may do this with a file, or it is somebody else's; nothing if it is not there.
pub(crate) fn others_may(path: &Path, bits: u32, verb: &str) -> Option<(String, String)> {
    let found = fs::metadata(path).ok()?;
    let mode = found.mode() & 0o7777;
    let (own, shown) = (rustix::process::geteuid().as_raw(), path.display());
    if found.uid() != own && found.uid() != 0 {
        return Some((
            format!("{shown} belongs to user {}", found.uid()),
            format!("take it back: `sudo chown {own} {shown}`"),
        ));
    }
    let private = if bits & 0o044 == 0 { "go-w" } else { "go-rwx" };
    (mode & bits != 0).then(|| {
        (
            format!("others can {verb} {shown} (mode {mode:04o})"),
            format!("chmod {private} {shown}"),
        )
    })
}

/// What is wrong if a file or directory is not ours alone; nothing if it is not there.
pub(crate) fn not_ours(path: &Path, bits: u32) -> Option<(String, String)> {
    let found = fs::symlink_metadata(path).ok()?;
    let mode = found.mode() & 0o7777;
    let (own, shown) = (rustix::process::geteuid().as_raw(), path.display());
    if found.uid() != own {
        return Some((
            format!("{shown} belongs to user {}", found.uid()),
            format!("move it away, or take it back: `sudo chown {own} {shown}`"),
        ));
    }
    (mode & bits != 0).then(|| {
        (
            format!("{shown} is open to others (mode {mode:04o})"),
            format!("chmod go-rwx {shown}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::doctor::Level;

    /// A key that others can read is named with the command that mends it; files that are no keys are nobody's matter.
    #[test]
    fn open_keys_are_named() {
        let home = tempfile::tempdir().expect("a directory");
        let ssh = home.path().join(".ssh");
        fs::create_dir(&ssh).expect("a directory");
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n";
        for (name, text, mode) in [
            ("good", key, 0o600),
            ("open", key, 0o640),
            ("notes", "text", 0o666),
        ] {
            fs::write(ssh.join(name), text).expect("a file");
            fs::set_permissions(ssh.join(name), fs::Permissions::from_mode(mode)).expect("chmod");
        }
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).expect("chmod");
        let mut findings = Findings::default();
        look(home.path(), &mut findings);
        let worst: Vec<_> = findings
            .0
            .iter()
            .filter(|found| found.level == Level::Problem)
            .collect();
        assert_eq!(worst.len(), 1, "{findings:?}");
        assert!(worst[0].seen.contains("open (mode 0640)"), "{worst:?}");
        assert_eq!(
            worst[0].todo,
            format!("chmod go-rwx {}", ssh.join("open").display())
        );
        assert!(
            findings.0.iter().any(|found| found.seen.ends_with(": good")),
            "{findings:?}"
        );
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o777)).expect("chmod");
        let mut findings = Findings::default();
        look(home.path(), &mut findings);
        assert_eq!(findings.0[0].todo, format!("chmod go-w {}", ssh.display()));
    }
}
