//! What the client writes to us, as it comes; nothing of it stays behind in buffers of ours.

use std::{
    io::{self, Read as _},
    pin::Pin,
    task::{Context, Poll, ready},
    thread,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    net::unix::pipe,
    sync::mpsc,
};
use zeroize::Zeroizing;

/// Read at a time.
const PIECE: usize = 64 << 10; // 64 KiB
/// Pieces that wait to be taken: one is read while another is worked on, more would only be memory.
const AHEAD: usize = 1;

/// stdin. A pipe that we may open anew is read without a thread; anything else (a socket as Node.js gives it, a
/// terminal, a pipe of another user's making) is read by a thread of its own, since its descriptor may be shared with
/// others whom a non-blocking one would surprise.
pub(crate) fn stdin() -> Box<dyn AsyncRead + Send + Unpin> {
    match pipe::OpenOptions::new().open_receiver("/proc/self/fd/0") {
        Ok(pipe) => Box::new(pipe),
        Err(_) => Box::new(Pieces::read(io::stdin())),
    }
}

type Piece = io::Result<Zeroizing<Vec<u8>>>;

/// What a thread reads, piece by piece.
struct Pieces {
    pieces: mpsc::Receiver<Piece>,
    piece: Zeroizing<Vec<u8>>,
    taken: usize,
}

impl Pieces {
    /// The thread ends with the input, or when nobody takes its pieces any more.
    fn read(input: io::Stdin) -> Self {
        let (sender, pieces) = mpsc::channel(AHEAD);
        thread::spawn(move || {
            // Not through the standard library's own buffer, which would keep a copy: it is passed by where at least
            // as much is asked for as it holds (8 KiB).
            let mut input = input.lock();
            let mut buffer = Zeroizing::new(vec![0; PIECE]);
            loop {
                let read = match input.read(&mut buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    read => read,
                };
                let last = !matches!(read, Ok(count) if count > 0);
                let piece = read.map(|count| {
                    let part = buffer.get_mut(..count).unwrap_or_default();
                    let piece = Zeroizing::new(part.to_vec());
                    part.fill(0);
                    piece
                });
                if sender.blocking_send(piece).is_err() || last {
                    return;
                }
            }
        });
        Self {
            pieces,
            piece: Zeroizing::default(),
            taken: 0,
        }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.taken >= this.piece.len() {
            this.taken = 0;
            // The end was told by an empty piece; a thread that is gone tells it again.
            this.piece = match ready!(this.pieces.poll_recv(context)) {
                Some(piece) => piece?,
                None => Zeroizing::default(),
            };
        }
        let rest = this.piece.get(this.taken..).unwrap_or_default();
        let part = rest.get(..buffer.remaining().min(rest.len())).unwrap_or_default();
        buffer.put_slice(part);
        this.taken += part.len();
        if this.taken >= this.piece.len() {
            this.piece = Zeroizing::default();
            this.taken = 0;
        }
        Poll::Ready(Ok(()))
    }
}
