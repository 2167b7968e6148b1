//! Who answers: carries a request whose intent is on record to a provider that serves its model, and brings the answer back.
//!
//! It decides nothing about content, takes nothing but an [`Intended`] request, and hands on nothing a provider says about
//! a failure.
//!
//! ```text
//! Provider::dispatch   routes, retries, fails over        breaker   leaves a failing target alone
//!   attempt            one exchange with one target       pool      idle connections
//!     prepare          head, body, model name             dial      TCP, TLS, Unix
//!   fault              statuses and errors to refusals    answer    whole, or a stream piece by piece
//! ```
//!
//! A request that is on record can be dispatched; one that has only been screened cannot, nor one twice:
//!
//! ```
//! # use countersign_core::life::Intended;
//! # use countersign_provider::Provider;
//! async fn right(provider: &Provider, request: Intended) {
//!     let _ = provider.dispatch(request).await;
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use countersign_core::life::Screened;
//! # use countersign_provider::Provider;
//! async fn around_the_record(provider: &Provider, request: Screened) {
//!     let _ = provider.dispatch(request).await;
//! }
//! ```
//!
//! ```compile_fail,E0382
//! # use countersign_core::life::Intended;
//! # use countersign_provider::Provider;
//! async fn twice(provider: &Provider, request: Intended) {
//!     let _ = provider.dispatch(request).await;
//!     let _ = provider.dispatch(request).await;
//! }
//! ```
//!
//! [`Intended`]: countersign_core::life::Intended

mod answer;
mod attempt;
mod breaker;
mod dial;
mod fault;
mod model;
mod pool;
mod prepare;
mod provider;
mod target;

pub use answer::{Body, Upstream};
pub use breaker::{Breaker, Phase};
pub use dial::{BoxIo, Dial, DialError, Dialer, Dialing, Io, Trust, TrustError, open};
pub use provider::{BuildError, Provider};
pub use target::{Address, Base, Dialect, ModelRoute, NotABase, OldestTls, Target, Timeouts};
