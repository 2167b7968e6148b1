//! What turns are made of: rows with the scores of a classifier that had not seen their family.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use ahash::RandomState;
use anyhow::Context as _;
use countersign_classifier::{Classifier, FalseAlarms, Linear, Question};
use countersign_core::{Sketch, glimpse::tell};
use countersign_monitor::{BINS, bin};
use serde_json::Value;

use crate::{
    report,
    rows::{Row, Seen},
};

/// Which families of sources.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Half {
    Tuning,
    Test,
}

/// What the guard would see of a text.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    pub(super) likely: f32,
    pub(super) refused: bool,
    pub(super) sketch: Option<Sketch>,
    pub(super) which: u64,
    pub(super) text: Arc<str>,
}

/// Everything that lives of one half are made of.
pub(super) struct Pool {
    half: Half,
    /// Harmless texts by source.
    pub(super) calm: Vec<(String, Vec<Sight>)>,
    /// Harmless texts that look like attacks, by source.
    pub(super) hard: Vec<(String, Vec<Sight>)>,
    /// Attacks by source.
    pub(super) attacks: Vec<(String, Vec<Sight>)>,
    /// Conversations with an agent that has tools.
    pub(super) sessions: Vec<Vec<Sight>>,
}

impl Pool {
    pub(super) fn new(
        rows: &[Row],
        seen: &[Seen],
        predictions: &Path,
        sessions: &Path,
        half: Half,
    ) -> anyhow::Result<Self> {
        let predictions = report::read(predictions)?;
        let likely: HashMap<(&str, &str), _> =
            predictions.iter().map(|p| ((p.id.as_str(), p.question.as_str()), p.weighed())).collect();
        let key = key();
        let linear = Linear::read(&std::fs::read("crates/base/classifier/weights/linear.bin")?)?;
        let classifier = Classifier::shipped();
        let sight = |question: Question, text: &str, likely: f32, rules: bool| Sight {
            likely,
            refused: rules || likely > classifier.point(question, FalseAlarms::OnePerMille),
            sketch: Sketch::of(text, &key),
            which: tell(text, &key),
            text: text.into(),
        };
        let mut groups: [BTreeMap<String, Vec<Sight>>; 3] = Default::default();
        for (row, seen) in rows.iter().zip(seen) {
            let question = if row.document() { Question::Instruction } else { Question::Override };
            let mine = TUNING.contains(&row.family()) == (half == Half::Tuning);
            let Some(weighed) = likely.get(&(row.id.as_str(), question.as_str())).filter(|_| mine) else { continue };
            let (rules, at) = (if row.document() { seen.document } else { seen.typed }, row.attack());
            if !at && row.source.starts_with("HackAPrompt template") {
                // Whoever sends an attack's own template over and over is not what a false alarm means.
                continue;
            }
            let group = if at { 2 } else { usize::from(row.kind == "benign-hard") };
            let probability = linear.head(question).probability(weighed);
            groups[group].entry(format!("{}: {}", row.family(), row.source)).or_default().push(sight(
                question,
                &seen.views[0],
                probability,
                rules,
            ));
        }
        let [calm, hard, attacks] =
            groups.map(|group| group.into_iter().filter(|(_, all)| all.len() >= FEWEST).collect());
        let sessions = conversations(sessions, half, |text| {
            let verdict = classifier.judge(Question::Override, text);
            sight(Question::Override, text, verdict.probability, false)
        })?;
        Ok(Self { half, calm, hard, attacks, sessions })
    }

    pub(super) fn describe(&self) -> String {
        let count = |all: &[(String, Vec<Sight>)]| all.iter().map(|(_, all)| all.len()).sum::<usize>();
        let refused = self.attacks.iter().flat_map(|(_, all)| all).filter(|sight| sight.refused).count();
        format!(
            "{}: {} harmless of {} sources, {} harmless and hard of {}, {} attacks of {} ({refused} of them refused), {} conversations",
            if self.half == Half::Tuning { "tuning" } else { "test" },
            count(&self.calm),
            self.calm.len(),
            count(&self.hard),
            self.hard.len(),
            count(&self.attacks),
            self.attacks.len(),
            self.sessions.len()
        )
    }

    /// Prints how often each bin comes, each family weighing as much as the next, and in it each source.
    pub(super) fn odds(&self) {
        let family = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
        for (name, groups) in [("attack", vec![&self.attacks]), ("harmless", vec![&self.calm, &self.hard])] {
            let mut bins = [0.0; BINS];
            for (part, group) in groups.iter().enumerate() {
                // One in fifty of what people write looks like an attack and is none.
                let weight = match (groups.len(), part) {
                    (1, _) => 1.0,
                    (_, 0) => 0.98,
                    _ => 0.02,
                };
                let mut families: BTreeMap<String, usize> = BTreeMap::new();
                group.iter().for_each(|(name, _)| *families.entry(family(name)).or_default() += 1);
                for (name, all) in group.iter() {
                    let each = families.len() * families.get(&family(name)).copied().unwrap_or(1) * all.len();
                    for sight in all {
                        let bin = if sight.refused { BINS - 1 } else { bin(sight.likely) };
                        bins[bin] += weight / each as f64;
                    }
                }
            }
            println!("{name}: {}", bins.map(|share| format!("{share:.4}")).join(", "));
        }
    }
}

/// The key of sketches, the same every time.
pub(super) fn key() -> RandomState {
    RandomState::with_seeds(1, 2, 3, 4)
}

/// What people said in real conversations with an agent.
fn conversations(path: &Path, half: Half, see: impl Fn(&str) -> Sight) -> anyhow::Result<Vec<Vec<Sight>>> {
    let all: Vec<Value> = serde_json::from_slice(
        &std::fs::read(path).with_context(|| format!("the conversations are not there: {}", path.display()))?,
    )?;
    let mine = all.iter().enumerate().filter(|(at, _)| (at % 2 == 0) == (half == Half::Tuning));
    let said = |session: &Value| {
        let turns = session["traj"].as_array().into_iter().flatten();
        turns.filter(|turn| turn["role"] == "user").filter_map(|turn| turn["content"].as_str()).map(&see).collect()
    };
    Ok(mine.map(|(_, session)| said(session)).collect())
}

/// Families that odds and thresholds come from.
const TUNING: &[&str] = &["neuralchemy", "hackaprompt", "synthetic", "handbook-a", "long", "bipia-code"];
/// Rows that a source must have.
const FEWEST: usize = 20;
