//! The first stage: finds out who asks, from an API key, an access token or a client certificate, and keeps hold of the
//! credential's lease.
//!
//! It reads no files and no clock, speaks no HTTP or TLS (key sets are handed to it), verifies no certificate chain (the listener did)
//! and decides nothing about what a caller may do.
//!
//! Threats it answers: guessed, mistyped, leaked, expired and revoked keys; forged, borrowed and confused tokens; two
//! credentials in one request that two readers would choose differently between; a credential that ends while its answer is still streaming; a flood of refused
//! credentials that would fill the audit log.

pub mod browser;
mod certificate;
pub mod discovery;
pub mod dpop;
mod identify;
pub mod key;
mod presented;
pub mod session;
pub mod spiffe;
mod strangers;
pub mod token;

pub use browser::Browsers;
pub use certificate::{CertificateField, CertificateRule, NamePattern};
pub use countersign_store::KeyRecord;
pub use identify::{Identity, Outside};
pub use presented::Presented;
pub use strangers::{Place, Strangers, Tally};
pub use token::Tokens;
