//! Writes shell scripts that end: every loop counts, nothing reads the terminal, and what runs in the background is
//! waited for. What they print does not depend on where or when they run.

use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use sshmcp_tests::Shell;

/// Compound statements inside of each other.
const DEPTH: u32 = 3;

/// The statement that makes output a part of standard error.
const DIVERTED: u32 = 2;
/// The statement that makes standard error a part of the output.
const MERGED: u32 = 3;
/// The statement whose output goes to a filter.
const PIPED: u32 = 5;

/// Stands for the number of the run in all names: the session keeps what earlier runs defined.
pub(super) const RUN: &str = "§";

/// Writes one script.
pub(super) struct Writer<'a> {
    random: &'a mut StdRng,
    shell: Shell,
    names: u32,
    /// Standard error is output here: what has the shell's name must not be part of that.
    merged: bool,
    /// Both go to one place: two writers would meet there.
    shared: bool,
    functions: Vec<String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(random: &'a mut StdRng, shell: Shell) -> Self {
        Self {
            random,
            shell,
            names: 0,
            merged: false,
            shared: false,
            functions: Vec::new(),
        }
    }

    /// The statements of a script.
    pub(super) fn script(mut self) -> Vec<String> {
        let count = self.random.random_range(1..8);
        let mut statements: Vec<String> = (0..count).map(|_| self.statement(DEPTH)).collect();
        match self.random.random_range(0..100) {
            0..=7 => {
                let broken = self.one(&[
                    "fi",
                    "done",
                    ")",
                    "if true; then",
                    "echo 'open",
                    "echo \"open",
                    "(",
                    "esac",
                    ";;",
                    "for",
                    "&& :",
                    "{ :",
                ]);
                // With quotes gone astray a process's number would be text, and nobody would wait for a job.
                for statement in &mut statements {
                    *statement = statement
                        .replace("& wait $!", "; wait")
                        .replace("& wait", "; wait");
                }
                let at = self.random.random_range(0..=statements.len());
                statements.insert(at, broken.to_owned());
            }
            8..=11 => {
                let code = self.random.random_range(0..256);
                statements.push(format!("exit {code}"));
            }
            12..=50 => {
                let last = self.end();
                statements.push(last);
            }
            _ => {}
        }
        statements
    }

    fn one<'s>(&mut self, of: &[&'s str]) -> &'s str {
        of.choose(self.random).copied().unwrap_or("true")
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("v{RUN}_{}", self.names)
    }

    fn body(&mut self, depth: u32) -> String {
        let count = self.random.random_range(1..4);
        let statements: Vec<String> = (0..count).map(|_| self.statement(depth)).collect();
        let flat = !statements
            .iter()
            .any(|statement| statement.contains(['\n', '&', '#']));
        if flat && self.random.random_bool(0.5) {
            return statements.join("; ") + ";";
        }
        format!("\n{}\n", statements.join("\n"))
    }

    fn statement(&mut self, depth: u32) -> String {
        if depth == 0 || self.random.random_bool(0.45) {
            return self.simple();
        }
        let depth = depth - 1;
        let kind = self.random.random_range(0..19);
        let (merged, shared) = (self.merged, self.shared);
        self.merged |= kind == MERGED || (kind == PIPED && shared);
        self.shared |= matches!(kind, MERGED | DIVERTED);
        let body = self.body(depth);
        (self.merged, self.shared) = (merged, shared);
        match kind {
            0 => format!("({body})"),
            1 => format!("{{ {body} }}"),
            DIVERTED => format!("{{ {body} }} >&2"),
            MERGED => format!("{{ {body} }} 2>&1"),
            4 => format!("{{ {body} }} 2>/dev/null"),
            PIPED if shared => format!("{{ {body} }} 2>&1 | {}", self.filter()),
            PIPED => format!("{{ {body} }} | {}", self.filter()),
            6 => {
                let (name, words) = (self.name(), self.words());
                let brk = self.one(&["", "[ -n \"$x\" ] || break;", "continue;", "break;"]);
                format!("for {name} in {words}; do {body} echo \"<${name}>\"; {brk} done")
            }
            7 => {
                let name = self.name();
                let limit = self.random.random_range(0..4);
                format!("{name}=0; while [ ${name} -lt {limit} ]; do {name}=$(({name}+1)); {body} done")
            }
            8 => {
                let (condition, other) = (self.condition(), self.body(depth));
                format!("if {condition}; then {body} else {other} fi")
            }
            9 => {
                let (first, second, other) = (self.condition(), self.condition(), self.body(depth));
                format!("if {first}; then {body} elif {second}; then {other} fi")
            }
            10 => {
                let (word, pattern) = (self.word(), self.one(&["a*", "[a-m]*", "*b*", "'$x'", "?"]));
                let other = self.simple();
                format!("case {word} in {pattern}) {body} ;; *) {other}\n;; esac")
            }
            11 => {
                let name = format!("f{}", self.name());
                let code = self.random.random_range(0..5);
                let words = self.words();
                self.functions.push(name.clone());
                format!("{name}() {{ echo \"$# $1\"; {body} return {code}; }}\n{name} {words}")
            }
            12 => format!("{} && {{ {body} }} || echo \"or $?\"", self.condition()),
            // At their top bash and ksh tell of each job, with its text, and an interactive mksh stops one in the
            // background behind the first program in it that fails: it wants the terminal then.
            13 if self.tells_jobs() => format!("( {{ {body} }} & wait )"),
            13 => format!("{{ {body} }} & wait"),
            14 if self.tells_jobs() => format!("( ({body}) & wait $! )"),
            14 => format!("({body}) & wait $!"),
            15 => {
                let name = self.name();
                format!("{name}=$({body})\necho \"[${name}]\" ${name}")
            }
            16 => {
                let file = self.name();
                format!("{{ {body} }} >{file}; cat {file}; cat {file} | wc -c")
            }
            17 => {
                let how = self.one(&[
                    "set -e",
                    "set -u",
                    // A subshell of busybox undoes all redirections before it.
                    if self.shell == Shell::Ash {
                        "set -a"
                    } else {
                        "trap 'echo bye' EXIT"
                    },
                    "set -f",
                    "unset HOME",
                    "mkdir sub; cd sub",
                    "IFS=a",
                ]);
                format!("( {how}\n{body})")
            }
            _ => format!("! {{ {body} }}"),
        }
    }

    const fn tells_jobs(&self) -> bool {
        matches!(self.shell, Shell::Bash | Shell::Ksh | Shell::Mksh)
    }

    fn simple(&mut self) -> String {
        match self.random.random_range(0..24) {
            0..=3 => format!("echo {}", self.words()),
            4 => format!("echo {} >&2", self.words()),
            PIPED => format!("printf '%s|' {}; echo", self.words()),
            6 => format!("printf '%5s<%-5s>\\n' {} {}", self.word(), self.word()),
            7 => format!("printf 'no newline %d' {}", self.random.random_range(-9..99)),
            8 => {
                let (name, word) = (self.name(), self.word());
                format!("{name}={word}; echo \"${name}\" ${{{name}}}x ${{#{name}}}")
            }
            9 => format!("echo {} | {}", self.words(), self.filter()),
            10 => format!("(exit {})", self.random.random_range(0..256)),
            11 => self.here_document(),
            12 => format!(
                "set -- {}; echo \"$#:$1:$*\"; shift; echo \"$@\"; set --",
                self.words()
            ),
            // The shell's name is in the message: not where that is output.
            13 if !self.merged => format!("nosuch_{RUN} {}", self.word()),
            13 => "ls nosuchfile".to_owned(),
            14 => "cat nosuchfile".to_owned(),
            15 => "cd /usr && pwd; cd \"$OLDPWD\"".to_owned(),
            16 => format!(
                "echo $(( {} * ({} + 3) % 7 ))",
                self.random.random_range(0..99),
                self.random.random_range(0..9)
            ),
            17 => format!(
                "eval 'echo {}; (exit 3)'; echo $?",
                self.one(&["a", "\"b  c\"", "$HOME", "\\$x"])
            ),
            18 => match self.functions.choose(self.random).cloned() {
                Some(function) if !self.shared => format!("{function} {}", self.words()),
                _ => "echo $?".to_owned(),
            },
            19 => format!(
                "sh -c 'echo $# \"$1\" >&2; exit {}' x {}",
                self.random.random_range(0..9),
                self.words()
            ),
            20 => format!(
                "echo {} # {}",
                self.word(),
                self.one(&["a comment", "don't", "\"", "`", "$("])
            ),
            21 => {
                let line = self.one(&["one two three", "", "  x  ", "a\\b c"]);
                format!("read a{RUN} b{RUN} <<EOF\n{line}\nEOF\necho \"$a{RUN}/$b{RUN}\"")
            }
            22 => format!("echo {} \\\n  {}", self.word(), self.word()),
            _ if !self.merged => self.special(),
            _ => format!("echo {}", self.words()),
        }
    }

    /// What one shell alone has.
    fn special(&mut self) -> String {
        let name = self.name();
        let words = self.words();
        let texts = match self.shell {
            Shell::Bash => [
                format!("{name}=({words}); echo \"${{#{name}[@]}} ${{{name}[0]}}\""),
                format!("[[ {} == a* ]] && echo yes", self.word()),
                format!("cat <<<{}", self.word()),
                format!("echo {{1..3}}{name} {{x,y}}"),
                format!("printf -v {name} '%03d' 7; echo ${name}"),
                format!("declare -i {name}=4; {name}+=3; echo ${name}"),
                "echo $'a\\tb\\x41' ${HOME/#*/home}".to_owned(),
            ],
            Shell::Zsh | Shell::ZshThemed => [
                format!("{name}=({words}); echo \"${{#{name}}} ${{{name}[1]}}\""),
                format!("[[ {} == a* ]] && echo yes", self.word()),
                format!("cat <<<{}", self.word()),
                format!("print -r -- {{1..3}}{name} 'a\\nb'"),
                format!("typeset -i {name}=4; (( {name} += 3 )); echo ${name}"),
                format!("echo ${{(U):-{name}}} ${{(j:,:):-a b}}"),
                "echo $'a\\tb\\x41' =sh".to_owned(),
            ],
            Shell::Ksh | Shell::Mksh => [
                format!("set -A {name} {words}; echo \"${{#{name}[@]}} ${{{name}[0]}}\""),
                format!("[[ {} == a* ]] && echo yes", self.word()),
                format!("{name}=abcabc; echo ${{{name}//b/X}} ${{{name}:1:2}}"),
                format!("print -r -- '{name}' 'a\\nb' {{x,y}}"),
                format!("typeset -i {name}=4; (( {name} += 3 )); echo ${name}"),
                format!("function g{name} {{ typeset {name}=in; echo ${name} $1; }}; g{name} {words}"),
                "echo $'a\\tb\\x41' ${HOME##*/}".to_owned(),
            ],
            _ => [
                format!("{name}=abc; echo ${{{name}#a}} ${{{name}%c}}"),
                format!("echo ${{{name}:-default}} ${{{name}+set}}"),
                "test a = a -a b != c; echo $?".to_owned(),
                "command -v echo; type cd".to_owned(),
                format!("export {name}=1; sh -c 'echo ${name}'; unset {name}"),
                "echo a*b [z] ?".to_owned(),
                format!("({name}=x; readonly {name}; echo ${name}; {name}=y)"),
            ],
        };
        texts.choose(self.random).cloned().unwrap_or_default()
    }

    fn here_document(&mut self) -> String {
        let end = self.one(&["EOF", "'EOF'", "\\EOF", "\"EOF\""]);
        let line = self.one(&[
            "$HOME `echo bt` $((2+2))",
            "it's \"quoted\" \\$x \\\\",
            "\ttab",
            "",
            "EOF ",
            "!! $(echo sub)",
        ]);
        let filter = self.filter();
        format!("cat <<{end} | {filter}\nfirst\n{line}\nfinal\nEOF")
    }

    fn condition(&mut self) -> String {
        match self.random.random_range(0..6) {
            0 => "true".to_owned(),
            1 => "false".to_owned(),
            2 => format!("[ {} = a ]", self.quoted()),
            3 => format!("test {} -gt 4", self.random.random_range(0..9)),
            4 => "! grep -q root /etc/passwd".to_owned(),
            _ => "echo asked | grep asked".to_owned(),
        }
    }

    fn filter(&mut self) -> &'static str {
        self.one(&[
            "cat",
            "tr a-z A-Z",
            "sort",
            "wc -l",
            "sed 's/a/[a]/g'",
            "grep -c a",
            "tail -n 1",
            "cat -A",
            "od -An -c",
        ])
    }

    fn end(&mut self) -> String {
        match self.random.random_range(0..4) {
            0 => "echo \"end $?\"".to_owned(),
            1 => format!("(exit {})", self.random.random_range(1..256)),
            2 => "false".to_owned(),
            _ => "sh -c 'kill -TERM $$'; echo $?".to_owned(),
        }
    }

    fn words(&mut self) -> String {
        let count = self.random.random_range(1..4);
        (0..count).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    fn quoted(&mut self) -> &'static str {
        self.one(&["a", "'b c'", "\"$x\"", "\"a\"", "''"])
    }

    fn word(&mut self) -> String {
        match self.random.random_range(0..14) {
            0..=3 => self
                .one(&["a", "abc", "b-1", "zeta", "0", "x=y", "a/b"])
                .to_owned(),
            4 => "'single \"quoted\" $x'".to_owned(),
            5 => "\"double 'quoted' \\\"in\\\" $((1+1))\"".to_owned(),
            6 => "$(echo sub 'x  y')".to_owned(),
            7 => "\"`echo bt`\"".to_owned(),
            8 => "''".to_owned(),
            9 => "esc\\ ap\\\\zed".to_owned(),
            10 => self
                .one(&["ünï", "'日本 語'", "🦀", "'!!'", "'a!b'", "\"!x\""])
                .to_owned(),
            11 => "'two\nlines'".to_owned(),
            12 => format!("\"{}\"", "long ".repeat(self.random.random_range(1..400))),
            _ => "\"${nosuch:-default}\"".to_owned(),
        }
    }
}
