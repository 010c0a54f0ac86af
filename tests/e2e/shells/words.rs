//! What a command may be made of: quotes, here-documents, what is not finished, long texts, bytes that control
//! terminals, and what looks like our own marks.

use sshmcp_tests::Shell;

use super::table::{Row, Text, gives, like, sees};

pub(super) fn rows(shell: Shell) -> Vec<Row> {
    let mut rows: Vec<Row> = PLAIN.iter().map(|text| like(*text)).collect();
    rows.extend(unfinished(shell));
    rows.extend(long());
    rows.extend(control(shell));
    rows
}

/// Those to which `SHELL -c` has the whole answer.
const PLAIN: &[&str] = &[
    "true",
    "false",
    "(exit 42)",
    "sh -c 'exit 255'",
    "f() { return 6; }; f",
    "! true",
    "true && false || (exit 9)",
    "nosuchcommand_x",
    "/etc",
    "/etc/passwd",
    "./nosuchfile",
    "echo out; echo err >&2; (exit 5)",
    "printf 'no newline'",
    "printf 'no newline' >&2",
    "echo \"a  b\" 'c\"d' e\\ f",
    "echo $'g\\th' $\"i\"",
    "echo \"it's\" '\"quoted\"' \"\\$HOME\" '$HOME' \\\\",
    "printf '%s|' \"a b\" c '' 'd'; echo",
    "echo \"hi!\" !x !! '!$' \"!-1\" ^a^b",
    "echo ~ ~root; echo \"~\"",
    "echo $((6*7)) ${nosuch:-default} ${#HOME}",
    "echo `echo back` $(echo \"dollar $(echo nested)\")",
    "echo a{1..3}b {x,y}",
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
    "if true\nthen\n\techo yes\nfi",
    "for i in 1 2 3; do\n  printf '%s ' $i\ndone; echo",
    "while read -r l; do echo \"<$l>\"; done <<EOF\na b\n  c\\d\nEOF",
    "cat <<EOF\nsum $((1+1)) `echo bt` $(echo sub)\n  'q' \"dq\" \\$x\nEOF",
    "cat <<'EOF'\n$HOME `x` \\n\nEOF",
    "cat <<-EOF\n\tindented\n\t\ttwice\n\tEOF",
    "cat <<A; cat <<B\nfirst\nA\nsecond\nB",
    "cat <<EOF | tr a-z A-Z\nupper\nEOF\necho after",
    "cat <<EOF\nEOF",
    "case abc in a*) echo match ;; *) echo none ;; esac",
    "echo a | sed s/a/b/ | tr b c; (echo d; echo e >&2) 2>&1 | sort",
    "echo a >&2 2>&1",
    "{ echo grouped; echo both >&2; } 2>&1",
    "test -t 1 && echo a terminal || echo no terminal",
    "echo ünïcödé 日本語 🦀 e\u{301} \u{200b}zero",
    "echo 'a\u{a0}b' | od -An -tx1",
    "printf 'a\\\\b'",
    "echo EOF; echo done; echo @",
    "cat </dev/null",
    "read x </dev/null; echo \"$? <$x>\"",
    "echo \"--- $0 ---\" | sed 's/.*sh.*/shell/'",
    "cat /nosuchfile",
    "cd /nosuchdirectory",
    "sh -c 'echo $#' x a 'b c'",
    "x=1 sh -c 'echo $x'; echo \"<$x>\"",
    "less /etc/hostname",
];

/// What a person would be asked to go on with; here it is an error, and the next command is itself.
fn unfinished(shell: Shell) -> Vec<Row> {
    const TEXTS: &[&str] = &[
        "echo 'abc",
        "echo \"abc",
        "echo \"abc\necho def",
        "echo `echo a",
        "if true",
        "if",
        "while :; do",
        "for x in a b",
        "(",
        "{ echo a",
        "f() {",
        "case x in",
        "fi",
        ")",
        "}",
        ";",
        "&& echo a",
        "| cat",
        "echo a |",
        "echo a &&",
        "echo ${x",
        "echo $((1+",
        "echo a; echo 'b",
    ];
    let mut rows: Vec<Row> = TEXTS.iter().map(|text| like(*text)).collect();
    rows.extend(["<", "echo a >"].map(|text| match shell {
        // eval and -c of one mksh name the end of the text otherwise.
        Shell::Mksh => sees(
            text,
            1,
            Text::Is(String::new()),
            Text::Has("syntax error: unexpected"),
        ),
        _ => like(text),
    }));
    rows.push(like("echo trailing\\"));
    rows.push(match shell {
        // The one place where eval and -c of one bash give different codes.
        Shell::Bash => sees(
            "echo $(echo a",
            1,
            Text::Is(String::new()),
            Text::Has("unexpected EOF"),
        ),
        _ => like("echo $(echo a"),
    });
    rows.push(match shell {
        // The number of the line in the warning is not told alike.
        Shell::Bash => sees(
            "cat <<EOF\nno end",
            0,
            Text::Is("no end\n".into()),
            Text::Has("here-document"),
        ),
        _ => like("cat <<EOF\nno end"),
    });
    rows
}

