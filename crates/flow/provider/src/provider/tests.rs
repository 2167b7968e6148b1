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
    let (_, upstream) = provider.dispatch(intended).await.map_err(|(refusal, _)| refusal)?;
    read(upstream).await
}

async fn read(upstream: Upstream) -> Result<Bytes, Refusal> {
    match upstream {
        Upstream::Whole(bytes) => Ok(bytes),
        Upstream::Stream(mut body) => {
            let mut all = Vec::new();
            while let Some(piece) = body.next().await? {
                assert!(!piece.is_empty());
                all.extend_from_slice(&piece);
            }
            assert_eq!(body.next().await.unwrap(), None);
            Ok(all.into())
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
