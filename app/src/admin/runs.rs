//! Runs of playbooks: what they did, what waits for people, and undoing it.

use countersign_audit::record::Members;
use countersign_core::{Code, Refusal};
use countersign_playbook::Told;
use countersign_policy::Administer;
use countersign_store::{RunRecord, Vote};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Gives, Permit, Reply, Route,
    ask::{malformed, nothing, unkept},
    because::Because,
    page::{self, List},
    reply::JSON,
    restraints::{self, Why, said},
    schema,
};
use crate::clock;

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/runs",
        permit: Permit::Action(Administer::ListRuns),
        name: "listRuns",
        what: "List runs of playbooks, newest first; those that wait for people among them.",
        query: page::PARAMS,
        takes: None,
        gives: &[Gives { status: 200, what: "A page of runs.", body: Some((JSON, schema::<List<Run>>)) }],
        run: |ask| Box::pin(list(ask)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/runs/{id}",
        permit: Permit::Action(Administer::ListRuns),
        name: "getRun",
        what: "Look at one run: its steps, who approved it, and what set it off.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "The run.", body: Some((JSON, schema::<Run>)) }],
        run: |ask| Box::pin(get(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/runs/{id}/approve",
        permit: Permit::Action(Administer::DecideRun),
        name: "approveRun",
        what: "Approve a run that waits. It goes on once as many have as it wants.",
        query: &[],
        takes: Some((JSON, schema::<Word>)),
        gives: &[Gives { status: 200, what: "The run.", body: Some((JSON, schema::<Run>)) }],
        run: |ask| Box::pin(decide(ask, true)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/runs/{id}/decline",
        permit: Permit::Action(Administer::DecideRun),
        name: "declineRun",
        what: "Decline a run that waits. It is over.",
        query: &[],
        takes: Some((JSON, schema::<Word>)),
        gives: &[Gives { status: 200, what: "The run.", body: Some((JSON, schema::<Run>)) }],
        run: |ask| Box::pin(decide(ask, false)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/runs/{id}/undo",
        permit: Permit::Action(Administer::Release),
        name: "undoRun",
        what: "Stop a run and release everybody whom it holds back. What it revoked stays revoked.",
        query: &[],
        takes: Some((JSON, schema::<Why>)),
        gives: &[Gives { status: 200, what: "The run.", body: Some((JSON, schema::<Run>)) }],
        run: |ask| Box::pin(undo(ask)),
    },
];

/// A run of a playbook.
#[derive(JsonSchema, Serialize)]
struct Run {
    /// Its id, `run_...`.
    id: String,
    /// The playbook.
    playbook: String,
    /// Whom it is about.
    target: String,
    /// What it looked like.
    pattern: String,
    /// How far it had gone, 0 to 100.
    risk: u8,
    /// When it began.
    began: String,
    /// `running`, `waiting`, `done`, `declined` or `undone`.
    standing: String,
    /// How many people have to approve it.
    wants: i64,
    /// It only says what it would do.
    dry: bool,
    /// What it did; where one run is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Step>,
    /// Who approved or declined it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    votes: Vec<Said>,
    /// The events that the alert rests on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    because: Vec<Because>,
}

/// What a step did.
#[derive(JsonSchema, Serialize)]
struct Step {
    /// Its id in the playbook.
    step: String,
    /// What it does.
    what: String,
    /// When it began.
    at: String,
    /// What came of it; empty until it is done.
    outcome: String,
}

/// Somebody's word.
#[derive(JsonSchema, Serialize)]
struct Said {
    /// Who.
    by: String,
    /// For it.
    approve: bool,
    /// When.
    at: String,
    /// What they said.
    note: String,
}

/// What somebody says of it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Word {
    /// For whoever reads the record.
    #[schemars(length(min = 1, max = 256))]
    note: String,
}

async fn list(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let page = ask.page()?;
    let limit = u32::try_from(page.limit + 1).unwrap_or(u32::MAX);
    let found = ask.admin.state.store().runs(page.after.as_deref(), limit).await.map_err(unkept)?;
    Reply::json(200, &List::of(found.iter().map(Run::of).collect(), &page, |run: &Run| &run.id))
}

async fn get(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let record = find(ask).await?;
    let store = ask.admin.state.store();
    let steps = store.steps(&record.id).await.map_err(unkept)?.into_iter().map(|step| Step {
        step: step.step,
        what: step.what,
        at: clock::rfc3339(step.at),
        outcome: step.outcome,
    });
    let votes = store.votes(&record.id).await.map_err(unkept)?.into_iter().map(|vote| Said {
        by: vote.by,
        approve: vote.approve,
        at: clock::rfc3339(vote.at),
        note: vote.note,
    });
    let because = told(&record).as_ref().map(restraints::because).unwrap_or_default();
    Reply::json(200, &Run { steps: steps.collect(), votes: votes.collect(), because, ..Run::of(&record) })
}

async fn decide(ask: &Ask<'_>, approve: bool) -> Result<Reply, Refusal> {
    let Word { note } = ask.json()?;
    said(&note).map_err(malformed)?;
    let before = find(ask).await?;
    let word = if approve { "approve" } else { "decline" };
    let after = Members::from([("word".into(), word.to_owned()), ("note".into(), note.clone())]);
    ask.record(&before.id, members(&before), after).await?;
    let vote = Vote { by: ask.by()?, approve, at: ask.now(), note };
    let after = ask.admin.state.store().vote(&before.id, &vote).await.map_err(unkept)?;
    let late = || Refusal::new(Code::Conflict, "the run does not wait, or this caller has said their word on it");
    Reply::json(200, &Run::of(&after.ok_or_else(late)?))
}

async fn undo(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let Why { reason } = ask.json()?;
    said(&reason).map_err(malformed)?;
    let (before, by) = (find(ask).await?, ask.by()?);
    let undone = Members::from([("standing".into(), "undone".to_owned()), ("reason".into(), reason.clone())]);
    ask.record(&before.id, members(&before), undone).await?;
    let store = ask.admin.state.store();
    // First it goes on no more: what it lays from now on it takes back itself.
    store.stop_run(&before.id, "undone").await.map_err(unkept)?;
    for record in store.restraints_of_run(&before.id).await.map_err(unkept)? {
        ask.admin.force.release(&record.id, &by, &reason, ask.now()).await.map_err(unkept)?;
    }
    Reply::json(200, &Run::of(&find(ask).await?))
}

async fn find(ask: &Ask<'_>) -> Result<RunRecord, Refusal> {
    ask.admin.state.store().run(ask.id()).await.map_err(unkept)?.ok_or_else(nothing)
}

fn told(of: &RunRecord) -> Option<Told> {
    serde_json::from_str(&of.alert).ok()
}

/// What the record of a change says of a run.
fn members(of: &RunRecord) -> Members {
    Members::from([
        ("playbook".into(), of.playbook.clone()),
        ("target".into(), of.target.clone()),
        ("standing".into(), of.standing.clone()),
    ])
}

impl Run {
    fn of(record: &RunRecord) -> Self {
        let told = told(record);
        Self {
            id: record.id.to_string(),
            playbook: record.playbook.clone(),
            target: record.target.clone(),
            pattern: told.as_ref().map(|told| told.pattern.clone()).unwrap_or_default(),
            risk: told.map(|told| told.risk).unwrap_or_default(),
            began: clock::rfc3339(record.began),
            standing: record.standing.clone(),
            wants: record.wants,
            dry: record.dry,
            steps: Vec::new(),
            votes: Vec::new(),
            because: Vec::new(),
        }
    }
}
