//! A request that is over, in the words of those who look on: the watch and the console. It holds nothing of a prompt or an answer.

use std::{net::IpAddr, sync::Arc};

use crate::{Call, Code, Finding, Glimpse, Principal, RequestId, Side, Timestamp};

/// What became of one request.
#[derive(Clone, Debug)]
pub struct Event {
    /// The request.
    pub request: RequestId,
    /// When it arrived.
    pub at: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// The caller's network address; none over a Unix socket.
    pub from: Option<IpAddr>,
    /// Who asked, where that had been found out.
    pub who: Option<Arc<Principal>>,
    /// The route's name.
    pub route: &'static str,
    /// What was asked for, where that had been understood.
    pub call: Option<Call>,
    /// The tools that the answer called, withheld or not, as the caller had offered them; none in the place of one that was not
    /// offered by its name. Never more than [`Event::MOST_CALLED`].
    pub called: Vec<Option<Arc<str>>>,
    /// Who answered.
    pub target: Option<Arc<str>>,
    /// Why it was refused, if it was.
    pub refused: Option<Code>,
    /// Whether the answer came to its own end.
    pub complete: bool,
    /// What was found, and on which side.
    pub findings: Vec<(Side, Finding)>,
    /// What the guard saw of the prompt in passing.
    pub glimpse: Glimpse,
    /// Tokens of the prompt, as the provider counts.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer, as the provider counts.
    pub output_tokens: Option<u64>,
    /// Bytes released to the caller.
    pub bytes: u64,
    /// Index in the audit log of the intent, where it left.
    pub record: Option<u64>,
}

impl Event {
    /// How many calls of tools an event names.
    pub const MOST_CALLED: usize = 16;

    /// A request that came and was over at `at`, of which nothing else is known.
    #[must_use]
    pub const fn new(request: RequestId, at: Timestamp, route: &'static str) -> Self {
        Self {
            request,
            at,
            ended: at,
            from: None,
            who: None,
            route,
            call: None,
            called: Vec::new(),
            target: None,
            refused: None,
            complete: false,
            findings: Vec::new(),
            glimpse: Glimpse::NONE,
            input_tokens: None,
            output_tokens: None,
            bytes: 0,
            record: None,
        }
    }
}

/// Who is told of every request that is over. What it does may neither wait nor fail: a request's end does not depend on it.
pub trait Onlooker: Send + Sync {
    /// A request is over.
    fn saw(&self, event: Event);
}
