//! What is usual among those who are alike: of one tenant, one kind and the same roles. A newcomer is measured by it, and somebody
//! whose work it is to send attacks is measured by others who do.

use ahash::RandomState;
use countersign_core::Principal;

use crate::{
    evidence::{BINS, Evidence},
    habits::Tally,
    keep::Keep,
    steps::{Step, Steps},
};

/// Groups of peers, a bounded number of them; beyond it groups share a place.
pub(crate) struct Peers {
    groups: Vec<Group>,
}

/// One group.
#[derive(Clone, Default)]
pub(crate) struct Group {
    /// Requests by how likely an attack they were.
    bins: [f32; BINS],
    /// Requests by hour of the day, UTC.
    pub(crate) hours: [u16; 24],
    /// By model.
    pub(crate) models: Tally<8>,
    /// By what tools were offered.
    pub(crate) tools: Tally<8>,
    /// By network.
    pub(crate) places: Tally<8>,
    /// What tools were called, one after another; none where nobody has called any.
    pub(crate) steps: Option<Box<Steps>>,
    /// Requests in five busy minutes: how many such times, and how many requests in all.
    pub(crate) busy: (f32, f32),
    /// Sensitive values in an answer: how many answers, and how many values in all.
    pub(crate) sensitive: (f32, f32),
}

impl Default for Peers {
    fn default() -> Self {
        Self { groups: vec![Group::default(); GROUPS] }
    }
}

impl Peers {
    pub(crate) fn of(&mut self, who: &Principal, key: &RandomState) -> &mut Group {
        let hash = key.hash_one((&who.tenant, who.kind, &who.roles));
        // INVARIANT: there are as many groups as the remainder can name.
        &mut self.groups[(hash % GROUPS as u64) as usize]
    }
}

impl Group {
    /// How often the group has a request in `bin`, given how often people have in general.
    pub(crate) fn usual(&self, bin: usize, general: f32) -> f32 {
        let all: f32 = self.bins.iter().sum();
        let mine = self.bins.get(bin).copied().unwrap_or(0.0);
        (mine + PRIOR * general) / (all + PRIOR)
    }

    pub(crate) fn learn(&mut self, evidence: &Evidence) {
        if let Some(count) = self.bins.get_mut(evidence.bin) {
            *count += 1.0;
        }
        if self.bins.iter().sum::<f32>() > MOST {
            self.bins.iter_mut().for_each(|count| *count *= 0.5);
        }
        evidence.habits(&mut self.hours, &mut self.models, &mut self.tools, &mut self.places);
        for step in evidence.called() {
            // What weighs for one says nothing of their peers.
            self.steps.get_or_insert_default().learn(Step { weight: 0.0, ..*step });
        }
        if let Some(values) = evidence.sensitive {
            self.sensitive = grown(self.sensitive, values);
        }
        if let Some(requests) = evidence.busy_before {
            self.busy = grown(self.busy, requests);
        }
    }
}

/// Groups that have had a request, each with its place.
impl Keep for Peers {
    fn put(&self, out: &mut Vec<u8>) {
        let known = || (0_u16..).zip(&self.groups).filter(|(_, group)| group.bins.iter().any(|count| *count > 0.0));
        (known().count() as u16).put(out);
        for (at, group) in known() {
            (at, group.bins, group.hours).put(out);
            (group.models, group.tools, group.places).put(out);
            group.steps.put(out);
            (group.busy, group.sensitive).put(out);
        }
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let mut peers = Self::default();
        for _ in 0..u16::take(from)? {
            let (at, bins, hours) = <(u16, _, _)>::take(from)?;
            let (models, tools, places) = Keep::take(from)?;
            let steps = Keep::take(from)?;
            let (busy, sensitive) = Keep::take(from)?;
            *peers.groups.get_mut(usize::from(at))? =
                Group { bins, hours, models, tools, places, steps, busy, sensitive };
        }
        Some(peers)
    }
}

/// One more observation, with those of long ago fading.
pub(crate) fn grown((times, sum): (f32, f32), one: f32) -> (f32, f32) {
    if times >= 1000.0 { (times * 0.5 + 1.0, sum * 0.5 + one) } else { (times + 1.0, sum + one) }
}

const GROUPS: usize = 1024;
/// Requests that a group must have had before what it does weighs as much as what everybody does.
const PRIOR: f32 = 300.0;
const MOST: f32 = 20_000.0;
