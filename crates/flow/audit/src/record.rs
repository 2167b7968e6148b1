//! What a record says. Entries are compact JSON: `{"v":1,"record":{"intent":{...}}}`.
//!
//! INVARIANT: nothing here holds prompt or answer text, a secret, or a text's hash, which guesses could be tried against
//! (findings keep eight bytes of their evidence's). Texts are sealed and stand beside the entry; the entry holds the SHA-256
//! of the sealed bytes, which ties the two together. What callers may write freely (model, tool names) is cut short.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use countersign_core::{Call, Finding, Principal, RequestId, Timestamp, life::Peer};
use countersign_seal::{ConversationId, Scope};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::merkle::Hash;

mod text;

/// The version of entries this crate writes, and the newest it reads.
pub const VERSION: u8 = 1;

/// One entry of the log: a leaf of the tree.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Entry {
    /// Version of the entry's form.
    pub v: u8,
    /// What happened.
    pub record: Record,
}

/// What happened.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// The log was opened.
    Opened(Opened),
    /// A screened request is about to leave.
    Intent(Intent),
    /// A request that had left is over.
    Outcome(Outcome),
    /// A request was refused before it left.
    Refused(Refused),
    /// The gateway answered a request by itself.
    Answered(Answered),
    /// Something of the gateway itself is about to be changed.
    Changed(Changed),
    /// Strangers were refused so often that they were only counted.
    Strangers(Strangers),
    /// For a time, nothing could be recorded, and what asked to be was refused.
    Gap(Gap),
    /// Records that are older than the deployment keeps are about to be given up.
    GivenUp(GivenUp),
}

/// The log was opened, by a start of the gateway.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Opened {
    /// When.
    pub at: Micros,
    /// The log's name, as in its checkpoints.
    pub origin: String,
    /// What a crash had left at the end and was cut off; nobody had been told that it was on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torn: Option<Torn>,
}

/// A torn tail that was cut off.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Torn {
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    #[serde(with = "text::hex")]
    pub sha256: Hash,
}

/// A request that passed every check and is about to leave.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Intent {
    /// The request.
    #[serde(with = "text::id")]
    pub request: RequestId,
    /// When it arrived.
    pub at: Micros,
    /// Who asks.
    pub who: Who,
    /// Where it came from.
    pub from: Place,
    /// What is asked for.
    pub call: Asked,
    /// The policies that decided.
    pub permit: Cow<'static, str>,
    /// What was found in the prompt.
    #[serde(default, skip_serializing_if = "Findings::is_empty")]
    pub findings: Findings,
    /// What the context of the answer is tainted by: `untrusted` or `finding`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taint: Option<Cow<'static, str>>,
    /// How text that nobody vouches for was marked for the model: `delimiting` or `datamarking`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spotlight: Option<Cow<'static, str>>,
    /// What is set aside of budgets. It counts as spent unless an outcome gives it back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub charge: Amounts,
    /// The conversation, where its caller named one. Its key seals the body.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::conversation")]
    pub conversation: Option<ConversationId>,
    /// Bytes at the end of the sealed text that are not of the body: what its stand-ins stand for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub values: u64,
    /// The body as it leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Sealed>,
}

/// How a request ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Outcome {
    /// The request.
    #[serde(with = "text::id")]
    pub request: RequestId,
    /// Index of its intent in this log.
    pub intent: u64,
    /// When it ended.
    pub at: Micros,
    /// Whose key seals the answer: the tenant,
    pub tenant: Arc<str>,
    /// the principal,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub subject: Arc<str>,
    /// and the conversation, where its caller named one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::conversation")]
    pub conversation: Option<ConversationId>,
    /// The HTTP status that the caller saw.
    pub status: u16,
    /// The code of the refusal, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Cow<'static, str>>,
    /// Its internal reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Arc<str>>,
    /// Whether the provider was called at all.
    pub upstream_called: bool,
    /// What was found by another model that was asked about the prompt, and in the answer.
    #[serde(default, skip_serializing_if = "Findings::is_empty")]
    pub findings: Findings,
    /// What another model said of texts in the prompt that were doubtful.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
    /// Tokens of the prompt, as the provider counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens of the answer, as the provider counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// What of the intent's charge was not used after all; less than nothing where more was.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub back: Amounts,
    /// Bytes released to the caller.
    pub bytes: u64,
    /// From arrival to the end, in microseconds.
    pub duration: u64,
    /// The answer's SHA-256 (32 bytes, over all that was released) and then the answer as far as it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Sealed>,
}

