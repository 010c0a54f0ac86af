//! What looks of the helper say, as tables.

use super::*;

fn verdict(text: &str) -> Verdict {
    Probe::parse(text).expect("a probe").verdict()
}

fn unclear(echo: bool, clue: Clue) -> Verdict {
    Verdict::Unclear { echo, clue }
}

/// As the helper prints it for an ordinary user: what runs in front, and what it means.
#[test]
fn processes_that_may_be_looked_into() {
    let line = Verdict::Reading { echo: true };
    assert_eq!(verdict("cek;200;-;200 100 . S t 0 cat|;"), line);
    assert_eq!(
        verdict("cnk;100;-;100 0 . S t 0 bash|;"),
        Verdict::Reading { echo: false },
        "read -s"
    );
    assert_eq!(verdict("cek;100;-;100 0 . S p 0 bash|;"), line, "read -t");
    assert_eq!(verdict("cek;100;-;100 0 . S w 0 bash|;"), line, "read -t");
    assert_eq!(verdict("cek;100;-;100 0 . S w 0 curl|;"), Verdict::Working);
    assert_eq!(verdict("rek;100;-;100 0 . S t 0 bash|;"), line, "read -n1");
    assert_eq!(
        verdict("rnk;100;-;100 0 . S t 0 bash|;"),
        Verdict::Keys { echo: false },
        "read -sn1"
    );
    assert_eq!(verdict("u;200;-;200 100 . S n 0 sleep|;"), Verdict::Working);
    assert_eq!(verdict("u;200;-;200 100 . R n 0 yes|;"), Verdict::Working);
    assert_eq!(
        verdict("cek;200;-;200 100 . S n 0 sh|201 200 . S t 0 cat|;"),
        line
    );
    assert_eq!(
        verdict("rne;200;-;200 100 . S p 0 vim|;"),
        Verdict::Keys { echo: true }
    );
    assert_eq!(
        verdict("cek;200;-;200 100 . T t 0 cat|;"),
        Verdict::Working,
        "stopped"
    );
    assert_eq!(
        verdict("cek;200;-;200 100 . S m 0 nc|;"),
        unclear(true, Clue::Text),
        "either may come"
    );
    assert_eq!(
        verdict("rne;200;-;200 100 . S x 0 k9s|;"),
        unclear(true, Clue::Relay)
    );
    assert_eq!(verdict("cek;200;-;200 100 . S x 0 java|;"), line);
    assert_eq!(verdict("cek;200;-;200 100 . S a 0 curl|;"), Verdict::Working);
    assert_eq!(
        verdict("rne;200;-;200 100 . S a 0 docker-like|;"),
        unclear(true, Clue::Relay)
    );
}

/// Relays: what is behind them decides where it can be seen, and the text where not.
#[test]
fn relays() {
    assert_eq!(
        verdict("rne;200;-;200 100 . S m 0 ssh|;"),
        unclear(true, Clue::Relay)
    );
    assert_eq!(
        verdict("rne;200;-;200 100 . S n 0 tmux|;"),
        unclear(true, Clue::Relay),
        "its server reads"
    );
    assert_eq!(verdict("cek;200;-;200 100 . S n 0 tmux|;"), Verdict::Working);
    assert_eq!(
        verdict("cnk;200;-;200 100 . S t 0 ssh|;"),
        Verdict::Reading { echo: false },
        "asks for a password itself"
    );
    let script = "rne;200;-;200 100 . S m 0 script|208 200 7 S n 0 sh|209 208 7 S";
    assert_eq!(
        verdict(&format!("{script} t 0 cat|;7 cnk|")),
        Verdict::Reading { echo: false }
    );
    assert_eq!(verdict(&format!("{script} n 0 sleep|;7 cek|")), Verdict::Working);
    let sudo = "200;-;200 100 . S h 5 sudo|209 200 7";
    assert_eq!(
        verdict(&format!("cek;{sudo} S h 3 sleep|;7 uek|")),
        Verdict::Working
    );
    assert_eq!(
        verdict(&format!("cnk;{sudo} S h 3 sleep|;7 uek|")),
        unclear(false, Clue::Text)
    );
    assert_eq!(
        verdict(&format!("rne;{sudo} S h 3 apt|;7 uek|")),
        unclear(true, Clue::Handed)
    );
    assert_eq!(
        verdict(&format!("rne;{sudo} S h 3 sh|210 209 7 S h 3 sleep|;7 uek|")),
        unclear(true, Clue::Text)
    );
    assert_eq!(
        verdict(&format!("rne;{sudo} S h 3 ssh|;7 uek|")),
        unclear(true, Clue::Text)
    );
    assert_eq!(
        verdict(&format!("rne;{sudo} R h 3 apt|;7 uek|")),
        Verdict::Working
    );
    assert_eq!(
        verdict(&format!("rne;{sudo} S s 3 bash|;7 uek|")),
        unclear(true, Clue::Shell)
    );
}

/// Other users' processes on the terminal itself, and hosts where nobody can look.
#[test]
fn hidden_processes() {
    assert_eq!(
        verdict("cnk;200;-;200 100 . S h 1 passwd|;"),
        unclear(false, Clue::Text)
    );
    assert_eq!(
        verdict("rne;201;-;201 200 . S s 1 bash|;"),
        unclear(true, Clue::Keys)
    );
    assert_eq!(
        verdict("cek;201;-;201 200 . S s 1 bash|;"),
        unclear(true, Clue::Shell)
    );
    assert_eq!(
        verdict("rne;201;-;201 200 . S h 1 vim|;"),
        unclear(true, Clue::Keys)
    );
    assert_eq!(
        verdict("rne;201;-;200 100 . S h 1 sudo|;"),
        unclear(true, Clue::Relay)
    );
    assert_eq!(verdict("cek;200;-;;"), unclear(true, Clue::Text));
    assert_eq!(Probe::blind().verdict(), unclear(true, Clue::Text));
    assert_eq!(
        verdict("cnk;200;-;201 100 . ? h - ?|;"),
        unclear(false, Clue::Text),
        "hidepid"
    );
    assert_eq!(
        verdict("rne;200;-;201 100 . ? h - ?|;"),
        unclear(true, Clue::Relay),
        "perhaps sudo"
    );
}

/// Where the words that were written before end.
#[test]
fn levels() {
    let level = |text: &str| Probe::parse(text).expect("a probe").level;
    assert_eq!(level("cek;200;-;;"), None);
    assert_eq!(level("cek;200;-;;;"), None);
    assert_eq!(level("cek;200;-;;;x"), None);
    let only = |out, err| Some(Level { number: 12, out, err });
    assert_eq!(level("cek;200;-;;;12"), only(false, false));
    assert_eq!(level("cek;200;-;;;12e"), only(false, true));
    assert_eq!(level("cek;200;-;;;12oe"), only(true, true));
}

/// The shell's own line editor, and what only has its process id.
#[test]
fn the_shell_itself() {
    let reads = |text: &str| Probe::parse(text).expect("a probe").shell_reads(100);
    assert!(reads("rne;100;-;100 0 . S p 0 bash|;"));
    assert!(reads("rne;100;-;100 0 . S m 0 fish|;"));
    assert!(reads("cek;100;-;100 0 . S t 0 dash|;"));
    assert!(!reads("rne;100;x;100 0 . S t 0 zsh|;"), "exec zsh");
    assert!(!reads("rne;200;-;200 100 . S p 0 bash|;"), "an inner one");
    assert!(!reads("cek;100;-;100 0 . S n 0 bash|;"));
}
