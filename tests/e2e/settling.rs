//! What is typed at the prompt and is no command of ours: the answer comes when the far side reads again, and shows all.

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, TestBed, eventually};

/// Types, and gives the settled screen. The time is far longer than anything here takes: what settles is seen to.
fn typed(shim: &mut Shim, session: &str, mut arguments: Value) -> Value {
    arguments["session"] = session.into();
    arguments["timeout"] = 30.into();
    let shown = shim.call("send_input", arguments.clone()).expect("it is typed");
    assert_eq!(shown["settled"], true, "{session} {arguments}: {shown}");
    assert_ne!(shown["why"], "timeout", "{session} {arguments}: {shown}");
    shown
}

fn text(shown: &Value) -> &str {
    shown["text"].as_str().expect("text")
}

/// Draws in three parts, a fifth of a second apart, then reads a key; as slow full-screen programs do.
const SLOW: &str = "stty raw -echo; printf '\\033[?1049h\\033[2J\\033[1;1Hone'; sleep 0.2; printf '\\033[2;1Htwo'; sleep 0.2; \
                    printf '\\033[3;1Hthree'; dd bs=1 count=1 2>/dev/null >/dev/null; printf '\\033[?1049l'; stty sane";

/// In every shell: a line that is not entered, programs with and without the whole screen, and back at the prompt.
#[test]
fn it_settles_when_it_reads() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [
        Shell::Bash,
        Shell::Zsh,
        Shell::Fish,
        Shell::Dash,
        Shell::Ksh,
        Shell::Mksh,
        Shell::Ash,
    ] {
        let host = shell.host();
        let scratch = bed.scratch(shell);
        let (file, slow) = (scratch.join("file"), scratch.join("slow"));
        std::fs::write(&slow, SLOW).expect("a script");
        let (file, slow) = (file.display(), slow.display());
        shim.run(host, &format!("seq 1 500 > {file}"));
        let shown = typed(&mut shim, host, json!({"text": "half a line", "enter": false}));
        assert_eq!(shown["why"], "awaiting_input", "{host}: {shown}");
        assert!(text(&shown).ends_with("half a line"), "{host}: {shown}");
        // Nothing of ours is typed into it.
        let busy = shim.execute(json!({"host": host, "command": "true", "timeout": 0.3}));
        assert_eq!(
            busy.expect_err("a line stands there").code,
            "human_has_control",
            "{host}"
        );
        typed(&mut shim, host, json!({"keys": ["ctrl-u"], "enter": false}));
        let shown = typed(&mut shim, host, json!({"text": format!("sh {slow}")}));
        assert_eq!(text(&shown), "one\ntwo\nthree", "{host}: {shown}");
        let shown = typed(&mut shim, host, json!({"text": "x", "enter": false}));
        assert_eq!(shown["why"], "prompt", "{host}: {shown}");
        assert_eq!(shown["alternate_screen"], false, "{host}: {shown}");
        let shown = typed(&mut shim, host, json!({"text": format!("less {file}")}));
        assert!(text(&shown).starts_with("1\n2\n"), "{host}: {shown}");
        let shown = typed(&mut shim, host, json!({"keys": ["G"], "enter": false}));
        assert!(text(&shown).contains("\n500"), "{host}: {shown}");
        let shown = typed(&mut shim, host, json!({"keys": ["q"], "enter": false}));
        assert_eq!(shown["why"], "prompt", "{host}: {shown}");
        let shown = typed(&mut shim, host, json!({"text": "python3 -q"}));
        assert!(text(&shown).ends_with(">>>"), "{host}: {shown}");
        let shown = typed(&mut shim, host, json!({"text": "6*7"}));
        assert!(text(&shown).ends_with("42\n>>>"), "{host}: {shown}");
        typed(&mut shim, host, json!({"keys": ["ctrl-d"], "enter": false}));
        assert_eq!(shim.run(host, "echo back").stdout, "back\n", "{host}");
    }
    shim.close();
    bed.finish();
}