/// A question to another model about texts that were doubtful.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Judged {
    /// What came of it: `attack`, `safe`, or `failed` where there was no verdict.
    pub verdict: Cow<'static, str>,
    /// The model that was asked, by the name it has here.
    pub model: Arc<str>,
    /// The target that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Arc<str>>,
    /// How many texts were doubtful.
    pub texts: u64,
    /// How long it took, in microseconds.
    pub duration: u64,
    /// Tokens of the question, as the provider counts.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
}

/// A request that was refused before it left.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Refused {
    /// The request.
    #[serde(with = "text::id")]
    pub request: RequestId,
    /// When it was refused.
    pub at: Micros,
    /// Who asked, where that had been found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// Where it came from.
    pub from: Place,
    /// What was asked for, where that had been understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Asked>,
    /// The code, as in `CS0201`.
    pub code: Cow<'static, str>,
    /// The internal reason.
    pub reason: String,
    /// What was found.
    #[serde(default, skip_serializing_if = "Findings::is_empty")]
    pub findings: Findings,
    /// The body as it came; never of a caller we do not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Sealed>,
}

/// A request that the gateway answers by itself, without a provider.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Answered {
    /// The request.
    #[serde(with = "text::id")]
    pub request: RequestId,
    /// When it arrived.
    pub at: Micros,
    /// Who asked.
    pub who: Who,
    /// Where it came from.
    pub from: Place,
    /// What was asked for: `models`, `metrics`, `guard`, `moderations`, or what the desk did.
    pub what: Cow<'static, str>,
    /// What was found in texts that were to be looked at.
    #[serde(default, skip_serializing_if = "Findings::is_empty")]
    pub findings: Findings,
}

/// A change to the gateway itself: to its keys, its revocations, its grants. On record before it is made, so that none is made
/// without a record; one that then failed is followed by the refusal of the same request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Changed {
    /// The request.
    #[serde(with = "text::id")]
    pub request: RequestId,
    /// When it was decided on.
    pub at: Micros,
    /// Who changes it.
    pub who: Who,
    /// Where the request came from.
    pub from: Place,
    /// The action of the policy that permits it, as in `createKey`.
    pub action: Cow<'static, str>,
    /// What is changed, by its id.
    pub what: String,
    /// What it was, member by member; empty for what was not there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub was: Members,
    /// What it becomes; empty for what goes away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub becomes: Members,
}

/// Members of a thing that is changed, in words.
pub type Members = BTreeMap<Cow<'static, str>, String>;

/// Amounts by the name of the budget's cell.
pub type Amounts = BTreeMap<Arc<str>, i64>;

/// Refused credentials of one place and about one minute, beyond those that are on record one by one.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Strangers {
    /// The place: an address, a network, or a word for what has none.
    pub from: String,
    /// How many they were.
    pub count: u64,
    /// When the first of them was refused.
    pub first: Micros,
    /// When the last was.
    pub last: Micros,
}

/// A time in which nothing could be recorded.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Gap {
    /// When the first record failed.
    pub since: Micros,
    /// When recording worked again.
    pub until: Micros,
    /// How many intents and refusals could not be recorded; their callers were refused.
    pub refused: u64,
    /// How many outcomes were lost for lack of room to keep them.
    pub outcomes: u64,
    /// What failed.
    pub cause: String,
}

/// Records are about to be given up: what they said goes, their hashes stay.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct GivenUp {
    /// When.
    pub at: Micros,
    /// So many days records are kept, by the configuration.
    pub keep_days: u64,
    /// All that is given up came about before this.
    pub before: Micros,
    /// Ids of the holds that stood; what they cover stays. The first 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Arc<str>>,
    /// What is given up now: from one index up to, not including, another.
    pub now: Vec<[u64; 2]>,
    /// All that ever was, this included.
    pub ever: Vec<[u64; 2]>,
}

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = u64;

/// Who asks.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Who {
    /// Tenant.
    pub tenant: Arc<str>,
    /// Subject within the tenant.
    pub subject: Arc<str>,
    /// Person, service or agent.
    pub kind: Cow<'static, str>,
    /// Roles.
    pub roles: Arc<[Arc<str>]>,
    /// Names the credential: a key's id, a certificate's SHA-256, `token:ISSUER/SUBJECT#` and eight bytes of the SHA-256 of the token's
    /// `jti`, or `acc_...#ses_...` for a session opened on granted access.
    pub credential: Arc<str>,
    /// How it was proved.
    pub method: Cow<'static, str>,
    /// Who acts for them, and for whom those act in turn: the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<Arc<str>>,
}

