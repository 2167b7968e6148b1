//! What words mean to the grammar: reads `lexicon.txt` and finds its entries in a text.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::{GuardError, normal::fold};

/// A meaning; its number is its bit in a [`Set`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Concept {
    Ignore,
    NotFollow,
    Prior,
    All,
    Rules,
    Said,
    Your,
    System,
    Show,
    Verbatim,
    NewTask,
    FromNow,
    YouAre,
    Unbound,
    Mode,
    Authority,
    Ai,
    Conceal,
    Suppress,
    People,
    Records,
    Bulk,
    Send,
    Url,
    Payload,
    Meta,
    Marker,
    Address,
    Norms,
    Instead,
    Negated,
    Define,
    Reply,
}

const NAMES: [(&str, Concept); 33] = [
    ("ignore", Concept::Ignore),
    ("notfollow", Concept::NotFollow),
    ("prior", Concept::Prior),
    ("all", Concept::All),
    ("rules", Concept::Rules),
    ("said", Concept::Said),
    ("your", Concept::Your),
    ("system", Concept::System),
    ("show", Concept::Show),
    ("verbatim", Concept::Verbatim),
    ("newtask", Concept::NewTask),
    ("fromnow", Concept::FromNow),
    ("youare", Concept::YouAre),
    ("unbound", Concept::Unbound),
    ("mode", Concept::Mode),
    ("authority", Concept::Authority),
    ("ai", Concept::Ai),
    ("conceal", Concept::Conceal),
    ("suppress", Concept::Suppress),
    ("people", Concept::People),
    ("records", Concept::Records),
    ("bulk", Concept::Bulk),
    ("send", Concept::Send),
    ("url", Concept::Url),
    ("payload", Concept::Payload),
    ("meta", Concept::Meta),
    ("marker", Concept::Marker),
    ("address", Concept::Address),
    ("norms", Concept::Norms),
    ("instead", Concept::Instead),
    ("negated", Concept::Negated),
    ("define", Concept::Define),
    ("reply", Concept::Reply),
];

/// A set of concepts.
pub(super) type Set = u64;

impl Concept {
    pub(super) const fn bit(self) -> Set {
        1 << self as u8
    }
}

/// The words, in the form they are searched in.
pub(super) struct Lexicon {
    /// Finds every entry in a small canonical window.
    words: AhoCorasick,
    entries: Vec<Entry>,
    /// Finds words that open a window, in any text: those in ASCII, and the others.
    ascii: AhoCorasick,
    other: AhoCorasick,
    /// By pattern of `ascii` and `other`: whether the word counts only at the start of a word.
    at_start: [Vec<bool>; 2],
}

struct Entry {
    concept: Concept,
    /// Counts only where a word begins.
    start: bool,
    /// Counts only where a word ends.
    end: bool,
}

/// An entry found in a canonical window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) concept: Concept,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Lexicon {
    pub(super) fn new() -> Result<Self, GuardError> {
        let (mut patterns, mut entries) = (Vec::new(), Vec::new());
        let (mut ascii, mut other) = (Vec::new(), Vec::new());
        let mut section: Option<(Concept, bool)> = None;
        for line in include_str!("lexicon.txt").lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            if let Some(head) = line.strip_prefix('@') {
                let (name, opens) = head.strip_suffix(" !").map_or((head, false), |name| (name, true));
                let (_, concept) = NAMES
                    .iter()
                    .find(|(n, _)| *n == name)
                    .ok_or_else(|| GuardError::Tables(format!("no such concept: {name}")))?;
                section = Some((*concept, opens));
                continue;
            }
            let (concept, opens) = section.ok_or_else(|| GuardError::Tables("an entry before any section".into()))?;
            for entry in line.split(" | ").map(str::trim).filter(|e| !e.is_empty()) {
                let (entry, open_ended) = entry.strip_suffix('*').map_or((entry, false), |stem| (stem, true));
                let word = canonical(&fold(entry).text);
                let runs_on = word.chars().any(runs_on);
                // Signs are no part of a word; where an entry begins or ends with one, there is no border to mind.
                let start = !runs_on && word.starts_with(char::is_alphanumeric);
                let end = !runs_on && !open_ended && word.ends_with(char::is_alphanumeric);
                entries.push(Entry { concept, start, end });
                if opens {
                    let key = if runs_on { word.as_str() } else { rarest(&word) };
                    let list = if key.is_ascii() { &mut ascii } else { &mut other };
                    let start = !runs_on && key.starts_with(char::is_alphanumeric);
                    list.push((shortened(key).to_owned(), start));
                }
                patterns.push(word);
            }
        }
        for list in [&mut ascii, &mut other] {
            list.sort();
            list.dedup();
            let all = std::mem::take(list);
            // A word that another one begins opens no window that the shorter does not.
            for (word, start) in all {
                if !list.last().is_some_and(|(last, s)| *s == start && word.starts_with(last.as_str())) {
                    list.push((word, start));
                }
            }
        }
        let build = |kind, patterns: &mut dyn Iterator<Item = &str>| {
            AhoCorasick::builder()
                .kind(Some(kind))
                .ascii_case_insensitive(true)
                .build(patterns)
                .map_err(|e| GuardError::Tables(e.to_string()))
        };
        Ok(Self {
            words: build(AhoCorasickKind::ContiguousNFA, &mut patterns.iter().map(String::as_str))?,
            entries,
            ascii: build(AhoCorasickKind::DFA, &mut ascii.iter().map(|(w, _)| w.as_str()))?,
            other: build(AhoCorasickKind::DFA, &mut other.iter().map(|(w, _)| w.as_str()))?,
            at_start: [ascii.iter().map(|(_, s)| *s).collect(), other.iter().map(|(_, s)| *s).collect()],
        })
    }

    /// Bytes its tables take.
    #[cfg(test)]
    pub(super) fn memory(&self) -> [usize; 3] {
        [self.words.memory_usage(), self.ascii.memory_usage(), self.other.memory_usage()]
    }

    /// Where a window opens in `text`, in order for each of the two kinds of word. `joined` text has lost its spaces.
    pub(super) fn openings(&self, text: &str, joined: bool, out: &mut Vec<usize>) {
        let bytes = text.as_bytes();
        let searches: &[(&AhoCorasick, usize)] =
            if text.is_ascii() { &[(&self.ascii, 0)] } else { &[(&self.ascii, 0), (&self.other, 1)] };
        for (automaton, which) in searches {
            let from = out.len();
            for found in automaton.find_iter(text) {
                let needs_start = self.at_start[*which].get(found.pattern().as_usize()).copied().unwrap_or(false);
                // Letters outside ASCII end in a byte of 0x80 or more and are taken for the start of a word: a window too many.
                let inside =
                    found.start().checked_sub(1).and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_alphanumeric);
                if !(needs_start && inside) || joined {
                    out.push(found.start());
                }
            }
            if from > 0 {
                out.sort_unstable();
            }
        }
    }

    /// Every entry in the canonical window `text`, by start.
    pub(super) fn hits(&self, text: &str, joined: bool, out: &mut Vec<Hit>) {
        for found in self.words.find_overlapping_iter(text) {
            let Some(entry) = self.entries.get(found.pattern().as_usize()) else { continue };
            let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            let before = || letter(text.get(..found.start()).and_then(|t| t.chars().next_back()));
            let after = || letter(text.get(found.end()..).and_then(|t| t.chars().next()));
            if joined || !(entry.start && before() || entry.end && after()) {
                out.push(Hit { concept: entry.concept, start: found.start(), end: found.end() });
            }
        }
        out.sort_unstable_by_key(|h| (h.start, h.concept as u8, std::cmp::Reverse(h.end)));
        out.dedup_by_key(|h| (h.start, h.concept as u8));
    }
}

