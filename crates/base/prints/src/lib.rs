//! Fingerprints of registered texts: an index of them, and the recognition of their passages in other texts.
//!
//! It opens no files and decides nothing: bytes are handed in, and what was recognised is handed out.

pub mod blocks;
pub mod view;
pub mod words;