/// Where a request came from.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Place {
    /// Network address; none over a Unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The listener.
    pub listener: Arc<str>,
}

/// What is asked for.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Asked {
    /// The endpoint.
    pub format: Cow<'static, str>,
    /// The model, cut at 128 bytes.
    pub model: Arc<str>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Upper bound of generated tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// The first 32 tools, each cut at 64 bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Arc<str>>,
    /// How many tools there were, where they are more than are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools_in_all: Option<u64>,
    /// Images, audio clips and files.
    pub attachments: u32,
}

/// What detectors noticed: the first 64, and how many in all.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Findings {
    /// How many there were.
    pub count: u64,
    /// The first 64.
    pub first: Vec<Found>,
}

/// One thing a detector noticed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Found {
    /// What it is.
    pub kind: Cow<'static, str>,
    /// Detector and rule.
    pub rule: Cow<'static, str>,
    /// The voice it was found in.
    pub channel: Cow<'static, str>,
    /// Index of the leaf.
    pub leaf: u64,
    /// First byte in the leaf's text, and the one after the last.
    pub span: [u64; 2],
    /// How sure, in thousandths.
    pub confidence: u16,
    /// First eight bytes of the evidence's SHA-256, in hex.
    #[serde(with = "text::hex")]
    pub digest: [u8; 8],
    /// The registered text it is a piece of, where it is one; cut at 96 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Arc<str>>,
    /// How many words of that text were reproduced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<u32>,
}

/// A sealed text that stands beside its entry.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Sealed {
    /// SHA-256 of the sealed bytes.
    #[serde(with = "text::hex")]
    pub sha256: Hash,
    /// How many they are.
    pub bytes: u64,
}

/// An entry cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadEntry {
    /// It is not an entry's JSON.
    #[error("the entry is not one")]
    Form,
    /// It was written by a newer version.
    #[error("the entry has version {0}, which is newer than this program")]
    Newer(u64),
}

const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Entry {
    /// Reads an entry.
    ///
    /// # Errors
    /// When it is none, or a newer one.
    pub fn read(bytes: &[u8]) -> Result<Self, BadEntry> {
        #[derive(Deserialize)]
        struct Versioned {
            v: u64,
        }
        match serde_json::from_slice::<Self>(bytes) {
            Ok(entry) if entry.v <= VERSION => Ok(entry),
            // A newer entry may have another form.
            _ => match serde_json::from_slice::<Versioned>(bytes) {
                Ok(Versioned { v }) if v > u64::from(VERSION) => Err(BadEntry::Newer(v)),
                _ => Err(BadEntry::Form),
            },
        }
    }
}

impl Record {
    /// When it came about; of a time, when it ended.
    #[must_use]
    pub const fn at(&self) -> Micros {
        match self {
            Self::Opened(r) => r.at,
            Self::Intent(r) => r.at,
            Self::Outcome(r) => r.at,
            Self::Refused(r) => r.at,
            Self::Answered(r) => r.at,
            Self::Changed(r) => r.at,
            Self::Strangers(r) => r.last,
            Self::Gap(r) => r.until,
            Self::GivenUp(r) => r.at,
        }
    }

    /// The request it is about, if it is about one.
    #[must_use]
    pub const fn request(&self) -> Option<RequestId> {
        match self {
            Self::Intent(r) => Some(r.request),
            Self::Outcome(r) => Some(r.request),
            Self::Refused(r) => Some(r.request),
            Self::Answered(r) => Some(r.request),
            Self::Changed(r) => Some(r.request),
            Self::Opened(_) | Self::Strangers(_) | Self::Gap(_) | Self::GivenUp(_) => None,
        }
    }