/// The form entries and windows are compared in: lower case, one space for what parts words.
pub(super) fn canonical(text: &str) -> String {
    let words: Vec<&str> = text.split(parts_words).filter(|w| !w.is_empty()).collect();
    words.join(" ").to_lowercase()
}

/// White space and what stands for it.
pub(super) fn parts_words(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\\' | '_')
}

/// Whether words of the script run into each other, or into their particles.
fn runs_on(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{6ff}' | '\u{e00}'..='\u{eff}' | '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

/// The word of an entry that ordinary text has least.
fn rarest(entry: &str) -> &str {
    let weight = |word: &&str| if COMMON.contains(word) { word.len() } else { 100 + word.len() };
    entry.split(' ').max_by_key(weight).unwrap_or(entry)
}

/// The start of a word, long enough to be rare: keeps the tables small.
fn shortened(word: &str) -> &str {
    let most = if word.is_ascii() { 6 } else { 9 };
    let end = word.char_indices().map(|(i, _)| i).chain([word.len()]).take_while(|i| *i <= most).last();
    word.get(..end.unwrap_or(0)).unwrap_or(word)
}

/// Words that ordinary text has on every line.
const COMMON: &[&str] = &[
    "about",
    "above",
    "access",
    "account",
    "address",
    "after",
    "again",
    "all",
    "always",
    "and",
    "answer",
    "any",
    "apply",
    "are",
    "aside",
    "away",
    "back",
    "because",
    "before",
    "begin",
    "being",
    "below",
    "but",
    "can",
    "card",
    "character",
    "code",
    "data",
    "date",
    "dear",
    "do",
    "email",
    "every",
    "exactly",
    "first",
    "follow",
    "for",
    "form",
    "free",
    "from",
    "going",
    "have",
    "here",
    "home",
    "hypothetical",
    "i",
    "important",
    "in",
    "information",
    "is",
    "job",
    "know",
    "like",
    "list",
    "longer",
    "message",
    "more",
    "must",
    "name",
    "need",
    "new",
    "no",
    "not",
    "note",
    "now",
    "number",
    "of",
    "on",
    "only",
    "or",
    "order",
    "out",
    "output",
    "people",
    "personal",
    "phone",
    "play",
    "point",
    "private",
    "question",
    "real",
    "respond",
    "response",
    "say",
    "security",
    "should",
    "show",
    "start",
    "state",
    "stay",
    "stop",
    "sure",
    "system",
    "task",
    "team",
    "tell",
    "test",
    "text",
    "that",
    "the",
    "there",
    "this",
    "time",
    "to",
    "use",
    "user",
    "want",
    "way",
    "will",
    "with",
    "without",
    "word",
    "words",
    "you",
    "your",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lexicon_reads_and_stays_small() {
        let lexicon = Lexicon::new().unwrap();
        let memory = lexicon.memory();
        assert!(memory.iter().sum::<usize>() < 4 << 20, "{memory:?}");
        assert!(lexicon.entries.len() > 2_000);
    }

    #[test]
    fn words_count_at_their_borders_only() {
        let lexicon = Lexicon::new().unwrap();
        let concepts = |text: &str| {
            let mut hits = Vec::new();
            lexicon.hits(text, false, &mut hits);
            hits.iter().map(|h| h.concept).collect::<Vec<_>>()
        };
        assert_eq!(concepts("ignoring"), [Concept::Ignore]);
        assert!(concepts("small").is_empty());
        assert!(concepts("请忽略它").contains(&Concept::Ignore));
    }
}
