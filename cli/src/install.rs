//! What `sshctl install` puts in place and `uninstall` takes away, step by step: looked at first, done when it is told to.
//! Changes nothing that somebody else put there.

mod binaries;
pub(crate) mod clients;
pub(crate) mod entries;
mod orders;
mod purge;
mod record;
mod service;
mod undo;
mod units;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sshmcp_proto::client::daemon_program;
use sshmcp_proto::endpoint::{
    CONFIG_VARIABLE, Paths, SOCKET_BELOW_HOME, SOCKET_VARIABLE, STATE_VARIABLE, Socket, absolute, home,
};
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

pub(crate) use self::undo::uninstall;
use crate::context::Context;
use entries::Wanted;
use record::{Record, write_whole};
use units::{Places, System, Unit, packaged, units};

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It would be done.
    Planned,
    /// It was done.
    Done,
    /// There was nothing to do.
    Already,
    /// It is left to the person.
    Left,
    /// It was tried in vain.
    Failed,
}

impl Outcome {
    /// One word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Done => "done",
            Self::Already => "already",
            Self::Left => "left",
            Self::Failed => "failed",
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// What: `write PATH`, `run COMMAND`.
    pub(crate) what: String,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// Why, where that does not go without saying.
    pub(crate) why: String,
    /// How a file of somebody else's changes.
    pub(crate) diff: Vec<String>,
}

/// The steps of one run, in order.
pub(crate) struct Report {
    /// The service manager's name.
    pub(crate) system: &'static str,
    /// The steps.
    pub(crate) steps: Vec<Step>,
    /// Where something of sessions stays that nobody said may go.
    pub(crate) stays: Option<PathBuf>,
}

/// One run.
struct Run<'c> {
    context: &'c Context,
    system: System,
    home: PathBuf,
    directory: PathBuf,
    state: PathBuf,
    /// False: it is only told what would be done.
    act: bool,
    steps: Vec<Step>,
    stays: Option<PathBuf>,
}

/// Puts programs and units in place, has the daemon started by these, and the MCP clients start ours.
pub(crate) async fn install(context: &Context, act: bool, clients: &Wanted) -> Result<Report, Fault> {
    let mut run = Run::new(context, act)?;
    let path = Record::path(&run.state);
    let mut record = Record::read(&path)?.unwrap_or_default();
    let daemon = found(&daemon_program())?;
    // Where somebody else's unit is in the way nothing is begun.
    let planned = run.look(|look| look.copy_programs(&daemon, &mut record.clone()))?;
    let places = run.places(planned.daemon)?;
    let there = packaged(run.system, &places);
    let wanted = if there.is_some() {
        Vec::new()
    } else {
        units(run.system, &places)?
    };
    let missing = foreign_or_missing(&wanted, &record)?;
    let shim = run.copy_programs(&daemon, &mut record)?.shim;
    if act && !missing.is_empty() {
        record.directories.extend(missing_above(&run.directory));
        for unit in &missing {
            record.files.retain(|file| file.path != unit.path);
            record.files.push(unit.clone());
        }
        // Before anything is done: what is done by halves is undone all the same.
        record.write(&path)?;
        fs::create_dir_all(&run.directory).map_err(|error| cannot(&run.directory, &error))?;
    }
    if let Some(unit) = there {
        run.step(format!("use {}", unit.display()), Outcome::Already, "");
    }
    for unit in wanted {
        let what = format!("write {}", unit.path.display());
        if !missing.contains(&unit) {
            run.step(what, Outcome::Already, "");
        } else if act {
            write_whole(&unit.path, &unit.text).map_err(|error| cannot(&unit.path, &error))?;
            run.step(what, Outcome::Done, "");
        } else {
            run.step(what, Outcome::Planned, "");
        }
    }
    if act && run.system == System::Launchd {
        // launchd listens there at once, and makes no directory for that.
        Socket::find(context.global.socket.as_deref())?.prepare_directory()?;
    }
    if let Err(why) = run.system.runs().await {
        let why = format!("no user manager answers here: {why}");
        let orders = [run.system.enable(), run.system.start(&run.directory)].concat();
        for order in orders {
            run.step(format!("run {}", order.line()), Outcome::Left, &why);
        }
    } else {
        if act {
            record.enabled = true;
            // The manager makes them for its links where the units are a package's.
            record.directories.extend(missing_above(&run.directory));
            record.write(&path)?;
        }
        run.give(run.system.enable()).await;
        run.start().await?;
    }
    run.add_entries(clients, &shim, &mut record)?;
    Ok(run.report())
}

