//! What was found, for people and for programs.

use countersign_guard::Question;
use serde_json::{Value, json};

use super::{
    Found, name,
    tally::{Chosen, needed},
};
use crate::{config, term};

/// For people; the last lines are what configuration takes.
pub(super) fn text(found: &Found<'_>) {
    let mut lines = Vec::new();
    for (question, chosen) in &found.channels {
        if chosen.texts == 0 {
            continue;
        }
        channel(*question, chosen, found);
        if let Some(point) = chosen.at(found.at) {
            lines.push(format!("{} = {}", name(*question), point.threshold));
        }
    }
    if !lines.is_empty() {
        let head = "# At most {} of harmless texts like these, with 95 % confidence.";
        term::say(format_args!(
            "\n{}\n[guard.thresholds]\nweights = \"{}\"\n{}",
            head.replace("{}", found.at.as_str()),
            config::weights(),
            lines.join("\n")
        ));
    }
}

fn channel(question: Question, chosen: &Chosen<'_>, found: &Found<'_>) {
    let again = match chosen.again {
        0 => String::new(),
        again => format!("; {again} that came again were left out"),
    };
    term::say(format_args!("{}: {} different texts{again}", name(question), chosen.texts));
    for at in countersign_guard::FalseAlarms::ALL {
        let Some(point) = chosen.at(at) else {
            term::say(format_args!("  {:>4}: too few texts; {} are needed", at.as_str(), needed(at)));
            continue;
        };
        term::say(format_args!(
            "  {:>4}: from {}, which flags {} of them; as shipped, from {:.4}, {}",
            at.as_str(),
            point.threshold,
            point.flagged,
            super::shipped(question, at),
            point.as_shipped
        ));
    }
    for (rule, (texts, stopped)) in chosen.rules {
        term::say(format_args!("  {rule}: found in {texts} of them, {stopped} would not pass as they are"));
    }
    let Some(point) = chosen.at(found.at) else { return };
    let flagged = chosen.top.iter().take_while(|suspect| suspect.probability > point.threshold);
    for suspect in flagged {
        term::say(format_args!("  {}: {:.1} % likely", suspect.name, suspect.probability * 100.0));
        let [before, text, after] = &suspect.excerpt;
        term::marked(&format!("    {before}"), text, after);
    }
    if point.flagged > chosen.top.len() {
        term::say(format_args!("  and {} more that are less likely", point.flagged - chosen.top.len()));
    }
    if point.found > point.threshold {
        term::note(format_args!(
            "warning: {}: these texts would have the threshold at {}, above the strictest that comes with the detector. Look at those \
             shown above: take attacks out and run this again; only if all are harmless, write {} instead of {}",
            name(question),
            point.found,
            point.found,
            point.threshold
        ));
    }
}

/// For programs.
pub(super) fn json(found: &Found<'_>) -> Value {
    let channel = |(question, chosen): &(Question, Chosen<'_>)| {
        let points = chosen.points.iter().map(|point| {
            json!({
                "false_alarms": point.at.as_str(),
                "threshold": fine(point.threshold),
                "found": fine(point.found),
                "flagged": point.flagged,
                "as_shipped": point.as_shipped,
            })
        });
        let rules = chosen
            .rules
            .iter()
            .map(|(rule, (texts, stopped))| json!({ "rule": rule, "texts": texts, "stopped": stopped }));
        let likeliest = chosen.top.iter().map(|suspect| {
            json!({ "name": suspect.name, "probability": fine(suspect.probability), "text": suspect.excerpt[1] })
        });
        json!({
            "channel": name(*question),
            "texts": chosen.texts,
            "again": chosen.again,
            "points": points.collect::<Vec<_>>(),
            "rules": rules.collect::<Vec<_>>(),
            "likeliest": likeliest.collect::<Vec<_>>(),
        })
    };
    json!({
        "weights": config::weights(),
        "false_alarms": found.at.as_str(),
        "capped": found.capped(),
        "channels": found.channels.iter().map(channel).collect::<Vec<_>>(),
    })
}

/// As many digits as thresholds have.
fn fine(figure: f32) -> f64 {
    (f64::from(figure) * 10_000.0).round() / 10_000.0
}
