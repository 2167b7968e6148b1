//! How much is used, with noise that hides each caller, and what each reader has been told.

use std::time::Duration;

use countersign_audit::{record::Record, since};
use countersign_core::{Code, Refusal, Timestamp, calendar::Civil};
use countersign_policy::Administer;
use countersign_statistics::{Census, Ended, Epsilon, MOST};
use countersign_store::Released;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Admin, Ask, Gives, Param, Permit, Reply, Route,
    ask::{malformed, unkept},
    reply::JSON,
    schema,
};
use crate::clock;

pub(crate) const ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/admin/v1/statistics",
    permit: Permit::Action(Administer::ReadStatistics),
    name: "readStatistics",
    what: "How many requests this node had on a day, by model, with noise that hides each caller. What a reader is told in 30 days is bounded.",
    query: &[Param { name: "day", what: "A day that is over, in UTC, as in 2026-11-22.", form: schema::<String> }],
    takes: None,
    gives: &[Gives { status: 200, what: "The counts.", body: Some((JSON, schema::<Told>)) }],
    run: |ask| Box::pin(statistics(ask)),
}];

/// The counts of a day.
#[derive(JsonSchema, Serialize)]
struct Told {
    /// The day, in UTC.
    day: String,
    /// The node whose requests were counted.
    node: String,
    /// How much all counts together tell of one caller's day, at most: ε of differential privacy.
    epsilon: f64,
    /// So many requests of a caller are counted.
    at_most_of_each: u32,
    /// 19 of 20 counts are no further than this from what was counted.
    within: u64,
    /// The counts. One may be below nought: its noise was larger.
    counts: Vec<Count>,
    /// What the reader has been told in 30 days, and may be.
    reader: Reader,
}

/// One count.
#[derive(Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
struct Count {
    /// The model.
    model: String,
    /// What became of the requests: `passed` or `refused`.
    ended: String,
    /// How many they were, with noise.
    requests: i64,
}

/// What a reader was told.
#[derive(JsonSchema, Serialize)]
struct Reader {
    /// ε of all days they were told in 30 days.
    told: f64,
    /// How much that may come to.
    most: f64,
}

async fn statistics(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let asked = ask.parameter("day").ok_or_else(|| malformed("which `day`?"))?;
    let begins = day(asked).ok_or_else(|| malformed("`day` is no day such as 2026-11-22"))?;
    let (ends, admin) = (begins.plus(DAY), ask.admin);
    if ends.plus(SLACK) > ask.now() {
        return Err(malformed("the day is not over: it can be told ten minutes after midnight UTC"));
    }
    let number = u32::try_from(begins.seconds() / DAY.as_secs()).map_err(|_| malformed("`day` is too far away"))?;
    let (store, node) = (admin.state.store(), admin.state.node());
    if store.released(number, node).await.map_err(unkept)?.is_none() {
        let released = release(admin, begins, ends, number).await?;
        store.keep_released(&released).await.map_err(unkept)?;
    }
    // Of two who ask at once, both are told what was kept first.
    let kept = store.released(number, node).await.map_err(unkept)?;
    let kept = kept.ok_or_else(|| Refusal::new(Code::StoreFailed, "what was just kept is not there"))?;
    let damaged = || Refusal::new(Code::StoreFailed, "statistics that were kept cannot be read");
    let counts = serde_json::from_str(&kept.counts).map_err(|_| damaged())?;
    let epsilon = Epsilon::of(kept.epsilon).ok_or_else(damaged)?;
    let (reader, most) = (ask.by()?, admin.statistics.reader);
    let from = Timestamp(ask.now().0.saturating_sub(WINDOW.as_micros() as u64));
    let told = store.note_reading(&reader, &kept, ask.now(), from, most).await.map_err(unkept)?;
    let told = told.ok_or_else(|| Refusal::new(Code::BudgetSpent, "the reader was told enough for 30 days"))?;
    let number = |thousandths| f64::from(thousandths) / 1000.0;
    Reply::json(
        200,
        &Told {
            day: asked.to_owned(),
            node: kept.node,
            epsilon: number(kept.epsilon),
            at_most_of_each: MOST,
            within: epsilon.within(),
            counts,
            reader: Reader { told: number(told), most: number(most) },
        },
    )
}

/// Counts a day from the audit log, and puts the noise to it. Nothing without noise leaves here.
async fn release(admin: &Admin, begins: Timestamp, ends: Timestamp, day: u32) -> Result<Released, Refusal> {
    let (dir, models, epsilon) = (admin.audit.dir().clone(), admin.models.clone(), admin.statistics.epsilon);
    let counted = tokio::task::spawn_blocking(move || {
        let mut census = Census::new(models);
        for shown in since(&*dir, begins.0)? {
            // What is damaged cannot be counted; verification is what tells of it.
            let Ok(shown) = shown else { continue };
            let (at, who, call, ended) = match &shown.record {
                Record::Intent(intent) => (intent.at, Some(&intent.who), Some(&intent.call), Ended::Passed),
                Record::Refused(refused) => (refused.at, refused.who.as_ref(), refused.call.as_ref(), Ended::Refused),
                other if other.at() > ends.plus(SLACK).0 => break,
                _ => continue,
            };
            if at > ends.plus(SLACK).0 {
                break;
            }
            if let (Some(who), Some(call), true) = (who, call, (begins.0..ends.0).contains(&at)) {
                census.count(&who.tenant, &who.subject, &call.model, ended);
            }
        }
        Ok::<_, countersign_audit::AuditError>(census)
    });
    let census = counted.await.ok().and_then(Result::ok);
    let census = census.ok_or_else(|| Refusal::new(Code::Internal, "the audit log could not be counted"))?;
    let counts = census.release(epsilon, || u64::from_be_bytes(clock::random())).into_iter();
    let counts: Vec<_> = counts
        .map(|(model, ended, requests)| Count { model: model.to_string(), ended: ended.as_str().to_owned(), requests })
        .collect();
    let counts = serde_json::to_string(&counts).map_err(|_| Refusal::new(Code::Internal, "counts that are no JSON"))?;
    Ok(Released { day, node: admin.state.node().to_owned(), epsilon: epsilon.thousandths(), counts })
}

/// The first moment of a day in UTC.
fn day(text: &str) -> Option<Timestamp> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, of_month) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&of_month) {
        return None;
    }
    let day = Civil::month(year, month).plus(DAY * u32::try_from(of_month - 1).ok()?);
    // The 31st of a shorter month is another day, and so is one that is written in another way.
    Civil::of(day).to_string().starts_with(&format!("{text}T")).then_some(day)
}

const DAY: Duration = Duration::from_secs(86_400);
/// Requests of a day are on record this long after it at the latest.
const SLACK: Duration = Duration::from_secs(600);
/// What a reader was told counts for so long.
const WINDOW: Duration = Duration::from_secs(30 * 86_400);

#[cfg(test)]
mod tests;
