use std::num::NonZeroU32;

use countersign_core::{Board, Claims, Groups, Lease, Target, principal::Method};

use super::*;
use crate::policy::tests::{call, principal};

const SECOND: u64 = 1_000_000;

/// A clerk under a board, who logged in at the second `login` where there is any, and the board.
fn clerk(login: Option<u64>, acr: &str) -> (Principal, Arc<Board>) {
    let board = Arc::<Board>::default();
    let covering: Box<[Target]> = [Target::Principal("bank".into(), "alice".into())].into();
    let lease = Arc::new(Lease::new(None).under(board.clone(), covering, Timestamp(0)));
    let claims = login.map(|login| {
        Arc::new(Claims {
            issuer: "okta".into(),
            subject: "alice".into(),
            client: None,
            scopes: Vec::new(),
            roles: Vec::new(),
            groups: Groups::Listed(Vec::new()),
            acr: Some(acr.into()),
            amr: Vec::new(),
            auth_time: Some(Timestamp(login * SECOND)),
            id: None,
            session: None,
            confirmation: None,
            acts: Vec::new(),
            issued: Timestamp(login * SECOND),
            expires: Timestamp::MAX,
            extra: Vec::new(),
        })
    });
    let who = (*principal("bank", "alice", &["clerk"])).clone();
    (Principal { lease, claims, method: Method::AccessToken, ..who }, board)
}

fn lay(board: &Board, measure: Measure) {
    let laid = Restraint { case: "qua_1".into(), measure, since: Timestamp(100 * SECOND) };
    board.restrain(Target::Principal("bank".into(), "alice".into()), laid);
}

const NOW: Timestamp = Timestamp(130 * SECOND);

#[test]
fn whoever_is_in_quarantine_gets_no_share() {
    let (who, board) = clerk(None, "");
    assert_eq!(rate(&who, Rate::default(), NOW).unwrap(), Rate::default());
    lay(&board, Measure::Quarantine);
    let refused = rate(&who, Rate::default(), NOW).unwrap_err();
    assert_eq!((refused.code, refused.case.as_deref()), (Code::Quarantined, Some("qua_1")));
    board.replace_restraints([]);
    assert!(rate(&who, Rate::default(), NOW).is_ok());
}

#[test]
fn a_throttle_lowers_a_rate_and_never_raises_one() {
    let (who, board) = clerk(None, "");
    lay(&board, Measure::Throttle(NonZeroU32::new(30).unwrap()));
    let of = |per_minute, burst| rate(&who, Rate { per_minute, burst, concurrent: Some(4) }, NOW).unwrap();
    let is = |minute, burst| Rate { per_minute: Some(minute), burst: Some(burst), concurrent: Some(4) };
    assert_eq!(of(None, None), is(30, 30), "a rate where there was none");
    assert_eq!(of(Some(600), Some(60)), is(30, 30));
    assert_eq!(of(Some(600), Some(5)), is(30, 5));
    assert_eq!(of(Some(10), None), is(10, 10));
    assert_eq!(of(Some(0), None), is(0, 0), "whoever may ask nothing still may not");
    lay(&board, Measure::Throttle(NonZeroU32::new(6).unwrap()));
    assert_eq!(of(Some(600), None), is(6, 6), "the strictest counts");
}

#[test]
fn whoever_is_held_to_reading_calls_no_tool_and_changes_nothing() {
    let (who, board) = clerk(None, "");
    lay(&board, Measure::ReadOnly);
    lay(&board, Measure::Observe);
    assert!(from(&who, &call("m"), NOW).is_ok());
    let acting = [Call { tools: vec!["pay".into()], ..call("m") }, Call { attachments: 1, ..call("m") }];
    for call in acting {
        let refused = from(&who, &call, NOW).unwrap_err();
        assert_eq!((refused.code, refused.case.as_deref()), (Code::ReadOnly, Some("qua_1")));
    }
    assert!(from_deed(&who, Administer::ListKeys, NOW).is_ok());
    for deed in Administer::ALL.iter().filter(|deed| !deed.reads()) {
        assert_eq!(from_deed(&who, *deed, NOW).unwrap_err().code, Code::ReadOnly, "{}", deed.as_str());
    }
}

#[test]
fn a_step_up_is_satisfied_by_a_login_after_it_and_by_nothing_else() {
    let mfa = || Some(Arc::new("acr=mfa phr".parse().unwrap()));
    let cases = [
        (Some(99), "mfa", mfa(), false),
        (Some(100), "mfa", mfa(), true),
        (Some(101), "phr", mfa(), true),
        (Some(101), "pwd", mfa(), false),
        (Some(101), "pwd", None, true),
        (Some(99), "pwd", None, false),
        (None, "", None, false),
    ];
    for (login, acr, asked, enough) in cases {
        let (who, board) = clerk(login, acr);
        lay(&board, Measure::StepUp(asked));
        for held in [from(&who, &call("m"), NOW), from_deed(&who, Administer::ListKeys, NOW)] {
            assert_eq!(held.is_ok(), enough, "{login:?} {acr}");
            if let Err(refused) = held {
                assert_eq!((refused.code, refused.step_up.unwrap().max_age()), (Code::StepUpNeeded, Some(30)));
            }
        }
    }
}
