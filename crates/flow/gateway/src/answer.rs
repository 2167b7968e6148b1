//! The body of what the gateway sends: released bytes and nothing else, whole or as a stream that is screened as it flows.

use std::{
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use countersign_core::{Code, Format, Refusal, RequestId, life::Released};
use countersign_guard::Watch;
use countersign_provider::Body as Upstream;
use countersign_wire::stream::Events;
use futures_util::{FutureExt, Stream};
use http_body::{Body, Frame, SizeHint};
use tokio::{sync::watch, time::sleep};

use crate::{Gateway, ledger::Ledger, pipeline::no_logprobs};

/// What the listener sends: made of [`Released`] bytes alone.
pub struct AnswerBody(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Stream { first: Option<Released>, turn: Turn },
    Told { first: Option<Bytes>, then: Pin<Box<dyn Stream<Item = Released> + Send>> },
}

/// A stream between two pieces, being read, or over.
enum Turn {
    Ready(Box<Pump>),
    Busy(Pin<Box<dyn Future<Output = (Box<Pump>, Piece)> + Send>>),
    Over,
}

/// One turn of a stream: bytes to send, or its end.
enum Piece {
    Bytes(Released),
    End,
    /// The stream was refused and the connection goes with it.
    Cut,
}

/// The connection is ended because the answer was cut.
#[derive(Debug, thiserror::Error)]
#[error("the answer was cut")]
pub struct Cut(());

impl AnswerBody {
    pub(crate) fn whole(bytes: Released) -> Self {
        Self(Kind::Whole(Some(bytes.into_bytes())))
    }

    /// What a desk says now, and what it goes on telling.
    pub(crate) fn told(first: Released, then: Pin<Box<dyn Stream<Item = Released> + Send>>) -> Self {
        Self(Kind::Told { first: Some(first.into_bytes()), then })
    }

    const fn stream(first: Option<Released>, pump: Box<Pump>) -> Self {
        Self(Kind::Stream { first, turn: Turn::Ready(pump) })
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let (first, turn) = match &mut self.get_mut().0 {
            Kind::Whole(bytes) => return Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Kind::Told { first, then } => {
                if let Some(first) = first.take() {
                    return Poll::Ready(Some(Ok(Frame::data(first))));
                }
                let piece = ready!(then.as_mut().poll_next(cx));
                return Poll::Ready(piece.map(|released| Ok(Frame::data(released.into_bytes()))));
            }
            Kind::Stream { first, turn } => (first, turn),
        };
        if let Some(first) = first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first.into_bytes()))));
        }
        if matches!(turn, Turn::Ready(_)) {
            let Turn::Ready(pump) = std::mem::replace(turn, Turn::Over) else { return Poll::Ready(None) };
            *turn = Turn::Busy(Box::pin(pump.turn()));
        }
        let Turn::Busy(busy) = turn else { return Poll::Ready(None) };
        let (pump, piece) = ready!(busy.as_mut().poll(cx));
        match piece {
            Piece::Bytes(released) => {
                *turn = Turn::Ready(pump);
                Poll::Ready(Some(Ok(Frame::data(released.into_bytes()))))
            }
            Piece::End => {
                *turn = Turn::Over;
                Poll::Ready(None)
            }
            Piece::Cut => {
                *turn = Turn::Over;
                Poll::Ready(Some(Err(Cut(()))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Stream { .. } | Kind::Told { .. } => SizeHint::default(),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::Whole(None) | Kind::Stream { turn: Turn::Over, first: None })
    }
}

/// Moves a stream from the provider to the caller, past the guards.
pub(crate) struct Pump {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) upstream: Box<Upstream>,
    pub(crate) events: Events,
    pub(crate) watch: Watch,
    pub(crate) ledger: Ledger,
    pub(crate) format: Format,
    pub(crate) request: RequestId,
    rechecks: watch::Receiver<()>,
    state: State,
}

enum State {
    /// Events are coming.
    Flowing,
    /// The stream's own last event has been released; only the provider's end of transmission is left.
    Complete,
    /// Refused from here on; the refusal is yet to be said.
    Refused(Refusal),
    /// Said; the connection is to be cut if it was that kind of refusal.
    Said { cut: bool },
}

