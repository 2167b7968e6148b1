//! What is being asked for, in the words policies use.

use std::sync::Arc;

/// A provider API. One `Format` is one endpoint's request, answer and stream shape.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Format {
    /// OpenAI `POST /v1/chat/completions`.
    Chat,
    /// OpenAI `POST /v1/responses`.
    Responses,
    /// OpenAI `POST /v1/completions`.
    Completions,
    /// OpenAI `POST /v1/embeddings`.
    Embeddings,
    /// OpenAI `GET /v1/models`, which the gateway answers itself from what the caller may use.
    Models,
    /// Anthropic `POST /v1/messages`.
    Messages,
    /// Anthropic `POST /v1/messages/count_tokens`.
    CountTokens,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 7] = [
        Self::Chat,
        Self::Responses,
        Self::Completions,
        Self::Embeddings,
        Self::Models,
        Self::Messages,
        Self::CountTokens,
    ];

    /// The name used in configuration, policy, metrics and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
            Self::Messages => "messages",
            Self::CountTokens => "count-tokens",
        }
    }

    /// The path a caller asks at, which is also the path below a provider's base address.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Completions => "/v1/completions",
            Self::Embeddings => "/v1/embeddings",
            Self::Models => "/v1/models",
            Self::Messages => "/v1/messages",
            Self::CountTokens => "/v1/messages/count_tokens",
        }
    }

    /// Whether refusals and errors take Anthropic's shape rather than OpenAI's.
    #[must_use]
    pub const fn is_anthropic(self) -> bool {
        matches!(self, Self::Messages | Self::CountTokens)
    }

    /// Whether an answer can be a stream.
    #[must_use]
    pub const fn streams(self) -> bool {
        matches!(self, Self::Chat | Self::Responses | Self::Completions | Self::Messages)
    }
}

/// What a request asks for: everything policy may look at besides who asks.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Call {
    /// The endpoint.
    pub format: Format,
    /// The model as the caller names it.
    pub model: Arc<str>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Upper bound of generated tokens the caller set.
    pub max_tokens: Option<u64>,
    /// Names of the tools the caller offers the model.
    pub tools: Vec<Arc<str>>,
    /// How many images, audio clips or files the request carries (content the text guards cannot read).
    pub attachments: u32,
}
