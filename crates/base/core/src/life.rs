//! The request's life as types. Each stage hands on a value that only it can make, so that skipping a check does not compile.
//!
//! ```text
//! Identified -> Permitted -> Reserved -> Screened -> Intended -> Dispatched -> Readmitted -> Released
//! who           may they     rates       prompt      audit       provider     may it        answer
//! ```
//!
//! The stages live in crates that do not know each other; the proofs meet here. What keeps a proof honest is its
//! [`Stamp`]: a value without public constructor, `Clone` or `Default`, which [`Stamps::issue`] hands out and the binary
//! gives each stage once, when it is built (`cargo xtask tidy` holds every other call site to tests).
//! A stage that holds no stamp can make no proof, and a proof cannot be used twice:
//!
//! ```compile_fail,E0451
//! use countersign_core::life::{Stamp, stage};
//! let stamp: Stamp<stage::Identify> = Stamp { _stage: std::marker::PhantomData };
//! ```
//!
//! ```compile_fail,E0382
//! fn twice(p: countersign_core::life::Intended) {
//!     let a = p;
//!     let b = p;
//! }
//! ```
//!
//! The module `impossible` shows the other ways around a stage that do not compile.

use std::{any::Any, fmt, marker::PhantomData, net::IpAddr, ops::Deref, sync::Arc};

use bytes::Bytes;

use crate::{
    Call, Charge, ConversationName, Finding, Glimpse, Judge, Principal, Quota, Refusal, RequestId, Timestamp, Warden,
    taint::{Context, Taint},
};

#[cfg(doctest)]
mod impossible;

/// Names of the stages that stamp proofs.
pub mod stage {
    /// Finds out who asks.
    pub enum Identify {}
    /// Asks policy, before the prompt leaves and before the answer returns.
    pub enum Permit {}
    /// Reserves rate and capacity.
    pub enum Reserve {}
    /// Screens prompts and answers.
    pub enum Screen {}
    /// Records intent durably.
    pub enum Intend {}
    /// Talks to providers.
    pub enum Dispatch {}
    /// Says what the gateway itself has to say: refusals, the list of models, health.
    pub enum Speak {}
}

/// The right of one stage to make its proofs.
pub struct Stamp<S> {
    _stage: PhantomData<fn() -> S>,
}

/// One stamp for each stage.
pub struct Stamps {
    /// For the identity stage.
    pub identify: Stamp<stage::Identify>,
    /// For the policy stage.
    pub permit: Stamp<stage::Permit>,
    /// For rates and budgets.
    pub reserve: Stamp<stage::Reserve>,
    /// For the guard stage.
    pub screen: Stamp<stage::Screen>,
    /// For the audit stage.
    pub intend: Stamp<stage::Intend>,
    /// For the provider stage.
    pub dispatch: Stamp<stage::Dispatch>,
    /// For the gateway's own words.
    pub speak: Stamp<stage::Speak>,
}

impl Stamps {
    /// Issues a set of stamps. Whoever calls this is trusted to hand each to its stage and to nobody else.
    #[must_use]
    pub const fn issue() -> Self {
        Self {
            identify: Stamp { _stage: PhantomData },
            permit: Stamp { _stage: PhantomData },
            reserve: Stamp { _stage: PhantomData },
            screen: Stamp { _stage: PhantomData },
            intend: Stamp { _stage: PhantomData },
            dispatch: Stamp { _stage: PhantomData },
            speak: Stamp { _stage: PhantomData },
        }
    }
}

/// Where a request came from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Peer {
    /// The network address; none over a Unix socket.
    pub ip: Option<IpAddr>,
    /// The name of the listener it came in by.
    pub listener: Arc<str>,
}

/// A request whose caller is known.
#[derive(Debug)]
pub struct Identified {
    request: RequestId,
    at: Timestamp,
    peer: Peer,
    principal: Arc<Principal>,
}

impl Identified {
    /// Only the identity stage can.
    #[must_use]
    pub const fn new(
        _: &Stamp<stage::Identify>,
        request: RequestId,
        at: Timestamp,
        peer: Peer,
        principal: Arc<Principal>,
    ) -> Self {
        Self { request, at, peer, principal }
    }

    /// The request's id.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// When it arrived.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// Where it came from.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Who asks.
    #[must_use]
    pub const fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }
}

/// What policy attached to a permitted request.
#[derive(Clone)]
pub struct Permit {
    /// Turns this request's findings into actions.
    pub judge: Arc<dyn Judge>,
    /// Names the policies that decided, for the audit record.
    pub reason: Arc<str>,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// A request that policy permits.
#[derive(Debug)]
pub struct Permitted {
    identified: Identified,
    call: Call,
    permit: Permit,
}

impl Permitted {
    /// Only the policy stage can.
    #[must_use]
    pub const fn new(_: &Stamp<stage::Permit>, identified: Identified, call: Call, permit: Permit) -> Self {
        Self { identified, call, permit }
    }

    /// What is asked for.
    #[must_use]
    pub const fn call(&self) -> &Call {
        &self.call
    }

    /// What policy attached.
    #[must_use]
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }
}

/// A permitted request with its share of rate and capacity set aside.
pub struct Reserved {
    permitted: Permitted,
    charge: Arc<Charge>,
    quotas: Vec<Quota>,
    _hold: Box<dyn Any + Send + Sync>,
}

impl Reserved {
    /// Only the policy stage can. `hold` gives the share back when it is dropped.
    #[must_use]
    pub fn new(_: &Stamp<stage::Reserve>, permitted: Permitted, hold: Box<dyn Any + Send + Sync>) -> Self {
        Self { permitted, charge: Arc::default(), quotas: Vec::new(), _hold: hold }
    }

