//! Examples made here: phrases of many languages expanded, and payloads put into other texts, each beside its clean twin.
//!
//! No language stands on one side only, and no carrier either: whatever an attack is put into is also shown without one.

use std::ops::Range;

use countersign_classifier::Question;

use crate::{disguise, learn::Random, rows::Row};

/// A made example.
pub(crate) struct Made {
    pub(crate) text: String,
    pub(crate) yes: bool,
    pub(crate) payload: Option<Range<usize>>,
}

/// The phrases of one language, expanded.
struct Phrases {
    lang: &'static str,
    attack: Vec<String>,
    planted: Vec<String>,
    asked: Vec<String>,
    page: Vec<String>,
}

/// Examples for `question`, with carriers and payloads taken from `rows` (texts of the same index in `texts`).
pub(crate) fn examples(question: Question, rows: &[(&Row, &str)]) -> Vec<Made> {
    let mut random = Random(SEED);
    let phrases: Vec<Phrases> = FILES.iter().map(|(lang, text)| Phrases::read(lang, text, &mut random)).collect();
    let mut out = Vec::new();
    let plain = |text: &str, yes| Made { text: text.to_owned(), yes, payload: None };
    for p in &phrases {
        let (yes, no): (Vec<&[String]>, Vec<&[String]>) = match question {
            Question::Override => (vec![&p.attack], vec![&p.asked, &p.page]),
            Question::Instruction => (vec![&p.attack, &p.planted], vec![&p.page]),
        };
        let (yes, no) = (yes.concat(), no.concat());
        // As many of each, or the language becomes the label.
        let many = yes.len().max(no.len());
        out.extend(yes.iter().cycle().take(many).map(|t| plain(t, true)));
        out.extend(no.iter().cycle().take(many).map(|t| plain(t, false)));
    }
    out.extend((0..MACHINE).map(|_| plain(&machine(&mut random), false)));
    let harmless: Vec<&str> = rows
        .iter()
        .filter(|(row, text)| !row.attack() && !row.disguised() && row.measures(question) && text.len() < 600)
        .map(|(_, text)| *text)
        .collect();
    for n in 0..DISGUISED {
        if let Some(text) = harmless.get(random.below(harmless.len())) {
            out.push(plain(&disguise::write(text, n), false));
        }
    }
    let carries = |row: &Row| match question {
        Question::Override => !row.attack() && !row.disguised() && row.measures(question),
        Question::Instruction => !row.attack() && !row.disguised() && row.document(),
    };
    // Carriers by source, so that a large one does not crowd the others out.
    let mut sources: std::collections::BTreeMap<&str, Vec<(&Row, &str)>> = std::collections::BTreeMap::new();
    for (row, text) in rows.iter().filter(|(row, _)| carries(row)) {
        sources.entry(&row.source).or_default().push((row, text));
    }
    let sources: Vec<_> = sources.into_values().collect();
    let real: Vec<&str> = rows
        .iter()
        .filter(|(row, text)| {
            row.attack() && row.kind != "indirect" && !row.disguised() && (20..400).contains(&text.len())
        })
        .map(|(_, text)| *text)
        .collect();
    for n in 0..CARRIED {
        let Some(source) = sources.get(random.below(sources.len())) else { break };
        let (row, text) = source[random.below(source.len())];
        let carrier = excerpt(text, &mut random);
        let own = phrases.iter().find(|p| p.lang == row.lang);
        let p = match (own, random.below(3)) {
            (Some(own), 0 | 1) => own,
            _ => &phrases[random.below(phrases.len())],
        };
        let from = |list: &[String], random: &mut Random| list[random.below(list.len())].clone();
        let payload = match random.below(4) {
            0 if !real.is_empty() => real[random.below(real.len())].to_owned(),
            1 | 2 if question == Question::Instruction => from(&p.planted, &mut random),
            _ => from(&p.attack, &mut random),
        };
        let neutral = match random.below(3) {
            0 if question == Question::Override => from(&p.asked, &mut random),
            0 | 1 => from(&p.page, &mut random),
            _ => {
                let (_, other) = source[random.below(source.len())];
                sentence(other, &mut random)
            }
        };
        let place = place(carrier, &mut random);
        let join = [" ", "\n", "\n\n", ". "][random.below(4)];
        let (open, close) = WRAPS[random.below(WRAPS.len())];
        let put = |insert: &str| {
            let (before, after) = carrier.split_at(place);
            let from = before.len() + join.len() + open.len();
            (format!("{before}{join}{open}{insert}{close}{join}{after}"), from..from + insert.len())
        };
        let (text, payload) = put(&payload);
        out.push(Made { text, yes: true, payload: Some(payload) });
        let clean = if n % 3 == 0 { carrier.to_owned() } else { put(&neutral).0 };
        out.push(Made { text: clean, yes: false, payload: None });
    }
    out
}

