//! A playbook that is understood wholly: what sets it off, its steps, and that it comes to an end.

use std::{collections::BTreeMap, fmt, time::Duration};

use countersign_core::{Alert, Measure, Pattern, Target, Timestamp};

use crate::{
    raw::{RawPlaybook, RawTrigger},
    steps::Steps,
    told::Told,
};

/// A playbook.
#[derive(Clone, Debug)]
pub struct Playbook {
    /// What commands, configuration and records call it: its name in small letters with `-` between words.
    pub name: String,
    /// Its id in CACAO's words.
    pub id: String,
    /// What it is for.
    pub description: String,
    /// What sets it off.
    pub trigger: Trigger,
    steps: Steps,
}

/// What sets a playbook off.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trigger {
    /// What it looks like: any of these.
    pub on: Vec<Pattern>,
    /// Whose timeline it is, as in `session`: any of these.
    pub of: Vec<String>,
    /// How far it has gone.
    pub risk_at_least: u8,
    /// It is set off once by the same timeline within this.
    pub once_in: Duration,
}

/// What a step does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Act {
    /// Lays a measure upon whoever the alert is about.
    Restrain {
        /// How far.
        measure: Measure,
        /// For how long.
        span: Duration,
    },
    /// Revokes what the alert is about.
    Revoke,
    /// Tells people, by a channel that the configuration names.
    Notify {
        /// The channel.
        channel: String,
    },
}

/// A step that a run comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Planned<'a> {
    /// Its id.
    pub id: &'a str,
    /// What it is called.
    pub name: &'a str,
    /// What it does.
    pub act: &'a Act,
    /// The id of the action after it, or of the step at which the run is over.
    pub next: &'a str,
}

/// Why a file is no playbook that can be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct Fault {
    /// The line, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl Act {
    /// What it does, in a few words that hold no secret.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::Restrain { measure, span } => format!("restrain {measure} for {} min", span.as_secs() / 60),
            Self::Revoke => "revoke".to_owned(),
            Self::Notify { channel } => format!("notify {channel}"),
        }
    }

    /// Whether it takes something away from somebody.
    #[must_use]
    pub const fn harms(&self) -> bool {
        !matches!(self, Self::Notify { .. } | Self::Restrain { measure: Measure::Observe, .. })
    }

    /// How many people have to approve before it is done to `target`: two where it harms more than one person, session or credential.
    #[must_use]
    pub const fn people(&self, target: &Target) -> u32 {
        let one =
            matches!(target, Target::Principal(..) | Target::Session(..) | Target::Token(..) | Target::Credential(_));
        if self.harms() && !one { 2 } else { 0 }
    }
}

impl Playbook {
    /// Reads a playbook, wholly or not at all.
    ///
    /// # Errors
    /// [`Fault`]: it is not CACAO 2.0, or asks for something that is not understood.
    pub fn read(text: &[u8]) -> Result<Self, Fault> {
        if text.len() > LONGEST {
            return Err(wrong(format!("a playbook is at most {LONGEST} bytes")));
        }
        let raw: RawPlaybook = serde_json::from_slice(text)
            .map_err(|error| Fault { line: Some(error.line()), what: without_place(&error.to_string()) })?;
        let RawPlaybook { kind, spec_version, id, name, description, created_by, revoked, workflow_start, .. } = raw;
        if kind != "playbook" || spec_version != "cacao-2.0" {
            return Err(wrong("it is no playbook of CACAO 2.0"));
        }
        if revoked {
            return Err(wrong("its author has revoked it"));
        }
        of_kind(&id, "playbook")?;
        of_kind(&created_by, "identity")?;
        let agents = raw.agent_definitions.0;
        if let Some((name, _)) =
            agents.iter().find(|(id, agent)| agent.kind != "organization" || !is_id(id, "organization"))
        {
            return Err(wrong(format!(
                "agent `{name}`: the only agent is an organization, which stands for the gateway"
            )));
        }
        let known = raw.extension_definitions.0;
        if known.len() != 1
            || known.get(EXTENSION).is_none_or(|e| e.kind != "extension-definition" || e.version != "1.0.0")
        {
            return Err(wrong(format!("the one extension that is understood is `{EXTENSION}`, version 1.0.0")));
        }
        let trigger = only_ours(raw.playbook_extensions.0, "playbook_extensions")?;
        Ok(Self {
            name: short(&name).ok_or_else(|| wrong("its name is not 1 to 60 letters, digits and spaces"))?,
            id,
            description,
            trigger: Trigger::of(trigger)?,
            steps: Steps::read(workflow_start, raw.workflow.0, |agent| agents.contains_key(agent))?,
        })
    }

    /// Whether an alert sets it off.
    #[must_use]
    pub fn fits(&self, alert: &Alert) -> bool {
        let Trigger { on, of, risk_at_least, .. } = &self.trigger;
        let target = alert.of.to_string();
        let sort = target.split(':').next().unwrap_or_default();
        on.contains(&alert.pattern) && alert.risk >= *risk_at_least && of.iter().any(|o| o == sort)
    }

