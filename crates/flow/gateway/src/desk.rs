//! What is asked of the gateway itself rather than of a model: administration, provisioning, signals, tokens.
//!
//! A desk stands behind the same stages as every request: its callers are identified, rated and on record before it hears of
//! them, its requests are bounded, and it speaks only by the gateway's mouth. What a caller may do there it asks policy itself, deed by
//! deed.

use std::{borrow::Cow, pin::Pin, sync::Arc};

use bytes::Bytes;
use countersign_core::{
    Refusal, RequestId, Timestamp,
    life::{Identified, Peer},
};
use http::{Request, Response};

use crate::told::Pieces;

/// Serves what is asked of the gateway itself.
pub trait Desk: Send + Sync {
    /// Whether it serves this path to those who come in by this listener, and whom.
    fn door(&self, listener: &str, path: &str) -> Option<Door>;

    /// Serves one request.
    fn serve(&self, asked: Asked) -> Pin<Box<dyn Future<Output = Result<Said, Refusal>> + Send + '_>>;

    /// Says a refusal in the words of the API that the path belongs to; the body with its content type. Status and headers are
    /// the gateway's.
    fn refusal(&self, path: &str, refusal: &Refusal, request: RequestId) -> (&'static str, Bytes);
}

/// Who is let in.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Door {
    /// Whoever is identified.
    Known,
    /// Anyone: for what is public, and for what carries its own proof.
    Open,
}

/// A request at the desk.
pub struct Asked {
    /// Who asks; none at an open door.
    pub who: Option<Arc<Identified>>,
    /// Its id.
    pub id: RequestId,
    /// When it arrived.
    pub at: Timestamp,
    /// Where it came from.
    pub peer: Peer,
    /// What is asked, its body read whole: at most 64 KiB at an open door, else as much as any request's.
    pub request: Request<Bytes>,
}

/// What is answered.
pub struct Said {
    /// The answer. Of its headers, those that say where its body ends are the listener's.
    pub response: Response<Bytes>,
    /// What follows its body, as it comes, for as long as the caller's credential stands. Nobody's at an open door.
    pub then: Option<Pieces>,
    /// What was done, for the record, as in `listKeys`.
    pub what: Cow<'static, str>,
}

/// Bytes of a body that is read of somebody nobody knows.
pub(crate) const OPEN_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests;
