//! The steps of a playbook and the way through them.
//!
//! INVARIANT: no way comes to a step twice. What a step does is named after it, and what is named twice would be done once.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    condition::{Condition, Field},
    playbook::{Act, Fault, Planned, is_id, minutes, only_ours, wrong},
    raw::{RawAct, RawStep},
    told::Told,
};

/// All steps, and where they begin.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    start: String,
    all: BTreeMap<String, Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Pass {
        next: String,
    },
    Act {
        name: String,
        act: Act,
        next: String,
    },
    /// Branches, each up to an end of its own, and what comes after them.
    Fork {
        fork: Fork,
        next: Option<String>,
    },
    End,
}

#[derive(Clone, Debug)]
enum Fork {
    If {
        condition: Condition,
        yes: String,
        no: Option<String>,
    },
    Switch {
        on: Field,
        cases: BTreeMap<String, String>,
    },
    /// One after the other, in the order in which they are written: CACAO permits it where the outcome is the same, and it is, for no
    /// step reads what another has done.
    All(Vec<String>),
}

impl Steps {
    /// Reads steps that all are reached, and all come to an end.
    ///
    /// # Errors
    /// [`Fault`]: what of them is not understood.
    pub(crate) fn read(
        start: String,
        raw: BTreeMap<String, RawStep>,
        is_agent: impl Fn(&str) -> bool,
    ) -> Result<Self, Fault> {
        if raw.len() > MOST {
            return Err(wrong(format!("a playbook has at most {MOST} steps")));
        }
        let mut all = BTreeMap::new();
        for (id, step) in raw {
            let step = step_of(&id, step, &is_agent).map_err(|what| wrong(format!("step `{id}`: {what}")))?;
            all.insert(id, step);
        }
        let steps = Self { start, all };
        steps.come_to_an_end()?;
        steps.are_named_apart()?;
        Ok(steps)
    }

    pub(crate) fn start(&self) -> &str {
        &self.start
    }

    /// What its actions do, whether a way leads to them or not.
    pub(crate) fn acts(&self) -> impl Iterator<Item = &Act> {
        self.all.values().filter_map(|step| match step {
            Step::Act { act, .. } => Some(act),
            _ => None,
        })
    }

    /// The actions that an alert leads to, in order.
    pub(crate) fn way<'a>(&'a self, told: &Told) -> Vec<Planned<'a>> {
        let (mut way, mut end) = (Vec::new(), self.start.as_str());
        self.follow(&self.start, told, &mut way, &mut end);
        let next: Vec<_> = way.iter().skip(1).map(|planned| planned.id).chain([end]).collect();
        way.iter_mut().zip(next).for_each(|(planned, next)| planned.next = next);
        way
    }

    /// Follows a branch up to its end. No deeper than there are steps, which are few.
    fn follow<'a>(&'a self, from: &'a str, told: &Told, way: &mut Vec<Planned<'a>>, end: &mut &'a str) {
        let mut at = Some(from);
        while let Some((id, step)) = at.and_then(|id| self.all.get_key_value(id)) {
            at = match step {
                Step::Pass { next } => Some(next),
                Step::Act { name, act, next } => {
                    way.push(Planned { id, name, act, next });
                    Some(next)
                }
                Step::Fork { fork, next } => {
                    fork.taken(told).into_iter().for_each(|branch| self.follow(branch, told, way, end));
                    next.as_deref()
                }
                Step::End => {
                    *end = id;
                    None
                }
            };
        }
    }

    /// Every step named is there, every step there is reached, and no way comes to a step again.
    fn come_to_an_end(&self) -> Result<(), Fault> {
        if !matches!(self.all.get(&self.start), Some(Step::Pass { .. })) {
            return Err(wrong(format!("`workflow_start` names `{}`, which is no start step", self.start)));
        }
        let mut reached = BTreeMap::new();
        self.walk(&self.start, &mut reached)?;
        match self.all.keys().find(|id| !reached.contains_key(id.as_str())) {
            Some(id) => Err(wrong(format!("step `{id}` is never reached"))),
            None => Ok(()),
        }
    }

    /// `reached` says of each step whether the walk has left it again. No deeper than there are steps, which are few.
    fn walk<'a>(&'a self, id: &'a str, reached: &mut BTreeMap<&'a str, bool>) -> Result<(), Fault> {
        match reached.get(id) {
            Some(true) => return Ok(()),
            Some(false) => return Err(wrong(format!("step `{id}` leads back to itself"))),
            None => {}
        }
        let step = self.all.get(id).ok_or_else(|| wrong(format!("step `{id}` is named and not there")))?;
        reached.insert(id, false);
        step.leads_to().into_iter().try_for_each(|next| self.walk(next, reached))?;
        reached.insert(id, true);
        if let Some(twice) = self.shared(step) {
            return Err(wrong(format!("step `{id}`: two of the ways that are taken from it lead to `{twice}`")));
        }
        Ok(())
    }

    /// A step that would be come to twice from a fork.
    fn shared<'a>(&'a self, step: &'a Step) -> Option<&'a str> {
        let Step::Fork { fork, next } = step else { return None };
        let after = next.as_deref().map(|next| self.reach([next])).unwrap_or_default();
        let mut taken = after;
        let branches = fork.branches();
        let groups: Vec<_> = match fork {
            Fork::All(_) => branches.into_iter().map(|branch| self.reach([branch])).collect(),
            // Only one of them is taken.
            Fork::If { .. } | Fork::Switch { .. } => vec![self.reach(branches)],
        };
        for group in groups {
            if let Some(twice) = taken.intersection(&group).next() {
                return Some(twice);
            }
            taken.extend(group);
        }
        None
    }

    /// Every step that these lead to, themselves among them.
    fn reach<'a>(&'a self, from: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let (mut reached, mut left) = (BTreeSet::new(), Vec::from_iter(from));
        while let Some(id) = left.pop() {
            if reached.insert(id) {
                left.extend(self.all.get(id).map(Step::leads_to).unwrap_or_default());
            }
        }
        reached
    }

    /// What actions make is named by the first letters of their UUIDs: cases that people read out to each other.
    fn are_named_apart(&self) -> Result<(), Fault> {
        let mut names = BTreeSet::new();
        let acts = self.all.iter().filter(|(_, step)| matches!(step, Step::Act { .. }));
        for (id, _) in acts {
            let name = id.strip_prefix("action--").and_then(|uuid| uuid.get(..8)).map(str::to_ascii_lowercase);
            if !names.insert(name) {
                return Err(wrong(format!("step `{id}`: the UUIDs of two actions begin with the same eight digits")));
            }
        }
        Ok(())
    }
}

