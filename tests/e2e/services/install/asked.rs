//! What a person is asked at a terminal before anything goes: the plan, and then, apart, what their sessions showed.

use std::path::PathBuf;

use super::{Desk, SYSTEMCTL};
use crate::attach::Pane;

const PLAN: &str = "Do this (yes/no)?";
const TRANSCRIPTS: &str = "Transcripts, recordings and state of all sessions in ";

impl Desk {
    /// `sshctl uninstall` as a person types it, and these answers to its questions; what is shown when it has ended.
    fn uninstall_at(&self, pane: &Pane<'_>, answers: &[(&str, &str)]) -> String {
        pane.types(&format!(
            "clear; PATH={}:{}:$PATH; sshctl uninstall; echo en''ded:$?",
            self.tools.display(),
            self.programs().display()
        ));
        pane.keys("Enter");
        for (question, answer) in answers {
            // Where a line is too long for the pane it goes on in the next one.
            let asked = |seen: &str| {
                let seen: String = seen.lines().collect();
                let last = seen.trim_end().rsplit(PLAN).next().unwrap_or_default();
                if *question == PLAN {
                    last.is_empty()
                } else {
                    last.contains(question) && last.ends_with("(yes/no)?")
                }
            };
            pane.shows(question, asked);
            if *answer == "C-c" {
                pane.keys(answer);
            } else {
                pane.types(answer);
                pane.keys("Enter");
            }
        }
        // Ctrl-C stands before it in the same row.
        pane.shows("its end", |seen| seen.contains("ended:"))
    }

    fn transcript(&self) -> PathBuf {
        self.bed.home().join(".local/state/sshmcp/logs/bash.log")
    }

    fn unit(&self) -> PathBuf {
        self.bed.home().join(super::UNITS).join("sshmcpd.socket")
    }
}

/// Nothing goes without a yes to the plan, transcripts not without one of their own, and who leaves at either question has all.
#[test]
fn transcripts_go_by_a_word_of_their_own() {
    let desk = Desk::new(SYSTEMCTL);
    desk.steps(&["install", "--yes", "--json"]);
    let ran = desk.bed.ctl(&["exec", "bash", "--", "echo shown"]);
    assert!(ran.status.success(), "{ran:?}");
    let closed = desk.bed.ctl(&["close", "--all"]);
    assert!(closed.status.success(), "{closed:?}");
    desk.bed.stop_daemon();

    let pane = Pane::open(&desk.bed);
    for answers in [
        &[(PLAN, "no")][..],
        &[(PLAN, "y")],
        &[(PLAN, "yes"), (TRANSCRIPTS, "C-c")],
    ] {
        desk.uninstall_at(&pane, answers);
        assert!(
            desk.unit().exists() && desk.transcript().exists(),
            "nothing was done: {answers:?}"
        );
    }
    let shown = desk.uninstall_at(&pane, &[(PLAN, "yes"), (TRANSCRIPTS, "no")]);
    assert!(shown.contains("ended:0"), "{shown}");
    assert!(!desk.unit().exists() && desk.transcript().exists());
    desk.steps(&["install", "--yes", "--json"]);
    let shown = desk.uninstall_at(&pane, &[(PLAN, "yes"), (TRANSCRIPTS, "yes")]);
    assert!(shown.contains("ended:0"), "{shown}");
    assert!(!desk.unit().exists() && !desk.bed.home().join(".local/state").exists());
    pane.close();
    desk.bed.finish();
}
