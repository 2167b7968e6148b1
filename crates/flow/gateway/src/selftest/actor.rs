//! Plays the provider in the self-test: takes note of what reaches it, and answers in any dialect with a canary in the channel
//! it was asked for, cut over six deltas.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use countersign_core::{Channel, Format};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The provider's part.
#[derive(Clone)]
pub(crate) struct Actor {
    canary: Arc<str>,
    /// Where the next answer carries the canary; `None` for a clean answer.
    channel: Arc<Mutex<Option<Channel>>>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Actor {
    pub(crate) fn new(canary: &str) -> Self {
        Self { canary: canary.into(), channel: Arc::default(), heard: Arc::default() }
    }

    /// Sets the next answer and forgets what was heard.
    pub(crate) fn prepare(&self, channel: Option<Channel>) {
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = channel;
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The bodies that reached the provider since.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves one exchange on `io`, then closes it.
    pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(self, mut io: S) -> std::io::Result<()> {
        let mut request = BytesMut::new();
        let (head, body) = loop {
            if let Some(parts) = whole(&request) {
                break parts;
            }
            if io.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        };
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&body);
        let stream =
            body.windows(13).any(|w| w == b"\"stream\":true") || body.windows(14).any(|w| w == b"\"stream\": true");
        let channel = *self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, arguments, reasoning) = self.words(channel);
        let answer = if stream {
            streamed(spoken(&head), &text, &arguments, &reasoning)
        } else {
            vec![answered(spoken(&head), &text.concat(), &arguments.concat(), &reasoning.concat())]
        };
        let kind = if stream { "text/event-stream" } else { "application/json" };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        );
        io.write_all(head.as_bytes()).await?;
        for piece in answer {
            io.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await?;
        }
        io.write_all(b"0\r\n\r\n").await?;
        io.shutdown().await
    }

    /// What is said as text, as tool arguments and as reasoning: the canary in six pieces where it belongs.
    fn words(&self, channel: Option<Channel>) -> (Vec<String>, Vec<String>, Vec<String>) {
        let mut planted = vec!["all is ".to_owned()];
        planted.extend(pieces(&self.canary));
        planted.push(" well".into());
        let clean = || vec!["all is well".to_owned()];
        let at = |c| if channel == Some(c) { planted.clone() } else { clean() };
        (at(Channel::Assistant), at(Channel::ToolArguments), at(Channel::Reasoning))
    }
}

/// The six deltas a canary is cut into.
pub(super) fn pieces(canary: &str) -> impl Iterator<Item = String> {
    let step = canary.len().div_ceil(6).max(1);
    canary.as_bytes().chunks(step).map(|c| String::from_utf8_lossy(c).into_owned())
}

/// Head and body, once both are there.
fn whole(request: &BytesMut) -> Option<(String, Bytes)> {
    let end = request.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length: usize = head.split("content-length:").nth(1)?.split("\r\n").next()?.trim().parse().ok()?;
    (request.len() >= end + length).then(|| (head, Bytes::copy_from_slice(&request[end..end + length])))
}

/// Which API the request's path belongs to.
fn spoken(head: &str) -> Format {
    let path = head.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    let ends = |tail: &str| path.ends_with(tail);
    match () {
        () if ends("/chat/completions") => Format::Chat,
        () if ends("/completions") => Format::Completions,
        () if ends("/responses") => Format::Responses,
        () if ends("/embeddings") => Format::Embeddings,
        () if ends("/count_tokens") => Format::CountTokens,
        () => Format::Messages,
    }
}

fn answered(format: Format, text: &str, arguments: &str, reasoning: &str) -> String {
    match format {
        Format::Chat => format!(
            r#"{{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","reasoning_content":"{reasoning}","tool_calls":[{{"id":"t","type":"function","function":{{"name":"f","arguments":"{{\"a\":\"{arguments}\"}}"}}}}]}},"finish_reason":"tool_calls"}}],"usage":{{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}}}"#
        ),
        Format::Completions => format!(
            r#"{{"id":"c","object":"text_completion","created":1,"model":"m","choices":[{{"index":0,"text":"{text}","finish_reason":"stop","logprobs":null}}]}}"#
        ),
        Format::Responses => format!(
            r#"{{"id":"r","object":"response","created_at":1,"status":"completed","model":"m","output":[{{"type":"reasoning","id":"g","summary":[{{"type":"summary_text","text":"{reasoning}"}}]}},{{"type":"message","id":"o","role":"assistant","status":"completed","content":[{{"type":"output_text","text":"{text}","annotations":[]}}]}},{{"type":"function_call","id":"f","call_id":"t","name":"f","arguments":"{{\"a\":\"{arguments}\"}}","status":"completed"}}]}}"#
        ),
        Format::Messages => format!(
            r#"{{"id":"m","type":"message","role":"assistant","model":"m","content":[{{"type":"thinking","thinking":"{reasoning}","signature":"s"}},{{"type":"text","text":"{text}"}},{{"type":"tool_use","id":"t","name":"f","input":{{"a":"{arguments}"}}}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{{"input_tokens":1,"output_tokens":1}}}}"#
        ),
        Format::CountTokens => r#"{"input_tokens":1}"#.into(),
        Format::Embeddings | Format::Models => {
            r#"{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":1,"total_tokens":1}}"#.into()
        }
    }
}

