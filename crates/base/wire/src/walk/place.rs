//! What stands where in the formats: the tables behind the walk.

use countersign_core::{Channel, Format, Trust};

use crate::{
    json::{Kind, Value},
    words::{Word, word},
};

/// Channel and trust of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Voice(pub(crate) Channel, pub(crate) Trust);

impl Voice {
    pub(crate) const SYSTEM: Self = Self(Channel::System, Trust::Operator);
    pub(crate) const USER: Self = Self(Channel::User, Trust::Caller);
    pub(crate) const ASSISTANT: Self = Self(Channel::Assistant, Trust::Model);
    pub(crate) const RESULT: Self = Self(Channel::ToolResult, Trust::Untrusted);
    pub(crate) const ARGUMENTS: Self = Self(Channel::ToolArguments, Trust::Model);
    pub(crate) const REASONING: Self = Self(Channel::Reasoning, Trust::Model);
    /// What only says where text is that nobody here can see.
    pub(crate) const ELSEWHERE: Self = Self(Channel::Other, Trust::Untrusted);
    pub(crate) const TOOLS: Self = Self(Channel::Other, Trust::Operator);

    /// The voice of a message of that role.
    fn of_role(role: &str) -> Option<Self> {
        match role {
            "system" | "developer" => Some(Self::SYSTEM),
            "user" => Some(Self::USER),
            "assistant" => Some(Self::ASSISTANT),
            "tool" | "function" => Some(Self::RESULT),
            _ => None,
        }
    }

    /// The voice of the text that an event of the responses API brings, by the event's type.
    pub(crate) fn of_response_event(kind: &str) -> Self {
        let has = |part: &str| kind.contains(part);
        if has("reasoning") {
            Self::REASONING
        } else if has("arguments") || has("tool_call_input") || has("call_code") {
            Self::ARGUMENTS
        } else if has("output_text") || has("refusal") || has("transcript") {
            Self::ASSISTANT
        } else {
            Self(Channel::Other, Trust::Model)
        }
    }
}

/// What a value is, which decides how what is within it is read. A list of such values is in the same place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// Whatever it is, its strings are leaves in the given voice.
    Any,
    /// A word of the format.
    Word,
    /// The name of the model asked for.
    ModelName,
    /// A point in time.
    Time,
    /// Random padding that providers add to the events of a stream.
    Pad,
    /// The number of an event.
    Sequence,
    /// An embedding: numbers, or their base64.
    Vector,
    /// Base64 of an attachment.
    Payload,
    /// Where an attachment is, or a `data:` URL.
    Link,
    /// What an attachment consists of.
    Source,
    /// As [`Place::Source`], when it is known to be text.
    TextSource,
    /// A prompt: text, or the numbers of tokens.
    Prompt,
    /// A request.
    Ask,
    /// A whole answer, or the data of an event in the formats that have one shape of event.
    Answer,
    /// An event that tells its type.
    Event,
    /// An event whose `delta` is text.
    DeltaEvent,
    /// An event whose `delta` tells how the message ends.
    EndEvent,
    /// One of several alternative answers.
    Choice,
    /// A message, a part of one in a stream, or an item of the responses API.
    Message,
    /// Text or parts.
    Content,
    /// A part of a message.
    Part,
    /// A part of a message that holds what text guards cannot read.
    MediaPart,
    /// A call of a tool.
    ToolCall,
    /// Probabilities of tokens.
    Logprobs,
    /// The vectors of an embeddings answer.
    Vectors,
}

impl Place {
    /// Where the data of an event of the messages API stands.
    pub(crate) fn of_message_event(kind: &str) -> Self {
        if kind == "message_delta" { Self::EndEvent } else { Self::Event }
    }

    /// Whether names mean nothing here.
    pub(crate) const fn is_opaque(self) -> bool {
        matches!(self, Self::Any | Self::ToolCall | Self::Logprobs)
    }

    /// Whether it is the outermost object, whose members' names do not tell growing leaves apart.
    pub(crate) const fn is_root(self) -> bool {
        matches!(self, Self::Ask | Self::Answer | Self::Event | Self::DeltaEvent | Self::EndEvent | Self::Choice)
    }

    /// Whether a member called `name` is the name of a tool that is called.
    pub(crate) const fn names_a_call(self) -> bool {
        matches!(self, Self::Message | Self::Part | Self::ToolCall)
    }

    /// Whether the string that a member called `name` is, is read by a model as text: no name, no identifier, no media type.
    pub(crate) fn is_text(self, name: Word, member: Value<'_>) -> bool {
        use Word as W;
        let text = match self {
            Self::Message => matches!(name, W::Content | W::Output | W::Outputs | W::Result | W::Results),
            Self::Part => {
                matches!(name, W::Content | W::Output | W::Text | W::Title | W::Context | W::Source)
            }
            Self::TextSource => matches!(name, W::Content | W::Data),
            _ => false,
        };
        text && member.kind() == Kind::String
    }

