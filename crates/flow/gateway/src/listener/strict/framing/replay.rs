//! What the fuzz target `framing` and the tests both do: bytes of a connection, framed here and by the server behind.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::{Framing, State};

/// Frames `bytes` whole and byte by byte, and has the server read what passed.
///
/// # Panics
/// When the verdict depends on how the bytes were cut, or the server finds a request that was not found before it, or one
/// of another length.
pub(crate) fn check(bytes: &[u8]) {
    let whole = Framing::default().take(bytes).err();
    let mut framing = Framing::default();
    let each = bytes.iter().position(|b| framing.take(&[*b]).is_err());
    assert_eq!(each, whole.map(|o| o.at), "byte by byte: {}", bytes.escape_ascii());
    let mut strict = bytes.to_vec();
    if let Some(objection) = whole {
        strict.truncate(objection.at + 1);
        strict[objection.at] = 0;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (mine, theirs) = (framed(bytes), runtime.block_on(served(&strict)));
    assert!(mine.starts_with(&theirs), "{}: {mine:?} and {theirs:?}", bytes.escape_ascii());
}

/// The server that stands behind: method and body length of each request it takes whole, as it reads them by itself.
async fn served(bytes: &[u8]) -> Vec<(String, usize)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let service = service_fn(|request: Request<Incoming>| {
        let seen = seen.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            seen.lock().expect("no panic").push((head.method.to_string(), body.len()));
            Ok::<_, hyper::Error>(Response::new(Empty::<Bytes>::new()))
        }
    });
    theirs.write_all(bytes).await.expect("room for all of it");
    theirs.shutdown().await.expect("memory");
    let _ = http1::Builder::new().serve_connection(TokioIo::new(ours), service).await;
    let seen = seen.lock().expect("no panic");
    seen.clone()
}

/// The same, as [`Framing`] has it: what ended before the bytes or the objection did.
fn framed(bytes: &[u8]) -> Vec<(String, usize)> {
    let mut framing = Framing::default();
    let (mut found, mut line, mut method, mut length) = (Vec::new(), Vec::new(), String::new(), 0);
    for byte in bytes {
        let before = framing.state;
        if framing.take(&[*byte]).is_err() {
            break;
        }
        if before == State::RequestLine {
            line.push(*byte);
        }
        length += usize::from(matches!(before, State::Body(_) | State::ChunkData(_)));
        if before == State::RequestLine && framing.state == State::Header {
            method = String::from_utf8_lossy(&line).trim_start().split(' ').next().unwrap_or_default().to_owned();
        }
        if before != State::RequestLine && framing.state == State::RequestLine {
            found.push((std::mem::take(&mut method), std::mem::take(&mut length)));
            line.clear();
        }
    }
    found
}
