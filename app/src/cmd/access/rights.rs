//! `countersign access rights` and `access certify`: a report for whoever reviews who may do what, and what they decided.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Context;
use countersign_core::Code;
use serde_json::{Map, Value, json};

use crate::{
    cli::{Output, Reach},
    cmd::{self, Failure, reach::call},
    term,
};

pub(super) async fn report(days: u64, csv: bool, reach: &Reach) -> anyhow::Result<()> {
    let report = call(reach, "GET", &format!("/admin/v1/rights?days={days}"), None).await?;
    match reach.format {
        _ if csv => term::say(rows(&report).trim_end()),
        Output::Json => cmd::json(&report),
        Output::Text => {
            for item in items(&report) {
                let last = item
                    .get("last_used")
                    .map_or("unused".to_owned(), |_| format!("last used {}", text(item, "last_used")));
                let reach = [text(item, "models"), text(item, "actions")].join(" ");
                term::say(format_args!("{}  {}  {last}  {}", text(item, "item"), text(item, "who"), reach.trim()));
            }
            term::note(format_args!("report {}", text(&report, "digest")));
        }
    }
    Ok(())
}

/// Says of all rights in a report that they are kept, but for those in `revoke`.
pub(super) async fn certify(file: &Path, revoke: &[String], note: &str, reach: &Reach) -> anyhow::Result<()> {
    let bytes = fs::read(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
    let report: Value = serde_json::from_slice(&bytes).context("the report is not the JSON of `access rights`")?;
    let names: Vec<String> = items(&report).iter().map(|item| text(item, "item")).collect();
    if let Some(unknown) = revoke.iter().find(|item| !names.contains(item)) {
        let what = format!("`{unknown}` is not in the report");
        return Err(Failure { code: Code::ConfigInvalid, what, fix: "write it as the report's `item`" }.into());
    }
    for some in names.chunks(MOST) {
        let word = |item: &String| if revoke.contains(item) { "revoke" } else { "keep" };
        let decisions: Map<String, Value> = some.iter().map(|item| (item.clone(), word(item).into())).collect();
        let body = json!({"report": report.get("digest"), "decisions": decisions, "note": note});
        let done = call(reach, "POST", "/admin/v1/rights/certify", Some(body)).await?;
        term::say(format_args!("{}: {} rights decided on", text(&done, "id"), some.len()));
        for key in done.get("revoked").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            term::say(format_args!("revoked {key}"));
        }
        for left in done.get("left").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            term::say(format_args!("to be taken away by hand: {left}"));
        }
    }
    Ok(())
}

fn items(report: &Value) -> &[Value] {
    report.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(of: &Value, name: &str) -> String {
    match of.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

/// As RFC 4180 has it. The report's digest stands in each row, so that rows that are passed on still say which report they are of.
fn rows(report: &Value) -> String {
    let mut csv = format!("report,{}\r\n", COLUMNS.join(","));
    for item in items(report) {
        let cells = COLUMNS.iter().map(|name| cell(&text(item, name)));
        let row = std::iter::once(cell(&text(report, "digest"))).chain(cells).collect::<Vec<_>>().join(",");
        // Writing to a string does not fail.
        let _ = write!(csv, "{row}\r\n");
    }
    csv
}

/// Quoted; and what a spreadsheet would take for a formula begins with an apostrophe.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

const COLUMNS: [&str; 11] =
    ["item", "who", "kind", "roles", "scopes", "models", "actions", "used_for", "since", "ends", "last_used"];
/// Decisions in one request.
const MOST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_becomes_a_formula_or_another_cell() {
        let report = json!({"digest": "d", "items": [
            {"item": "role:=cmd|' /C calc'!A0", "who": "=HYPERLINK(\"https://evil.example\")", "roles": ["+1", "a\",\"b"], "kind": "@x"},
        ]});
        let csv = rows(&report);
        let mut lines = csv.split("\r\n");
        assert_eq!(lines.next().unwrap().split(',').count(), 12);
        assert_eq!(
            lines.next().unwrap(),
            "\"d\",\"role:=cmd|' /C calc'!A0\",\"'=HYPERLINK(\"\"https://evil.example\"\")\",\"'@x\",\"'+1 a\"\",\"\"b\",\"\",\"\",\"\",\"\",\"\",\"\",\"\""
        );
        assert_eq!((lines.next(), lines.next()), (Some(""), None));
    }
}
