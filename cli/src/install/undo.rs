//! `sshctl uninstall`: takes away what `sshctl install` put in place and wrote down, and no more.

use std::fs;
use std::io;
use std::path::PathBuf;

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

use super::record::Record;
use super::units::{System, Unit};
use super::{Outcome, Report, Run, cannot};
use crate::context::Context;

/// Takes away what `install` put in place. `force`: though sessions are open in the daemon that goes with it; `purge`: what
/// daemons left, too.
pub(crate) async fn uninstall(
    context: &Context,
    act: bool,
    force: bool,
    purge: bool,
) -> Result<Report, Fault> {
    let mut run = Run::new(context, act)?;
    let path = Record::path(&run.state);
    let record = Record::read(&path)?;
    if record.is_none() && !purge {
        return Err(Fault::new(
            Reason::NotFound,
            "nothing here was put in place by `sshctl install`",
        )
        .hint("transcripts, recordings and state are removed by `sshctl uninstall --purge`"));
    }
    let record = record.unwrap_or_default();
    let running = run.running().await?;
    let managed = |by: &str| by == System::here().name();
    // Without its program or its files no daemon can go on, and one without sessions is of no use to anybody.
    let must_end = purge || !record.copied.is_empty();
    let ends = must_end || running.as_ref().is_some_and(|(_, _, sessions)| *sessions == 0);
    if let Some((_, by, sessions)) = &running
        && (must_end || managed(by))
        && *sessions > 0
        && !force
    {
        return Err(Fault::new(
            Reason::Conflict,
            format!("{sessions} sessions are open in the daemon that would end"),
        )
        .hint("close them, or end them with --force"));
    }
    let manager = run.system.runs().await;
    if record.enabled {
        match &manager {
            Ok(()) => run.give(run.system.disable()).await,
            Err(why) => run.unlink(why)?,
        }
    }
    if let Some((_, by, _)) = running
        && ends
        && !(record.enabled && manager.is_ok() && managed(&by))
    {
        run.stop(force).await?;
    }
    run.remove_entries(&record);
    for unit in &record.files {
        run.remove(unit)?;
    }
    if record.enabled && manager.is_ok() {
        run.give(run.system.forget()).await;
    }
    // Whoever has to run this again needs them.
    if run.has_failed() {
        run.keep_programs(&record);
    } else {
        run.remove_programs(&record)?;
    }
    if purge {
        run.purge()?;
    } else {
        run.tell_what_stays();
    }
    if act && !run.has_failed() {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(&path, &error)),
            _ => {}
        }
    }
    if act {
        let links = run.system.links(&run.directory);
        let beside = links.iter().filter_map(|link| link.parent());
        for directory in beside.chain(record.directories.iter().rev().map(PathBuf::as_path)) {
            // Where something else is in it by now, it stays.
            let _kept = fs::remove_dir(directory);
        }
        if purge {
            run.remove_empty();
        }
    }
    Ok(run.report())
}

impl Run<'_> {
    /// Where no manager runs to take them away, the links that start the daemon at the next login go by our own hand.
    fn unlink(&mut self, why: &str) -> Result<(), Fault> {
        for link in self.system.links(&self.directory) {
            if !fs::symlink_metadata(&link).is_ok_and(|found| found.is_symlink()) {
                continue;
            }
            if self.act {
                fs::remove_file(&link).map_err(|error| cannot(&link, &error))?;
            }
            self.step(
                format!("remove {}", link.display()),
                self.done(),
                &format!("no user manager answers here: {why}"),
            );
        }
        Ok(())
    }

    fn remove(&mut self, unit: &Unit) -> Result<(), Fault> {
        let what = format!("remove {}", unit.path.display());
        match fs::read_to_string(&unit.path) {
            Ok(text) if text == unit.text => {
                if self.act {
                    fs::remove_file(&unit.path).map_err(|error| cannot(&unit.path, &error))?;
                }
                self.step(what, self.done(), "");
            }
            Ok(_) => self.step(
                what,
                Outcome::Left,
                "somebody changed it since: remove it yourself if nobody needs it",
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.step(what, Outcome::Already, ""),
            Err(error) => return Err(cannot(&unit.path, &error)),
        }
        Ok(())
    }
}
