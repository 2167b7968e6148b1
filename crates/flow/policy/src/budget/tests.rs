use std::{
    future::Future,
    task::{Context, Poll, Waker},
};

use countersign_core::{RequestId, charge::Ending};
use proptest::prelude::*;

use super::*;
use crate::policy::tests::{call, principal};

const NOW: Timestamp = Timestamp(1_795_357_815_000_000);
const SMALL: Weight = Weight { bytes: 100, answers: 1 };

fn budget(name: &str, per: &[By], unit: Unit, limit: u64) -> Budget {
    let (roles, models) = (Vec::new(), Vec::new());
    Budget { name: name.into(), per: per.into(), roles, models, window: Window::Day, unit, limit }
}

fn budgets(budgets: impl Into<Vec<Budget>>) -> Budgets {
    let tariff =
        Tariff { price: Price { input: 2_000_000, output: 10_000_000 }, most_output: 4_000, attachment: 1_500 };
    Budgets { budgets: budgets.into(), tariffs: [("m".into(), tariff), ("n".into(), tariff)].into() }
}

fn cells(budgets: &Budgets, who: &Principal, call: &Call) -> Vec<String> {
    let charge = budgets.charge(who, call, SMALL, NOW).unwrap();
    charge.lines.iter().map(|line| line.cell.to_string()).collect()
}

#[test]
fn spending_is_counted_by_what_the_budget_says() {
    let who = principal("bank", "alice", &["staff", "analyst"]);
    let cells = |per: &[By]| cells(&budgets([budget("b", per, Unit::Requests, 1)]), &who, &call("m"));
    let at = "b@1795392000/requests";
    assert_eq!(cells(&[]), [at]);
    assert_eq!(cells(&[By::Tenant]), [format!("{at}/tenant=bank")]);
    assert_eq!(cells(&[By::Principal]), [format!("{at}/tenant=bank/principal=alice")]);
    assert_eq!(cells(&[By::Key]), [format!("{at}/key={}", who.credential)]);
    assert_eq!(
        cells(&[By::Model, By::Role]),
        [format!("{at}/model=m/role=analyst"), format!("{at}/model=m/role=staff"),]
    );
    assert_eq!(ends(at), Timestamp(1_795_392_000_000_000));
}

#[test]
fn it_applies_to_the_callers_and_models_it_names() {
    let (analyst, other) = (principal("bank", "a", &["analyst", "staff"]), principal("bank", "b", &["staff"]));
    let mut only = budget("b", &[By::Role], Unit::Requests, 1);
    only.roles = vec!["analyst".into()];
    let by_role = budgets([only]);
    assert_eq!(cells(&by_role, &analyst, &call("m")), ["b@1795392000/requests/role=analyst"]);
    assert!(cells(&by_role, &other, &call("m")).is_empty());
    let mut only = budget("b", &[], Unit::Requests, 1);
    only.models = vec!["n".into()];
    let by_model = budgets([only]);
    assert!(cells(&by_model, &other, &call("m")).is_empty());
    assert_eq!(cells(&by_model, &other, &call("n")).len(), 1);
}

#[test]
fn what_is_set_aside_is_what_it_may_cost_at_most() {
    let who = principal("bank", "alice", &[]);
    let amount = |unit, call: &Call, weight| {
        let charge = budgets([budget("b", &[], unit, 1)]).charge(&who, call, weight, NOW).unwrap();
        charge.lines.first().map(|line| line.amount)
    };
    let asked = |max_tokens| Call { max_tokens, ..call("m") };
    assert_eq!(amount(Unit::Requests, &asked(None), SMALL), Some(1));
    assert_eq!(amount(Unit::Tokens, &asked(None), SMALL), Some(4_100), "as many as the model can write");
    assert_eq!(amount(Unit::Tokens, &asked(Some(50)), SMALL), Some(150));
    assert_eq!(amount(Unit::Tokens, &asked(Some(u64::MAX)), SMALL), Some(4_100));
    assert_eq!(amount(Unit::Tokens, &asked(Some(50)), Weight { answers: 3, ..SMALL }), Some(250));
    assert_eq!(amount(Unit::Tokens, &Call { attachments: 2, ..asked(Some(50)) }, SMALL), Some(3_150));
    assert_eq!(amount(Unit::Money, &asked(Some(50)), SMALL), Some(700), "100 at 2 and 50 at 10, for a million");
    assert_eq!(amount(Unit::Tokens, &Call { format: Format::Embeddings, ..asked(None) }, SMALL), Some(100));
    assert_eq!(amount(Unit::Tokens, &Call { format: Format::CountTokens, ..asked(None) }, SMALL), None);
    assert_eq!(amount(Unit::Tokens, &asked(Some(50)), Weight { bytes: u64::MAX, answers: u64::MAX }), Some(u64::MAX));
    let unknown = budgets([budget("b", &[], Unit::Tokens, 1)]).charge(&who, &call("other"), SMALL, NOW);
    assert_eq!(unknown.unwrap_err().code, Code::Internal);
}