impl Step {
    fn leads_to(&self) -> Vec<&str> {
        match self {
            Self::Pass { next } | Self::Act { next, .. } => vec![next],
            Self::Fork { fork, next } => fork.branches().into_iter().chain(next.as_deref()).collect(),
            Self::End => Vec::new(),
        }
    }
}

impl Fork {
    fn branches(&self) -> Vec<&str> {
        match self {
            Self::If { yes, no, .. } => [yes.as_str()].into_iter().chain(no.as_deref()).collect(),
            Self::Switch { cases, .. } => cases.values().map(String::as_str).collect(),
            Self::All(branches) => branches.iter().map(String::as_str).collect(),
        }
    }

    fn taken(&self, told: &Told) -> Vec<&str> {
        match self {
            Self::If { condition, yes, no } => {
                let branch = if condition.holds(told) { Some(yes) } else { no.as_ref() };
                branch.map(String::as_str).into_iter().collect()
            }
            Self::Switch { on, cases } => {
                let branch = cases.get(on.of(told)).or_else(|| cases.get(DEFAULT));
                branch.map(String::as_str).into_iter().collect()
            }
            Self::All(_) => self.branches(),
        }
    }
}

fn step_of(id: &str, raw: RawStep, is_agent: &impl Fn(&str) -> bool) -> Result<Step, String> {
    let is = |kind: &str| {
        if is_id(id, kind) { Ok(()) } else { Err(format!("its id does not begin with `{kind}--`, or ends in no UUID")) }
    };
    match raw {
        RawStep::Start { on_completion, .. } => is("start").map(|()| Step::Pass { next: on_completion }),
        RawStep::End { .. } => is("end").map(|()| Step::End),
        RawStep::IfCondition { condition, on_true, on_false, on_completion, .. } => {
            is("if-condition")?;
            let fork = Fork::If { condition: Condition::read(&condition)?, yes: on_true, no: on_false };
            Ok(Step::Fork { fork, next: on_completion })
        }
        RawStep::SwitchCondition { switch, cases, on_completion, .. } => {
            is("switch-condition")?;
            if cases.0.is_empty() {
                return Err("it has no cases".to_owned());
            }
            Ok(Step::Fork { fork: Fork::Switch { on: Field::read(&switch)?, cases: cases.0 }, next: on_completion })
        }
        RawStep::Parallel { next_steps, on_completion, .. } => {
            is("parallel")?;
            if next_steps.len() < 2 {
                return Err("what is parallel has two branches at least".to_owned());
            }
            Ok(Step::Fork { fork: Fork::All(next_steps), next: on_completion })
        }
        RawStep::Action { name, commands, agent, on_completion, step_extensions, .. } => {
            is("action")?;
            if !is_agent(&agent) {
                return Err(format!("agent `{agent}` is not defined"));
            }
            let [command] = commands.as_slice() else { return Err("an action has one command".to_owned()) };
            if command.kind != COMMAND {
                return Err(format!(
                    "commands of type `{}` are not executed; the one that is is `{COMMAND}`",
                    command.kind
                ));
            }
            let act = match only_ours(step_extensions.0, "step_extensions").map_err(|fault| fault.what)? {
                RawAct::Restrain { measure, minutes: span } => Act::Restrain {
                    measure: measure.parse().map_err(|error| format!("measure `{measure}`: {error}"))?,
                    span: minutes(span)?,
                },
                RawAct::Revoke {} => Act::Revoke,
                RawAct::Notify { channel } => Act::Notify { channel },
            };
            Ok(Step::Act { name, act, next: on_completion })
        }
    }
}

/// The type of our commands. What a command does stands in the extension of its step: CACAO's schema leaves a command no place for it.
const COMMAND: &str = "x-countersign";
/// The case that is taken where no other is.
const DEFAULT: &str = "default";
const MOST: usize = 64;
