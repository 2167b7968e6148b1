//! A [`Reader`] on a stream. Nothing is spawned: the task that asks does the reading and the writing.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Error, Piece, Reader, RequestHead, ResponseHead};

/// A connection to one server, for one exchange at a time.
///
/// Dropping a future of [`Connection::send`] leaves the connection spent; one of [`Connection::read`] loses nothing.
#[derive(Debug)]
pub struct Connection<S> {
    io: S,
    reader: Reader,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Takes a stream that is ready for its first request.
    pub fn new(io: S) -> Self {
        Self { io, reader: Reader::new() }
    }

    /// Sends a request, head and body in one write where the stream allows it, and reads the response's head.
    ///
    /// The answer is watched for while the body is being written, so that a server which refuses a long body early is
    /// heard; the connection is spent then, and an early success is an error.
    ///
    /// # Errors
    /// Any [`Error`] but [`Error::BodyTooLong`]; [`Connection::heard`] tells whether an answer had begun.
    pub async fn send(&mut self, head: &RequestHead, body: Bytes) -> Result<ResponseHead, Error> {
        self.reader.expect(head.is_head())?;
        // Bytes that came unasked may still lie in the stream; a look costs nothing where there are none.
        if let Some(found) = poll_fn(|cx| Poll::Ready(self.glance(cx))).await {
            return Err(if found? == 0 { Error::Closed } else { Error::Unsolicited });
        }
        let mut length = itoa::Buffer::new();
        let parts: [&[u8]; 4] = if body.is_empty() && head.is_bodiless() {
            [head.as_bytes(), b"\r\n", b"", b""]
        } else {
            [head.as_bytes(), b"content-length: ", length.format(body.len()).as_bytes(), b"\r\n\r\n"]
        };
        let [a, b, c, d] = parts;
        let mut slices = [a, b, c, d, &body].map(IoSlice::new);
        let sent = self.write(&mut slices).await;
        let early = !matches!(sent, Ok(true));
        if early {
            self.reader.spend();
        }
        match (self.head().await, sent) {
            (Ok(head), _) if early && head.status() < 400 => Err(Error::Early),
            // When writing failed and nothing came back, the failure is the story.
            (Err(_), Err(e)) if !self.reader.heard() => Err(Error::Io(e)),
            (result, _) => result,
        }
    }

    /// The next piece of the body, of at most `max` bytes: all that has arrived, its framing removed; none at the end.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Truncated`], [`Error::Malformed`], [`Error::TooLarge`] or [`Error::Spent`].
    pub async fn read(&mut self, max: usize) -> Result<Option<Bytes>, Error> {
        loop {
            match self.reader.body(max)? {
                Piece::Data(bytes) => return Ok(Some(bytes)),
                Piece::End => return Ok(None),
                Piece::More => self.fill().await?,
            }
        }
    }

    /// The whole rest of the body, of at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Connection::read`], and [`Error::BodyTooLong`].
    pub async fn read_whole(&mut self, limit: usize) -> Result<Bytes, Error> {
        let first = self.read(limit.saturating_add(1)).await?.unwrap_or_default();
        if first.len() > limit {
            return Err(Error::BodyTooLong);
        }
        // Most answers are one piece, and are not copied.
        let Some(second) = self.read(limit.saturating_add(1)).await? else { return Ok(first) };
        let mut whole = BytesMut::with_capacity(first.len() + second.len().max(READ_AHEAD));
        whole.extend_from_slice(&first);
        drop(first);
        let mut next = Some(second);
        while let Some(piece) = next {
            if piece.len() > limit - whole.len() {
                return Err(Error::BodyTooLong);
            }
            whole.extend_from_slice(&piece);
            drop(piece);
            next = self.read(limit.saturating_add(1)).await?;
        }
        Ok(whole.freeze())
    }

    /// Whether the last exchange is over and the connection fit for another.
    #[must_use]
    pub fn reusable(&self) -> bool {
        self.reader.reusable()
    }

    /// Whether any byte of an answer to the last request has come.
    #[must_use]
    pub fn heard(&self) -> bool {
        self.reader.heard()
    }

    /// What can be read without waiting, if anything.
    fn glance(&mut self, cx: &mut Context<'_>) -> Option<io::Result<usize>> {
        let mut byte = [0];
        let mut buf = ReadBuf::new(&mut byte);
        match Pin::new(&mut self.io).poll_read(cx, &mut buf) {
            Poll::Pending => None,
            Poll::Ready(result) => {
                self.reader.spend();
                Some(result.map(|()| buf.filled().len()))
            }
        }
    }

    /// True when all was written; false when the server spoke first.
    async fn write(&mut self, mut slices: &mut [IoSlice<'_>]) -> io::Result<bool> {
        poll_fn(|cx| {
            loop {
                IoSlice::advance_slices(&mut slices, 0);
                let step = if slices.is_empty() {
                    Pin::new(&mut self.io).poll_flush(cx).map_ok(|()| None)
                } else {
                    Pin::new(&mut self.io).poll_write_vectored(cx, slices).map_ok(Some)
                };
                match step {
                    Poll::Ready(Ok(None)) => return Poll::Ready(Ok(true)),
                    Poll::Ready(Ok(Some(0))) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(Some(n))) => IoSlice::advance_slices(&mut slices, n),
                    Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                    Poll::Pending => {
                        return match ready!(self.poll_fill(cx)) {
                            Ok(0) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                            read => Poll::Ready(read.map(|_| false)),
                        };
                    }
                }
            }
        })
        .await
    }

    async fn head(&mut self) -> Result<ResponseHead, Error> {
        loop {
            if let Some(head) = self.reader.head()? {
                return Ok(head);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), Error> {
        if poll_fn(|cx| self.poll_fill(cx)).await? == 0 { self.reader.close() } else { Ok(()) }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // `read_buf` appends into the buffer's spare room without zeroing it first.
        let mut read = std::pin::pin!(tokio::io::AsyncReadExt::read_buf(&mut self.io, self.reader.buffer()));
        std::future::Future::poll(read.as_mut(), cx)
    }
}

/// Room made at once for a body of several pieces.
const READ_AHEAD: usize = 64 * 1024;

#[cfg(test)]
mod tests;
