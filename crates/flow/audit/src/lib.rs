//! What happened: a durable, signed record of every intent before anything leaves, and of every outcome.
//!
//! It decides nothing, screens nothing and sends nothing.

pub mod merkle;
