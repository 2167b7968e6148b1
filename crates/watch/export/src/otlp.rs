//! OpenTelemetry logs, in the JSON form of OTLP.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::{Gravity, Line, VERSION};

/// What is posted to `/v1/logs` for some records of one log.
#[must_use]
pub fn request(lines: &[Line]) -> Value {
    let log = lines.first().map(|line| line.log.as_str()).unwrap_or_default();
    json!({ "resourceLogs": [{
        "resource": { "attributes": [text("service.name", "countersign"), text("service.instance.id", log)] },
        "scopeLogs": [{
            "scope": { "name": "countersign.audit", "version": VERSION },
            "logRecords": lines.iter().map(record).collect::<Vec<_>>(),
        }],
    }]})
}

fn record(line: &Line) -> Value {
    let (number, severity) = match line.gravity() {
        Gravity::Routine => (9, "INFO"),
        Gravity::Low => (10, "INFO2"),
        Gravity::Medium => (13, "WARN"),
        Gravity::High => (17, "ERROR"),
    };
    let mut attributes = vec![
        text("countersign.record", line.what.as_str()),
        number_of("countersign.index", line.index),
        text("countersign.leaf", &HEXLOWER.encode(&line.leaf)),
    ];
    let who = line.who.as_ref();
    let texts = [
        ("countersign.request", line.request.as_deref()),
        ("enduser.id", who.map(|who| who.subject.as_str())),
        ("countersign.tenant", who.map(|who| who.tenant.as_str())),
        ("countersign.credential", who.map(|who| who.credential.as_str())),
        ("client.address", line.ip.as_deref()),
        ("countersign.listener", line.listener.as_deref()),
        ("gen_ai.request.model", line.model.as_deref()),
        ("gen_ai.operation.name", line.operation.as_deref()),
        ("countersign.target", line.target.as_deref()),
        ("countersign.code", line.code.as_deref()),
        ("countersign.reason", line.reason.as_deref()),
    ];
    attributes.extend(texts.iter().filter_map(|(key, value)| value.map(|value| text(key, value))));
    let numbers = [
        ("http.response.status_code", line.status.map(u64::from)),
        ("gen_ai.usage.input_tokens", line.input_tokens),
        ("gen_ai.usage.output_tokens", line.output_tokens),
        ("http.response.body.size", line.bytes),
        ("countersign.found", (line.found > 0).then_some(line.found)),
    ];
    attributes.extend(numbers.iter().filter_map(|(key, value)| value.map(|value| number_of(key, value))));
    if !line.findings.is_empty() {
        let rules: Vec<_> = line.findings.iter().map(|(rule, _)| json!({ "stringValue": rule })).collect();
        attributes.push(json!({ "key": "countersign.rules", "value": { "arrayValue": { "values": rules } } }));
    }
    json!({
        "timeUnixNano": line.at.saturating_mul(1000).to_string(),
        "severityNumber": number,
        "severityText": severity,
        "eventName": format!("countersign.{}", line.what.as_str()),
        "body": { "stringValue": line.summary() },
        "attributes": attributes,
    })
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// OTLP writes numbers of 64 bits as strings.
fn number_of(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

#[cfg(test)]
mod tests;
