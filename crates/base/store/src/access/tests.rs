use countersign_core::principal::PrincipalKind;

use super::*;
use crate::tests::both;

fn being(subject: &str) -> Being {
    Being { tenant: "bank".into(), subject: subject.into() }
}

fn case(n: u8) -> Case {
    Case {
        id: format!("acc_{n}").into(),
        access: "incident".into(),
        asker: being("ann"),
        holder: being("ann"),
        kind: PrincipalKind::Person,
        actor: Some(being("robot")),
        things: vec!["model:large".into(), "tool:sql".into()],
        purpose: "it's why; -- not SQL".into(),
        span: Duration::from_hours(1),
        asked: Timestamp(100),
        needed: 2,
        decisions: vec![],
        glass: false,
        grant: None,
        closed: None,
        review: None,
    }
}

fn granted(n: u8) -> Case {
    let word = |by, at| Decision { by: being(by), yes: true, at: Timestamp(at), note: format!("by {by}") };
    let grant = Grant { roles: vec!["z".into(), "a".into()], begins: Timestamp(102), ends: Timestamp(1_000) };
    Case { decisions: vec![word("eve", 101), word("bob", 102)], grant: Some(grant), ..case(n) }
}

fn session(n: u8, case: &Case) -> SessionRecord {
    SessionRecord {
        id: format!("ses_{n}").into(),
        case: Arc::new(case.clone()),
        hash: [n; 32],
        bound: if n.is_multiple_of(2) { Confirmation::Key([n; 32]) } else { Confirmation::Certificate([n; 32]) },
        acts: vec!["bank/robot".into(), "bank/other".into()],
        covering: vec![Target::Everything, Target::Role("lead".into()), Target::Principal("a/b".into(), "c".into())],
        issued: Timestamp(90),
        created: Timestamp(110),
        expires: Timestamp(500),
    }
}

#[tokio::test]
async fn a_case_comes_back_as_it_was_at_each_step() {
    let (stores, _folder) = both().await;
    for store in stores {
        let asked = case(1);
        store.insert_case(&asked).await.unwrap();
        assert!(matches!(store.insert_case(&asked).await, Err(StoreError::Exists)));
        assert_eq!(store.case("acc_1").await.unwrap().as_ref(), Some(&asked));
        assert_eq!(store.case("acc_2").await.unwrap(), None);

        let full = granted(1);
        let half = Case { decisions: full.decisions[..1].to_vec(), grant: None, ..full.clone() };
        assert!(store.replace_case(&asked, &half).await.unwrap());
        assert!(!store.replace_case(&asked, &full).await.unwrap(), "somebody else was first");
        assert_eq!(store.case("acc_1").await.unwrap().as_ref(), Some(&half));
        assert!(store.replace_case(&half, &full).await.unwrap());
        let closed = Closed { how: Ending::Ended, by: being("bob"), at: Timestamp(103) };
        let over = Case { closed: Some(closed), ..full.clone() };
        assert!(store.replace_case(&full, &over).await.unwrap());
        assert_eq!(store.case("acc_1").await.unwrap(), Some(over));
    }
}

#[tokio::test]
async fn of_two_who_decide_at_once_one_is_told_to_look_again() {
    let (stores, _folder) = both().await;
    for store in stores {
        let asked = case(1);
        store.insert_case(&asked).await.unwrap();
        let by = |name: &str| Case {
            decisions: vec![Decision { by: being(name), yes: true, at: Timestamp(101), note: String::new() }],
            ..asked.clone()
        };
        let (eve, bob) = (by("eve"), by("bob"));
        let (one, other) = tokio::join!(store.replace_case(&asked, &eve), store.replace_case(&asked, &bob));
        assert_ne!(one.unwrap(), other.unwrap());
    }
}

#[tokio::test]
async fn cases_are_listed_newest_first_and_by_whom_they_concern() {
    let (stores, _folder) = both().await;
    for store in stores {
        for n in 1..=3 {
            store.insert_case(&case(n)).await.unwrap();
        }
        let other = Case { asker: being("joe"), holder: being("joe"), actor: None, ..case(4) };
        store.insert_case(&other).await.unwrap();
        let ids = |cases: Vec<Case>| cases.iter().map(|case| case.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(store.cases(None, None, 3).await.unwrap()), ["acc_4", "acc_3", "acc_2"]);
        assert_eq!(ids(store.cases(None, Some("acc_2"), 3).await.unwrap()), ["acc_1"]);
        for name in ["ann", "robot"] {
            assert_eq!(ids(store.cases(Some(&being(name)), None, 9).await.unwrap()), ["acc_3", "acc_2", "acc_1"]);
        }
        assert_eq!(ids(store.cases(Some(&being("joe")), None, 9).await.unwrap()), ["acc_4"]);
    }
}

#[tokio::test]
async fn what_was_taken_without_approval_counts_until_it_is_reviewed() {
    let (stores, _folder) = both().await;
    for store in stores {
        let taken = Case { glass: true, decisions: vec![], ..granted(1) };
        store.insert_case(&taken).await.unwrap();
        store.insert_case(&granted(2)).await.unwrap();
        assert_eq!(store.case("acc_1").await.unwrap().as_ref(), Some(&taken));
        assert_eq!(store.unreviewed(&being("ann")).await.unwrap(), 1);
        assert_eq!(store.unreviewed(&being("bob")).await.unwrap(), 0);
        assert_eq!(store.unreviewed_cases().await.unwrap(), 1);
        let review = Decision { by: being("bob"), yes: true, at: Timestamp(200), note: "fine".into() };
        let reviewed = Case { review: Some(review), ..taken.clone() };
        assert!(store.replace_case(&taken, &reviewed).await.unwrap());
        assert_eq!(store.unreviewed(&being("ann")).await.unwrap(), 0);
        assert_eq!(store.case("acc_1").await.unwrap(), Some(reviewed));
    }
}

#[tokio::test]
async fn a_session_is_there_until_it_or_its_case_is_over() {
    let (stores, _folder) = both().await;
    for store in stores {
        let (one, two) = (granted(1), granted(2));
        store.insert_case(&one).await.unwrap();
        store.insert_case(&two).await.unwrap();
        let all = [session(1, &one), session(2, &two)];
        for session in &all {
            store.insert_session(session).await.unwrap();
        }
        assert!(matches!(store.insert_session(&all[0]).await, Err(StoreError::Exists)));
        let mut seen = Revision::default();
        assert_eq!(store.sessions_if_changed(&mut seen, Timestamp(110)).await.unwrap().unwrap(), all);
        assert_eq!(store.sessions_if_changed(&mut seen, Timestamp(110)).await.unwrap(), None);
        let at = |now| {
            let store = store.clone();
            async move { store.sessions_if_changed(&mut Revision::default(), Timestamp(now)).await.unwrap().unwrap().len() }
        };
        assert_eq!((at(499).await, at(500).await), (2, 0));

        let closed = Closed { how: Ending::Ended, by: being("bob"), at: Timestamp(120) };
        assert!(store.replace_case(&one, &Case { closed: Some(closed), ..one.clone() }).await.unwrap());
        assert_eq!(store.sessions_if_changed(&mut seen, Timestamp(120)).await.unwrap().unwrap(), all[1..]);

        // What was over once stays over, though the clock is set back.
        assert_eq!(store.end_sessions(Timestamp(499)).await.unwrap(), 0);
        assert_eq!(store.sessions_if_changed(&mut seen, Timestamp(120)).await.unwrap(), None, "nothing changed");
        assert_eq!(store.end_sessions(Timestamp(500)).await.unwrap(), 2);
        assert_eq!(at(110).await, 0);
    }
}
