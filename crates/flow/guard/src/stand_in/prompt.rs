//! Puts something else in place of what was found in a prompt: masks, stand-ins, what is left of a value.
//!
//! Threat: a value that is found in one place stands in others too, where nothing around it gives it away. So once something stands in
//! for it, it does wherever the value stands as a word of its own. And a text that only reads as a stand-in could lead the model to
//! take one thing for another, so it is made to read as something else.

use std::ops::Range;

use ahash::{AHashMap, AHashSet};
use aho_corasick::{AhoCorasick, MatchKind};
use countersign_core::{Action, Channel, Document, Edit, Entity, Finding, Form, Kind, Mint, stand_in::may_come_back};

use super::{Shape, shapes};
use crate::{general::generalized, mask::Masks, rules::view};

/// One place of a leaf and what is put there.
struct Change {
    span: Range<usize>,
    with: With,
}

enum With {
    Mask(Kind),
    Text(String),
}

/// A value and what stands in for it.
struct Made {
    value: String,
    token: String,
}

/// The edits that do what policy says about `found`, leaf by leaf and in order; none when the JSON around one would break.
/// Without a `mint`, what would have a stand-in is masked.
pub(crate) fn edits(
    document: &Document,
    found: &[(Action, &Finding)],
    mint: Option<&mut (dyn Mint + 'static)>,
) -> Option<Vec<Edit>> {
    let mut sorted: Vec<&(Action, &Finding)> = found.iter().filter(|(action, _)| action.replaces()).collect();
    sorted.sort_by_key(|(_, f)| (f.leaf, f.span.start, f.span.end));
    let mut minting = mint.map(|mint| Minting { mint, made: Vec::new(), known: AHashSet::new() });
    let mut changes: Vec<(usize, Change)> = Vec::with_capacity(sorted.len());
    let mut rest = sorted.as_slice();
    while let Some((_, first)) = rest.first() {
        let mut end = first.span.end;
        let overlaps = |(_, f): &&&(Action, &Finding)| {
            let overlaps = f.leaf == first.leaf && (f.span.start < end || f.span.start == first.span.start);
            end = if overlaps { end.max(f.span.end) } else { end };
            overlaps
        };
        let (together, later) = rest.split_at(rest.iter().take_while(overlaps).count().max(1));
        rest = later;
        let text = document.text(first.leaf);
        changes.extend(replaced(text, together, minting.as_mut()).into_iter().map(|change| (first.leaf, change)));
    }
    if let Some(minting) = &minting {
        changes.extend(minting.elsewhere(document, &changes, found));
    }
    changes.sort_by_key(|(leaf, change)| (*leaf, change.span.start, change.span.end));
    written(document, &changes)
}

/// What is done about findings that overlap: the strictest of what policy says about each.
fn replaced(text: &str, together: &[&(Action, &Finding)], minting: Option<&mut Minting<'_>>) -> Vec<Change> {
    let start = together.iter().map(|(_, f)| f.span.start).min().unwrap_or_default();
    let end = together.iter().map(|(_, f)| f.span.end).max().unwrap_or_default();
    let strictest = together.iter().map(|(action, _)| *action).max().unwrap_or(Action::Mask);
    let longest = together.iter().max_by_key(|(_, f)| f.span.len());
    let entity = longest.and_then(|(_, f)| Entity::of(f.rule));
    let never = together.iter().any(|(_, f)| Entity::of(f.rule).is_none_or(|entity| !may_come_back(entity)));
    let value = text.get(start..end).unwrap_or_default();
    let with = match (strictest, entity.filter(|_| !never), minting) {
        (Action::Tokenize(form), Some(entity), Some(minting)) => minting.token(entity, form, value),
        (Action::Generalize, Some(entity), _) => generalized(entity, value),
        _ => None,
    };
    match with {
        Some(with) => vec![Change { span: start..end, with: With::Text(with) }],
        None => together.iter().map(|(_, f)| Change { span: f.span.clone(), with: With::Mask(f.kind) }).collect(),
    }
}

/// Makes stand-ins, and remembers the values by which they are found elsewhere.
struct Minting<'a> {
    mint: &'a mut (dyn Mint + 'static),
    made: Vec<Made>,
    known: AHashSet<String>,
}

