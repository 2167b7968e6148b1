//! Says what is on record in the words of those who collect: OCSF, CEF, OpenTelemetry logs, framed for syslog.
//!
//! It reads no log and sends nothing. Whoever uses it hands over one [`Line`] for each record and sends what it gives.
//!
//! Invariant: whatever a record holds, one record is one event. No value can end a line, a field or a frame early: threat of log
//! forging, where a caller writes a name that looks like a second event.

pub mod cef;
pub mod ocsf;
pub mod otlp;
pub mod syslog;

#[cfg(test)]
mod support;

/// One record, as far as others are told of it. It holds no text of a prompt or an answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Line {
    /// The log's name.
    pub log: String,
    /// The record's index there.
    pub index: u64,
    /// Its leaf hash, by which it is found in a proof.
    pub leaf: [u8; 32],
    /// When it came about, in microseconds since 1970.
    pub at: u64,
    /// What happened.
    pub what: What,
    /// The request.
    pub request: Option<String>,
    /// Who asked.
    pub who: Option<Who>,
    /// The caller's network address.
    pub ip: Option<String>,
    /// The listener.
    pub listener: Option<String>,
    /// The model that was asked for.
    pub model: Option<String>,
    /// The endpoint, or the action of a change.
    pub operation: Option<String>,
    /// Who answered.
    pub target: Option<String>,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// The code of a refusal.
    pub code: Option<String>,
    /// Why, in words that hold nothing of a prompt or an answer.
    pub reason: Option<String>,
    /// What was found: rule and kind. At most a few; `found` says how many there were.
    pub findings: Vec<(String, String)>,
    /// How many findings there were, or refusals that were only counted.
    pub found: u64,
    /// Tokens of the prompt.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer.
    pub output_tokens: Option<u64>,
    /// Bytes that were released.
    pub bytes: Option<u64>,
}

/// What happened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum What {
    /// The log was opened.
    #[default]
    Opened,
    /// A request is about to leave.
    Intent,
    /// A request that had left is over.
    Outcome,
    /// A request was refused before it left.
    Refused,
    /// The gateway answered by itself.
    Answered,
    /// Something of the gateway is about to be changed.
    Changed,
    /// Strangers were refused so often that they were only counted.
    Strangers,
    /// For a time nothing could be recorded.
    Gap,
    /// Old records are about to be given up.
    GivenUp,
}

/// Who asked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Who {
    /// Tenant.
    pub tenant: String,
    /// Subject within the tenant.
    pub subject: String,
    /// Person, service or agent.
    pub kind: String,
    /// Names the credential.
    pub credential: String,
}

/// How grave an event is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Gravity {
    /// Nothing to do.
    Routine,
    /// A refusal.
    Low,
    /// A refusal for what was found.
    Medium,
    /// Nothing could be recorded.
    High,
}

impl What {
    /// In one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Intent => "intent",
            Self::Outcome => "outcome",
            Self::Refused => "refused",
            Self::Answered => "answered",
            Self::Changed => "changed",
            Self::Strangers => "strangers",
            Self::Gap => "gap",
            Self::GivenUp => "given-up",
        }
    }
}

impl Line {
    /// How grave it is.
    #[must_use]
    pub fn gravity(&self) -> Gravity {
        match (self.what, &self.code) {
            (What::Gap, _) => Gravity::High,
            (What::Strangers, _) => Gravity::Low,
            (_, Some(_)) if self.found > 0 => Gravity::Medium,
            (_, Some(_)) => Gravity::Low,
            _ => Gravity::Routine,
        }
    }

    /// Names the record in its log: unique, and the same each time it is sent.
    #[must_use]
    pub fn uid(&self) -> String {
        format!("{}#{}", self.log, self.index)
    }

    /// What happened, in a sentence without anybody's text but names.
    #[must_use]
    pub fn summary(&self) -> String {
        let who = self.who.as_ref().map_or_else(|| "unknown caller".into(), |w| format!("{}/{}", w.tenant, w.subject));
        match self.what {
            What::Opened => "the audit log was opened".into(),
            What::Intent => format!("a request of {who} is about to leave"),
            What::Outcome if self.code.is_some() => format!("an answer to {who} was refused or failed"),
            What::Outcome => format!("a request of {who} is over"),
            What::Refused => format!("a request of {who} was refused"),
            What::Answered => format!("the gateway answered {who} by itself"),
            What::Changed => format!("{who} changes the gateway"),
            What::Strangers => format!("{} more refusals of strangers", self.found),
            What::Gap => "for a time nothing could be recorded".into(),
            What::GivenUp => "old records are about to be given up".into(),
        }
    }
}

/// The program's version, as events name it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// So many findings of a record are told. More would not fit into what syslog receivers take.
pub const MOST_FINDINGS: usize = 16;
