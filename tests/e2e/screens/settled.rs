//! The screen that answers is the settled one: of programs that were typed at the prompt, of those that draw it in parts,
//! and in another size.

use serde_json::{Value, json};
use sshmcp_tests::{Shell, TestBed};

use super::{Terminal, place, rows};

/// The row so many above the cursor's.
fn at_cursor(shown: &Value, above: u64) -> &str {
    let row = place(shown).0 - above;
    rows(shown)[usize::try_from(row).expect("a row")]
}

/// Draws in three parts with pauses, then reads a key.
const SLOW: &str = r#"bash -c 'draw() { printf "\033[H\033[2J"; for part in 1 2 3; do printf "\033[%d;1Hpart %d of %s" $part $part "$1"; sleep 0.2; done; }; printf "\033[?1049h"; draw start; while IFS= read -rsn1 key && [ "$key" != q ]; do draw "$key"; done; printf "\033[?1049l"'"#;

/// One answer a key, and all parts are on it; however the program was started.
#[test]
fn a_screen_that_is_drawn_in_parts() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for typed in [false, true] {
        let mut terminal = Terminal {
            shim: &mut shim,
            session: "bash",
        };
        if typed {
            terminal.text(SLOW);
        } else {
            terminal.start(SLOW);
        }
        for key in ["a", "b", "c"] {
            let shown = terminal.input(json!({"text": key, "enter": false}));
            let parts: Vec<String> = (1..=3).map(|part| format!("part {part} of {key}")).collect();
            assert_eq!(rows(&shown)[..3], parts, "{typed}: {shown}");
        }
        terminal.input(json!({"text": "q", "enter": false}));
    }
    shim.close();
    bed.finish();
}

/// Programs that were typed at the prompt answer as those of execute_command do.
#[test]
fn programs_that_were_typed() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let shell = Shell::Zsh;
    let file = bed.scratch(shell).join("typed.txt");
    let file = file.display();
    let mut terminal = Terminal {
        shim: &mut shim,
        session: shell.host(),
    };
    terminal.shim.run(shell.host(), "true");
    let shown = terminal.text(&format!("vim -u NONE -N -i NONE {file}"));
    assert_eq!(shown["alternate_screen"], true, "{shown}");
    let shown = terminal.input(json!({"text": "ione", "keys": ["enter"], "enter": false}));
    assert_eq!((rows(&shown)[0], place(&shown)), ("one", (1, 0)), "{shown}");
    terminal.keys(&["escape"]);
    let shown = terminal.text(":wq");
    assert_eq!(shown["alternate_screen"], false, "{shown}");
    let shown = terminal.text("seq 1000 | less");
    assert_eq!(rows(&shown)[0], "1", "{shown}");
    assert_eq!(rows(&terminal.keys(&["page-down"]))[0], "40");
    terminal.keys(&["q"]);
    let shown = terminal.text("dialog --yesno 'Really go on?' 8 40");
    assert!(
        rows(&shown).iter().any(|row| row.contains("Really go on?")),
        "{shown}"
    );
    terminal.keys(&["enter"]);
    let shown = terminal.text("python3 -q");
    assert_eq!(at_cursor(&shown, 0), ">>>", "{shown}");
    let shown = terminal.text("6 * 7");
    assert_eq!(at_cursor(&shown, 1), "42", "{shown}");
    terminal.keys(&["ctrl-d"]);
    let shown = terminal.text("top -d 60");
    assert!(rows(&shown)[0].starts_with("top - "), "{shown}");
    terminal.keys(&["q"]);
    assert_eq!(
        terminal.shim.run(shell.host(), &format!("cat {file}")).stdout,
        "one\n\n"
    );
    shim.close();
    bed.finish();
}
