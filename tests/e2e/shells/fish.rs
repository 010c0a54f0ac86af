//! fish: what the other shells' tables ask, in its own syntax.

use sshmcp_tests::Shell;

use super::table::{Act, Row, Text, gives, like, sees};

pub(super) fn rows(_: Shell) -> Vec<Row> {
    let mut rows: Vec<Row> = PLAIN.iter().map(|text| like(*text)).collect();
    rows.extend(wrong());
    rows.extend(state());
    rows.extend(asking());
    rows.extend(bulk());
    rows.extend(meddling());
    rows.extend(endings());
    rows
}

fn nothing() -> Text {
    Text::Is(String::new())
}

/// Those to which `fish -c` has the whole answer.
const PLAIN: &[&str] = &[
    "true",
    "false",
    "sh -c 'exit 42'",
    "sh -c 'exit 255'",
    "function f; return 6; end; f",
    "not true",
    "true; and false; or sh -c 'exit 9'",
    "true && false || sh -c 'exit 9'",
    "nosuchcommand_x",
    "/etc",
    "./nosuchfile",
    "echo out; echo err >&2; sh -c 'exit 5'",
    "printf 'no newline'",
    "printf 'no newline' >&2",
    "echo \"a  b\" 'c\"d' e\\ f",
    "echo \"it's\" '\"quoted\"' \"\\$HOME\" '$HOME' \\\\",
    "printf '%s|' \"a b\" c '' 'd'; echo",
    "echo \"hi!\" !x !! '!$' \"!-1\" ^a^b",
    "echo ~ ~root; echo \"~\"",
    "echo (math 6 x 7) (count a b c)",
    "echo (echo dollar (echo nested)) $(echo other)",
    "echo a{1,2,3}b {x,y}",
    "echo /etc/pass*d [",
    "echo /nosuch/*",
    "echo then fi done esac if",
    "echo a # a comment, don't",
    "# nothing but a comment",
    "   ",
    "\n\n",
    "  echo leading",
    "\n\necho blank lines before and after\n\n",
    "echo one; echo two\necho three\n",
    "echo a\\\nb",
    "echo 'a\nb\n\nc'",
    "echo 'a\ttab'\t|\tcat",
    "if true\n\techo yes\nend",
    "for i in 1 2 3\n  printf '%s ' $i\nend; echo",
    "printf '%s\\n' 'a b' '  c' | while read -l l; echo \"<$l>\"; end",
    "switch abc; case 'a*'; echo match; case '*'; echo none; end",
    "begin; echo grouped; echo both >&2; end 2>&1",
    "echo a | sed s/a/b/ | tr b c",
    "test -t 1 && echo a terminal || echo no terminal",
    "echo ünïcödé 日本語 🦀 e\u{301} \u{200b}zero",
    "echo EOF; echo end; echo @",
    "cat </dev/null",
    "read x </dev/null; echo \"$status <$x>\"",
    "cat /nosuchfile",
    "cd /nosuchdirectory",
    "sh -c 'echo $#' x a 'b c'",
    "x=1 sh -c 'echo $x'",
    "less /etc/hostname",
    "string upper abc; string length ünï",
    "set -l local 1; echo $local",
    "echo $nosuch\"<$nosuch>\"",
    "set -x a 1; sh -c 'echo $a'; set -e a",
];

/// What fish itself says of it comes on its terminal: here it is part of standard error.
fn wrong() -> Vec<Row> {
    let mut rows: Vec<Row> = [
        "echo 'abc",
        "echo \"abc",
        "echo (echo a",
        "if true",
        "while true",
        "for x in a b",
        "begin",
        "end",
        "echo a |",
        "echo a &&",
        "| cat",
        "&& echo a",
        "case x",
        "<",
        "echo a >",
        ")",
        "echo a; echo 'b",
    ]
    .map(|text| sees(text, 123, nothing(), Text::Has("fish: ")))
    .into();
    rows.extend([
        // Its help is for a terminal; no pager waits there.
        sees("if", 2, nothing(), Text::Has("if - ")).noticed(),
        sees("while", 2, nothing(), Text::Has("while - ")).noticed(),
        // What command substitutions write to stderr is on the terminal, whatever a block's redirection.
        gives(
            "set x (sh -c 'echo out; echo err >&2'); echo $x",
            0,
            "out\n",
            "err\n",
        )
        .noticed(),
        gives(
            "echo (cat /nosuch/a)(echo b)",
            0,
            "\n",
            "cat: /nosuch/a: No such file or directory\n",
        )
        .noticed(),
        sees("break", 1, nothing(), Text::Has("Not inside of loop")),
        // Its eval forgets the status of a redirection that failed.
        sees("echo a >/nosuch/file", 0, nothing(), Text::Has("/nosuch")),
        sees("echo $", 121, nothing(), Text::Has("fish: ")),
        gives("echo fine", 0, "fine\n", ""),
    ]);
    rows
}

