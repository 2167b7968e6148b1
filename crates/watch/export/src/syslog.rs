//! Syslog: RFC 5424 messages, framed by octet counting (RFC 6587, and RFC 5425 over TLS).

use jiff::Timestamp;

use crate::{Gravity, Line};

/// Appends a message with `text` as one frame.
pub fn frame(line: &Line, text: &str, to: &mut Vec<u8>) {
    let severity = match line.gravity() {
        Gravity::Routine => 6,
        Gravity::Low => 5,
        Gravity::Medium => 4,
        Gravity::High => 2,
    };
    let micros = i64::try_from(line.at).unwrap_or(i64::MAX);
    let at = Timestamp::from_microsecond(micros).map_or_else(|_| "-".to_owned(), |at| format!("{at:.6}"));
    let host = name(&line.log);
    let message = format!("<{}>1 {at} {host} countersign - {} - {text}", AUDIT * 8 + severity, line.what.as_str());
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

#[cfg(test)]
mod tests;
