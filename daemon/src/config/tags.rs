//! `[tags.NAME]`: what holds for every connection with that tag that does not say otherwise itself.

use std::path::PathBuf;

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
    /// Notes for agents that work on its connections.
    pub(super) notes_path: Option<PathBuf>,
}

/// Reads the table; what is wrong of it says nothing.
pub(super) fn read(reading: Reading<'_>, node: &Node) -> (Vec<Tag>, Vec<Problem>) {
    let Some(entries) = node.table() else {
        let problem = reading.at(node.at, format!("`tags` must be a table, found {}", node.kind()));
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
        notes_path: None,
    };
    let Some(entries) = entry.node.table() else {
        return Err(reading.at(
            entry.node.at,
            format!("a tag must be a table, found {}", entry.node.kind()),
        ));
    };
    for entry in entries {
        let value = reading
            .field(entry, fields::TAG)
            .and_then(|field| reading.value(entry, field));
        match value {
            Ok(Some(Checked::Word(word))) => tag.keeper = Keeper::from_word(word),
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
    if connection.keeper.is_some() {
        return Ok(());
    }
    let own = connection.tags.iter().flatten();
    let said: Vec<(&str, Keeper)> = own
        .filter_map(|name| tags.iter().find(|tag| tag.name == *name))
        .filter_map(|tag| Some((tag.name.as_str(), tag.keeper?)))
        .collect();
    let Some((first, keeper)) = said.first() else {
        return Ok(());
    };
    if let Some((other, different)) = said.iter().find(|(_, other)| other != keeper) {
        return Err(format!(
            "its tags say different keepers: `{first}` {}, `{other}` {}",
            keeper.word(),
            different.word()
        ));
    }
    connection.keeper = Some(*keeper);
    Ok(())
}
