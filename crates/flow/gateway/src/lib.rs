//! Composes the stages of a request's life behind a listener: what comes in is verified, and only what is released goes out.
//!
//! It makes no decision of its own about who, what or whether; each of those lives in its stage's crate.

mod answer;
mod intake;
mod ledger;
pub mod listener;
pub mod metrics;
mod pipeline;
mod route;
pub mod selftest;
mod speak;
pub mod tls;

pub use answer::AnswerBody;
pub use ledger::CLIENT_CLOSED;
pub use pipeline::{Gateway, Limits, Stages};
pub use route::{ROUTES, Route};
