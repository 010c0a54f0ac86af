//! The grammar again in fish's own language: scripts that end, and print the same wherever they run.

use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};

use super::grammar::RUN;

/// Compound statements inside of each other.
const DEPTH: u32 = 3;

/// The statement that makes output a part of standard error.
const DIVERTED: u32 = 1;
/// The statement that makes standard error a part of the output.
const MERGED: u32 = 2;
/// The statement whose output goes to a filter.
const PIPED: u32 = 4;
/// The statement whose output becomes a variable.
const SUBSTITUTED: u32 = 12;

/// Writes one script.
pub(super) struct Writer<'a> {
    random: &'a mut StdRng,
    names: u32,
    /// Standard error is output here: what fish itself says must not be part of that.
    merged: bool,
    /// Both go to one place.
    shared: bool,
    /// What is written goes to fish or a filter: there fish does not always wait for a program before it goes on, so
    /// that one statement is all.
    inside: bool,
    functions: Vec<String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(random: &'a mut StdRng) -> Self {
        Self {
            random,
            names: 0,
            merged: false,
            shared: false,
            inside: false,
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
                    "end",
                    ")",
                    "if true",
                    "echo 'open",
                    "echo \"open",
                    "echo (",
                    "begin",
                    "&& echo",
                    "| cat",
                    "case x",
                    "echo (a | b",
                ]);
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
        let flat = !statements.iter().any(|statement| statement.contains(['\n', '#']));
        if flat && self.random.random_bool(0.5) {
            return format!("; {}; ", statements.join("; "));
        }
        format!("\n{}\n", statements.join("\n"))
    }

    fn statement(&mut self, depth: u32) -> String {
        if depth == 0 || self.random.random_bool(0.45) {
            return self.simple();
        }
        let depth = depth - 1;
        let kind = self.random.random_range(0..16);
        let (merged, shared, inside) = (self.merged, self.shared, self.inside);
        self.merged |= kind == MERGED || (kind == PIPED && shared);
        self.shared |= matches!(kind, MERGED | DIVERTED);
        self.inside |= matches!(kind, PIPED | SUBSTITUTED);
        let body = if self.inside {
            format!("; {}\n", self.simple())
        } else {
            self.body(depth)
        };
        (self.merged, self.shared, self.inside) = (merged, shared, inside);
        match kind {
            0 => format!("begin{body}end"),
            DIVERTED => format!("begin{body}end >&2"),
            MERGED => format!("begin{body}end 2>&1"),
            3 => format!("begin{body}end 2>/dev/null"),
            // Else two of them would write to one output at the same time.
            PIPED if shared => format!("begin{body}end 2>&1 | {}", self.filter()),
            PIPED => format!("begin{body}end | {}", self.filter()),
            5 => {
                let (name, words) = (self.name(), self.words());
                let brk = self.one(&["", "test -n \"$x\"; or break;", "continue;", "break;"]);
                format!("for {name} in {words}{body}echo \"<${name}>\"; {brk} end")
            }
            6 => {
                let name = self.name();
                let limit = self.random.random_range(0..4);
                format!(
                    "set {name} 0; while test ${name} -lt {limit}; set {name} (math ${name} + 1){body}end"
                )
            }
            7 => {
                let (condition, other) = (self.condition(), self.body(depth));
                format!("if {condition}{body}else{other}end")
            }
            8 => {
                let (first, second, other) = (self.condition(), self.condition(), self.body(depth));
                format!("if {first}{body}else if {second}{other}end")
            }
            9 => {
                let (word, pattern) = (self.quoted(), self.one(&["'a*'", "'*b*'", "'$x'", "'?'", "a b"]));
                let other = self.simple();
                format!("switch {word}; case {pattern}{body}case '*'\n{other}\nend")
            }
            10 => {
                let name = format!("f{}", self.name());
                let code = self.random.random_range(0..5);
                let words = self.words();
                self.functions.push(name.clone());
                format!(
                    "function {name}; echo (count $argv) \"$argv[1]\"{body}return {code}; end\n{name} {words}"
                )
            }
            11 => format!("{}; and begin{body}end; or echo \"or $status\"", self.condition()),
            SUBSTITUTED => {
                let name = self.name();
                format!("set {name} (begin{body}end)\necho \"[${name}]\" (count ${name})")
            }
            13 => {
                let file = self.name();
                format!("begin{body}end >{file}; cat {file}; wc -c <{file}")
            }
            14 => {
                let how = self.one(&["set -l x here", "set -lx HOME /", "set -g fish_greeting x"]);
                format!("begin; {how}{body}end")
            }
            _ => format!("not begin{body}end"),
        }
    }

    fn simple(&mut self) -> String {
        match self.random.random_range(0..24) {
            0..=3 => format!("echo {}", self.words()),
            4 => format!("echo {} >&2", self.words()),
            5 => format!("printf '%s|' {}; echo", self.words()),
            6 => format!("printf '%5s<%-5s>\\n' {} {}", self.word(), self.word()),
            // Else what fish says itself would go on in that line.
            7 if !self.shared => format!("printf 'no newline %d' {}", self.random.random_range(-9..99)),
            7 => "echo a line".to_owned(),
            8 => {
                let (name, words) = (self.name(), self.words());
                format!(
                    "set {name} {words}; echo ${name} ${name}[1] (count ${name}) (string length -- ${name})"
                )
            }
            9 => format!("echo {} | {}", self.words(), self.filter()),
            10 => format!("sh -c 'exit {}'", self.random.random_range(0..256)),
            11 => format!(
                "set argv {}; echo (count $argv):\"$argv[1]\":\"$argv\"; set -e argv[1]; echo $argv; set -e argv",
                self.words()
            ),
            12 if !self.merged => format!("nosuch_{RUN} {}", self.word()),
            12 => "ls nosuchfile".to_owned(),
            13 => "cat nosuchfile".to_owned(),
            14 => "set here $PWD; cd /usr && pwd; cd $here".to_owned(),
            15 => format!(
                "math '{} * ({} + 3) % 7'",
                self.random.random_range(0..99),
                self.random.random_range(0..9)
            ),
            16 => format!(
                "eval 'echo {}; sh -c \"exit 3\"'; echo $status",
                self.one(&["a", "\"b  c\"", "$HOME", "\\$x"])
            ),
            17 => match self.functions.choose(self.random).cloned() {
                Some(function) if !self.shared && !self.inside => format!("{function} {}", self.words()),
                _ => "echo $status $pipestatus".to_owned(),
            },
            18 => format!(
                "sh -c 'echo $# \"$1\" >&2; exit {}' x {}",
                self.random.random_range(0..9),
                self.words()
            ),
            19 => format!(
                "echo {} # {}",
                self.word(),
                self.one(&["a comment", "don't", "\"", "(", "end"])
            ),
            20 => {
                let line = self.one(&["one two three", "", "  x  ", "a\\\\\\\\b c"]);
                format!("printf '{line}\\n' | read -l a b; echo \"$a/$b\"")
            }
            21 => format!("echo {} \\\n  {}", self.word(), self.word()),
            // Blocks and functions run in front whatever their `&`: only a program is a job.
            22 if !self.inside => format!("sh -c 'echo job; exit 3' & wait; echo {}", self.word()),
            _ => self.special(),
        }
    }

    /// What fish alone has.
    fn special(&mut self) -> String {
        let (name, words) = (self.name(), self.words());
        let texts = [
            format!("string upper -- {words}"),
            format!("string split , a,b,c | string join -; echo {{x,y}}{name} {{1,2}}{{a,b}}"),
            format!("set -gx {name} {words}; sh -c 'echo ${name}'; set -e {name}"),
            format!("set {name} a b c d; echo ${name}[2..-1] ${name}[-1] $undefined[1] \"$undefined\""),
            "false | true | sh -c 'exit 4'; echo $pipestatus".to_owned(),
            format!("contains b a b c; and echo in; set -q {name}; or echo unset"),
            format!("echo (echo one; echo two)x $(echo {name})"),
            format!("echo out >{name}; test -s {name}; and echo filled; cat {name}"),
            "cat (echo input | psub)".to_owned(),
            "echo a*b '[z]' ?".to_owned(),
        ];
        texts.choose(self.random).cloned().unwrap_or_default()
    }

    fn condition(&mut self) -> String {
        match self.random.random_range(0..6) {
            0 => "true".to_owned(),
            1 => "false".to_owned(),
            2 => format!("test {} = a", self.quoted()),
            3 => format!("test {} -gt 4", self.random.random_range(0..9)),
            4 => "not grep -q root /etc/passwd".to_owned(),
            _ => "echo asked | string match asked".to_owned(),
        }
    }

    fn filter(&mut self) -> String {
        // fish does not always wait for a program at a pipeline's end before it goes on.
        let filter = self.one(&[
            "cat",
            "tr a-z A-Z",
            "sort",
            "wc -l",
            "sed 's/a/[a]/g'",
            "grep -c a",
            "tail -n 1",
            "cat -A",
            "od -An -c",
            "string match -r '.*a.*'",
            "while read -l line; echo \"=$line\"; end",
        ]);
        format!("{filter} | string match '*'")
    }

    fn end(&mut self) -> String {
        match self.random.random_range(0..4) {
            0 => "echo \"end $status\"".to_owned(),
            1 => format!("sh -c 'exit {}'", self.random.random_range(1..256)),
            2 => "false".to_owned(),
            _ => "sh -c 'kill -TERM $$'; echo $status".to_owned(),
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
            5 => "\"double 'quoted' \\\"in\\\" $undefined\"".to_owned(),
            6 => "(echo sub 'x  y')".to_owned(),
            7 => "\"$(echo bt)\"".to_owned(),
            8 => "''".to_owned(),
            9 => "esc\\ ap\\\\zed".to_owned(),
            10 => self
                .one(&["ünï", "'日本 語'", "🦀", "'!!'", "'a!b'", "\"!x\""])
                .to_owned(),
            11 => "'two\nlines'".to_owned(),
            12 => format!("\"{}\"", "long ".repeat(self.random.random_range(1..400))),
            _ => "\"$HOME\"".to_owned(),
        }
    }
}
