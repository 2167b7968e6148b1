//! A first look at a policy's text, before the parser: sizes, nesting and chaining.
//!
//! Threat: the parser, the validator and their trees recurse, so a text that nests or chains deeply enough would overflow
//! the stack, which ends the process instead of refusing the text. What passes here fits [`STACK`] with room to spare, and
//! what comes of it can be asked and dropped on any thread.

/// Bytes of one file.
pub(crate) const MOST_BYTES: usize = 256 * 1024;
/// Stack for reading and validating. The validator takes about 12 KiB for each link of a chain in a debug build.
pub(crate) const STACK: usize = 32 * 1024 * 1024;
/// Bytes of one policy, comments included.
pub(crate) const MOST_POLICY_BYTES: usize = 16 * 1024;
/// Brackets open at the same time.
const MOST_OPEN: usize = 64;
/// Operators, dots and words that can stand in a chain, in one policy. Each adds at most one level to a tree.
const MOST_LINKS: usize = 256;

/// Where and why a text is not looked at any further.
#[derive(Debug)]
pub(crate) struct Misshapen {
    pub(crate) offset: usize,
    pub(crate) what: &'static str,
    pub(crate) fix: &'static str,
}

/// Looks at sizes and nesting; says nothing about the syntax.
pub(crate) fn check(text: &str) -> Result<(), Misshapen> {
    if text.len() > MOST_BYTES {
        return Err(Misshapen { offset: 0, what: "the file is larger than 256 KiB", fix: "split it" });
    }
    let mut begin = 0;
    let mut open = 0_usize;
    let mut in_string = false;
    let mut in_comment = false;
    let mut escaped = false;
    let mut links = 0_usize;
    let mut previous = 0;
    for (offset, byte) in text.bytes().enumerate() {
        if offset - begin > MOST_POLICY_BYTES {
            let fix = "split the policy, or put its members in a role";
            return Err(Misshapen { offset: begin, what: "a policy is longer than 16 KiB", fix });
        }
        match byte {
            b'\n' | b'\r' if in_comment => in_comment = false,
            _ if in_comment => {}
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'/' if previous == b'/' => in_comment = true,
            b'(' | b'[' | b'{' => {
                open += 1;
                if open > MOST_OPEN {
                    let fix = "write the condition flatter";
                    return Err(Misshapen { offset, what: "brackets are nested more than 64 deep", fix });
                }
            }
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            b';' => {
                begin = offset + 1;
                links = 0;
            }
            b'&' | b'|' | b'+' | b'-' | b'*' | b'!' | b'.' | b'<' | b'>' | b'=' => links += 1,
            // The chaining words (if, in, is, has, like) need a space before them, or a bracket.
            b'i' | b'h' | b'l' if !previous.is_ascii_alphanumeric() && previous != b'_' => links += 1,
            _ => {}
        }
        if links > MOST_LINKS {
            let fix = "split the policy, or list alternatives in a set";
            return Err(Misshapen { offset: begin, what: "a policy chains more than 256 operators", fix });
        }
        previous = byte;
    }
    Ok(())
}
