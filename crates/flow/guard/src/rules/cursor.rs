//! Reading ahead without guessing: a matcher that would need bytes which have not arrived is told so.
//!
//! INVARIANT: a matcher's outcome is used only when its cursor was not starved. It then depends on nothing but bytes that were
//! there, so every longer text gives the same outcome. This is what makes verdicts independent of how a stream is cut.

/// Reads a view forward from one place.
pub(crate) struct Cursor<'a> {
    view: &'a [u8],
    /// Where the next byte is read.
    pub(crate) at: usize,
    last: bool,
    starved: bool,
}

impl<'a> Cursor<'a> {
    /// Reads from `at`; `last` says that nothing follows the view.
    #[inline]
    pub(crate) const fn new(view: &'a [u8], at: usize, last: bool) -> Self {
        Self { view, at, last, starved: false }
    }

    /// The byte `ahead` of the place; none behind the end of the text.
    #[inline]
    pub(crate) fn peek_at(&mut self, ahead: usize) -> Option<u8> {
        let byte = self.view.get(self.at + ahead).copied();
        self.starved |= byte.is_none() && !self.last;
        byte
    }

    /// The byte at the place.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        self.peek_at(0)
    }

    /// Steps over `byte` if it stands here.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    /// Steps over `text`, ASCII letters in any case, if it stands here.
    pub(crate) fn eat_text(&mut self, text: &[u8]) -> bool {
        for (i, want) in text.iter().enumerate() {
            if self.peek_at(i).is_none_or(|c| !c.eq_ignore_ascii_case(want)) {
                return false;
            }
        }
        self.at += text.len();
        true
    }

    /// Steps over up to `most` bytes that `class` takes and says how many.
    #[inline]
    pub(crate) fn eat_while(&mut self, most: usize, class: impl Fn(u8) -> bool) -> usize {
        let from = self.at;
        while self.at - from < most && self.peek().is_some_and(&class) {
            self.at += 1;
        }
        self.at - from
    }

    /// Whether the byte before the place is a letter or a digit.
    pub(crate) fn is_within_word(&self) -> bool {
        self.at.checked_sub(1).and_then(|at| self.view.get(at)).is_some_and(u8::is_ascii_alphanumeric)
    }

    /// Whether a byte was wanted that has not arrived yet.
    #[inline]
    pub(crate) const fn starved(&self) -> bool {
        self.starved
    }

    /// What was read since `from`.
    #[inline]
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        self.view.get(from..self.at).unwrap_or_default()
    }
}
