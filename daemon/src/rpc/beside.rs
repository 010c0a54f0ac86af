//! Durable commands beside their session's shell: whoever names the session or its host means them too, where the shell is
//! free. Nothing is changed here.

use std::sync::Arc;

use crate::{
    command::{Command, Status},
    durable::Place,
    host::TargetKey,
    id::CommandId,
    registry::Registry,
};

/// Those that run, or are being started, oldest first. A command that waits for its turn does not run.
fn all(registry: &Registry) -> impl Iterator<Item = (Arc<Command>, Place)> {
    let commands = registry.commands.list().into_iter();
    commands
        .filter(|command| {
            let state = command.state();
            !state.status.is_final() && state.status != Status::Queued
        })
        .filter_map(|command| Place::of(&command).map(|place| (command, place)))
}

/// Those that were started in the session of this name.
pub(super) fn of_session(registry: &Registry, session: &str) -> Vec<Arc<Command>> {
    all(registry)
        .filter(|(command, _)| command.session.as_str() == session)
        .map(|(command, _)| command)
        .collect()
}

/// Those on a target, whatever session they were started in.
pub(super) fn on_target(registry: &Registry, key: &TargetKey) -> Vec<Arc<Command>> {
    all(registry)
        .filter(|(_, place)| place.host.key() == *key)
        .map(|(command, _)| command)
        .collect()
}

/// The command that a session's shell runs: the durable one, while that is being started there.
pub(super) fn in_shell(registry: &Registry, session: &str, running: CommandId) -> Option<Arc<Command>> {
    registry.commands.find(&running.to_string()).ok().or_else(|| {
        let mut durables = of_session(registry, session).into_iter();
        durables.find(|command| registry.durables.in_session(command.id) == running)
    })
}

/// Their ids.
pub(super) fn ids(commands: &[Arc<Command>]) -> Vec<String> {
    commands.iter().map(|command| command.id.to_string()).collect()
}
