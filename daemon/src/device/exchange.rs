//! One line that was typed, until the next prompt: its echo is told from its output, and what is the prompt's from both.
//! Bounded in what it holds back.

use super::{judge::is_log, prompt::Learned};

/// Lines that are held back: before an echo that does not come, or log lines behind a prompt.
const HELD_MAX: usize = 64;

/// A line that was typed.
#[derive(Debug)]
pub struct Exchange {
    /// Prompt and text without spaces, as they are echoed.
    echo: String,
    /// The text without spaces.
    text: String,
    /// What of the echo has come, where it has several lines.
    part: String,
    is_echoed: bool,
    /// Something ended a line since it was typed.
    has_lines: bool,
    /// A line ended behind the echo.
    has_output: bool,
    /// Help was asked for: what was typed before that, with the prompt and without spaces, stands there again afterwards.
    helped: Option<String>,
    /// Lines that may be no output.
    held: Vec<String>,
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

impl Exchange {
    /// It was typed behind this prompt.
    pub fn new(prompt: &str, text: &str) -> Self {
        Self {
            echo: squeezed(&format!("{prompt}{text}")),
            text: squeezed(text),
            part: String::new(),
            is_echoed: false,
            has_lines: false,
            has_output: false,
            helped: None,
            held: Vec::new(),
        }
    }

    /// Somebody else typed, and nobody knows what comes of it.
    pub fn unknown() -> Self {
        Self {
            is_echoed: true,
            has_output: true,
            ..Self::new("", "")
        }
    }

    /// Text and a `?` were typed, and no Enter: a device shows its help at once.
    pub fn help(prompt: &str, text: &str) -> Self {
        let before = text.trim_end().trim_end_matches('?');
        Self {
            helped: Some(squeezed(&format!("{prompt}{before}"))),
            ..Self::new(prompt, text)
        }
    }

    /// Whether the unfinished line says that help was shown, or that it was not; none: neither, or none was asked for.
    pub fn is_helped(&self, tail: &str) -> Option<bool> {
        let helped = self.helped.as_ref()?;
        let tail = squeezed(tail);
        match self.has_lines {
            true => (tail == *helped).then_some(true),
            false => (tail == self.echo).then_some(false),
        }
    }

    /// Whether it was helped is settled.
    pub fn help_is_over(&mut self) {
        self.helped = None;
    }

    /// Something was printed behind the echo.
    pub const fn has_output(&self) -> bool {
        self.has_output
    }

    /// Its echo has come.
    pub const fn is_echoed(&self) -> bool {
        self.is_echoed
    }

    /// Something ended a line since it was typed: a prompt that stands there is not the one from before.
    pub const fn has_lines(&self) -> bool {
        self.has_lines
    }

    /// A line ended; the lines of output that are known by that.
    pub fn line(&mut self, line: String, prompt: &Learned) -> Vec<String> {
        self.has_lines = true;
        if self.is_echoed {
            return self.output(line, prompt);
        }
        let now = squeezed(&line);
        let so_far = format!("{}{now}", self.part);
        let is_scrolled = || {
            // A long line moves sideways behind a `$`.
            let shown = now.split_once('$').map_or("", |(_, shown)| shown);
            shown.len() >= 8 && self.text.ends_with(shown)
        };
        if so_far == self.echo || !self.text.is_empty() && now.ends_with(&self.text) || is_scrolled() {
            self.is_echoed = true;
            self.held.clear();
            return Vec::new();
        }
        if self.echo.starts_with(&so_far) && !now.is_empty() {
            self.part = so_far;
        } else {
            self.part.clear();
        }
        self.held.push(line);
        if self.held.len() > HELD_MAX {
            // It does not echo.
            self.is_echoed = true;
            return std::mem::take(&mut self.held);
        }
        Vec::new()
    }

    fn output(&mut self, line: String, prompt: &Learned) -> Vec<String> {
        let is_prompt = |line: &str| line.trim() == prompt.text;
        self.has_output = true;
        if self.held.first().is_some_and(|first| is_prompt(first))
            && is_log(&line)
            && self.held.len() < HELD_MAX
        {
            self.held.push(line);
            return Vec::new();
        }
        let mut known = std::mem::take(&mut self.held);
        if is_prompt(&line) || is_place(&line) {
            self.held.push(line);
        } else {
            known.push(line);
        }
        known
    }

