//! Decoded views: texts hidden in a text by an encoding, nested to a bounded depth and within a budget of bytes.

use super::Normal;

/// How a text was hidden.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// RFC 4648 base64, either alphabet.
    Base64,
}

/// The views hidden in `of`.
pub(super) fn views(_of: &Normal<'_>, _budget: &mut usize) -> Vec<Normal<'static>> {
    Vec::new()
}
