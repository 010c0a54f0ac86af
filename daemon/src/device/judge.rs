//! What an unfinished line at the end of all that came means once nothing follows it for a while: a pager, the prompt, or
//! a question. Text alone decides; how long the silence must be depends on how well the text is known.

use std::{sync::LazyLock, time::Duration};

use regex::Regex;

use super::{
    exchange::Exchange,
    prompt::{Learned, Relation, shape},
};

/// What stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A pager that wants a key.
    Pager,
    /// The prompt.
    Prompt,
    /// A prompt of another name than before.
    OtherPrompt,
    /// The prompt stands behind an output whose last line has no end.
    JoinedPrompt,
    /// The prompt came, and lines of a log after it.
    LoggedOver,
    /// It asks for something.
    Question,
    /// Help was shown, and what was typed stands there again.
    HelpShown,
    /// Help was asked for, and nothing happened.
    NoHelp,
}

/// A pager's line is no prompt's and no question's; whatever else it was, a space does little there.
const PAGER: Duration = Duration::from_millis(60);
/// The very prompt that was learned.
const SAME: Duration = Duration::from_millis(300);
/// The same right behind the echo: hardly an output begins so.
const SAME_AT_ONCE: Duration = Duration::from_millis(100);
/// The same device's in another mode.
const MODE: Duration = Duration::from_millis(450);
/// Help was asked for and not given: the device takes whole lines alone.
const UNHELPED: Duration = Duration::from_millis(1200);
/// Another name's: it may be text of an output that comes slowly.
const OTHER: Duration = Duration::from_secs(2);
/// A prompt without the echo of what was typed before it.
const UNECHOED: Duration = Duration::from_secs(3);
/// A question whose form is known.
const ASKED: Duration = Duration::from_millis(300);
/// What only ends like one.
const PERHAPS: Duration = Duration::from_millis(1500);
/// Log lines behind a prompt.
const LOGGED: Duration = Duration::from_secs(1);

fn regex(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static PAGERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?ix) (?: -{2,}\s*\(?\s*more\b | <-+\s*more\s*-+> | \bmore:\s*<space> | -+\(more | lines\ \d+-\d+(?:/\d+)?\s*(?:\(end\))?$
        | \[q\ quit\|[^\]]*\]$ | press\ any\ key\ to\ continue\ \(q\ to\ quit\) )",
    )
});

/// Forms of questions that mean what they say wherever they stand at the end.
static ASKS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?ix) (?: \[\s*confirm\s*\] | [\[(<]\s*y(?:es)?\s*[/|,]\s*no?\s*(?:[/|,][^\])>]*)?[\])>](?:\s*\[[^\]]*\])? | \(y\ or\ n\)(?:\?)?
        | \b(?:password|passphrase|passcode|username|login)[^:]{0,40} | \[[^\[\]]{0,120}\]\s*\? | \[yes\]|\[no\] ) \s*[?:]{0,2}\s*$",
    )
});

static SECRETS: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?i)\b(?:password|passphrase|passcode|secret|pin)\b[^:]{0,60}:?\s*$"));

static NAMES: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?i)\b(?:user ?name|login(?: name)?)\s*:\s*$"));

static ERRORS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?ix) ^\s* (?:
            %\s*(?:invalid|incomplete|ambiguous|unknown|unrecognized|unrecognised|error|bad|wrong|too\ many|access|authorization|command|permission|cannot|not\ |no\ |parse|failed|translating|type\ |could)
            | %\ \S | % error
            | error: | error\b[^.]{0,40}: | error\ -\  | \[error\b
            | syntax\ error | unknown\ command | unknown\ action | unrecognized\ command | command\ (?:fail|parse\ error|not\ found|rejected|authorization\ failed)
            | (?:an\ )?invalid\ (?:input|command|value|argument|syntax|interface)\b | (?:ambiguous|incomplete)\ (?:input|command)\b | missing\ argument | parsing\ error
            | bad\ (?:command|parameter|argument)\ name | expected\ (?:end\ of\ command|command\ name) | input\ does\ not\ match | no\ such\ (?:item|command) | failure: | commit\ failed
            | permission\ denied | module\ name\ not\ found | configuration\ check-out\ failed | CLINFR\d{4}\b
        ) | '[^']{1,80}'\ is\ ambiguous",
    )
});

