//! Sessions in a tmux of this machine: whether one can be had; and those that the state does not know, found by looking for
//! their places, before anybody is served. What was no session yet is ended.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use sshmcp_proto::error::Fault;

use super::{Registry, Wanted};
use crate::{
    config::{Keeper, Kind},
    id::SessionName,
    local::{Place, Tools},
    state::{SavedSession, Store},
};

impl Registry {
    /// Has a session kept by `local-tmux` where nobody says by what, this machine has what that takes, and no stored password
    /// is needed that OpenSSH's client is not given: a hop's, and where nobody tells who asks; else as `auto`. True if it is to be `local-tmux`.
    pub async fn prefer_local(&self, wanted: &mut Wanted) -> Result<bool, Fault> {
        let Some(call) = wanted.host.as_ref().filter(|_| wanted.keeper.is_none()) else {
            return Ok(false);
        };
        let target = self.resolve(call).await?;
        let name = wanted.session.as_deref();
        let is_there = name.is_some_and(|name| self.session(name).is_ok());
        if is_there || target.keeper.is_some() {
            return Ok(false);
        }
        let needs_password = target.password.is_some() && !cfg!(target_os = "linux")
            || target.jump.iter().any(|hop| hop.password.is_some());
        let is_local = !needs_password && target.kind != Kind::Network && Tools::find().await.is_ok();
        wanted.keeper = Some(if is_local { Keeper::LocalTmux } else { Keeper::Auto });
        Ok(is_local)
    }
}

/// What a caller is told of such a session.
const FOUND: &str = "the session was found in its local tmux, for the daemon's state was lost: the ids of its earlier commands are gone, and what ran in it is not known";

/// Adds them to those that are remembered.
pub(super) async fn add(store: &Store, saved: &mut Vec<SavedSession>) {
    // Without the programs there is nothing to come back to.
    let Ok(tools) = Tools::places() else { return };
    let anchors = store.anchors();
    let all = anchors.iter().flat_map(|anchor| Place::all(anchor, &tools));
    for (place, note) in all {
        let directory = place.directory.to_string_lossy();
        if saved
            .iter()
            .any(|session| directory_of(session) == Some(&directory))
        {
            continue;
        }
        let note = note.and_then(|note| serde_json::from_slice::<SavedSession>(&note).ok());
        let note = note.filter(|note| directory_of(note) == Some(&directory));
        let lives = place.pane().await.is_some() || place.ended().is_some_and(|ended| ended.code.is_some());
        let Some(mut session) = note.filter(|_| lives) else {
            tracing::info!(directory = %place.directory.display(), "ended: it is no session's");
            tokio::spawn(async move { place.end().await });
            continue;
        };
        let Some(name) = free_name(&session.name, saved) else {
            continue;
        };
        tracing::warn!(session = name, "found in its local tmux alone");
        session.is_default &= name == session.name;
        session.name = name;
        FOUND.clone_into(&mut session.notice);
        if let Value::Object(kept) = &mut session.kept {
            kept.insert("unsure".to_owned(), true.into());
        }
        // One of that name that ended gives way to one that lives.
        saved.retain(|other| other.name != session.name);
        saved.push(session);
    }
}

/// The place of a session that is remembered.
fn directory_of(session: &SavedSession) -> Option<&str> {
    session.kept.pointer("/local/directory")?.as_str()
}

/// Its own, or one with a number where another session that lives has it.
fn free_name(name: &str, saved: &[SavedSession]) -> Option<String> {
    let own = SessionName::parse(name).ok()?;
    // What an older state knows may have ended since.
    let lives = |session: &SavedSession| directory_of(session).is_none_or(|place| Path::new(place).exists());
    let kept = saved.iter().filter(|session| session.is_kept() && lives(session));
    let taken: BTreeSet<&str> = kept.map(|session| session.name.as_str()).collect();
    if !taken.contains(name) {
        return Some(name.to_owned());
    }
    (2..)
        .map(|number| own.numbered(number).to_string())
        .find(|name| !taken.contains(name.as_str()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A session that lives keeps its name before others, and one that is only remembered does not.
    #[test]
    fn names() {
        let there = tempfile::tempdir().expect("a directory");
        let saved = |name: &str, kept: Value| SavedSession {
            name: name.into(),
            kept,
            ..SavedSession::default()
        };
        let remembered = [
            saved("here", json!({"local": {"directory": there.path()}})),
            saved(
                "stale",
                json!({"local": {"directory": there.path().join("gone")}}),
            ),
            saved("remote", json!({"name": "sshmcp-remote-1", "local": null})),
            saved("ended", Value::Null),
        ];
        for (name, wanted) in [
            ("here", Some("here-2")),
            ("stale", Some("stale")),
            ("remote", Some("remote-2")),
            ("ended", Some("ended")),
            ("new", Some("new")),
            ("../x", None),
        ] {
            assert_eq!(free_name(name, &remembered).as_deref(), wanted, "{name}");
        }
    }
}
