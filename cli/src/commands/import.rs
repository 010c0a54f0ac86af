//! `sshctl config import`: other programs' connections into `config.toml`. Shown first, done after a yes.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sshmcp_proto::endpoint::{Paths, home, private_directory};
use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::{Host, ListHostsRequest, Reason};

use super::config::ask_program;
use crate::args::ImportArgs;
use crate::context::Context;
use crate::edit::{Language, Wrong, diff, file, tables};
use crate::error::Failure;
use crate::import::{Draft, Found, Left, Secrets, draft, interactive, problems, session, sort};
use crate::install::clients::CLIENTS;
use crate::{keyring, terminal};

/// A plan.
struct Import {
    path: PathBuf,
    /// What is in the file now.
    read: Option<String>,
    taken: Vec<Found>,
    left: Vec<Left>,
    draft: Draft,
    /// For the keyring: names and secrets.
    stored: Vec<(String, String)>,
}

/// Takes over what is found.
pub(crate) async fn run(args: ImportArgs, context: &Context) -> Result<u8, Failure> {
    let import = plan(&args, context).await?;
    let acts = args.yes && !import.taken.is_empty();
    if !acts {
        show(&import, false, None, context)?;
        if context.out.is_json() || import.taken.is_empty() {
            return Ok(0);
        }
        let answer = terminal::ask("Write this (yes/no)? ")
            .await
            .map_err(|failure| match failure {
                Failure::Fault(fault) => Fault::new(fault.reason, "nothing was written: nobody agreed to it")
                    .hint("run this in a terminal, or with --yes")
                    .into(),
                other => other,
            })?;
        if !answer.trim().eq_ignore_ascii_case("yes") {
            context.out.line("Nothing was written.")?;
            return Ok(0);
        }
    }
    let backup = write(&import).map_err(|error| cannot(&import.path, &error))?;
    if context.out.is_json() || acts {
        show(&import, true, backup.as_deref(), context)?;
    } else {
        written(&import, backup.as_deref(), context)?;
    }
    Ok(0)
}

async fn plan(args: &ImportArgs, context: &Context) -> Result<Import, Failure> {
    let path = Paths::find(context.global.config.as_deref(), None)?.config;
    let read = file::read(&path).map_err(|error| cannot(&path, &error))?;
    let text = read.clone().unwrap_or_default();
    let configured = tables::read(&text).map_err(|wrong| unreadable(&path, &wrong))?;
    let (found, unusable) = find(args, context).await?;
    let (mut taken, mut left) = sort(found, &configured);
    left.extend(unusable);
    let secrets = match (args.keyring, args.no_secrets) {
        (true, _) => Secrets::Keyring,
        (false, true) => Secrets::Dropped,
        (false, false) => Secrets::Written,
    };
    let mut stored = Vec::new();
    let mut kept = Vec::new();
    for mut found in taken {
        let for_keyring = found.treat(secrets);
        match unfit(&for_keyring) {
            None => {
                stored.push(for_keyring);
                kept.push(found);
            }
            Some(why) => left.push(Left {
                name: found.name,
                source: found.source,
                why,
            }),
        }
    }
    taken = kept;
    // What the daemon would not take is left out; what is left can be wrong in no other way then.
    loop {
        let draft = draft(&text, &taken);
        let wrong = check(&path, &draft, taken.len()).await?;
        if wrong.is_empty() {
            return Ok(Import {
                path,
                read,
                taken,
                left,
                draft,
                stored: stored.concat(),
            });
        }
        for (index, why) in wrong.into_iter().rev() {
            let Found { name, source, .. } = taken.remove(index);
            stored.remove(index);
            left.push(Left { name, source, why });
        }
    }
}

/// Why a secret cannot go into the keyring.
fn unfit(secrets: &[(String, String)]) -> Option<String> {
    secrets.iter().find_map(
        |(name, _)| match keyring::check(name).and_then(|()| keyring::is_there(name)) {
            Ok(false) => None,
            Ok(true) => Some(format!("the keyring has an entry {name} already")),
            Err(fault) => Some(fault.message),
        },
    )
}

