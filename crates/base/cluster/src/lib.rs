//! What several gateways count, claim and announce together, in Redis.
//!
//! It opens no connection by itself (whoever uses it hands in how), keeps nothing that must outlive Redis, and decides nothing: what
//! cannot be asked is an error, and whoever asks refuses.

mod address;
mod client;
mod counters;
mod resp;

pub use address::{Address, BadAddress};
pub use client::{Announcements, Away, Client, Connect, Connecting, Io, Login};
pub use counters::{Counters, Kept, Reserved, Step};
pub use resp::{BadReply, Reader, Value, command};
