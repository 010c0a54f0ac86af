//! A client's connection to the daemon: finds or starts it, checks who answers, and hands out the services' clients.
//! Knows nothing of what the calls mean, and never repeats one.

mod start;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use prost::Message as _;
use tokio::{net::UnixStream, time::timeout};
use tonic::{
    Request, Status,
    metadata::{BinaryMetadataValue, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint, Uri},
};

pub use start::{READY, WAITING, daemon_program};

use crate::{
    PROTOCOL,
    endpoint::Socket,
    error::Fault,
    local::{LocalStream, Watch},
    v1::{
        Client, HelloRequest, HelloResponse, Reason, command_service_client::CommandServiceClient,
        daemon_service_client::DaemonServiceClient, file_service_client::FileServiceClient,
        host_service_client::HostServiceClient, log_service_client::LogServiceClient,
        session_service_client::SessionServiceClient, terminal_service_client::TerminalServiceClient,
    },
};

/// The metadata key that carries a `Client`, encoded, with every call.
pub const CLIENT_KEY: &str = "sshmcp-client-bin";

/// Largest message either side takes: above the largest thing that one call may carry, with room for its envelope.
pub const MAX_MESSAGE: usize = 64 << 20; // 64 MiB

/// What a stream may send before its reader takes it; with the window of the connection it bounds what stalls.
const STREAM_WINDOW: u32 = 256 << 10; // 256 KiB
/// Room for 256 stalled streams: with the default of 5 MiB three of them blocked every other call.
const CONNECTION_WINDOW: u32 = 64 << 20; // 64 MiB

/// A daemon that lives answers the handshake at once; this much is for a machine under load.
const HELLO_TIME: Duration = Duration::from_secs(5);

/// One service's client, as `Daemon` hands it out.
pub type Wire = InterceptedService<Channel, Identify>;

/// How to find the daemon, and who asks.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// The `--socket` flag.
    pub socket: Option<PathBuf>,
    /// The `--config` flag; only a daemon that this call starts takes it over.
    pub config: Option<PathBuf>,
    /// The daemon's executable; else `SSHMCP_DAEMON`, `sshmcpd` beside this program, or `sshmcpd` in PATH.
    pub daemon: Option<PathBuf>,
    /// True: a daemon that is not there is started.
    pub start: bool,
    /// True: a daemon of another protocol is accepted too, for `sshctl daemon status|stop|restart`.
    pub any_version: bool,
    /// Who is calling, sent with every call.
    pub client: Client,
}

/// A connection to the daemon; clones share it. When the daemon goes away calls fail with `daemon_unavailable`: then
/// `connect` again, which starts a new daemon where a lasting `Daemon` would only find the socket gone.
#[derive(Clone, Debug)]
pub struct Daemon {
    wire: Wire,
    hello: Arc<HelloResponse>,
    socket: Arc<Socket>,
    watch: Arc<Mutex<Watch>>,
}

/// Finds the daemon, or starts it if asked to, and shakes hands with it.
pub async fn connect(options: ConnectOptions) -> Result<Daemon, Fault> {
    let socket = Arc::new(Socket::find(options.socket.as_deref())?);
    let identify = Identify::new(&options.client);
    let mut again = options.start;
    loop {
        start::reach(&socket, &options).await?;
        match greet(&socket, identify.clone()).await {
            Ok(daemon) => {
                if daemon.hello.protocol != PROTOCOL && !options.any_version {
                    return Err(mismatch(&daemon.hello));
                }
                return Ok(daemon);
            }
            // It was leaving when we met it: the next one is started, once.
            Err(_) if again && start::probe(&socket).await.is_err() => again = false,
            Err(fault) => return Err(fault),
        }
    }
}

/// Opens the lasting connection and asks for the daemon's version.
async fn greet(socket: &Arc<Socket>, identify: Identify) -> Result<Daemon, Fault> {
    let watch = Arc::new(Mutex::new(Watch::default()));
    let wire = InterceptedService::new(channel(socket, &watch), identify);
    let mut daemon = DaemonServiceClient::new(wire.clone());
    let request = HelloRequest {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let hello = match timeout(HELLO_TIME, daemon.hello(request)).await {
        Ok(Ok(hello)) => hello.into_inner(),
        Ok(Err(status)) => {
            let fault = Fault::from(status);
            return Err(if fault.reason == Reason::Internal {
                // Whatever serves there is not our daemon, or is broken.
                unavailable(socket, &fault.message)
            } else {
                fault
            });
        }
        Err(_) => {
            return Err(unavailable(
                socket,
                &format!("no answer within {} seconds", HELLO_TIME.as_secs()),
            ));
        }
    };
    Ok(Daemon {
        wire,
        hello: Arc::new(hello),
        socket: Arc::clone(socket),
        watch,
    })
}

/// A channel that connects when first used, and again after a loss, checking each time who answers; `watch` is
/// then that of the new connection.
fn channel(socket: &Arc<Socket>, watch: &Arc<Mutex<Watch>>) -> Channel {
    let (socket, watch) = (Arc::clone(socket), Arc::clone(watch));
    // The name is required by HTTP/2 and resolved by nobody.
    Endpoint::from_static("http://sshmcpd.invalid")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let (socket, watch) = (Arc::clone(&socket), Arc::clone(&watch));
            async move {
                let stream = LocalStream::new(start::probe(&socket).await?)?;
                *watch.lock().unwrap_or_else(PoisonError::into_inner) = stream.watched();
                Ok::<_, io::Error>(TokioIo::new(stream))
            }
        }))
}

