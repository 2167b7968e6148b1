//! What comes back: a whole body, or a stream piece by piece.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use countersign_core::{Clock, Format, Refusal};
use countersign_http1::Connection;
use countersign_wire::{Limits, sse, translate};
use tokio::time::{Instant, timeout_at};

use crate::{BoxIo, attempt::Known, fault::Fault};

/// A provider's answer, in the format the caller asked in. It is as untrusted as anything from outside.
pub enum Upstream {
    /// All of it.
    Whole(Bytes),
    /// As it is written.
    Stream(Box<Body>),
}

/// A stream of server-sent events. Read it to its end, so that its connection can serve again; dropping it early closes
/// the connection, which tells the provider to stop.
pub struct Body {
    connection: Option<Connection<BoxIo>>,
    known: Arc<Known>,
    clock: Arc<dyn Clock>,
    idle: Duration,
    deadline: Instant,
    translation: Option<Box<Translation>>,
    /// Said again if asked again: a stream that broke must never seem to have ended.
    failed: Option<Refusal>,
}

struct Translation {
    splitter: sse::Splitter,
    stream: translate::Stream,
    out: BytesMut,
}

impl Body {
    pub(crate) fn new(
        connection: Connection<BoxIo>,
        known: Arc<Known>,
        clock: Arc<dyn Clock>,
        deadline: Instant,
        (from, to): (Format, Format),
    ) -> Self {
        let idle = known.target.timeouts.idle;
        let translation = (from != to).then(|| Box::new(Translation::new(from, to)));
        Self { connection: Some(connection), known, clock, idle, deadline, translation, failed: None }
    }

    /// All that has arrived, at most 64 KiB of it where nothing is translated; none at the end. Events may be cut anywhere.
    ///
    /// # Errors
    /// `CS0702` when the provider breaks off, `CS0703` when it pauses or goes on for too long, `CS0704` when its framing
    /// does not hold or it cannot be translated. The stream is over then.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            let piece = self.piece().await?;
            let Some(translation) = &mut self.translation else { return Ok(piece) };
            let over = piece.is_none();
            match translation.turn(piece) {
                Err(fault) => return Err(self.broken(fault)),
                Ok(said) if !said.is_empty() => return Ok(Some(said)),
                Ok(_) if over => return Ok(None),
                Ok(_) => {}
            }
        }
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Refusal> {
        let Some(connection) = &mut self.connection else {
            return self.failed.clone().map_or(Ok(None), Err);
        };
        // The timer has its turn only where the provider has nothing ready: one that never pauses would go on for ever.
        if Instant::now() >= self.deadline {
            return Err(self.broken(Fault::timeout(TOO_LONG)));
        }
        let pause = after(self.idle);
        let fault = match timeout_at(pause.min(self.deadline), connection.read(PIECE)).await {
            Ok(Ok(Some(bytes))) => return Ok(Some(bytes)),
            Ok(Ok(None)) => {
                self.known.breaker.success();
                self.finish();
                return Ok(None);
            }
            Ok(Err(e)) => Fault::exchange(&e),
            Err(_) if pause < self.deadline => Fault::timeout("the provider paused its stream for too long"),
            Err(_) => Fault::timeout(TOO_LONG),
        };
        Err(self.broken(fault))
    }

    /// Hands the connection back if it can carry another request.
    fn finish(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.known.pool.put(connection, self.clock.now());
        }
    }

    fn broken(&mut self, fault: Fault) -> Refusal {
        self.connection = None;
        self.known.note(&fault, self.clock.now());
        self.failed = Some(fault.refusal.clone());
        fault.refusal
    }
}

impl Translation {
    fn new(from: Format, to: Format) -> Self {
        let stream = translate::Stream::new(from, to);
        Self { splitter: sse::Splitter::new(Limits::default().event), stream, out: BytesMut::new() }
    }

    /// Takes a piece of the provider's stream, or its end, and returns what the caller is to have of it, if anything.
    fn turn(&mut self, piece: Option<Bytes>) -> Result<Bytes, Fault> {
        match piece {
            Some(bytes) => {
                self.splitter.push(bytes);
                while let Some(event) = self.splitter.next_event().map_err(|e| Fault::untranslatable(e.to_string()))? {
                    self.stream.push(&event, &mut self.out).map_err(|e| Fault::untranslatable(e.to_string()))?;
                }
            }
            None => self.stream.finish(&mut self.out),
        }
        Ok(self.out.split().freeze())
    }
}

impl Drop for Body {
    /// A stream dropped after its last byte has come still leaves a good connection.
    fn drop(&mut self) {
        self.finish();
    }
}

/// A time from now. What configuration calls forever is a day.
pub(crate) fn after(span: Duration) -> Instant {
    Instant::now() + span.min(DAY)
}

/// The most handed on at once.
const PIECE: usize = 64 * 1024;
const DAY: Duration = Duration::from_secs(86_400);

const TOO_LONG: &str = "the provider's stream went on for too long";
