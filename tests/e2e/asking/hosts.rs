//! Hosts that show less: tools of busybox alone, other users' processes hidden, no /proc at all. What can be seen there is
//! told as elsewhere, and what cannot by the text or not at all.

use sshmcp_tests::{Shell, SshdOptions};

use super::{
    player::Stage,
    relays::after_password,
    row::{
        Row,
        Source::Text,
        Step::{Asks, Draws, Ends, Type, Works},
        asks, draws, row, says, works,
    },
};

fn play(shell: Shell, world: &str, rows: &[Row]) {
    let stage = Stage::with(
        shell,
        &SshdOptions {
            world: Some(world.to_owned()),
            ..SshdOptions::default()
        },
    );
    let rounds = super::rounds();
    stage
        .play("asker", rows, rounds)
        .check(world.lines().last().unwrap_or_default());
    stage.finish();
}

/// Every program is busybox: sh, stty, od, dd, and what asks.
#[test]
fn busybox_alone() {
    let world = "mount -t tmpfs tmpfs /mnt
        cp /usr/bin/busybox /mnt/busybox
        /mnt/busybox --list | while read -r name; do
            [ \"$name\" = busybox ] || ln -s busybox \"/mnt/$name\"
        done
        mount --move /mnt /usr/bin";
    let rows = [
        asks("read x", true, ""),
        asks("read -s x", false, ""),
        asks("read -p 'Name: ' x", true, "Name:"),
        asks("cat", true, ""),
        asks("sh -c 'printf \"Go on? [y/N] \"; read x'", true, "[y/N]").then(&[Type("y"), Ends(0)]),
        asks(
            "stty -echo; printf 'Token: '; head -n 1; stty echo",
            false,
            "Token:",
        )
        .spoiling(),
        asks("bc -q", true, ""),
        asks("tee /dev/null", true, ""),
        asks("sh", true, "$").on_terminal(),
        draws("vi"),
        draws("less %PROGRAMS/long.txt"),
        works("sleep 9"),
        works("while :; do :; done"),
        works("printf 'Password: '; sleep 9"),
        works("printf 'Continue? ' >/dev/tty; sleep 9"),
        works("mkfifo @/f; cat @/f"),
        works("sleep 9 | cat"),
        works("tail -f %PROGRAMS/long.txt"),
        works("wget -q -O - http://127.0.0.1:%SILENT/"),
        works("nc 127.0.0.1 %SILENT </dev/null; sleep 9"),
        works("dd if=/dev/zero of=/dev/null 2>&1"),
        works("sleep 9").on_terminal(),
        works("stty raw -echo; sleep 9; stty sane").on_terminal(),
    ];
    play(Shell::Ash, world, &rows);
}

/// Processes of other users are not there for the user.
#[test]
fn processes_of_others_are_hidden() {
    let rows = [
        asks("read -p 'Name: ' x", true, "Name:"),
        asks("cat", true, ""),
        asks("read -s x", false, ""),
        asks(
            "python3 -c 'import getpass; getpass.getpass()'",
            false,
            "Password:",
        ),
        asks("script -qc cat /dev/null", true, ""),
        asks("bash --norc", true, "$").on_terminal(),
        draws("vi"),
        after_password("sudo sh -c 'printf \"Continue? [y/N] \"; read x'").then(&[
            Asks(Text, true, "[y/N]"),
            Type("y"),
            Ends(0),
        ]),
        after_password("sudo timeout 60 sleep 60").then(&[Works]),
        after_password("sudo timeout 60 sleep 60")
            .then(&[Works])
            .on_terminal(),
        after_password("sudo -i")
            .then(&[Asks(Text, true, "#")])
            .on_terminal(),
        says("su %ASKER -c 'printf \"Sure? \"; read x'", false, "Password:"),
        says("passwd", false, "assword:"),
        works("sudo sleep 9"),
        works("sudo sleep 9").on_terminal(),
        works("sudo env sleep 9").on_terminal(),
        works("sleep 9"),
        works("printf 'Password: '; sleep 9"),
        works("while :; do :; done"),
        works("sleep 9 | cat"),
    ];
    play(Shell::Bash, "mount -t proc -o hidepid=2 proc /proc", &rows);
}

/// A kernel that lets only parents trace (Yama, as Ubuntu has it): what a process sleeps in is told, and not on what.
#[test]
fn only_parents_may_trace() {
    let world = format!(
        "mount -t tmpfs -o mode=755 tmpfs /mnt
        cat >/mnt/refused.c <<'END'\n{}END
        cat >/mnt/refusing.c <<'END'\n{}END
        cc -shared -fPIC -o /mnt/refused.so /mnt/refused.c
        cc -o /mnt/refusing /mnt/refusing.c
        cp /usr/bin/dash /mnt/sh
        mount --bind /mnt/refusing /usr/bin/dash",
        include_str!("programs/refused.c"),
        include_str!("programs/refusing.c"),
    );
    let rows = [
        asks("read x", true, ""),
        asks("read -s x", false, ""),
        asks("read -t 30 x", true, ""),
        asks("read -p 'Name: ' x", true, "Name:"),
        asks("cat", true, ""),
        asks("cat | tr a b", true, ""),
        asks("sh -c 'printf \"Why: \"; read x; exit 3'", true, "Why:").then(&[Type("so"), Ends(3)]),
        asks("python3 -c 'input(\"Your name: \")'", true, "Your name:"),
        asks(
            "python3 -c 'import getpass; getpass.getpass()'",
            false,
            "Password:",
        ),
        asks("python3 -q", true, ">>>").on_terminal(),
        asks(
            "python3 -c 'import select; p = select.epoll(); p.register(0, select.EPOLLIN); p.poll()'",
            true,
            "",
        ),
        asks("bash --norc", true, "$").on_terminal(),
        asks("zsh -f", true, "%").on_terminal(),
        asks("sqlite3", true, "sqlite>").on_terminal(),
        asks("script -qc cat /dev/null", true, ""),
        draws("vi"),
        draws("less %PROGRAMS/long.txt"),
        draws("top"),
        says("%SSH -tt 'printf \"Deploy now? \"; read x'", true, "Deploy now?"),
        says(
            "python3 %PROGRAMS/relay.py 'printf \"Go on? [y/N] \"; read x'",
            true,
            "Go on? [y/N]",
        ),
        after_password("sudo cat").then(&[Asks(Text, true, "")]),
        works("python3 %PROGRAMS/relay.py 'echo begun; sleep 9'"),
        works("%SSH -tt 'echo begun; sleep 9'"),
        works("sleep 9"),
        works("while :; do :; done"),
        works("sleep 9 | cat"),
        works("mkfifo @/f; cat @/f"),
        works("mkfifo @/f; read x 0<>@/f"),
        works("curl -s http://127.0.0.1:%SILENT/"),
        works("ssh -p %SILENT 127.0.0.1 true"),
        works("python3 %PROGRAMS/server.py"),
        works("python3 -c 'import select; select.select([], [], [], 9)'"),
        works("python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", %SILENT)).recv(1)'"),
        works("printf 'Continue? '; curl -s http://127.0.0.1:%SILENT/"),
        works("tail -f %PROGRAMS/long.txt"),
        works("printf 'Password: '; sleep 9"),
        works("sudo sleep 9").on_terminal(),
        works("stty raw -echo; sleep 9; stty sane").on_terminal(),
    ];
    play(Shell::Bash, &world, &rows);
}

/// Nobody can look: what stands on the terminal decides, and whoever asks nothing is not heard.
#[test]
fn nothing_can_be_looked_at() {
    let rows = [
        says("read -p 'Name: ' x", true, "Name:").then(&[Type("me"), Ends(0)]),
        says("printf 'Continue? [y/N] '; read x", true, "[y/N]"),
        says(
            "stty -echo; printf 'Password: '; read x; stty echo",
            false,
            "Password:",
        )
        .spoiling(),
        says("bash --norc", true, "$").on_terminal(),
        row("vi", vec![Draws]).on_terminal(),
        works("cat"),
        works("sleep 9"),
        works("echo begun; sleep 9"),
        works("printf 'Step 1 of 3... '; sleep 9"),
        works("while :; do :; done"),
        works("sleep 9").on_terminal(),
    ];
    play(Shell::Bash, "mount -t tmpfs tmpfs /proc", &rows);
}
