//! The one door to `ssh -G`, which resolves everything OpenSSH understands in ssh_config. It connects nowhere.
//! `Match exec` runs programs, as with any `ssh`, from the user's own and the system's files only.

use std::collections::HashMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::directives::{self, Directives};
use super::elsewhere::Copy;
use super::target::Target;

/// How long `ssh -G` may take: it reads files, and runs the programs of `Match exec`.
const LIMIT: Duration = Duration::from_secs(5);

/// How long an answer is used again while the main files stay as they are: `Match exec` and included files may change
/// unseen, and a process for each of an agent's calls would cost more than the call.
const REMEMBER: Duration = Duration::from_secs(10);

/// Answers remembered at a time.
const REMEMBERED: usize = 256;

/// The system's configuration for all users.
pub(super) const SYSTEM_CONFIG: &str = "/etc/ssh/ssh_config";

/// Places where `ssh` is even if a poor environment's PATH does not say so.
const USUAL_PLACES: [&str; 2] = ["/usr/bin", "/usr/local/bin"];

/// How `ssh` (9.2) refuses ForkAfterAuthentication for a shell.
const FORKS: &str = "Cannot fork into background without a command";

/// What to ask about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// The home directory of the daemon's environment.
    pub(super) home: PathBuf,
    /// Alias, hostname or address.
    pub(super) name: String,
    /// A login name that is certain.
    pub(super) user: Option<String>,
    /// A port that is certain.
    pub(super) port: Option<u16>,
}

/// The installed `ssh`, if there is one.
pub(super) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        // A relative entry depends on the directory that the daemon was started in.
        .filter(|directory| directory.is_absolute())
        .chain(USUAL_PLACES.map(PathBuf::from))
        .map(|directory| directory.join("ssh"))
        .find(|file| {
            file.metadata()
                .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
        })
}

/// What OpenSSH says about a name. Known-hosts paths below the account's home are moved below `home`.
pub(super) async fn ask(ssh: &Path, question: &Question) -> Result<Arc<Directives>, Fault> {
    let state = FileState::of(&question.home);
    if let Some(known) = remembered(question, &state) {
        return Ok(known);
    }
    let baseline = baseline(ssh).await;
    let account_home = baseline.as_ref().and_then(|baseline| baseline.home.clone());
    // A copy of the configuration, which must outlive the call.
    let elsewhere = match &account_home {
        Some(account_home) if same_directory(account_home, &question.home) => None,
        _ => Some(
            Copy::new(&question.home, Path::new(SYSTEM_CONFIG)).map_err(|error| {
                Fault::new(
                    Reason::Internal,
                    format!("a copy of ssh_config cannot be written: {}", error.kind()),
                )
                .hint("look at the space and permissions of the temporary directory")
            })?,
        ),
    };
    let mut arguments: Vec<std::ffi::OsString> = vec!["-G".into()];
    if let Some(copy) = &elsewhere {
        arguments.extend(["-F".into(), copy.path().into()]);
    }
    if let Some(port) = question.port {
        arguments.extend(["-p".into(), port.to_string().into()]);
    }
    if let Some(user) = &question.user {
        arguments.extend(["-l".into(), user.into()]);
    }
    arguments.extend(["--".into(), question.name.clone().into()]);
    let mut output = run(ssh, &arguments).await;
    // ForkAfterAuthentication is refused where nothing is run, and a session is a shell all the same.
    let is_fork = |fault: &Fault| fault.message.contains(FORKS);
    let forks = output.as_ref().is_err_and(is_fork);
    if forks {
        arguments.splice(1..1, ["-o".into(), directives::NO_FORK.into()]);
        output = run(ssh, &arguments).await;
    }
    let output = output.map_err(|mut fault| {
        if let Some(copy) = &elsewhere {
            let named = copy.path().display().to_string();
            fault.message = fault.message.replace(&named, "~/.ssh/config");
        }
        fault
    })?;
    let mut found = directives::parse(&output);
    if forks {
        found.instead.push(directives::NO_FORK);
    }
    if let Some(account_home) = account_home.filter(|_| elsewhere.is_some()) {
        move_home(&mut found, &account_home, &question.home);
    }
    if let Some(baseline) = &baseline {
        found = found.beyond(&baseline.said);
    }
    let found = Arc::new(found);
    remember(question, state, &found);
    Ok(found)
}