/// What was typed and reads is told to whoever waits for its session, too.
#[test]
fn a_session_that_reads_is_waited_for() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    shim.run("bash", "true");
    let typed = json!({"session": "bash", "text": "sleep 0.5; read -p 'well? ' x", "timeout": 0.01});
    shim.call("send_input", typed).expect("it is typed");
    let waited = shim.call("wait_for", json!({"sessions": ["bash"], "timeout": 30}));
    let waited = waited.expect("a wait");
    assert_eq!(waited["sessions"][0]["event"], "awaiting_input", "{waited}");
    shim.call("send_input", json!({"session": "bash", "text": "yes"}))
        .expect("it is typed");
    let waited = shim.call("wait_for", json!({"sessions": ["bash"], "timeout": 30}));
    assert_eq!(waited.expect("a wait")["sessions"][0]["event"], "ended");
    shim.close();
    bed.finish();
}

/// What computes is not settled, and a wait for it ends with its time.
#[test]
fn it_does_not_settle_while_it_works() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Dash] {
        let host = shell.host();
        shim.run(host, "true");
        let arguments = json!({"session": host, "text": "sleep 30", "timeout": 1.5});
        let shown = shim.call("send_input", arguments).expect("it is typed");
        assert_eq!(
            (&shown["settled"], &shown["why"]),
            (&json!(false), &json!("timeout")),
            "{host}: {shown}"
        );
        let shown = typed(&mut shim, host, json!({"keys": ["ctrl-c"], "enter": false}));
        assert_eq!(shown["why"], "prompt", "{host}: {shown}");
    }
    shim.close();
    bed.finish();
}

/// What is typed as soon as a command was taken on reaches that command as it was typed, though its shell has yet to fetch it.
#[test]
fn typed_right_behind_a_command() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Dash, Shell::Mksh] {
        let host = shell.host();
        shim.run(host, "true");
        for round in 0..10 {
            let command = "sh -c 'read -r a; echo \"got $a\"'";
            let begun =
                shim.execute(json!({"host": host, "session": host, "command": command, "timeout": 0}));
            let id = begun.expect("it begins").id;
            let text = format!("line {round}");
            shim.call("send_input", json!({"command_id": id, "text": text}))
                .expect("it is typed");
            assert_eq!(shim.wait_for(&id).stdout, format!("got {text}\n"), "{host}");
        }
    }
    shim.close();
    bed.finish();
}

/// What is typed as soon as a command has ended stands behind the prompt that is only being drawn.
#[test]
fn typed_before_the_prompt() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for (shell, slow) in [
        (Shell::Bash, "PROMPT_COMMAND='sleep 0.2'; PS1='ready> '"),
        (Shell::Zsh, "precmd() { sleep 0.2; }; PS1='ready> '"),
        (Shell::Dash, "PS1='$(sleep 0.2)ready> '"),
        (Shell::Mksh, "PS1='$(sleep 0.2)ready> '"),
        (
            Shell::Fish,
            "function fish_prompt; sleep 0.2; echo -n 'ready> '; end",
        ),
    ] {
        let host = shell.host();
        shim.run(host, slow);
        for _ in 0..3 {
            shim.run(host, "true");
            let shown = typed(&mut shim, host, json!({"text": "half a line", "enter": false}));
            let line = text(&shown).lines().last().expect("a prompt");
            assert_eq!(line, "ready> half a line", "{host}: {shown}");
            typed(&mut shim, host, json!({"keys": ["ctrl-c"], "enter": false}));
        }
    }
    shim.close();
    bed.finish();
}

