//! What a conversation is, whatever API it is written in.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::TranslateError;

/// A request.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) turns: Vec<Turn>,
    pub(super) tools: Vec<Tool>,
    pub(super) choice: Option<Choice>,
    /// Whether several tools may be called at once.
    pub(super) parallel: Option<bool>,
    pub(super) max_tokens: Option<u64>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) stop: Vec<String>,
    pub(super) stream: bool,
    pub(super) user: Option<String>,
    pub(super) effort: Option<Effort>,
    pub(super) shape: Option<Shape>,
    /// Members the source format does not know and the target does, as they stand.
    pub(super) kept: Map<String, Value>,
}

/// What one party says before the next one speaks.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) role: Role,
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    System,
    User,
    Assistant,
}

#[derive(Debug)]
pub(super) enum Part {
    /// `cache` is Anthropic's `cache_control`.
    Text {
        text: String,
        cache: Option<Value>,
    },
    Image(Source),
    File {
        source: Source,
        name: Option<String>,
    },
    /// `arguments` is a JSON text, not necessarily a valid one: a model wrote it.
    Call {
        id: String,
        name: String,
        arguments: String,
    },
    /// `parts` holds text, images and files.
    Result {
        id: String,
        parts: Vec<Part>,
    },
}

/// Where an image or a file is.
#[derive(Debug)]
pub(super) enum Source {
    /// Base64.
    Data {
        media: String,
        data: String,
    },
    Url(String),
}

#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// JSON schema of the arguments.
    pub(super) schema: Option<Value>,
    pub(super) strict: Option<bool>,
    pub(super) cache: Option<Value>,
}

#[derive(Debug)]
pub(super) enum Choice {
    Auto,
    Any,
    Never,
    Tool(String),
}

/// How hard to think; the words are the same in every API, but for OpenAI's two lowest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

impl Effort {
    pub(super) fn read(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::XHigh,
            "max" => Self::Max,
            _ => return None,
        })
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }
}

/// What the answer must look like.
#[derive(Debug)]
pub(super) enum Shape {
    /// Any JSON object.
    Json,
    /// JSON that fits a schema.
    Schema { name: Option<String>, schema: Value },
}

/// An answer, or the error that came instead.
#[derive(Debug)]
pub(super) enum Answered {
    Said(Said),
    Failed(Failure),
}

#[derive(Debug)]
pub(super) struct Said {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) parts: Vec<Spoken>,
    pub(super) stop: Stop,
    pub(super) usage: Usage,
}

/// An error in a provider's words.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: String,
    pub(super) message: String,
}

#[derive(Debug)]
pub(super) enum Spoken {
    Text(String),
    Reasoning(String),
    Call { id: String, name: String, arguments: String },
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Stop {
    #[default]
    End,
    Length,
    Tools,
    Refused,
}

/// Tokens used. `input` and `output` are totals; the others are parts of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Usage {
    pub(super) input: u64,
    pub(super) cached: u64,
    pub(super) written: u64,
    pub(super) output: u64,
    pub(super) reasoning: u64,
}

impl Usage {
    pub(super) const EMPTY: Self = Self { input: 0, cached: 0, written: 0, output: 0, reasoning: 0 };
}

/// One step of a streamed answer. A reader emits `Start` first and nothing after `End` or `Failed`.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    Start {
        id: &'a str,
        model: &'a str,
    },
    Text(&'a str),
    Reasoning(&'a str),
    /// A call begins; the arguments follow.
    Call {
        id: Cow<'a, str>,
        name: &'a str,
    },
    /// More of the arguments of the call that began last.
    Arguments(&'a str),
    Usage(Usage),
    Stop(Stop),
    Failed(Failure),
    End,
}

/// A member that is there and not `null`.
pub(super) fn field<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    of.get(name).filter(|v| !v.is_null())
}

/// A member that is a string; empty when it is not there.
pub(super) fn string(of: &Value, name: &str) -> String {
    str_of(of, name).to_owned()
}

/// As [`string`], borrowed.
pub(super) fn str_of<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member that is a string, if it is there.
pub(super) fn opt_string(of: &Value, name: &str) -> Option<String> {
    of.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// A member that is a count; 0 when it is not there.
pub(super) fn count(of: &Value, name: &str) -> u64 {
    of.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// A member that is an array; empty when it is not there.
pub(super) fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A member that must be a string.
pub(super) fn need(of: &Value, name: &str, otherwise: &'static str) -> Result<String, TranslateError> {
    opt_string(of, name).ok_or(TranslateError::caller(otherwise))
}

/// The model of a request, which every format needs.
pub(super) fn model(of: &Value) -> Result<String, TranslateError> {
    need(of, "model", "`model` must be a string")
}

/// A string, or an array of strings.
pub(super) fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn text(text: &str) -> Part {
    Part::Text { text: text.to_owned(), cache: None }
}

/// Where an OpenAI image or file is: a `data:` URL (RFC 2397, base64 only) or another URL.
pub(super) fn source(url: &str) -> Result<Source, TranslateError> {
    let Some(rest) = url.strip_prefix("data:") else { return Ok(Source::Url(url.to_owned())) };
    let (media, data) =
        rest.split_once(";base64,").ok_or(TranslateError::caller("a `data:` URL must be base64-encoded"))?;
    let media = media.split(';').next().unwrap_or_default();
    Ok(Source::Data { media: media.to_owned(), data: data.to_owned() })
}

/// The URL of an OpenAI image or file.
pub(super) fn url(source: Source) -> String {
    match source {
        Source::Data { media, data } => format!("data:{media};base64,{data}"),
        Source::Url(url) => url,
    }
}

/// Arguments as the object Anthropic wants. What a model wrote that is no object is kept, as the one member `arguments`.
pub(super) fn arguments_object(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(object @ Value::Object(_)) => object,
        _ if arguments.trim().is_empty() => json!({}),
        _ => json!({ "arguments": arguments }),
    }
}

/// Puts `value` under `name` if there is one.
pub(super) fn put(into: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        into.insert(name.to_owned(), value.into());
    }
}

/// Members of `of` that are named in `names`.
pub(super) fn keep(of: &Value, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), field(of, name)?.clone()))).collect()
}

/// Members of Anthropic's that OpenAI does not know; a caller who writes them means them.
pub(super) const ANTHROPIC_ONLY: &[&str] = &["thinking", "top_k", "cache_control"];

/// The reverse.
pub(super) const OPENAI_ONLY: &[&str] = &["seed", "frequency_penalty", "presence_penalty", "logit_bias"];
