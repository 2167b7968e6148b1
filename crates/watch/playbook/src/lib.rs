//! Reads CACAO 2.0 playbooks and takes their steps, one at a time and each exactly once.
//!
//! It does nothing to anybody itself: what a step does, and what is kept of it, is done by a [`World`] that whoever drives a run hands in.
//!
//! Threats: a playbook understood in part (what is not understood is refused when it is read); a flood of alerts made to lock everybody
//! out (so many an hour, then a person is asked); one person who locks out a tenant (two people are asked); a step that a crash doubles or
//! loses (each is on record before it is taken, and repeated under its own name).

mod condition;
mod drive;
mod playbook;
mod raw;
mod shipped;
mod steps;
mod told;

pub use drive::{Begun, Reached, Run, World, drive};
pub use playbook::{Act, Fault, Planned, Playbook, Trigger};
pub use shipped::{SHIPPED, shipped};
pub use told::{Because, Told};
