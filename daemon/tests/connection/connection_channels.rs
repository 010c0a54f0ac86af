//! What goes through a channel, and how it ends.

use bytes::Bytes;
use sshmcp_proto::v1::Reason;
use sshmcpd::connection::{ChannelEvent, CloseReason};

use crate::target::{Scene, drain, type_line, until};

/// A command's two streams, its exit code, its standard input and its end arrive each as itself.
#[tokio::test(flavor = "multi_thread")]
async fn streams_and_status_are_apart() {
    let scene = Scene::new("");
    let (connection, shell) = scene.shell().await;
    let command = "cat; echo wrong >&2; exit 7";
    let open = scene.pool.open_exec(&scene.target, &connection, command).await;
    let (on, mut channel) = open.expect("a channel");
    assert_eq!(on.id(), connection.id());
    let writer = channel.writer();
    writer.write(Bytes::from_static(b"given")).await.expect("input");
    writer.eof().await.expect("eof");
    let said = drain(&mut channel).await;
    assert_eq!(said.stdout, "given");
    assert_eq!(said.stderr, "wrong\n");
    assert_eq!(said.status, Some(7));
    assert_eq!(said.end, Some(CloseReason::Normal));
    assert_eq!(channel.next().await, None);
    let late = writer
        .write(Bytes::from_static(b"late"))
        .await
        .expect_err("closed");
    assert_eq!(late.reason, Reason::ConnectionLost);
    drop(shell);
}

/// A death by signal is told as such.
#[tokio::test(flavor = "multi_thread")]
async fn signals_are_named() {
    let scene = Scene::new("");
    let (connection, _shell) = scene.shell().await;
    let open = scene
        .pool
        .open_exec(&scene.target, &connection, "kill -KILL $$")
        .await;
    let (_, mut channel) = open.expect("a channel");
    assert_eq!(drain(&mut channel).await.signal.as_deref(), Some("KILL"));
}

/// The terminal has the size that was asked for, and then the new one.
#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_is_resized() {
    let scene = Scene::new("");
    let (_, mut shell) = scene.shell().await;
    type_line(&shell, "stty size; echo $TERM").await;
    until(&mut shell, "24 80\r\nxterm-256color").await;
    shell.writer().resize(132, 50).await.expect("resized");
    type_line(&shell, "stty size").await;
    until(&mut shell, "50 132").await;
}

/// Ten megabytes either way arrive whole.
#[tokio::test(flavor = "multi_thread")]
async fn much_data_passes() {
    let scene = Scene::new("");
    let (connection, _shell) = scene.shell().await;
    let (_, mut channel) = scene
        .pool
        .open_exec(&scene.target, &connection, "tee /dev/stderr")
        .await
        .expect("a channel");
    let data: Vec<u8> = (0..10_u32 << 18).flat_map(u32::to_le_bytes).collect();
    let writer = channel.writer();
    let sent = Bytes::from(data.clone());
    let sending = tokio::spawn(async move {
        writer.write(sent).await.expect("written");
        writer.eof().await.expect("eof");
    });
    let said = drain(&mut channel).await;
    sending.await.expect("sent");
    assert!(said.stdout == data && said.stderr == data);
}

/// Our own close ends the reader too, after what was already there.
#[tokio::test(flavor = "multi_thread")]
async fn closing_ends_the_reader() {
    let scene = Scene::new("");
    let (_, mut shell) = scene.shell().await;
    shell.writer().close().await.expect("closed");
    assert_eq!(drain(&mut shell).await.end, Some(CloseReason::Normal));
}

/// A dropped channel is closed: its program loses its output and ends, and the connection goes on.
#[tokio::test(flavor = "multi_thread")]
async fn dropping_closes() {
    let scene = Scene::new("");
    let (connection, mut shell) = scene.shell().await;
    let command = "echo pid $$; exec yes";
    let open = scene.pool.open_exec(&scene.target, &connection, command).await;
    let (_, mut flood) = open.expect("a channel");
    let said = until(&mut flood, "\ny\n").await;
    let pid: u32 = said
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("pid "))
        .and_then(|pid| pid.parse().ok())
        .expect("its process");
    drop(flood);
    type_line(
        &shell,
        &format!("while kill -0 {pid} 2>/dev/null; do :; done; echo go''ne"),
    )
    .await;
    until(&mut shell, "gone").await;
}

/// A killed connection says so on every channel, and a waiting writer is let go.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_connection_is_told() {
    let scene = Scene::new("");
    let (connection, mut shell) = scene.shell().await;
    let open = scene
        .pool
        .open_exec(&scene.target, &connection, "sleep 1000")
        .await;
    let (_, mut sleeper) = open.expect("a channel");
    let writer = sleeper.writer();
    // More than the window: this waits until the connection ends.
    let stuck = tokio::spawn(async move { writer.write(Bytes::from(vec![0; 64 << 20])).await });
    until(&mut shell, "$").await;
    scene.sshd.kill_connections();
    for channel in [&mut shell, &mut sleeper] {
        let end = drain(channel).await.end;
        assert!(
            matches!(&end, Some(CloseReason::ConnectionLost(cause)) if !cause.is_empty()),
            "{end:?}"
        );
    }
    assert!(stuck.await.expect("joined").is_err());
    assert!(!connection.closed().await.is_empty());
    assert!(!connection.is_alive());

    // The next opening works at once, on another connection.
    let (next, _shell) = scene.shell().await;
    assert_ne!(next.id(), connection.id());
    assert_eq!(scene.pool.connections(), 1);
}

/// Nothing of an event is lost when a wait for it is given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_can_be_given_up() {
    let scene = Scene::new("");
    let (connection, _shell) = scene.shell().await;
    let open = scene
        .pool
        .open_exec(&scene.target, &connection, "seq 1 20000")
        .await;
    let (_, mut channel) = open.expect("a channel");
    let mut bytes = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            event = channel.next() => match event {
                Some(ChannelEvent::Stdout(more)) => bytes.extend_from_slice(&more),
                Some(_) => {}
                None => break,
            },
        }
    }
    let want: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
    assert!(bytes == want.as_bytes());
}