impl Pump {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        upstream: Box<Upstream>,
        watch: Watch,
        ledger: Ledger,
        format: Format,
        request: RequestId,
    ) -> Self {
        let events = Events::new(format, gateway.limits().answer);
        let rechecks = gateway.rechecks();
        Self { gateway, upstream, events, watch, ledger, format, request, rechecks, state: State::Flowing }
    }

    /// Waits for the first bytes that may be released, so that an answer refused at once is refused with a status
    /// instead of a broken stream.
    pub(crate) async fn open(self) -> Result<AnswerBody, (Refusal, Ledger)> {
        let (mut pump, piece) = Box::new(self).turn_until_refused().await;
        match (piece, std::mem::replace(&mut pump.state, State::Complete)) {
            (Some(Piece::Bytes(first)), state) => {
                pump.state = state;
                Ok(AnswerBody::stream(Some(first), pump))
            }
            (_, State::Refused(refusal)) => Err((refusal, pump.ledger)),
            (_, state) => {
                pump.state = state;
                Ok(AnswerBody(Kind::Stream { first: None, turn: Turn::Over }))
            }
        }
    }

    async fn turn_until_refused(mut self: Box<Self>) -> (Box<Self>, Option<Piece>) {
        let piece = self.flow_guarded().await;
        (self, piece)
    }

    /// One piece. A panic in any stage refuses like an error.
    async fn turn(mut self: Box<Self>) -> (Box<Self>, Piece) {
        if let Some(piece) = self.flow_guarded().await {
            return (self, piece);
        }
        let piece = match std::mem::replace(&mut self.state, State::Complete) {
            State::Refused(refusal) => {
                self.ledger.refused(&refusal);
                let last = self.gateway.speaker().refuse_stream(self.format, &refusal, self.request);
                self.state = State::Said { cut: refusal.cut };
                Piece::Bytes(last)
            }
            State::Said { cut: true } => {
                // The server drops what it has not written yet when a body fails: let it write the refusal first.
                sleep(self.gateway.limits().last_words).await;
                Piece::Cut
            }
            State::Said { cut: false } | State::Flowing | State::Complete => Piece::End,
        };
        (self, piece)
    }

    async fn flow_guarded(&mut self) -> Option<Piece> {
        match AssertUnwindSafe(self.flow()).catch_unwind().await {
            Ok(piece) => piece,
            // All of the answer has been released, and nothing may follow its last event.
            Err(_) if matches!(self.state, State::Complete) => Some(Piece::End),
            Err(_) => {
                self.state = State::Refused(Refusal::new(Code::Internal, "a stage panicked on the answer"));
                None
            }
        }
    }

    /// Reads until bytes may be released or the stream is over; `None` when what comes next is in `state`.
    async fn flow(&mut self) -> Option<Piece> {
        loop {
            match self.state {
                State::Flowing => {}
                State::Complete => return self.drain().await,
                State::Refused(_) | State::Said { .. } => return None,
            }
            let step = match self.read().await {
                Ok(Progress::More) => self.watch.settle(self.gateway.now()),
                Ok(Progress::Finished) => {
                    self.ledger.all_used();
                    let step = self.watch.finish(self.gateway.now());
                    self.state = State::Complete;
                    step
                }
                Err(refusal) => {
                    self.state = State::Refused(refusal);
                    return None;
                }
            };
            self.ledger.saw(self.watch.findings());
            if let Some(refusal) = step.ended {
                self.state = State::Refused(refusal);
            }
            if let Some(released) = step.released {
                return Some(Piece::Bytes(self.ledger.passing(released, false)));
            }
        }
    }

    /// Takes in whatever the provider has ready.
    async fn read(&mut self) -> Result<Progress, Refusal> {
        let malformed = |e: countersign_wire::WireError| Refusal::new(Code::ProviderMalformed, e.to_string());
        let Some(chunk) = self.next_chunk().await? else {
            self.events.finish().map_err(malformed)?;
            return Ok(Progress::Finished);
        };
        self.events.push(chunk);
        while let Some(event) = self.events.next_event().map_err(malformed)? {
            no_logprobs(event.logprobs, Code::AnswerRefused)?;
            if let Some(usage) = event.usage {
                self.ledger.used(usage);
            }
            self.ledger.calls(&event.document);
            self.watch.push(event.document);
            if event.terminal {
                return Ok(Progress::Finished);
            }
        }
        Ok(Progress::More)
    }

    /// Waits for the provider, and looks whether the caller's credential still stands: a stream that pauses, or says
    /// nothing that may be released, is cut as any other.
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, Refusal> {
        let lease = &self.watch.readmitted().principal().lease;
        let mut next = pin!(self.upstream.next());
        loop {
            let chunk = tokio::select! {
                biased;
                chunk = next.as_mut() => Some(chunk),
                // An error means that the gateway is gone, which no request outlives.
                _ = self.rechecks.changed() => None,
                () = sleep(LEASE_CHECK) => None,
            };
            lease.allows(self.gateway.now())?;
            if let Some(chunk) = chunk {
                return chunk;
            }
        }
    }

    /// Lets the provider end its transmission, so that the connection can serve again. What it sends after the last
    /// event is nobody's.
    async fn drain(&mut self) -> Option<Piece> {
        self.ledger.complete();
        let _ = self.upstream.next().await;
        Some(Piece::End)
    }
}

/// How often a stream that pauses is looked after.
const LEASE_CHECK: Duration = Duration::from_millis(250);

enum Progress {
    More,
    Finished,
}

#[cfg(test)]
mod tests;
