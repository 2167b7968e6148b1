//! Composes the stages of a request's life behind a listener: what comes in is verified, and only what is released goes out.
//!
//! It makes no decision of its own about who, what or whether; each of those lives in its stage's crate.
//!
//! What a stage takes is what the stage before it made, so no request reaches a provider and no bytes reach a caller around
//! one. Each of these is refused by the compiler, for the reason its code names:
//!
//! ```compile_fail,E0308
//! # use countersign_core::{Refusal, life::*};
//! // A prompt that no guard has seen is not recorded.
//! async fn unscreened(audit: &countersign_audit::Audit, request: Reserved) -> Result<Intended, Refusal> {
//!     audit.intend(request).await
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use countersign_core::{Document, life::*};
//! // A request that has no share of capacity is not screened.
//! fn unreserved(guard: &countersign_guard::Guard, request: Permitted, prompt: &Document) {
//!     let _ = guard.screen(request, prompt, None, None);
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use countersign_core::{Document, Timestamp, life::*};
//! // An answer is released by policy's second word, not by its first.
//! fn unasked(guard: &countersign_guard::Guard, request: &Dispatched, answer: &Document) {
//!     let _ = guard.release_whole(request, answer, Timestamp(0));
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use countersign_core::life::*;
//! // Nor is a stream.
//! fn unwatched(guard: &std::sync::Arc<countersign_guard::Guard>, request: Dispatched) {
//!     let _ = guard.watch(request);
//! }
//! ```
//!
//! ```compile_fail,E0423
//! // What the listener sends is not made of bytes.
//! let body = countersign_gateway::AnswerBody(bytes::Bytes::new());
//! ```
//!
//! ```compile_fail,E0277
//! // Nor converted from them.
//! let body: countersign_gateway::AnswerBody = bytes::Bytes::new().into();
//! ```
//!
//! ```compile_fail,E0624
//! // Nor does anybody but the gateway make one, of released bytes either.
//! fn around(released: countersign_core::life::Released) -> countersign_gateway::AnswerBody {
//!     countersign_gateway::AnswerBody::whole(released)
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use std::sync::Arc;
//! # use bytes::Bytes;
//! # use countersign_core::life::Peer;
//! # use http_body_util::Full;
//! // What handles a request gives nothing but that.
//! async fn other(gateway: Arc<countersign_gateway::Gateway>, ask: http::Request<Full<Bytes>>) -> http::Response<Full<Bytes>> {
//!     gateway.handle(ask, Peer::default(), None).await
//! }
//! ```

mod answer;
mod assess;
mod called;
pub mod cookie;
mod desk;
mod inspect;
mod intake;
mod ledger;
pub mod listener;
pub mod metrics;
mod pipeline;
mod quota;
mod resource;
mod route;
pub mod selftest;
mod speak;
#[cfg(test)]
mod support;
pub mod tls;
mod told;

pub use answer::AnswerBody;
pub use assess::{Assessor, OnFailure};
pub use desk::{Asked, Desk, Door, Said};
pub use ledger::CLIENT_CLOSED;
pub use pipeline::{Gateway, Limits, Stages};
pub use resource::Resource;
pub use route::{ROUTES, Route};
pub use told::Pieces;
