//! What is done about findings: an ordered table, compiled for the roles of a caller into the judge the guards ask.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use countersign_core::{Action, Channel, Entity, Finding, Judge, Kind, Side};

/// One line of the table. A field that is `None` or empty fits everything.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionRule {
    /// Which way the content travels.
    pub side: Option<Side>,
    /// What was found.
    pub kind: Option<Kind>,
    /// The detector's rule, whole (`personal/iban`), or its first parts (`personal`), or the type of value it finds (`IBAN`).
    pub rule: Option<String>,
    /// The voice it was found in.
    pub channel: Option<Channel>,
    /// The caller has at least one of these roles.
    pub roles: Vec<String>,
    /// The detector is at least this sure, 0 to 1.
    pub at_least: f32,
    /// So many words of a registered text have been reproduced; 0 fits what is none, too.
    pub at_least_words: u32,
    /// What is done.
    pub action: Action,
}

impl ActionRule {
    /// The line that fits everything.
    #[must_use]
    pub const fn any(action: Action) -> Self {
        let roles = Vec::new();
        Self { side: None, kind: None, rule: None, channel: None, roles, at_least: 0.0, at_least_words: 0, action }
    }
}

/// The table. The first line that fits a finding decides; a finding no line fits is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The lines, in order.
    pub actions: Vec<ActionRule>,
}

impl Rules {
    /// The table a deployment starts with. Lines of its own go before these.
    ///
    /// | found | in prompts | in answers |
    /// | --- | --- | --- |
    /// | injection, extraction | refused at 0.5 from users, tools and unknown fields, at 0.8 in earlier turns; allowed in the operator's own words | allowed: an answer obeys nobody |
    /// | exfiltration | refused at 0.5, allowed in the operator's words | masked at 0.5 |
    /// | prompt or document leak | allowed: retrieval puts documents there | refused at 0.5 |
    /// | canary | refused | cut |
    /// | secret | masked at 0.5 | masked at 0.5 |
    /// | personal data | allowed: it is the caller's own work | masked at 0.5 (cards, accounts, government numbers, ...); what ordinary correspondence is made of allowed (addresses, dates, names, telephone numbers, ...) |
    /// | hidden text | allowed: what it says is judged by itself | allowed |
    /// | past a limit | refused | refused |
    /// | attachment | refused | refused |
    /// | copied argument of a tool call | | allowed: `callTool` of the policy decides about it |
    ///
    /// Below the figures a finding is allowed and stays on record.
    #[must_use]
    pub fn standard() -> Self {
        use Action::{Allow, Cut, Mask, Refuse};
        use Side::{Answer, Prompt};

        let line =
            |side, kind, at_least, action| ActionRule { side, kind: Some(kind), at_least, ..ActionRule::any(action) };
        let mut actions = Vec::new();
        for kind in [Kind::Injection, Kind::Extraction, Kind::Exfiltration] {
            actions.push(ActionRule { channel: Some(Channel::System), ..line(Some(Prompt), kind, 0.0, Allow) });
            for channel in [Channel::User, Channel::ToolResult, Channel::Other] {
                actions.push(ActionRule { channel: Some(channel), ..line(Some(Prompt), kind, 0.5, Refuse) });
            }
            actions.push(line(Some(Prompt), kind, 0.8, Refuse));
        }
        actions.push(line(Some(Answer), Kind::Exfiltration, 0.5, Mask));
        actions
            .extend([Kind::Injection, Kind::Extraction, Kind::Exfiltration].map(|kind| line(None, kind, 0.0, Allow)));
        for kind in [Kind::PromptLeak, Kind::DocumentLeak] {
            actions.push(line(Some(Answer), kind, 0.5, Refuse));
            actions.push(line(None, kind, 0.0, Allow));
        }
        actions.push(line(Some(Prompt), Kind::Canary, 0.0, Refuse));
        actions.push(line(Some(Answer), Kind::Canary, 0.0, Cut));
        actions.push(line(None, Kind::Secret, 0.5, Mask));
        actions.push(line(None, Kind::Secret, 0.0, Allow));
        actions.push(line(Some(Prompt), Kind::PersonalData, 0.0, Allow));
        for harmless in HARMLESS_PERSONAL_DATA {
            actions
                .push(ActionRule { rule: Some(harmless.into()), ..line(Some(Answer), Kind::PersonalData, 0.0, Allow) });
        }
        actions.push(line(Some(Answer), Kind::PersonalData, 0.5, Mask));
        actions.push(line(Some(Answer), Kind::PersonalData, 0.0, Allow));
        actions.push(line(None, Kind::Hidden, 0.0, Allow));
        actions.push(line(None, Kind::Limit, 0.0, Refuse));
        actions.push(line(None, Kind::Attachment, 0.0, Refuse));
        actions.push(line(None, Kind::Copied, 0.0, Allow));
        Self { actions }
    }

