//! Verifies the audit log where it lies.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use countersign_core::{Code, Refusal};
use countersign_policy::Administer;
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Ask, Gives, Permit, Reply, Route, reply::JSON, schema};
use crate::cmd::audit;

pub(crate) const ROUTES: &[Route] = &[Route {
    method: Method::POST,
    path: "/admin/v1/audit/verify",
    permit: Permit::Action(Administer::ReadAudit),
    name: "verifyAudit",
    what: "Verify this node's audit log: every record, its texts, the tree and the signed checkpoint. One at a time.",
    query: &[],
    takes: None,
    gives: &[Gives { status: 200, what: "What was found.", body: Some((JSON, schema::<Verified>)) }],
    run: |ask| Box::pin(verify(ask)),
}];

/// What verification found.
#[derive(JsonSchema, Serialize)]
struct Verified {
    /// Whether nothing is wrong.
    whole: bool,
    /// Records that hold.
    held: u64,
    /// Records under the signed checkpoint.
    signed: u64,
    /// Texts of somebody who was forgotten.
    forgotten: u64,
    /// How much is wrong.
    damages: u64,
    /// What is wrong: the first 100.
    damage: Vec<Damage>,
    /// How long it took, in milliseconds.
    took_ms: u64,
}

/// One thing that is wrong.
#[derive(JsonSchema, Serialize)]
struct Damage {
    /// The first record concerned, where it can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<u64>,
    /// What is wrong.
    what: String,
    /// The file.
    file: String,
}

async fn verify(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    // Each reads the whole log and the disk serves requests as well.
    if BUSY.swap(true, Ordering::AcqRel) {
        return Err(Refusal::new(Code::Conflict, "the log is being verified already"));
    }
    let (state, begun) = (ask.admin.state.clone(), Instant::now());
    let done = tokio::task::spawn_blocking(move || {
        let report = audit::verify_own(&state, None, None);
        BUSY.store(false, Ordering::Release);
        report
    });
    let report = done.await.unwrap_or_else(|_| {
        BUSY.store(false, Ordering::Release);
        Err(anyhow::anyhow!("verifying panicked"))
    });
    let report = report.map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "the audit log cannot be verified");
        Refusal::new(Code::Internal, "the audit log cannot be verified")
    })?;
    let whole = report.is_whole();
    let damage = report.damage.iter().take(SHOWN).cloned();
    Reply::json(
        200,
        &Verified {
            whole,
            held: report.held,
            signed: report.checkpoint.map_or(0, |checkpoint| checkpoint.size),
            forgotten: report.forgotten,
            damages: report.damage.count(),
            damage: damage.map(|one| Damage { record: one.record, what: one.what, file: one.file }).collect(),
            took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        },
    )
}

static BUSY: AtomicBool = AtomicBool::new(false);
const SHOWN: usize = 100;

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::Value;

    use crate::admin::tests::World;

    #[tokio::test]
    async fn the_log_is_verified_where_it_lies() {
        let world = World::new("").await;
        let (status, report) = world.post("/admin/v1/audit/verify", Value::Null).await;
        assert_eq!(
            (status, &report["whole"], &report["damages"]),
            (StatusCode::OK, &true.into(), &0.into()),
            "{report}"
        );
    }
}
