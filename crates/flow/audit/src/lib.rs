//! What happened: a durable, signed record of every intent before anything leaves, and of every outcome.
//!
//! It decides nothing, screens nothing and sends nothing.

pub mod archive;
mod audit;
pub mod damage;
mod dir;
mod find;
mod frame;
mod journal;
pub mod keep;
pub mod merkle;
pub mod note;
pub mod proof;
mod publisher;
mod queue;
mod reader;
mod recent;
pub mod record;
pub mod show;
mod spending;
mod tiles;
mod values;
pub mod verify;
mod walk;
pub mod witness;
mod writer;

#[cfg(test)]
mod sim;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tests;

pub use audit::{Audit, Keys, Outcome, Refused};
pub use dir::{Dir, DiskDir, MemoryDir, Tail};
pub use find::find;
pub use note::Checkpoint;
pub use publisher::Signed;
pub use queue::Settled;
pub use reader::{Reader, records_from};
pub use recent::{recent, since};
pub use spending::{Spending, endings};

/// The log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The directory cannot be used.
    #[error("the audit directory cannot be used: {0}")]
    Directory(#[source] std::io::Error),
    /// What was durable once is missing or changed.
    #[error("the audit log is damaged{}: {what}", .record.map(|r| format!(" at record {r}")).unwrap_or_default())]
    Damaged {
        /// Index of the first record concerned, where it can be told.
        record: Option<u64>,
        /// What is wrong.
        what: String,
    },
    /// The checkpoint cannot be believed.
    #[error(transparent)]
    Checkpoint(#[from] note::BadNote),
    /// The keys cannot be used.
    #[error("the audit keys cannot be used: {0}")]
    Keys(#[source] countersign_seal::SealError),
    /// The log's name cannot stand in a checkpoint.
    #[error("the audit log's name must not be empty or hold spaces or `+`")]
    Origin,
}