async fn run(ssh: &Path, arguments: &[std::ffi::OsString]) -> Result<String, Fault> {
    let failed = |message: String| {
        Fault::new(Reason::ConfigInvalid, message)
            .hint("run `ssh -G HOST` by hand to see what is wrong in ssh_config")
    };
    let output = Command::new(ssh)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LIMIT, output)
        .await
        .map_err(|_| failed(format!("`ssh -G` did not answer within {} s", LIMIT.as_secs())).retryable())?
        .map_err(|error| failed(format!("`ssh -G` cannot be run: {}", error.kind())))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!(
            "ssh_config cannot be used: {}",
            first_complaint(&complaint)
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The line of stderr that says what is wrong, made fit to print.
fn first_complaint(stderr: &str) -> String {
    /// Characters of a complaint that help; the rest is repetition.
    const ENOUGH: usize = 300;
    stderr
        .lines()
        .map(str::trim)
        // Said of every call without a terminal.
        .find(|line| !line.is_empty() && !line.starts_with("Pseudo-terminal"))
        .unwrap_or("ssh gave no reason")
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(ENOUGH)
        .collect()
}

/// What OpenSSH says of every host where nothing is configured.
struct Baseline {
    said: Directives,
    /// What it takes for `~`, as its default known_hosts shows it.
    home: Option<PathBuf>,
}

async fn baseline(ssh: &Path) -> Option<Arc<Baseline>> {
    static BASELINE: OnceCell<Arc<Baseline>> = OnceCell::const_new();
    // A failure is not kept: it may have been the machine's load.
    let found = BASELINE.get_or_try_init(|| async {
        let arguments = ["-G", "-F", "none", "--", "localhost"].map(Into::into);
        let said = directives::parse(&run(ssh, &arguments).await?);
        let files = said.user_known_hosts.as_deref().unwrap_or_default();
        let home = files
            .first()
            .and_then(|file| file.strip_suffix("/.ssh/known_hosts"))
            .map(PathBuf::from);
        Ok::<_, Fault>(Arc::new(Baseline { said, home }))
    });
    found.await.ok().cloned()
}

/// Whether two paths are one directory, by whatever name.
fn same_directory(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| {
        let metadata = path.metadata().ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    one == other || identity(one).is_some_and(|found| Some(found) == identity(other))
}

/// Known-hosts files and the agent's socket are the paths in which `ssh -G` has put the account's home itself.
fn move_home(found: &mut Directives, from: &Path, to: &Path) {
    let known_hosts = found.user_known_hosts.iter_mut().flatten();
    for file in known_hosts.chain(&mut found.identity_agent) {
        if let Ok(rest) = Path::new(file.as_str()).strip_prefix(from) {
            *file = to.join(rest).to_string_lossy().into_owned();
        }
    }
}

/// What tells one state of the two main files from another.
#[derive(Clone, PartialEq, Eq)]
struct FileState([Option<(u64, u64, i64, i64)>; 2]);

impl FileState {
    fn of(home: &Path) -> Self {
        let sign = |file: &Path| {
            let metadata = std::fs::metadata(file).ok()?;
            Some((
                metadata.ino(),
                metadata.len(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ))
        };
        Self([sign(&home.join(".ssh/config")), sign(Path::new(SYSTEM_CONFIG))])
    }
}

struct Memory {
    at: Instant,
    state: FileState,
    found: Arc<Directives>,
}

fn memories() -> &'static Mutex<HashMap<Question, Memory>> {
    static MEMORIES: OnceLock<Mutex<HashMap<Question, Memory>>> = OnceLock::new();
    MEMORIES.get_or_init(Mutex::default)
}

fn remembered(question: &Question, state: &FileState) -> Option<Arc<Directives>> {
    let memories = memories().lock().unwrap_or_else(PoisonError::into_inner);
    let memory = memories.get(question)?;
    (memory.at.elapsed() < REMEMBER && memory.state == *state).then(|| Arc::clone(&memory.found))
}

fn remember(question: &Question, state: FileState, found: &Arc<Directives>) {
    let mut memories = memories().lock().unwrap_or_else(PoisonError::into_inner);
    memories.retain(|_, memory| memory.at.elapsed() < REMEMBER);
    if memories.len() < REMEMBERED {
        let memory = Memory {
            at: Instant::now(),
            state,
            found: Arc::clone(found),
        };
        memories.insert(question.clone(), memory);
    }
}

/// What OpenSSH's own client is told to reach a target as we would: beside what it reads in ssh_config by itself. Where HOME
/// is not the account's, a copy of the configuration is put into the directory, which must stay.
pub async fn client_words(
    target: &Target,
    ssh: &Path,
    directory: &Path,
) -> std::io::Result<Vec<std::ffi::OsString>> {
    let mut words: Vec<std::ffi::OsString> = Vec::new();
    let home = sshmcp_proto::endpoint::home().unwrap_or_default();
    let account = baseline(ssh).await.and_then(|baseline| baseline.home.clone());
    if account.is_some_and(|account| !same_directory(&account, &home)) {
        let config = Copy::kept(&home, Path::new(SYSTEM_CONFIG), directory)?;
        words.extend(["-F".into(), config.into_os_string()]);
    }
    let mut option = |text: String| words.extend(["-o".into(), std::ffi::OsString::from(text)]);
    option(format!("HostName={}", target.hostname.replace('%', "%%")));
    option(format!("Port={}", target.port));
    if target.openssh.key.is_some() {
        option("IdentitiesOnly=yes".into());
    }
    for word in &target.openssh.instead {
        option((*word).to_owned());
    }
    words.extend(["-l".into(), target.user.clone().into()]);
    if let Some(key) = &target.openssh.key {
        // It does not run in our directory.
        words.extend(["-i".into(), without_tokens(&std::path::absolute(key)?)]);
    }
    if target.openssh.own_jump {
        let hops = target.jump.iter().map(|hop| {
            let (open, close) = if hop.hostname.contains(':') {
                ("[", "]")
            } else {
                ("", "")
            };
            format!("{}@{open}{}{close}:{}", hop.user, hop.hostname, hop.port)
        });
        let hops: Vec<String> = hops.collect();
        let jump = if hops.is_empty() {
            "none".to_owned()
        } else {
            hops.join(",")
        };
        words.extend(["-o".into(), format!("ProxyJump={jump}").into()]);
    }
    Ok(words)
}

/// A path as an option takes it: `%` begins a token there.
fn without_tokens(path: &Path) -> std::ffi::OsString {
    path.to_string_lossy().replace('%', "%%").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints() {
        assert_eq!(
            first_complaint(
                "Pseudo-terminal will not be allocated.\n/h/.ssh/config: line 2: Bad \x1b[31mport\n"
            ),
            "/h/.ssh/config: line 2: Bad  [31mport"
        );
        assert_eq!(first_complaint("\n"), "ssh gave no reason");
    }

    #[test]
    fn known_hosts_follow_home() {
        let mut found = Directives {
            user_known_hosts: Some(vec![
                "/root/.ssh/known_hosts".into(),
                "/rooted/x".into(),
                "/etc/kh".into(),
            ]),
            ..Directives::default()
        };
        move_home(&mut found, Path::new("/root"), Path::new("/tmp/h"));
        assert_eq!(
            found.user_known_hosts.unwrap(),
            ["/tmp/h/.ssh/known_hosts", "/rooted/x", "/etc/kh"]
        );
    }
}
