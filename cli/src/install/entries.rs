//! Our entry in the files of MCP clients: put in, brought up to date, and taken out. What somebody else wrote is left, and
//! told.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::clients::{CLIENTS, Client, ENTRY, is_ours, starts};
use super::record::{Added, Record};
use super::{Outcome, Run, Step, missing_above};
use crate::edit::{self, Wrong, diff, file};
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

/// Which clients get an entry.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// Those that are found.
    Found,
    /// These, found or not.
    Named(Vec<&'static str>),
    /// None.
    Nobody,
}

impl Wanted {
    fn clients(&self, home: &Path) -> Vec<&'static Client> {
        CLIENTS
            .iter()
            .filter(|client| match self {
                Self::Found => client.is_here(home),
                Self::Named(names) => names.contains(&client.name),
                Self::Nobody => false,
            })
            .collect()
    }
}

/// What is to become of a file.
enum Plan {
    /// It has our entry.
    Already,
    /// It is not ours to change.
    Left(String),
    /// It gets this text; so many tables are made for the entry.
    Write { text: String, made: usize },
}

impl Run<'_> {
    /// Has each wanted client start this program.
    pub(super) fn add_entries(
        &mut self,
        wanted: &Wanted,
        program: &Path,
        record: &mut Record,
    ) -> Result<(), Fault> {
        for client in wanted.clients(&self.home) {
            let step = self.add_entry(client, program, record)?;
            self.steps.push(step);
        }
        Ok(())
    }

    fn add_entry(&self, client: &'static Client, program: &Path, record: &mut Record) -> Result<Step, Fault> {
        let path = client.file(&self.home);
        let step = |outcome, why: String, diff| Step {
            what: format!("add `{ENTRY}` to {} ({})", client.title, path.display()),
            outcome,
            why,
            diff,
        };
        let left = |why: String| step(Outcome::Left, why, Vec::new());
        let Some(program) = program.to_str() else {
            return Ok(left(format!("{} is no text", program.display())));
        };
        if !Path::new(program).is_file() && self.act {
            return Ok(left(format!(
                "{program} is not there; put mcp-ssh beside sshctl, and run this again"
            )));
        }
        let read = match file::read(&path) {
            Ok(read) => read,
            Err(error) => return Ok(left(error.to_string())),
        };
        let text = read.as_deref().unwrap_or_default();
        let known = record.added.iter().find(|added| added.path == path).cloned();
        let (changed, made) = match plan(client, text, program, known.as_ref()) {
            Plan::Already => return Ok(step(Outcome::Already, String::new(), Vec::new())),
            Plan::Left(why) => return Ok(left(why)),
            Plan::Write { text, made } => (text, made),
        };
        let diff = diff::lines(text, &changed);
        if !self.act {
            return Ok(step(Outcome::Planned, String::new(), diff));
        }
        let directory = path.parent().unwrap_or(Path::new("/"));
        let done = (|| {
            let mut added = Added {
                client: client.name.to_owned(),
                path: path.clone(),
                program: program.to_owned(),
                made: known.as_ref().map_or(made, |known| known.made),
                created: known.as_ref().map_or(read.is_none(), |known| known.created),
                backup: known.and_then(|known| known.backup),
            };
            if added.backup.is_none() && !added.created {
                added.backup = Some(file::back_up(&path, text)?);
            }
            record.directories.extend(missing_above(directory));
            record.added.retain(|other| other.path != path);
            record.added.push(added);
            // Before it is done: what is done by halves is undone all the same.
            record
                .write(&Record::path(&self.state))
                .map_err(|fault| std::io::Error::other(fault.message))?;
            fs::create_dir_all(directory)?;
            file::replace(&path, read.as_deref(), &changed, false)
        })();
        Ok(match done {
            Ok(()) => step(Outcome::Done, String::new(), diff),
            Err(error) => step(Outcome::Failed, error.to_string(), Vec::new()),
        })
    }

    /// Takes our entries out again.
    pub(super) fn remove_entries(&mut self, record: &Record) {
        for added in &record.added {
            let step = self.remove_entry(added);
            self.steps.push(step);
        }
    }

    fn remove_entry(&self, added: &Added) -> Step {
        let Added { client, path, .. } = added;
        let title = Client::named(client).map_or(client.as_str(), |client| client.title);
        let step = |outcome, why: String, diff| Step {
            what: format!("remove `{ENTRY}` from {title} ({})", path.display()),
            outcome,
            why,
            diff,
        };
        // What is written down of it stays until that is mended.
        let failed = |why: String| {
            let why = format!("{why}; mend that, and run this again");
            step(Outcome::Failed, why, Vec::new())
        };
        let text = match file::read(path) {
            Ok(Some(text)) => text,
            Ok(None) => return step(Outcome::Already, kept(added), Vec::new()),
            Err(error) => return failed(error.to_string()),
        };
        let rest = match without(added, &text) {
            Ok(Some(rest)) => rest,
            Ok(None) => {
                self.forget(added);
                return step(Outcome::Already, String::new(), Vec::new());
            }
            Err(Stays::Theirs) => {
                let why = "somebody changed what it starts: remove it yourself if nobody needs it";
                let kept = kept(added);
                let why = [why, &kept].into_iter().filter(|words| !words.is_empty());
                return step(Outcome::Left, why.collect::<Vec<_>>().join("; "), Vec::new());
            }
            Err(Stays::Unreadable(why)) => return failed(why),
        };
        let diff = diff::lines(&text, rest.as_deref().unwrap_or_default());
        if !self.act {
            return step(Outcome::Planned, String::new(), diff);
        }
        let done = match &rest {
            Some(rest) => file::replace(path, Some(&text), rest, false),
            None => fs::remove_file(path),
        };
        match done {
            Ok(()) => {
                self.forget(added);
                step(Outcome::Done, String::new(), diff)
            }
            Err(error) => step(Outcome::Failed, error.to_string(), Vec::new()),
        }
    }

    /// The backup has served.
    fn forget(&self, added: &Added) {
        if let Some(backup) = added.backup.as_ref().filter(|_| self.act) {
            let _gone = fs::remove_file(backup);
        }
    }
}

