//! Takes a request's body in, within bounds of size and time.

use bytes::{Bytes, BytesMut};
use countersign_core::{Code, Refusal};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::Limits;

/// Checks what the headers say of the body, before any of it is read.
pub(crate) fn announced(headers: &HeaderMap, limits: &Limits) -> Result<(), Refusal> {
    let media = |reason| Err(Refusal::new(Code::UnsupportedMedia, reason));
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    match (kinds.next(), kinds.next()) {
        (Some(kind), None) if is_json(kind.as_bytes()) => {}
        _ => return media("the content type is not application/json"),
    }
    // A compressed body would have to be inflated before anything is known about it.
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return media("the body is compressed");
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|n| n > limits.wire.body as u64) {
        return Err(Refusal::new(Code::TooLarge, "the announced length is over the limit"));
    }
    Ok(())
}

/// Reads the whole body.
pub(crate) async fn read<B>(body: B, limits: &Limits) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    let deadline = Instant::now() + limits.body_time;
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => {
                return Err(Refusal { cut: true, ..Refusal::new(Code::RequestTimeout, "the body took too long") });
            }
            Ok(None) => break,
            Ok(Some(Err(_))) => {
                return Err(Refusal {
                    cut: true,
                    ..Refusal::new(Code::Malformed, "the body broke off or is malformed")
                });
            }
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers carry nothing that any format uses.
        let Ok(data) = frame.into_data() else { continue };
        if first.as_ref().map_or(0, Bytes::len) + rest.len() + data.len() > limits.wire.body {
            return Err(Refusal { cut: true, ..Refusal::new(Code::TooLarge, "the body is over the limit") });
        }
        // Nearly every body comes in one piece, which is then never copied.
        match &first {
            None => first = Some(data),
            Some(_) => rest.extend_from_slice(&data),
        }
    }
    Ok(match first {
        None => Bytes::new(),
        Some(whole) if rest.is_empty() => whole,
        Some(head) => [head.as_ref(), &rest].concat().into(),
    })
}

fn is_json(kind: &[u8]) -> bool {
    let Ok(kind) = std::str::from_utf8(kind) else { return false };
    let (essence, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let charset = parameters.trim();
    essence.trim().eq_ignore_ascii_case("application/json")
        && (charset.is_empty() || charset.eq_ignore_ascii_case("charset=utf-8"))
}
