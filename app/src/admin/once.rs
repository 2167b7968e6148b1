//! Idempotency keys: a change that is asked for again, because its answer was lost, is made once.
//!
//! What is kept for a day is a keyed hash of who asked with which key, one of what was asked, and the answer, which holds no
//! secret: the answer that showed an API key is kept without it. A request that was refused is not remembered.

use std::time::Duration;

use countersign_core::{Code, Refusal, Timestamp};
use countersign_store::Claim;
use data_encoding::HEXLOWER;
use http::{HeaderName, HeaderValue};

use super::{
    Ask, Reply,
    ask::{malformed, unkept},
    reply,
};

/// The header.
pub(crate) const KEY: &str = "idempotency-key";

/// Answers a request that came with a key.
pub(crate) async fn answer(ask: &Ask<'_>, key: &HeaderValue) -> Result<Reply, Refusal> {
    let key = key.as_bytes();
    if !(1..=MAX_KEY).contains(&key.len()) || !key.iter().all(u8::is_ascii_graphic) {
        return Err(malformed("the idempotency key is not 1 to 128 printable characters"));
    }
    let (who, state) = (ask.by()?, &ask.admin.state);
    let hasher =
        state.ring().hasher(PURPOSE).map_err(|_| Refusal::new(Code::Internal, "the key ring gave no hasher"))?;
    let hash = |parts: [&[u8]; 3]| HEXLOWER.encode(&hasher.hash(&parts.join(&b"\n"[..])));
    let path = ask.route.path.as_bytes();
    let asked = hash([who.as_bytes(), b"", key]);
    let request = hash([path, ask.id().as_bytes(), ask.body()]);
    let now = ask.now();
    let forgotten = Timestamp(now.0.saturating_sub(u64::try_from(KEPT.as_micros()).unwrap_or(u64::MAX)));
    match state.store().claim_answer(&asked, &request, now, forgotten).await.map_err(unkept)? {
        Claim::Fresh => {}
        Claim::OfAnother => return Err(Refusal::new(Code::KeyReused, "the idempotency key came with another request")),
        Claim::Begun => {
            let what = "the first request with this idempotency key is not over, or broke off";
            return Err(Refusal::new(Code::Conflict, what));
        }
        Claim::Answered(status, body) => {
            let repeated = HeaderName::from_static("idempotency-replayed");
            let given = ask.route.gives.iter().find(|gives| gives.status == status).and_then(|gives| gives.body);
            let kind = given.map_or(reply::JSON, |(kind, _)| kind);
            return Ok(Reply::of(status, kind, body.into()).with(repeated, HeaderValue::from_static("true")));
        }
    }
    let reply = (ask.route.run)(ask).await;
    let answer = reply.as_ref().ok().map(|reply| reply.kept()).filter(|(status, _)| *status < 300);
    let kept = match answer.map(|(status, body)| (status, String::from_utf8_lossy(body).into_owned())) {
        Some((status, body)) => state.store().keep_answer(&asked, status, &body).await,
        None => state.store().forget_answer(&asked).await,
    };
    // The change is made and on record. Without the answer a repeated request is told to look.
    if let Err(error) = kept {
        let _ = unkept(error);
    }
    reply
}

const PURPOSE: &str = "idempotency-key";
const MAX_KEY: usize = 128;
const KEPT: Duration = Duration::from_hours(24);
