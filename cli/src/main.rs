//! `sshctl`: the daemon's calls for people. Parses the command line, runs one verb, turns its end into an exit code.

mod args;
mod asciicast;
mod commands;
mod context;
mod demo;
mod doctor;
mod edit;
mod error;
mod import;
mod install;
mod keyring;
mod output;
mod randomart;
mod sanitise;
mod terminal;
mod view;

use std::process::ExitCode;

use clap::{Parser as _, error::ErrorKind};

use crate::args::Cli;
use crate::context::Context;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == demo::BECOME_SHELL) {
        return demo::become_shell(arguments);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody reads the help any more, or stderr is closed: nothing is left to tell.
            drop(error.print());
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(error::EXIT_USAGE),
            };
        }
    };
    let context = Context::new(cli.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return error::report(error.into(), &context.out),
    };
    let end = runtime.block_on(commands::run(cli.verb, &context));
    // A thread that still reads the terminal must not hold us up.
    runtime.shutdown_background();
    match end {
        Ok(code) => ExitCode::from(code),
        Err(failure) => error::report(failure, &context.out),
    }
}