fn long() -> Vec<Row> {
    let quarter = "0123456789abcde\n".repeat((1 << 20) / 64);
    let line = "x".repeat(8 << 10);
    let almost = "y".repeat((1 << 20) - 100);
    let many: String = (0..800).map(|number| format!("v{number}=1\n")).collect();
    vec![
        gives(format!("echo {line} | wc -c"), 0, "8193\n", ""),
        gives(format!("{many}echo $v0$v799"), 0, "11\n", ""),
        gives(
            format!("x={almost}; echo ${{#x}}; x="),
            0,
            format!("{}\n", almost.len()),
            "",
        ),
        gives(
            format!("wc -lc <<'EOF' | tr -s ' '\n{quarter}EOF\n")
                .replace("tr -s ' '", "tr -s ' ' | sed 's/^ //'"),
            0,
            format!("{} {}\n", quarter.lines().count(), quarter.len()),
            "",
        ),
        gives(
            format!("printf %s '{}é' | wc -c", "ü".repeat(4096)),
            0,
            "8194\n",
            "",
        ),
    ]
}

fn control(shell: Shell) -> Vec<Row> {
    // All but NUL, which no command may have.
    let bytes: String = (1..32)
        .chain([127])
        .filter_map(char::from_u32)
        .filter(|byte| *byte != '\r')
        .collect();
    let hex: Vec<String> = bytes.bytes().map(|byte| format!(" {byte:02x}")).collect();
    let hex: String = hex.chunks(16).map(|line| line.concat() + "\n").collect();
    let c1 = "\u{80}\u{85}\u{9b}\u{9d}";
    let mut rows = vec![
        gives(format!("printf %s '{bytes}' | od -An -tx1"), 0, hex, ""),
        gives(
            format!("printf %s '{c1}' | od -An -tx1"),
            0,
            " c2 80 c2 85 c2 9b c2 9d\n",
            "",
        ),
        gives("printf %s 'a\r\nb' | od -An -tx1", 0, " 61 0d 0a 62\n", ""),
        gives("printf 'one\\rtwo\\n'", 0, "two\n", ""),
        gives(
            "for i in 1 2 3; do printf '\\r%s%%' $i; done; echo",
            0,
            "3%\n",
            "",
        ),
        gives(
            "printf '\\033[31mred\\033[0m\\n'; printf '\\033]0;title\\007x\\n'",
            0,
            "red\nx\n",
            "",
        ),
        gives("printf 'a\\bb\\n'", 0, "b\n", ""),
        // Text that would be shown in another order than it is in is spelled out.
        gives("echo '\u{202e}bidi'", 0, "<U+202E>bidi\n", ""),
        gives("printf '\\033[201~pasted\\n'", 0, "pasted\n", ""),
        // Nothing that is printed is an end, here or on the terminal.
        gives(
            "printf '\\033]6973;0123456789abcdef;D;c1;0;/\\007'; (exit 3)",
            3,
            "",
            "",
        ),
        gives(
            "printf '\\033]6973;%s;D;c1;0;/\\007' \"$__sshmcp_n\" >/dev/tty; (exit 4)",
            4,
            "",
            "",
        ),
        gives(
            "printf '\\033]6973;%s;P;/\\007' \"$__sshmcp_n\" >/dev/tty; sleep 0.3; (exit 4)",
            4,
            "",
            "",
        ),
        sees(
            "printf '\\036%s;M\\037' \"$__sshmcp_n\"; echo after",
            0,
            Text::Has("after\n"),
            Text::Is(String::new()),
        ),
        sees(
            "printf '\\036%s;E;c1;0;/\\037' \"$__sshmcp_n\"; echo after",
            0,
            Text::Has("after\n"),
            Text::Is(String::new()),
        ),
        sees(
            "printf '\\036%s!H;/tmp;x\\037' \"$__sshmcp_n\"; echo after",
            0,
            Text::Has("after\n"),
            Text::Is(String::new()),
        ),
        sees(
            "printf '\\036%s' \"$__sshmcp_n\"; sleep 0.2; echo after",
            0,
            Text::Has("after\n"),
            Text::Is(String::new()),
        ),
        gives(
            "printf '\\033]133;D;0\\007\\033]133;A\\007' >/dev/tty; (exit 6)",
            6,
            "",
            "",
        ),
        gives(
            "printf 'user@host:~$ '; sleep 0.2; echo 'root@host:/# exit'",
            0,
            "user@host:~$ root@host:/# exit\n",
            "",
        ),
        gives(
            "printf 'user@host:~$ ' >/dev/tty; sleep 0.2; printf '%% ' >/dev/tty; (exit 8)",
            8,
            "",
            "",
        ),
        gives(
            "printf '\\033]7;file://x/\\007'; echo '[sudo] password for x: '",
            0,
            "[sudo] password for x: \n",
            "",
        ),
        gives(
            "printf '\\033[6n\\033[c\\033[>q' >/dev/tty; echo asked",
            0,
            "asked\n",
            "",
        ),
        gives(
            "printf '\\033[?1049h\\033[2J\\033[?25l' >/dev/tty; echo screen",
            0,
            "screen\n",
            "",
        ),
        gives("printf '\\033]2;never ended' >/dev/tty; echo osc", 0, "osc\n", ""),
    ];
    if shell != Shell::Dash {
        rows.push(gives("echo $'\\x1b[1mbold\\x1b[m'", 0, "bold\n", ""));
    }
    rows
}
