use countersign_policy::Rules;

use super::*;
use crate::support::{CANARY, World};

const MODELS: [&str; 2] = ["openai", "anthropic"];

/// The rule that a deployment's self-test puts first; `weak` leaves something out.
fn canary(action: Action, weak: impl FnOnce(&mut ActionRule)) -> Rules {
    let mut rule = rule(action);
    weak(&mut rule);
    let allow = ActionRule { action: Action::Allow, side: None, channel: None, ..rule.clone() };
    Rules { actions: vec![rule, allow] }
}

async fn proved(build: &Build<'_>) -> Report {
    let models: Vec<Arc<str>> = MODELS.iter().map(|m| (*m).into()).collect();
    let kit = Kit { canary: CANARY, key: &World::new().key, models: &models, build };
    prove(&kit).await.unwrap()
}

fn build(
    rules: impl Fn(Action) -> Rules + Sync,
) -> impl Fn(Action, Arc<dyn Dial>) -> Result<Arc<Gateway>, String> + Sync {
    move |action, dial| Ok(World::with(rules(action), Some(dial)).gateway)
}

#[tokio::test]
async fn what_is_enforced_passes_in_every_format_and_translation() {
    let report = proved(&build(|action| canary(action, |_| {}))).await;
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    // Chat, responses, messages on both models, the rest where it is served; whole and streaming, three actions.
    assert!(report.enforced > 300, "{}", report.enforced);
}

#[tokio::test]
async fn what_is_not_enforced_is_found_and_named() {
    // Allowed everywhere: every case but the clean ones fails.
    let report = proved(&build(|_| canary(Action::Allow, |_| {}))).await;
    assert!(report.failed.iter().all(|(case, _)| case.place != Place::Nowhere));
    assert!(report.failed.len() > report.enforced);
    // One channel or side left out: its cases fail, and no others.
    let report = proved(&build(|action| canary(action, |r| r.side = Some(countersign_core::Side::Answer)))).await;
    assert!(!report.failed.is_empty());
    assert!(report.failed.iter().all(|(case, _)| matches!(case.place, Place::Prompt(_))), "{:?}", report.failed);
    let report = proved(&build(|action| canary(action, |r| r.side = Some(countersign_core::Side::Prompt)))).await;
    assert!(!report.failed.is_empty());
    assert!(report.failed.iter().all(|(case, _)| matches!(case.place, Place::Answer(_))), "{:?}", report.failed);
    // Refused where it was to be cut, and masked where it was to be refused.
    let report = proved(&build(|_| canary(Action::Refuse, |_| {}))).await;
    assert!(report.failed.iter().all(|(case, _)| case.action != Action::Refuse && case.place != Place::Nowhere));
    assert!(report.failed.iter().any(|(case, _)| case.action == Action::Cut));
}

#[test]
fn a_delta_of_the_canary_is_a_leak() {
    let case = |stream| Case {
        model: "m".into(),
        format: Format::Chat,
        stream,
        place: Place::Answer(Channel::Assistant),
        action: Action::Mask,
    };
    let pieces: Vec<String> = actor::pieces(CANARY).collect();
    assert_eq!((pieces.len(), pieces.concat().as_str()), (6, CANARY));
    for stream in [false, true] {
        assert!(reaches(&case(stream), format!("one piece: {}", pieces[3]).as_bytes(), CANARY));
        assert!(!reaches(&case(stream), b"all is well", CANARY));
    }
}

#[tokio::test]
async fn a_canary_that_proves_nothing_is_refused() {
    // Long enough for one piece of four digits to be found by chance, and long enough but not ASCII.
    for canary in ["", "short", "canary-6b2f0c9d4e1a7385d0f1b29c8e4a7f36", &CANARY.replace("24", "\u{e9}")] {
        let kit = Kit { canary, key: "", models: &[], build: &|_, _| Err("not built".into()) };
        assert!(prove(&kit).await.is_err(), "{canary}");
    }
}
