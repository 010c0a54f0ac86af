//! Full-screen programs and REPLs as an agent drives them: by the screen that a person would see, and by keys.

mod exact;
mod settled;

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, TestBed};

/// One session's terminal.
struct Terminal<'s> {
    shim: &'s mut Shim,
    session: &'static str,
}

impl Terminal<'_> {
    /// Starts a program that has the terminal, and waits until it reads.
    fn start(&mut self, command: &str) -> Value {
        let arguments = json!({"host": self.session, "command": command, "terminal": true, "timeout": 20});
        let object = self.shim.call("execute_command", arguments).expect("it starts");
        assert_eq!(object["status"], "awaiting_input", "{command}: {object}");
        object
    }

    fn input(&mut self, mut arguments: Value) -> Value {
        arguments["session"] = self.session.into();
        arguments["timeout"] = 20.into();
        let shown = self.shim.call("send_input", arguments).expect("it is typed");
        assert_eq!(shown["settled"], true, "{shown}");
        shown
    }

    fn text(&mut self, text: &str) -> Value {
        self.input(json!({"text": text}))
    }

    fn keys(&mut self, keys: &[&str]) -> Value {
        self.input(json!({"keys": keys}))
    }

    fn screen(&mut self) -> Value {
        let arguments = json!({"session": self.session});
        self.shim
            .call("get_terminal_output", arguments)
            .expect("a screen")
    }
}

fn rows(shown: &Value) -> Vec<&str> {
    shown["text"].as_str().expect("text").lines().collect()
}

fn place(shown: &Value) -> (u64, u64) {
    (
        shown["row"].as_u64().expect("row"),
        shown["column"].as_u64().expect("column"),
    )
}

/// A file is opened, two lines are written, saved, and the editor left; the file has them.
#[test]
fn vim_is_driven_by_its_screen() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Dash] {
        let file = bed.scratch(shell).join("vim.txt");
        let file = file.display();
        let mut terminal = Terminal {
            shim: &mut shim,
            session: shell.host(),
        };
        terminal.start(&format!("vim -u NONE -N -i NONE {file}"));
        let shown = terminal.screen();
        assert_eq!(shown["alternate_screen"], true, "{shown}");
        assert!(rows(&shown)[1].starts_with('~'), "{shown}");
        let shown = terminal.input(json!({"text": "ione", "enter": true}));
        assert_eq!((rows(&shown)[0], place(&shown)), ("one", (1, 0)), "{shown}");
        let shown = terminal.input(json!({"text": "two", "keys": ["escape", "up", "home"], "enter": false}));
        assert_eq!((rows(&shown)[1], place(&shown)), ("two", (0, 0)), "{shown}");
        let shown = terminal.text(":wq");
        // It may be seen to read once more on its way out.
        let id = shown["command"]["command_id"]
            .as_str()
            .expect("it runs")
            .to_owned();
        let ended = terminal.shim.wait_for(&id);
        assert_eq!(ended.exit_code, Some(0), "{ended:?}");
        let shown = terminal.screen();
        assert_eq!(shown["alternate_screen"], false, "{shown}");
        let seen = rows(&shown).join("\n");
        assert!(seen.contains("vim -u NONE") && !seen.contains("\n~"), "{seen}");
        assert_eq!(
            shim.run(shell.host(), &format!("cat {file}")).stdout,
            "one\ntwo\n"
        );
    }
    shim.close();
    bed.finish();
}

