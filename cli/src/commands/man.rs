//! `sshctl man`: the man pages of the three programs, from the same types that parse their command lines.

use std::path::Path;
use std::process::Stdio;

use clap::CommandFactory as _;
use clap_mangen::Man;
use sshmcp_proto::client::daemon_program;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;
use tokio::process::Command;

use crate::args::{Cli, ManArgs};
use crate::context::Context;
use crate::error::Failure;

/// Writes them.
pub(crate) async fn run(args: ManArgs, context: &Context) -> Result<u8, Failure> {
    let directory = &args.directory;
    let mut whole = Cli::command();
    whole.build();
    pages(&whole, directory)?;
    let own = std::env::current_exe()?.canonicalize()?;
    for (name, program) in [
        ("sshmcpd", daemon_program()),
        ("mcp-ssh", own.with_file_name("mcp-ssh")),
    ] {
        let page = ask(&program).await?;
        std::fs::write(directory.join(format!("{name}.1")), page)?;
    }
    context.out.line(&format!("written to {}", directory.display()))?;
    Ok(0)
}

/// The page of a verb and of those below it.
fn pages(command: &clap::Command, directory: &Path) -> std::io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages(below, directory)?;
    }
    Man::new(told(command.clone())).generate_to(directory)?;
    Ok(())
}

/// With the usage that its help has, which knows of `--`, and with the examples of the short help and the words of the long.
fn told(mut command: clap::Command) -> clap::Command {
    let usage = command.render_usage().to_string();
    if let (Some(examples), Some(words)) = (command.get_after_help(), command.get_after_long_help()) {
        let both = format!("{examples}\n\n{words}");
        command = command.after_long_help(both);
    }
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    command.override_usage(usage)
}

/// A program's own page.
async fn ask(program: &Path) -> Result<Vec<u8>, Fault> {
    let failed = |why: String| {
        Fault::new(
            Reason::Internal,
            format!("{} gave no man page: {why}", program.display()),
        )
        .hint("put the three programs of one version into one directory")
    };
    let asked = Command::new(program)
        .arg("--man")
        .stdin(Stdio::null())
        .output()
        .await;
    let output = asked.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(failed(output.status.to_string()))
    }
}