impl<'c> Run<'c> {
    fn new(context: &'c Context, act: bool) -> Result<Self, Fault> {
        let system = System::here();
        let home = home()?;
        let directory = match system {
            System::Systemd => std::env::var_os("XDG_CONFIG_HOME")
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
                .unwrap_or_else(|| home.join(".config"))
                .join("systemd/user"),
            System::Launchd => home.join("Library/LaunchAgents"),
        };
        let state = Paths::find(context.global.config.as_deref(), None)?.state;
        Ok(Self {
            context,
            system,
            home,
            directory,
            state,
            act,
            steps: Vec::new(),
            stays: None,
        })
    }

    /// What a part would do: nothing is done, and its steps are not told.
    fn look<T>(&mut self, part: impl FnOnce(&mut Self) -> T) -> T {
        let act = std::mem::replace(&mut self.act, false);
        let told = self.steps.len();
        let seen = part(self);
        self.act = act;
        self.steps.truncate(told);
        seen
    }

    fn places(&self, daemon: PathBuf) -> Result<Places, Fault> {
        let global = &self.context.global;
        let named = |variable: &str| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
        let paths = Paths::find(global.config.as_deref(), None)?;
        let socket = Socket::find(global.socket.as_deref())?;
        let mut flags = Vec::new();
        let mut flag = |name: &str, path: &Path| flags.extend([name.to_owned(), path.display().to_string()]);
        if global.socket.is_some() || named(SOCKET_VARIABLE) {
            flag("--socket", socket.path());
        }
        if global.config.is_some() || named(CONFIG_VARIABLE) {
            flag("--config", &paths.config);
        }
        if named(STATE_VARIABLE) {
            flag("--state-dir", &paths.state);
        }
        Ok(Places {
            directory: self.directory.clone(),
            daemon,
            usual: socket.path() == self.home.join(SOCKET_BELOW_HOME) && flags.is_empty(),
            socket: socket.path().to_owned(),
            flags,
        })
    }

    fn step(&mut self, what: String, outcome: Outcome, why: &str) {
        self.steps.push(Step {
            what,
            outcome,
            why: why.to_owned(),
            diff: Vec::new(),
        });
    }

    fn report(self) -> Report {
        Report {
            system: self.system.name(),
            steps: self.steps,
            stays: self.stays,
        }
    }

    fn has_failed(&self) -> bool {
        self.steps.iter().any(|step| step.outcome == Outcome::Failed)
    }

    const fn done(&self) -> Outcome {
        if self.act { Outcome::Done } else { Outcome::Planned }
    }
}

/// Those that are to be written; refuses where somebody else's file is in the place.
fn foreign_or_missing(wanted: &[Unit], record: &Record) -> Result<Vec<Unit>, Fault> {
    let mut missing = Vec::new();
    for unit in wanted {
        match fs::read_to_string(&unit.path) {
            Ok(text) if text == unit.text => {}
            Ok(text) => {
                let is_ours = |file: &Unit| file.path == unit.path && file.text == text;
                if !record.files.iter().any(is_ours) {
                    return Err(Fault::new(
                        Reason::Conflict,
                        format!("{} is there, and sshctl did not write it so", unit.path.display()),
                    )
                    .hint(format!(
                        "look at it, and move it away if nobody needs it: `mv {0} {0}.old`",
                        unit.path.display()
                    )));
                }
                missing.push(unit.clone());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(unit.clone()),
            Err(error) => return Err(cannot(&unit.path, &error)),
        }
    }
    Ok(missing)
}

/// The directories that have to be made for this one, outer ones first.
fn missing_above(directory: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = directory
        .ancestors()
        .take_while(|path| !path.exists())
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    missing
}

/// The executable's whole path.
fn found(program: &Path) -> Result<PathBuf, Fault> {
    let in_path = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .map(|directory| directory.join(program))
            .find(|candidate| candidate.is_file())
    };
    let candidate = if program.components().count() > 1 {
        Some(program.to_owned())
    } else {
        in_path()
    };
    let whole = candidate.filter(|path| path.is_file());
    let whole = whole.ok_or_else(|| {
        Fault::new(
            Reason::NotFound,
            format!("the daemon's program {} is not there", program.display()),
        )
        .hint("install sshmcpd beside sshctl or in PATH")
    })?;
    absolute(&whole)
}

fn cannot(path: &Path, error: &io::Error) -> Fault {
    Fault::new(
        Reason::PermissionDenied,
        format!("{} cannot be changed: {error}", path.display()),
    )
    .hint("mend that, and run this again")
}
