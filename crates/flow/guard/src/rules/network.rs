//! Addresses of the web and of networks: URLs, IPv4 and IPv6, hardware addresses.

use std::{net::Ipv6Addr, ops::Range};

use countersign_core::Kind;

use super::{
    Hit, JOIN, OTHER, SLASH, Text,
    around::{Around, topic},
};

/// Addresses inside one run that is whole and has `flags`; whether there were any.
pub(super) fn addresses(run: &[u8], flags: u8, start: usize, text: &Text<'_>, out: &mut Vec<Hit>) -> bool {
    let before = out.len();
    let mut push = |rule, span: Range<usize>, confidence| {
        out.push(Hit::new(Kind::PersonalData, rule, start + span.start..start + span.end, confidence));
    };
    if let Some(span) = url(run, flags) {
        push("personal/url", span, 0.9);
        return true;
    }
    if !has_signs_of_address(run) {
        return false;
    }
    let mut at = 0;
    while let Some(skip) = run.get(at..).and_then(|rest| rest.iter().position(|c| is_part(*c))) {
        let from = at + skip;
        let rest = run.get(from..).unwrap_or_default();
        let len = rest.iter().take_while(|c| is_part(**c)).count();
        at = from + len;
        let whole = |c: Option<&u8>| !c.is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_');
        let bounded = whole(from.checked_sub(1).and_then(|i| run.get(i))) && whole(run.get(at));
        let part = rest.get(..len).unwrap_or_default();
        if !bounded || len < 6 {
            continue;
        }
        // A sentence, or a port, may follow.
        let trimmed = part.iter().rposition(u8::is_ascii_hexdigit).map_or(0, |i| i + 1);
        let part = part.get(..trimmed).unwrap_or_default();
        if is_mac(part) {
            push("personal/mac-address", from..from + part.len(), 0.9);
        } else if let Some(len) = ipv4(part) {
            let octets = part.get(..len).unwrap_or_default();
            let around = Around::before(text.view, start + from);
            // Small numbers are versions, unless somebody says otherwise.
            let plausible = octets.split(|c| *c == b'.').any(|o| o.len() > 1 && o > b"19".as_slice() || o.len() > 2);
            if !around.says(topic::VERSION) && (plausible || around.says(topic::HOST)) {
                push("personal/ip-address", from..from + len, 0.9);
            }
        } else if is_ipv6(part) {
            push("personal/ip-address", from..from + part.len(), 0.9);
        }
    }
    out.len() > before
}

/// Whether there are as many signs in a run as the shortest address has: a cheap look before the real one.
fn has_signs_of_address(run: &[u8]) -> bool {
    let (mut dots, mut colons, mut dashes) = (0_usize, 0_usize, 0_usize);
    for c in run {
        dots += usize::from(*c == b'.');
        colons += usize::from(*c == b':');
        dashes += usize::from(*c == b'-');
    }
    dots > 2 || colons > 1 || dashes > 4
}

/// A web address: with a scheme, or with `www`.
fn url(run: &[u8], flags: u8) -> Option<Range<usize>> {
    let scheme = || run.windows(3).position(|three| three == b"://");
    let start = match (flags & JOIN != 0 && flags & SLASH != 0).then(scheme).flatten() {
        Some(sign) => {
            let scheme = run.get(..sign)?.iter().rev().take_while(|c| c.is_ascii_alphanumeric()).count();
            let scheme = run.get(sign - scheme..sign)?;
            let known = [b"https".as_slice(), b"http", b"ftp", b"ftps", b"sftp", b"ws", b"wss", b"hxxp", b"hxxps"];
            known.iter().any(|k| k.eq_ignore_ascii_case(scheme)).then(|| sign - scheme.len())?
        }
        None => {
            let www = (flags & OTHER != 0).then(|| run.windows(4).position(|four| four == b"www.")).flatten()?;
            let host = run.get(www + 4..)?;
            let first = host.iter().take_while(|c| c.is_ascii_alphanumeric() || **c == b'-').count();
            let alone = www.checked_sub(1).and_then(|i| run.get(i)).is_none_or(|c| matches!(c, b'=' | b':'));
            (alone && first > 0 && host.get(first) == Some(&b'.')).then_some(www)?
        }
    };
    let address = run.get(start..)?;
    let len = address.iter().rposition(|c| !b".,;:!?*~^".contains(c)).map_or(0, |i| i + 1);
    let address = address.get(..len)?;
    let host = match memchr::memmem::find(address, b"://") {
        Some(sign) => address.get(sign + 3..)?,
        None => address,
    };
    let host = host.get(..host.iter().position(|c| b"/?#".contains(c)).unwrap_or(host.len()))?;
    // What names no machine but this one, or a vocabulary, is nobody's; a login has a rule of its own.
    let nobody = [b"localhost".as_slice(), b"127.0.0.1", b"0.0.0.0", b"www.w3.org", b"schemas."]
        .iter()
        .any(|h| host.get(..h.len()).is_some_and(|host| host.eq_ignore_ascii_case(h)));
    let plausible =
        host.first().is_some_and(u8::is_ascii_alphanumeric) && host.contains(&b'.') && !host.contains(&b'@');
    (plausible && !nobody && !host.contains(&b'$')).then_some(start..start + len)
}

const fn is_part(c: u8) -> bool {
    c.is_ascii_hexdigit() || matches!(c, b'.' | b':' | b'-')
}

/// Four numbers up to 255 without zeros before them, not this machine and not a mask; a port may follow.
fn ipv4(part: &[u8]) -> Option<usize> {
    let len = part.iter().position(|c| *c == b':').unwrap_or(part.len());
    if !part.get(len..)?.iter().skip(1).all(u8::is_ascii_digit) {
        return None;
    }
    let part = part.get(..len)?;
    let mut count = 0;
    let mut first = 0;
    for octet in part.split(|c| *c == b'.') {
        if !(1..=3).contains(&octet.len()) || !octet.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let value = octet.iter().fold(0, |v, c| v * 10 + u32::from(c - b'0'));
        if value > 255 || octet.len() > 1 && octet.first() == Some(&b'0') {
            return None;
        }
        if count == 0 {
            first = value;
        }
        count += 1;
    }
    (count == 4 && first != 0 && first != 127 && first != 255).then_some(len)
}

/// Eight groups, or fewer around `::` of which one looks like a network's; not this machine.
fn is_ipv6(part: &[u8]) -> bool {
    let groups = part.split(|c| *c == b':').filter(|g| !g.is_empty()).count();
    let network = part
        .get(..4)
        .is_some_and(|first| first.iter().all(u8::is_ascii_hexdigit) && first.iter().any(u8::is_ascii_digit));
    let likely = groups == 8 || memchr::memmem::find(part, b"::").is_some() && groups > 1 && network;
    likely && str::from_utf8(part).is_ok_and(|part| part.parse::<Ipv6Addr>().is_ok())
}

/// Six pairs with one sign between all of them; not nothing and not everybody.
fn is_mac(part: &[u8]) -> bool {
    let sign = part.get(2).copied().unwrap_or_default();
    let pairs = part.len() == 17
        && matches!(sign, b':' | b'-')
        && part.iter().enumerate().all(|(i, c)| if i % 3 == 2 { *c == sign } else { c.is_ascii_hexdigit() });
    let digits = || part.iter().filter(|c| **c != sign);
    pairs && digits().any(|c| *c != b'0') && digits().any(|c| c | 0x20 != b'f')
}