impl Phrases {
    fn read(lang: &'static str, text: &str, random: &mut Random) -> Self {
        let mut sections: [Vec<String>; 4] = Default::default();
        let mut section = 0;
        for line in text.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()) {
            if let Some(name) = line.strip_prefix('@') {
                section = NAMES.iter().position(|n| *n == name).unwrap_or(0);
                continue;
            }
            let mut made: Vec<String> = (0..EACH).map(|_| expand(line, random)).collect();
            made.sort();
            made.dedup();
            sections[section].extend(made);
        }
        let [attack, planted, asked, page] = sections;
        Self { lang, attack, planted, asked, page }
    }
}

/// One way through the alternatives of a template.
fn expand(template: &str, random: &mut Random) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('(') {
        out.push_str(before);
        match after.split_once(')') {
            Some((choices, after)) if choices.contains('|') => {
                let choices: Vec<&str> = choices.split('|').collect();
                out.push_str(choices[random.below(choices.len())]);
                rest = after;
            }
            _ => {
                out.push('(');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// What machines write: keys, certificates, logs, commits, tables, listings.
fn machine(random: &mut Random) -> String {
    let noise = |alphabet: &str, length: usize, random: &mut Random| -> String {
        let letters = alphabet.as_bytes();
        (0..length).map(|_| char::from(letters[random.below(letters.len())])).collect()
    };
    let pick = |words: &[&'static str], random: &mut Random| words[random.below(words.len())];
    let (hex, base64) = ("0123456789abcdef", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    let lines = 1 + random.below(12);
    let verbs = [
        "ignore", "skip", "override", "drop", "reset", "delete", "send", "reveal", "print", "forward", "allow", "deny",
    ];
    let nouns = [
        "rule",
        "header",
        "previous value",
        "session",
        "instruction cache",
        "system user",
        "password field",
        "admin role",
        "prompt",
        "filter",
    ];
    let verb = |random: &mut Random| pick(&verbs, random);
    let noun = |random: &mut Random| pick(&nouns, random);
    let line = |form: usize, random: &mut Random| match form {
        0 => noise(base64, 64, random),
        1 => noise(hex, 40, random),
        2 => format!(
            "{}-{}-{} {} {}: {} {}",
            2020 + random.below(7),
            1 + random.below(12),
            1 + random.below(28),
            pick(&["INFO", "WARN", "ERROR", "DEBUG"], random),
            pick(&["auth", "http", "store", "worker"], random),
            verb(random),
            noun(random)
        ),
        3 => format!(
            "commit {}\n    {}: {} the {}",
            noise(hex, 40, random),
            pick(&["fix", "feat", "core", "docs"], random),
            verb(random),
            noun(random)
        ),
        4 => format!(
            "  at {}.{}({}:{})",
            noise("abcdefgh", 6, random),
            verb(random),
            noise("ijklmn", 5, random),
            random.below(900)
        ),
        5 => format!(
            "{{\"id\": \"{}\", \"action\": \"{}\", \"count\": {}}},",
            noise(hex, 12, random),
            verb(random),
            random.below(5000)
        ),
        6 => format!("| {} | {} | {} |", random.below(9999), noise("abcdefghijklmnop", 7, random), random.below(99)),
        7 => format!("-rw-r--r-- 1 root root {} {}.txt", random.below(99_999), noise("abcdefghijklm", 8, random)),
        8 => format!("{}={}", noise("ABCDEFGH_", 9, random), noise(base64, 24, random)),
        9 => format!(
            "if {}_{}(x) {{ return {}; }} // {} the {}",
            verb(random),
            noise("abcdef", 4, random),
            random.below(9),
            verb(random),
            noun(random)
        ),
        10 => format!(
            "{}:{}:{} GET /{}/{} {}",
            random.below(24),
            random.below(60),
            random.below(60),
            noise("abcdef", 5, random),
            random.below(999),
            [200, 404, 500][random.below(3)]
        ),
        _ => format!("{}. {} {}", random.below(40), noise("abcdefghijklmnopqrstuvwxyz  ", 30, random), noun(random)),
    };
    let form = random.below(12);
    (0..lines).map(|_| line(form, random)).collect::<Vec<_>>().join("\n")
}

/// Up to some 2,000 characters of a text.
fn excerpt<'a>(text: &'a str, random: &mut Random) -> &'a str {
    let most = [300, 800, 2000][random.below(3)];
    if text.len() <= most {
        return text;
    }
    let from = text.floor_char_boundary(random.below(text.len() - most));
    &text[from..text.floor_char_boundary(from + most)]
}

/// Where something may be put in: the start, the end, or the end of a sentence or line.
fn place(text: &str, random: &mut Random) -> usize {
    let ends: Vec<usize> = text
        .char_indices()
        .filter(|(_, c)| matches!(c, '.' | '\n' | '。' | '!' | '?' | '|'))
        .map(|(at, c)| at + c.len_utf8())
        .chain([0, text.len()])
        .collect();
    ends[random.below(ends.len())]
}

/// Some sentence of a text.
fn sentence(text: &str, random: &mut Random) -> String {
    let all: Vec<&str> = text.split(['.', '\n', '。', '!']).filter(|s| (15..300).contains(&s.len())).collect();
    if all.is_empty() { text.chars().take(150).collect() } else { all[random.below(all.len())].trim().to_owned() }
}

const NAMES: [&str; 4] = ["attack", "planted", "asked", "page"];
/// What stands around something put in, the same for an attack and its clean twin; mostly nothing.
const WRAPS: &[(&str, &str)] = &[
    ("", ""),
    ("", ""),
    ("", ""),
    ("", ""),
    ("", ""),
    ("", ""),
    ("", ""),
    ("", ""),
    ("<!-- ", " -->"),
    ("// ", ""),
    ("# ", ""),
    ("/* ", " */"),
    ("<p>", "</p>"),
    ("<div style=\"display:none\">", "</div>"),
    ("<img alt=\"", "\">"),
    ("{\"note\": \"", "\"}"),
    ("\"description\": \"", "\","),
    ("DESCRIPTION:", ""),
    ("Subject: ", ""),
    ("> ", ""),
    ("- ", ""),
    ("| ", " |"),
    ("\"\"\"", "\"\"\""),
    ("PS: ", ""),
    ("Note: ", ""),
    ("Important: ", ""),
];
/// Tries at each template.
const EACH: usize = 14;
/// Texts as machines write them.
const MACHINE: usize = 1500;
/// Harmless texts in disguise.
const DISGUISED: usize = 1000;
/// Payloads put into carriers.
const CARRIED: usize = 5000;
const SEED: u64 = 0x2545_f491_4f6c_dd1d;

const FILES: [(&str, &str); 20] = [
    ("ar", include_str!("../phrases/ar.txt")),
    ("cs", include_str!("../phrases/cs.txt")),
    ("de", include_str!("../phrases/de.txt")),
    ("en", include_str!("../phrases/en.txt")),
    ("es", include_str!("../phrases/es.txt")),
    ("fa", include_str!("../phrases/fa.txt")),
    ("fr", include_str!("../phrases/fr.txt")),
    ("hi", include_str!("../phrases/hi.txt")),
    ("id", include_str!("../phrases/id.txt")),
    ("it", include_str!("../phrases/it.txt")),
    ("ja", include_str!("../phrases/ja.txt")),
    ("ko", include_str!("../phrases/ko.txt")),
    ("nl", include_str!("../phrases/nl.txt")),
    ("pl", include_str!("../phrases/pl.txt")),
    ("pt", include_str!("../phrases/pt.txt")),
    ("ru", include_str!("../phrases/ru.txt")),
    ("sv", include_str!("../phrases/sv.txt")),
    ("tr", include_str!("../phrases/tr.txt")),
    ("vi", include_str!("../phrases/vi.txt")),
    ("zh", include_str!("../phrases/zh.txt")),
];
