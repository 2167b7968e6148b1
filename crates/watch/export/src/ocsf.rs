//! OCSF: every record as an event of the class API Activity, with the profiles `ai_operation` and `record_integrity`.
//!
//! The fingerprint of `record_integrity` is the SHA-256 of the event in RFC 8785's canonical form, without the fingerprint itself. It
//! tells a damaged event; what tells a forged one is the record's proof, which `raw_data_hash` (its leaf hash) leads to.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};

use crate::{Gravity, Line, VERSION, What};

/// The event of a record.
#[must_use]
pub fn event(line: &Line) -> Value {
    let (activity, name) = match line.what {
        What::Answered => (2, "Read"),
        What::Changed => (3, "Update"),
        What::GivenUp => (4, "Delete"),
        other => (99, other.as_str()),
    };
    let mut event = json!({
        "activity_id": activity,
        "activity_name": name,
        "actor": actor(line),
        "ai_model": model(line),
        "api": {
            "operation": line.operation.as_deref().unwrap_or(line.what.as_str()),
            "request": line.request.as_ref().map(|uid| json!({ "uid": uid })),
            "response": line.status.map(|code| json!({ "code": code, "error": line.code })),
            "service": { "name": "countersign" },
        },
        "attestation_list": [{
            "uid": line.uid(),
            "authority_uid": line.log,
            "chain_uid": line.log,
        }],
        "category_uid": 6,
        "class_name": "API Activity",
        "class_uid": CLASS,
        "http_response": line.status.map(|code| json!({ "code": code })),
        "message": line.summary(),
        "message_context": {
            "service": { "name": "countersign" },
            "uid": line.request,
            "prompt_tokens": line.input_tokens,
            "completion_tokens": line.output_tokens,
            "total_tokens": line.input_tokens.zip(line.output_tokens).map(|(i, o)| i.saturating_add(o)),
        },
        "metadata": {
            "version": SCHEMA,
            "profiles": ["ai_operation", "record_integrity"],
            "product": { "name": "Countersign", "vendor_name": "Countersign", "version": VERSION },
            "uid": line.uid(),
            "sequence": line.index,
            "log_name": line.log,
            "event_code": line.code,
            "correlation_uid": line.request,
            "tenant_uid": line.who.as_ref().map(|who| &who.tenant),
        },
        "raw_data_hash": hash(&line.leaf),
        "severity_id": match line.gravity() {
            Gravity::Routine => 1,
            Gravity::Low => 2,
            Gravity::Medium => 3,
            Gravity::High => 4,
        },
        "src_endpoint": { "ip": line.ip, "name": line.listener.as_deref().unwrap_or("none") },
        "status_code": line.code,
        "status_detail": line.reason,
        "status_id": status(line),
        "time": line.at / 1000,
        "type_uid": CLASS * 100 + activity,
        "unmapped": unmapped(line),
    });
    prune(&mut event);
    let mut fingerprint = hash_of(&event);
    if let Some(fingerprint) = fingerprint.as_object_mut() {
        fingerprint.insert("serialization_id".into(), 2.into());
        fingerprint.insert("serialization".into(), "JCS".into());
    }
    if let Some(first) = event.pointer_mut("/attestation_list/0").and_then(Value::as_object_mut) {
        first.insert("fingerprint".into(), fingerprint);
    }
    event
}

fn actor(line: &Line) -> Value {
    match &line.who {
        None => json!({ "app_name": "unknown" }),
        Some(who) => json!({ "user": {
            "uid": format!("{}/{}", who.tenant, who.subject),
            "name": who.subject,
            "type_id": if who.kind == "person" { 1 } else { 99 },
            "type": if who.kind == "person" { "User" } else { who.kind.as_str() },
            "credential_uid": who.credential,
        }}),
    }
}

fn model(line: &Line) -> Option<Value> {
    let name = line.model.as_ref()?;
    Some(json!({ "name": name, "ai_provider": line.target.as_deref().unwrap_or("unknown") }))
}

/// 1 is success and 2 is failure.
const fn status(line: &Line) -> u8 {
    if line.code.is_some() || matches!(line.what, What::Strangers | What::Gap) { 2 } else { 1 }
}

fn unmapped(line: &Line) -> Value {
    let findings: Vec<_> = line.findings.iter().map(|(rule, kind)| json!({ "rule": rule, "kind": kind })).collect();
    json!({
        "record": line.what.as_str(),
        "found": line.found,
        "bytes": line.bytes,
        "findings": (!findings.is_empty()).then_some(findings),
    })
}

fn hash(bytes: &[u8]) -> Value {
    json!({ "algorithm_id": 3, "algorithm": "SHA-256", "encoding_id": 1, "value": HEXLOWER.encode(bytes) })
}

/// The fingerprint of an event that has none yet.
#[must_use]
pub fn hash_of(event: &Value) -> Value {
    let mut canonical = String::new();
    write(event, &mut canonical);
    hash(digest(&SHA256, canonical.as_bytes()).as_ref())
}

/// RFC 8785 for what events are made of: names are ASCII, numbers are whole.
fn write(value: &Value, to: &mut String) {
    let list = |to: &mut String, brackets: [char; 2], items: &mut dyn Iterator<Item = (Option<&String>, &Value)>| {
        to.push(brackets[0]);
        for (i, (name, item)) in items.enumerate() {
            if i > 0 {
                to.push(',');
            }
            if let Some(name) = name {
                to.push_str(&Value::from(name.as_str()).to_string());
                to.push(':');
            }
            write(item, to);
        }
        to.push(brackets[1]);
    };
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_str());
            list(to, ['{', '}'], &mut members.into_iter().map(|(name, value)| (Some(name), value)));
        }
        Value::Array(items) => list(to, ['[', ']'], &mut items.iter().map(|item| (None, item))),
        other => to.push_str(&other.to_string()),
    }
}

/// Takes out what is not known, and cuts texts short: receivers of syslog take 8 KiB, and the record itself is in the log.
fn prune(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let kept: Map<_, _> = std::mem::take(members)
                .into_iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(name, mut value)| {
                    prune(&mut value);
                    (name, value)
                })
                .collect();
            *members = kept;
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::String(text) => {
            *text = text.replace(char::is_control, " ");
            text.truncate(text.floor_char_boundary(MOST));
        }
        _ => {}
    }
}

const CLASS: u32 = 6003;
/// Bytes of one text.
const MOST: usize = 160;
/// The version of OCSF that has both profiles.
const SCHEMA: &str = "1.9.0-dev";

#[cfg(test)]
mod tests;
