//! What words mean to the grammar: reads `lexicon.txt` and finds its entries in a text.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::{
    GuardError, Normal,
    normal::{
        fold,
        starts::{Starts, Word},
    },
};

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
    Turn,
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

const NAMES: [(&str, Concept); 34] = [
    ("ignore", Concept::Ignore),
    ("notfollow", Concept::NotFollow),
    ("prior", Concept::Prior),
    ("all", Concept::All),
    ("rules", Concept::Rules),
    ("said", Concept::Said),
    ("turn", Concept::Turn),
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
    /// Finds words that open a window, in any text.
    openers: Starts,
}

struct Entry {
    concept: Concept,
    /// Counts only where a word begins.
    start: bool,
    /// Counts only where a word ends.
    end: bool,
}

const TEXT: &str = include_str!("lexicon.txt");

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
        let mut openers = Vec::new();
        let (lexicon, common) = TEXT.split_once("\n@common\n").unwrap_or((TEXT, ""));
        let common: Vec<&str> = common.split(['|', '\n']).map(str::trim).collect();
        let mut section: Option<(Concept, bool)> = None;
        for line in lexicon.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
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
                    let key = if runs_on { word.as_str() } else { rarest(&word, &common) };
                    let start = !runs_on && key.starts_with(char::is_alphanumeric);
                    openers.push(Word { text: key.into(), start, end, name: 0 });
                }
                patterns.push(word);
            }
        }
        openers.sort();
        openers.dedup();
        // A word that another one begins opens no window that the shorter does not.
        openers.dedup_by(|word, last| !last.end && word.text.starts_with(&*last.text));
        let words = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .ascii_case_insensitive(true)
            .build(patterns)
            .map_err(|e| GuardError::Tables(e.to_string()))?;
        Ok(Self { words, entries, openers: Starts::new(openers.into_iter()) })
    }

    /// Bytes its tables take.
    #[cfg(test)]
    pub(super) fn memory(&self) -> [usize; 2] {
        [self.words.memory_usage(), self.openers.memory()]
    }

    /// Where a window opens in a view, in order. `joined` text has lost its spaces.
    pub(super) fn openings(&self, view: &Normal<'_>, joined: bool, out: &mut Vec<usize>) {
        match joined {
            true => self.openers.find_anywhere(&view.text, |at, _| out.push(at)),
            false => {
                self.openers.find(&view.text, view.survey(), |at, _| out.push(at));
                self.openers.find_glued(&view.text, view.survey(), |at, _| out.push(at));
            }
        }
        out.sort_unstable();
    }

    /// Every entry in the canonical window `text`, by start. At `seams`, words begin though letters stand before them.
    pub(super) fn hits(&self, text: &str, seams: &[usize], joined: bool, out: &mut Vec<Hit>) {
        for found in self.words.find_overlapping_iter(text) {
            let Some(entry) = self.entries.get(found.pattern().as_usize()) else { continue };
            let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            let before = || {
                letter(text.get(..found.start()).and_then(|t| t.chars().next_back()))
                    && seams.binary_search(&found.start()).is_err()
            };
            let after = || letter(text.get(found.end()..).and_then(|t| t.chars().next()));
            // `output = 5` gives a name to something and tells nobody to put out anything.
            let named = || {
                let rest = text.get(found.end()..).unwrap_or_default();
                entry.concept == Concept::Show && rest.trim_start_matches(' ').starts_with('=')
            };
            if joined || !(entry.start && before() || entry.end && after() || named()) {
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

/// The word of an entry that ordinary text has least; the whole entry when it has all of them often.
fn rarest<'a>(entry: &'a str, common: &[&str]) -> &'a str {
    let rare = entry.split(' ').filter(|w| !common.contains(w));
    rare.max_by_key(|w| w.len()).unwrap_or(entry)
}

#[cfg(test)]
mod tests {
    use countersign_core::{Channel, Leaf, Trust};

    use super::*;

    #[test]
    fn the_lexicon_reads_and_stays_small() {
        let lexicon = Lexicon::new().unwrap();
        let memory = lexicon.memory();
        assert!(memory.iter().sum::<usize>() < 3 << 19, "{memory:?}");
        assert!(lexicon.entries.len() > 2_000);
    }

    #[test]
    fn every_opener_is_found() {
        let lexicon = Lexicon::new().unwrap();
        for opener in lexicon.openers.words() {
            let leaf = Leaf { text: &opener.text, channel: Channel::User, trust: Trust::Caller, grows: None };
            let mut found = Vec::new();
            lexicon.openings(&Normal::plain(&leaf), false, &mut found);
            assert_eq!(found.first(), Some(&0), "{opener:?}");
        }
    }

    #[test]
    fn words_count_at_their_borders_only() {
        let lexicon = Lexicon::new().unwrap();
        let concepts = |text: &str| {
            let mut hits = Vec::new();
            lexicon.hits(text, &[], false, &mut hits);
            hits.iter().map(|h| h.concept).collect::<Vec<_>>()
        };
        assert_eq!(concepts("ignoring"), [Concept::Ignore]);
        assert_eq!(concepts("output"), [Concept::Show]);
        assert!(concepts("output = 5").is_empty());
        assert!(concepts("small").is_empty());
        assert!(concepts("请忽略它").contains(&Concept::Ignore));
    }
}