    /// The place of a member whose name no format knows.
    pub(crate) const fn unknown(self) -> Self {
        if let Self::ToolCall = self { self } else { Self::Any }
    }

    /// What an object in this place turns out to be, and its voice.
    pub(crate) fn enter(self, object: Value<'_>, voice: Voice) -> (Self, Voice) {
        match self {
            Self::Message => (self, voice_of_message(object).unwrap_or(voice)),
            Self::Content => part(object, voice),
            Self::Source if is_text_source(object) => (Self::TextSource, voice),
            Self::Link => (Self::Source, voice),
            _ => (self, voice),
        }
    }

    /// Place and voice of the member `name`, and whether its text may continue that of an earlier event.
    pub(crate) fn child(
        self,
        name: Word,
        voice: Voice,
        format: Format,
        base: Voice,
        event: Voice,
    ) -> (Self, Voice, bool) {
        use Word as W;
        match self {
            Self::Ask => (self.of_ask(name, format), voice_in_ask(name, format).unwrap_or(base), false),
            Self::Answer => match name {
                W::Choices => (Self::Choice, Voice::ASSISTANT, true),
                W::Content => (Self::Content, Voice::ASSISTANT, true),
                W::Output => (Self::Message, Voice::ASSISTANT, false),
                W::Instructions => (Self::Content, Voice::SYSTEM, false),
                W::Tools => (Self::Any, Voice::TOOLS, false),
                W::Data if matches!(format, Format::Embeddings) => (Self::Vectors, base, false),
                W::Role | W::Type | W::Object | W::StopReason | W::Status => (Self::Word, base, false),
                W::Created | W::CreatedAt | W::CompletedAt => (Self::Time, base, false),
                W::Obfuscation => (Self::Pad, base, false),
                _ => (Self::Any, base, false),
            },
            Self::Event | Self::DeltaEvent | Self::EndEvent => match name {
                W::Type => (Self::Word, base, false),
                W::Message => (Self::Answer, base, true),
                W::Response => (Self::Answer, base, false),
                W::ContentBlock => (Self::Content, event, true),
                W::Delta if matches!(self, Self::DeltaEvent) => (Self::Any, event, true),
                W::Delta if matches!(self, Self::EndEvent) => (Self::Choice, base, false),
                W::Delta => (Self::Content, event, true),
                W::Item => (Self::Message, Voice::ASSISTANT, false),
                W::Part => (Self::Content, Voice::ASSISTANT, false),
                W::Text | W::Arguments | W::Refusal | W::Code | W::Input | W::Transcript => (Self::Any, event, false),
                W::Logprobs => (Self::Logprobs, Voice::ASSISTANT, true),
                W::SequenceNumber => (Self::Sequence, base, false),
                W::Obfuscation => (Self::Pad, base, false),
                _ => (Self::Any, base, false),
            },
            Self::Choice => match name {
                W::Message | W::Delta => (Self::Message, Voice::ASSISTANT, true),
                W::Text => (Self::Any, Voice::ASSISTANT, true),
                W::FinishReason | W::StopReason | W::Role | W::Type => (Self::Word, base, false),
                W::Logprobs => (Self::Logprobs, Voice::ASSISTANT, true),
                _ => (Self::Any, base, false),
            },
            Self::Message => match name {
                W::Role | W::Type | W::Status | W::Object => (Self::Word, base, false),
                W::Content => (Self::Content, voice, true),
                W::Text | W::Refusal | W::Name | W::Transcript => (Self::Any, voice, true),
                W::ToolCalls | W::FunctionCall => (Self::ToolCall, Voice::ARGUMENTS, true),
                W::Arguments | W::Action | W::Code | W::Input => (Self::Any, Voice::ARGUMENTS, true),
                W::Output | W::Outputs | W::Result | W::Results => (Self::Content, Voice::RESULT, true),
                W::Summary | W::ReasoningContent | W::Reasoning | W::Thinking => {
                    (Self::Content, Voice::REASONING, true)
                }
                W::Audio => (Self::Part, voice, true),
                W::Annotations | W::Citations => (Self::Any, voice, false),
                W::Id | W::CallId | W::ToolCallId => (Self::Any, base, false),
                W::Created | W::CreatedAt => (Self::Time, base, false),
                _ => (Self::Any, base, true),
            },
            Self::Part | Self::MediaPart => match name {
                W::Type => (Self::Word, base, false),
                W::Content | W::Output | W::Results | W::Result => (Self::Content, voice, false),
                W::Input | W::Arguments => (Self::Any, Voice::ARGUMENTS, false),
                W::PartialJson => (Self::Any, Voice::ARGUMENTS, true),
                W::Thinking | W::Reasoning | W::Summary => (Self::Content, Voice::REASONING, true),
                W::Name => (Self::Any, voice, false),
                W::Annotations | W::Citations | W::Citation => (Self::Any, voice, false),
                W::Id | W::ToolUseId | W::CallId | W::ToolCallId => (Self::Any, base, false),
                W::Logprobs => (Self::Logprobs, voice, true),
                W::Signature => (Self::Any, base, true),
                W::ImageUrl | W::Url if matches!(self, Self::MediaPart) => (Self::Link, voice, true),
                W::FileData | W::Data if matches!(self, Self::MediaPart) => (Self::Payload, voice, true),
                W::Source | W::File | W::InputAudio | W::Audio | W::Image if matches!(self, Self::MediaPart) => {
                    (Self::Source, voice, true)
                }
                // A document that is no attachment consists of text or of parts.
                W::Source => (Self::TextSource, voice, true),
                W::Text | W::Refusal | W::Title | W::Context | W::Transcript => (Self::Any, voice, true),
                _ if matches!(self, Self::MediaPart) => (Self::Any, voice, true),
                _ => (Self::Any, base, true),
            },
            Self::Source | Self::TextSource => match name {
                W::Type => (Self::Word, base, false),
                W::Content => (Self::Content, voice, true),
                W::Data | W::FileData if matches!(self, Self::Source) => (Self::Payload, voice, true),
                W::Url | W::ImageUrl if matches!(self, Self::Source) => (Self::Link, voice, true),
                _ => (Self::Any, voice, true),
            },
            Self::ToolCall => match name {
                W::Id | W::CallId => (Self::Any, base, false),
                W::Type => (Self::Word, base, false),
                W::Arguments | W::Input => (Self::Any, Voice::ARGUMENTS, true),
                _ => (self, Voice::ARGUMENTS, true),
            },
            Self::Logprobs => match name {
                W::TopLogprobs => (Self::Any, voice, false),
                _ => (self, voice, true),
            },
            Self::Vectors => match name {
                W::Embedding => (Self::Vector, base, false),
                W::Object => (Self::Word, base, false),
                _ => (Self::Any, base, false),
            },
            Self::Any if voice.0 == Channel::Other && matches!(name, W::Type) => (Self::Word, voice, false),
            _ => (Self::Any, voice, true),
        }
    }

