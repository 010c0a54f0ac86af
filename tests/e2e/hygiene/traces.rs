//! What a shell shows of us: nothing in its history, and in its listings one prefix alone.

use std::fs;

use serde_json::json;
use sshmcp_tests::{Shell, Sudoer, TestBed, eventually};

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

/// A command's text is remembered, and nothing else; what is written at the shell's end has nothing of ours.
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
        shim.run(&host, "echo 'remembered\\n'");
        shim.run(&host, "true");
        if let Some(text) = list(shell) {
            let listed = shim.run(&host, text);
            assert!(
                listed.stdout.contains("echo 'remembered\\n'") && !listed.stdout.contains(PREFIX),
                "{shell:?}: {listed:?}"
            );
        }
        shim.call("close_session", json!({"session": host}))
            .expect("closed");
        eventually("its shell has ended", || {
            !bed.processes()
                .iter()
                .any(|process| process.line.starts_with('-'))
        });
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
