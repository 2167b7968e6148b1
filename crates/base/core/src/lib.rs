//! The words every stage of a request's life shares: who, what was said, what was found, what was decided, and the proofs.
//!
//! It does no I/O, reads no clock, spawns nothing and knows nothing of HTTP, JSON or any provider.

pub mod access;
pub mod alert;
pub mod calendar;
pub mod call;
pub mod charge;
pub mod claims;
pub mod clock;
pub mod code;
pub mod content;
pub mod conversation;
pub mod entity;
pub mod event;
pub mod finding;
pub mod glimpse;
pub mod id;
pub mod life;
pub mod principal;
pub mod refusal;
pub mod restraint;
pub mod revocation;
pub mod secret;
pub mod spotlight;
pub mod stand_in;
pub mod step_up;
pub mod taint;

pub use alert::{Alert, Pattern};
pub use call::{Call, Format};
pub use charge::{Charge, Quota};
pub use claims::{Claims, Confirmation, Groups};
pub use clock::{Clock, Timestamp};
pub use code::Code;
pub use content::{Channel, Document, Edit, InCall, Leaf, Slot, SlotKind, Trust};
pub use conversation::ConversationName;
pub use entity::Entity;
pub use event::{Event, Onlooker};
pub use finding::{Action, Finding, Judge, Kind, Reproduced, Side};
pub use glimpse::{Glimpse, Sketch};
pub use id::RequestId;
pub use principal::{Lease, Principal};
pub use refusal::Refusal;
pub use restraint::{Measure, Restraint};
pub use revocation::{Board, Target};
pub use secret::Secret;
pub use spotlight::Spotlight;
pub use stand_in::{Form, Mint, StandIns, Vault};
pub use step_up::StepUp;
pub use taint::{Taint, Warden};
