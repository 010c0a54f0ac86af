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
    stage.play("asker", rows, rounds).check(world);
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
        after_password("sudo timeout 9 sleep 9").then(&[Works]),
        after_password("sudo timeout 9 sleep 9")
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
