//! A host behind a slow link: in how many round trips a command is answered.

use std::{sync::Arc, time::Duration};

use sshmcp_tests::{Shell, TestBed};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Runtime,
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{figures::Figures, mcp::Client, openssh, raw::RawShell, report::Report, sizes::Sizes};

/// How much later each byte arrives, each way.
const DELAY: Duration = Duration::from_millis(50);
/// Pieces under way in one direction; what is more waits in the sender's socket, as on a link with little memory.
const UNDER_WAY: usize = 1024;

/// The warm command and the first one.
pub(crate) fn measure(bed: &TestBed, sizes: &Sizes, report: &mut Report) {
    let columns = "round trips (raw marker = 1)";
    report.times("A link with 50 ms each way", columns);
    for shell in [Shell::Bash, Shell::Zsh, Shell::Dash] {
        let near = crate::raw::port(bed, shell);
        let link = Link::to(near);
        let host = format!("far-{}", shell.host());
        bed.alias(&host, &bed.user(shell).name, link.port);
        let sshd = bed.sshds().iter().find(|sshd| sshd.port() == near).expect("ours");
        let known = sshd.known_host();
        let known = known.replace(&format!("]:{near}"), &format!("]:{}", link.port));
        bed.append(".ssh/known_hosts", &known);

        let (mut warm, mut marker) = (Figures::default(), Figures::default());
        let (mut first, mut login) = (Figures::default(), Figures::default());
        let mut raw = RawShell::open(bed, shell, link.port);
        raw.run_true();
        for _ in 0..sizes.far_logins {
            bed.stop_daemon();
            let mut client = Client::start(bed);
            client.list_sessions();
            first.once(|| client.run_true(&host));
            login.once(|| openssh::run_true(bed, &host));
            for _ in 0..sizes.far_runs / sizes.far_logins {
                warm.once(|| client.run_true(&host));
                marker.once(|| raw.run_true());
            }
        }
        let name = shell.host();
        let least = Some(&marker);
        report.time(
            name,
            "warm `true` through MCP, one right after another",
            &warm,
            least,
        );
        report.time(
            name,
            "raw: marker typed into one shell over russh",
            &marker,
            least,
        );
        report.time(
            name,
            "the first command through MCP, the daemon runs",
            &first,
            least,
        );
        report.time(name, "`ssh host true`", &login, least);
        let trips = warm.median() / marker.median();
        report.less(
            format!("warm `true` over the slow link, {name}, round trips"),
            trips,
            1.1,
            "",
        );
    }
    bed.stop_daemon();
}

/// A TCP port that leads to another, with every byte late; it ends with this.
struct Link {
    port: u16,
    _runtime: Runtime,
}

impl Link {
    fn to(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", 0)))
            .expect("a port");
        let own = listener.local_addr().expect("an address").port();
        runtime.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else {
                    continue;
                };
                for stream in [&near, &far] {
                    stream.set_nodelay(true).expect("TCP");
                }
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near.0, far.1));
                tokio::spawn(carry(far.0, near.1));
            }
        });
        Self {
            port: own,
            _runtime: runtime,
        }
    }
}

/// One direction: each piece is written when its time has come, and the end of the stream likewise.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Arc<[u8]>)>(UNDER_WAY);
    tokio::spawn(async move {
        while let Some((due, piece)) = pieces.recv().await {
            sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        to.shutdown().await.ok();
    });
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or_default();
        let piece: Arc<[u8]> = buffer.get(..read).unwrap_or_default().into();
        if read == 0 || sender.send((Instant::now() + DELAY, piece)).await.is_err() {
            return;
        }
    }
}
