//! `sshctl demo`: builds the stage, tells the story as it is played, and clears up however it ends.

use std::time::Instant;

use serde_json::{Value, json};
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::DemoArgs;
use crate::context::Context;
use crate::demo::{Broken, Line, Stage, Step, Stumble, play};
use crate::error::Failure;
use crate::output::{Output, Tone};
use crate::view;

/// Where the times stand.
const TIME_COLUMN: usize = 72;

/// Plays the demo.
pub(crate) async fn run(args: DemoArgs, context: &Context) -> Result<u8, Failure> {
    let out = &context.out;
    let begun = Instant::now();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let stage = Stage::build()
        .await
        .map_err(|cause| broken("setting up", &cause))?;
    if args.host_only {
        out.line(&stage.ssh_command())?;
        let (mut stdin, mut nowhere) = (tokio::io::stdin(), tokio::io::sink());
        tokio::select! {
            // Whoever started us closes the pipe, or ends.
            _ = tokio::io::copy(&mut stdin, &mut nowhere) => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        stage
            .strike()
            .await
            .map_err(|cause| broken("clearing up", &cause))?;
        return Ok(0);
    }
    stage
        .check_programs()
        .map_err(|cause| broken("setting up", &cause))?;
    open_curtain(&stage, out)?;
    let mut steps = Vec::new();
    let mut printed = Ok(());
    let played = tokio::select! {
        played = play(&stage, |step| {
            if printed.is_ok() {
                printed = if out.is_json() { Ok(()) } else { tell(&step, out) };
            }
            steps.push(json!({"title": step.title, "proves": step.proves, "ms": milliseconds(&step)}));
        }) => played.map_err(Some),
        _ = interrupt.recv() => Err(None),
        _ = terminate.recv() => Err(None),
        _ = hangup.recv() => Err(None),
    };
    let log = if matches!(played, Err(Some(_))) {
        stage.daemon_log()
    } else {
        String::new()
    };
    let directory = stage.directory().to_owned();
    let struck = stage.strike().await;
    printed?;
    let cleaned = struck.and_then(|()| {
        if directory.exists() {
            return Err(Broken(format!("{} is still there", directory.display())));
        }
        Ok(())
    });
    match played {
        Ok(()) => cleaned.map_err(|cause| broken("clearing up", &cause))?,
        Err(None) => return Err(Failure::Cancelled),
        Err(Some(Stumble { title, cause, lines })) => {
            if !out.is_json() {
                out.pieces(&[("  ✗  ", Tone::Bad), (title, Tone::Strong)])?;
                tell_lines(&lines, out)?;
                if !log.is_empty() {
                    out.text(&format!("\n     The daemon's last words:\n{log}\n"))?;
                }
            }
            return Err(broken(title, &cause).into());
        }
    }
    close_curtain(&steps, begun, out)?;
    Ok(0)
}

fn broken(step: &str, cause: &Broken) -> Fault {
    Fault::new(
        Reason::Internal,
        format!("the demo stopped at \"{step}\": {cause}"),
    )
    .hint("everything it started has been ended; please report this with the lines above")
}

fn milliseconds(step: &Step) -> u64 {
    u64::try_from(step.time.as_millis()).unwrap_or(u64::MAX)
}

fn open_curtain(stage: &Stage, out: &Output) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(());
    }
    out.line("")?;
    out.pieces(&[("  An agent at work on an SSH host", Tone::Strong)])?;
    out.line("")?;
    let place = stage.directory().display().to_string();
    for line in [
        "  The host is a one-time SSH server on loopback with a real shell; the agent is",
        "  played by a script, and talks to the real mcp-ssh. Everything lives in",
    ] {
        out.pieces(&[(line, Tone::Faint)])?;
    }
    out.pieces(&[
        ("  ", Tone::Faint),
        (&place, Tone::Plain),
        (" and is removed at the end.", Tone::Faint),
    ])?;
    out.line("")?;
    Ok(())
}

fn tell(step: &Step, out: &Output) -> Result<(), Failure> {
    let Step {
        title, proves, lines, ..
    } = step;
    let time = view::duration(milliseconds(step));
    let gap = " ".repeat(TIME_COLUMN.saturating_sub(title.chars().count() + time.len()));
    out.pieces(&[
        ("  ✓  ", Tone::Good),
        (title, Tone::Strong),
        (&gap, Tone::Plain),
        (&time, Tone::Faint),
    ])?;
    tell_lines(lines, out)?;
    out.pieces(&[("     ", Tone::Plain), (proves, Tone::Faint)])?;
    out.line("")?;
    Ok(())
}

fn tell_lines(lines: &[Line], out: &Output) -> Result<(), Failure> {
    for line in lines {
        match line {
            Line::Call(tool, about) if about.is_empty() => {
                out.pieces(&[("     ", Tone::Plain), (tool, Tone::Busy)])?;
            }
            Line::Call(tool, about) => {
                out.pieces(&[
                    ("     ", Tone::Plain),
                    (tool, Tone::Busy),
                    ("  ", Tone::Plain),
                    (about, Tone::Plain),
                ])?;
            }
            Line::Back(text) => out.pieces(&[("       → ", Tone::Faint), (text, Tone::Plain)])?,
        }
    }
    Ok(())
}

fn close_curtain(steps: &[Value], begun: Instant, out: &Output) -> Result<(), Failure> {
    let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if out.is_json() {
        out.json(&json!({"ok": true, "steps": steps, "ms": ms}))?;
        return Ok(());
    }
    let summary = format!("{} of {} steps did what they say", steps.len(), steps.len());
    out.pieces(&[
        ("  ✓  ", Tone::Good),
        (&summary, Tone::Strong),
        (
            &format!(", in {}. Nothing is left behind.", view::duration(ms)),
            Tone::Plain,
        ),
    ])?;
    out.line("")?;
    out.line("  Next, on a host of your own:")?;
    out.line("     sshctl trust HOST            compare its key, once")?;
    out.line("     sshctl exec HOST -- uptime   the same sessions, for people")?;
    out.line("     claude mcp add ssh -- mcp-ssh   and for an agent (other clients: see the README)")?;
    out.line("")?;
    Ok(())
}
