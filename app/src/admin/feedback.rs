//! What people say of the guards' verdicts, as `countersign feedback` keeps it.

use countersign_audit::record::Members;
use countersign_core::{Code, Refusal, RequestId};
use countersign_policy::Administer;
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Ask, Gives, Permit, Reply, Route,
    ask::{malformed, nothing},
    page::{self, List},
    proofs::beside,
    reply::JSON,
    schema,
};
use crate::{cli::Verdict, cmd::feedback};

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/feedback",
        permit: Permit::Action(Administer::ReadTraffic),
        name: "listFeedback",
        what: "List what was said of the guards' verdicts on this node, newest first.",
        query: &[page::PARAMS[0]],
        takes: None,
        gives: &[Gives { status: 200, what: "What was said.", body: Some((JSON, schema::<List<feedback::Line>>)) }],
        run: |ask| Box::pin(list(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/feedback",
        permit: Permit::Action(Administer::GiveFeedback),
        name: "giveFeedback",
        what: "Say that a verdict of the guards was a false alarm, or that something was missed. Nothing is learnt from it by itself.",
        query: &[],
        takes: Some((JSON, schema::<New>)),
        gives: &[Gives { status: 204, what: "It is kept.", body: None }],
        run: |ask| Box::pin(give(ask)),
    },
];

/// What is said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// The request, `req_...`.
    request: String,
    /// What was wrong.
    verdict: Verdict,
    /// In words, for whoever tunes the guards.
    #[serde(default)]
    #[schemars(length(max = 256))]
    note: String,
}

async fn list(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let (state, limit) = (ask.admin.state.clone(), ask.page()?.limit);
    let kept = tokio::task::spawn_blocking(move || feedback::kept(&state)).await;
    let kept = kept.map_err(|_| Refusal::new(Code::Internal, "reading feedback panicked"))?.map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "feedback cannot be read");
        Refusal::new(Code::Internal, "feedback cannot be read")
    })?;
    Reply::json(200, &List { items: kept.into_iter().rev().take(limit).collect(), next: None })
}

async fn give(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let New { request, verdict, note } = ask.json()?;
    let request: RequestId = request.parse().map_err(|_| malformed("`request` is no request's id"))?;
    if note.len() > 256 || note.contains(char::is_control) {
        return Err(malformed("the note is not 256 bytes at most without control characters"));
    }
    let found = beside(ask.admin.audit.dir(), move |dir| countersign_audit::find(dir, request)).await?;
    if found.is_empty() {
        return Err(nothing());
    }
    ask.record(&request.to_string(), Members::new(), Members::from([("verdict".into(), verdict.as_str().into())]))
        .await?;
    let line = feedback::Line::of(request, &found, verdict, note);
    let state = ask.admin.state.clone();
    let kept = tokio::task::spawn_blocking(move || line.keep(&state)).await;
    match kept {
        Ok(Ok(())) => Ok(Reply::empty(204)),
        Ok(Err(error)) => {
            tracing::error!(error = format!("{error:#}"), "feedback cannot be kept");
            Err(Refusal::new(Code::Internal, "feedback cannot be kept"))
        }
        Err(_) => Err(Refusal::new(Code::Internal, "keeping feedback panicked")),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use crate::admin::tests::World;

    #[tokio::test]
    async fn feedback_is_on_record_and_kept_for_what_is_known() {
        let world = World::new("").await;
        let (_, me) = world.get("/admin/v1/status").await;
        assert!(me["records"].is_u64());
        let id = world.known_request().await;
        let said = |request: &str| json!({"request": request, "verdict": "false-alarm", "note": "a recipe"});
        assert_eq!(world.post("/admin/v1/feedback", said(&id)).await.0, StatusCode::NO_CONTENT);
        let unknown = "req_00000000000000000000000000";
        assert_eq!(world.post("/admin/v1/feedback", said(unknown)).await.0, StatusCode::NOT_FOUND);
        for bad in [
            said("x"),
            json!({"request": id, "verdict": "nice"}),
            json!({"request": id, "verdict": "missed", "note": "a\u{1b}[2J"}),
        ] {
            assert_eq!(world.post("/admin/v1/feedback", bad).await.0, StatusCode::BAD_REQUEST);
        }
        let (_, listed) = world.get("/admin/v1/feedback").await;
        assert_eq!(
            (&listed["items"][0]["request"], listed["items"].as_array().unwrap().len()),
            (&id.clone().into(), 1)
        );
        let kept = world.file("state/feedback.jsonl");
        assert!(kept.contains(&id) && kept.contains("a recipe") && kept.lines().count() == 1, "{kept}");
    }
}
