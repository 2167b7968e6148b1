//! CEF, ArcSight's Common Event Format: one line for each record.

use data_encoding::HEXLOWER;

use crate::{Gravity, Line, VERSION};

/// The line of a record.
#[must_use]
pub fn line(line: &Line) -> String {
    let id = line.code.as_deref().unwrap_or(line.what.as_str());
    let severity = match line.gravity() {
        Gravity::Routine => 1,
        Gravity::Low => 4,
        Gravity::Medium => 6,
        Gravity::High => 9,
    };
    let mut text =
        format!("CEF:0|Countersign|Countersign|{VERSION}|{}|{}|{severity}|", head(id), head(&line.summary()));
    let mut add = |key: &str, value: &str| {
        if !text.ends_with('|') {
            text.push(' ');
        }
        text.push_str(key);
        text.push('=');
        text.push_str(&field(value));
    };
    add("rt", &(line.at / 1000).to_string());
    add("deviceExternalId", &line.log);
    add("cat", line.what.as_str());
    add("cn1Label", "record");
    add("cn1", &line.index.to_string());
    add("cs1Label", "leaf");
    add("cs1", &HEXLOWER.encode(&line.leaf));
    if let Some(who) = &line.who {
        add("suser", &who.subject);
        add("cs2Label", "tenant");
        add("cs2", &who.tenant);
        add("cs3Label", "credential");
        add("cs3", &who.credential);
    }
    let optional = [
        ("externalId", &line.request),
        ("src", &line.ip),
        ("deviceInboundInterface", &line.listener),
        ("app", &line.operation),
        ("destinationServiceName", &line.target),
        ("reason", &line.reason),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            add(key, value);
        }
    }
    if let Some(model) = &line.model {
        add("cs4Label", "model");
        add("cs4", model);
    }
    if line.found > 0 {
        let rules: Vec<_> = line.findings.iter().map(|(rule, _)| rule.as_str()).collect();
        add("cs5Label", "findings");
        add("cs5", &rules.join(","));
        add("cnt", &line.found.to_string());
    }
    let numbers = [("cn2", "input tokens", line.input_tokens), ("cn3", "output tokens", line.output_tokens)];
    for (key, label, value) in numbers {
        if let Some(value) = value {
            add(&format!("{key}Label"), label);
            add(key, &value.to_string());
        }
    }
    if let Some(bytes) = line.bytes {
        add("out", &bytes.to_string());
    }
    if let Some(status) = line.status {
        add("outcome", &status.to_string());
    }
    text
}

/// A value between bars.
fn head(text: &str) -> String {
    clean(text).replace('\\', "\\\\").replace('|', "\\|")
}

/// A value of the extension.
fn field(text: &str) -> String {
    clean(text).replace('\\', "\\\\").replace('=', "\\=")
}

/// Without what could end a line, or be taken for its end by whoever reads it.
fn clean(text: &str) -> String {
    text.replace(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'), " ")
}

#[cfg(test)]
mod tests;