fn streamed(format: Format, text: &[String], arguments: &[String], reasoning: &[String]) -> Vec<String> {
    match format {
        Format::Responses => responses(text, arguments, reasoning),
        Format::Messages => messages(text, arguments, reasoning),
        Format::Completions => {
            let event = |t: &str| {
                format!(
                    "data: {{\"id\":\"c\",\"object\":\"text_completion\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"text\":\"{t}\",\"finish_reason\":null}}]}}\n\n"
                )
            };
            text.iter().map(|t| event(t)).chain([DONE.to_owned()]).collect()
        }
        _ => chat(text, arguments, reasoning),
    }
}

fn chat(text: &[String], arguments: &[String], reasoning: &[String]) -> Vec<String> {
    let event = |delta: String| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let arguments = quoted(arguments);
    let mut out: Vec<_> = reasoning.iter().map(|r| event(format!(r#"{{"reasoning_content":"{r}"}}"#))).collect();
    out.extend(text.iter().map(|t| event(format!(r#"{{"content":"{t}"}}"#))));
    out.extend(arguments.iter().map(|a| {
        event(format!(
            r#"{{"tool_calls":[{{"index":0,"id":"t","type":"function","function":{{"name":"f","arguments":"{a}"}}}}]}}"#
        ))
    }));
    out.push(DONE.into());
    out
}

fn messages(text: &[String], arguments: &[String], reasoning: &[String]) -> Vec<String> {
    let event = |kind: &str, rest: String| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
    let mut out = vec![event(
        "message_start",
        r#","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#.into(),
    )];
    let arguments = quoted(arguments);
    let blocks = [
        (r#"{"type":"thinking","thinking":"","signature":""}"#, "thinking_delta", "thinking", reasoning),
        (r#"{"type":"text","text":""}"#, "text_delta", "text", text),
        (r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#, "input_json_delta", "partial_json", &arguments),
    ];
    for (index, (block, delta, field, pieces)) in blocks.into_iter().enumerate() {
        out.push(event("content_block_start", format!(r#","index":{index},"content_block":{block}"#)));
        for piece in pieces {
            out.push(event(
                "content_block_delta",
                format!(r#","index":{index},"delta":{{"type":"{delta}","{field}":"{piece}"}}"#),
            ));
        }
        out.push(event("content_block_stop", format!(r#","index":{index}"#)));
    }
    let end = r#","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":1}"#;
    out.push(event("message_delta", end.into()));
    out.push(event("message_stop", String::new()));
    out
}

fn responses(text: &[String], arguments: &[String], reasoning: &[String]) -> Vec<String> {
    let event = |kind: &str, rest: String| {
        format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":1{rest}}}\n\n")
    };
    let empty =
        r#","response":{"id":"r","object":"response","created_at":1,"status":"in_progress","model":"m","output":[]}"#;
    let mut out = vec![event("response.created", empty.into())];
    let arguments = quoted(arguments);
    let channels = [
        ("response.reasoning_summary_text.delta", r#""item_id":"g","output_index":0,"summary_index":0"#, reasoning),
        ("response.output_text.delta", r#""item_id":"o","output_index":1,"content_index":0"#, text),
        ("response.function_call_arguments.delta", r#""item_id":"f","output_index":2"#, &arguments),
    ];
    for (kind, place, pieces) in channels {
        out.extend(pieces.iter().map(|p| event(kind, format!(r#",{place},"delta":"{p}""#))));
    }
    let whole = answered(Format::Responses, &text.concat(), &self::text(&arguments), &reasoning.concat());
    out.push(event("response.completed", format!(r#","response":{whole}"#)));
    out
}

/// Arguments as pieces of a JSON text inside a JSON string.
fn quoted(arguments: &[String]) -> Vec<String> {
    let mut out = vec![r#"{\"a\":\""#.to_owned()];
    out.extend(arguments.iter().cloned());
    out.push(r#"\"}"#.into());
    out
}

/// What stood between the quotes that [`quoted`] put around.
fn text(quoted: &[String]) -> String {
    quoted[1..quoted.len() - 1].concat()
}

const DONE: &str = "data: [DONE]\n\n";