    /// The sealed text beside it: whose key, what kind of text, and the reference.
    #[must_use]
    pub fn sealed(&self) -> Option<(Scope<'_>, &'static str, &Sealed)> {
        fn of<'a>(tenant: &'a str, subject: &'a str, conversation: Option<ConversationId>) -> Scope<'a> {
            Scope { tenant, subject, conversation }
        }
        match self {
            Self::Intent(r) => r.body.as_ref().map(|b| (of(&r.who.tenant, &r.who.subject, r.conversation), PROMPT, b)),
            Self::Outcome(r) => r.answer.as_ref().map(|b| (of(&r.tenant, &r.subject, r.conversation), ANSWER, b)),
            Self::Refused(r) => {
                r.who.as_ref().zip(r.body.as_ref()).map(|(w, b)| (of(&w.tenant, &w.subject, None), PROMPT, b))
            }
            Self::Opened(_)
            | Self::Answered(_)
            | Self::Changed(_)
            | Self::Strangers(_)
            | Self::Gap(_)
            | Self::GivenUp(_) => None,
        }
    }
}

impl From<&Principal> for Who {
    fn from(p: &Principal) -> Self {
        Self {
            tenant: p.tenant.clone(),
            subject: p.subject.clone(),
            kind: p.kind.as_str().into(),
            roles: p.roles.clone(),
            credential: credential(p),
            method: p.method.as_str().into(),
            acts: acts(p),
        }
    }
}

/// Who acts for a principal, the newest first.
fn acts(p: &Principal) -> Vec<Arc<str>> {
    let of_token = || p.claims.as_ref().map(|claims| claims.acts.clone());
    p.session.as_ref().map(|session| session.acts.clone()).or_else(of_token).unwrap_or_default()
}

/// Names the credential: for a token which of its subject's it was, by a hash of its id; for a session's which of the case's.
fn credential(p: &Principal) -> Arc<str> {
    if let Some(session) = &p.session {
        return format!("{}#{}", p.credential, session.id).into();
    }
    match p.claims.as_ref().and_then(|claims| claims.id.as_ref()) {
        None => p.credential.clone(),
        Some(id) => {
            let hash = digest(&SHA256, id.as_bytes());
            let short = hash.as_ref().first_chunk::<8>().copied().unwrap_or_default();
            format!("{}#{}", p.credential, HEXLOWER.encode(&short)).into()
        }
    }
}

impl From<&Peer> for Place {
    fn from(peer: &Peer) -> Self {
        Self { ip: peer.ip, listener: peer.listener.clone() }
    }
}

impl From<&Call> for Asked {
    fn from(call: &Call) -> Self {
        let tools: Vec<_> = call.tools.iter().take(MAX_TOOLS).map(|t| clip(t, 64)).collect();
        Self {
            format: call.format.as_str().into(),
            model: clip(&call.model, 128),
            stream: call.stream,
            max_tokens: call.max_tokens,
            tools_in_all: (call.tools.len() > tools.len()).then_some(call.tools.len() as u64),
            tools,
            attachments: call.attachments,
        }
    }
}

impl From<&[Finding]> for Findings {
    fn from(findings: &[Finding]) -> Self {
        let found = |f: &Finding| Found {
            kind: f.kind.as_str().into(),
            rule: f.rule.into(),
            channel: f.channel.as_str().into(),
            leaf: f.leaf as u64,
            span: [f.span.start as u64, f.span.end as u64],
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
            confidence: (f.confidence.clamp(0.0, 1.0) * 1000.0).round() as u16,
            digest: f.digest,
            source: f.reproduced.as_ref().map(|it| clip(&it.source, 96)),
            words: f.reproduced.as_ref().map(|it| it.words),
        };
        Self { count: findings.len() as u64, first: findings.iter().take(MAX_FINDINGS).map(found).collect() }
    }
}

impl Findings {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0 && self.first.is_empty()
    }
}

/// `text`, cut to at most `max` bytes between characters.
pub(crate) fn clip(text: &Arc<str>, max: usize) -> Arc<str> {
    if text.len() <= max { text.clone() } else { text[..text.floor_char_boundary(max)].into() }
}

/// The microseconds of a time.
pub(crate) const fn micros(at: Timestamp) -> Micros {
    at.0
}

/// What a sealed text is bound to besides its tenant: the log, the request and the kind of text.
pub(crate) fn bound_to(origin: &str, request: RequestId, kind: &str) -> Vec<u8> {
    let mut aad = Vec::with_capacity(origin.len() + 32);
    aad.extend_from_slice(origin.as_bytes());
    aad.push(b'\n');
    aad.extend_from_slice(&request.bits().to_be_bytes());
    aad.extend_from_slice(kind.as_bytes());
    aad
}

pub(crate) const PROMPT: &str = "prompt";
pub(crate) const ANSWER: &str = "answer";
const MAX_TOOLS: usize = 32;
const MAX_FINDINGS: usize = 64;

#[cfg(test)]
mod tests;
