//! Where findings stand, in characters: programs count those.

use std::{collections::HashMap, ops::Range};

use super::{Text, Told};

impl Text {
    /// The characters of its leaf that each finding covers; none where it stands in no text. Each leaf is counted once, however
    /// much was found in it.
    pub(super) fn places(&self, told: &[&Told]) -> Vec<Option<Range<usize>>> {
        let mut edges: HashMap<(usize, usize), Vec<usize>> = HashMap::new();
        for told in told {
            edges.entry((told.part, told.leaf)).or_default().extend([told.span.start, told.span.end]);
        }
        let counted: HashMap<_, _> = edges
            .into_iter()
            .filter_map(|((part, leaf), edges)| {
                let document = &self.parts.get(part)?.document;
                let text = (leaf < document.slots().len()).then(|| document.text(leaf))?;
                Some(((part, leaf), count(text, edges)))
            })
            .collect();
        let place = |told: &&Told| {
            let edges = counted.get(&(told.part, told.leaf))?;
            Some(*edges.get(&told.span.start)?..*edges.get(&told.span.end)?)
        };
        told.iter().map(place).collect()
    }
}

/// How many characters stand before each of the bytes `edges`. Edges that are in no text, or inside a character, have no count.
fn count(text: &str, mut edges: Vec<usize>) -> HashMap<usize, usize> {
    edges.sort_unstable();
    edges.dedup();
    let (mut at, mut chars) = (0, 0);
    let mut out = HashMap::with_capacity(edges.len());
    for edge in edges {
        let Some(between) = text.get(at..edge) else { continue };
        chars += between.chars().count();
        at = edge;
        out.insert(edge, chars);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_once_and_edges_inside_one_have_no_count() {
        let counted = count("aé\u{1f600}b", vec![8, 3, 0, 3, 1, 2, 99]);
        let mut counted: Vec<_> = counted.into_iter().collect();
        counted.sort_unstable();
        assert_eq!(counted, [(0, 0), (1, 1), (3, 2), (8, 4)]);
    }
}
