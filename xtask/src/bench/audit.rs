//! `cargo xtask bench audit`: how fast records become durable, signed and provable, side by side with SQLite, and where the time goes;
//! `cargo xtask bench edits`: whether random edits of a log are all found and located.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::shell::{self, cargo, say, target};

/// Each subject under each load for so many seconds.
pub(crate) fn audit(seconds: u64) -> anyhow::Result<()> {
    let mut command =
        cargo(["run", "--quiet", "--release", "--package", "countersign-audit", "--example", "audit_speed", "--"]);
    let told = shell::output(command.arg(target().join("audit")).arg(seconds.to_string()))?;
    let lines: Vec<Value> =
        told.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("the example said no JSON")?;
    ensure!(!lines.is_empty(), "nothing was measured");
    say(
        "| subject | producers | prompt, bytes | records a second | p50 / p99 wait, ms | CPU us a record | bytes written a record |",
    );
    say("| --- | --- | --- | --- | --- | --- | --- |");
    for line in &lines {
        say(&format!(
            "| {} | {} | {} | {:.0} | {:.1} / {:.1} | {:.1} | {:.0} |",
            line["subject"].as_str().unwrap_or_default(),
            line["producers"],
            line["body_bytes"],
            number(&line["records_a_second"]),
            number(&line["wait_us"]["p50"]) / 1e3,
            number(&line["wait_us"]["p99"]) / 1e3,
            number(&line["cpu_us_a_record"]),
            number(&line["written_bytes_a_record"]),
        ));
    }
    say(
        "\nWhere the log's time goes: CPU us a record by thread, in its own code + in the kernel; time on the clock of what the disk is asked\n",
    );
    for line in lines.iter().filter(|line| line["more"]["asked_of_the_disk"].is_object()) {
        let records = number(&line["records"]).max(1.0);
        let more = &line["more"];
        let threads = line["threads_us_a_record"].as_object().into_iter().flatten();
        let threads = threads.map(|(name, own)| format!("{name} {:.1} + {:.1}", number(&own[0]), number(&own[1])));
        let asked = more["asked_of_the_disk"].as_object().into_iter().flatten().map(|(what, kind)| {
            let (times, micros) = (number(&kind["times"]), number(&kind["us"]));
            format!("{what} {times:.0}, {:.0} us each, {:.2} us a record", micros / times.max(1.0), micros / records)
        });
        say(&format!("- {} producers, {} bytes", line["producers"], line["body_bytes"]));
        say(&format!("  - {}", threads.collect::<Vec<_>>().join(", ")));
        say(&format!("  - {}", asked.collect::<Vec<_>>().join("; ")));
        say(&format!(
            "  - all {records:.0} signed and cosigned after {:.2} s of {:.2}; the whole log verified at {:.0} MB of journal a second of one core, with every text opened at {:.0}",
            number(&more["provable_seconds"]),
            number(&line["seconds"]),
            number(&more["verified_mb_a_core_second"]),
            number(&more["verified_and_opened_mb_a_core_second"]),
        ));
    }
    Ok(())
}

/// Makes so many edits of a log, one after another, and verifies it after each.
pub(crate) fn edits(edits: u64) -> anyhow::Result<()> {
    let mut command = cargo(["test", "--release", "--package", "countersign-audit", "--lib", "--"]);
    command.args(["--exact", "tests::edits::every_random_edit_is_found_and_located", "--nocapture"]);
    shell::run(command.env("COUNTERSIGN_EDITS", edits.to_string()))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
