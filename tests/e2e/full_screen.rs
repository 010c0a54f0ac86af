//! What a command with the terminal wrote and what a full-screen program drew there are told apart.

use serde_json::json;
use sshmcp_tests::{Shell, TestBed};

/// Text before and behind a full-screen program is output; its picture is not, and while it is there it is named.
#[test]
fn a_picture_is_no_output() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Dash, Shell::Mksh] {
        let host = shell.host();
        let file = bed.scratch(shell).join("file");
        let file = file.display();
        shim.run(host, &format!("seq 1 300 > {file}"));
        let mut run = |command: String| {
            let arguments = json!({"host": host, "command": command, "terminal": true, "timeout": 40});
            shim.execute(arguments).expect("it runs")
        };
        for (command, wanted) in [
            (
                format!("echo before; vim -u NONE -i NONE -N -c q {file}; echo after"),
                "before\nafter\n",
            ),
            (
                "echo before; top -n 1 -d 0.1; echo after".to_owned(),
                "before\nafter\n",
            ),
            ("printf 'a\\nb\\033[2J\\033[Hc\\n'".to_owned(), "a\nb\nc\n"),
            // One that never gives the screen back keeps nothing from the reader.
            (
                "printf 'a\\033[?1049hb\\n'; echo c; printf '\\033[?47h'".to_owned(),
                "ab\nc\n",
            ),
        ] {
            let outcome = run(command.clone());
            assert_eq!(outcome.exit_code, Some(0), "{host} {command}: {outcome:?}");
            assert_eq!(outcome.stdout, wanted, "{host} {command}: {outcome:?}");
        }
        let reading = run(format!("echo before; less {file}; echo after"));
        assert_eq!(
            (&*reading.status, &*reading.stdout),
            ("awaiting_input", "before\n"),
            "{host}: {reading:?}"
        );
        assert!(
            reading.notice.contains("get_terminal_output"),
            "{host}: {reading:?}"
        );
        let typed = shim.call(
            "send_input",
            json!({"command_id": reading.id, "keys": ["q"], "enter": false}),
        );
        assert_eq!(typed.expect("it is typed")["why"], "ended", "{host}");
        let ended = shim.wait_for(&reading.id);
        assert_eq!(
            (ended.exit_code, &*ended.stdout),
            (Some(0), "before\nafter\n"),
            "{host}: {ended:?}"
        );
        assert_eq!(ended.notice, "", "{host}");
        // The bytes are all there.
        let raw = shim.call(
            "get_command_output",
            json!({"command_id": reading.id, "raw": true}),
        );
        assert!(
            raw.expect("bytes")["stdout"]
                .as_str()
                .expect("text")
                .contains("\u{1b}[?1049h")
        );
    }
    shim.close();
    bed.finish();
}