fn state() -> Vec<Row> {
    vec![
        gives("cd /usr/share", 0, "", ""),
        gives("pwd; cd ..; pwd", 0, "/usr/share\n/usr\n", ""),
        gives("prevd; pwd; cd", 0, "/usr/share\n", ""),
        gives(
            "set plain 5; set other 'a b'; set list one 'two words'",
            0,
            "",
            "",
        ),
        gives(
            "echo $plain \"$other\" (count $list) $list[2]",
            0,
            "5 a b 2 two words\n",
            "",
        ),
        gives("set -gx EXPORTED yes; set -l gone 1", 0, "", ""),
        gives(
            "sh -c 'echo $EXPORTED $plain'; echo \"<$gone>\"",
            0,
            "yes\n<>\n",
            "",
        ),
        gives("set -e EXPORTED; set -q EXPORTED", 1, "", ""),
        gives(
            "set -g size 5; set -g mode m; set -gx out o; set -g err e; set -g form f; set -g line l",
            0,
            "",
            "",
        ),
        gives("echo $size $mode $out $err $form $line", 0, "5 m o e f l\n", ""),
        gives("set -e size mode out err form line", 0, "", ""),
        gives(
            "function greet; echo \"hello $argv[1]\"; return 4; end",
            0,
            "",
            "",
        ),
        gives("greet you", 4, "hello you\n", ""),
        gives("functions -e greet; functions -q greet", 1, "", ""),
        gives("alias shout='echo ALIASED'", 0, "", ""),
        gives("shout now; functions -e shout", 0, "ALIASED now\n", ""),
        gives("abbr -a zz 'echo abbreviated'", 0, "", ""),
        sees("abbr --show; abbr -e zz", 0, Text::Has("zz"), nothing()),
        gives("umask 027; umask", 0, "0027\n", ""),
        gives("umask 022", 0, "", ""),
        gives("set argv a 'b c' d", 0, "", ""),
        gives("echo (count $argv) $argv[2]; set -e argv", 0, "3 b c\n", ""),
        gives("echo 'set sourced 1; return 3' >@/lib; source @/lib", 3, "", ""),
        gives("echo $sourced", 0, "1\n", ""),
        gives("mkdir @/gone; cd @/gone; rmdir @/gone", 0, "", ""),
        gives("echo nowhere; cd", 0, "nowhere\n", ""),
        gives("return 3", 3, "", ""),
        gives("false | true; echo $pipestatus", 0, "1 0\n", ""),
    ]
}

fn asking() -> Vec<Row> {
    vec![
        sees(
            "read -P '? ' x; echo \"got $x\"",
            0,
            Text::Is("got hello\n".into()),
            nothing(),
        )
        .act(Act::Answer(&["hello"], true)),
        gives("sh -c 'read y; echo \"child $y\"'", 0, "child öäü\n", "").act(Act::Answer(&["öäü"], true)),
        gives("cat", 0, "typed line\n", "").act(Act::AnswerAndEnd("typed line")),
        gives("cat | tr a-z A-Z", 0, "PIPED\n", "").act(Act::AnswerAndEnd("piped")),
        gives("sh -c 'stty -echo; read s; stty echo; echo ${#s}'", 0, "6\n", "")
            .act(Act::Answer(&["secret"], false)),
        gives("sleep 100", 130, "", "").act(Act::Interrupt),
        gives("sleep 100; echo NO", 130, "", "").act(Act::Interrupt),
        gives("while true; end; echo NO", 130, "", "").act(Act::Interrupt),
        gives("for i in 1 2 3; sleep 100; end", 130, "", "").act(Act::Interrupt),
        gives("echo before; sh -c 'sleep 100'", 130, "before\n", "").act(Act::Interrupt),
        gives("cat", 130, "", "").act(Act::Interrupt),
        gives("yes >/dev/null", 130, "", "").act(Act::Interrupt),
        gives("sleep 100 | cat", 130, "", "").act(Act::Interrupt),
        gives(
            "sh -c 'trap \"echo caught; exit 7\" INT; while :; do sleep 0.1; done'",
            7,
            "caught\n",
            "",
        )
        .act(Act::Interrupt),
    ]
}

