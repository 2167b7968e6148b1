//! Which tool is called after which, and how far that has gone from what is usual.
//!
//! Usual is a first-order chain: the pairs seen most, and how often each tool was called. What is usual for somebody leans on what is
//! usual for their peers until it is known, and on how often a tool is called at all where a pair is not. Gone wrong is somebody who
//! calls any of the tools, or one of them again and again, or what nobody has called before.

use crate::{habits::Tally, keep::Keep};

/// A chain over the tools that were called, by hash, and the evidence against it.
#[derive(Clone, Default)]
pub(crate) struct Steps {
    pairs: Tally<24>,
    tools: Tally<12>,
    /// The sum of evidence that the calls are no longer what they were: a CUSUM, in nats.
    drift: f32,
    calls: u32,
}

/// One call of a tool.
#[derive(Clone, Copy, Default)]
pub(crate) struct Step {
    /// The tool that was called before it.
    pub(crate) from: u32,
    /// The tool.
    pub(crate) to: u32,
    /// How much likelier it is of somebody who has gone wrong, in nats; nothing while it is not known what is usual.
    pub(crate) weight: f32,
}

impl Step {
    /// A call of `to` after `from` by somebody whose calls are `own`, among others whose calls are `peers`.
    pub(crate) fn of(from: u32, to: u32, own: Option<&Steps>, peers: Option<&Steps>) -> Self {
        let usual = |own: &Steps| {
            let others = peers.map_or(UNSEEN, |peers| peers.likely(from, to, UNSEEN));
            let any = if own.tools.count(to) < FEW { NEW } else { ANY / own.tools.kinds() };
            let wrong = any + if from == to { AGAIN } else { 0.0 };
            (wrong / own.likely(from, to, others)).ln().clamp(-MOST, MOST)
        };
        Self { from, to, weight: own.filter(|own| own.tools.all() >= KNOWN).map_or(0.0, usual) }
    }
}

impl Steps {
    fn likely(&self, from: u32, to: u32, others: f32) -> f32 {
        let alone = self.tools.likely(to, others);
        if self.tools.count(from) < FEW {
            return alone;
        }
        ((self.pairs.count(pair(from, to)) + LEANING * alone) / (self.tools.count(from) + LEANING)).min(1.0)
    }

    /// Takes in a call. Of those that surprise few are learned, so that what is wrong does not soon become what is usual.
    pub(crate) fn learn(&mut self, step: Step) {
        self.calls = self.calls.wrapping_add(1);
        if step.weight < SURPRISING || self.calls.is_multiple_of(8) {
            self.pairs.add(pair(step.from, step.to));
            self.tools.add(step.from);
        }
        self.drift = (self.drift + step.weight).max(0.0);
    }

    /// How far it has gone, as a share of what raises an alert.
    pub(crate) const fn level(&self) -> f32 {
        self.drift / ALERT
    }

    /// Forgets some of the evidence.
    pub(crate) fn fade(&mut self, left: f32) {
        self.drift *= left;
    }
}

impl Keep for Steps {
    fn put(&self, out: &mut Vec<u8>) {
        (self.pairs, self.tools, (self.drift, self.calls)).put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let (pairs, tools, (drift, calls)) = Keep::take(from)?;
        Some(Self { pairs, tools, drift, calls })
    }
}

/// One number for two tools in their order.
const fn pair(from: u32, to: u32) -> u32 {
    from.rotate_left(13).wrapping_mul(0x9e37_79b1) ^ to
}

/// Where a conversation begins.
pub(crate) const START: u32 = 1;
/// How likely a tool is that nobody has called.
const UNSEEN: f32 = 0.02;
/// Shares of what somebody does who has gone wrong: any of the tools that were called before, the last one again, and one that
/// hardly ever was.
const ANY: f32 = 0.55;
const AGAIN: f32 = 0.3;
const NEW: f32 = 0.15;
/// What a tool's own rate weighs against what came after this one before.
const LEANING: f32 = 3.0;
/// Calls of a tool of which little is known.
const FEW: f32 = 8.0;
/// Calls after which somebody has an order of their own.
const KNOWN: f32 = 150.0;
/// What one call may weigh.
const MOST: f32 = 2.5;
/// Nats: more than harmless agents come to in a thousand conversations, by `cargo xtask bench watch`.
const ALERT: f32 = 32.0;
/// From which weight on a call is learned one time in eight.
const SURPRISING: f32 = 1.0;
