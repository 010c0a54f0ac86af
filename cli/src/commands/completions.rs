//! `sshctl completions`: a shell's completions, from the same types that parse the command line.

use std::io::{self, Write as _};

use clap::CommandFactory as _;

use crate::args::{Cli, CompletionsArgs};
use crate::context::Context;
use crate::error::Failure;

/// Prints them.
pub(crate) fn run(args: CompletionsArgs, context: &Context) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sshctl", &mut script);
    if context.out.is_json() {
        let script = String::from_utf8_lossy(&script);
        context
            .out
            .json(&serde_json::json!({"shell": args.shell.to_string(), "script": script}))?;
    } else {
        io::stdout().write_all(&script)?;
    }
    Ok(0)
}