#[test]
fn whose_it_is_cannot_be_taken_for_something_else() {
    let by = budgets([budget("b", &[By::Principal, By::Model], Unit::Requests, 1)]);
    let odd = principal("bank", "alice/model=m", &[]);
    let plain = principal("bank", "alice", &[]);
    assert_ne!(cells(&by, &odd, &call("m")), cells(&by, &plain, &call("m/model=m")));
    assert_eq!(cells(&by, &odd, &call("m")), ["b@1795392000/requests/tenant=bank/principal=alice%smodel=m/model=m"]);
    assert_ne!(
        cells(&by, &principal("bank", "a%s", &[]), &call("m")),
        cells(&by, &principal("bank", "a/", &[]), &call("m"))
    );
}

#[test]
fn all_is_set_aside_or_nothing() {
    let (mine, all) = (budget("mine", &[By::Principal], Unit::Requests, 2), budget("all", &[], Unit::Requests, 3));
    let budgets = budgets([mine, all]);
    let mut book = Book::default();
    let mut ask = |who: &str| {
        let charge = budgets.charge(&principal("bank", who, &[]), &call("m"), SMALL, NOW).unwrap();
        book.reserve(&charge.lines, NOW).map_err(|short| short.line)
    };
    assert_eq!(ask("alice"), Ok(vec![1, 1]));
    assert_eq!(ask("alice"), Ok(vec![2, 2]));
    assert_eq!(ask("alice"), Err(0));
    assert_eq!(ask("bob"), Ok(vec![1, 3]), "what was refused above took nothing of what all share");
    assert_eq!(ask("bob"), Err(1));
}

#[test]
fn a_window_begins_anew_and_a_clock_set_back_mints_nothing() {
    let budgets = budgets([budget("b", &[], Unit::Requests, 1)]);
    let who = principal("bank", "alice", &[]);
    let mut book = Book::default();
    let mut ask = |now: Timestamp| {
        let charge = budgets.charge(&who, &call("m"), SMALL, now).unwrap();
        book.reserve(&charge.lines, now).is_ok()
    };
    let tomorrow = NOW.plus(Duration::from_secs(86_400));
    assert!(ask(NOW) && !ask(NOW));
    assert!(ask(tomorrow) && !ask(tomorrow));
    assert!(!ask(NOW), "back again");
}

#[test]
fn cells_that_are_over_are_forgotten_and_others_never() {
    let mut book = Book::default();
    let line = |n: u64, now: Timestamp| Line {
        cell: format!("b@{}/requests/principal={n}", Window::Minute.ends(now).seconds()).into(),
        unit: Unit::Requests,
        amount: 1,
        limit: 1,
    };
    for n in 0..10_000 {
        book.reserve(&[line(n, NOW)], NOW).unwrap();
    }
    assert!((0..10_000).all(|n| book.reserve(&[line(n, NOW)], NOW).is_err()));
    let later = NOW.plus(Duration::from_secs(2 * 86_400));
    for n in 0..10_000 {
        book.reserve(&[line(n, later)], later).unwrap();
    }
    assert_eq!(book.spent(&line(1, NOW).cell), 0);
    assert!((0..10_000).all(|n| book.reserve(&[line(n, later)], later).is_err()));
}

