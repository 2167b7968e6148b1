//! What a caller calls a conversation.

use std::sync::Arc;

use crate::{Code, Refusal};

/// The name that a caller gives a conversation, of 1 to 128 printable characters without spaces. It belongs to that caller:
/// another one's conversation of the same name is another one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConversationName(Arc<str>);

impl ConversationName {
    /// The name that stands in these bytes.
    ///
    /// # Errors
    /// `CS0101` when it is none.
    pub fn parse(name: &[u8]) -> Result<Self, Refusal> {
        match std::str::from_utf8(name) {
            Ok(name) if (1..=MOST).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Self(name.into()))
            }
            _ => Err(Refusal::new(
                Code::Malformed,
                "the name of the conversation is not 1 to 128 printable characters without spaces",
            )),
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Bytes of a name.
const MOST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_printable() {
        for good in ["c", "6f1c2a", "~!/\\\"", &"x".repeat(MOST)] {
            assert_eq!(ConversationName::parse(good.as_bytes()).unwrap().as_bytes(), good.as_bytes());
        }
        for bad in ["", " ", "a b", "a\u{7f}", "a\n", "\u{e9}", "\0x", &"x".repeat(MOST + 1)] {
            assert_eq!(ConversationName::parse(bad.as_bytes()).unwrap_err().code, Code::Malformed, "{bad:?}");
        }
        assert!(ConversationName::parse(b"\xff").is_err());
    }
}
