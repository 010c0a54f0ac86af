//! Programs that are in no directory of PATH are copied below the home; and what daemons leave goes where a person asks for that.

use std::{fs, os::unix::fs::MetadataExt as _};

use super::{Desk, SYSTEMCTL, outcomes};

/// Copied, named by the unit and the entries, in the place of what was there before, which is put back.
#[test]
fn copied_and_removed() {
    let desk = Desk::new(SYSTEMCTL);
    let home = desk.bed.home().to_owned();
    let place = home.join(".local/bin");
    fs::create_dir_all(&place).expect("a directory");
    fs::write(place.join("mcp-ssh"), "an older one").expect("a file");
    fs::create_dir(home.join(".gemini")).expect("a directory");
    desk.bed.give(".local");
    desk.bed.give(".gemini");
    let planned = Desk::told(&desk.ctl_with(&["install", "--json"], &[]));
    assert_eq!(
        planned
            .iter()
            .filter(|(step, _)| step.starts_with("copy "))
            .count(),
        3,
        "{planned:#?}"
    );
    let done = Desk::told(&desk.ctl_with(&["install", "--yes", "--json"], &[]));
    assert!(
        outcomes(&done).iter().all(|outcome| *outcome == "done"),
        "{done:#?}"
    );
    for name in ["sshmcpd", "mcp-ssh", "sshctl"] {
        let (copy, original) = (place.join(name), desk.programs().join(name));
        let (copy, original) = (
            fs::metadata(copy).expect(name),
            fs::metadata(original).expect(name),
        );
        assert_eq!(
            (copy.len(), copy.mode() & 0o777),
            (original.len(), 0o755),
            "{name}"
        );
    }
    let unit = fs::read_to_string(home.join(".config/systemd/user/sshmcpd.service")).expect("a unit");
    assert!(
        unit.contains(&format!("ExecStart={}/sshmcpd ", place.display())),
        "{unit}"
    );
    let entry = fs::read_to_string(home.join(".gemini/settings.json")).expect("an entry");
    assert!(
        entry.contains(&format!("\"{}/mcp-ssh\"", place.display())),
        "{entry}"
    );
    let again = Desk::told(&desk.ctl_with(&["install", "--yes", "--json"], &[]));
    assert_eq!(outcomes(&again)[..3], ["already"; 3], "{again:#?}");

    // A daemon that runs from there ends with it, and all that it made goes.
    let listed = desk.bed.ctl(&["sessions"]);
    assert!(listed.status.success(), "{listed:?}");
    let undone = desk.steps(&["uninstall", "--yes", "--purge", "--json"]);
    assert!(
        undone.iter().any(|(step, _)| step.starts_with("stop the daemon")),
        "{undone:#?}"
    );
    assert!(
        outcomes(&undone).iter().all(|outcome| *outcome == "done"),
        "{undone:#?}"
    );
    let mut left: Vec<_> = fs::read_dir(home.join(".local"))
        .expect("there")
        .flatten()
        .collect();
    assert_eq!(left.pop().map(|entry| entry.file_name()), Some("bin".into()));
    assert!(left.is_empty(), "{left:?}");
    let names: Vec<_> = fs::read_dir(&place)
        .expect("there")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(
        names,
        ["mcp-ssh"],
        "what was there before is put back, and nothing else is left"
    );
    assert_eq!(
        fs::read_to_string(place.join("mcp-ssh")).expect("a file"),
        "an older one"
    );
    assert!(
        fs::read_dir(home.join(".gemini"))
            .expect("there")
            .next()
            .is_none()
    );
    desk.bed.finish();
}
