//! What the encoder learns from and is measured by: windows that the linear lane would ask it about.
//!
//! Families are left out in groups, because an encoder takes minutes to learn; the linear lane that chooses the windows of a group has
//! not seen it either.

use std::{io::Write as _, path::Path};

use countersign_classifier::{Linear, Question};
use serde::Serialize;

use crate::{
    Knobs,
    folds::School,
    made,
    rows::{Row, Seen},
};

/// A window to learn from or to be asked about.
#[derive(Serialize)]
struct Window<'a> {
    /// The row it is of; empty for what is made here.
    id: &'a str,
    question: &'a str,
    source: &'a str,
    /// 0 or 1; the window's own, where the payload is known.
    label: u8,
    /// Whether the row is of the group that is left out.
    left_out: bool,
    text: &'a str,
}

/// Writes the windows of every group, and those of everything.
pub(crate) fn windows(rows: &[Row], seen: &[Seen], knobs: &Knobs, out: &Path) -> anyhow::Result<()> {
    let school = School::new(rows, seen);
    std::fs::create_dir_all(out)?;
    for (name, group) in GROUPS {
        let linear = school.learn(group, knobs)?;
        let mut file = std::io::BufWriter::new(std::fs::File::create(out.join(format!("windows-{name}.jsonl")))?);
        let mut put = |window: Window<'_>| -> anyhow::Result<()> {
            writeln!(file, "{}", serde_json::to_string(&window)?)?;
            Ok(())
        };
        for question in Question::ALL {
            for (at, row) in rows.iter().enumerate() {
                let left_out = group.iter().any(|family| row.family() == *family);
                let hidden = group.iter().any(|family| row.hides(family));
                let learned = !hidden && row.teaches(question) && !row.disguised() && !row.carried();
                if !(left_out && row.measures(question)) && !learned {
                    continue;
                }
                let payload = school.payloads.get(&at).cloned();
                let payload = payload.filter(|_| question == Question::Instruction && !left_out);
                let text = school.texts[at];
                for (window, label) in of(&linear, question, text, row.attack(), payload) {
                    let (id, source) = (row.id.as_str(), row.source.as_str());
                    put(Window { id, question: question.as_str(), source, label, left_out, text: window })?;
                }
            }
            let kept = |(_, row): &(usize, &Row)| !group.iter().any(|f| row.hides(f));
            let material: Vec<(&Row, &str)> =
                rows.iter().enumerate().filter(kept).map(|(at, row)| (row, school.texts[at])).collect();
            for made in made::examples(question, &material) {
                for (window, label) in of(&linear, question, &made.text, made.yes, made.payload.clone()) {
                    let (id, source, left_out) = ("", "made", false);
                    put(Window { id, question: question.as_str(), source, label, left_out, text: window })?;
                }
            }
        }
        println!("{name}: written");
    }
    Ok(())
}

/// The windows of a text that the encoder is asked about, each with its label: only those that the payload touches say yes.
fn of<'a>(
    linear: &Linear,
    question: Question,
    text: &'a str,
    attack: bool,
    payload: Option<std::ops::Range<usize>>,
) -> Vec<(&'a str, u8)> {
    let mut starts = linear.surest(question, text, MOST);
    if let Some(payload) = &payload
        && !starts.contains(&payload.start)
    {
        starts.push(payload.start);
    }
    let cut = |start: usize| &text[start..text.floor_char_boundary(start + LONGEST)];
    let says = |start: usize| match &payload {
        // A window that holds a scrap of the payload only teaches nothing.
        Some(p) => p.start < start + 200 && start + 20 < p.end,
        None => attack,
    };
    starts.into_iter().map(|start| (cut(start), u8::from(says(start)))).collect()
}

/// Families left out together.
const GROUPS: &[(&str, &[&str])] = &[
    ("a", &["hackaprompt", "jailbreaks", "bipia-code", "handbook-a"]),
    ("b", &["tensor-trust", "neuralchemy", "long"]),
    ("c", &["small", "synthetic", "bipia-text", "handbook-b"]),
    ("all", &[]),
];
/// Windows of a text that the encoder is asked about.
const MOST: usize = 3;
/// Bytes of a window that are handed over; the encoder reads as many word pieces of them as it has places for.
const LONGEST: usize = 500;
