//! Looks at HTTP/1.1 bytes before the server does, and turns what two readers could frame differently into what none accepts.
//!
//! The server forgives bare line feeds, a length next to chunks, repeated lengths and more. A proxy in front of us may
//! not, or in another way, and then the two disagree about where a request ends: that is request smuggling. What
//! [`Framing`] objects to is overwritten by a byte that stands nowhere in HTTP, so that the server itself answers 400 and
//! closes; nothing after it is handed on.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use framing::Framing;

mod framing;

/// A stream whose requests are framed strictly.
pub(super) struct Strict<S> {
    io: S,
    framing: Framing,
    end: End,
}

/// How far the end of a stream that was objected to has come.
enum End {
    Not,
    /// A head was cut: a blank line makes the server look at it.
    Blank,
    Over,
}

impl<S> Strict<S> {
    pub(super) fn new(io: S) -> Self {
        Self { io, framing: Framing::default(), end: End::Not }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.end {
            End::Not => {}
            End::Blank if buf.remaining() >= BLANK.len() => {
                self.end = End::Over;
                buf.put_slice(BLANK);
                return Poll::Ready(Ok(()));
            }
            End::Blank | End::Over => return Poll::Ready(Ok(())),
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if let Err(objection) = self.framing.take(fresh) {
            if let Some(byte) = buf.filled_mut().get_mut(before + objection.at) {
                *byte = 0;
                buf.set_filled(before + objection.at + 1);
            }
            self.end = if objection.in_head { End::Blank } else { End::Over };
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

const BLANK: &[u8] = b"\r\n\r\n";
