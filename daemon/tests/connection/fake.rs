//! Servers that sshd cannot be: one with passwords that it checks itself, and ports that answer wrongly.

use std::{net::SocketAddr, sync::Arc};

use russh::{
    Channel, ChannelId, MethodKind, MethodSet,
    keys::{Algorithm, PrivateKey},
    server::{Auth, Config, Handler, Msg, Response, Session, VerifiedPublicKey},
};
use tokio::{
    io::{AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A listening task; ends when dropped.
pub(crate) struct Fake {
    pub(crate) port: u16,
    /// Its host key's known_hosts fields; empty if it speaks no SSH.
    pub(crate) host_key: String,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How the server asks for the password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Password,
    Dialogue,
    /// A code after the password.
    DialogueTwice,
    /// Password and code in one round, with words before them.
    TwoAtOnce,
    /// A key is taken, and a password is wanted as well.
    KeyThenPassword,
    /// Takes every password and wants the next.
    EveryPassword,
    /// A question after the other, without an end.
    ForEver,
    /// More questions than anybody answers.
    TooMany,
    /// Does not answer at all.
    Silent,
    /// Takes none of three kinds of login.
    Anything,
}

/// A server that lets in who knows `sesame`.
pub(crate) async fn password_server(asks: Asks) -> Fake {
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).expect("a key");
    let host_key = key.public_key().to_openssh().expect("encoded");
    let methods: &[MethodKind] = match asks {
        Asks::Anything => &ALL,
        Asks::Password | Asks::EveryPassword | Asks::Silent => &[MethodKind::Password],
        Asks::KeyThenPassword => &[MethodKind::PublicKey],
        Asks::Dialogue | Asks::DialogueTwice | Asks::TwoAtOnce | Asks::ForEver | Asks::TooMany => {
            &[MethodKind::KeyboardInteractive]
        }
    };
    let config = Arc::new(Config {
        keys: vec![key],
        methods: MethodSet::from(methods),
        auth_rejection_time: std::time::Duration::ZERO,
        auth_rejection_time_initial: Some(std::time::Duration::ZERO),
        ..Config::default()
    });
    let (listener, port) = listen().await;
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = Server { asks, round: 0 };
            if let Ok(session) = russh::server::run_stream(config.clone(), stream, server).await {
                tokio::spawn(session);
            }
        }
    });
    Fake { port, host_key, task }
}

const ALL: [MethodKind; 3] = [
    MethodKind::PublicKey,
    MethodKind::Password,
    MethodKind::KeyboardInteractive,
];

struct Server {
    asks: Asks,
    round: usize,
}

/// Refused, and may be tried again.
fn again(method: MethodKind) -> Auth {
    Auth::Reject {
        proceed_with_methods: Some(MethodSet::from([method].as_slice())),
        partial_success: false,
    }
}

/// Refused, and anything may be tried again.
fn anything() -> Auth {
    Auth::Reject {
        proceed_with_methods: Some(MethodSet::from(ALL.as_slice())),
        partial_success: false,
    }
}

impl Handler for Server {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        _key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        if self.asks == Asks::Anything {
            return Ok(anything());
        }
        Ok(Auth::Reject {
            proceed_with_methods: Some(MethodSet::from([MethodKind::Password].as_slice())),
            partial_success: true,
        })
    }

    async fn auth_password(&mut self, _user: &str, password: &str) -> Result<Auth, russh::Error> {
        match self.asks {
            Asks::Silent => std::future::pending().await,
            Asks::Anything => return Ok(anything()),
            Asks::EveryPassword => {
                return Ok(Auth::Reject {
                    proceed_with_methods: Some(MethodSet::from([MethodKind::Password].as_slice())),
                    partial_success: true,
                });
            }
            _ => {}
        }
        Ok(if password == "sesame" {
            Auth::Accept
        } else {
            again(MethodKind::Password)
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let mut answers = response.into_iter().flatten();
        let answer = answers.next();
        let ask = |prompt: &'static str| Auth::Partial {
            name: "".into(),
            instructions: "".into(),
            prompts: vec![(prompt.into(), false)].into(),
        };
        self.round += 1;
        match self.asks {
            Asks::Anything if answer.is_some() => return Ok(anything()),
            Asks::ForEver => return Ok(ask("Password: ")),
            Asks::TooMany => {
                return Ok(Auth::Partial {
                    name: "".into(),
                    instructions: "".into(),
                    prompts: vec![("Password: ".into(), false); 20_000].into(),
                });
            }
            Asks::TwoAtOnce => {
                return Ok(match (answer, answers.next()) {
                    (None, _) => Auth::Partial {
                        name: "Two things".into(),
                        instructions: "Have your\u{1b}[31m token ready.".into(),
                        prompts: vec![("Password: ".into(), false), ("Token shows: ".into(), true)].into(),
                    },
                    (Some(password), Some(code))
                        if password.as_ref() == b"sesame" && code.as_ref() == b"123456" =>
                    {
                        Auth::Accept
                    }
                    _ => Auth::reject(),
                });
            }
            _ => {}
        }
        Ok(match (answer, self.asks, self.round) {
            (None, ..) => ask("Password: "),
            (Some(answer), Asks::DialogueTwice, 2) if answer.as_ref() == b"sesame" => {
                ask("Verification code: ")
            }
            (Some(answer), Asks::DialogueTwice, 3) if answer.as_ref() == b"123456" => Auth::Accept,
            (Some(answer), Asks::Dialogue, _) if answer.as_ref() == b"sesame" => Auth::Accept,
            (Some(_), ..) => {
                self.round = 0;
                again(MethodKind::KeyboardInteractive)
            }
        })
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: russh::server::ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _cols: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        session.data(channel, "welcome\r\n")
    }
}

/// A port that says this and nothing more, and stays open.
pub(crate) async fn says(text: &'static str) -> Fake {
    let (listener, port) = listen().await;
    let task = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(text.as_bytes()).await.ok();
            open.push(stream);
        }
    });
    Fake {
        port,
        host_key: String::new(),
        task,
    }
}

/// A port that says the first once and the second for ever, as fast as it is read.
pub(crate) async fn floods(first: &'static [u8], then: &'static [u8]) -> Fake {
    let (listener, port) = listen().await;
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.write_all(first).await.ok();
                while !then.is_empty() && stream.write_all(then).await.is_ok() {}
                // Silence, until the other side goes.
                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok();
            });
        }
    });
    Fake {
        port,
        host_key: String::new(),
        task,
    }
}

/// A port that hangs up on the first `times` callers, as sshd does when too many log in, and then leads on.
pub(crate) async fn hangs_up(times: usize, to: u16) -> Fake {
    let (listener, port) = listen().await;
    let task = tokio::spawn(async move {
        let mut calls = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            calls += 1;
            if calls <= times {
                continue;
            }
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", to)).await.expect("the server");
                copy_bidirectional(&mut stream, &mut server).await.ok();
            });
        }
    });
    Fake {
        port,
        host_key: String::new(),
        task,
    }
}

async fn listen() -> (TcpListener, u16) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = TcpListener::bind(any).await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    (listener, port)
}