    /// Only the policy stage can: with what budgets have set aside, and what the caller has left.
    #[must_use]
    pub fn charging(self, _: &Stamp<stage::Reserve>, charge: Arc<Charge>, quotas: Vec<Quota>) -> Self {
        Self { charge, quotas, ..self }
    }

    /// What budgets have set aside.
    #[must_use]
    pub const fn charge(&self) -> &Arc<Charge> {
        &self.charge
    }

    /// What the caller has left.
    #[must_use]
    pub fn quotas(&self) -> &[Quota] {
        &self.quotas
    }
}

/// Hashes of word groups of a protected text, sorted; enough to recognise the text, too little to recover it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fingerprint(pub Arc<[u64]>);

/// A prompt that the guards let pass, as they left it.
pub struct Screened {
    reserved: Reserved,
    body: Bytes,
    findings: Vec<Finding>,
    system: Fingerprint,
    conversation: Option<ConversationName>,
    context: Context,
}

impl Screened {
    /// Only the guard stage can. `body` is what may leave; `system` recognises this request's own system prompt.
    #[must_use]
    pub const fn new(
        _: &Stamp<stage::Screen>,
        reserved: Reserved,
        body: Bytes,
        findings: Vec<Finding>,
        system: Fingerprint,
    ) -> Self {
        Self {
            reserved,
            body,
            findings,
            system,
            conversation: None,
            context: Context {
                taint: Taint::None,
                sources: None,
                marks: None,
                stand_ins: None,
                glimpse: Glimpse::NONE,
            },
        }
    }

    /// Only the guard stage can: with what is remembered of the prompt for its answer.
    #[must_use]
    pub fn within(self, _: &Stamp<stage::Screen>, context: Context) -> Self {
        Self { context, ..self }
    }

    /// Only the guard stage can: as a part of the conversation that its caller named.
    #[must_use]
    pub fn in_conversation(self, _: &Stamp<stage::Screen>, conversation: Option<ConversationName>) -> Self {
        Self { conversation, ..self }
    }

    /// The conversation that it is a part of, where its caller named one.
    #[must_use]
    pub const fn conversation(&self) -> Option<&ConversationName> {
        self.conversation.as_ref()
    }

    /// The body that may leave.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// What was found in the prompt, masked or allowed.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Recognises the request's system prompt in the answer.
    #[must_use]
    pub const fn system(&self) -> &Fingerprint {
        &self.system
    }

    /// What is remembered of the prompt for its answer.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }
}

/// A screened request whose intent is on durable record.
pub struct Intended {
    screened: Screened,
    record: u64,
}

impl Intended {
    /// Only the audit stage can. `record` is the index of the durable record.
    #[must_use]
    pub const fn new(_: &Stamp<stage::Intend>, screened: Screened, record: u64) -> Self {
        Self { screened, record }
    }

    /// Index of the record in the audit log.
    #[must_use]
    pub const fn record(&self) -> u64 {
        self.record
    }
}

/// A request that a provider is answering.
pub struct Dispatched {
    intended: Intended,
    target: Arc<str>,
}

impl Dispatched {
    /// Only the provider stage can. `target` names who answers.
    #[must_use]
    pub const fn new(_: &Stamp<stage::Dispatch>, intended: Intended, target: Arc<str>) -> Self {
        Self { intended, target }
    }

    /// Who answers.
    #[must_use]
    pub const fn target(&self) -> &Arc<str> {
        &self.target
    }
}

/// A request whose answer policy permits to return.
pub struct Readmitted {
    dispatched: Dispatched,
    permit: Permit,
    warden: Option<Arc<dyn Warden>>,
}

impl Readmitted {
    /// Only the policy stage can; `permit` is its second word, which the answer is judged by.
    #[must_use]
    pub const fn new(_: &Stamp<stage::Permit>, dispatched: Dispatched, permit: Permit) -> Self {
        Self { dispatched, permit, warden: None }
    }

    /// Only the policy stage can: with whom to ask about tool calls from a tainted context. Without one there are none.
    #[must_use]
    pub fn guarded(self, _: &Stamp<stage::Permit>, warden: Arc<dyn Warden>) -> Self {
        Self { warden: Some(warden), ..self }
    }

    /// Whom to ask about tool calls from a tainted context.
    #[must_use]
    pub const fn warden(&self) -> Option<&Arc<dyn Warden>> {
        self.warden.as_ref()
    }

    /// What policy attached the second time.
    #[must_use]
    pub const fn second_permit(&self) -> &Permit {
        &self.permit
    }
}

/// Bytes that may reach the caller. The listener sends nothing else.
#[derive(Debug)]
pub struct Released(Bytes);

impl Released {
    /// Only the guard stage can, and only while the caller's credential stands.
    ///
    /// # Errors
    /// As [`Lease::allows`](crate::Lease::allows), when that changed since the request was identified.
    pub fn new(_: &Stamp<stage::Screen>, of: &Readmitted, bytes: Bytes, now: Timestamp) -> Result<Self, Refusal> {
        of.principal().lease.allows(now).map(|()| Self(bytes))
    }

    /// What the gateway itself says; holds nothing a provider wrote.
    #[must_use]
    pub const fn spoken(_: &Stamp<stage::Speak>, bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The bytes, for the record.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes, to be written out.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

macro_rules! carries {
    ($($outer:ident . $field:ident : $inner:ident),*) => {
        $(impl Deref for $outer {
            type Target = $inner;
            fn deref(&self) -> &$inner {
                &self.$field
            }
        })*
    };
}

// A later proof carries every earlier one, for reading.
carries!(
    Permitted.identified: Identified,
    Reserved.permitted: Permitted,
    Screened.reserved: Reserved,
    Intended.screened: Screened,
    Dispatched.intended: Intended,
    Readmitted.dispatched: Dispatched
);
