//! Names of keys, as people and tmux write them, to the bytes that xterm sends. A name that is not known is none:
//! it never becomes text.

/// The bytes of the key called `name`; cursor keys in application mode if the program asked for that.
pub fn encode(name: &str, application_cursor: bool) -> Option<Vec<u8>> {
    let mut modifiers = Modifiers::default();
    let mut rest = name;
    while let Some((modifier, behind)) = split_modifier(rest) {
        // The same modifier twice is a mistake.
        let flag = modifiers.flag(modifier);
        if std::mem::replace(flag, true) {
            return None;
        }
        rest = behind;
    }
    let mut chars = rest.chars();
    match (chars.next(), chars.next()) {
        (None, _) => None,
        (Some(c), None) => character(c, modifiers),
        (Some('^'), Some(c)) if chars.next().is_none() => {
            if std::mem::replace(&mut modifiers.ctrl, true) {
                return None;
            }
            character(c, modifiers)
        }
        _ => named(&rest.to_ascii_lowercase(), modifiers, application_cursor),
    }
}

#[derive(Clone, Copy, Default)]
struct Modifiers {
    shift: bool,
    alt: bool,
    ctrl: bool,
}

#[derive(Clone, Copy)]
enum Modifier {
    Shift,
    Alt,
    Ctrl,
}

impl Modifiers {
    const fn flag(&mut self, modifier: Modifier) -> &mut bool {
        match modifier {
            Modifier::Shift => &mut self.shift,
            Modifier::Alt => &mut self.alt,
            Modifier::Ctrl => &mut self.ctrl,
        }
    }

    const fn none(self) -> bool {
        !self.shift && !self.alt && !self.ctrl
    }

    /// xterm's number for them.
    const fn code(self) -> u8 {
        1 + self.shift as u8 + 2 * self.alt as u8 + 4 * self.ctrl as u8
    }

    fn with_alt(self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.alt {
            bytes.insert(0, 0x1B);
        }
        bytes
    }
}

/// A leading modifier and what is behind it; a name of one character is none.
fn split_modifier(name: &str) -> Option<(Modifier, &str)> {
    let at = name.find(['-', '+'])?;
    let (word, rest) = (name.get(..at)?, name.get(at + 1..)?);
    if rest.is_empty() {
        return None;
    }
    let modifier = match word.to_ascii_lowercase().as_str() {
        "c" | "ctrl" | "control" => Modifier::Ctrl,
        "m" | "a" | "alt" | "meta" | "option" => Modifier::Alt,
        "s" | "shift" => Modifier::Shift,
        _ => return None,
    };
    Some((modifier, rest))
}

fn character(c: char, modifiers: Modifiers) -> Option<Vec<u8>> {
    if c.is_control() {
        return None;
    }
    let c = if modifiers.shift && c.is_ascii_alphabetic() && !modifiers.ctrl {
        c.to_ascii_uppercase()
    } else if modifiers.shift {
        return None;
    } else {
        c
    };
    if !modifiers.ctrl {
        return Some(modifiers.with_alt(c.to_string().into_bytes()));
    }
    let byte = match c.to_ascii_lowercase() {
        letter @ 'a'..='z' => letter as u8 - b'a' + 1,
        '@' | ' ' | '2' => 0,
        '[' | '3' => 0x1B,
        '\\' | '4' => 0x1C,
        ']' | '5' => 0x1D,
        '^' | '6' => 0x1E,
        '_' | '7' | '/' | '-' => 0x1F,
        '?' | '8' => 0x7F,
        _ => return None,
    };
    Some(modifiers.with_alt(vec![byte]))
}

fn named(name: &str, modifiers: Modifiers, application_cursor: bool) -> Option<Vec<u8>> {
    match name {
        "enter" | "return" | "cr" | "ret" => plain(b"\r", modifiers),
        "linefeed" | "lf" => plain(b"\n", modifiers),
        "escape" | "esc" => plain(b"\x1B", modifiers),
        "tab" if modifiers.shift => named(
            "btab",
            Modifiers {
                shift: false,
                ..modifiers
            },
            application_cursor,
        ),
        "tab" => plain(b"\t", modifiers),
        "btab" | "backtab" => plain(b"\x1B[Z", modifiers),
        "space" | "spc" => match modifiers {
            Modifiers {
                ctrl: true,
                shift: false,
                ..
            } => Some(modifiers.with_alt(vec![0])),
            _ => plain(b" ", modifiers),
        },
        "backspace" | "bspace" | "bs" => match modifiers {
            Modifiers {
                ctrl: true,
                shift: false,
                ..
            } => Some(modifiers.with_alt(vec![0x08])),
            _ => plain(b"\x7F", modifiers),
        },
        "up" | "arrow-up" | "arrowup" => Some(cursor(b'A', modifiers, application_cursor)),
        "down" | "arrow-down" | "arrowdown" => Some(cursor(b'B', modifiers, application_cursor)),
        "right" | "arrow-right" | "arrowright" => Some(cursor(b'C', modifiers, application_cursor)),
        "left" | "arrow-left" | "arrowleft" => Some(cursor(b'D', modifiers, application_cursor)),
        "home" => Some(cursor(b'H', modifiers, application_cursor)),
        "end" => Some(cursor(b'F', modifiers, application_cursor)),
        "insert" | "ins" | "ic" => Some(tilde(2, modifiers)),
        "delete" | "del" | "dc" => Some(tilde(3, modifiers)),
        "page-up" | "page_up" | "pageup" | "pgup" | "ppage" => Some(tilde(5, modifiers)),
        "page-down" | "page_down" | "pagedown" | "pgdn" | "pgdown" | "npage" => Some(tilde(6, modifiers)),
        _ => function(name, modifiers),
    }
}

