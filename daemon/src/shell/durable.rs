//! A durable command: what starts it from the session's shell, what is asked beside its output, and what is said there.
//! Pure text; the spool itself is `keep.sh`.

use super::{
    order::{quote, without_comments},
    sudo::child_shell,
};

const CLEAR: &str = include_str!("clear.sh");
const KEEP: &str = include_str!("keep.sh");
const OWN: &str = include_str!("durable.sh");
const START: &str = include_str!("durable_start.sh");

/// What is needed to start one, beside the shell that it is started from.
#[derive(Clone, Debug)]
pub struct Launch {
    /// In its directory's name and in every frame.
    pub nonce: String,
    /// The command's text.
    pub text: String,
    /// Seconds that the host keeps everything while nobody is interested.
    pub keep_for: u64,
}

impl Launch {
    /// The shell's text and its standard input. `kind` is that of the session's shell.
    pub fn order(&self, kind: &str, login_shell: &str) -> (String, Vec<u8>) {
        let shell = child_shell(kind, login_shell);
        // Functions that bash exports get through no other shell.
        let runner = match kind {
            "bash" => format!("{shell} --posix"),
            _ => "/bin/sh".to_owned(),
        };
        // Start-up files would change what the session exports.
        let arguments = match kind {
            "zsh" => "-f",
            "fish" => "-N",
            _ => "",
        };
        let script = [CLEAR, KEEP, OWN].concat();
        let script = format!("{}\"$@\"\n", without_comments(&script));
        let limit = self.keep_for.to_string();
        let values = [
            ("n", self.nonce.as_str()),
            ("i", &runner),
            ("s", &shell),
            ("a", arguments),
            ("l", &limit),
            ("k", &script),
            ("c", &self.text),
        ];
        let mut input = String::new();
        for (name, value) in values {
            input.push_str(&format!("__sshmcp_{name}={}\n", quote(value)));
        }
        input.push_str(&without_comments(START));
        // The first space keeps it out of histories.
        let text = format!(r#" {runner} -c 'eval "$(PATH=$PATH:/usr/bin:/bin; cat)"'"#);
        (text, input.into_bytes())
    }
}

/// Where a durable command is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// Its directory.
    pub dir: String,
    /// The host's boot id; empty where it has none.
    pub boot: String,
    /// The host's machine id; empty where it has none.
    pub machine: String,
    /// The command's working directory.
    pub cwd: String,
}

/// What the starting script said: where the command is, or why it was not started. None: not a word.
pub fn parse_started(nonce: &str, output: &str) -> Option<Result<Started, String>> {
    output.lines().rev().find_map(|line| {
        let rest = line.strip_prefix(nonce)?;
        if let Some(why) = rest.strip_prefix('!') {
            return Some(Err(why.to_owned()));
        }
        let mut fields = rest.strip_prefix(' ')?.splitn(4, ';');
        Some(Ok(Started {
            dir: fields.next()?.to_owned(),
            boot: fields.next()?.to_owned(),
            machine: fields.next()?.to_owned(),
            cwd: fields.next()?.to_owned(),
        }))
    })
}

/// The command line of an exec channel that follows one, and its script, to be sent when `Frame::Reading` has come. The
/// directory is looked for where it is not known.
pub fn follow(nonce: &str, dir: &str) -> (String, Vec<u8>) {
    let script = format!(
        r#"n={nonce} d= r= m=
{functions}for q in {places}; do
  [ -d "$q" ] || continue
  # A start that was cut off before the command began does not begin it any more.
  if mkdir "$q/begun" 2>/dev/null; then clear "$q"; else d=$q; fi
done
[ -r /proc/sys/kernel/random/boot_id ] && read -r r </proc/sys/kernel/random/boot_id
[ -r /etc/machine-id ] && read -r m </etc/machine-id
printf '\036%s!D;%s;%s;%s\037' "$n" "$d" "$r" "$m"
[ -n "$d" ] || exit 0
alone
state
interested
follow
"#,
        functions = without_comments(&[CLEAR, KEEP, OWN].concat()),
        places = if dir.is_empty() {
            r#"/var/tmp/.sshmcp-$n /tmp/.sshmcp-$n "${TMPDIR-}/.sshmcp-$n" "${HOME-}/.sshmcp-$n""#.to_owned()
        } else {
            quote(dir)
        },
    );
    // Start-up files that read would swallow a script that came before this word.
    let command = format!(
        r#"exec /bin/sh -c 'printf "\036%s!R\037" {nonce}; eval "$(head -c {})"'"#,
        script.len()
    );
    (command, script.into_bytes())
}

/// The order to go on with a stream from a segment's offset; what is before that segment is taken.
pub fn go_on(stream: &str, segment: u32, offset: u64) -> Vec<u8> {
    format!("n {stream} {segment} {offset}\n").into_bytes()
}

