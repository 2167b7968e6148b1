//! Takes a request's body in, within bounds of size and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use countersign_core::{Code, ConversationName, Refusal};
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

/// The conversation that the caller says it belongs to.
pub(crate) fn conversation(headers: &HeaderMap) -> Result<Option<ConversationName>, Refusal> {
    let mut names = headers.get_all(CONVERSATION).iter();
    match (names.next(), names.next()) {
        (None, _) => Ok(None),
        (Some(name), None) => ConversationName::parse(name.as_bytes()).map(Some),
        (Some(_), Some(_)) => Err(Refusal::new(Code::Malformed, "the conversation is named twice")),
    }
}

/// Reads the whole body, of `most` bytes and within `time`.
pub(crate) async fn read<B>(body: B, most: usize, time: Duration) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    let deadline = Instant::now() + time;
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
        if first.as_ref().map_or(0, Bytes::len) + rest.len() + data.len() > most {
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

/// The header by which a caller names the conversation that a request belongs to.
const CONVERSATION: &str = "countersign-conversation";

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, io};

    use futures_util::stream;
    use http::{HeaderName, HeaderValue};
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn refused(headers: &[(&'static str, &'static str)]) -> Option<Code> {
        let pairs = headers.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)));
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        announced(&map, &Limits::default()).err().map(|r| r.code)
    }

    #[test]
    fn what_the_headers_say_is_believed_only_when_it_is_one_uncompressed_json_body() {
        const JSON: (&str, &str) = ("content-type", "application/json");
        for good in ["application/json", "Application/JSON", "application/json; charset=UTF-8", "application/json;"] {
            assert_eq!(refused(&[("content-type", good)]), None, "{good}");
        }
        for bad in ["", "text/plain", "application/jsonp", "application/json; charset=utf-7", "multipart/form-data"] {
            assert_eq!(refused(&[("content-type", bad)]), Some(Code::UnsupportedMedia), "{bad}");
        }
        assert_eq!(refused(&[]), Some(Code::UnsupportedMedia));
        assert_eq!(refused(&[JSON, JSON]), Some(Code::UnsupportedMedia));
        assert_eq!(refused(&[JSON, ("content-encoding", "gzip")]), Some(Code::UnsupportedMedia));
        assert_eq!(refused(&[JSON, ("content-encoding", "identity")]), None);
        assert_eq!(refused(&[JSON, ("content-length", "99999999999")]), Some(Code::TooLarge));
    }

    #[test]
    fn a_conversation_is_named_once_or_not_at_all() {
        let named = |names: &[&'static [u8]]| {
            let mut headers = HeaderMap::new();
            for name in names {
                headers.append(CONVERSATION, HeaderValue::from_bytes(name).unwrap());
            }
            conversation(&headers).map_err(|refusal| refusal.code)
        };
        assert_eq!(named(&[]), Ok(None));
        assert_eq!(named(&[b"c-1"]).unwrap().unwrap().as_bytes(), b"c-1");
        for bad in [&[&b""[..]][..], &[b"a b"], &[b"\xe9"], &[b"c-1", b"c-2"], &[b"c-1", b"c-1"]] {
            assert_eq!(named(bad), Err(Code::Malformed), "{bad:?}");
        }
    }

    const TIME: Duration = Duration::from_secs(30);

    async fn taken(pieces: &[&'static str]) -> Result<Bytes, Code> {
        let frames = pieces.iter().map(|p| Ok::<_, Infallible>(Frame::data(Bytes::from_static(p.as_bytes()))));
        read(StreamBody::new(stream::iter(frames.collect::<Vec<_>>())), 8, TIME).await.map_err(|r| r.code)
    }

    #[tokio::test]
    async fn a_body_is_taken_whole_up_to_its_limit_however_it_is_cut() {
        for pieces in [&["12345678"][..], &["1234", "5678"], &["", "1", "", "2345", "678", ""]] {
            assert_eq!(taken(pieces).await.unwrap(), "12345678", "{pieces:?}");
        }
        assert_eq!(taken(&[]).await.unwrap(), "");
        for pieces in [&["123456789"][..], &["12345678", "9"], &["", "12345678", "", "9"]] {
            assert_eq!(taken(pieces).await, Err(Code::TooLarge), "{pieces:?}");
        }
        assert!(read(Full::new(Bytes::from_static(b"123456789")), 8, TIME).await.is_err_and(|r| r.cut));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_breaks_off_or_drips_is_refused_and_cut() {
        let broken = stream::iter([Err::<Frame<Bytes>, _>(io::Error::from(io::ErrorKind::ConnectionReset))]);
        let refusal = read(StreamBody::new(broken), 8, TIME).await.unwrap_err();
        assert!(refusal.code == Code::Malformed && refusal.cut);
        // A byte every ten seconds: the time is for the whole body, not for each piece.
        let drips = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"1"))), ()))
        });
        let refusal = read(StreamBody::new(Box::pin(drips)), 8, TIME).await.unwrap_err();
        assert!(refusal.code == Code::RequestTimeout && refusal.cut);
    }
}
