//! What detectors report and what policy makes of it. Detectors never act; policy never detects.

use std::{ops::Range, sync::Arc};

use crate::{Channel, Form};

/// Which way content travels.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Side {
    /// From the caller to a model.
    Prompt,
    /// From a model to the caller.
    Answer,
}

/// What was found. The names follow the OWASP Top 10 for LLM applications where it has one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// An attempt to override the operator's instructions or to escape a role (LLM01).
    Injection,
    /// An attempt to draw out the system prompt or protected text (LLM07).
    Extraction,
    /// A construct that would carry data out: a link or image with data in it (LLM02, LLM05).
    Exfiltration,
    /// The system prompt itself, in an answer (LLM07).
    PromptLeak,
    /// A registered document's text, in an answer (LLM02).
    DocumentLeak,
    /// A planted canary token.
    Canary,
    /// A credential.
    Secret,
    /// Personal data (LLM02).
    PersonalData,
    /// Text made invisible or encoded so that a reader would not notice it.
    Hidden,
    /// Past a limit of size, depth or repetition (LLM10).
    Limit,
    /// Content the text guards cannot read: images, audio, files.
    Attachment,
    /// An argument of a tool call that stands in text which the caller did not write (LLM01, LLM06).
    Copied,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Injection,
        Self::Extraction,
        Self::Exfiltration,
        Self::PromptLeak,
        Self::DocumentLeak,
        Self::Canary,
        Self::Secret,
        Self::PersonalData,
        Self::Hidden,
        Self::Limit,
        Self::Attachment,
        Self::Copied,
    ];

    /// The name used in configuration, policy, metrics and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Injection => "injection",
            Self::Extraction => "extraction",
            Self::Exfiltration => "exfiltration",
            Self::PromptLeak => "prompt-leak",
            Self::DocumentLeak => "document-leak",
            Self::Canary => "canary",
            Self::Secret => "secret",
            Self::PersonalData => "personal-data",
            Self::Hidden => "hidden",
            Self::Limit => "limit",
            Self::Attachment => "attachment",
            Self::Copied => "copied",
        }
    }
}

/// One thing a detector noticed.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The detector's name, then the rule's, as in `secret/github-token`. For the audit record, never for the caller.
    pub rule: &'static str,
    /// The voice it was found in.
    pub channel: Channel,
    /// Index of the leaf.
    pub leaf: usize,
    /// Bytes of the leaf's text; in a stream, of the growing leaf since it began.
    pub span: Range<usize>,
    /// How sure the detector is, 0 to 1.
    pub confidence: f32,
    /// First eight bytes of a keyed hash of the evidence: tells two findings of one process apart, and lets nobody try
    /// texts until one fits.
    pub digest: [u8; 8],
    /// The registered text it is a piece of, where it is one.
    pub reproduced: Option<Reproduced>,
}

/// A registered text that stands in a message, in whole or in part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reproduced {
    /// The name it is registered by. For the audit record, never for the caller.
    pub source: Arc<str>,
    /// How many words of it were reproduced.
    pub words: u32,
}

impl Finding {
    /// Stands for all that no text guard can read: images, audio, files.
    pub const ATTACHMENT: Self = Self {
        kind: Kind::Attachment,
        rule: "policy/attachment",
        channel: Channel::User,
        leaf: 0,
        span: 0..0,
        confidence: 1.0,
        digest: [0; 8],
        reproduced: None,
    };
}

/// What to do about a finding, mildest first: what is masked says less than a stand-in, which says less than a part of the value.
/// Where findings overlap, the strictest action is taken.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Action {
    /// Let it pass; the finding stays on record.
    Allow,
    /// Leave of it what says little: of a date the year. Where nothing of the kind is known, and in answers, as mask.
    Generalize,
    /// Put a stand-in in its place, for which the caller gets the value back. In answers, and for what never comes back, as mask.
    Tokenize(Form),
    /// Replace the found text and pass the rest on.
    Mask,
    /// Refuse the request, or withhold the answer (end a stream with an error).
    Refuse,
    /// As refuse, and close the connection.
    Cut,
}

impl Action {
    /// Every action, with the form of stand-ins that is meant where none is named.
    pub const ALL: [Self; 6] =
        [Self::Allow, Self::Generalize, Self::Tokenize(Form::Conversation), Self::Mask, Self::Refuse, Self::Cut];

    /// The name used in configuration and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Generalize => "generalize",
            Self::Tokenize(_) => "tokenize",
            Self::Mask => "mask",
            Self::Refuse => "refuse",
            Self::Cut => "cut",
        }
    }

    /// Whether something else is put in place of what was found.
    #[must_use]
    pub const fn replaces(self) -> bool {
        matches!(self, Self::Generalize | Self::Tokenize(_) | Self::Mask)
    }
}

/// Turns findings into actions. Made by policy for one request; guards ask it and carry out what it says.
pub trait Judge: Send + Sync {
    /// What to do about `finding` on this side.
    fn judge(&self, side: Side, finding: &Finding) -> Action;
}