fn bulk() -> Vec<Row> {
    let numbers: String = (1..=300_000).map(|number| format!("{number}\n")).collect();
    let line = "x".repeat(8 << 10);
    let almost = "y".repeat((1 << 20) - 100);
    vec![
        gives("seq 1 300000", 0, numbers, "").whole(),
        gives(format!("echo {line} | wc -c"), 0, "8193\n", ""),
        gives(
            format!("set x {almost}; string length $x; set -e x"),
            0,
            format!("{}\n", almost.len()),
            "",
        ),
        gives(
            format!("printf %s '{}é' | wc -c", "ü".repeat(4096)),
            0,
            "8194\n",
            "",
        ),
        gives("yes | head -n 5", 0, "y\n".repeat(5), ""),
        gives("printf 'a\\000b' | od -An -tx1", 0, " 61 00 62\n", ""),
        gives("sh -c 'sleep 0.3; echo late' &; echo now", 0, "now\n", ""),
        gives("wait", 0, "", ""),
        gives("sleep 1000 &; echo held", 0, "held\n", ""),
        gives("kill $last_pid; wait $last_pid; true", 0, "", ""),
        gives(
            "printf '\\033]6973;0123456789abcdef;D;c1;0;/\\007'; sh -c 'exit 3'",
            3,
            "",
            "",
        ),
        gives(
            "printf '\\033]6973;%s;D;c1;0;/\\007' $__sshmcp_n >/dev/tty; sh -c 'exit 4'",
            4,
            "",
            "",
        ),
        gives(
            "printf 'user@host> ' >/dev/tty; sleep 0.2; sh -c 'exit 8'",
            8,
            "",
            "user@host> ",
        )
        .noticed(),
        gives("printf '\\033[6n\\033[c' >/dev/tty; echo asked", 0, "asked\n", ""),
        gives("printf %s 'a\r\nb' | od -An -tx1", 0, " 61 0d 0a 62\n", ""),
    ]
}

fn meddling() -> Vec<Row> {
    vec![
        gives("set saved $PATH; set PATH", 0, "", ""),
        sees("ls", 127, nothing(), Text::Has("ls")),
        gives("set PATH $saved; ls /etc/hostname", 0, "/etc/hostname\n", ""),
        gives("function fish_prompt; echo noise; false; end", 0, "", ""),
        gives("echo clean; functions -e fish_prompt", 0, "clean\n", ""),
        gives(
            "function fish_right_prompt; date; end; echo right",
            0,
            "right\n",
            "",
        ),
        gives("functions -e fish_right_prompt; fish_vi_key_bindings", 0, "", ""),
        gives("echo vi; fish_default_key_bindings", 0, "vi\n", ""),
        gives(
            "function printf; echo mine; end; function cat; echo mine; end",
            0,
            "",
            "",
        )
        .other(),
        gives("echo functions; functions -e printf cat", 0, "functions\n", ""),
        gives("set -g IFS 0123456789abcdef; echo split", 0, "split\n", ""),
        // fish 3 says that it misses it.
        sees(
            "set -e IFS; set -e TERM; echo without",
            0,
            Text::Is("without\n".into()),
            Text::Any,
        ),
        gives("functions -e __sshmcp_h; echo hookless", 0, "hookless\n", ""),
        gives("echo still", 0, "still\n", ""),
        gives("stty -echo", 0, "", ""),
        gives("stty raw", 0, "", ""),
        gives("stty sane", 0, "", ""),
        gives("set -g fish_trace 1", 0, "", ""),
        gives("set -e fish_trace; echo traced", 0, "traced\n", ""),
        // Texts above name what is ours; fish 4 has them in its history, as any.
        gives("history | grep -c '^ .*__ssh[m]cp'", 1, "0\n", ""),
        gives(
            "history save; grep -c 'cmd:  .*__ssh[m]cp' ~/.local/share/fish/fish_history; true",
            0,
            "0\n",
            "",
        ),
    ]
}

fn endings() -> Vec<Row> {
    vec![
        gives("exit 3", 3, "", "").ends(),
        gives("echo last; exit", 0, "last\n", "").ends(),
        gives("exec sh -c 'echo gone; exit 4'", 4, "gone\n", "").ends(),
        gives("function f; exit 6; end; f; echo NO", 6, "", "").ends(),
        gives("echo part; kill -9 $fish_pid", 137, "part\n", "").ends(),
        // What its handlers print comes on the terminal.
        sees(
            "function bye --on-event fish_exit; echo bye; end; exit 5",
            5,
            Text::Any,
            Text::Any,
        )
        .ends(),
        gives("sh -c 'kill -9 $$'; echo $status", 0, "137\n", ""),
        gives("echo end", 0, "end\n", ""),
    ]
}
