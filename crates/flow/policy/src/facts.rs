//! What a policy is asked about: one request, in the schema's words, blanked to what the policies at hand can read.
//!
//! The same value is the cache's key. Because a policy is evaluated on the blanked facts and on nothing else, two requests
//! with equal facts have the same answer by construction.

use std::{
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

use countersign_core::{
    Call, Code, Finding, Format, Kind, Principal, Taint, Timestamp, access::Session, life::Peer, principal::Possession,
};

use crate::{
    administer::Administer,
    mentions::Mentions,
    scopes,
    standing::{Standing, UNKNOWN},
    token::{Token, TokenKey},
};

/// One question, borrowed.
#[derive(Clone, Copy, Debug, Hash, PartialEq)]
pub(crate) struct Facts<'a> {
    pub(crate) deed: Deed,
    pub(crate) who: Who<'a>,
    pub(crate) model: &'a str,
    pub(crate) format: Format,
    pub(crate) stream: bool,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) tools: &'a [Arc<str>],
    pub(crate) attachments: u32,
    pub(crate) listener: &'a str,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) time: Moment,
    pub(crate) findings: Kinds,
    pub(crate) masked: bool,
    pub(crate) target: &'a str,
    /// What the caller's access token says; none for other credentials.
    pub(crate) token: Option<Token<'a>>,
    pub(crate) possession: Possession,
    /// The granted access that the request is made on.
    pub(crate) grant: Option<&'a Arc<Session>>,
    /// What others say of the caller, which whoever asks has to look up.
    pub(crate) standing: &'a Standing,
    /// How far the watch thinks that something is wrong, which whoever asks has to look up.
    pub(crate) risk: u8,
    /// What the context of a tool's call is tainted by.
    pub(crate) taint: Taint,
    /// Whether one of the call's arguments stands in text that the caller did not write.
    pub(crate) copied: bool,
    /// Whether the granted access names the tool.
    pub(crate) granted: bool,
}

/// What the caller wants: an action of the schema.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Deed {
    /// That the prompt leaves.
    Ask,
    /// That the answer returns.
    Receive,
    /// That the answer calls a tool.
    CallTool,
    /// Something on the gateway itself.
    Administer(Administer),
}

/// A principal, compared by everything a policy can read of it (not by credential or lease).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'a>(pub(crate) &'a Arc<Principal>);

/// A point in time in the schema's words, UTC.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Moment {
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    /// 0 is Monday.
    pub(crate) weekday: u8,
    pub(crate) epoch: u64,
}

/// A set of kinds of finding, one bit each in the order of [`Kind::ALL`].
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Kinds(u16);

/// Facts that own what they speak of, as the cache keeps them.
#[derive(Debug)]
pub(crate) struct Key {
    who: Arc<Principal>,
    model: Box<str>,
    tools: Box<[Arc<str>]>,
    listener: Box<str>,
    target: Box<str>,
    token: Option<TokenKey>,
    grant: Option<Arc<Session>>,
    rest: Rest,
}

/// The parts of [`Facts`] that are plain values.
#[derive(Debug)]
struct Rest {
    deed: Deed,
    format: Format,
    stream: bool,
    max_tokens: Option<u64>,
    attachments: u32,
    ip: Option<IpAddr>,
    time: Moment,
    findings: Kinds,
    masked: bool,
    possession: Possession,
    standing: Standing,
    risk: u8,
    taint: Taint,
    copied: bool,
    granted: bool,
}

/// The gateway as a resource: its id, and its name.
pub(crate) const GATEWAY: &str = "gateway";

/// Names of the weekdays in the schema's words, Monday first.
pub(crate) const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl Deed {
    /// The action's id.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Receive => "receive",
            Self::CallTool => "callTool",
            Self::Administer(what) => what.as_str(),
        }
    }

    /// The code of its refusal.
    pub(crate) const fn refused(self) -> Code {
        match self {
            Self::Ask | Self::Administer(_) => Code::NotPermitted,
            Self::Receive => Code::AnswerNotPermitted,
            Self::CallTool => Code::ToolRefused,
        }
    }
}

impl<'a> Facts<'a> {
    /// The question before the prompt leaves.
    pub(crate) fn ask(who: &'a Arc<Principal>, peer: &'a Peer, call: &'a Call, now: Timestamp) -> Self {
        Self {
            deed: Deed::Ask,
            model: &call.model,
            format: call.format,
            stream: call.stream,
            max_tokens: call.max_tokens,
            tools: &call.tools,
            attachments: call.attachments,
            ..Self::administer(who, peer, now, Administer::Observe)
        }
    }

