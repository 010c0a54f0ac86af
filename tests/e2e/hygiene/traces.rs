//! What a shell shows of us: nothing in its history, in its listings one prefix alone, and no failure of ours to its traps.

use std::fs;

use serde_json::json;
use sshmcp_tests::{Shell, Shim, Sudoer, TestBed, eventually, trace};

/// What everything of ours begins with in a shell.
const PREFIX: &str = "__sshmcp_";

/// The list of a shell's history, where it has one.
fn list(shell: Shell) -> Option<&'static str> {
    match shell {
        Shell::Bash => Some("history"),
        Shell::Zsh | Shell::ZshThemed | Shell::Ksh | Shell::Mksh => Some("fc -l"),
        // dash keeps none; ash's, and fish's before 4, cannot be told a text.
        Shell::Dash | Shell::Ash | Shell::Fish => None,
    }
}

/// Files that shells keep their histories in.
const FILES: [&str; 5] = [
    ".bash_history",
    ".zsh_history",
    ".sh_history",
    ".ash_history",
    ".local/share/fish/fish_history",
];

/// The texts that are in a list, without their numbers.
fn texts(listed: &str) -> Vec<&str> {
    listed
        .lines()
        .map(|line| {
            line.trim_start()
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .trim()
        })
        .collect()
}

/// A command's text is remembered, and nothing else, also where a shell was opened in the directory of an earlier one, or
/// with another beside it, below sudo and before a durable command; what is written at the shell's end has nothing of ours.
#[test]
fn histories() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in Shell::ALL {
        if shell == Shell::ZshThemed {
            continue;
        }
        let own = Sudoer::new(shell);
        let home = own.user.home.clone();
        if shell == Shell::Zsh {
            let saves = "HISTFILE=~/.zsh_history HISTSIZE=100 SAVEHIST=100\nsetopt inc_append_history\n";
            fs::write(home.join(".zshrc"), saves).expect("a file of the home");
        }
        bed.authorize(bed.sshd(), &own.user);
        let host = format!("own-{}", shell.host());
        bed.alias(&host, &own.user.name, bed.sshd().port());
        own.allow("@ ALL=(ALL:ALL) ALL");
        let given = [
            "echo 'remembered\\n'",
            "echo with, commas,and more,of them",
            "cd /usr",
            "sh -c 'exit 3'",
            "exit 0",
            "sleep 300",
            "id -u",
        ];
        let [first, commas, moved, failed, left, long, below] = given;
        for text in [first, commas, moved, failed] {
            shim.run(&host, text);
        }
        check(&mut shim, shell, &host, &[first, commas, moved, failed], &given);
        shim.run(&host, left);
        // Opened again in that directory, and another beside it.
        check(&mut shim, shell, &host, &[], &given);
        let arguments = json!({"host": host, "command": "sleep 300", "durable": true, "timeout": 0});
        let durable = shim.execute(arguments).expect("it begins");
        let arguments = json!({"host": host, "command": below, "sudo_password": own.password});
        assert_eq!(
            shim.execute(arguments).expect("it runs").stdout,
            "0\n",
            "{shell:?}"
        );
        check(&mut shim, shell, &host, &[below], &given);
        let arguments = json!({"host": host, "command": long, "timeout": 0});
        shim.execute(arguments).expect("it begins");
        check(&mut shim, shell, &host, &[], &given);
        let kill = json!({"command_id": durable.id, "signal": "KILL"});
        shim.call("interrupt_command", kill).expect("it ends");
        shim.call("close_session", json!({"host": host})).expect("closed");
        eventually("its shell has ended", || {
            !bed.processes()
                .iter()
                .any(|process| process.line.starts_with('-'))
        });
        // A durable command's directory stays until the daemon has all of it; a daemon that ends before leaves it to the next.
        let user = [own.user.clone()];
        eventually("nothing is left of it", || trace::directories(&user).is_empty());
        for name in FILES {
            let bytes = fs::read(home.join(name)).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            assert!(
                !text.contains("sshmcp_") && !text.contains("/.sshmcp-"),
                "{shell:?} {name}: {text}"
            );
        }
    }
    shim.close();
    bed.finish();
}

