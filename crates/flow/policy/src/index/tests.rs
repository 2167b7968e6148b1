use std::str::FromStr;

use cedar_policy::{Context, Decision};
use proptest::{prelude::*, sample::select};

use super::*;

mod vectors;

/// Asserts that the index says of `request` what asking every policy says, errors included.
fn agree(policies: &PolicySet, index: &Index, request: &Request, entities: &Entities) {
    let whole = Authorizer::new().is_authorized(request, policies, entities);
    let heard = index.ask(request, entities);
    let permitted = heard.forbids.is_empty() && !heard.permits.is_empty();
    assert_eq!(permitted, whole.decision() == Decision::Allow, "{request:?}\n{policies}");
    let reasons = if heard.forbids.is_empty() { &heard.permits } else { &heard.forbids };
    assert_eq!(*reasons, whole.diagnostics().reason().cloned().collect(), "{request:?}\n{policies}");
    let failed = whole.diagnostics().errors().map(|error| {
        let AuthorizationError::PolicyEvaluationError(error) = error;
        error.policy_id().clone()
    });
    let heard_to_fail = &heard.failed_permits | &heard.failed_forbids;
    assert_eq!(heard_to_fail, failed.collect(), "{request:?}\n{policies}");
}

const PRINCIPALS: [&str; 6] = ["P::\"0\"", "P::\"1\"", "Q::\"0\"", "Q::\"1\"", "G::\"0\"", "P::\"unknown\""];
const RESOURCES: [&str; 6] = ["R::\"0\"", "R::\"1\"", "S::\"0\"", "P::\"0\"", "G::\"1\"", "R::\"unknown\""];
const ACTIONS: [&str; 4] = ["Action::\"0\"", "Action::\"1\"", "Action::\"group\"", "Action::\"unknown\""];
const GROUPS: [&str; 4] = ["G::\"0\"", "G::\"1\"", "G::\"2\"", "G::\"3\""];
const TYPES: [&str; 5] = ["P", "Q", "R", "S", "G"];
const CONTEXTS: [&str; 3] = [r#"{"n": 0, "yes": true}"#, r#"{"n": 1, "yes": false}"#, r#"{"yes": true}"#];

/// One head, about a principal or a resource.
fn head(of: &'static str, single: &'static [&'static str]) -> impl Strategy<Value = String> {
    let (group, kind) = (select(GROUPS.to_vec()), select(TYPES.to_vec()));
    prop_oneof![
        Just(String::from(of)),
        select(single).prop_map(move |entity| format!("{of} == {entity}")),
        select(single).prop_map(move |entity| format!("{of} in {entity}")),
        group.clone().prop_map(move |group| format!("{of} in {group}")),
        kind.clone().prop_map(move |kind| format!("{of} is {kind}")),
        (kind, group).prop_map(move |(kind, group)| format!("{of} is {kind} in {group}")),
    ]
}

/// A policy that may hold, not hold, or fail.
fn policy() -> impl Strategy<Value = String> {
    let action = prop_oneof![
        Just(String::from("action")),
        select(&ACTIONS[..]).prop_map(|action| format!("action == {action}")),
        select(&ACTIONS[..]).prop_map(|action| format!("action in {action}")),
        proptest::collection::vec(select(&ACTIONS[..]), 0..3).prop_map(|all| format!("action in [{}]", all.join(", "))),
    ];
    let condition = select(vec![
        "",
        "when { context.yes }",
        "unless { context.yes }",
        "when { context.n + 9223372036854775807 > 0 }",
        "when { context has n && context.n == 1 }",
        "when { principal in G::\"2\" }",
        "unless { resource in G::\"3\" || resource == R::\"1\" }",
        "when { principal.absent }",
        "when { 1 == true || \"a\" < 2 }",
    ]);
    let effect = select(vec!["permit", "forbid"]);
    (effect, head("principal", &PRINCIPALS), action, head("resource", &RESOURCES), condition)
        .prop_map(|(effect, p, a, r, condition)| format!("{effect}({p}, {a}, {r}) {condition};\n"))
}

/// Entities with parents: whom each bit of `memberships` puts into which group. Groups are in groups of a higher number.
fn world(memberships: u64) -> Entities {
    let mut bits = (0..64).map(|bit| memberships >> bit & 1 == 1);
    let mut entities = Vec::new();
    let known = ["P::\"0\"", "P::\"1\"", "Q::\"0\"", "Q::\"1\"", "R::\"0\"", "R::\"1\"", "S::\"0\""];
    let mut add = |entity: &str, groups: &[&str]| {
        let parents = groups.iter().filter(|_| bits.next().unwrap_or_default()).map(|group| uid(group)).collect();
        entities.push(cedar_policy::Entity::new_no_attrs(uid(entity), parents));
    };
    for entity in known {
        add(entity, &GROUPS);
    }
    for (i, group) in GROUPS.iter().enumerate() {
        add(group, &GROUPS[i + 1..]);
    }
    for action in &ACTIONS[..2] {
        add(action, &ACTIONS[2..3]);
    }
    Entities::from_entities(entities, None).unwrap()
}

fn uid(text: &str) -> EntityUid {
    EntityUid::from_str(text).unwrap()
}

proptest! {
    /// 256 worlds with up to 40 policies each, and all 432 questions that can be put in each: 110,592 in all.
    #[test]
    fn the_index_says_what_asking_every_policy_says(
        policies in proptest::collection::vec(policy(), 1..40),
        memberships in any::<u64>(),
    ) {
        let (policies, entities) = (PolicySet::from_str(&policies.concat()).unwrap(), world(memberships));
        let index = Index::of(policies.policies()).unwrap();
        for principal in PRINCIPALS {
            for action in ACTIONS {
                for resource in RESOURCES {
                    for context in CONTEXTS {
                        let context = Context::from_json_str(context, None).unwrap();
                        let request = Request::new(uid(principal), uid(action), uid(resource), context, None).unwrap();
                        agree(&policies, &index, &request, &entities);
                    }
                }
            }
        }
    }
}

#[test]
fn what_cannot_apply_is_not_asked() {
    let text: String = (0..1_000)
        .map(|i| format!("permit(principal in G::\"{i}\", action == Action::\"0\", resource == R::\"{}\") when {{ principal.absent }};", i % 2))
        .collect();
    let (policies, entities) = (PolicySet::from_str(&text).unwrap(), world(u64::MAX));
    let request = Request::new(uid("P::\"0\""), uid("Action::\"0\""), uid("R::\"0\""), Context::empty(), None).unwrap();
    // Each that is asked fails: those for a group the principal is in, about this resource.
    let heard = Index::of(policies.policies()).unwrap().ask(&request, &entities);
    assert_eq!(heard.failed_permits.len(), 2);
}