/// Whoever serves on the socket must be ourselves: nobody else may be handed what we send.
fn check_peer(stream: &UnixStream, own: u32) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    if peer == own {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("the socket is served by user {peer}, not by user {own}"),
    ))
}

fn unavailable(socket: &Socket, cause: &str) -> Fault {
    Fault::new(
        Reason::DaemonUnavailable,
        format!(
            "the daemon on {} did not shake hands: {cause}",
            socket.path().display()
        ),
    )
    .hint("look at `sshctl daemon status`; if it hangs, `sshctl daemon restart`")
    .retryable()
}

fn mismatch(hello: &HelloResponse) -> Fault {
    let own = env!("CARGO_PKG_VERSION");
    let older = if hello.protocol < PROTOCOL {
        "daemon"
    } else {
        "client"
    };
    Fault::new(
        Reason::VersionMismatch,
        format!(
            "the {older} is older: daemon {} speaks protocol {}, this client {own} speaks {PROTOCOL}",
            hello.version, hello.protocol
        ),
    )
    .hint(if older == "daemon" {
        "run `sshctl daemon restart`; it ends open sessions"
    } else {
        "install the daemon's version of this program, or run `sshctl daemon restart` with the version that you want"
    })
}

impl Daemon {
    /// Version, reload, stop.
    pub fn daemon(&self) -> DaemonServiceClient<Wire> {
        DaemonServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Hosts and their keys.
    pub fn hosts(&self) -> HostServiceClient<Wire> {
        HostServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Sessions.
    pub fn sessions(&self) -> SessionServiceClient<Wire> {
        SessionServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Commands and their output.
    pub fn commands(&self) -> CommandServiceClient<Wire> {
        CommandServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Terminals: input and what they show.
    pub fn terminals(&self) -> TerminalServiceClient<Wire> {
        TerminalServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Transcripts and recordings.
    pub fn logs(&self) -> LogServiceClient<Wire> {
        LogServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Files.
    pub fn files(&self) -> FileServiceClient<Wire> {
        FileServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// What calls go through, for services of other packages such as `grpc.health.v1`.
    pub fn wire(&self) -> Wire {
        self.wire.clone()
    }

    /// What the daemon said in the handshake: version and process id.
    pub fn hello(&self) -> &HelloResponse {
        &self.hello
    }

    /// The socket that this connection uses.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// True if the connection has ended: a call that is made now cannot reach the daemon that was greeted.
    pub fn ended(&self) -> bool {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).ended()
    }

    /// True if something of ours accepts connections on the socket now.
    pub async fn alive(&self) -> bool {
        start::probe(&self.socket).await.is_ok()
    }
}

/// Adds who is calling to each call.
#[derive(Clone, Debug)]
pub struct Identify {
    client: BinaryMetadataValue,
}

impl Identify {
    fn new(client: &Client) -> Self {
        Self {
            client: MetadataValue::from_bytes(&client.encode_to_vec()),
        }
    }
}

impl Interceptor for Identify {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert_bin(CLIENT_KEY, self.client.clone());
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each side of a mismatch reads which one is older and what to do.
    #[test]
    fn mismatch_names_the_older_side() {
        for (protocol, older) in [(PROTOCOL + 1, "client"), (0, "daemon")] {
            let fault = mismatch(&HelloResponse {
                protocol,
                version: "9.9.9".into(),
                pid: 1,
            });
            assert_eq!(fault.reason, Reason::VersionMismatch);
            assert!(
                fault.message.starts_with(&format!("the {older} is older")),
                "{fault}"
            );
            assert!(fault.hint.contains("sshctl daemon restart"));
        }
    }

    /// A socket that another user serves is not spoken to.
    #[tokio::test]
    async fn another_user_is_not_spoken_to() {
        let (ours, _theirs) = UnixStream::pair().expect("pair");
        let own = rustix::process::geteuid().as_raw();
        check_peer(&ours, own).expect("our own");
        let error = check_peer(&ours, own.wrapping_add(1)).expect_err("another's");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    /// Every call says who calls.
    #[test]
    fn calls_carry_the_client() {
        let client = Client {
            program: "mcp-ssh".into(),
            name: "ü\n".into(),
            id: "1".into(),
            pid: 7,
        };
        let request = Identify::new(&client)
            .call(Request::new(()))
            .expect("never refused");
        let value = request.metadata().get_bin(CLIENT_KEY).expect("set");
        let bytes = value.to_bytes().expect("base64");
        assert_eq!(Client::decode(bytes), Ok(client));
    }
}