    /// The question before the answer returns: the first one, and what has been learnt since.
    pub(crate) fn receive(self, findings: Kinds, masked: bool, target: &'a str) -> Self {
        Self { deed: Deed::Receive, findings, masked, target, ..self }
    }

    /// The question when the answer calls `tool`: the one before it returns, and what is known of the call.
    pub(crate) fn call(self, tool: &'a str, taint: Taint, copied: bool) -> Self {
        let names = |thing: &Arc<str>| thing.strip_prefix("tool:") == Some(tool);
        let granted = self.grant.is_some_and(|grant| grant.things.iter().any(names));
        Self { deed: Deed::CallTool, model: tool, taint, copied, granted, ..self }
    }

    /// The question of one who wants to do something to the gateway: about nothing but what, who, where from and when.
    pub(crate) fn administer(who: &'a Arc<Principal>, peer: &'a Peer, now: Timestamp, what: Administer) -> Self {
        Self {
            deed: Deed::Administer(what),
            who: Who(who),
            model: GATEWAY,
            format: Format::Models,
            stream: false,
            max_tokens: None,
            tools: &[],
            attachments: 0,
            listener: &peer.listener,
            ip: peer.ip,
            time: Moment::at(now),
            findings: Kinds::default(),
            masked: false,
            target: "",
            token: Token::of(who, now),
            possession: who.possession(),
            grant: who.session.as_ref(),
            standing: &UNKNOWN,
            risk: 0,
            taint: Taint::None,
            copied: false,
            granted: false,
        }
    }

    /// The format's name in the schema's words.
    pub(crate) const fn format_name(&self) -> &'static str {
        match self.deed {
            Deed::Ask | Deed::Receive | Deed::CallTool => self.format.as_str(),
            Deed::Administer(Administer::Observe) => "metrics",
            Deed::Administer(_) => "admin",
        }
    }

    /// What the scopes of the caller's credential say to it.
    pub(crate) fn in_scope(&self) -> Result<(), &'static str> {
        // What the credential may offer was asked before the prompt left.
        if self.deed == Deed::CallTool {
            return Ok(());
        }
        let model = (!matches!(self.deed, Deed::Administer(_))).then_some(self.model);
        scopes::allow(self.who.0, model, self.format_name(), self.tools)
    }

    /// The same question without what no policy can read.
    pub(crate) fn blanked(mut self, read: Mentions) -> Self {
        let blank = |attribute| !read.holds(attribute);
        if blank(Mentions::FORMAT) {
            self.format = Format::Chat;
        }
        if blank(Mentions::STREAM) {
            self.stream = false;
        }
        if blank(Mentions::MAX_TOKENS) {
            self.max_tokens = None;
        }
        if blank(Mentions::TOOLS) {
            self.tools = &[];
        }
        if blank(Mentions::ATTACHMENTS) {
            // Whether there are any always counts: the rules refuse attachments whatever Cedar says.
            self.attachments = self.attachments.min(1);
        }
        if blank(Mentions::LISTENER) {
            self.listener = "";
        }
        if blank(Mentions::IP) {
            self.ip = None;
        }
        if blank(Mentions::HOUR) {
            self.time.hour = 0;
        }
        if blank(Mentions::MINUTE) {
            self.time.minute = 0;
        }
        if blank(Mentions::WEEKDAY) {
            self.time.weekday = 0;
        }
        if blank(Mentions::EPOCH) {
            self.time.epoch = 0;
        }
        if blank(Mentions::FINDINGS) {
            self.findings = Kinds::default();
        }
        if blank(Mentions::MASKED) {
            self.masked = false;
        }
        if blank(Mentions::TARGET) {
            self.target = "";
        }
        self.token = self.token.and_then(|token| token.blanked(read));
        if blank(Mentions::POSSESSION) {
            self.possession = Possession::None;
        }
        if blank(Mentions::GRANT) {
            self.grant = None;
        }
        if blank(Mentions::STANDING) {
            self.standing = &UNKNOWN;
        }
        if blank(Mentions::RISK) {
            self.risk = 0;
        }
        if blank(Mentions::TAINT) {
            self.taint = Taint::None;
        }
        self.copied &= read.holds(Mentions::COPIED);
        self.granted &= read.holds(Mentions::GRANTED);
        self
    }

    /// Whether the facts are small enough to be kept; what a caller writes must not fill memory.
    pub(crate) fn keepable(&self) -> bool {
        self.tools.len() <= 32
            && self.token.is_none_or(|token| token.keepable())
            && self.model.len() + self.listener.len() + self.target.len() <= 1024
            && self.tools.iter().map(|t| t.len()).sum::<usize>() <= 1024
    }

    /// A copy that owns its parts.
    pub(crate) fn to_key(self) -> Key {
        Key {
            who: Arc::clone(self.who.0),
            model: self.model.into(),
            tools: self.tools.into(),
            listener: self.listener.into(),
            target: self.target.into(),
            token: self.token.map(Token::to_key),
            grant: self.grant.cloned(),
            rest: Rest {
                deed: self.deed,
                format: self.format,
                stream: self.stream,
                max_tokens: self.max_tokens,
                attachments: self.attachments,
                ip: self.ip,
                time: self.time,
                findings: self.findings,
                masked: self.masked,
                possession: self.possession,
                standing: self.standing.clone(),
                risk: self.risk,
                taint: self.taint,
                copied: self.copied,
                granted: self.granted,
            },
        }
    }
}

