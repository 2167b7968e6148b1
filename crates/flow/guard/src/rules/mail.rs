//! E-mail addresses (the everyday part of RFC 5321: dot-atoms and a domain with a top-level name of letters).

use countersign_core::Kind;

use super::Hit;

/// Addresses inside one run.
pub(super) fn addresses(run: &[u8], start: usize, out: &mut Vec<Hit>) {
    let mut done = 0;
    for (at, _) in run.iter().enumerate().filter(|(_, c)| **c == b'@') {
        let (Some(head), Some(tail)) = (run.get(done..at), run.get(at + 1..)) else { continue };
        let local = head.iter().rev().take_while(|c| is_local(**c)).count();
        let first = head.len() - local;
        // A name does not begin with a dot; `mailto:` and the like end where a colon stands.
        let dots = head.iter().skip(first).take_while(|c| !c.is_ascii_alphanumeric()).count();
        let domain = tail.iter().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-')).count();
        let domain = tail.get(..domain).unwrap_or_default();
        let domain =
            domain.get(..domain.iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |i| i + 1)).unwrap_or_default();
        let Some(dot) = domain.iter().rposition(|c| *c == b'.') else { continue };
        let top = domain.get(dot + 1..).unwrap_or_default();
        let plausible = local > dots
            && dot > 0
            && (2..=24).contains(&top.len())
            && top.iter().all(u8::is_ascii_alphabetic)
            && domain.first().is_some_and(u8::is_ascii_alphanumeric);
        // `scheme://name:password@host` is a connection, which has its own rule.
        let login = head.get(..first).is_some_and(|h| h.ends_with(b":") && memchr::memmem::find(h, b"://").is_some());
        if plausible && !login {
            let end = at + 1 + domain.len();
            out.push(Hit::new(Kind::PersonalData, "personal/email", start + done + first + dots..start + end, 0.95));
            done = end;
        }
    }
}

const fn is_local(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'%' | b'+' | b'-' | b'#' | b'$' | b'&' | b'*' | b'^' | b'~')
}
