//! A request at the desk, and what every route does with one.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use bytes::Bytes;
use countersign_audit::record::{Changed, Members};
use countersign_core::{
    Code, Refusal, RequestId, Timestamp,
    access::Being,
    life::{Identified, Peer},
};
use countersign_gateway::Asked;
use countersign_policy::Administer;
use countersign_store::StoreError;
use http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::clock;

use super::{Admin, Permit, Route, nobody, page::Page};

/// A request for a route.
pub(crate) struct Ask<'a> {
    pub(crate) admin: &'a Admin,
    pub(crate) route: &'static Route,
    asked: &'a Asked,
    pieces: Vec<&'a str>,
    query: BTreeMap<String, String>,
}

impl<'a> Ask<'a> {
    /// Takes a request whose path is the route's.
    ///
    /// # Errors
    /// `CS0101` for parameters that the route does not know, or that are there twice.
    pub(crate) fn new(admin: &'a Admin, route: &'static Route, asked: &'a Asked) -> Result<Self, Refusal> {
        let uri = asked.request.uri();
        let query = read_query(uri.query().unwrap_or_default())?;
        if query.keys().any(|name| route.query.iter().all(|known| known.name != name)) {
            return Err(malformed("the query holds a parameter that the route does not know"));
        }
        Ok(Self { admin, route, asked, pieces: route.pieces(uri.path()), query })
    }

    /// Who asks.
    pub(crate) fn who(&self) -> Result<&Identified, Refusal> {
        self.asked.who.as_deref().ok_or_else(nobody)
    }

    /// Who asks, as records of the store name them: `TENANT/SUBJECT`.
    pub(crate) fn by(&self) -> Result<String, Refusal> {
        // Whatever tenant and subject hold, no two callers have one name.
        Ok(Being::from(&**self.who()?.principal()).to_string())
    }

    /// When the request arrived.
    pub(crate) const fn now(&self) -> Timestamp {
        self.asked.at
    }

    /// The piece of the path that its first name in braces stands for.
    pub(crate) fn id(&self) -> &str {
        self.pieces.first().copied().unwrap_or_default()
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// Which page of a list is asked for.
    pub(crate) fn page(&self) -> Result<Page, Refusal> {
        Page::read(self)
    }

    /// The request's id.
    pub(crate) const fn request(&self) -> RequestId {
        self.asked.id
    }

    /// Where it came from.
    pub(crate) const fn peer(&self) -> &Peer {
        &self.asked.peer
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.asked.request.headers()
    }

    pub(crate) fn body(&self) -> &Bytes {
        self.asked.request.body()
    }

    /// The body as JSON of exactly this form.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(self.body()).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "the body is not of the route's form",
                _ => "the body is not JSON",
            };
            // Where, and not what: a secret may have been written in the wrong place.
            malformed(format!("{what}, at line {} column {}", error.line(), error.column()))
        })
    }

    /// Puts a change on record; it may be made once this returns.
    ///
    /// # Errors
    /// `CS0601` when it cannot be recorded: then it must not be made.
    pub(crate) async fn record(&self, what: &str, was: Members, becomes: Members) -> Result<(), Refusal> {
        let Permit::Action(action) = self.route.permit else { return Err(nobody()) };
        self.record_as(action, what, was, becomes).await
    }

    async fn record_as(&self, action: Administer, what: &str, was: Members, becomes: Members) -> Result<(), Refusal> {
        let who = self.who()?;
        let changed = self.admin.audit.changed(Changed {
            request: self.asked.id,
            at: self.now().0,
            who: (&**who.principal()).into(),
            from: (&self.asked.peer).into(),
            action: action.as_str().into(),
            what: what.to_owned(),
            was,
            becomes,
        });
        tokio::time::timeout(PATIENCE, changed)
            .await
            .map_err(|_| Refusal::new(Code::AuditFailed, "the audit record was not durable in time"))?
    }
}

/// A fresh id that begins so, and sorts by time.
pub(crate) fn new_id(prefix: &str, now: Timestamp) -> String {
    RequestId::new(now, clock::random()).to_string().replacen("req_", prefix, 1)
}

/// What is wrong with a request; the caller is told.
pub(crate) fn malformed(what: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(Code::Malformed, what)
}

/// There is nothing of that id.
pub(crate) fn nothing() -> Refusal {
    Refusal::new(Code::NoSuchThing, "nothing of that id is kept")
}

/// The store failed; why goes to the log.
pub(crate) fn unkept(error: StoreError) -> Refusal {
    tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "the store could not be used");
    Refusal::new(Code::StoreFailed, "the store could not be used")
}

/// A query of `name=value` pairs; a value may be percent-encoded.
pub(crate) fn read_query(query: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let mut read = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| malformed("the query is not made of pairs"))?;
        let value = decoded(value).ok_or_else(|| malformed("a parameter of the query is not well encoded"))?;
        if read.insert(name.to_owned(), value).is_some() {
            return Err(malformed("the query holds a parameter twice"));
        }
    }
    Ok(read)
}

fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'%' => {
                let (code, after) = rest.split_at_checked(2)?;
                bytes.push(data_encoding::HEXLOWER_PERMISSIVE.decode(code).ok()?.first().copied()?);
                rest = after;
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// For the audit record to be durable.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_strictly() {
        let read = read_query("limit=5&cursor=a%2Fb+c").unwrap();
        assert_eq!((read["limit"].as_str(), read["cursor"].as_str()), ("5", "a/b c"));
        assert!(read_query("").unwrap().is_empty());
        for bad in ["limit", "a=1&a=2", "a=%", "a=%2", "a=%zz", "a=%ff"] {
            assert_eq!(read_query(bad).unwrap_err().code, Code::Malformed, "{bad}");
        }
    }
}