/// Of a text with an unknown key in it nothing is typed, wherever that key stands; nor where two texts are given.
#[test]
fn an_unknown_key_behind_others() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let file = bed.scratch(Shell::Bash).join("made");
    shim.run("bash", "true");
    for keys in [
        "touch FILE<enter>x<foo>",
        "touch FILE<enter><foo><enter>",
        "<foo>touch FILE<enter>",
    ] {
        let keys = keys.replace("FILE", &file.display().to_string());
        let error = shim
            .call("send_keys", json!({"host": "bash", "keys": keys}))
            .expect_err("no such key");
        assert_eq!(error.code, "invalid_argument", "{error:?}");
        assert!(error.message.contains("nothing was typed"), "{error:?}");
    }
    let two = json!({"session": "bash", "text": "touch", "input_text": "echo"});
    let error = shim.call("send_input", two).expect_err("which?");
    assert_eq!(error.code, "invalid_argument", "{error:?}");
    let screen = shim
        .call("get_terminal_output", json!({"session": "bash"}))
        .expect("a screen");
    assert!(
        !screen["text"].as_str().unwrap_or_default().contains("touch"),
        "{screen}"
    );
    assert!(!file.exists());
    // Keys that exist are typed in their order.
    let keys = format!("touch {}x<bs><enter>", file.display());
    shim.call("send_keys", json!({"host": "bash", "keys": keys}))
        .expect("typed");
    eventually("it is made", || file.exists());
    shim.close();
    bed.finish();
}

/// Ctrl-C takes a half-typed line away, and an empty one leaves the shell at its prompt.
#[test]
fn ctrl_c_at_the_prompt() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in [
        Shell::Bash,
        Shell::Zsh,
        Shell::Fish,
        Shell::Dash,
        Shell::Ash,
        Shell::Ksh,
        Shell::Mksh,
    ] {
        let host = shell.host();
        shim.run(host, "true");
        for _ in 0..2 {
            typed(&mut shim, host, json!({"text": "half a line", "enter": false}));
            typed(&mut shim, host, json!({"keys": ["ctrl-c"]}));
            assert_eq!(shim.run(host, "echo back").stdout, "back\n", "{host}");
            typed(&mut shim, host, json!({"keys": ["ctrl-c"]}));
            assert_eq!(shim.run(host, "echo still").stdout, "still\n", "{host}");
        }
    }
    shim.close();
    bed.finish();
}

/// More inputs than may wait for a command are refused; those that waited are typed, each once.
#[test]
fn more_than_may_wait() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    let pid = shim.run("dash", "echo $$").stdout;
    let file = bed.scratch(Shell::Dash).join("typed");
    let signal = |shim: &mut Shim, name: &str| {
        let command = format!("kill -s {name} {}", pid.trim());
        shim.execute(json!({"host": "dash", "session": "beside", "command": command}))
            .expect("it is sent");
    };
    signal(&mut shim, "STOP");
    let command = format!("cat >{}", file.display());
    let begun = json!({"host": "dash", "session": "dash", "command": command, "timeout": 0});
    let id = shim.execute(begun).expect("it begins").id;
    let calls: Vec<u64> = (0..90)
        .map(|number| {
            let input = json!({"command_id": id, "text": format!("line {number}"), "timeout": 0.01});
            shim.begin_call("send_input", input)
        })
        .collect();
    signal(&mut shim, "CONT");
    let (mut refused, mut wanted) = (0, Vec::new());
    for (number, call) in calls.into_iter().enumerate() {
        match shim.finish_call(call) {
            Ok(_) => wanted.push(format!("line {number}")),
            Err(error) => {
                assert_eq!(
                    (&*error.code, error.retryable),
                    ("limit_reached", true),
                    "{error:?}"
                );
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "all of them waited");
    let end = json!({"command_id": id, "keys": ["ctrl-d"], "timeout": 30});
    assert_eq!(shim.call("send_input", end).expect("its end")["why"], "ended");
    let typed = std::fs::read_to_string(&file).expect("what was typed");
    let mut typed: Vec<&str> = typed.lines().collect();
    typed.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(typed, wanted);
    shim.close();
    bed.finish();
}
