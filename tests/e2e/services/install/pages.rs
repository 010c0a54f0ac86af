//! The man pages: one for each program and verb, which `man` reads without a complaint.

use std::{fs, path::Path};

use super::{Desk, SYSTEMCTL};

#[test]
fn there_is_a_page_for_each_verb() {
    let desk = Desk::new(SYSTEMCTL);
    let directory = desk.bed.home().join("man");
    fs::create_dir(&directory).expect("a directory");
    desk.bed.give("man");
    let made = desk.ctl(&["man", directory.to_str().expect("a plain path")]);
    assert!(made.status.success(), "{made:?}");
    let help = desk.ctl(&["--help"]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let verbs = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next());
    let mut pages: Vec<String> = verbs.map(|verb| format!("sshctl-{verb}")).collect();
    assert!(pages.len() > 25, "{pages:?}");
    pages.extend(["sshctl", "sshmcpd", "mcp-ssh", "sshctl-config-import"].map(str::to_owned));
    for page in pages {
        let file = directory.join(format!("{page}.1"));
        let read = desk
            .bed
            .tool("man")
            .args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8"])
            .arg(Path::new(&file))
            .env("MANWIDTH", "100")
            .output()
            .expect("man runs");
        let (said, complained) = (
            String::from_utf8_lossy(&read.stdout),
            String::from_utf8_lossy(&read.stderr),
        );
        let words: Vec<&str> = said.split_whitespace().collect();
        assert!(
            words.windows(2).any(|pair| pair == [page.as_str(), "-"]),
            "{page}: {said}"
        );
        assert_eq!(complained, "", "{page}");
    }
    desk.bed.finish();
}