/// htop lists processes, takes function keys and a search; mc shows two panels, goes into a directory and opens a menu.
#[test]
fn htop_and_mc_are_driven_by_their_screens() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let shell = Shell::Bash;
    let scratch = bed.scratch(shell);
    std::fs::create_dir(scratch.join("inner")).expect("made");
    std::fs::write(scratch.join("inner/leaf"), "text\n").expect("written");
    let command = format!("cd {}; sleep 4321 & htop -d 100", scratch.display());
    let mut terminal = Terminal {
        shim: &mut shim,
        session: shell.host(),
    };
    let begun = terminal.start(&command);
    let shown = terminal.screen();
    assert_eq!(shown["alternate_screen"], true, "{shown}");
    assert!(
        rows(&shown)
            .iter()
            .any(|row| row.contains("PID") && row.contains("CPU%")),
        "{shown}"
    );
    let shown = terminal.input(json!({"keys": ["f4"], "text": ""}));
    assert!(
        shown["text"]
            .as_str()
            .is_some_and(|text| text.contains("Filter:")),
        "{shown}"
    );
    let shown = terminal.input(json!({"text": "4321", "keys": ["enter"], "enter": false}));
    let found = rows(&shown)
        .iter()
        .filter(|row| row.contains("sleep 4321"))
        .count();
    assert_eq!(found, 1, "{shown}");
    terminal.keys(&["f10"]);
    let ended = terminal
        .shim
        .wait_for(begun["command_id"].as_str().expect("an id"));
    assert_eq!(ended.exit_code, Some(0), "{ended:?}");
    terminal.shim.run(shell.host(), "kill %1; wait");

    let mut terminal = Terminal {
        shim: &mut shim,
        session: shell.host(),
    };
    let begun = terminal.start("mc -u");
    let shown = terminal.screen();
    assert!(rows(&shown).iter().any(|row| row.contains("/inner")), "{shown}");
    let shown = terminal.input(json!({"keys": ["down", "enter"], "enter": false}));
    assert!(rows(&shown).iter().any(|row| row.contains("leaf")), "{shown}");
    let shown = terminal.keys(&["f9", "down"]);
    assert!(
        shown["text"]
            .as_str()
            .is_some_and(|text| text.contains("File listing")),
        "{shown}"
    );
    terminal.keys(&["escape", "escape"]);
    let shown = terminal.keys(&["f10"]);
    if shown["command"]["status"] == "awaiting_input" {
        // Some ask first.
        terminal.keys(&["enter"]);
    }
    let ended = shim.wait_for(begun["command_id"].as_str().expect("an id"));
    assert_eq!(ended.exit_code, Some(0), "{ended:?}");
    shim.close();
    bed.finish();
}

/// less searches, turns pages and leaves; cursor keys are what it asked for.
#[test]
fn less_is_driven_by_its_screen() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let mut terminal = Terminal {
        shim: &mut shim,
        session: "bash",
    };
    terminal.start("seq 1000 | less");
    let shown = terminal.screen();
    assert_eq!((rows(&shown)[0], rows(&shown)[38]), ("1", "39"), "{shown}");
    assert_eq!(rows(&terminal.keys(&["page-down"]))[0], "40");
    assert_eq!(rows(&terminal.text("/^500$"))[0], "500");
    assert_eq!(rows(&terminal.keys(&["down"]))[0], "501");
    let shown = terminal.keys(&["q"]);
    assert_eq!(shown["command"]["exit_code"], 0, "{shown}");
    shim.close();
    bed.finish();
}

/// top draws on the first screen; a process's row is read, and what it leaves is on the screen as for a person.
#[test]
fn top_is_read() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let mut terminal = Terminal {
        shim: &mut shim,
        session: "bash",
    };
    let started = terminal.start("top -d 60");
    assert!(started["prompt"].is_null(), "{started}");
    let shown = terminal.screen();
    assert!(rows(&shown)[0].starts_with("top - "), "{shown}");
    assert!(
        rows(&shown)
            .iter()
            .any(|row| row.trim_start().starts_with("PID ")),
        "{shown}"
    );
    let shown = terminal.keys(&["q"]);
    assert_eq!(shown["command"]["exit_code"], 0, "{shown}");
    shim.close();
    bed.finish();
}

/// Statements one after the other, one of them wrong; each answer is on the screen.
#[test]
fn a_repl_is_worked_in() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let mut terminal = Terminal {
        shim: &mut shim,
        session: "zsh",
    };
    terminal.start("python3 -q");
    terminal.text("x = 6");
    let shown = terminal.text("x * 7");
    assert_eq!(rows(&shown)[rows(&shown).len() - 2], "42", "{shown}");
    let shown = terminal.text("1 / 0");
    assert!(
        shown["text"]
            .as_str()
            .expect("text")
            .contains("ZeroDivisionError"),
        "{shown}"
    );
    let shown = terminal.text("x");
    assert_eq!(rows(&shown)[rows(&shown).len() - 2], "6", "{shown}");
    let shown = terminal.keys(&["ctrl-d"]);
    assert_eq!(shown["command"]["exit_code"], 0, "{shown}");
    shim.close();
    bed.finish();
}

/// A box with two answers, moved in by keys.
#[test]
fn a_dialog_box_is_answered() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let mut terminal = Terminal {
        shim: &mut shim,
        session: "bash",
    };
    for (keys, code) in [
        (&["enter"][..], 0),
        (&["tab", "enter"], 1),
        (&["right", "enter"], 1),
    ] {
        terminal.start("dialog --yesno 'Really go on?' 8 40");
        let shown = terminal.screen();
        let text = shown["text"].as_str().expect("text");
        assert!(text.contains("Really go on?") && text.contains("Yes"), "{text}");
        let shown = terminal.keys(keys);
        assert_eq!(shown["command"]["exit_code"], code, "{shown}");
    }
    shim.close();
    bed.finish();
}

