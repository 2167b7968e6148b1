//! Access that can be asked for.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use countersign_policy::access::Access;
use toml::Spanned;

use super::{Check, fields::Wrong};
use crate::config::raw::RawAccess;

impl Check<'_> {
    pub(super) fn access(&mut self, raw: Vec<Spanned<RawAccess>>) -> Vec<Access> {
        let mut names = BTreeSet::new();
        let mut all = Vec::with_capacity(raw.len());
        for one in raw {
            let at = one.span();
            let one = one.into_inner();
            if !names.insert(one.name.clone()) {
                self.report(&at, format!("access `{}` is there twice", one.name), "give each its own name");
            }
            all.extend(self.take(&at, access(one)));
        }
        all
    }
}

fn access(raw: RawAccess) -> Result<Access, Wrong> {
    let wrong = |what: &str, fix: &str| Err(Wrong { what: format!("access `{}`: {what}", raw.name), fix: fix.into() });
    if !is_name(&raw.name) {
        return wrong("its name is no name", "write 1 to 64 of a to z, A to Z, 0 to 9, `.`, `_` and `-`");
    }
    if raw.roles.is_empty() || !raw.roles.iter().all(|role| is_role(role)) {
        return wrong("`roles` names no role", "name the roles that its holders are to have meanwhile");
    }
    if raw.things.is_empty() {
        return wrong("`for` is empty", "name what it can be asked for, as in \"model:large\" or \"tool:sql-*\"");
    }
    for thing in &raw.things {
        let name = ["model:", "tool:", "data:"].iter().find_map(|sort| thing.strip_prefix(sort));
        if !name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic())) {
            let what = format!("`{thing}` in `for` is neither a model, a tool nor data");
            return wrong(&what, "write model:NAME, tool:NAME or data:NAME; a trailing `*` matches any rest");
        }
    }
    if !(1..=1440).contains(&raw.longest_minutes) {
        return wrong("`longest_minutes` is not from 1 to 1440", "write for how long it is granted at most");
    }
    if !(1..=10).contains(&raw.approvals) {
        return wrong("`approvals` is not from 1 to 10", "write how many have to approve");
    }
    if raw.approvers.is_empty() || !raw.approvers.iter().all(|role| is_role(role)) {
        return wrong("`approvers` names no role", "name the roles of those who may approve");
    }
    if !raw.break_glass.iter().all(|role| is_role(role)) {
        return wrong(
            "`break_glass` names what is no role",
            "name the roles of those who may have it at once, or none",
        );
    }
    let shared = |names: Vec<String>| names.into_iter().map(Arc::from).collect();
    Ok(Access {
        name: raw.name.into(),
        roles: shared(raw.roles),
        things: raw.things.into_iter().map(Into::into).collect(),
        longest: Duration::from_secs(raw.longest_minutes * 60),
        approvals: raw.approvals,
        approvers: shared(raw.approvers),
        glass: shared(raw.break_glass),
    })
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_role(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: &str) -> Option<String> {
        let mut table: toml::Table = toml::from_str(
            "name = 'incident'\nroles = ['responder']\nfor = ['model:large', 'tool:sql-*']\nlongest_minutes = 240\n\
             approvals = 2\napprovers = ['lead']\nbreak_glass = ['on-call']",
        )
        .unwrap();
        table.extend(toml::from_str::<toml::Table>(change).unwrap());
        access(table.try_into().unwrap()).err().map(|wrong| wrong.what)
    }

    #[test]
    fn access_is_named_bounded_and_decided_by_somebody() {
        assert_eq!(problem(""), None);
        assert_eq!(problem("break_glass = []"), None);
        for bad in [
            "name = ''",
            "name = 'a b'",
            "roles = []",
            "roles = ['']",
            "for = []",
            "for = ['large']",
            "for = ['model:']",
            "for = ['tool:a b']",
            "longest_minutes = 0",
            "longest_minutes = 1441",
            "approvals = 0",
            "approvals = 11",
            "approvers = []",
            "break_glass = ['']",
        ] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }
}
