//! Syslog: RFC 5424 messages, framed by octet counting (RFC 6587, and RFC 5425 over TLS).

use jiff::Timestamp;

use crate::{Gravity, Line};

/// Appends a message with `text` as one frame.
pub fn frame(line: &Line, text: &str, to: &mut Vec<u8>) {
    write(AUDIT, line.gravity(), (line.at, &line.log, line.what.as_str()), text, to);
}

/// Appends an alert of `host` about what happened at `at`, in microseconds since 1970, with `text` as one frame.
pub fn alert(gravity: Gravity, at: u64, host: &str, kind: &str, text: &str, to: &mut Vec<u8>) {
    write(ALERT, gravity, (at, host, kind), text, to);
}

fn write(facility: u8, gravity: Gravity, (at, host, kind): (u64, &str, &str), text: &str, to: &mut Vec<u8>) {
    let severity = match gravity {
        Gravity::Routine => 6,
        Gravity::Low => 5,
        Gravity::Medium => 4,
        Gravity::High => 2,
    };
    let micros = i64::try_from(at).unwrap_or(i64::MAX);
    let at = Timestamp::from_microsecond(micros).map_or_else(|_| "-".to_owned(), |at| format!("{at:.6}"));
    let (host, priority) = (name(host), facility * 8 + severity);
    let message = format!("<{priority}>1 {at} {host} countersign - {kind} - {text}");
    to.extend_from_slice(message.len().to_string().as_bytes());
    to.push(b' ');
    to.extend_from_slice(message.as_bytes());
}

/// A name as a header takes it: printable ASCII without spaces.
fn name(text: &str) -> String {
    let name: String = text.chars().take(255).map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// The facility `log audit`.
const AUDIT: u8 = 13;
/// The facility `log alert`.
const ALERT: u8 = 14;

#[cfg(test)]
mod tests;
