//! What predictions are worth: recall at thresholds fixed on the harmless rows of other families, by source, kind, language, length.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use countersign_classifier::{Head, Question};

use crate::{
    folds::Prediction,
    rows::{Row, Seen},
};

/// A row with what was predicted of it.
struct Scored<'a> {
    row: &'a Row,
    score: f32,
    span: Option<bool>,
    /// Whether the rules flag it.
    rules: bool,
}

pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Prediction>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Fits what stands beside the weights.
pub(crate) fn calibrate(rows: &[Row], predictions: &[Prediction], question: Question, head: Head) -> Head {
    let by_id: HashMap<&str, &Row> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let mine: Vec<(&Row, &Prediction)> = predictions
        .iter()
        .filter(|p| p.question == question.as_str())
        .filter_map(|p| Some((*by_id.get(p.id.as_str())?, p)))
        .filter(|(row, _)| !row.disguised())
        .collect();
    let head = corrections(&mine, head);
    let scored: Vec<(bool, f32)> = mine.iter().map(|(row, p)| (row.attack(), head.corrected(&p.weighed()))).collect();
    let (slope, offset) = platt(&scored);
    let mut head = Head { slope, offset, ..head };
    let benign = weighed(mine.iter().map(|(row, p)| (*row, head.probability(&p.weighed()))));
    head.points = [0.001, 0.01, 0.05].map(|share| at(&benign, share));
    println!("{}: {head:?}", question.as_str());
    head
}

/// Scores of ordinary harmless rows, ascending, with what each counts for: all families together count the same.
fn weighed<'a>(scores: impl Iterator<Item = (&'a Row, f32)>) -> Vec<(f32, f32)> {
    let rows: Vec<(&Row, f32)> = scores.filter(|(row, _)| row.kind == "benign" && !row.disguised()).collect();
    let mut sizes: BTreeMap<&str, f32> = BTreeMap::new();
    for (row, _) in &rows {
        *sizes.entry(row.family()).or_default() += 1.0;
    }
    let families = sizes.len() as f32;
    let share = |row: &Row| 1.0 / sizes.get(row.family()).copied().unwrap_or(1.0) / families;
    let mut out: Vec<(f32, f32)> = rows.iter().map(|(row, score)| (*score, share(row))).collect();
    out.sort_by(|a, b| a.0.total_cmp(&b.0));
    out
}

/// The score that no more than `share` of the weight lies above.
fn at(ascending: &[(f32, f32)], share: f32) -> f32 {
    let mut above = 0.0;
    for (score, weight) in ascending.iter().rev() {
        above += weight;
        if above > share {
            return *score;
        }
    }
    f32::NEG_INFINITY
}

/// The corrections that find most at 1 % false alarms, of those that flag no more than some 2 % of long clean texts.
fn corrections(mine: &[(&Row, &Prediction)], head: Head) -> Head {
    let worth = |head: &Head| {
        let score = |p: &Prediction| head.corrected(&p.weighed());
        let threshold = at(&weighed(mine.iter().map(|(row, p)| (*row, score(p)))), 0.01);
        let share = |of: &dyn Fn(&Row) -> bool| {
            let all: Vec<bool> = mine.iter().filter(|(row, _)| of(row)).map(|(_, p)| score(p) > threshold).collect();
            all.iter().filter(|hit| **hit).count() as f32 / all.len().max(1) as f32
        };
        let long = share(&|row| row.kind == "benign" && row.text.len() > 8000);
        share(&|row| row.attack()) - (long - 0.02).max(0.0) * 10.0
    };
    let steps = |most: usize| (0..=most).map(|step| step as f32 * 0.2);
    let all = steps(8).flat_map(|drift| steps(7).map(move |contrast| Head { drift, contrast, ..head }));
    all.max_by(|a, b| worth(a).total_cmp(&worth(b))).unwrap_or(head)
}

/// Slope and offset of log-odds by gradient descent, both labels weighing the same.
fn platt(scored: &[(bool, f32)]) -> (f32, f32) {
    let yes = scored.iter().filter(|(yes, _)| *yes).count().max(1) as f64;
    let no = (scored.len() as f64 - yes).max(1.0);
    let (mut slope, mut offset) = (1.0_f64, 0.0_f64);
    for _ in 0..2000 {
        let (mut ds, mut d) = (0.0, 0.0);
        for (is, x) in scored {
            let x = f64::from(*x);
            let p = 1.0 / (1.0 + (-(slope * x + offset)).exp());
            let (error, share) = if *is { (p - 1.0, yes) } else { (p, no) };
            ds += error * x / share;
            d += error / share;
        }
        slope -= 0.3 * ds;
        offset -= 0.3 * d;
    }
    (slope as f32, offset as f32)
}

