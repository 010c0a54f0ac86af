//! `mcp-ssh`: flags, logs to stderr, and the life of the process; it keeps no state that outlives a call.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::{self, ExitCode},
    time::Duration,
};

use clap::{CommandFactory as _, Parser};
use rmcp::{ServiceExt as _, transport::io::stdio_pipes};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    daemon::Daemon,
    profile::{Profile, environment::Environment},
    server::Server,
    transport::Stdio,
};

mod arguments;
mod call;
mod daemon;
mod encoding;
mod envelope;
mod input;
mod keys;
mod lines;
mod message;
mod profile;
mod render;
mod resources;
mod schema;
mod server;
mod settings;
mod tools;
mod transport;
mod waiting;

/// Secrets pass through buffers of many libraries: whatever is freed is wiped first.
#[global_allocator]
static MEMORY: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// Clients send SIGTERM 2 s after they close stdin; being gone before that leaves answers in flight this long.
const DRAIN: Duration = Duration::from_millis(1_000);

/// MCP server for persistent SSH sessions, over stdin and stdout. MCP clients start it; people use sshctl.
#[derive(Parser)]
#[command(name = "mcp-ssh", version)]
struct Flags {
    /// Which tool names to list: default, interactive or session.
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,
    /// The daemon's socket [env: SSHMCP_SOCKET].
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The configuration file for a daemon that this program starts [env: SSHMCP_CONFIG].
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Print the man page, and end.
    #[arg(long, hide = true)]
    man: bool,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    if flags.man {
        let printed = clap_mangen::Man::new(Flags::command()).render(&mut io::stdout());
        return if printed.is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let profile = match flags.profile.parse::<Profile>() {
        Ok(profile) => profile,
        Err(refusal) => {
            // Nothing is left to do if stderr is gone too.
            let _written = writeln!(io::stderr(), "mcp-ssh: invalid_argument: {refusal}");
            return ExitCode::from(2);
        }
    };
    let environment = match profile {
        Profile::Session => Environment::of(std::env::vars_os()),
        Profile::Default | Profile::Interactive => Environment::default(),
    };
    log_to_stderr();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    let exposes_secrets = settings::exposes_secrets(flags.config.as_deref());
    let daemon = Daemon::new(flags.socket, flags.config);
    let server = Server::new(daemon, profile, environment, exposes_secrets);
    let code = runtime.block_on(serve(server));
    // Dropping the runtime would wait for a blocking read of stdin, and for calls that nobody waits for any more.
    process::exit(code)
}

/// Serves until the client closes stdin, or stdout can no longer be written.
async fn serve(server: Server) -> i32 {
    let (ended, broken) = (CancellationToken::new(), CancellationToken::new());
    let (_, writer) = stdio_pipes();
    let stdio = Stdio::new(input::stdin(), writer, ended.clone(), broken.clone());
    let life = async move {
        match server.serve(stdio).await {
            Ok(running) => {
                let _reason = running.waiting().await;
                0
            }
            // A client that goes away before it said anything is no fault of anyone.
            Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => 0,
            Err(error) => {
                tracing::error!(%error, "the MCP client did not open the conversation");
                1
            }
        }
    };
    let drained = async {
        ended.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        code = life => code,
        () = drained => 0,
        () = broken.cancelled() => 0,
    }
}

/// Logs go to stderr, plain, warnings and worse unless `SSHMCP_LOG` says otherwise.
fn log_to_stderr() {
    let wanted = std::env::var("SSHMCP_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(if wanted.is_empty() { "warn" } else { &wanted })
        .unwrap_or_else(|_| EnvFilter::new("warn"));
    // Below this level the SDK prints whole messages, which may carry secrets, and each cancelled call.
    let quiet_sdk = tracing_subscriber::filter::filter_fn(|metadata| {
        !metadata.target().starts_with("rmcp") || *metadata.level() <= tracing::Level::ERROR
    });
    tracing_subscriber::registry()
        .with(filter)
        .with(
            tracing_subscriber::fmt::layer()
                .with_writer(io::stderr)
                .with_ansi(false)
                .with_filter(quiet_sdk),
        )
        .init();
}
