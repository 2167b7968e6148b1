use countersign_core::{Lease, access::PATIENCE, principal::Method};

use super::*;

const NOW: Timestamp = Timestamp(1_900_000_000_000_000);
const HOUR: Duration = Duration::from_hours(1);

fn access() -> Access {
    Access {
        name: "incident".into(),
        roles: vec!["responder".into()],
        things: vec!["model:large".into(), "tool:sql-*".into()],
        longest: HOUR * 4,
        approvals: 2,
        approvers: vec!["lead".into()],
        glass: vec!["on-call".into()],
    }
}

fn being(subject: &str, kind: PrincipalKind, roles: &[&str]) -> Principal {
    Principal {
        tenant: "bank".into(),
        subject: subject.into(),
        kind,
        roles: roles.iter().map(|role| Arc::from(*role)).collect(),
        scopes: [].into(),
        credential: format!("key_{subject}").into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(Lease::new(None)),
    }
}

fn person(subject: &str, roles: &[&str]) -> Principal {
    being(subject, PrincipalKind::Person, roles)
}

fn wish() -> Wish {
    Wish { holder: None, actor: None, things: vec!["model:large".into()], purpose: "why".into(), span: HOUR }
}

fn asked() -> Case {
    access().ask("acc_1".into(), &person("ann", &["lead"]), wish(), NOW).unwrap()
}

fn decide(case: &mut Case, who: &Principal, yes: bool) -> Result<(), Fault> {
    access().decide(case, who, yes, String::new(), NOW)
}

#[test]
fn two_others_grant_and_the_clock_ends() {
    let mut case = asked();
    decide(&mut case, &person("bob", &["lead"]), true).unwrap();
    assert_eq!((case.stand(NOW), &case.grant), (Stand::Pending, &None));
    assert_eq!(decide(&mut case, &person("bob", &["lead"]), true), Err(Fault::Twice));
    decide(&mut case, &person("eve", &["lead"]), true).unwrap();
    let grant = case.grant.clone().unwrap();
    assert_eq!((grant.begins, grant.ends, &*grant.roles[0]), (NOW, NOW.plus(HOUR), "responder"));
    assert_eq!(case.stand(NOW), Stand::Granted);
    assert_eq!(case.stand(Timestamp(NOW.plus(HOUR).0 - 1)), Stand::Granted);
    assert_eq!(case.stand(NOW.plus(HOUR)), Stand::Over);
    // A clock set back opens nothing early.
    assert_eq!(case.stand(Timestamp(NOW.0 - 1)), Stand::Over);
    let late = decide(&mut case, &person("joe", &["lead"]), false);
    assert_eq!(late, Err(Fault::Stands(Stand::Granted)), "a closed question stays closed");
}

#[test]
fn nobody_decides_about_their_own() {
    // Ann asked, holds, and has the role of an approver.
    let mut case = asked();
    assert_eq!(decide(&mut case, &person("ann", &["lead"]), true), Err(Fault::Oneself));
    // Nor does she by another credential of the same being.
    let other = Principal { credential: "token:x".into(), method: Method::AccessToken, ..person("ann", &["lead"]) };
    assert_eq!(decide(&mut case, &other, true), Err(Fault::Oneself));

    // Who acts for the holder has a part in it too, and so has the holder whom an agent asks for.
    let robot = being("robot", PrincipalKind::Agent, &["lead"]);
    let ann = Being::from(&person("ann", &[]));
    let wish = Wish { holder: Some((ann, PrincipalKind::Person)), actor: Some((&robot).into()), ..wish() };
    let mut case = access().ask("acc_2".into(), &robot, wish, NOW).unwrap();
    assert_eq!(decide(&mut case, &robot, true), Err(Fault::NoPerson));
    assert_eq!(decide(&mut case, &person("robot", &["lead"]), true), Err(Fault::Oneself));
    assert_eq!(decide(&mut case, &person("ann", &["lead"]), true), Err(Fault::Oneself));
    assert!(case.decisions.is_empty());
}

#[test]
fn only_people_with_the_role_in_the_tenant_decide() {
    let mut case = asked();
    assert_eq!(decide(&mut case, &person("bob", &["clerk"]), true), Err(Fault::NoApprover));
    let stranger = Principal { tenant: "shop".into(), ..person("bob", &["lead"]) };
    assert_eq!(decide(&mut case, &stranger, true), Err(Fault::NoApprover));
    for kind in [PrincipalKind::Agent, PrincipalKind::Service] {
        assert_eq!(decide(&mut case, &being("bob", kind, &["lead"]), true), Err(Fault::NoPerson));
    }
    let session = countersign_core::access::Session {
        id: "ses_1".into(),
        case: "acc_0".into(),
        access: "other".into(),
        things: vec![],
        purpose: "".into(),
        glass: false,
        acts: vec![],
        bound: countersign_core::Confirmation::Key([0; 32]),
    };
    let borrowed = Principal { session: Some(Arc::new(session)), ..person("bob", &["lead"]) };
    assert_eq!(decide(&mut case, &borrowed, true), Err(Fault::NoPerson), "granted roles grant nothing");
    assert_eq!(access().ask("acc_3".into(), &borrowed, wish(), NOW), Err(Fault::ForOthers), "nor ask for more");
    assert_eq!(access().decide(&mut case, &person("bob", &["lead"]), true, "x".repeat(501), NOW), Err(Fault::Note));
    assert!(case.decisions.is_empty());
}