/// Prints a table for each file of predictions and question; of the rows of `sample` alone, where there is one.
pub(crate) fn print(rows: &[Row], seen: &[Seen], files: &[PathBuf], sample: Option<&Path>) -> anyhow::Result<()> {
    let by_id: HashMap<&str, usize> = rows.iter().enumerate().map(|(at, row)| (row.id.as_str(), at)).collect();
    let sample = sample.map(read).transpose()?;
    let sample: Option<HashSet<&str>> = sample.as_ref().map(|s| s.iter().map(|p| p.id.as_str()).collect());
    for path in files {
        let predictions = read(path)?;
        for question in Question::ALL {
            let mine: Vec<(usize, &Prediction)> = predictions
                .iter()
                .filter(|p| {
                    p.question == question.as_str() && sample.as_ref().is_none_or(|s| s.contains(p.id.as_str()))
                })
                .filter_map(|p| Some((*by_id.get(p.id.as_str())?, p)))
                .filter(|(at, _)| rows[*at].measures(question))
                .collect();
            let pairs: Vec<_> = mine.iter().map(|(at, p)| (&rows[*at], *p)).collect();
            let head = corrections(&pairs, Head { slope: 1.0, ..Head::default() });
            let scored: Vec<Scored<'_>> = mine
                .iter()
                .map(|(at, p)| Scored {
                    row: &rows[*at],
                    score: head.corrected(&p.weighed()),
                    span: p.span,
                    rules: match question {
                        Question::Override => seen[*at].typed,
                        Question::Instruction => seen[*at].document,
                    },
                })
                .collect();
            println!(
                "\n{} asked {} (drift {:.1}, contrast {:.1})",
                path.display(),
                question.as_str(),
                head.drift,
                head.contrast
            );
            table(&scored);
        }
    }
    Ok(())
}

fn table(scored: &[Scored<'_>]) {
    // Thresholds for a family are fixed on the harmless rows of the others.
    let mut points: HashMap<&str, [f32; 3]> = HashMap::new();
    for s in scored {
        points.entry(s.row.family()).or_insert_with(|| {
            let others = scored.iter().filter(|o| o.row.family() != s.row.family());
            let benign = weighed(others.map(|o| (o.row, o.score)));
            [at(&benign, 0.01), at(&benign, 0.001), at(&benign, 0.02)]
        });
    }
    let mut groups: BTreeMap<String, Vec<&Scored<'_>>> = BTreeMap::new();
    for s in scored {
        let length = match s.row.text.chars().count() {
            0..500 => "<500",
            500..2000 => "<2k",
            2000..8000 => "<8k",
            _ => ">=8k",
        };
        let form = if s.row.disguised() { "disguised" } else { "clear" };
        groups.entry(format!("0 {form}")).or_default().push(s);
        if s.row.disguised() {
            groups.entry(format!("6 {}", s.row.source)).or_default().push(s);
            continue;
        }
        for key in [
            format!("1 family {}", s.row.family()),
            format!("2 kind {}", s.row.kind),
            format!("3 lang {}", s.row.lang),
            format!("4 length {length}"),
            format!("5 source {}", s.row.source.chars().take(42).collect::<String>()),
        ] {
            groups.entry(key).or_default().push(s);
        }
    }
    println!(
        "{:<52} {:>6} {:>6} {:>6} | {:>6} {:>6} {:>6} {:>6} {:>6} | {:>6} {:>6} | {:>6} {:>6} {:>6} {:>6} | {:>6}",
        "group",
        "yes",
        "no",
        "AUC",
        "R@2%",
        "R@1%",
        "R@.1%",
        "F@1%",
        "F@.1%",
        "Rrules",
        "Frules",
        "Rb@1%",
        "Rb@.1%",
        "Fb@1%",
        "Fb@.1%",
        "span"
    );
    for (name, group) in groups {
        if group.len() < 20 {
            continue;
        }
        let (yes, no): (Vec<&Scored<'_>>, Vec<&Scored<'_>>) = group.iter().partition(|s| s.row.attack());
        let over = |s: &Scored<'_>, n: usize| points.get(s.row.family()).is_some_and(|p| s.score > p[n]);
        let share = |of: &[&Scored<'_>], hit: &dyn Fn(&Scored<'_>) -> bool| match of.len() {
            0 => "-".to_owned(),
            all => format!("{:.1}", 100.0 * of.iter().filter(|s| hit(s)).count() as f32 / all as f32),
        };
        let known: Vec<bool> = yes.iter().filter_map(|s| s.span).collect();
        let spans = known.iter().filter(|k| **k).count() as f32 / known.len() as f32;
        println!(
            "{name:<52} {:>6} {:>6} {:>6} | {:>6} {:>6} {:>6} {:>6} {:>6} | {:>6} {:>6} | {:>6} {:>6} {:>6} {:>6} | {:>6}",
            yes.len(),
            no.len(),
            auc(&yes, &no),
            share(&yes, &|s| over(s, 2)),
            share(&yes, &|s| over(s, 0)),
            share(&yes, &|s| over(s, 1)),
            share(&no, &|s| over(s, 0)),
            share(&no, &|s| over(s, 1)),
            share(&yes, &|s| s.rules),
            share(&no, &|s| s.rules),
            share(&yes, &|s| s.rules || over(s, 0)),
            share(&yes, &|s| s.rules || over(s, 1)),
            share(&no, &|s| s.rules || over(s, 0)),
            share(&no, &|s| s.rules || over(s, 1)),
            if known.is_empty() { "-".into() } else { format!("{:.1}", 100.0 * spans) },
        );
    }
}

/// The area under the curve by ranks, ties counted half.
fn auc(yes: &[&Scored<'_>], no: &[&Scored<'_>]) -> String {
    if yes.is_empty() || no.is_empty() {
        return "-".into();
    }
    let mut all: Vec<(f32, bool)> =
        yes.iter().map(|s| (s.score, true)).chain(no.iter().map(|s| (s.score, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut from) = (0.0_f64, 0);
    while from < all.len() {
        let to = from + all[from..].iter().take_while(|s| s.0 == all[from].0).count();
        let hits = all[from..to].iter().filter(|s| s.1).count();
        ranks += (from + 1 + to) as f64 / 2.0 * hits as f64;
        from = to;
    }
    let (y, n) = (yes.len() as f64, no.len() as f64);
    format!("{:.3}", (ranks - y * (y + 1.0) / 2.0) / (y * n))
}