    const fn of_ask(self, name: Word, format: Format) -> Self {
        match (name, format) {
            (Word::Model, _) => Self::ModelName,
            (Word::Messages, Format::Chat | Format::Messages | Format::CountTokens)
            | (Word::Input, Format::Responses) => Self::Message,
            (Word::System, Format::Messages | Format::CountTokens) | (Word::Instructions, Format::Responses) => {
                Self::Content
            }
            (Word::Prompt, Format::Completions) | (Word::Input, Format::Embeddings) => Self::Prompt,
            _ => Self::Any,
        }
    }
}

fn voice_in_ask(name: Word, format: Format) -> Option<Voice> {
    match (name, format) {
        (Word::System | Word::Instructions, _) => Some(Voice::SYSTEM),
        (Word::Messages | Word::Input | Word::Prompt | Word::Suffix, _) => Some(Voice::USER),
        (Word::Tools | Word::Functions | Word::McpServers, _) => Some(Voice::TOOLS),
        (Word::PreviousResponseId | Word::Conversation, Format::Responses) => Some(Voice::ELSEWHERE),
        _ => None,
    }
}

/// The voice a message or an item speaks in, by its role or type.
fn voice_of_message(object: Value<'_>) -> Option<Voice> {
    if let Some(role) = object.get("role").and_then(Value::as_str) {
        return Voice::of_role(&role);
    }
    let kind = object.get("type")?.as_str()?;
    match &*kind {
        "reasoning" => Some(Voice::REASONING),
        kind if kind.ends_with("_output") => Some(Voice::RESULT),
        kind if kind.ends_with("_call") => Some(Voice::ARGUMENTS),
        _ => None,
    }
}

/// What a part is by its type, and its voice. A type that is not known to be text may be anything, so it is media.
fn part(object: Value<'_>, voice: Voice) -> (Place, Voice) {
    let kind = object.get("type").and_then(Value::as_str);
    let Some(kind) = kind.as_deref() else { return (Place::MediaPart, voice) };
    match word(kind) {
        Some(Word::Text | Word::InputText | Word::OutputText | Word::Refusal) => (Place::Part, voice),
        Some(Word::Thinking | Word::RedactedThinking | Word::Reasoning | Word::ReasoningText | Word::SummaryText) => {
            (Place::Part, Voice::REASONING)
        }
        Some(Word::ToolUse | Word::ServerToolUse | Word::McpToolUse) => (Place::Part, Voice::ARGUMENTS),
        Some(Word::SearchResult) => (Place::Part, Voice::RESULT),
        Some(Word::Document) if object.get("source").is_some_and(is_text_source) => (Place::Part, Voice::RESULT),
        Some(Word::Document | Word::File | Word::InputFile) => (Place::MediaPart, Voice::RESULT),
        _ if kind.ends_with("tool_result") => (Place::Part, Voice::RESULT),
        _ => (Place::MediaPart, voice),
    }
}

/// Whether an attachment's source says that it holds text or parts rather than bytes.
fn is_text_source(source: Value<'_>) -> bool {
    source.get("type").is_some_and(|kind| kind.is("text") || kind.is("content"))
}
