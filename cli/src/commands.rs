//! The verbs, one file each; this one only finds the right one.

mod attach;
mod close;
mod completions;
mod config;
mod cp;
pub(crate) mod daemon;
mod demo;
mod doctor;
mod exec;
mod hosts;
mod import;
mod install;
mod interrupt;
mod list;
mod login;
mod logs;
mod man;
mod open;
mod output;
mod replay;
mod screen;
mod secret;
mod send;
mod sessions;
mod status;
mod trust;
mod wait;

use crate::args::Verb;
use crate::context::Context;
use crate::error::Failure;

/// Runs a verb and tells the exit code.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<u8, Failure> {
    match verb {
        Verb::Status => status::run(context).await,
        Verb::Hosts(args) => hosts::run(args, context).await,
        Verb::Sessions => sessions::run(context).await,
        Verb::Open(args) => open::run(args, context).await,
        Verb::Login(args) => login::run(args, context).await,
        Verb::Secret(verb) => secret::run(verb, context).await,
        Verb::Exec(args) => exec::run(args, context).await,
        Verb::Commands(args) => list::run(args, context).await,
        Verb::Output(args) => output::run(args, context).await,
        Verb::Wait(args) => wait::run(args, context).await,
        Verb::Interrupt(args) => interrupt::run(args, context).await,
        Verb::Attach(args) => attach::run(args, false, context).await,
        Verb::Watch(args) => attach::run(args.into(), true, context).await,
        Verb::Logs(args) => logs::run(args, context).await,
        Verb::Replay(args) => replay::run(args, context).await,
        Verb::Send(args) => send::run(args, context).await,
        Verb::Screen(args) => screen::run(args, context).await,
        Verb::Cp(args) => cp::run(args, context).await,
        Verb::Close(args) => close::run(args, context).await,
        Verb::Trust(args) => trust::run(args, context).await,
        Verb::Config(verb) => config::run(verb, context).await,
        Verb::Daemon(verb) => daemon::run(verb, context).await,
        Verb::Doctor(args) => doctor::run(args, context).await,
        Verb::Install(args) => install::run(args, context).await,
        Verb::Uninstall(args) => install::undo(args, context).await,
        Verb::Demo(args) => demo::run(args, context).await,
        Verb::Completions(args) => completions::run(args, context),
        Verb::Man(args) => man::run(args, context).await,
    }
}
