//! One exchange with the gateway, as a caller sees it: what is asked, what the provider would say, what comes back.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use countersign_core::{Code, Format, life::Peer};
use http::{Method, Request, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::world::{SCRIPTED, World, Wrong};

/// What is asked.
pub(crate) struct Ask {
    pub(crate) format: Format,
    pub(crate) stream: bool,
    /// The `authorization` header.
    pub(crate) authorization: Option<String>,
    pub(crate) prompt: String,
    /// The body, where it is not to be one with the prompt.
    pub(crate) body: Option<Bytes>,
    /// What becomes of the body's arrival after its first half.
    pub(crate) arrival: Wrong,
    /// Happens once something of the answer has come.
    pub(crate) when_answered: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Ask {
    pub(crate) fn good(world: &World, format: Format, stream: bool) -> Self {
        let authorization = Some(format!("Bearer {}", world.key));
        let prompt = "good day".into();
        Self { format, stream, authorization, prompt, body: None, arrival: Wrong::No, when_answered: None }
    }

    fn body(&self) -> Bytes {
        let (stream, prompt) = (self.stream, &self.prompt);
        let model = if self.format.is_anthropic() { "anthropic" } else { "openai" };
        let body = format!(
            r#"{{"model":"{model}","max_tokens":64,"stream":{stream},"messages":[{{"role":"user","content":"{prompt}"}}]}}"#
        );
        self.body.clone().unwrap_or_else(|| body.into())
    }
}

/// What comes back.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) said: String,
    /// Whether the body ended by an error, which closes the connection.
    pub(crate) cut: bool,
}

impl Got {
    /// The code a caller is told; none when the answer was an answer.
    pub(crate) fn code(&self) -> Option<Code> {
        let at = self.said.find("(CS")? + 1;
        let id = self.said.get(at..at + 6)?;
        Code::ALL.iter().copied().find(|c| c.id() == id)
    }

    /// The request's id as the refusal names it.
    pub(crate) fn request(&self) -> Option<&str> {
        let at = self.said.find("req_")?;
        self.said.get(at..at + 30)
    }

    /// Whether the refusal has the shape that the caller's SDK makes an exception of.
    pub(crate) fn has_shape(&self, format: Format) -> Result<(), String> {
        let Some(code) = self.code() else { return Err("no documented code".into()) };
        let text = if self.status == 200 {
            // Refused after it began: the last event says so, and nothing follows it.
            let last = self.said.trim_end().rsplit("\n\n").next().unwrap_or_default();
            if format.is_anthropic() && !last.starts_with("event: error\n") {
                return Err("the last event is no error".into());
            }
            last.lines().find_map(|l| l.strip_prefix("data: ")).unwrap_or_default()
        } else if self.status == code.status() {
            &self.said
        } else {
            return Err(format!("status {} for {}", self.status, code.id()));
        };
        let value: Value = serde_json::from_str(text).map_err(|e| format!("not JSON: {e}"))?;
        let error = &value["error"];
        let typed = error["type"].is_string() && error["message"].is_string();
        let whole = if format.is_anthropic() { value["type"] == "error" } else { error["code"].is_string() };
        if typed && whole { Ok(()) } else { Err(format!("not the provider's shape: {value}")) }
    }
}

/// Asks, and takes all that comes back.
pub(crate) async fn exchange(world: &World, ask: &Ask) -> Got {
    let mut request =
        Request::builder().method(Method::POST).uri(ask.format.path()).header(header::CONTENT_TYPE, "application/json");
    if let Some(authorization) = &ask.authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let request = request.body(Arriving { bytes: ask.body(), then: ask.arrival, at: 0 }).expect("a request");
    let response = world.gateway.handle(request, Peer { ip: None, listener: "test".into() }, None).await;
    let status = response.status().as_u16();
    let mut got = Got { status, said: String::new(), cut: false };
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                got.said.push_str(&String::from_utf8_lossy(frame.data_ref().map_or(&[][..], AsRef::as_ref)));
                if let Some(happens) = &ask.when_answered {
                    happens();
                }
            }
            Err(_) => got.cut = true,
        }
    }
    got
}

/// A body that comes in two halves, or does not.
struct Arriving {
    bytes: Bytes,
    then: Wrong,
    at: usize,
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let half = self.bytes.len() / 2;
        self.at += 1;
        match (self.at, self.then) {
            (1, _) => Poll::Ready(Some(Ok(Frame::data(self.bytes.slice(..half))))),
            (2, Wrong::No | Wrong::Raves) => Poll::Ready(Some(Ok(Frame::data(self.bytes.slice(half..))))),
            (_, Wrong::No | Wrong::Raves) => Poll::Ready(None),
            (_, Wrong::Fails) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            (_, Wrong::Panics) => panic!("{SCRIPTED}"),
            (_, Wrong::Hangs) => Poll::Pending,
        }
    }
}

/// An answer as the provider sends it: a head, and the text whole or an event for each piece.
pub(crate) fn answer(format: Format, stream: bool, pieces: &[&str]) -> Vec<u8> {
    if stream { sent("text/event-stream", &events(format, pieces)) } else { whole(format, &pieces.concat()) }
}

/// Bytes of a body in chunks, one for each piece.
pub(crate) fn sent(kind: &str, pieces: &[String]) -> Vec<u8> {
    let mut out =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    for piece in pieces {
        out.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
    }
    out.push_str("0\r\n\r\n");
    out.into_bytes()
}

/// A response with a length.
pub(crate) fn with_length(status: u16, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn whole(format: Format, text: &str) -> Vec<u8> {
    let body = if format.is_anthropic() {
        format!(
            r#"{{"id":"m","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":1,"output_tokens":1}}}}"#
        )
    } else {
        format!(
            r#"{{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}}}"#
        )
    };
    with_length(200, "application/json", &body)
}

/// The events of a stream that says these pieces.
pub(crate) fn events(format: Format, pieces: &[&str]) -> Vec<String> {
    if !format.is_anthropic() {
        let event = |delta: &str, end: &str| {
            format!(
                "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{end}}}]}}\n\n"
            )
        };
        let texts = pieces.iter().map(|p| event(&format!(r#"{{"content":"{p}"}}"#), "null"));
        return texts.chain([event("{}", r#""stop""#), "data: [DONE]\n\n".into()]).collect();
    }
    let event = |kind: &str, rest: String| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
    let start = r#","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#;
    let mut out = vec![event("message_start", start.into())];
    out.push(event("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#.into()));
    out.extend(
        pieces.iter().map(|p| {
            event("content_block_delta", format!(r#","index":0,"delta":{{"type":"text_delta","text":"{p}"}}"#))
        }),
    );
    out.push(event("content_block_stop", r#","index":0"#.into()));
    let end = r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1}"#;
    out.push(event("message_delta", end.into()));
    out.push(event("message_stop", String::new()));
    out
}