impl Key {
    /// The facts this key stands for.
    pub(crate) fn facts(&self) -> Facts<'_> {
        let rest = &self.rest;
        Facts {
            deed: rest.deed,
            who: Who(&self.who),
            model: &self.model,
            format: rest.format,
            stream: rest.stream,
            max_tokens: rest.max_tokens,
            tools: &self.tools,
            attachments: rest.attachments,
            listener: &self.listener,
            ip: rest.ip,
            time: rest.time,
            findings: rest.findings,
            masked: rest.masked,
            target: &self.target,
            token: self.token.as_ref().map(TokenKey::token),
            possession: rest.possession,
            grant: self.grant.as_ref(),
            standing: &rest.standing,
            risk: rest.risk,
            taint: rest.taint,
            copied: rest.copied,
            granted: rest.granted,
        }
    }
}

impl PartialEq for Who<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.0, other.0);
        Arc::ptr_eq(a, b)
            || (a.tenant == b.tenant
                && a.subject == b.subject
                && a.kind == b.kind
                && a.roles == b.roles
                && a.scopes == b.scopes
                && a.method == b.method)
    }
}

impl Hash for Who<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let who = self.0;
        // Enough to spread keys; equality looks at the rest.
        who.tenant.hash(state);
        who.subject.hash(state);
        who.kind.hash(state);
        who.roles.len().hash(state);
    }
}

impl Moment {
    /// The moment `now`.
    pub(crate) const fn at(now: Timestamp) -> Self {
        let epoch = now.seconds();
        let of_day = epoch % 86_400;
        // The first of January 1970 was a Thursday.
        let weekday = (epoch / 86_400 + 3) % 7;
        Self { hour: (of_day / 3_600) as u8, minute: (of_day / 60 % 60) as u8, weekday: weekday as u8, epoch }
    }

    /// The weekday's name.
    pub(crate) fn weekday_name(self) -> &'static str {
        WEEKDAYS.get(usize::from(self.weekday)).copied().unwrap_or_default()
    }
}

impl Kinds {
    /// The kinds of `findings`.
    pub(crate) fn of(findings: &[Finding]) -> Self {
        findings.iter().map(|f| f.kind).collect()
    }

    /// The kinds in the set.
    pub(crate) fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.0 & bit(*kind) != 0)
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | bit(kind)))
    }
}

const fn bit(kind: Kind) -> u16 {
    1 << kind as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_utc() {
        // 2026-11-22T10:15:30Z, a Sunday.
        let moment = Moment::at(Timestamp(1_795_342_530 * 1_000_000));
        assert_eq!((moment.hour, moment.minute, moment.weekday_name()), (10, 15, "sunday"));
        assert_eq!(Moment::at(Timestamp(0)).weekday_name(), "thursday");
    }

    #[test]
    fn every_kind_has_its_own_bit() {
        for kind in Kind::ALL {
            assert_eq!([kind].into_iter().collect::<Kinds>().iter().collect::<Vec<_>>(), [kind]);
        }
        assert_eq!(Kind::ALL.into_iter().collect::<Kinds>().iter().count(), Kind::ALL.len());
    }
}
