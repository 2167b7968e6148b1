//! Texts filled in with names from the lists: forms, letters, chats, code. The development data has few of them.

use crate::learn::Random;

use super::{data::Row, lists};

/// Fills in every template some times.
pub(crate) fn made() -> Vec<Row> {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut rows = Vec::new();
    for template in TEMPLATES.lines().filter(|line| !line.starts_with('#')) {
        let template = template.replace("\\n", "\n");
        let times = if filled(&template) { TIMES } else { PLAIN };
        for _ in 0..times {
            rows.push(fill(&template, &mut random));
        }
    }
    rows
}

fn filled(template: &str) -> bool {
    ["{P}", "{F}", "{S}", "{L}", "{O}", "{f}"].iter().any(|hole| template.contains(hole))
}

fn fill(template: &str, random: &mut Random) -> Row {
    let (mut text, mut spans) = (String::new(), Vec::new());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, hole) = rest.split_at(at);
        text.push_str(before);
        let kind = hole.as_bytes().get(1).copied().filter(|_| hole.as_bytes().get(2) == Some(&b'}'));
        let Some((value, entity)) = kind.and_then(|kind| value(kind, random)) else {
            text.push('{');
            rest = &hole[1..];
            continue;
        };
        if let Some(entity) = entity {
            spans.push((text.len()..text.len() + value.len(), entity.to_owned()));
        }
        text.push_str(&value);
        rest = &hole[3..];
    }
    text.push_str(rest);
    Row { set: "made".into(), text, spans }
}

fn value(kind: u8, random: &mut Random) -> Option<(String, Option<&'static str>)> {
    let person = Some("PERSON");
    Some(match kind {
        b'P' => {
            let middle = if random.below(10) == 0 { " J." } else { "" };
            (format!("{}{middle} {}", pick(lists::FIRST_NAMES, random), pick(lists::LAST_NAMES, random)), person)
        }
        b'F' => (pick(lists::FIRST_NAMES, random), person),
        b'f' => (pick(lists::FIRST_NAMES, random).to_lowercase(), person),
        b'S' => (pick(lists::LAST_NAMES, random), person),
        b's' => (pick(lists::LAST_NAMES, random).to_lowercase(), person),
        b'L' => (pick(lists::PLACES, random), Some("LOCATION")),
        b'l' => (pick(lists::PLACES, random).to_lowercase(), Some("LOCATION")),
        b'O' => (firm(random), Some("ORGANIZATION")),
        b'o' => (firm(random).to_lowercase(), Some("ORGANIZATION")),
        b'N' => ((1000 + random.below(90_000)).to_string(), None),
        _ => return None,
    })
}

fn firm(random: &mut Random) -> String {
    let (a, b) = (pick(lists::LAST_NAMES, random), pick(lists::LAST_NAMES, random));
    let place = pick(lists::PLACES, random);
    match random.below(12) {
        0 => format!("{a} Ltd"),
        1 => format!("{a} Inc."),
        2 => format!("{a} & {b} LLP"),
        3 => format!("{a} and Sons"),
        4 => format!("{a} Technologies"),
        5 => format!("{a} GmbH"),
        6 => format!("University of {place}"),
        7 => format!("Bank of {place}"),
        8 => format!("{place} General Hospital"),
        9 => format!("{place} United"),
        10 => format!("{a} Group"),
        _ => format!("{place} High School"),
    }
}

fn pick(list: &str, random: &mut Random) -> String {
    let count = list.lines().count();
    let at = random.below(count);
    list.lines().nth(at).unwrap_or_default().to_owned()
}

const TEMPLATES: &str = include_str!("../../names/made.txt");
/// How often a template with names is filled in.
const TIMES: usize = 30;
/// How often one without is repeated.
const PLAIN: usize = 10;