/// Captured commands, their output and the prompts stand on the screen in their order, in every shell; nothing of ours.
#[test]
fn a_screen_has_commands_in_order() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in Shell::ALL {
        let host = shell.host();
        for _ in 0..3 {
            shim.run(host, "seq 3");
        }
        shim.run(host, "printf 'last\\n'");
        let mut terminal = Terminal {
            shim: &mut shim,
            session: host,
        };
        let shown = terminal.text("echo typed");
        let shown_rows = rows(&shown);
        let text = shown_rows.join("\n");
        assert!(!text.contains("sshmcp_"), "{host}: {text}");
        // A prompt may stand before a command, and a clock behind it.
        let at = |wanted: &str| {
            let found = |row: &&str| {
                if wanted.len() > 4 {
                    row.contains(wanted)
                } else {
                    *row == wanted
                }
            };
            shown_rows.iter().rposition(found)
        };
        let order = ["seq 3", "1", "2", "3", "printf 'last\\n'", "last", "echo typed"].map(at);
        assert!(
            order.iter().all(Option::is_some) && order.is_sorted(),
            "{host}: {order:?} {text}"
        );
        assert_eq!(
            shown_rows[at("echo typed").expect("typed") + 1],
            "typed",
            "{host}: {text}"
        );
    }
    shim.close();
    bed.finish();
}

/// A program learns where its cursor is; a file that holds the same question makes nobody type.
#[test]
fn a_terminal_answers_who_takes_keys() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    // As programs do: the terminal is made ready for keys before it is asked; or, as some do, only then.
    let ready = r#"bash -c 'stty -icanon -echo; printf "ab\033[6n"; IFS= read -rsd R answer; stty icanon echo; printf "\n%s\n" ${answer#*\[}'"#;
    let late = r#"bash -c 'stty -echo; printf "ab\033[6n"; sleep 0.2; IFS= read -rsd R answer; stty echo; printf "\n%s\n" ${answer#*\[}'"#;
    for (host, ask) in [("bash", ready), ("zsh", ready), ("bash", late)] {
        let arguments = json!({"host": host, "command": ask, "terminal": true, "timeout": 20});
        let asking = shim.execute(arguments).expect("it runs");
        // On a busy host it may be seen to read before the answer is there.
        let answered = shim.wait_for(&asking.id);
        let answer = answered.stdout.lines().last().unwrap_or_default();
        let column = answer.split_once(';').map(|(_, column)| column);
        assert_eq!((answered.exit_code, column), (Some(0), Some("3")), "{answered:?}");
        let arguments = json!({"host": host, "command": r"printf 'x\033[6n\033[c\n'", "terminal": true});
        let object = shim.call("execute_command", arguments).expect("it runs");
        assert_eq!(object["stdout"], "x\n", "{object}");
        let next = shim.run(host, "echo clean");
        assert_eq!((next.exit_code, &*next.stdout), (Some(0), "clean\n"), "{next:?}");
    }
    shim.close();
    bed.finish();
}

/// The largest screen, full, is cut to what an answer may have: its last rows, with a word of how many are above.
#[test]
fn a_screen_has_its_bounds() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let size = json!({"host": "bash", "cols": 500, "rows": 200});
    shim.call("open_session", size).expect("it opens");
    let fill = "for i in {1..199}; do printf '%s%03d\\n' $(printf 'x%.0s' {1..496}) $i; done";
    let filled = json!({"host": "bash", "command": fill, "terminal": true});
    assert_eq!(shim.execute(filled).expect("it runs").exit_code, Some(0));
    for (tool, arguments) in [
        ("get_terminal_output", json!({"session": "bash"})),
        (
            "send_input",
            json!({"session": "bash", "text": " ", "enter": false}),
        ),
    ] {
        let shown = shim.call(tool, arguments).expect("a screen");
        let rows = rows(&shown);
        assert!(shown["text"].as_str().expect("text").len() <= 40_000, "{tool}");
        assert!(
            rows.len() >= 79 && rows.iter().rev().nth(1).expect("a row").ends_with("x199"),
            "{tool}"
        );
        assert_eq!(
            shown["omitted_lines"].as_u64(),
            Some(200 - rows.len() as u64),
            "{tool}"
        );
        assert_eq!(shown["row"], 199, "{tool}");
    }
    shim.close();
    bed.finish();
}