/// What is asked for, from wherever it is; and what of it cannot be used there already.
async fn find(args: &ImportArgs, context: &Context) -> Result<(Vec<Found>, Vec<Left>), Failure> {
    let home = home()?;
    let (mut found, mut left) = (Vec::new(), Vec::new());
    if args.from.is_empty() {
        for name in interactive::FILES {
            found.extend(from_file(&home.join(name))?.unwrap_or_default());
        }
        found.extend(from_clients(&home));
    }
    for source in &args.from {
        match source.as_str() {
            "interactive" => {
                let mut files = interactive::FILES
                    .iter()
                    .map(|name| home.join(name))
                    .filter(|file| file.exists())
                    .peekable();
                if files.peek().is_none() {
                    return Err(Fault::new(
                        Reason::NotFound,
                        format!(
                            "mcp-ssh-interactive has no configuration here: neither {}",
                            interactive::FILES.map(|name| format!("~/{name}")).join(" nor ")
                        ),
                    )
                    .hint("name its file by --from PATH")
                    .into());
                }
                for file in files {
                    found.extend(from_file(&file)?.unwrap_or_default());
                }
            }
            "session" => found.extend(from_clients(&home)),
            "ssh_config" => {
                let (usable, unusable) = from_ssh_config(context).await?;
                found.extend(usable);
                left.extend(unusable);
            }
            named => {
                let there = from_file(Path::new(named))?;
                found.extend(
                    there.ok_or_else(|| Fault::new(Reason::NotFound, format!("{named} is not there")))?,
                );
            }
        }
    }
    Ok((found, left))
}

/// The connections of a file by its language; `None` if there is no file.
fn from_file(path: &Path) -> Result<Option<Vec<Found>>, Failure> {
    let path = &sshmcp_proto::endpoint::absolute(path)?;
    let Some(text) = file::read(path).map_err(|error| cannot(path, &error))? else {
        return Ok(None);
    };
    let ending = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let language = match ending.as_str() {
        "yml" | "yaml" => {
            return interactive::read(&text, path)
                .map(Some)
                .map_err(|wrong| unreadable(path, &wrong).into());
        }
        "json" | "jsonc" => Language::Json,
        "toml" => Language::Toml,
        _ => {
            return Err(Fault::new(Reason::InvalidArgument, format!("what {} is, its name does not say", path.display()))
                .hint("mcp-ssh-interactive's configuration ends in .yml or .yaml, an MCP client's in .json or .toml; ssh's is --from ssh_config")
                .into());
        }
    };
    let settings = language
        .read(&text)
        .map_err(|wrong| unreadable(path, &wrong))?
        .unwrap_or_default();
    Ok(Some(session::read(
        session::variables(&settings),
        &path.display().to_string(),
    )))
}

/// The variables of mcp-ssh-session in the clients that are found, and in our own environment.
fn from_clients(home: &Path) -> Vec<Found> {
    let own = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut found = session::read(own, "the environment");
    for client in CLIENTS {
        let path = client.file(home);
        let Some(text) = file::read(&path).ok().flatten() else {
            continue;
        };
        let Ok(Some(settings)) = client.language().read(&text) else {
            continue;
        };
        found.extend(session::read(
            session::variables(&settings),
            &path.display().to_string(),
        ));
    }
    found
}

/// The aliases, by their names: whatever else ssh_config says of them goes on to be obeyed. Those with a problem are left,
/// with its words.
async fn from_ssh_config(context: &Context) -> Result<(Vec<Found>, Vec<Left>), Failure> {
    let daemon = context.daemon().await?;
    let listed = daemon
        .hosts()
        .list_hosts(ListHostsRequest { host: None })
        .await?
        .into_inner();
    let aliases = listed
        .hosts
        .into_iter()
        .filter(|host| host.source == "ssh_config");
    let (usable, unusable): (Vec<Host>, Vec<Host>) = aliases.partition(|host| host.problem.is_empty());
    let connection = |host: Host| {
        let mut fields = vec![("host".to_owned(), Value::from(host.name.as_str()))];
        if !host.user.is_empty() {
            fields.push(("user".to_owned(), host.user.into()));
        }
        if host.port != 0 {
            fields.push(("port".to_owned(), host.port.into()));
        }
        Found {
            name: host.name,
            fields,
            source: "ssh_config, which goes on to say the rest of these".to_owned(),
        }
    };
    let problem = |host: Host| Left {
        name: host.name,
        source: "ssh_config".to_owned(),
        why: host.problem,
    };
    Ok((
        usable.into_iter().map(connection).collect(),
        unusable.into_iter().map(problem).collect(),
    ))
}