fn plan(client: &'static Client, text: &str, program: &str, known: Option<&Added>) -> Plan {
    let whole = match client.language().read(text) {
        Ok(whole) => whole.unwrap_or_default(),
        Err(wrong) => return Plan::Left(wrong.to_string()),
    };
    let client = client.of(&whole);
    let mut entry = client.entry(program);
    let servers = edit::find(&whole, &entry.path);
    let mut base = text.to_owned();
    if let Some(found) = servers.and_then(|servers| servers.get(&entry.name)) {
        let started = starts(found).unwrap_or_default();
        if Some(started) == starts(&entry.value()) {
            return Plan::Already;
        }
        let recorded = known.is_some_and(|known| known.program == started);
        if !recorded {
            let what = if started.is_empty() {
                "something else"
            } else {
                started
            };
            return Plan::Left(format!(
                "an entry of that name is there, which we did not write (it starts {what})"
            ));
        }
        match client.language().without(&base, &entry.path, &entry.name, 0) {
            Ok(rest) => base = rest,
            Err(wrong) => return Plan::Left(wrong.to_string()),
        }
        entry = client.moved(found, program);
    } else if let Some((name, _)) = servers
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .find(|(_, server)| starts(server).is_some_and(is_ours))
    {
        return Plan::Left(format!("its entry `{name}` starts mcp-ssh already"));
    }
    let missing = (0..entry.path.len())
        .filter(|depth| edit::find(&whole, entry.path.get(..=*depth).unwrap_or_default()).is_none())
        .count();
    match client.language().with(&base, &entry) {
        Ok(text) => Plan::Write { text, made: missing },
        Err(wrong) => Plan::Left(wrong.to_string()),
    }
}

/// Where what the file was before is kept, if it is.
fn kept(added: &Added) -> String {
    let backup = added.backup.as_ref().filter(|backup| backup.exists());
    backup.map_or_else(String::new, |backup| {
        format!("what the file was is kept as {}", backup.display())
    })
}

/// Why an entry stays.
enum Stays {
    /// Somebody made it theirs.
    Theirs,
    /// Nobody knows whether it is there.
    Unreadable(String),
}

/// What a file is without our entry; `None` within if it has none, or a file that was made for it is to go.
fn without(added: &Added, text: &str) -> Result<Option<Option<String>>, Stays> {
    let unknown = || Stays::Unreadable("that client is not known here".to_owned());
    let client = Client::named(&added.client).ok_or_else(unknown)?;
    let language = client.language();
    let told = |wrong: Wrong| Stays::Unreadable(wrong.to_string());
    let whole = language.read(text).map_err(told)?.unwrap_or_default();
    let entry = client.of(&whole).entry(&added.program);
    let Some(found) = edit::find(&whole, &entry.path).and_then(|servers| servers.get(&entry.name)) else {
        return Ok(None);
    };
    if starts(found) != Some(&added.program) {
        return Err(Stays::Theirs);
    }
    // Where nothing else has changed, the file is to the byte what it was.
    if added.created && language.with("", &entry).as_deref() == Ok(text) {
        return Ok(Some(None));
    }
    let before = added
        .backup
        .as_ref()
        .and_then(|backup| file::read(backup).ok().flatten());
    if let Some(before) = before.filter(|before| language.with(before, &entry).as_deref() == Ok(text)) {
        return Ok(Some(Some(before)));
    }
    let rest = language
        .without(text, &entry.path, &entry.name, added.made)
        .map_err(told)?;
    // Of a file that was made for it nothing may be left but brackets.
    let is_empty = rest.chars().all(|c| c.is_whitespace() || "{}".contains(c));
    Ok(Some(Some(rest).filter(|_| !(added.created && is_empty))))
}

/// The clients of these names.
pub(crate) fn named(names: &[String]) -> Result<Vec<&'static str>, Fault> {
    names
        .iter()
        .map(|name| {
            Client::named(name).map(|client| client.name).ok_or_else(|| {
                let known: Vec<&str> = CLIENTS.iter().map(|client| client.name).collect();
                Fault::new(
                    Reason::InvalidArgument,
                    format!("{name} is no client that is known here"),
                )
                .hint(format!("one of {}", known.join(", ")))
            })
        })
        .collect()
}

/// Which files have an entry that starts our server, and what it is.
pub(crate) fn entries(home: &Path) -> Vec<(&'static str, PathBuf, String)> {
    let mut found = Vec::new();
    for client in CLIENTS {
        let path = client.file(home);
        let Some(text) = file::read(&path).ok().flatten() else {
            continue;
        };
        let Ok(Some(whole)) = client.language().read(&text) else {
            continue;
        };
        let servers = edit::find(&whole, &client.of(&whole).entry("").path).and_then(Value::as_object);
        let ours = servers
            .into_iter()
            .flatten()
            .filter_map(|(_, server)| starts(server))
            .filter(|program| is_ours(program));
        found.extend(ours.map(|program| (client.title, path.clone(), program.to_owned())));
    }
    found
}