/// The order to send no more of a stream for now, or to go on with it.
pub fn pause(stream: &str, paused: bool) -> Vec<u8> {
    let word = if paused { 'p' } else { 'c' };
    format!("{word} {stream}\n").into_bytes()
}

/// The order to signal the command.
pub fn signal(number: u64, name: &str) -> Vec<u8> {
    format!("k {number} {name}\n").into_bytes()
}

/// The order to tell a stream's last segment.
pub fn ask_size(stream: &str) -> Vec<u8> {
    format!("z {stream}\n").into_bytes()
}

/// Somebody is interested still; and how is it?
pub const ASK_STATE: &[u8] = b"v\ns\n";

/// Everything was taken: it is removed.
pub const CLEAR_AWAY: &[u8] = b"e\n";

/// What the following script says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// It can be given its script.
    Reading,
    /// Where it found the directory (empty: nowhere), and the host's boot and machine.
    Found(Started),
    /// How it is with the command.
    State(State),
    /// What became of the signal with this number.
    Signal(u64, Reached),
    /// The stream's last segment, and how large that is.
    Size(String, u32, u64),
    /// Everything is removed.
    Cleared,
}

/// How it is with a durable command on its host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Its runner waits for its end.
    pub runs: bool,
    /// It ended with this code.
    pub code: Option<i32>,
    /// Drains that live, of two.
    pub drains: u8,
    /// Somebody of its process group lives.
    pub lives: bool,
}

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The group was signalled; true: its leader ignores that signal.
    Sent(bool),
    /// Nobody of it lives.
    Gone,
    /// The host refused it: the processes are another user's.
    Refused,
}

/// Parses the inside of a frame.
pub fn parse(body: &[u8]) -> Option<Frame> {
    let body = String::from_utf8_lossy(body);
    let mut fields = body.split(';');
    Some(match fields.next()? {
        "R" => Frame::Reading,
        "D" => Frame::Found(Started {
            dir: fields.next()?.to_owned(),
            boot: fields.next()?.to_owned(),
            machine: fields.next()?.to_owned(),
            cwd: String::new(),
        }),
        "V" => Frame::State(State {
            runs: fields.next()? == "run",
            code: fields.next()?.parse().ok(),
            drains: fields.next()?.parse().ok()?,
            lives: fields.next()? == "1",
        }),
        "K" => {
            let number = fields.next()?.parse().ok()?;
            let reached = match (fields.next()?, fields.next()?) {
                ("sent", ignored) => Reached::Sent(ignored == "1"),
                ("gone", _) => Reached::Gone,
                ("refused", _) => Reached::Refused,
                _ => return None,
            };
            Frame::Signal(number, reached)
        }
        "Z" => Frame::Size(
            fields.next()?.to_owned(),
            fields.next()?.parse().ok()?,
            fields.next()?.parse().ok()?,
        ),
        "C" => Frame::Cleared,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of the scripts, and some that they never say.
    #[test]
    fn words() {
        let started = Started {
            dir: "/var/tmp/.sshmcp-1f".into(),
            boot: "b".into(),
            machine: String::new(),
            cwd: "/a;b".into(),
        };
        let said = "+ noise\n1f /var/tmp/.sshmcp-1f;b;;/a;b\n";
        assert_eq!(parse_started("1f", said), Some(Ok(started)));
        assert_eq!(
            parse_started("1f", "1f!directory\n"),
            Some(Err("directory".into()))
        );
        assert_eq!(parse_started("1f", "1f\n1fx\n"), None);
        let state = |runs, code, drains, lives| {
            Some(Frame::State(State {
                runs,
                code,
                drains,
                lives,
            }))
        };
        assert_eq!(parse(b"V;run;;2;1"), state(true, None, 2, true));
        assert_eq!(parse(b"V;end;143;0;0"), state(false, Some(143), 0, false));
        assert_eq!(parse(b"V;run"), None);
        assert_eq!(parse(b"K;3;sent;1"), Some(Frame::Signal(3, Reached::Sent(true))));
        assert_eq!(parse(b"K;3;x;1"), None);
        assert_eq!(parse(b"Z;o0;2;77"), Some(Frame::Size("o0".into(), 2, 77)));
    }

    /// What is typed and what stands in command lines holds nothing that a user wrote.
    #[test]
    fn texts_are_input() {
        let launch = Launch {
            nonce: "1f".into(),
            text: "echo 'secret'".into(),
            keep_for: 9,
        };
        for kind in ["bash", "zsh", "fish", "dash", "ash", "ksh", "mksh"] {
            let (text, input) = launch.order(kind, "/bin/bash");
            assert!(text.starts_with(' ') && !text.contains("secret"), "{text}");
            let input = String::from_utf8(input).expect("text");
            assert!(input.contains("__sshmcp_c='echo '\\''secret'\\'''\n"), "{kind}");
        }
    }
}
