//! `sshctl install` and `uninstall`: programs, the daemon as a service of the user's, and entries in MCP clients. Shown
//! first, done after a yes.

use serde_json::{Value, json};

use crate::args::{InstallArgs, UninstallArgs};
use crate::context::Context;
use crate::error::{Failure, exit_code};
use crate::install::entries::{Wanted, named};
use crate::install::{self, Outcome, Report, Step};
use crate::output::{Entry, Output, Tone};
use crate::terminal;
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

/// Puts it in place.
pub(crate) async fn run(args: InstallArgs, context: &Context) -> Result<u8, Failure> {
    let clients = if args.no_clients {
        Wanted::Nobody
    } else if args.client.is_empty() {
        Wanted::Found
    } else {
        Wanted::Named(named(&args.client)?)
    };
    if !args.yes {
        let planned = install::install(context, false, &clients).await?;
        if !agreed(&planned, &context.out).await? {
            return Ok(code(&planned));
        }
    }
    let done = install::install(context, true, &clients).await?;
    show(&done, true, &context.out)
}

/// Takes it away again.
pub(crate) async fn undo(args: UninstallArgs, context: &Context) -> Result<u8, Failure> {
    let mut purge = args.purge;
    if !args.yes {
        let planned = install::uninstall(context, false, args.force, purge).await?;
        if !agreed(&planned, &context.out).await? {
            return Ok(code(&planned));
        }
        // What sessions showed goes by a person's word alone.
        if let Some(state) = planned.stays {
            let question = format!(
                "Transcripts, recordings and state of all sessions in {}, too (yes/no)? ",
                state.display()
            );
            purge = is_yes(&terminal::ask(&question).await?);
        }
    }
    let done = install::uninstall(context, true, args.force, purge).await?;
    show(&done, true, &context.out)
}

/// Shows what would be done, and asks for a yes; a program gets the plan and nothing more.
async fn agreed(planned: &Report, out: &Output) -> Result<bool, Failure> {
    show(planned, false, out)?;
    if out.is_json() || !planned.steps.iter().any(|step| step.outcome == Outcome::Planned) {
        return Ok(false);
    }
    let answer = terminal::ask("Do this (yes/no)? ")
        .await
        .map_err(|failure| match failure {
            Failure::Fault(fault) => Fault::new(fault.reason, "nothing was done: nobody agreed to it")
                .hint("run this in a terminal, or with --yes")
                .into(),
            other => other,
        })?;
    let yes = is_yes(&answer);
    if !yes {
        out.line("Nothing was done.")?;
    }
    Ok(yes)
}

fn is_yes(answer: &str) -> bool {
    answer.trim().eq_ignore_ascii_case("yes")
}

/// Tells the steps; the exit code says whether one failed.
fn show(report: &Report, acted: bool, out: &Output) -> Result<u8, Failure> {
    let Report { system, steps, .. } = report;
    if out.is_json() {
        let steps: Vec<Value> = steps
            .iter()
            .map(
                |Step {
                     what,
                     outcome,
                     why,
                     diff,
                 }| {
                    json!({"step": what, "outcome": outcome.word(), "why": why, "diff": diff})
                },
            )
            .collect();
        out.json(&json!({"system": system, "acted": acted, "steps": steps}))?;
    } else {
        let rows = steps.iter().map(row).collect();
        out.table(&["", "STEP"], rows, "nothing to do")?;
        let changes = steps.iter().filter(|step| !step.diff.is_empty() && !acted);
        for Step { what, diff, .. } in changes {
            out.line("")?;
            out.line(&format!("{what}:"))?;
            for line in diff {
                out.change(line)?;
            }
        }
        let mut told = "";
        for Step { outcome, why, .. } in steps {
            if !why.is_empty() && why != told {
                out.note(&format!("{}: {why}", outcome.word()))?;
                told = why;
            }
        }
    }
    Ok(code(report))
}

/// Whether a step failed, or would.
fn code(report: &Report) -> u8 {
    let has_failed = report.steps.iter().any(|step| step.outcome == Outcome::Failed);
    if has_failed {
        exit_code(Reason::Internal)
    } else {
        0
    }
}

fn row(step: &Step) -> Vec<Entry> {
    let tone = match step.outcome {
        Outcome::Planned => Tone::Plain,
        Outcome::Done | Outcome::Already => Tone::Good,
        Outcome::Left => Tone::Busy,
        Outcome::Failed => Tone::Bad,
    };
    vec![
        Entry(step.outcome.word().to_owned(), tone),
        step.what.clone().into(),
    ]
}
