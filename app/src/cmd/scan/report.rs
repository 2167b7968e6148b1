//! What a scan found, for people, for programs, and for tools that take SARIF (OASIS, version 2.1.0).

use std::{collections::BTreeSet, fmt::Write};

use countersign_core::{Action, Entity};
use serde_json::{Value, json};

use super::{Scanned, Seen};
use crate::term;

/// For people. The marks say what the colour says.
pub(super) fn text(texts: &[Scanned]) {
    for text in texts {
        for seen in &text.findings {
            term::say(format_args!(
                "{}:{}:{}: {}, {:.0} % sure, in the {} channel: {}",
                text.name,
                seen.from.line,
                seen.from.column,
                seen.finding.rule,
                seen.finding.confidence * 100.0,
                seen.finding.channel.as_str(),
                seen.action.as_str()
            ));
            let [before, found, after] = &seen.excerpt;
            term::marked(&format!("    {before}"), found, after);
            if let Some(read) = &seen.read {
                let undone =
                    if seen.layers.is_empty() { String::new() } else { format!(" {}", seen.layers.join(", then ")) };
                let how = if undone.is_empty() { "as" } else { "after" };
                term::say(format_args!("    read {how}{undone}: {read}"));
            }
        }
    }
    let stopped = texts.iter().filter(|text| text.stopped()).count();
    let findings: usize = texts.iter().map(|text| text.findings.len()).sum();
    let passing = texts.iter().flat_map(|t| &t.findings).filter(|seen| seen.action == Action::Allow).count();
    term::say(format_args!(
        "{}, {passing} of them allowed; {stopped} of {} would not pass as it is",
        counted(findings, "finding"),
        counted(texts.len(), "text"),
    ));
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// For programs.
pub(super) fn json(texts: &[Scanned]) -> Value {
    let finding = |seen: &Seen| {
        json!({
            "rule": seen.finding.rule,
            "kind": seen.finding.kind.as_str(),
            "type": Entity::of(seen.finding.rule).map(Entity::as_str),
            "channel": seen.finding.channel.as_str(),
            "confidence": confidence(seen),
            "action": seen.action.as_str(),
            "bytes": [seen.bytes.start, seen.bytes.end],
            "line": seen.from.line,
            "column": seen.from.column,
            "text": seen.excerpt[1],
            "layers": seen.layers,
            "read": seen.read,
        })
    };
    let text = |text: &Scanned| {
        json!({
            "name": text.name,
            "bytes": text.bytes,
            "found": text.stopped(),
            "error": text.error,
            "findings": text.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    };
    json!({
        "found": texts.iter().any(Scanned::stopped),
        "texts": texts.iter().map(text).collect::<Vec<_>>(),
    })
}

/// For code scanning.
pub(super) fn sarif(texts: &[Scanned]) -> Value {
    let all = || texts.iter().flat_map(|text| text.findings.iter().map(move |seen| (text, seen)));
    let rules: Vec<(&str, &str)> =
        all().map(|(_, s)| (s.finding.rule, s.finding.kind.as_str())).collect::<BTreeSet<_>>().into_iter().collect();
    let result = |(text, seen): (&Scanned, &Seen)| {
        let mut message = format!(
            "{} in the {} channel, {:.0} % sure; the rules would {} it.",
            seen.finding.rule,
            seen.finding.channel.as_str(),
            seen.finding.confidence * 100.0,
            seen.action.as_str()
        );
        if let Some(read) = &seen.read {
            let _ = write!(message, " It reads: {read}");
        }
        json!({
            "ruleId": seen.finding.rule,
            "ruleIndex": rules.iter().position(|(id, _)| *id == seen.finding.rule),
            "level": match seen.action {
                Action::Allow => "note",
                Action::Mask | Action::Generalize | Action::Tokenize(_) => "warning",
                Action::Refuse | Action::Cut => "error",
            },
            "rank": confidence(seen) * 100.0,
            "message": { "text": message },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": uri(&text.name) },
                "region": {
                    "startLine": seen.from.line,
                    "startColumn": seen.from.column,
                    "endLine": seen.to.line,
                    "endColumn": seen.to.column,
                    "byteOffset": seen.bytes.start,
                    "byteLength": seen.bytes.end - seen.bytes.start,
                },
            }}],
            "properties": { "layers": seen.layers },
        })
    };
    let unread = texts.iter().filter_map(|text| {
        let error = text.error.as_ref()?;
        Some(json!({ "level": "error", "message": { "text": format!("{}: {error}", text.name) } }))
    });
    let unread: Vec<Value> = unread.collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "countersign",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|(id, kind)| json!({
                    "id": id,
                    "shortDescription": { "text": format!("{kind}: {id}") },
                })).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{ "executionSuccessful": unread.is_empty(), "toolExecutionNotifications": unread }],
            "results": all().map(result).collect::<Vec<_>>(),
        }],
    })
}

/// In thousandths: more is noise.
fn confidence(seen: &Seen) -> f64 {
    (f64::from(seen.finding.confidence) * 1000.0).round() / 1000.0
}

/// A path as the reference to a file (RFC 3986).
fn uri(path: &str) -> String {
    let mut out = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
