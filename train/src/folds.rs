//! Learns with each family of sources left out in turn, and from everything.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::Write as _,
    path::Path,
};

use countersign_classifier::{Head, Linear, Question, Weighed};
use serde::{Deserialize, Serialize};

use crate::{
    learn::{Set, Weights, learn},
    made, report,
    rows::{self, Row, Seen},
};

/// What a model that has not seen the row's family says of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Prediction {
    pub(crate) id: String,
    pub(crate) question: String,
    pub(crate) raw: f32,
    #[serde(default)]
    pub(crate) rest: f32,
    pub(crate) segments: usize,
    /// Whether the span touches the payload, where that is known.
    pub(crate) span: Option<bool>,
}

/// Everything that is learned from.
struct School<'a> {
    rows: &'a [Row],
    texts: Vec<&'a str>,
    payloads: HashMap<usize, std::ops::Range<usize>>,
}

impl<'a> School<'a> {
    fn new(rows: &'a [Row], seen: &'a [Seen]) -> Self {
        let texts: Vec<&str> = seen.iter().map(|s| s.views[0].as_str()).collect();
        let payloads = rows::payloads(rows, &texts);
        Self { rows, texts, payloads }
    }

    /// Learns both questions without a family.
    fn learn(&self, without: Option<&str>) -> anyhow::Result<Linear> {
        let head = |question: Question| quantise(&learn(&self.set(question, without), SEED));
        Ok(Linear::new([head(Question::Override), head(Question::Instruction)])?)
    }

    fn set(&self, question: Question, without: Option<&str>) -> Set {
        let taken = |row: &&Row| {
            without.is_none_or(|f| !row.hides(f)) && row.teaches(question) && !row.disguised() && !row.carried()
        };
        let mut sizes: BTreeMap<(&str, u8), f32> = BTreeMap::new();
        for row in self.rows.iter().filter(taken) {
            *sizes.entry((&row.source, row.label)).or_default() += 1.0;
        }
        let mut set = Set::default();
        for (at, row) in self.rows.iter().enumerate().filter(|(_, row)| taken(row)) {
            let size = sizes.get(&(row.source.as_str(), row.label)).copied().unwrap_or(1.0);
            // Of a large source some rows are enough; the order of the files has no meaning.
            let every = (size / (2.0 * CAP)).ceil().max(1.0) as usize;
            if at % every != 0 {
                continue;
            }
            let size = size / every as f32;
            set.add(self.texts[at], row.attack(), self.payloads.get(&at).cloned(), (CAP / size).min(1.0));
        }
        let kept = |(_, row): &(usize, &Row)| without.is_none_or(|f| !row.hides(f));
        let material: Vec<(&Row, &str)> =
            self.rows.iter().enumerate().filter(kept).map(|(at, row)| (row, self.texts[at])).collect();
        for made in made::examples(question, &material) {
            set.add(&made.text, made.yes, made.payload, MADE);
        }
        set
    }
}

impl Prediction {
    pub(crate) fn weighed(&self) -> Weighed {
        Weighed { raw: self.raw, rest: self.rest, segments: self.segments, span: 0..0 }
    }
}

/// Predicts each family by a model that has not seen it.
pub(crate) fn folds(rows: &[Row], seen: &[Seen], out: &Path) -> anyhow::Result<()> {
    let school = School::new(rows, seen);
    let families: BTreeSet<&str> = rows.iter().map(Row::family).collect();
    println!("{} rows, {} payloads known", rows.len(), school.payloads.len());
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::io::BufWriter::new(std::fs::File::create(out)?);
    for family in families {
        let start = std::time::Instant::now();
        let model = school.learn(Some(family))?;
        let learned = start.elapsed().as_secs_f32();
        for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.family() == family) {
            for question in Question::ALL.into_iter().filter(|q| row.measures(*q)) {
                let plain = model.weigh(question, school.texts[at]);
                let hidden = seen[at].views.iter().skip(1).map(|view| model.weigh(question, view).raw);
                let prediction = Prediction {
                    id: row.id.clone(),
                    question: question.as_str().to_owned(),
                    raw: hidden.fold(plain.raw, f32::max).max(-30.0),
                    rest: plain.rest,
                    segments: plain.segments,
                    span: school.payloads.get(&at).map(|p| p.start < plain.span.end && plain.span.start < p.end),
                };
                writeln!(file, "{}", serde_json::to_string(&prediction)?)?;
            }
        }
        println!("{family}: learned in {learned:.0} s, predicted in {:.0} s", start.elapsed().as_secs_f32() - learned);
    }
    Ok(())
}

/// Learns from everything and writes the weights, not yet calibrated.
pub(crate) fn weights(rows: &[Row], seen: &[Seen], out: &Path) -> anyhow::Result<()> {
    let learned = School::new(rows, seen).learn(None)?;
    std::fs::write(out, learned.write())?;
    Ok(())
}

/// Calibrates weights by what was predicted of left-out families.
pub(crate) fn calibrate(rows: &[Row], predictions: &Path, out: &Path) -> anyhow::Result<()> {
    let learned = Linear::read(&std::fs::read(out)?)?;
    let predictions = report::read(predictions)?;
    let tables = Question::ALL.map(|question| {
        let head = report::calibrate(rows, &predictions, question, *learned.head(question));
        (head, learned.table(question).into())
    });
    std::fs::write(out, Linear::new(tables)?.write())?;
    Ok(())
}

/// Weights as bytes, with the scale that loses least.
fn quantise(weights: &Weights) -> (Head, Box<[i8]>) {
    let mut sizes: Vec<f32> = weights.table.iter().map(|w| w.abs()).filter(|w| *w > 0.0).collect();
    sizes.sort_by(f32::total_cmp);
    let most = sizes.get(sizes.len() * 999 / 1000).copied().unwrap_or(1.0);
    let scale = most / 127.0;
    let table = weights.table.iter().map(|w| (w / scale).round().clamp(-127.0, 127.0) as i8).collect();
    (Head { scale, bias: weights.bias, slope: 1.0, ..Head::default() }, table)
}

/// Rows of one source and label that an epoch looks at.
const CAP: f32 = 800.0;
/// Share of what is made that an epoch looks at.
const MADE: f32 = 0.7;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