#[test]
fn one_no_denies_for_good() {
    let mut case = asked();
    decide(&mut case, &person("bob", &["lead"]), true).unwrap();
    decide(&mut case, &person("eve", &["lead"]), false).unwrap();
    assert_eq!(case.stand(NOW), Stand::Closed(Ending::Denied));
    let again = decide(&mut case, &person("joe", &["lead"]), true);
    assert_eq!((again, case.grant), (Err(Fault::Stands(Stand::Closed(Ending::Denied))), None));
}

#[test]
fn what_nobody_decides_on_lapses() {
    let mut case = asked();
    let bob = person("bob", &["lead"]);
    let late = access().decide(&mut case, &bob, true, String::new(), NOW.plus(PATIENCE));
    assert_eq!(late, Err(Fault::Stands(Stand::Lapsed)));
    let early = access().decide(&mut case, &bob, true, String::new(), Timestamp(NOW.0 - 1));
    assert_eq!(early, Err(Fault::Stands(Stand::Pending)), "the clock was set back");
}

#[test]
fn the_stricter_of_two_configurations_counts() {
    let mut case = asked();
    let (bob, eve, joe) = (person("bob", &["lead"]), person("eve", &["lead"]), person("joe", &["lead"]));
    let stricter = Access { approvals: 3, longest: HOUR / 2, ..access() };
    let laxer = Access { approvals: 1, ..access() };
    laxer.decide(&mut case, &bob, true, String::new(), NOW).unwrap();
    stricter.decide(&mut case, &eve, true, String::new(), NOW).unwrap();
    assert_eq!(case.grant, None);
    stricter.decide(&mut case, &joe, true, String::new(), NOW).unwrap();
    assert_eq!(case.grant.unwrap().ends, NOW.plus(HOUR / 2));
}

#[test]
fn what_is_asked_for_is_bounded_and_what_the_access_is_for() {
    let ask = |wish| access().ask("acc_1".into(), &person("ann", &[]), wish, NOW).map(drop);
    let things = |things: &[&str]| Wish { things: things.iter().map(|t| Arc::from(*t)).collect(), ..wish() };
    for good in [&["model:large"][..], &["tool:sql-read", "model:large"], &["tool:sql-"]] {
        assert_eq!(ask(things(good)), Ok(()), "{good:?}");
    }
    let many: Vec<String> = (0..33).map(|n| format!("tool:sql-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for bad in [&[][..], &["model:small"], &["model:"], &["large"], &["tool:sql"], &["tool:sql-\n"], &["data:x"], &many]
    {
        assert_eq!(ask(things(bad)), Err(Fault::Things), "{bad:?}");
    }
    for span in [Duration::ZERO, Duration::from_secs(59), HOUR * 4 + Duration::from_secs(1)] {
        assert_eq!(ask(Wish { span, ..wish() }), Err(Fault::Span));
    }
    for purpose in ["", "  ", &"x".repeat(501)] {
        assert_eq!(ask(Wish { purpose: purpose.into(), ..wish() }), Err(Fault::Purpose));
    }
    let bob = Being::from(&person("bob", &[]));
    let for_bob = Wish { holder: Some((bob, PrincipalKind::Person)), ..wish() };
    assert_eq!(ask(for_bob), Err(Fault::ForOthers));
    let ann = Being::from(&person("ann", &[]));
    assert_eq!(ask(Wish { actor: Some(ann), ..wish() }), Err(Fault::ActsForSelf));
}

#[test]
fn broken_glass_is_at_once_and_has_to_be_reviewed_by_another() {
    let (ann, lead) = (person("ann", &["on-call", "lead"]), person("bob", &["lead"]));
    let take = |who: &Principal, unreviewed| access().break_glass("acc_1".into(), who, wish(), unreviewed, NOW);
    assert_eq!(take(&person("joe", &["clerk"]), 0), Err(Fault::NoGlass));
    assert_eq!(take(&being("robot", PrincipalKind::Agent, &["on-call"]), 0), Err(Fault::NoPerson));
    assert_eq!(take(&ann, 1), Err(Fault::Unreviewed));
    let mut case = take(&ann, 0).unwrap();
    assert!(case.stand(NOW) == Stand::Granted && case.unreviewed());
    let review = |case: &mut Case, who: &Principal, yes| access().review(case, who, yes, String::new(), NOW);
    assert_eq!(review(&mut case, &ann, true), Err(Fault::Oneself));
    assert_eq!(review(&mut case, &person("joe", &[]), true), Err(Fault::NoApprover));
    let mut other = case.clone();
    review(&mut case, &lead, true).unwrap();
    assert!(case.stand(NOW) == Stand::Granted && !case.unreviewed());
    assert_eq!(review(&mut case, &lead, false), Err(Fault::NoReview));
    review(&mut other, &lead, false).unwrap();
    assert_eq!(other.stand(NOW), Stand::Closed(Ending::Ended), "a no ends it");
    assert_eq!(review(&mut asked(), &lead, true), Err(Fault::NoReview));
}

#[test]
fn a_case_is_closed_once() {
    let ann = person("ann", &[]);
    let mut case = asked();
    close(&mut case, &ann, NOW).unwrap();
    assert_eq!(case.stand(NOW), Stand::Closed(Ending::Withdrawn));
    assert_eq!(close(&mut case, &ann, NOW), Err(Fault::Stands(Stand::Closed(Ending::Withdrawn))));
    let mut case = access().break_glass("acc_1".into(), &person("ann", &["on-call"]), wish(), 0, NOW).unwrap();
    let mut over = case.clone();
    close(&mut case, &ann, NOW).unwrap();
    assert_eq!(case.stand(NOW), Stand::Closed(Ending::Ended));
    assert_eq!(close(&mut over, &ann, NOW.plus(HOUR)), Err(Fault::Stands(Stand::Over)));
}
