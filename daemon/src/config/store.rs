//! The configuration in force: read from its files, read again on request or when they change. A file that is wrong
//! as a whole leaves in force what it last said.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::connection::Draft;
use super::file::{Document, Format, Source};
use super::problem::Problem;
use super::tags::{self, Tag};
use super::{Config, Configured, Sources};

/// How often the files are looked at while no call does: quick for a person who edits, free for the machine. Looking needs
/// no notification service, and works on network file systems and through an editor's rename.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long a call waits for a look at the files.
const LOOK_WAIT: Duration = Duration::from_millis(500);

/// Problems kept of a connection, and of all that is outside of them: a wholly wrong file has as many as lines, and
/// every listing shows them.
const MAX_PROBLEMS: usize = 20;

/// The configuration in force and its way to the next one.
pub struct ConfigStore {
    sources: Sources,
    /// Held only while files are read.
    read: Mutex<Read>,
    current: RwLock<Arc<Config>>,
}

/// What was read, and when.
struct Read {
    /// What each file last said.
    documents: Vec<Document>,
    /// What the files looked like then.
    signature: Signature,
}

/// What became of a reload.
#[derive(Clone, Debug)]
pub struct ReloadOutcome {
    /// True if every file could be read as a whole; else what the others said last stays in force.
    pub applied: bool,
    /// Everything that is wrong, connections included.
    pub problems: Vec<Problem>,
}

/// What tells one state of the watched files from another.
type Signature = Vec<Option<(u64, u64, u64, u32, i64, i64)>>;

impl ConfigStore {
    /// Reads the files; what is wrong with them is in the result's `problems`, never an error.
    pub fn open(sources: Sources) -> Self {
        let documents = vec![Document::default(); sources.files().len()];
        let store = Self {
            current: RwLock::new(Arc::new(assemble(&sources, &documents, Vec::new()))),
            read: Mutex::new(Read {
                documents,
                signature: Signature::new(),
            }),
            sources,
        };
        store.reload();
        store
    }

    /// The configuration in force; what holds it keeps one consistent state.
    pub fn current(&self) -> Arc<Config> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files again and puts what they say in force.
    pub fn reload(&self) -> ReloadOutcome {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at before reading: a change in between is then seen at the next look.
        let mut signature = self.sign_files();
        let mut failures = Vec::new();
        for ((file, format), last_good) in self.sources.files().iter().zip(read.documents.iter_mut()) {
            match Document::load(file, &self.sources.home, *format) {
                Ok(Some(document)) => *last_good = document,
                Ok(None) => {
                    *last_good = Document::default();
                    if *format == Format::Toml && self.sources.toml_named {
                        failures.push(Problem::file(
                            file,
                            "this file, named as the configuration, is not there",
                        ));
                    }
                }
                Err(problem) => failures.push(problem),
            }
        }
        let applied = failures.is_empty();
        let config = Arc::new(assemble(&self.sources, &read.documents, failures));
        signature.extend(sign_keys(&config));
        read.signature = signature;
        let problems = config.all_problems().cloned().collect();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        ReloadOutcome { applied, problems }
    }

    /// Reloads whenever a file changes; ends only with the task that runs it.
    pub async fn watch(self: Arc<Self>) {
        self.watch_every(LOOK_EVERY).await;
    }

    pub(super) async fn watch_every(self: Arc<Self>, period: Duration) {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let store = Arc::clone(&self);
            // Off the runtime's threads: a home directory can be on a slow network.
            let looked = tokio::task::spawn_blocking(move || store.changed().then(|| store.reload())).await;
            let Ok(Some(outcome)) = looked else {
                continue;
            };
            tracing::info!(
                applied = outcome.applied,
                problems = outcome.problems.len(),
                "configuration read again"
            );
            for problem in &outcome.problems {
                tracing::warn!(%problem, "configuration");
            }
        }
    }

    /// Reads the files again if they changed since; a caller that names a host sees what was written before its call.
    pub async fn refresh(self: &Arc<Self>) {
        let store = Arc::clone(self);
        // Off the runtime's threads: a home directory can be on a slow network.
        let looking = tokio::task::spawn_blocking(move || store.changed().then(|| store.reload()));
        // A file system that hangs must not hang every call: the configuration in force is used then.
        let _late = tokio::time::timeout(LOOK_WAIT, looking).await;
    }

    /// Whether the files look other than when they were read.
    fn changed(&self) -> bool {
        let mut signature = self.sign_files();
        signature.extend(sign_keys(&self.current()));
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.signature != signature
    }

    fn sign_files(&self) -> Signature {
        self.sources.files().iter().map(|(file, _)| sign(file)).collect()
    }
}