/// Which of the connections a draft cannot have, and why; by index, ascending.
async fn check(path: &Path, draft: &Draft, count: usize) -> Result<Vec<(usize, String)>, Failure> {
    if count == 0 {
        return Ok(Vec::new());
    }
    // Beside the file, since relative paths in it begin there.
    let directory = path.parent().filter(|directory| directory.is_dir());
    let mut builder = tempfile::Builder::new();
    let named = builder.prefix(".import-").suffix(".toml");
    let mut temporary = match directory {
        Some(directory) => named.tempfile_in(directory)?,
        None => named.tempfile()?,
    };
    temporary.write_all(draft.text.as_bytes())?;
    let (good, said) = ask_program(&[
        "--check-config".into(),
        "--config".into(),
        temporary.path().into(),
    ])
    .await?;
    if good {
        return Ok(Vec::new());
    }
    let mut wrong: Vec<(usize, String)> = Vec::new();
    for (line, message) in problems(&said, temporary.path()) {
        let Some(line) = line else {
            return Err(Fault::new(
                Reason::ConfigInvalid,
                format!("{} would not be right: {message}", path.display()),
            )
            .into());
        };
        // What was wrong before is not ours.
        let owner = draft.lines.iter().position(|lines| lines.contains(&line));
        if let Some(index) = owner.filter(|index| wrong.iter().all(|(known, _)| known != index)) {
            wrong.push((index, message));
        }
    }
    wrong.sort();
    Ok(wrong)
}

/// Writes it, and tells where what was there is kept. What is then written nowhere does not stay in the keyring.
fn write(import: &Import) -> io::Result<Option<PathBuf>> {
    let stored = import.stored.iter().try_for_each(|(name, secret)| {
        keyring::store(name, secret).map_err(|fault| io::Error::other(fault.message))
    });
    let written = stored.and_then(|()| write_file(import));
    if written.is_err() {
        for (name, _) in &import.stored {
            // The failure that is told is the first.
            let _gone = keyring::remove(name);
        }
    }
    written
}

fn write_file(import: &Import) -> io::Result<Option<PathBuf>> {
    let Import {
        path, read, draft, ..
    } = import;
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        private_directory(directory).map_err(|fault| io::Error::other(fault.message))?;
    }
    let backup = match read {
        Some(text) => Some(file::back_up(path, text)?),
        None => None,
    };
    let done = file::replace(path, read.as_deref(), &draft.text, draft.is_secret);
    if let (Err(_), Some(backup)) = (&done, &backup) {
        let _gone = fs::remove_file(backup);
    }
    done.map(|()| backup)
}

/// Tells the plan, or what was done.
fn show(import: &Import, acted: bool, backup: Option<&Path>, context: &Context) -> Result<(), Failure> {
    let Import {
        path,
        read,
        taken,
        left,
        draft,
        ..
    } = import;
    let out = &context.out;
    // The lines around it are not ours to show.
    let before = read.as_deref().unwrap_or_default();
    let changes: Vec<String> = diff::lines(before, &draft.shown)
        .into_iter()
        .filter(|line| line.starts_with('+'))
        .collect();
    if out.is_json() {
        let names = |found: &Found| json!({"name": found.name, "from": found.source});
        let whys = |left: &Left| json!({"name": left.name, "from": left.source, "why": left.why});
        out.json(&json!({
            "path": path.to_string_lossy(),
            "acted": acted,
            "taken": taken.iter().map(names).collect::<Vec<_>>(),
            "left": left.iter().map(whys).collect::<Vec<_>>(),
            "diff": changes,
            "backup": backup.map(Path::to_string_lossy),
        }))?;
        return Ok(());
    }
    for Left { name, source, why } in left {
        out.note(&format!("left: {name} of {source}: {why}"))?;
    }
    if taken.is_empty() {
        out.line("nothing to take over")?;
        return Ok(());
    }
    out.line(&format!("{}:", path.display()))?;
    for line in &changes {
        out.change(line)?;
    }
    if acted {
        return written(import, backup, context);
    }
    if draft.is_secret {
        out.note("passwords go into the file as they are, which is for your user alone then; --keyring keeps them in the system's keyring")?;
    }
    Ok(())
}

fn written(import: &Import, backup: Option<&Path>, context: &Context) -> Result<(), Failure> {
    let count = import.taken.len();
    let kept = backup
        .map(|backup| format!("; what was there is in {}", backup.display()))
        .unwrap_or_default();
    let what = if count == 1 { "connection" } else { "connections" };
    context.out.line(&format!("{count} {what} written{kept}"))?;
    if import.draft.is_secret {
        context
            .out
            .note("passwords stand in the file, which is for your user alone (mode 0600)")?;
    }
    Ok(())
}

fn unreadable(path: &Path, wrong: &Wrong) -> Fault {
    Fault::new(Reason::ConfigInvalid, format!("{}: {wrong}", path.display()))
        .hint("mend it, and run this again")
}

fn cannot(path: &Path, error: &io::Error) -> Fault {
    Fault::new(
        Reason::PermissionDenied,
        format!("{} cannot be used: {error}", path.display()),
    )
    .hint("mend that, and run this again")
}