/// Keys without a sequence for modifiers: alt puts an escape before them, others do not exist.
fn plain(bytes: &[u8], modifiers: Modifiers) -> Option<Vec<u8>> {
    if modifiers.ctrl || modifiers.shift {
        return None;
    }
    Some(modifiers.with_alt(bytes.to_vec()))
}

fn cursor(last: u8, modifiers: Modifiers, application: bool) -> Vec<u8> {
    if !modifiers.none() {
        return vec![0x1B, b'[', b'1', b';', b'0' + modifiers.code(), last];
    }
    vec![0x1B, if application { b'O' } else { b'[' }, last]
}

fn tilde(number: u8, modifiers: Modifiers) -> Vec<u8> {
    if modifiers.none() {
        format!("\x1B[{number}~").into_bytes()
    } else {
        format!("\x1B[{number};{}~", modifiers.code()).into_bytes()
    }
}

fn function(name: &str, modifiers: Modifiers) -> Option<Vec<u8>> {
    let number = name.strip_prefix('f')?;
    let last = match number {
        "1" => b'P',
        "2" => b'Q',
        "3" => b'R',
        "4" => b'S',
        "5" => return Some(tilde(15, modifiers)),
        "6" => return Some(tilde(17, modifiers)),
        "7" => return Some(tilde(18, modifiers)),
        "8" => return Some(tilde(19, modifiers)),
        "9" => return Some(tilde(20, modifiers)),
        "10" => return Some(tilde(21, modifiers)),
        "11" => return Some(tilde(23, modifiers)),
        "12" => return Some(tilde(24, modifiers)),
        _ => return None,
    };
    Some(cursor(last, modifiers, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One table of what people and tmux call keys.
    #[test]
    fn names() {
        let table: &[(&str, &[u8])] = &[
            ("ctrl-c", b"\x03"),
            ("C-c", b"\x03"),
            ("^C", b"\x03"),
            ("Ctrl+C", b"\x03"),
            ("control-d", b"\x04"),
            ("C-@", b"\0"),
            ("C-Space", b"\0"),
            ("C-[", b"\x1B"),
            ("C-\\", b"\x1C"),
            ("^_", b"\x1F"),
            ("^?", b"\x7F"),
            ("C--", b"\x1F"),
            ("a", b"a"),
            ("A", b"A"),
            ("^", b"^"),
            ("-", b"-"),
            ("é", "é".as_bytes()),
            ("shift-a", b"A"),
            ("alt-x", b"\x1Bx"),
            ("M-x", b"\x1Bx"),
            ("M-X", b"\x1BX"),
            ("C-M-c", b"\x1B\x03"),
            ("up", b"\x1B[A"),
            ("ctrl-up", b"\x1B[1;5A"),
            ("S-Left", b"\x1B[1;2D"),
            ("M-S-C-Right", b"\x1B[1;8C"),
            ("home", b"\x1B[H"),
            ("End", b"\x1B[F"),
            ("insert", b"\x1B[2~"),
            ("IC", b"\x1B[2~"),
            ("delete", b"\x1B[3~"),
            ("C-DC", b"\x1B[3;5~"),
            ("page-up", b"\x1B[5~"),
            ("PgUp", b"\x1B[5~"),
            ("PPage", b"\x1B[5~"),
            ("page-down", b"\x1B[6~"),
            ("PgDn", b"\x1B[6~"),
            ("NPage", b"\x1B[6~"),
            ("f1", b"\x1BOP"),
            ("S-F1", b"\x1B[1;2P"),
            ("F5", b"\x1B[15~"),
            ("f12", b"\x1B[24~"),
            ("C-f5", b"\x1B[15;5~"),
            ("shift-tab", b"\x1B[Z"),
            ("BTab", b"\x1B[Z"),
            ("tab", b"\t"),
            ("space", b" "),
            ("escape", b"\x1B"),
            ("Esc", b"\x1B"),
            ("enter", b"\r"),
            ("M-Enter", b"\x1B\r"),
            ("backspace", b"\x7F"),
            ("BSpace", b"\x7F"),
            ("C-backspace", b"\x08"),
        ];
        for (name, bytes) in table {
            assert_eq!(encode(name, false).as_deref(), Some(*bytes), "{name}");
        }
        assert_eq!(encode("up", true).as_deref(), Some(&b"\x1BOA"[..]));
        assert_eq!(encode("ctrl-up", true).as_deref(), Some(&b"\x1B[1;5A"[..]));
    }

    /// What is not a key is never text.
    #[test]
    fn unknown() {
        for name in [
            "",
            "hello",
            "ctrl-",
            "ctrl-ctrl-c",
            "C-é",
            "f0",
            "f13",
            "f01",
            "ctrl-hello",
            "\n",
            "\u{1b}",
            "^^c",
            "ls -la",
            "ctrl c",
            "C-^C",
            "shift-1",
            "Enter ",
            "up\n",
        ] {
            assert_eq!(encode(name, false), None, "{name:?}");
        }
    }
}
