//! `[logs]`: how much of sessions' transcripts and recordings is kept. A wrong value is reported and its default stays.

use std::time::Duration;

use super::fields;
use super::problem::Problem;
use super::reading::{Checked, Reading};
use super::tree::Node;
use crate::recording::Limits;

/// Reads the table over the defaults.
pub(super) fn read(reading: Reading<'_>, node: &Node) -> (Limits, Vec<Problem>) {
    let mut limits = Limits::default();
    let Some(entries) = node.table() else {
        let problem = reading.no_table(node, "`logs`", "logs");
        return (limits, vec![problem]);
    };
    let mut problems = Vec::new();
    for entry in entries {
        let read = reading
            .field(entry, fields::LOGS)
            .and_then(|field| Ok((field, reading.value(entry, field)?)));
        match read {
            Ok((field, Some(value))) => set(&mut limits, field.name, value),
            Ok((_, None)) => {}
            Err(problem) => problems.push(problem),
        }
    }
    (limits, problems)
}

fn set(limits: &mut Limits, name: &str, value: Checked) {
    match (name, value) {
        ("transcripts", Checked::Boolean(truth)) => limits.transcripts = truth,
        ("recordings", Checked::Boolean(truth)) => limits.casts = truth,
        (name, Checked::Number(number)) => {
            // The shapes' ranges begin at 0 or 1.
            let number = u64::try_from(number).unwrap_or_default();
            match name {
                "max_mib" => limits.file_bytes = number << 20,
                "keep_files" => limits.files = usize::try_from(number).unwrap_or(usize::MAX),
                "keep_days" => limits.age = (number > 0).then(|| Duration::from_secs(number * 86_400)),
                _ => {}
            }
        }
        _ => {}
    }
}
