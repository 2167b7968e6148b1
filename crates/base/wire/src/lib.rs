//! Placeholder.

pub mod say;
