//! The client's messages on their way in: where one may have carried a secret, what buffers behind this reader keep of
//! it is written over. It knows no message; a line of blanks means nothing to the protocol.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

/// What the names of all parameters that carry secrets end in.
const SIGN: &[u8] = b"password";

/// A reader of lines.
pub(crate) struct Wiping<R> {
    inner: R,
    /// The last bytes, for a sign that comes in two pieces.
    tail: Vec<u8>,
    /// A sign came, and its line or a later one is not ended.
    seen: bool,
    /// Bytes of the line so far.
    line: usize,
    /// The longest line or piece since the last filler.
    longest: usize,
    /// Bytes of blanks that are still to be given.
    filler: usize,
}

impl<R> Wiping<R> {
    /// Reads from this.
    pub(crate) const fn new(inner: R) -> Self {
        Self {
            inner,
            tail: Vec::new(),
            seen: false,
            line: 0,
            longest: 0,
            filler: 0,
        }
    }

    fn look(&mut self, piece: &[u8]) {
        self.tail
            .extend_from_slice(piece.get(..SIGN.len().min(piece.len())).unwrap_or_default());
        let has = |bytes: &[u8]| bytes.windows(SIGN.len()).any(|window| window == SIGN);
        self.seen |= has(&self.tail) || has(piece);
        self.tail.clear();
        self.tail.extend_from_slice(
            piece
                .get(piece.len().saturating_sub(SIGN.len() - 1)..)
                .unwrap_or_default(),
        );
        self.longest = self.longest.max(piece.len());
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            self.line += part.len();
            self.longest = self.longest.max(self.line);
            if part.ends_with(b"\n") {
                self.line = 0;
            }
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Wiping<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Asked for more after a whole line: it was taken in.
        if this.filler == 0 && this.seen && this.line == 0 {
            this.seen = false;
            this.tail.fill(0);
            this.tail.clear();
            this.filler = std::mem::take(&mut this.longest) + 1;
        }
        if this.filler > 0 && buffer.remaining() > 0 {
            let count = this.filler.min(buffer.remaining());
            let blanks = buffer.initialize_unfilled_to(count);
            blanks.fill(b' ');
            this.filler -= count;
            if this.filler == 0
                && let Some(last) = blanks.last_mut()
            {
                *last = b'\n';
            }
            buffer.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
        let piece = buffer.filled().get(before..).unwrap_or_default();
        this.look(piece);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    async fn read(pieces: &[&str]) -> Vec<String> {
        let (mut client, ours) = tokio::io::duplex(1000);
        let mut reader = Wiping::new(ours);
        let mut read = Vec::new();
        for piece in pieces {
            tokio::io::AsyncWriteExt::write_all(&mut client, piece.as_bytes())
                .await
                .expect("room");
            let mut buffer = [0; 1000];
            loop {
                let count = reader.read(&mut buffer).await.expect("open");
                let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                let is_piece = text == **piece;
                read.push(text);
                if is_piece {
                    break;
                }
            }
        }
        read
    }

    /// A line with a secret is followed by as many blanks, however it came; others by nothing.
    #[tokio::test]
    async fn blanks_follow_secrets() {
        assert_eq!(read(&["a\n", "b\n"]).await, ["a\n", "b\n"]);
        let read = read(&["{\"pass", "word\": \"hunter2\"}\n", "next\n"]).await;
        let length = "{\"password\": \"hunter2\"}\n".len();
        assert_eq!(read.len(), 4, "{read:?}");
        assert_eq!((read[2].len(), read[2].trim()), (length + 1, ""), "{read:?}");
        assert!(read[2].ends_with('\n'));
    }
}