/// `%FACILITY-SEVERITY-MNEMONIC:` and what Junos, Huawei and the like write in its place.
static LOGS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"%{1,2}(?:\d{2})?[A-Z][A-Z0-9_]*(?:/|-)(?:[A-Z0-9_]+-)?\d(?:-|/)[A-Za-z0-9_()\[\]]+|^%ASA-\d-\d+:|^\S{3} +\d+ \d\d:\d\d:\d\d .+\[\d+\]:",
    )
});

static ENTER: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?i)press\s+(?:any key|return|enter|<enter>|<return>|\[?enter\]?)\b"));

fn is(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

/// A line of a device's log that may come in between.
pub fn is_log(line: &str) -> bool {
    is(&LOGS, line)
}

/// A line by which a device refuses what was typed.
pub fn is_error(line: &str) -> bool {
    !is_log(line) && is(&ERRORS, line)
}

/// What is typed at this question is not to be shown.
pub fn hides(question: &str) -> bool {
    is(&SECRETS, question)
}

/// It asks whose password will be asked for.
pub fn asks_for_name(question: &str) -> bool {
    is(&NAMES, question)
}

/// It wants a key before there is a prompt.
pub fn asks_for_enter(text: &str) -> bool {
    is(&ENTER, text)
}

/// What the end of an exchange's text means, after so much silence.
pub fn judge(
    tail: &str,
    exchange: &Exchange,
    prompt: &Learned,
    renamed: Option<&str>,
) -> Option<(Verdict, Duration)> {
    if tail.is_empty() {
        return exchange.is_logged_over().then_some((Verdict::LoggedOver, LOGGED));
    }
    if let Some(is_shown) = exchange.is_helped(tail) {
        return Some(if is_shown {
            (Verdict::HelpShown, MODE)
        } else {
            (Verdict::NoHelp, UNHELPED)
        });
    }
    let relation = prompt.relation(tail, renamed);
    if relation.is_some() && !exchange.is_echoed() {
        // What stands there is the prompt from before.
        return exchange.has_lines().then_some((Verdict::Prompt, UNECHOED));
    }
    match relation {
        Some(Relation::Same) if !exchange.has_output() => return Some((Verdict::Prompt, SAME_AT_ONCE)),
        Some(Relation::Same) => return Some((Verdict::Prompt, SAME)),
        Some(Relation::Mode) => return Some((Verdict::Prompt, MODE)),
        Some(Relation::Other) => return Some((Verdict::OtherPrompt, OTHER)),
        None => {}
    }
    if !exchange.is_echoed() && !exchange.has_lines() {
        // The echo is on its way.
        return None;
    }
    if exchange.is_echoed() && prompt.is_joined(tail) {
        return Some((Verdict::JoinedPrompt, OTHER));
    }
    judge_text(tail)
}

fn judge_text(tail: &str) -> Option<(Verdict, Duration)> {
    if is(&PAGERS, tail) {
        return Some((Verdict::Pager, PAGER));
    }
    if is(&ASKS, tail) {
        return Some((Verdict::Question, ASKED));
    }
    tail.ends_with(['?', ':', ']', ')'])
        .then_some((Verdict::Question, PERHAPS))
}

/// The same before there is a prompt that is known.
pub fn judge_greeting(tail: &str) -> Option<(Verdict, Duration)> {
    if shape(tail).is_some() {
        return Some((Verdict::Prompt, MODE));
    }
    judge_text(tail)
}

/// The last line of a first screen can only be a device's prompt: no shell's looks so, or hardly any.
pub fn looks_like_device(line: &str) -> bool {
    let line = line.trim_end();
    // Shells have a space before their end, a directory, or a user's name.
    shape(line).is_some_and(|shape| match shape.end {
        '>' => line.starts_with(['<', '[']) || !shape.host.contains(['~', ':', '/']),
        '#' => !shape.host.contains(['~', ':', '/', '@']) && !line.ends_with(" #"),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_pagers() {
        for tail in [
            "Proceed with reload? [confirm]",
            "Save? [yes/no]:",
            "Are you sure? [Y/N]:",
            "Continue? (y/n)",
            "Destination filename [startup-config]?",
            "Password:",
            "Enter password for root:",
            "Do you want to continue [yes,no] (no)",
            "Address or name of remote host []?",
            "(y or n)",
            "Overwrite? (Y/N)[N]:",
        ] {
            assert_eq!(
                judge_text(tail).map(|(verdict, _)| verdict),
                Some(Verdict::Question),
                "{tail}"
            );
        }
        for tail in [
            " --More-- ",
            "--More-- (42%)",
            "  ---- More ----",
            "---(more 35%)---",
            "---(more)---",
            "<--- More --->",
            "-- MORE --, next page: Space, next line: Enter, quit: Control-C",
            "lines 1-23",
            "-- [Q quit|D dump|down]",
            "More: <space>,  Quit: q or CTRL+Z, One line: <return>",
        ] {
            assert_eq!(
                judge_text(tail).map(|(verdict, _)| verdict),
                Some(Verdict::Pager),
                "{tail}"
            );
        }
        for tail in [
            "Building configuration...",
            "!!!!!",
            "Sending 5 packets",
            "rate 5%",
        ] {
            assert_eq!(judge_text(tail), None, "{tail}");
        }
        assert!(
            asks_for_name("Username:")
                && asks_for_name("Login Name: ")
                && !asks_for_name("Password for login:x:")
                && !asks_for_name("Address or name of remote host []?")
        );
        assert!(
            hides("Password:")
                && hides("Enter the enable password: ")
                && !hides("Destination filename [startup-config]?")
        );
    }

    /// The prompt behind an output without an end of its line; what is typed at a prompt is none.
    #[test]
    fn a_prompt_behind_text() {
        let prompt = Learned::new("R1#").expect("a prompt");
        let mut exchange = Exchange::new("R1#", "more x");
        let verdict = |exchange: &Exchange, tail: &str| judge(tail, exchange, &prompt, None).map(|it| it.0);
        assert_eq!(verdict(&exchange, "its endR1#"), None, "not echoed yet");
        exchange.line("R1#more x".into(), &prompt);
        assert_eq!(verdict(&exchange, "its endR1#"), Some(Verdict::JoinedPrompt));
        assert_eq!(verdict(&exchange, "its end, R1# or"), None);
        assert_eq!(verdict(&exchange, "R1#"), Some(Verdict::Prompt));
        assert_eq!(verdict(&Exchange::unknown(), "R1#more R1#"), None);
        // It may be another device's.
        assert_eq!(verdict(&exchange, "CORE-R1#"), Some(Verdict::OtherPrompt));
    }

    #[test]
    fn errors_are_known() {
        for line in [
            "% Invalid input detected at '^' marker.",
            "% Incomplete command.",
            "% Ambiguous command:  \"s\"",
            "% Access denied",
            "%Error opening tftp://x",
            "ERROR: % Invalid input",
            "Error: Unrecognized command found at '^' position.",
            "Error:Incomplete command found at '^' position.",
            "syntax error, expecting <command>.",
            "unknown command.",
            "error: configuration database locked",
            "Invalid input: foo",
            "bad command name foo (line 1 column 1)",
            "syntax error (line 1 column 4)",
            "expected end of command (line 1 column 5)",
            "Unknown action 0",
            "Command fail. Return code -61",
            "command parse error before 'x'",
            "  % Unrecognized command found at '^' position.",
            "CLINFR0329  Invalid command:'foo'.",
            "Invalid input -> foo",
            "Error - Incorrect username or password.",
            "An invalid interface has been used for this function",
            "'s' is ambiguous.",
        ] {
            assert!(is_error(line), "{line}");
        }
        for line in [
            "interface GigabitEthernet0/1",
            "  5 minute input rate 0 bits/sec",
            "0 input errors, 0 CRC",
            "*Mar  1 00:01:02.345: %LINK-3-UPDOWN: Interface Gi0/1, changed state to up",
            "%LINEPROTO-5-UPDOWN: Line protocol",
            "100% packets",
            "Success rate is 100 percent",
        ] {
            assert!(!is_error(line), "{line}");
        }
    }

    #[test]
    fn a_first_screen_tells_devices_from_shells() {
        for line in [
            "R1#",
            "R1>",
            "SW(config)#",
            "<HUAWEI>",
            "[admin@MikroTik] > ",
            "admin@mx1> ",
        ] {
            assert!(looks_like_device(line), "{line}");
        }
        for line in [
            "$ ",
            "# ",
            "root@host:~# ",
            "user@host:/tmp$ ",
            "[user@host ~]$ ",
            "host% ",
            "user@host ~> ",
            "login:",
            "/ # ",
        ] {
            assert!(!looks_like_device(line), "{line}");
        }
    }
}