/// Of key files only whether they are there: that makes a connection right or wrong.
fn sign_keys(config: &Config) -> Signature {
    let keys = config.key_files.iter();
    keys.map(|key| key.is_file().then_some((0, 0, 0, 0, 0, 0)))
        .collect()
}

fn sign(file: &Path) -> Option<(u64, u64, u64, u32, i64, i64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mode(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ))
}

impl Sources {
    /// The files in the order of precedence.
    pub(super) fn files(&self) -> Vec<Source> {
        let yaml = self.yaml.iter().map(|file| (file.clone(), Format::Yaml));
        std::iter::once((self.toml.clone(), Format::Toml))
            .chain(yaml)
            .collect()
    }
}

/// Puts together what the files say; `failures` are those of files that could not be read.
fn assemble(sources: &Sources, documents: &[Document], failures: Vec<Problem>) -> Config {
    let mut drafts: BTreeMap<String, Draft> = BTreeMap::new();
    let mut problems = failures;
    for document in documents {
        problems.extend(document.problems.iter().cloned());
        for draft in document.drafts.iter().cloned() {
            let merged = match drafts.remove(&draft.name) {
                Some(first) => first.over(draft),
                None => draft,
            };
            drafts.insert(merged.name.clone(), merged);
        }
    }
    problems.truncate(MAX_PROBLEMS);
    let tags: Vec<Tag> = documents
        .iter()
        .flat_map(|document| document.tags.iter().cloned())
        .collect();
    let key_files: Vec<PathBuf> = drafts
        .values()
        .filter_map(|draft| draft.connection.key_path.clone())
        .collect();
    Config {
        settings: documents
            .iter()
            .find_map(|document| document.settings.clone())
            .unwrap_or_default(),
        logs: documents
            .iter()
            .find_map(|document| document.logs)
            .unwrap_or_default(),
        connections: drafts
            .into_iter()
            .map(|(name, draft)| (name, finish(draft, &tags)))
            .collect(),
        problems,
        path: sources.toml.clone(),
        home: sources.home.clone(),
        key_files,
    }
}

/// Checks that need all of a connection.
fn finish(draft: Draft, tags: &[Tag]) -> Configured {
    let Draft {
        name,
        mut connection,
        at: (file, at),
        key_at,
        tags_at,
        mut problems,
    } = draft;
    if let Err(why) = tags::apply(tags, &mut connection) {
        let (file, at) = tags_at.unwrap_or_else(|| (file.clone(), at));
        problems.push(Problem::at(&file, at, why).hint("give the connection one of its own"));
    }
    if let (Some(key), Some((file, at))) = (&connection.key_path, key_at)
        && !key.is_file()
    {
        let message = format!("the key file {} is not there", key.display());
        problems.push(Problem::at(&file, at, message).hint("correct `key_path`, or create the key"));
    }
    if connection.host.is_none() && crate::host::name::HostName::parse(&name).is_err() {
        problems.push(
            Problem::at(
                &file,
                at,
                "`host` is missing, and the connection's name is no host either",
            )
            .hint("add `host`"),
        );
    }
    if problems.is_empty() {
        Configured::Usable(Box::new(connection))
    } else {
        problems.truncate(MAX_PROBLEMS);
        Configured::Broken {
            source: connection.source,
            problems,
        }
    }
}
