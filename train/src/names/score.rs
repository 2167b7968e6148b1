//! Exact and overlapping precision, recall and F1 by type, as the scorer beside the data counts.

use std::{collections::BTreeMap, ops::Range};

use countersign_names::Tagger;

use super::data::{ROLES, Row};

#[derive(Clone, Copy, Default)]
struct Count {
    gold: u32,
    found: u32,
    exact: u32,
    gold_touched: u32,
    found_touched: u32,
}

/// Prints a table for each set of `rows`.
pub(crate) fn print(title: &str, tagger: &Tagger, rows: &[&Row]) {
    let mut sets: BTreeMap<&str, BTreeMap<&str, Count>> = BTreeMap::new();
    for row in rows {
        let counts = sets.entry(row.set.as_str()).or_default();
        let names = tagger.tag(&row.text);
        for (line, kind) in LINES {
            let count = counts.entry(line).or_default();
            let mut gold: Vec<_> = row.spans.iter().filter(|(_, k)| k == kind).map(|(span, _)| span.clone()).collect();
            gold.sort_by_key(|span| (span.start, span.end));
            gold.dedup();
            let mut found: Vec<_> =
                names.iter().filter(|name| name.entity.as_str() == kind).map(|name| name.span.clone()).collect();
            let touches = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
            if line != kind {
                let (own, other): (Vec<_>, Vec<_>) = gold.into_iter().partition(|span| is_name(&row.text, span));
                gold = own;
                found.retain(|span| {
                    gold.iter().any(|own| touches(own, span)) || !other.iter().any(|other| touches(other, span))
                });
            }
            count.gold += gold.len() as u32;
            count.found += found.len() as u32;
            count.exact += gold.iter().filter(|span| found.contains(span)).count() as u32;
            count.gold_touched += gold.iter().filter(|a| found.iter().any(|b| touches(a, b))).count() as u32;
            count.found_touched += found.iter().filter(|a| gold.iter().any(|b| touches(a, b))).count() as u32;
        }
    }
    println!("\n{title}");
    println!(
        "{:22} {:13} {:>6} {:>6}  {:>17}  {:>17}",
        "set", "type", "marked", "found", "exact P R F1", "overlap P R F1"
    );
    for (set, counts) in sets {
        let mut all = Count::default();
        for (kind, count) in counts.iter().filter(|(_, count)| count.gold > 0) {
            line(set, kind, count);
            if *kind == NAMED {
                continue;
            }
            all.gold += count.gold;
            all.found += count.found;
            all.exact += count.exact;
            all.gold_touched += count.gold_touched;
            all.found_touched += count.found_touched;
        }
        line(set, "all", &all);
    }
}

fn line(set: &str, kind: &str, count: &Count) {
    let share = |a: u32, b: u32| if b == 0 { 0.0 } else { 100.0 * f64::from(a) / f64::from(b) };
    let f1 = |p: f64, r: f64| if p + r == 0.0 { 0.0 } else { 2.0 * p * r / (p + r) };
    let (p, r) = (share(count.exact, count.found), share(count.exact, count.gold));
    let (q, s) = (share(count.found_touched, count.found), share(count.gold_touched, count.gold));
    let (e, o) = (f1(p, r), f1(q, s));
    println!(
        "{set:22} {kind:13} {:>6} {:>6}  {p:>5.1} {r:>5.1} {e:>5.1}  {q:>5.1} {s:>5.1} {o:>5.1}",
        count.gold, count.found
    );
}

/// Whether a span marked as a person is a name: no pronoun, no party to a contract, no handle.
fn is_name(text: &str, span: &Range<usize>) -> bool {
    let marked = &text[span.clone()];
    let handle = marked.starts_with('@') || text[..span.start].trim_end().ends_with('@');
    let role = marked.split_whitespace().all(|word| ROLES.contains(&word.to_lowercase().as_str()));
    !handle && !role && marked.chars().any(char::is_uppercase)
}

const NAMED: &str = "PERSON, names";
const LINES: [(&str, &str); 4] =
    [("PERSON", "PERSON"), (NAMED, "PERSON"), ("LOCATION", "LOCATION"), ("ORGANIZATION", "ORGANIZATION")];
