//! The policies in force: by name and place. Their text is in files, where changes to it are seen.

use countersign_core::Refusal;
use countersign_policy::{Administer, Named};
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Ask, Gives, Permit, Reply, Route,
    page::{self, List},
    reply::JSON,
    schema,
};

pub(crate) const ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/admin/v1/policies",
    permit: Permit::Action(Administer::ReadPolicy),
    name: "listPolicies",
    what: "List the policies in force on this node, in the order they stand.",
    query: page::PARAMS,
    takes: None,
    gives: &[Gives { status: 200, what: "A page of policies.", body: Some((JSON, schema::<List<Policy>>)) }],
    run: |ask| Box::pin(async move { list(ask) }),
}];

/// A policy.
#[derive(JsonSchema, Serialize)]
struct Policy {
    /// Its place, as cursors count.
    #[serde(skip)]
    place: String,
    /// Its `@id`; records and explanations name it by that.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The file it stands in.
    file: String,
    /// The line it begins on.
    line: usize,
    /// What it does where it applies.
    effect: Effect,
    /// Which authentication would keep it from forbidding.
    #[serde(skip_serializing_if = "Option::is_none")]
    step_up: Option<String>,
}

/// What a policy does where it applies.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Effect {
    /// It permits.
    Permit,
    /// It forbids, whatever permits.
    Forbid,
}

fn list(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let page = ask.page()?;
    let policies = ask.admin.policy.policy();
    // Policies have no ids that outlast a reload, so a page begins after so many.
    let done: usize = page.after.as_deref().and_then(|after| after.parse().ok()).unwrap_or_default();
    let all = policies.all();
    let rest = all.into_iter().enumerate().skip(done).take(page.limit + 1);
    let items = rest.map(|(at, named)| Policy::of(at + 1, named)).collect();
    Reply::json(200, &List::of(items, &page, |policy: &Policy| &policy.place))
}

impl Policy {
    fn of(place: usize, named: &Named) -> Self {
        Self {
            place: place.to_string(),
            id: named.id.clone(),
            file: named.file.clone(),
            line: named.line,
            effect: if named.forbids { Effect::Forbid } else { Effect::Permit },
            step_up: named.step_up.as_ref().map(ToString::to_string),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use crate::admin::tests::World;

    #[tokio::test]
    async fn policies_in_force_are_listed_page_by_page() {
        let world = World::new("").await;
        let (status, first) = world.get("/admin/v1/policies?limit=1").await;
        assert_eq!((status, &first["items"][0]["effect"]), (StatusCode::OK, &"permit".into()));
        assert_eq!(first["items"][0]["line"], 2);
        let next = first["next"].as_str().unwrap();
        let (_, second) = world.get(&format!("/admin/v1/policies?limit=1&cursor={next}")).await;
        assert_eq!((second["items"][0]["line"].as_u64(), second.get("next")), (Some(3), None));
    }
}
