//! What holds where a detector is fooled, and how sure detectors are: what `check` and `doctor` say of a configuration's choices.

use std::collections::BTreeSet;

use countersign_guard::{Names, Points};
use countersign_monitor::Limits;
use countersign_playbook::Playbook;
use countersign_prints::{Index, Shape};

use crate::{archive::Archive, config::Config, playbooks::Chosen};

/// One choice, and what to write for another one.
pub(super) struct Choice {
    pub(super) about: &'static str,
    pub(super) what: String,
    /// None where there is nothing to do.
    pub(super) advice: Option<&'static str>,
}

/// What an index of registered texts holds, and what it costs.
pub(super) fn registered(index: &Index) -> String {
    let kind = match index.shape() {
        Shape::Passages => "texts",
        Shape::Records => "records",
    };
    let kib = index.resident() >> 10;
    format!(
        "`{}` registers {} {kind}: {} fingerprints, {kib} KiB in memory",
        index.set(),
        index.units(),
        index.prints()
    )
}

/// Where names are looked for; nothing where they are not.
fn names(names: Names) -> Option<Choice> {
    let place = match (names.prompts, names.answers) {
        (true, true) => "prompts and answers",
        (true, false) => "prompts",
        (false, true) => "answers",
        (false, false) => return None,
    };
    let what = format!(
        "names of people, places and organisations are looked for in {place}, which takes some 60 us for each KB"
    );
    Some(Choice { about: "names", what, advice: None })
}

/// The choices of a configuration.
pub(super) fn choices(config: &Config) -> Vec<Choice> {
    let (guard, tools) = (&config.guard, config.policy.policy.watches_tools());
    let Points { typed, documents } = guard.points;
    let calibrated: Vec<String> = [("typed", typed), ("documents", documents)]
        .into_iter()
        .filter_map(|(channel, point)| Some(format!("{channel} from {}", point?)))
        .collect();
    let what = match guard.false_alarms {
        None if calibrated.is_empty() => "the learned detector is off: `[guard] false_alarms` says so".into(),
        None => format!("the learned detector is calibrated: {}", calibrated.join(", ")),
        Some(point) => {
            let point = point.as_str();
            let rest =
                if calibrated.is_empty() { String::new() } else { format!("; calibrated: {}", calibrated.join(", ")) };
            format!(
                "the learned detector may have {point} of harmless text refused, and takes some 20 us for each KB{rest}"
            )
        }
    };
    let detector = Choice { about: "detector", what, advice: None };
    let profiles = config.profiles.iter().map(|profile| Choice {
        about: "profile",
        what: format!("`{}`: {}", profile.as_str(), profile.does()),
        advice: None,
    });
    let (what, advice) = if tools {
        ("the policy has a say about tools that are called from a tainted context", None)
    } else {
        (
            "no policy has a say about tools that are called from a tainted context",
            Some(
                "add `forbid (principal, action == Countersign::Action::\"callTool\", resource) when { context.taint != \"none\" } \
                 unless { context.granted };`: docs/how-to/contain-poisoned-content.md",
            ),
        )
    };
    let tools_called = Choice { about: "tools", what: what.into(), advice };
    let (what, advice) = match guard.spotlight {
        Some(how) => (format!("text that nobody vouches for is marked for the model, by {}", how.as_str()), None),
        // A policy about tools bounds what such text can do; marks are a choice then.
        None if tools => ("text that nobody vouches for reaches models without marks".into(), None),
        None => (
            "text that nobody vouches for reaches models without marks, and no policy bounds what it has them do"
                .into(),
            Some("`[guard] spotlight = \"delimiting\"` marks it: docs/how-to/mark-untrusted-text.md"),
        ),
    };
    let judge = config.judge.as_ref().map(|judge| {
        let (model, seconds) = (&judge.model, judge.within.as_secs());
        let what =
            format!("`{model}` is asked about what the learned detector doubts, and has {seconds} s to refuse it");
        Choice { about: "judge", what, advice: None }
    });
    let mut all = vec![detector, tools_called, Choice { about: "untrusted", what, advice }];
    all.extend(judge);
    all.extend(names(guard.names));
    all.extend(config.tokenizes().then(|| Choice {
        about: "stand-ins",
        what: match config.values_shown_to.as_slice() {
            [] => {
                "models see stand-ins in place of values, and every caller gets those of their own prompts back".into()
            }
            roles => format!(
                "models see stand-ins in place of values, which come back to callers with the role {}",
                roles.join(" or ")
            ),
        },
        advice: None,
    }));
    all.extend((config.tokenizes() && config.values_kept).then(|| Choice {
        about: "stand-ins",
        what: "what they stand for is kept in the audit log, sealed, for those who may `reveal` it".into(),
        advice: None,
    }));
    all.extend(profiles);
    all.extend(config.keep_days.map(|days| Choice {
        about: "audit",
        what: format!("records older than {days} days are given up, but for what a legal hold covers"),
        advice: None,
    }));
    all.extend(config.archive.as_ref().map(archived));
    all.extend(watch(&config.playbooks));
    all
}

/// Where the audit log is copied to, and whether anything of it stays there for certain.
fn archived(archive: &Archive) -> Choice {
    let (bucket, seconds) = (&archive.bucket, archive.every.as_secs());
    let (what, advice) = match &archive.lock {
        Some(lock) => {
            let (minutes, days) = (lock.every.as_secs() / 60, lock.days.as_secs() / 86_400);
            (format!("a checkpoint is locked every {minutes} minutes, for {days} days ({})", lock.mode.as_str()), None)
        }
        None => (
            "no checkpoint is locked".to_owned(),
            Some(
                "`[audit.archive.lock]` locks some, so that not even the log's own key can rewrite it: docs/how-to/archive-the-log.md",
            ),
        ),
    };
    let what = format!("the log is copied to `{bucket}` at most {seconds} s after it is signed; {what}");
    Choice { about: "archive", what, advice }
}

/// How the watch stands, what follows from it, and whom playbooks would tell in vain.
fn watch(Chosen { books, channels, .. }: &Chosen) -> Vec<Choice> {
    let acting: Vec<&Playbook> = books.iter().filter(|book| book.acts).map(|book| &*book.playbook).collect();
    let names: Vec<_> = acting.iter().map(|playbook| format!("`{}`", playbook.name)).collect();
    let follows = if names.is_empty() { "no playbook acts".to_owned() } else { format!("{} act", names.join(", ")) };
    let most = Limits::default().timelines;
    let what = format!("at most {most} timelines are watched, in memory, and learned anew with each start; {follows}");
    let told = acting.iter().flat_map(|playbook| playbook.channels().map(move |channel| (playbook, channel)));
    let nobody = told.filter(|(_, channel)| channels.iter().all(|known| known.name != *channel));
    // A playbook may tell a channel in several steps.
    let nobody: BTreeSet<_> = nobody.map(|(playbook, channel)| (&playbook.name, channel)).collect();
    let nobody = nobody.into_iter().map(|(name, channel)| Choice {
        about: "playbook",
        what: format!("`{name}` tells the channel `{channel}`, which is not there: nobody is told"),
        advice: Some("write a `[[channel]]` of that name: docs/how-to/playbooks.md"),
    });
    [Choice { about: "watch", what, advice: None }].into_iter().chain(nobody).collect()
}

#[cfg(test)]
mod tests;
