//! One exchange with one target.

use std::sync::Arc;

use bytes::Bytes;
use countersign_core::{Clock, Code, Format, Refusal, Timestamp};
use countersign_http1::{Connection, Error, RequestHead, ResponseHead};
use countersign_wire::translate;
use tokio::time::{Instant, timeout_at};

use crate::{
    BoxIo, Dial, Target, Upstream,
    answer::{Body, after},
    breaker::{Breaker, Phase},
    fault::Fault,
    pool::Pool,
    prepare::Heads,
};

/// A target and what is known about it.
pub(crate) struct Known {
    pub(crate) target: Target,
    pub(crate) heads: Heads,
    pub(crate) pool: Pool,
    pub(crate) breaker: Breaker,
}

impl Known {
    /// Counts a fault for or against the target. One that never reached it says nothing about it.
    pub(crate) fn note(&self, fault: &Fault, now: Timestamp) {
        if fault.blame {
            self.breaker.failure(now);
        } else if fault.called {
            self.breaker.success();
        }
    }
}

/// What is asked of a target.
pub(crate) struct Asked {
    /// The format the caller asked in.
    pub(crate) caller: Format,
    /// The format the target is asked in.
    pub(crate) target: Format,
    pub(crate) stream: bool,
    /// In the target's format.
    pub(crate) body: Bytes,
    /// When everything must be over.
    pub(crate) deadline: Instant,
}

/// Asks once. The one exception: a pooled connection that turns out to be gone before a byte of an answer came is
/// replaced by a fresh one.
pub(crate) async fn attempt(
    known: &Arc<Known>,
    dial: &dyn Dial,
    clock: &Arc<dyn Clock>,
    asked: Asked,
) -> Result<Upstream, Fault> {
    let Some(head) = known.heads.get(asked.target, asked.stream) else {
        return Err(Fault::unsent(Refusal::new(Code::Internal, "a target was asked in a format it does not speak")));
    };
    let (mut connection, response) = exchange(known, dial, clock.as_ref(), head, asked.body, asked.deadline).await?;
    if response.status() != 200 {
        drain(known, connection, clock.as_ref()).await;
        return Err(Fault::status(&response));
    }
    check(&response, asked.stream)?;
    let formats = (asked.target, asked.caller);
    if asked.stream {
        // A stream may go on for long. That it began is enough to ask a target again which had been left alone.
        if known.breaker.phase(clock.now()) != Phase::Closed {
            known.breaker.success();
        }
        let body = Body::new(connection, Arc::clone(known), Arc::clone(clock), asked.deadline, formats);
        return Ok(Upstream::Stream(Box::new(body)));
    }
    let whole = match timeout_at(asked.deadline, connection.read_whole(WHOLE)).await {
        Ok(Ok(whole)) => whole,
        Ok(Err(e)) => return Err(Fault::exchange(&e)),
        Err(_) => return Err(Fault::timeout("the provider's answer was not complete in time")),
    };
    known.breaker.success();
    known.pool.put(connection, clock.now());
    if asked.target == asked.caller {
        return Ok(Upstream::Whole(whole));
    }
    let answer = translate::answer(asked.target, asked.caller, &whole);
    answer.map(Upstream::Whole).map_err(|e| Fault::untranslatable(e.to_string()))
}

async fn exchange(
    known: &Known,
    dial: &dyn Dial,
    clock: &dyn Clock,
    head: &RequestHead,
    body: Bytes,
    deadline: Instant,
) -> Result<(Connection<BoxIo>, ResponseHead), Fault> {
    let timeouts = &known.target.timeouts;
    if let Some(mut pooled) = known.pool.take(clock.now()) {
        match send(&mut pooled, head, body.clone(), after(timeouts.first_byte).min(deadline)).await? {
            Ok(response) => return Ok((pooled, response)),
            Err(_) if !pooled.heard() => {}
            Err(e) => return Err(Fault::exchange(&e)),
        }
    }
    let dialed = timeout_at(after(timeouts.connect).min(deadline), dial.dial(&known.target)).await;
    let io = dialed.map_err(|_| Fault::dial_timeout())?.map_err(|e| Fault::dial(&e))?;
    let mut fresh = Connection::new(io);
    let response = send(&mut fresh, head, body, after(timeouts.first_byte).min(deadline)).await?;
    Ok((fresh, response.map_err(|e| Fault::exchange(&e))?))
}

async fn send(
    connection: &mut Connection<BoxIo>,
    head: &RequestHead,
    body: Bytes,
    until: Instant,
) -> Result<Result<ResponseHead, Error>, Fault> {
    let sent = timeout_at(until, connection.send(head, body)).await;
    sent.map_err(|_| Fault::timeout("the provider did not begin its answer in time"))
}

/// An answer of the wrong kind or announced as too long is withheld, whatever it holds: pages of proxies, streams nobody asked for, compressed
/// bodies that no guard would see through.
fn check(response: &ResponseHead, stream: bool) -> Result<(), Fault> {
    let kind = response.get("content-type").unwrap_or_default();
    let essence = kind.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let wanted: &[u8] = if stream { b"text/event-stream" } else { b"application/json" };
    if !essence.eq_ignore_ascii_case(wanted) {
        return Err(Fault::malformed(if stream {
            "the provider answered with something other than an event stream"
        } else {
            "the provider answered with something other than json"
        }));
    }
    if response.get("content-encoding").is_some_and(|e| !e.eq_ignore_ascii_case(b"identity")) {
        return Err(Fault::malformed("the provider compressed its answer, which it was asked not to do"));
    }
    if !stream && response.framing().length().is_some_and(|n| n > WHOLE as u64) {
        return Err(Fault::malformed("the provider announced an answer longer than the gateway takes"));
    }
    Ok(())
}

/// Reads a short error body away, so that a provider which says `429` often is not dialled as often.
async fn drain(known: &Known, mut connection: Connection<BoxIo>, clock: &dyn Clock) {
    if timeout_at(after(DRAIN_TIME), connection.read_whole(DRAIN)).await.is_ok() {
        known.pool.put(connection, clock.now());
    }
}

/// The longest whole answer, in bytes.
const WHOLE: usize = 32 << 20;
/// The longest error body that is read away, in bytes.
const DRAIN: usize = 64 * 1024;
const DRAIN_TIME: std::time::Duration = std::time::Duration::from_millis(250);
