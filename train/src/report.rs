//! What predictions are worth: recall at thresholds fixed on the harmless rows of other families, by source, kind, language, length.

use std::{collections::BTreeMap, collections::HashMap, path::Path, path::PathBuf};

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
    let drift = drift(&mine);
    let scored: Vec<(bool, f32)> =
        mine.iter().map(|(row, p)| (row.attack(), p.raw - drift * (p.segments.max(1) as f32).ln())).collect();
    let (slope, offset) = platt(&scored);
    let mut head = Head { drift, slope, offset, ..head };
    let mut benign: Vec<f32> =
        mine.iter().filter(|(row, _)| row.kind == "benign").map(|(_, p)| head.probability(p.raw, p.segments)).collect();
    benign.sort_by(f32::total_cmp);
    head.points = [0.001, 0.01, 0.05].map(|share| at(&benign, share));
    println!("{}: {head:?}", question.as_str());
    head
}

/// The score that `share` of sorted scores lie above.
fn at(sorted: &[f32], share: f32) -> f32 {
    let above = (sorted.len() as f32 * share) as usize;
    sorted.get(sorted.len().saturating_sub(above + 1)).copied().unwrap_or(f32::INFINITY)
}

/// The drift at which harmless texts of every length are flagged alike at 1 %.
fn drift(mine: &[(&Row, &Prediction)]) -> f32 {
    let benign: Vec<&Prediction> = mine.iter().filter(|(row, _)| row.kind == "benign").map(|(_, p)| *p).collect();
    let worst = |drift: f32| {
        let score = |p: &&Prediction| p.raw - drift * (p.segments.max(1) as f32).ln();
        let mut all: Vec<f32> = benign.iter().map(score).collect();
        all.sort_by(f32::total_cmp);
        let threshold = at(&all, 0.01);
        let mut shares: BTreeMap<u32, [f32; 2]> = BTreeMap::new();
        for p in &benign {
            let length = (p.segments.max(1) as f32).log2() as u32 / 2;
            let share = shares.entry(length.min(3)).or_default();
            share[0] += 1.0;
            share[1] += f32::from(score(p) > threshold);
        }
        shares.values().filter(|s| s[0] > 200.0).map(|s| s[1] / s[0]).fold(0.0, f32::max)
    };
    (0..=30).map(|step| step as f32 * 0.05).min_by(|a, b| worst(*a).total_cmp(&worst(*b))).unwrap_or(0.0)
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

pub(crate) fn print(rows: &[Row], seen: &[Seen], files: &[PathBuf]) -> anyhow::Result<()> {
    let by_id: HashMap<&str, &Row> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    for path in files {
        let predictions = read(path)?;
        for question in Question::ALL {
            let mine: Vec<(&Row, &Prediction)> = predictions
                .iter()
                .filter(|p| p.question == question.as_str())
                .filter_map(|p| Some((*by_id.get(p.id.as_str())?, p)))
                .collect();
            let drift = drift(&mine);
            let score = |p: &Prediction| p.raw - drift * (p.segments.max(1) as f32).ln();
            let scored: Vec<Scored<'_>> =
                mine.iter().map(|(row, p)| Scored { row, score: score(p), span: p.span }).collect();
            println!("\n{} asked {} (drift {drift:.2})", path.display(), question.as_str());
            table(&scored);
        }
    }
    Ok(())
}

fn table(scored: &[Scored<'_>]) {
    let fixes = |s: &&Scored<'_>| s.row.kind == "benign" && !s.row.disguised();
    // Thresholds for a family are fixed on the harmless rows of the others.
    let mut points: HashMap<&str, [f32; 2]> = HashMap::new();
    for s in scored {
        points.entry(s.row.family()).or_insert_with(|| {
            let others = scored.iter().filter(fixes).filter(|o| o.row.family() != s.row.family());
            let mut benign: Vec<f32> = others.map(|o| o.score).collect();
            benign.sort_by(f32::total_cmp);
            [at(&benign, 0.01), at(&benign, 0.001)]
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
        "{:<52} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}",
        "group", "yes", "no", "AUC", "R@1%", "R@.1%", "F@1%", "F@.1%", "span"
    );
    for (name, group) in groups {
        if group.len() < 40 {
            continue;
        }
        let (yes, no): (Vec<&Scored<'_>>, Vec<&Scored<'_>>) = group.iter().partition(|s| s.row.attack());
        let share = |of: &[&Scored<'_>], n: usize| match of.len() {
            0 => "-".to_owned(),
            all => {
                let hit = of.iter().filter(|s| points.get(s.row.family()).is_some_and(|p| s.score > p[n])).count();
                format!("{:.1}", 100.0 * hit as f32 / all as f32)
            }
        };
        let known: Vec<bool> = yes.iter().filter_map(|s| s.span).collect();
        let span = if known.is_empty() {
            "-".into()
        } else {
            format!("{:.1}", 100.0 * known.iter().filter(|k| **k).count() as f32 / known.len() as f32)
        };
        println!(
            "{name:<52} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {span:>6}",
            yes.len(),
            no.len(),
            auc(&yes, &no),
            share(&yes, 0),
            share(&yes, 1),
            share(&no, 0),
            share(&no, 1)
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