    /// What no two runs share: the same alert that is raised again, or seen by several nodes, sets off one run.
    #[must_use]
    pub fn slot(&self, of: &Target, at: Timestamp) -> String {
        let span = self.trigger.once_in.as_secs().max(1);
        format!("{} {of} {}", self.name, at.seconds() / span)
    }

    /// The step that it begins with.
    #[must_use]
    pub fn start(&self) -> &str {
        self.steps.start()
    }

    /// The channels that it tells people by.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.steps.acts().filter_map(|act| match act {
            Act::Notify { channel } => Some(channel.as_str()),
            _ => None,
        })
    }

    /// The next thing to be done from a step on; none when it is over, or there is no such step any more.
    #[must_use]
    pub fn from<'a>(&'a self, step: &str, told: &Told) -> Option<Planned<'a>> {
        let all = self.plan(told);
        let at = if step == self.start() { 0 } else { all.iter().position(|planned| planned.id == step)? };
        all.into_iter().nth(at)
    }

    /// Everything that it would do about an alert, in order. What conditions read stays as it is while a run goes on, so this is known
    /// beforehand, and stays the same through whatever interrupts the run.
    #[must_use]
    pub fn plan<'a>(&'a self, told: &Told) -> Vec<Planned<'a>> {
        self.steps.way(told)
    }
}

impl Trigger {
    fn of(raw: RawTrigger) -> Result<Self, Fault> {
        let on =
            raw.on.iter().map(|name| name.parse().map_err(|_| wrong(format!("`{name}` is no pattern of the watch"))));
        let on: Vec<Pattern> = on.collect::<Result<_, _>>()?;
        if let Some(other) = raw.of.iter().find(|sort| !SORTS.contains(&sort.as_str())) {
            return Err(wrong(format!("`of`: `{other}` is none of {}", SORTS.join(", "))));
        }
        if on.is_empty() || raw.of.is_empty() || raw.risk_at_least > 100 {
            return Err(wrong("`on` and `of` name at least one, and `risk_at_least` is 0 to 100"));
        }
        Ok(Self {
            on,
            of: raw.of,
            risk_at_least: raw.risk_at_least,
            once_in: minutes(raw.once_in_minutes).map_err(wrong)?,
        })
    }
}

pub(crate) fn only_ours<V>(mut all: BTreeMap<String, V>, place: &str) -> Result<V, Fault> {
    match (all.remove(EXTENSION), all.is_empty()) {
        (Some(ours), true) => Ok(ours),
        _ => Err(wrong(format!("`{place}` holds `{EXTENSION}` and nothing else"))),
    }
}

pub(crate) fn minutes(figure: u32) -> Result<Duration, String> {
    match figure {
        1..=MOST_MINUTES => Ok(Duration::from_secs(u64::from(figure) * 60)),
        _ => Err(format!("minutes are 1 to {MOST_MINUTES}")),
    }
}

fn of_kind(id: &str, kind: &str) -> Result<(), Fault> {
    if is_id(id, kind) { Ok(()) } else { Err(wrong(format!("`{id}` is no id as `{kind}--UUID`"))) }
}

/// Whether it is the kind, two dashes and a UUID.
pub(crate) fn is_id(id: &str, kind: &str) -> bool {
    let Some(uuid) = id.strip_prefix(kind).and_then(|rest| rest.strip_prefix("--")) else { return false };
    let parts: Vec<_> = uuid.split('-').collect();
    let lengths = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]);
    let hex = parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()));
    // As CACAO's schema has it: a version from 1 to 5, and the variant of RFC 9562.
    let begins = |part: Option<&&str>, with: &[char]| part.is_some_and(|part| part.starts_with(with));
    lengths
        && hex
        && begins(parts.get(2), &['1', '2', '3', '4', '5'])
        && begins(parts.get(3), &['8', '9', 'a', 'b', 'A', 'B'])
}

/// `Repeated extraction` as `repeated-extraction`.
fn short(name: &str) -> Option<String> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-'));
    (plain && (1..=60).contains(&name.len())).then(|| name.to_ascii_lowercase().replace(' ', "-"))
}

pub(crate) fn wrong(what: impl Into<String>) -> Fault {
    Fault { line: None, what: what.into() }
}

/// The place stands in front of it already.
fn without_place(text: &str) -> String {
    text.rsplit_once(" at line ").map_or(text, |(what, _)| what).to_owned()
}

/// Names our extension to CACAO.
const EXTENSION: &str = "extension-definition--8f2d4c1e-6b3a-4f57-9c20-5d1e7a9b3c64";
const SORTS: &[&str] = &["session", "principal", "client", "tenant"];
const LONGEST: usize = 256 << 10;
const MOST_MINUTES: u32 = 30 * 24 * 60;

#[cfg(test)]
pub(crate) mod tests;