    /// Whether anything is done, for whomever, about what `rule` finds of this kind on this side, but to let it pass. What costs much to
    /// find need not be looked for otherwise.
    #[must_use]
    pub fn acts_on(&self, side: Side, kind: Kind, rule: &str) -> bool {
        for line in &self.actions {
            let fits = line.side.is_none_or(|s| s == side)
                && line.kind.is_none_or(|k| k == kind)
                && line.rule.as_deref().is_none_or(|r| is_of(rule, r));
            let always =
                line.channel.is_none() && line.roles.is_empty() && line.at_least <= 0.0 && line.at_least_words == 0;
            match (fits, line.action) {
                (false, _) => {}
                (true, Action::Allow) if always => return false,
                (true, Action::Allow) => {}
                (true, _) => return true,
            }
        }
        true
    }

    /// The judge for callers with `roles`.
    #[must_use]
    pub fn judge(&self, roles: &[Arc<str>]) -> Arc<dyn Judge> {
        Arc::new(Table(self.actions.iter().filter(|line| line.is_for(roles)).cloned().collect()))
    }
}

/// Personal data that ordinary correspondence is made of. Everything else of the kind is a number somebody can misuse, and what a
/// detector learns to find tomorrow counts as such until it is named here.
const HARMLESS_PERSONAL_DATA: [&str; 27] = [
    "personal/abn",
    "personal/acn",
    "personal/address",
    "personal/age",
    "personal/bic",
    "personal/birth-date",
    "personal/card-expiry",
    "personal/cnpj",
    "personal/company-id",
    "personal/date",
    "personal/device-id",
    "personal/email",
    "personal/ip-address",
    "personal/mac-address",
    "personal/name",
    "personal/organization",
    "personal/phone",
    "personal/place",
    "personal/postcode",
    "personal/reference",
    "personal/regon",
    "personal/siren",
    "personal/siret",
    "personal/url",
    "personal/username",
    "personal/vehicle",
    "personal/wallet",
];

/// The table for callers with certain roles.
struct Table(Box<[ActionRule]>);

impl Judge for Table {
    fn judge(&self, side: Side, finding: &Finding) -> Action {
        self.0.iter().find(|line| line.fits(side, finding)).map_or(Action::Refuse, |line| line.action)
    }
}

impl ActionRule {
    fn fits(&self, side: Side, finding: &Finding) -> bool {
        self.side.is_none_or(|s| s == side)
            && self.kind.is_none_or(|k| k == finding.kind)
            && self.channel.is_none_or(|c| c == finding.channel)
            && self.rule.as_deref().is_none_or(|r| is_of(finding.rule, r))
            && finding.reproduced.as_ref().map_or(0, |it| it.words) >= self.at_least_words
            // Written so that a confidence that is no number counts as sure.
            && !matches!(finding.confidence.partial_cmp(&self.at_least), Some(std::cmp::Ordering::Less))
    }

    fn is_for(&self, roles: &[Arc<str>]) -> bool {
        self.roles.is_empty() || self.roles.iter().any(|mine| roles.iter().any(|role| **role == **mine))
    }
}

/// Whether `rule` is `name`, or `name` and further parts, or finds values of the type of that name, which has capitals.
fn is_of(rule: &str, name: &str) -> bool {
    if name.starts_with(|c: char| c.is_ascii_uppercase()) {
        return Entity::of(rule).is_some_and(|entity| entity.as_str() == name);
    }
    rule.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Judges for every set of roles seen so far.
pub(crate) struct Judges {
    rules: Rules,
    made: Mutex<Made>,
}

/// By which lines apply, so that callers whose roles no line names share one judge.
type Made = HashMap<Box<[bool]>, Arc<dyn Judge>>;

/// More sets of applicable lines than any table we know of can have; past it the memory starts anew.
const MOST_JUDGES: usize = 256;

impl Judges {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, made: Mutex::default() }
    }

    /// The judge for a caller with `roles`.
    pub(crate) fn of(&self, roles: &[Arc<str>]) -> Arc<dyn Judge> {
        let applies: Box<[bool]> = self.rules.actions.iter().map(|line| line.is_for(roles)).collect();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(judge) = made.get(&applies) {
            return Arc::clone(judge);
        }
        let judge = self.rules.judge(roles);
        if made.len() >= MOST_JUDGES {
            made.clear();
        }
        made.insert(applies, Arc::clone(&judge));
        judge
    }
}

#[cfg(test)]
mod tests;
