//! `countersign top`: what the console shows live, in a terminal.

use std::{process::ExitCode, time::Duration};

use serde_json::{Value, json};

use crate::{
    cli::{Output, Reach, Top},
    cmd::{self, reach::call},
    term,
};

pub(crate) async fn run(args: &Top) -> anyhow::Result<ExitCode> {
    loop {
        let seen = Seen::now(&args.reach).await?;
        match args.reach.format {
            Output::Json => cmd::json(&json!({
                "status": seen.status, "rates": seen.rates, "requests": seen.requests, "alerts": seen.alerts
            })),
            Output::Text => {
                if !args.once {
                    term::redraw();
                }
                seen.picture().into_iter().for_each(term::say);
            }
        }
        if args.once {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(Duration::from_secs(args.every)).await;
    }
}

/// What the gateway says of one moment.
struct Seen {
    status: Value,
    rates: Value,
    requests: Value,
    alerts: Value,
}

impl Seen {
    async fn now(reach: &Reach) -> anyhow::Result<Self> {
        let get = async |path: &str| call(reach, "GET", path, None).await;
        Ok(Self {
            status: get("/admin/v1/status").await?,
            rates: get("/admin/v1/traffic/rates?spans=60&seconds=5").await?,
            requests: get("/admin/v1/traffic?limit=15").await?,
            alerts: get("/admin/v1/traffic/alerts").await?,
        })
    }

    /// The lines of the picture.
    fn picture(&self) -> Vec<String> {
        let status = |name| word(&self.status, name);
        let spans = items(&self.rates, "spans");
        let of = |name: &'static str| {
            spans.iter().map(move |span| span.get(name).and_then(Value::as_u64).unwrap_or_default())
        };
        let sum = |name: &'static str| of(name).sum::<u64>();
        let recording = if self.status.get("recording") == Some(&Value::Bool(true)) { "yes" } else { "NO" };
        let mut lines = vec![
            format!(
                "countersign {} on {}   recording {recording}   {} records signed   {} in flight",
                status("version"),
                status("node"),
                status("records"),
                status("in_flight")
            ),
            format!(
                "the last five minutes: {} asked, {} refused, {} with findings",
                sum("asked"),
                sum("refused"),
                sum("found")
            ),
            format!("asked   {}", bars(&of("asked").collect::<Vec<_>>())),
            format!("refused {}", bars(&of("refused").collect::<Vec<_>>())),
            String::new(),
            row(["TIME", "OUTCOME", "WHO", "MODEL", "FOUND", "MS"]),
        ];
        for request in items(&self.requests, "items") {
            let who = request.get("who").unwrap_or(&Value::Null);
            let found = items(request, "found").first().map(|found| word(found, "rule")).unwrap_or_default();
            let model = if request.get("model").is_some() { word(request, "model") } else { word(request, "route") };
            let at = word(request, "at");
            let whom = match who {
                Value::Null => "nobody known".to_owned(),
                who => format!("{}/{}", word(who, "tenant"), word(who, "subject")),
            };
            let outcome = format!("{} {}", word(request, "outcome"), word(request, "code"));
            let took = request.get("took_ms").and_then(Value::as_f64).unwrap_or_default();
            lines.push(row([at.get(11..19).unwrap_or(&at), &outcome, &whom, &model, &found, &format!("{took:.0}")]));
        }
        let alerts = items(&self.alerts, "items");
        if !alerts.is_empty() {
            lines.push(String::new());
        }
        for alert in alerts.iter().take(5) {
            let (pattern, of, risk) = (word(alert, "pattern"), word(alert, "of"), word(alert, "risk"));
            lines.push(format!("ALERT {pattern}: {of}, risk {risk}, at {}", word(alert, "at")));
        }
        lines
    }
}

fn items<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn word(of: &Value, name: &str) -> String {
    match of.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

/// A line of the table; what is too long is cut, so that what strangers wrote moves nothing.
fn row(cells: [&str; 6]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.into_iter().zip([8, 17, 26, 22, 26, 7]) {
        let cut: String = cell.chars().take(width).map(|c| if c.is_control() { '?' } else { c }).collect();
        line.push_str(&format!("{cut:width$}  "));
    }
    line.truncate(line.trim_end().len());
    line
}

/// Amounts as bars of eight heights.
fn bars(amounts: &[u64]) -> String {
    let most = amounts.iter().max().copied().unwrap_or_default().max(1);
    let bar = |amount: &u64| match amount {
        0 => ' ',
        amount => {
            usize::try_from(amount.saturating_mul(7) / most).ok().and_then(|at| BARS.get(at)).copied().unwrap_or('#')
        }
    };
    amounts.iter().map(bar).collect()
}

const BARS: [char; 8] =
    ['\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_says_what_was_asked_and_nothing_moves_its_columns() {
        let request = json!({
            "at": "2026-11-23T04:05:06.789Z", "took_ms": 12.4, "outcome": "refused", "code": "CS0501", "route": "chat",
            "model": "a very long model's name\n\u{1b}[2J and more of it", "who": {"tenant": "acme", "subject": "u-1"},
            "found": [{"rule": "grammar/override"}]
        });
        let seen = Seen {
            status: json!({"node": "n", "version": "1", "recording": true, "records": 7, "in_flight": 0}),
            rates: json!({"spans": [{"asked": 0, "refused": 0, "found": 0}, {"asked": 7, "refused": 1, "found": 2}]}),
            requests: json!({"items": [request, {"outcome": "refused"}]}),
            alerts: json!({"items": [{"pattern": "canary-tripped", "of": "role:x", "risk": 90, "at": "now"}]}),
        };
        let picture = seen.picture();
        assert_eq!(picture[0], "countersign 1 on n   recording yes   7 records signed   0 in flight");
        assert_eq!(picture[1], "the last five minutes: 7 asked, 1 refused, 2 with findings");
        assert_eq!(picture[2], "asked    \u{2588}");
        let cut = "04:05:06  refused CS0501     acme/u-1                    a very long model's na  grammar/override            12";
        assert_eq!(picture[6], cut);
        assert!(picture[7].contains("nobody known"));
        assert_eq!(picture.last().unwrap(), "ALERT canary-tripped: role:x, risk 90, at now");
    }
}
