//! An answer as a document shows it: `…` stands for what differs from run to run, on a line of its own for any lines.

use regex::Regex;

pub(super) fn matches(shown: &str, said: &str) -> Result<(), String> {
    let mut pattern = String::from("(?s)^");
    for line in shown.trim_end().split_inclusive('\n') {
        if line.trim() == "…" {
            pattern += r"(?:.*\n)?";
            if !line.ends_with('\n') {
                pattern += ".*";
            }
        } else {
            let parts: Vec<String> = line.split('…').map(regex::escape).collect();
            pattern += &parts.join(r"[^\n]*");
        }
    }
    pattern += "$";
    // A terminal ends its lines otherwise, and what stands at a line's end is not to be seen in a document.
    let said: Vec<&str> = said.trim_end().lines().map(str::trim_end).collect();
    let said = said.join("\n");
    if Regex::new(&pattern)
        .map_err(|error| error.to_string())?
        .is_match(&said)
    {
        return Ok(());
    }
    Err(format!("shown:\n{shown}\nsaid:\n{said}"))
}
