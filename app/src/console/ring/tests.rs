use countersign_core::RequestId;

use super::*;
use crate::console::{Found, Who};

fn row(n: u64) -> Row {
    Row {
        id: RequestId::new(Timestamp(n * 1000), [0; 10]),
        at: Timestamp(n),
        took: n,
        who: Some(Who {
            tenant: "acme".into(),
            subject: if n.is_multiple_of(2) { "even" } else { "odd" }.into(),
            kind: "person".into(),
            roles: [].into(),
            credential: "key_1".into(),
        }),
        from: None,
        route: "chat".into(),
        model: Some("small".into()),
        target: None,
        outcome: Outcome::Answered,
        code: None,
        found: Box::default(),
        input_tokens: Some(1),
        output_tokens: None,
        bytes: 0,
        record: None,
    }
}

fn times(rows: &[(u64, Arc<Row>)]) -> Vec<u64> {
    rows.iter().map(|(_, row)| row.at.0).collect()
}

#[test]
fn a_full_ring_forgets_the_oldest_and_pages_stay_where_they_were() {
    let ring = Ring::default();
    for n in 0..MOST as u64 + 10 {
        ring.push(row(n));
    }
    assert_eq!(ring.size(), (MOST, 0));
    let all = Wanted::default();
    let first = ring.newest(&all, None, 3);
    assert_eq!(times(&first), [MOST as u64 + 9, MOST as u64 + 8, MOST as u64 + 7]);
    ring.push(row(1_000_000));
    let next = ring.newest(&all, Some(first[2].0), 2);
    assert_eq!(times(&next), [MOST as u64 + 6, MOST as u64 + 5], "what came meanwhile moves nothing");
    assert_eq!(ring.newest(&all, Some(u64::MAX), MOST * 2).len(), MOST);
    assert_eq!(ring.newest(&all, Some(0), 5).len(), 0);
}

#[test]
fn what_is_wanted_is_what_is_listed() {
    let ring = Ring::default();
    ring.push(row(1));
    ring.push(row(2));
    let found = Found { side: "prompt", kind: "injection".into(), rule: "grammar/override".into(), confidence: 900 };
    ring.push(Row { found: [found].into(), outcome: Outcome::Refused, code: Some(Code::PromptRefused), ..row(3) });
    ring.push(Row { route: "desk".into(), model: None, ..row(4) });
    let listed = |wanted: Wanted| times(&ring.newest(&wanted, None, 9));
    assert_eq!(listed(Wanted::default()), [3, 2, 1]);
    assert_eq!(listed(Wanted { own: true, ..Wanted::default() }), [4, 3, 2, 1]);
    for part in ["acme/odd", "odd", "e/o", "/odd"] {
        assert_eq!(listed(Wanted { who: Some(part.into()), ..Wanted::default() }), [3, 1], "{part}");
    }
    assert_eq!(listed(Wanted { who: Some("acme".into()), ..Wanted::default() }), [3, 2, 1]);
    for part in ["odd/acme", "acme//odd", "acme/odd/"] {
        assert_eq!(listed(Wanted { who: Some(part.into()), ..Wanted::default() }), [0; 0], "{part}");
    }
    assert_eq!(listed(Wanted { outcome: Some(Outcome::Refused), ..Wanted::default() }), [3]);
    assert_eq!(listed(Wanted { code: Some(Code::PromptRefused), ..Wanted::default() }), [3]);
    for name in ["injection", "grammar/", "grammar/override"] {
        assert_eq!(listed(Wanted { found: Some(name.into()), ..Wanted::default() }), [3], "{name}");
    }
    assert_eq!(listed(Wanted { model: Some("large".into()), ..Wanted::default() }), [0; 0]);
}

#[test]
fn who_follows_takes_the_newest_and_is_told_what_was_missed() {
    let ring = Ring::default();
    let mut news = ring.follow();
    let begin = news.borrow_and_update().unwrap();
    for n in 0..10 {
        ring.push(row(n));
    }
    let (rows, missed) = ring.since(begin, 4);
    assert_eq!((rows.iter().map(|row| row.at.0).collect::<Vec<_>>(), missed), (vec![6, 7, 8, 9], 6));
    assert_eq!(*news.borrow_and_update(), Some(begin + 10));
    assert_eq!(ring.since(begin + 10, 4).1, 0);
    // A number from before a restart may be anything.
    assert_eq!((ring.since(u64::MAX, 4).0.len(), ring.since(0, 4).0.len()), (0, 4));
    ring.close();
    ring.push(row(11));
    assert_eq!(*news.borrow_and_update(), None, "what is closed stays closed");
}

#[test]
fn what_was_before_comes_before_and_never_pushes_out_what_is_here() {
    let ring = Ring::default();
    ring.push(row(100));
    let number = ring.newest(&Wanted::default(), None, 1)[0].0;
    ring.refill([row(1), row(2)].into_iter());
    assert_eq!(times(&ring.newest(&Wanted::default(), None, 9)), [100, 2, 1]);
    assert_eq!(ring.newest(&Wanted::default(), None, 1)[0].0, number);
    ring.refill((0..MOST as u64 * 2).map(row));
    let all = ring.newest(&Wanted::default(), None, MOST * 2);
    assert_eq!((all.len(), all[0].1.at.0), (MOST, 100));
}

#[test]
fn rates_count_each_request_in_its_span_and_each_rule_once_a_request() {
    let ring = Ring::default();
    let found = Found { side: "answer", kind: "secret".into(), rule: "secret/x".into(), confidence: 1000 };
    for n in [5, 15, 16, 25] {
        ring.push(Row { found: [found.clone(), found.clone()].into(), ..row(n) });
    }
    ring.push(Row { route: "desk".into(), ..row(26) });
    let (spans, rules) = ring.rates(Timestamp(30), 10, 2);
    assert_eq!(spans.iter().map(|span| span.asked).collect::<Vec<_>>(), [2, 1]);
    assert_eq!((spans[0].found, spans[0].input_tokens, spans[0].took.len()), (2, 2, 2));
    assert_eq!(rules["secret/x"], Met { prompts: 0, answers: 3, refused: 0, over: vec![2, 1] });
}
