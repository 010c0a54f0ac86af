//! `sshmcpd`: flags, and the order in which the daemon comes to life. Everything else is in the library.

mod arguments;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::{CommandFactory as _, Parser as _};
use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, getrlimit, setrlimit, umask},
};
use sshmcp_proto::{
    endpoint::{CONFIG_VARIABLE, Paths, Socket},
    error::Fault,
    v1::Reason,
};
use sshmcpd::{
    background::{Readiness, detach},
    config::{self, Sources},
    core::Core,
    engine::Engine,
    listener::{Instance, Listener, Refusal, handed_over},
    local, log,
    rpc::About,
    server,
};

use crate::arguments::{Action, Arguments};

/// Secrets pass through buffers of many libraries: whatever is freed is wiped first.
#[global_allocator]
static MEMORY: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// A daemon serves on the socket already (EX_TEMPFAIL); the service unit does not start it again then.
const ALREADY_RUNNING: u8 = 75;

/// What is still running when the daemon has ended in good order (a blocked look-up, say) is not waited for longer.
const RUNTIME_END: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    // Before the first thread and the first file: nothing of ours is for others.
    umask(Mode::RWXG | Mode::RWXO);
    let arguments = Arguments::parse();
    let outcome = match arguments.action() {
        Action::Detach => detach().map_err(|error| {
            say(&format!(
                "sshmcpd could not be started in the background: {error}"
            ));
            ExitCode::FAILURE
        }),
        Action::CheckConfig => return check_config(&arguments),
        Action::ConfigSchema => return config_schema(),
        Action::Man => return man(),
        Action::Pane => return in_pane(&arguments),
        Action::Serve { background } => {
            let readiness = match Readiness::enter(background) {
                Ok(readiness) => readiness,
                Err(error) => {
                    say(&format!("sshmcpd could not enter the background: {error}"));
                    return ExitCode::FAILURE;
                }
            };
            live(&arguments, &readiness, background)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

/// Comes to life, serves, and ends.
fn live(arguments: &Arguments, readiness: &Readiness, background: bool) -> Result<(), ExitCode> {
    let fail = |fault: &Fault| {
        readiness.failed(&sentence(fault));
        if !background {
            complain(&sentence(fault));
        }
        ExitCode::FAILURE
    };
    let socket = Socket::find(arguments.socket.as_deref()).map_err(|fault| fail(&fault))?;
    let paths = Paths::find(arguments.config.as_deref(), arguments.state_dir.as_deref())
        .map_err(|fault| fail(&fault))?;
    let log = log::start(&paths.state, !background).map_err(|fault| fail(&fault))?;
    set_limits();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            readiness.failed(&format!("the runtime could not be started: {error}"));
            ExitCode::FAILURE
        })?;
    let ended = runtime.block_on(async {
        let handed = handed_over().map_err(|error| {
            fail(&Fault::new(
                Reason::DaemonUnavailable,
                format!("the service manager's socket could not be taken over: {error}"),
            ))
        })?;
        let claimed = Instance::claim(socket, handed.is_some(), || readiness.waiting()).await;
        let instance = match claimed {
            Ok(instance) => instance,
            // Another was faster, which is as good for the client that started us.
            Err(Refusal::Serving(_)) if background => {
                readiness.ready();
                return Ok(());
            }
            Err(Refusal::Serving(fault)) => {
                fail(&fault);
                return Err(ExitCode::from(ALREADY_RUNNING));
            }
            Err(Refusal::Failed(fault)) => return Err(fail(&fault)),
        };
        let sources = Sources::find(named_config(arguments)).map_err(|fault| fail(&fault))?;
        let core: Arc<dyn Core> = Arc::new(Engine::start(sources, &paths.state).await);
        let listener = Listener::open(&instance, handed).map_err(|fault| fail(&fault))?;
        let about = About {
            socket: instance.socket().path().to_owned(),
            config: paths.config.clone(),
            state: paths.state.clone(),
            started_by: arguments.started_by(),
            started: Instant::now(),
            log_problem: log.problem.clone(),
        };
        server::serve(core, &instance, listener, about, readiness)
            .await
            .map_err(|error| {
                tracing::error!(error = format!("{error:#}"), "the daemon failed");
                readiness.failed(&format!("{error:#}"));
                ExitCode::FAILURE
            })
        // The instance's lock ends here, after everything that the socket and the state are needed for.
    });
    runtime.shutdown_timeout(RUNTIME_END);
    ended
}

/// What happened and what to do, as one line.
fn sentence(fault: &Fault) -> String {
    if fault.hint.is_empty() {
        fault.message.clone()
    } else {
        format!("{}; {}", fault.message, fault.hint)
    }
}

/// Sessions, spools and clients each take a few descriptors; the default of 1024 is for programs that use select().
/// A core dump would hold secrets.
fn set_limits() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let descriptors = Rlimit {
        current: maximum,
        maximum,
    };
    let no_core = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    for (resource, limit) in [(Resource::Nofile, descriptors), (Resource::Core, no_core)] {
        if let Err(error) = setrlimit(resource, limit) {
            tracing::warn!(%error, ?resource, "the limit stays as it is");
        }
    }
}

/// The configuration file that somebody named.
fn named_config(arguments: &Arguments) -> Option<PathBuf> {
    let from_environment = || {
        std::env::var_os(CONFIG_VARIABLE)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    arguments.config.clone().or_else(from_environment)
}

fn check_config(arguments: &Arguments) -> ExitCode {
    let sources = match Sources::find(named_config(arguments)) {
        Ok(sources) => sources,
        Err(fault) => {
            complain(&sentence(&fault));
            return ExitCode::FAILURE;
        }
    };
    let report = config::check(sources);
    say(&report.to_string());
    if report.ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn config_schema() -> ExitCode {
    say(&config::schema().to_string());
    ExitCode::SUCCESS
}

fn man() -> ExitCode {
    match clap_mangen::Man::new(Arguments::command()).render(&mut std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Runs a program in a pane.
fn in_pane(arguments: &Arguments) -> ExitCode {
    let directory = arguments.pane.as_deref().unwrap_or(Path::new("."));
    local::pane::run(directory, &arguments.command)
}

/// A line on stdout; nobody to read it is no reason to fail.
fn say(line: &str) {
    let _unread = writeln!(std::io::stdout(), "{line}");
}

/// A line on stderr.
fn complain(line: &str) {
    let _unread = writeln!(std::io::stderr(), "sshmcpd: {line}");
}