impl Minting<'_> {
    fn token(&mut self, entity: Entity, form: Form, value: &str) -> Option<String> {
        let token = self.mint.mint(entity, form, value)?;
        if value.len() >= LEAST_ELSEWHERE && self.known.insert(value.to_owned()) {
            self.made.push(Made { value: value.to_owned(), token: token.clone() });
        }
        Some(token)
    }

    /// Values that stand where nothing was found, and what only reads as a stand-in.
    fn elsewhere(
        &self,
        document: &Document,
        changes: &[(usize, Change)],
        found: &[(Action, &Finding)],
    ) -> Vec<(usize, Change)> {
        let values = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(self.made.iter().map(|made| &made.value))
            .ok()
            .filter(|_| !self.made.is_empty());
        // By leaf once, for a prompt may have many of both.
        let mut places: AHashMap<usize, Taken> = AHashMap::new();
        let changed = changes.iter().map(|(leaf, change)| (*leaf, &change.span));
        for (leaf, span) in changed.chain(found.iter().map(|(_, f)| (f.leaf, &f.span))) {
            places.entry(leaf).or_default().0.push(span.clone());
        }
        let mut out = Vec::new();
        for (leaf, slot) in document.slots().iter().enumerate() {
            let text = document.text(leaf);
            let mut taken = places.remove(&leaf).unwrap_or_default();
            taken.merge();
            if let Some(values) = values.as_ref().filter(|_| slot.channel != Channel::Other) {
                let mut also = Vec::new();
                for hit in
                    values.find_iter(text).filter(|hit| is_word(text, &hit.range()) && taken.is_free(&hit.range()))
                {
                    let Some(made) = self.made.get(hit.pattern().as_usize()) else { continue };
                    out.push((leaf, Change { span: hit.range(), with: With::Text(made.token.clone()) }));
                    also.push(hit.range());
                }
                taken.0.append(&mut also);
                taken.merge();
            }
            let (view, map) = view::view(text);
            for shape in shapes(&view).into_iter().filter(|shape| !self.is_ours(&view, shape)) {
                let Some([open, close]) = &shape.brackets else { continue };
                let (open, close) = (map.origin(open, &view), map.origin(close, &view));
                if taken.is_free(&(open.start..close.end)) {
                    out.push((leaf, Change { span: open, with: With::Text("(".to_owned()) }));
                    out.push((leaf, Change { span: close, with: With::Text(")".to_owned()) }));
                }
            }
        }
        out
    }

    fn is_ours(&self, view: &[u8], shape: &Shape) -> bool {
        let tag = view.get(shape.tag.clone()).and_then(|tag| std::str::from_utf8(tag).ok()).unwrap_or_default();
        let known = self.mint.stand_ins().tagged(&tag.to_ascii_lowercase());
        known.is_some_and(|(entity, _)| entity == shape.entity)
    }
}

/// Places of one leaf that are taken: in order and apart, once they are merged.
#[derive(Default)]
struct Taken(Vec<Range<usize>>);

impl Taken {
    fn merge(&mut self) {
        self.0.sort_by_key(|span| span.start);
        self.0.dedup_by(|next, last| {
            let meets = next.start < last.end;
            last.end = if meets { last.end.max(next.end) } else { last.end };
            meets
        });
    }

    fn is_free(&self, span: &Range<usize>) -> bool {
        let next = self.0.partition_point(|taken| taken.end <= span.start);
        self.0.get(next).is_none_or(|taken| taken.start >= span.end)
    }
}

/// Whether what stands there is not a part of a longer word.
fn is_word(text: &str, span: &Range<usize>) -> bool {
    let before = text.get(..span.start).and_then(|text| text.chars().next_back());
    let after = text.get(span.end..).and_then(|text| text.chars().next());
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

/// The changes, which are in order, as edits.
fn written(document: &Document, changes: &[(usize, Change)]) -> Option<Vec<Edit>> {
    let mut edits = Vec::with_capacity(changes.len());
    let mut current: Option<(usize, Masks<'_>)> = None;
    for (leaf, change) in changes {
        let masks = match &mut current {
            Some((at, masks)) if at == leaf => masks,
            current => {
                let channel = document.slots().get(*leaf)?.channel;
                &mut current.insert((*leaf, Masks::new(*leaf, document.text(*leaf), channel))).1
            }
        };
        edits.extend(match &change.with {
            With::Mask(kind) => masks.add(*kind, &change.span, None)?,
            With::Text(with) => masks.put(with, &change.span, None)?,
        });
    }
    Some(edits)
}

/// What is shorter stands in too many places by chance.
const LEAST_ELSEWHERE: usize = 5;
