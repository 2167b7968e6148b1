mod failover;
mod faults;
mod formats;
mod script;
mod sockets;

use bytes::Bytes;
use countersign_core::{Code, Refusal};

use crate::{Provider, Upstream};

use super::*;

const ASK: &str = r#"{"model":"m","messages":[{"role":"user","content":"canary-prompt-2b8e"}]}"#;

/// Dispatches a chat request and reads its answer to the end.
async fn ask(provider: &Provider, stream: bool) -> Result<Bytes, Refusal> {
    let intended = script::intended(Format::Chat, stream, ASK);
    let (_, upstream) = movable(provider.dispatch(intended)).await.map_err(|(refusal, _)| refusal)?;
    movable(read(upstream)).await
}

/// The stage is used from tasks that move between threads.
fn movable<F: Future + Send>(future: F) -> F {
    future
}

async fn read(upstream: Upstream) -> Result<Bytes, Refusal> {
    match upstream {
        Upstream::Whole(bytes) => Ok(bytes),
        Upstream::Stream(mut body) => {
            let mut all = Vec::new();
            loop {
                match body.next().await {
                    Ok(Some(piece)) => {
                        assert!(!piece.is_empty());
                        all.extend_from_slice(&piece);
                    }
                    Ok(None) => {
                        assert_eq!(body.next().await.unwrap(), None);
                        return Ok(all.into());
                    }
                    Err(refusal) => {
                        assert_eq!(body.next().await.unwrap_err().code, refusal.code, "a broken stream seemed to end");
                        return Err(refusal);
                    }
                }
            }
        }
    }
}

/// The code, when nothing of the prompt, the answer or the key is in the refusal.
fn code(result: Result<Bytes, Refusal>) -> Code {
    let refusal = result.unwrap_err();
    let text = format!("{refusal} {refusal:?}");
    assert!(!text.contains("canary"), "{text}");
    refusal.code
}