/// The list of the shell that calls with this host use has these texts, and no other than those that were given.
fn check(shim: &mut Shim, shell: Shell, host: &str, wanted: &[&str], given: &[&str]) {
    let Some(text) = list(shell) else { return };
    assert_eq!(shim.run(host, "pwd").exit_code, Some(0));
    let listed = shim.run(host, text);
    let all = texts(&listed.stdout);
    let strange: Vec<&&str> = all
        .iter()
        .filter(|line| !given.contains(line) && **line != text && **line != "pwd")
        .collect();
    assert!(strange.is_empty(), "{shell:?}: {strange:?} in {listed:?}");
    for text in wanted {
        assert!(all.contains(text), "{shell:?}: {text} is not in {listed:?}");
    }
}

/// An ERR trap runs for what failed in a command, and not for what we type around it; where it is set, and where it is not.
#[test]
fn err_traps() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    // All but zsh have one more, for the `eval` that gives what failed back.
    let shells = [
        (Shell::Bash, 2),
        (Shell::Zsh, 1),
        (Shell::Ksh, 2),
        (Shell::Mksh, 2),
        (Shell::Ash, 2),
    ];
    for (shell, runs) in shells {
        let host = shell.host();
        shim.run(host, "n=0; trap 'n=$((n+1))' ERR");
        for (command, code) in [("false", 1), ("true", 0), ("(exit 7)", 7), ("echo $?", 0)] {
            assert_eq!(
                shim.run(host, command).exit_code,
                Some(code),
                "{shell:?} {command}"
            );
        }
        let twice = shim.run(host, "echo $n");
        assert_eq!(twice.stdout, format!("{}\n", 2 * runs), "{shell:?}");
        // With the terminal the line that is typed is another.
        let arguments = json!({"host": host, "command": "n=0; false", "terminal": true});
        assert_eq!(shim.execute(arguments).expect("it runs").exit_code, Some(1));
        assert_eq!(shim.run(host, "echo $n").stdout, format!("{runs}\n"), "{shell:?}");
        shim.run(host, "trap - ERR; n=0");
        shim.run(host, "false");
        assert_eq!(shim.run(host, "echo $n").stdout, "0\n", "{shell:?}");
    }
    // A DEBUG trap stays what it is, also where our functions put it away for their time.
    for shell in [Shell::Bash, Shell::Zsh, Shell::Ksh] {
        let host = shell.host();
        shim.run(host, "trap ': \"it'\\''s\" $((1+1))' DEBUG");
        let set = shim.run(host, "trap").stdout;
        assert!(
            set.contains("DEBUG") && set.contains("$((1+1))"),
            "{shell:?}: {set}"
        );
        assert_eq!(shim.run(host, "(exit 3); trap").stdout, set, "{shell:?}");
        shim.run(host, "trap - DEBUG");
        assert_eq!(shim.run(host, "trap").stdout, "", "{shell:?}");
    }
    shim.close();
    bed.finish();
}

/// Names in listings begin with the prefix, and what a command's programs are given has none of it.
#[test]
fn listings() {
    let bed = TestBed::new();
    let mut shim = bed.shim();
    for shell in Shell::ALL {
        let environment = shim.run(shell.host(), "env");
        assert!(!environment.stdout.contains(PREFIX), "{shell:?}: {environment:?}");
        let names = match shell {
            Shell::Bash => "compgen -v; declare -F | cut -d ' ' -f 3; compgen -a",
            Shell::Zsh | Shell::ZshThemed => "print -l ${(k)parameters} ${(k)functions} ${(k)aliases}",
            Shell::Ksh | Shell::Mksh => "typeset +p | sed 's/.* //'; typeset +f; alias",
            Shell::Fish => "set -n; functions -a -n | string split ', '",
            Shell::Dash | Shell::Ash => "set; alias",
        };
        let listed = shim.run(shell.host(), names);
        let ours = listed
            .stdout
            .lines()
            .filter(|line| line.to_lowercase().contains("sshmcp"));
        // Values of the test's own environment have the name in them, too.
        let strange: Vec<&str> = ours
            .filter(|line| {
                !line.contains(PREFIX) && !line.contains("sshmcp-t") && !line.contains("SSHMCP_TEST")
            })
            .collect();
        assert!(strange.is_empty(), "{shell:?}: {strange:?}");
    }
    shim.close();
    bed.finish();
}
