//! `[tags.NAME]`: what holds for every connection with that tag that does not say otherwise itself.

use std::{path::PathBuf, time::Duration};

use super::connection::{Connection, Keeper, NotesFile};
use super::fields;
use super::problem::Problem;
use super::reading::{Checked, Reading, is_tag};
use super::tree::{Entry, Node};

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// Its name.
    pub(super) name: String,
    /// What keeps the shells of its connections.
    pub(super) keeper: Option<Keeper>,
    /// How long these wait for somebody to come back.
    pub(super) orphan_after: Option<Duration>,
    /// Notes for agents that work on its connections.
    pub(super) notes_path: Option<PathBuf>,
}

/// Reads the table; what is wrong of it says nothing.
pub(super) fn read(reading: Reading<'_>, node: &Node) -> (Vec<Tag>, Vec<Problem>) {
    let Some(entries) = node.table() else {
        let problem = reading.no_table(node, "`tags`", "tags.NAME");
        return (Vec::new(), vec![problem]);
    };
    let mut problems = Vec::new();
    let tags = entries
        .iter()
        .filter_map(|entry| {
            let tag = read_one(reading, entry, &mut problems);
            tag.map_err(|problem| problems.push(problem)).ok()
        })
        .collect();
    (tags, problems)
}

fn read_one(reading: Reading<'_>, entry: &Entry, problems: &mut Vec<Problem>) -> Result<Tag, Problem> {
    if !is_tag(&entry.key) {
        return Err(reading.at(entry.at, "a tag is 1 to 64 letters, digits or ._-:/"));
    }
    let mut tag = Tag {
        name: entry.key.clone(),
        keeper: None,
        orphan_after: None,
        notes_path: None,
    };
    let Some(entries) = entry.node.table() else {
        return Err(reading.no_table(&entry.node, "a tag", "tags.NAME"));
    };
    for entry in entries {
        let value = reading
            .field(entry, fields::TAG)
            .and_then(|field| reading.value(entry, field));
        match value {
            Ok(Some(Checked::Word(word))) => tag.keeper = Keeper::from_word(word),
            Ok(Some(Checked::Number(number))) => {
                tag.orphan_after = u64::try_from(number).ok().map(Duration::from_secs);
            }
            Ok(Some(Checked::Path(path))) => tag.notes_path = Some(path),
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    Ok(tag)
}

/// Gives a connection what its tags say and it does not; an error is that they say different things.
pub(super) fn apply(tags: &[Tag], connection: &mut Connection) -> Result<(), String> {
    let own = connection.tags.iter().flatten();
    let notes = own.filter_map(|name| {
        let tag = tags.iter().find(|tag| tag.name == *name)?;
        Some(NotesFile {
            tag: Some(tag.name.clone()),
            path: tag.notes_path.clone()?,
        })
    });
    connection.tag_notes = notes.collect();
    let own: Vec<&Tag> = connection
        .tags
        .iter()
        .flatten()
        .filter_map(|name| tags.iter().find(|tag| tag.name == *name))
        .collect();
    if connection.keeper.is_none() {
        let said = |tag: &Tag| tag.keeper;
        connection.keeper = agreed(&own, "keeper", said, |keeper| keeper.word().to_owned())?;
    }
    if connection.orphan_after.is_none() {
        let said = |tag: &Tag| tag.orphan_after;
        connection.orphan_after = agreed(&own, "orphan_after", said, |time| time.as_secs().to_string())?;
    }
    Ok(())
}

/// What those of the tags that say anything agree on.
fn agreed<T: Copy + PartialEq>(
    tags: &[&Tag],
    what: &str,
    of: impl Fn(&Tag) -> Option<T>,
    word: impl Fn(T) -> String,
) -> Result<Option<T>, String> {
    let said: Vec<(&str, T)> = tags
        .iter()
        .filter_map(|tag| Some((tag.name.as_str(), of(tag)?)))
        .collect();
    let Some((first, value)) = said.first() else {
        return Ok(None);
    };
    match said.iter().find(|(_, other)| other != value) {
        Some((other, different)) => Err(format!(
            "its tags say different values of `{what}`: `{first}` {}, `{other}` {}",
            word(*value),
            word(*different)
        )),
        None => Ok(Some(*value)),
    }
}