    /// The prompt is back; what of the lines held back is output.
    pub fn end(&mut self) -> Vec<String> {
        let held = std::mem::take(&mut self.held);
        // Held back behind the echo is what belongs to the prompt.
        if self.is_echoed { Vec::new() } else { held }
    }

    /// It ended, or was cut off, without a prompt: all that came is output.
    pub fn cut(&mut self) -> Vec<String> {
        std::mem::take(&mut self.held)
    }

    /// A prompt came, and behind it nothing but lines of a log.
    pub fn is_logged_over(&self) -> bool {
        self.is_echoed && self.held.len() > 1
    }
}

/// Where Junos is, in a line of its own before the prompt.
fn is_place(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("[edit") && line.ends_with(']')
        || ["{master", "{backup", "{primary", "{secondary", "{linecard"]
            .iter()
            .any(|start| line.starts_with(start))
            && line.ends_with('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(prompt: &str, text: &str, lines: &[&str]) -> (bool, Vec<String>) {
        let learned = Learned::new(prompt).expect("a prompt");
        let mut exchange = Exchange::new(prompt, text);
        let mut output: Vec<String> = Vec::new();
        for line in lines {
            output.extend(exchange.line((*line).to_owned(), &learned));
        }
        output.extend(exchange.end());
        (exchange.is_echoed(), output)
    }

    #[test]
    fn the_echo_is_removed_exactly() {
        let long = "interface description a very long line that an editor moves sideways when it is typed";
        for (text, lines, output) in [
            ("show ver", vec!["R1#show ver", "one", "two"], vec!["one", "two"]),
            (
                "show ver",
                vec!["R1#show ver", "show ver", ""],
                vec!["show ver", ""],
            ),
            ("show ver", vec!["R1#sho", "w ver", "one"], vec!["one"]),
            (
                "show ver",
                vec!["R1#", "*Mar 1 00:00:01: %SYS-5-CONFIG_I: x", "R1#show ver", "one"],
                vec!["one"],
            ),
            (
                long,
                vec!["R1#$ moves sideways when it is typed", "one"],
                vec!["one"],
            ),
            ("show ver", vec!["one", "two"], vec!["one", "two"]),
            ("", vec!["R1#"], vec![]),
        ] {
            assert_eq!(play("R1#", text, &lines).1, output, "{text:?} {lines:?}");
        }
    }

    #[test]
    fn help_leaves_the_line() {
        let learned = Learned::new("R1#").expect("a prompt");
        let mut exchange = Exchange::help("R1#", "show ?");
        assert_eq!(exchange.is_helped("R1#sho"), None);
        assert_eq!(exchange.is_helped("R1#show ?"), Some(false));
        assert!(exchange.line("R1#show ?".into(), &learned).is_empty());
        assert_eq!(exchange.line("  clock".into(), &learned), ["  clock"]);
        assert_eq!(exchange.is_helped("R1#show "), Some(true));
        exchange.help_is_over();
        assert_eq!(exchange.is_helped("R1#show "), None);
    }

    #[test]
    fn what_is_the_prompts_is_no_output() {
        assert_eq!(play("a@mx#", "show", &["a@mx#show", "one", "[edit]"]).1, ["one"]);
        assert_eq!(
            play(
                "a@mx#",
                "show",
                &["a@mx#show", "[edit]", "one", "", "[edit interfaces]"]
            )
            .1,
            ["[edit]", "one", ""]
        );
        // A line like the prompt with output behind it is output; with log lines alone it was the prompt.
        assert_eq!(play("R1#", "show", &["R1#show", "R1#", "one"]).1, ["R1#", "one"]);
        let log = "*Mar  1 00:01:02.345: %LINK-3-UPDOWN: Interface Gi0/1, changed state to up";
        assert_eq!(play("R1#", "show", &["R1#show", "one", "R1#", log]).1, ["one"]);
        let many = vec!["no echo"; HELD_MAX * 3];
        assert_eq!(
            play("R1#", "show", &many),
            (true, many.iter().map(|line| (*line).to_owned()).collect())
        );
    }
}
