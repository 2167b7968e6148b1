//! `countersign guard calibrate`: finds, on harmless texts of the operator's own, where the learned detector is to begin to report.
//! No network, no state.
//!
//! Threat: an attack among the texts, which would raise the threshold until it passes. So no threshold goes above the strictest that
//! comes with the detector, and what would be flagged is shown. Nor does one go below the loosest: texts that are all alike would have
//! everything else refused.

use std::process::ExitCode;

use countersign_core::{Code, Document};
use countersign_guard::{Classifier, FalseAlarms, Guard, Question};
use countersign_policy::Rules;

use crate::{
    assemble,
    cli::{Calibrate, Output, Rate},
    cmd::{self, Failure},
    config,
};
use tally::{Chosen, Tally};

mod report;
mod tally;
mod texts;

pub(crate) fn run(args: &Calibrate) -> anyhow::Result<ExitCode> {
    let (mut guard, rules) = match &args.config {
        Some(file) => {
            let config = config::load(file).map_err(cmd::Problems)?;
            (config.guard, config.policy.rules)
        }
        None => (config::unsaid(), Rules::standard()),
    };
    // What the rules say by themselves is counted apart.
    (guard.false_alarms, guard.points) = (None, countersign_guard::Points::default());
    let most = guard.limits.leaf;
    let mut eye = Eye { guard: assemble::guard(guard)?, tallies: Question::ALL.map(|_| Tally::default()), rules };
    texts::each(&args.paths, args.voice, most, &mut |name, document| eye.look(name, document)).map_err(|why| {
        Failure {
            code: Code::InputUnusable,
            what: format!("{why}; no threshold was looked for"),
            fix: "give UTF-8 texts, or JSON Lines of texts, of objects with `text`, or of requests with `messages`",
        }
    })?;
    let at = match args.false_alarms {
        Rate::OnePerMille => FalseAlarms::OnePerMille,
        Rate::OnePercent => FalseAlarms::OnePercent,
        Rate::FivePercent => FalseAlarms::FivePercent,
    };
    let found =
        Found { at, channels: Question::ALL.into_iter().zip(&eye.tallies).map(|(q, t)| (q, t.choose(q))).collect() };
    match args.format {
        Output::Text => report::text(&found),
        Output::Json => cmd::json(&report::json(&found)),
    }
    if found.channels.iter().all(|(_, chosen)| chosen.at(at).is_none()) {
        let most = found.channels.iter().map(|(_, chosen)| chosen.texts).max().unwrap_or_default();
        return Err(Failure {
            code: Code::TooFewTexts,
            what: format!(
                "{most} different texts say too little about {} false alarms; {} are needed",
                at.as_str(),
                tally::needed(at)
            ),
            fix: "give more texts, or choose a higher rate with `--false-alarms`",
        }
        .into());
    }
    Ok(if found.capped() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What looks, and what it has seen, by question.
struct Eye {
    guard: Guard,
    rules: Rules,
    tallies: [Tally; 2],
}

impl Eye {
    fn look(&mut self, name: &str, document: &Document) {
        let likely = self.guard.likely(document);
        let findings = self.guard.scan(countersign_core::Side::Prompt, document);
        let judge = self.rules.judge(&[]);
        for leaf in likely {
            let [typed, documents] = &mut self.tallies;
            let tally = if leaf.question == Question::Override { typed } else { documents };
            let text = document.text(leaf.leaf);
            let here = findings.iter().filter(|finding| finding.leaf == leaf.leaf);
            tally.take(name, text, &leaf, here.map(|f| (f.rule, judge.judge(countersign_core::Side::Prompt, f))));
        }
    }
}

/// What came of it.
struct Found<'a> {
    /// The rate that was asked for.
    at: FalseAlarms,
    channels: Vec<(Question, Chosen<'a>)>,
}

impl Found<'_> {
    /// Whether a threshold would have gone above the strictest that comes with the detector.
    fn capped(&self) -> bool {
        self.channels.iter().any(|(_, chosen)| chosen.at(self.at).is_some_and(|point| point.found > point.threshold))
    }
}

/// What a channel is called in the configuration.
const fn name(question: Question) -> &'static str {
    match question {
        Question::Override => "typed",
        Question::Instruction => "documents",
    }
}

/// What comes with the detector.
fn shipped(question: Question, at: FalseAlarms) -> f32 {
    Classifier::shipped().point(question, at)
}

#[cfg(test)]
mod tests;
