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
pub use dial::{BoxIo, Dial, DialError, Dialer, Dialing, Io};
pub use provider::{BuildError, Provider};
pub use target::{Address, Base, Dialect, ModelRoute, NotABase, Target, Timeouts};
