//! Where in a text of Markdown or HTML a place is: whether what stands there is read by a person, or fetched by a program.
//!
//! Threat: a model that was told to puts a stand-in into an address, and the value would leave with the request for it. So values
//! never come back in addresses, images, link targets, reference definitions and tags, nor in what could be one and never closes.

/// Goes along a view byte by byte, so that it does not matter how the text was cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// The last eight bytes, letters in lower case.
    recent: u64,
    /// In an address that goes on to the next space.
    address: bool,
    /// Open parentheses of a link's target.
    target: u32,
    /// Open brackets of an image's description.
    image: u32,
    /// In a tag, and in which quotes of it; 0 for none.
    tag: Option<u8>,
    definition: Definition,
    /// The line has nothing in it yet.
    blank: bool,
}

/// Where in `[name]: target` of Markdown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Definition {
    #[default]
    None,
    /// Its target is yet to come.
    Named,
    InTarget,
}

impl Place {
    /// Whether what stands here is read, not fetched.
    pub(crate) fn is_text(&self) -> bool {
        !self.address
            && self.target == 0
            && self.image == 0
            && self.tag.is_none()
            && self.definition == Definition::None
    }

    pub(crate) fn read_all(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.read(*byte));
    }

    pub(crate) fn read(&mut self, byte: u8) {
        let byte = byte.to_ascii_lowercase();
        let before = self.recent as u8;
        self.recent = self.recent << 8 | u64::from(byte);
        if let Some(quote) = self.tag {
            self.tag = match byte {
                b'>' if quote == 0 => None,
                b'"' | b'\'' if quote == 0 && (before == b'=' || self.ends(b"= ", 1)) => Some(byte),
                _ if quote == byte => Some(0),
                _ => Some(quote),
            };
        } else if before == b'<' && (byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!' | b'?')) {
            self.tag = Some(0);
        }
        if byte.is_ascii_whitespace() {
            self.space(byte);
            return;
        }
        self.blank = false;
        self.address |= ["//", "\\\\", "www.", "http:", "https:"].iter().any(|begin| self.ends(begin.as_bytes(), 0));
        if self.definition == Definition::Named {
            self.definition = Definition::InTarget;
        }
        match byte {
            b'(' if self.target > 0 || before == b']' => self.target = self.target.saturating_add(1),
            b')' => self.target = self.target.saturating_sub(1),
            b'[' if self.image > 0 || before == b'!' => self.image = self.image.saturating_add(1),
            b']' => self.image = self.image.saturating_sub(1),
            b':' if before == b']' => self.definition = Definition::Named,
            _ => {}
        }
    }

    fn space(&mut self, byte: u8) {
        self.address = false;
        if self.definition == Definition::InTarget {
            self.definition = Definition::None;
        }
        if byte == b'\n' {
            // No construct of Markdown goes over an empty line.
            if self.blank {
                (self.target, self.image, self.definition) = (0, 0, Definition::None);
            }
            self.blank = true;
        }
    }

    /// Whether the last bytes are these, but for the last `but` of what was read.
    fn ends(&self, with: &[u8], but: u32) -> bool {
        let recent = self.recent >> (8 * but);
        with.iter().rev().enumerate().all(|(i, byte)| (recent >> (8 * i)) as u8 == *byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_text(before: &str) -> bool {
        let mut place = Place::default();
        place.read_all(before.as_bytes());
        place.is_text()
    }

    #[test]
    fn what_is_fetched_is_told_from_what_is_read() {
        for fetched in [
            "see https://evil.example/?q=",
            "HTTPS://evil.example/a/",
            "//evil.example/",
            "www.evil.example/",
            "[click](",
            "[click](/path?a=",
            "[click](<https://evil.example/a b ",
            "[click](https://evil.example/(a)/",
            "![",
            "![a [b] ",
            "![a](x \"title ",
            "<img src=\"https://evil.example/ ",
            "<img alt=\">\" src=\"/x ",
            "<img src = 'x > ",
            "<a href=x title=",
            "[a]: ",
            "[a]: /x?",
            "[a]:\n/x?",
            "`https:evil.example/",
            "https://evil.example/?a=\"",
        ] {
            assert!(!is_text(fetched), "{fetched}");
        }
    }

    #[test]
    fn ordinary_text_is_read() {
        for read in [
            "",
            "Dear ",
            "see https://a.example/ and ",
            "[label](https://a.example) by ",
            "![chart](c.png) by ",
            "a < b and ",
            "x <b>bold</b> ",
            "[a]: https://a.example\nby ",
            "[broken](https://a.example\n\nnext ",
            "{\"name\": \"",
            "(in brackets, ",
            "[in brackets, ",
            "// comment by ",
            "one/",
            "note: ",
        ] {
            assert!(is_text(read), "{read}");
        }
    }
}
