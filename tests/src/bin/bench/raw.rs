//! The least that SSH allows: one shell on a terminal, a line typed, and its mark waited for. Nothing is told apart,
//! kept or checked.

use std::{sync::Arc, time::Duration};

use russh::{
    Channel, ChannelMsg,
    client::{self, Handle, Handler, Msg},
    keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key},
};
use sshmcp_tests::{Shell, TestBed, User};
use tokio::{runtime::Runtime, time::timeout};

/// What is typed; the mark is a byte sequence that the echo of this line does not have.
const LINE: &[u8] = b"true; printf '\\033]7777;%s\\007' $?\r";
/// The same in fish's words.
const LINE_FISH: &[u8] = b"true; printf '\\033]7777;%s\\007' $status\r";
/// What comes back.
const MARK: &[u8] = b"\x1b]7777;0\x07";
/// Makes the prompt another such sequence, in any of the shells.
const SET_PROMPT: &[u8] = b"PS1=$(printf '\\033]7778\\007')\r";
/// The same in fish's words.
const SET_PROMPT_FISH: &[u8] = b"function fish_prompt; printf '\\033]7778\\007'; end\r";
/// The prompt.
const PROMPT: &[u8] = b"\x1b]7778\x07";
/// A machine under load answers in this time.
const ANSWER: Duration = Duration::from_secs(30);

/// Whose key it is was settled when the bed started the server.
struct Trusting;

impl Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// A shell that waits for a line.
pub(crate) struct RawShell {
    runtime: Runtime,
    channel: Channel<Msg>,
    line: &'static [u8],
    _connection: Handle<Trusting>,
}

impl RawShell {
    /// Logs in as the user with this shell, on this port of loopback.
    pub(crate) fn open(bed: &TestBed, shell: Shell, port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (line, set_prompt) = match shell {
            Shell::Fish => (LINE_FISH, SET_PROMPT_FISH),
            _ => (LINE, SET_PROMPT),
        };
        let (connection, channel) = runtime.block_on(async {
            let config = client::Config {
                nodelay: true,
                ..client::Config::default()
            };
            let address = ("127.0.0.1", port);
            let mut connection = client::connect(Arc::new(config), address, Trusting)
                .await
                .expect("a connection");
            let key = load_secret_key(bed.home().join(".ssh/id_ed25519"), None).expect("a key");
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
            let user = bed.user(shell).name.clone();
            let answer = connection.authenticate_publickey(user, key).await;
            assert!(answer.expect("an answer").success(), "the key is refused");
            let channel = connection.channel_open_session().await.expect("a channel");
            channel
                .request_pty(false, "xterm-256color", 120, 40, 0, 0, &[])
                .await
                .expect("a terminal");
            channel.request_shell(false).await.expect("a shell");
            channel.data(set_prompt).await.expect("the shell reads");
            (connection, channel)
        });
        Self {
            runtime,
            channel,
            line,
            _connection: connection,
        }
    }

    /// Types the line and waits for its mark. The shell draws its prompt while the next line is on its way.
    pub(crate) fn run_true(&mut self) {
        self.type_until(&[MARK]);
    }

    /// The same, and waits for the prompt, too: the shell is ready then.
    pub(crate) fn run_true_to_the_prompt(&mut self) {
        self.type_until(&[MARK, PROMPT]);
    }

    /// Types the line and waits for these in turn.
    fn type_until(&mut self, wanted: &[&[u8]]) {
        let (channel, line) = (&mut self.channel, self.line);
        let typed = async {
            channel.data(line).await.expect("the shell reads");
            let mut seen = Vec::new();
            for mark in wanted {
                loop {
                    let found = seen.windows(mark.len()).position(|bytes| bytes == *mark);
                    if let Some(at) = found {
                        seen.drain(..at + mark.len());
                        break;
                    }
                    match channel.wait().await {
                        Some(ChannelMsg::Data { data }) => seen.extend_from_slice(&data),
                        Some(_) => {}
                        None => return false,
                    }
                }
            }
            true
        };
        let answered = self.runtime.block_on(async { timeout(ANSWER, typed).await });
        assert_eq!(answered, Ok(true), "no mark came back");
    }
}

/// Where this shell's user logs in: one sshd serves all users, or one each where all are ourselves.
pub(crate) fn port(bed: &TestBed, shell: Shell) -> u16 {
    let number = Shell::ALL
        .iter()
        .position(|one| *one == shell)
        .unwrap_or_default();
    let sshd = if User::many() {
        bed.sshd()
    } else {
        &bed.sshds()[number]
    };
    sshd.port()
}