#[test]
fn a_refusal_tells_when_it_is_full_again_and_nothing_of_others() {
    let who = principal("bank", "alice", &[]);
    let refused = |per: &[By]| {
        let budgets = budgets([budget("b", per, Unit::Tokens, 4_000)]);
        let charge = Arc::new(budgets.charge(&who, &call("m"), SMALL, NOW).unwrap());
        let till = Purse::default();
        match now(till.reserve(RequestId::new(NOW, [0; 10]), &charge, NOW)) {
            Err(refused) => budgets.refusal(&charge, refused, NOW),
            Ok(_) => panic!("it holds 4,100"),
        }
    };
    let own = refused(&[By::Key]);
    assert_eq!(
        (own.code, own.retry_after),
        (Code::BudgetSpent, Some(Duration::from_secs(1_795_392_000 - 1_795_357_815)))
    );
    assert_eq!((own.quotas[0].limit, own.quotas[0].left), (4_000, 4_000));
    assert!(!own.code.retryable());
    assert!(refused(&[By::Tenant]).quotas.is_empty());
    let away = budgets([]).refusal(&Charge::default(), Refused::Away("gone"), NOW);
    assert_eq!((away.code, away.code.status()), (Code::OutOfTouch, 503));
}

/// 500 at once on a budget for 100: exactly 100, whatever the threads do.
#[test]
fn many_threads_spend_exactly_the_budget() {
    let budgets = budgets([budget("b", &[], Unit::Requests, 100), budget("t", &[], Unit::Tokens, 4_100 * 1_000)]);
    let (till, who) = (Purse::default(), principal("bank", "alice", &[]));
    let ask = || {
        let charge = Arc::new(budgets.charge(&who, &call("m"), SMALL, NOW).unwrap());
        now(till.reserve(RequestId::new(NOW, [0; 10]), &charge, NOW)).is_ok()
    };
    let passed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..10).map(|_| scope.spawn(|| (0..50).filter(|_| ask()).count())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(passed, 100);
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        Just(Ending::Stayed),
        Just(Ending::Declined),
        Just(Ending::Unknown),
        (0..200_u64, 0..5_000_u64).prop_map(|(input, output)| Ending::Used { input, output }),
    ]
}

proptest! {
    /// What is spent in the end is what was used and nothing else, in whatever order requests begin and end; and what is set
    /// aside never passes the limit unless a provider used more than it could.
    #[test]
    fn nothing_is_lost_and_nothing_is_charged_twice(
        steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), 1..300_u64, ending()), 1..200)
    ) {
        let budgets = budgets([
            budget("r", &[], Unit::Requests, 60),
            budget("t", &[By::Principal], Unit::Tokens, 100_000),
            budget("m", &[], Unit::Money, 1_000_000),
        ]);
        let who = principal("bank", "alice", &[]);
        let mut book = Book::default();
        let (mut open, mut used) = (Vec::new(), [0_i64; 3]);
        let settle = |book: &mut Book, charge: &Charge, ending, used: &mut [i64; 3]| {
            let back = charge.back(ending);
            for (line, used) in charge.lines.iter().zip(used) {
                let returned = back.iter().find(|(cell, _)| *cell == line.cell).map_or(0, |(_, amount)| *amount);
                *used += i64::try_from(line.amount).unwrap() - returned;
            }
            book.give_back(&back);
        };
        for (begin, which, max, ending) in steps {
            if begin || open.is_empty() {
                let call = Call { max_tokens: Some(max), ..call("m") };
                let charge = budgets.charge(&who, &call, SMALL, NOW).unwrap();
                if let Ok(spent) = book.reserve(&charge.lines, NOW) {
                    for (line, spent) in charge.lines.iter().zip(spent) {
                        prop_assert!(spent <= line.limit);
                    }
                    open.push(charge);
                }
            } else {
                let charge = open.swap_remove(which.index(open.len()));
                settle(&mut book, &charge, ending, &mut used);
            }
        }
        let cells = budgets.charge(&who, &call("m"), SMALL, NOW).unwrap().lines;
        for charge in open {
            settle(&mut book, &charge, Ending::Stayed, &mut used);
        }
        for (line, used) in cells.iter().zip(used) {
            prop_assert_eq!(i64::try_from(book.spent(&line.cell)).unwrap(), used);
        }
    }
}
