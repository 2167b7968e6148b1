use countersign_testkit::Redis;

use super::*;
use crate::client::tests::connect;

fn step(cell: &str, amount: u64, limit: u64) -> Step<'_> {
    Step { cell, amount, limit, forget: 4_000_000_000 }
}

fn back(cells: &[(&str, i64)]) -> Vec<(Arc<str>, i64)> {
    cells.iter().map(|(cell, amount)| ((*cell).into(), *amount)).collect()
}

#[tokio::test]
async fn all_are_raised_or_none_and_given_back_once() {
    let Some(server) = Redis::start() else { return };
    let counters = Counters::new(connect(server.port()), "a", 1);
    let all = |spent: &[u64]| Ok(Reserved::All(spent.to_vec()));
    assert_eq!(counters.reserve("r1", "n1", &[step("x", 2, 5), step("y", 1, 9)]).await, all(&[2, 1]));
    assert_eq!(counters.reserve("r2", "n2", &[step("y", 1, 9), step("x", 4, 5)]).await, Ok(Reserved::Short(1, 2)));
    assert_eq!(counters.spent().await, Ok(vec![("x".into(), 2), ("y".into(), 1)]));
    assert!(counters.reserve("r1", "again", &[step("x", 1, 5)]).await.is_err(), "one request is charged once");
    assert_eq!(counters.open().await, Ok(vec![Kept { request: "r1".into(), note: "n1".into() }]));
    assert_eq!(counters.settle("r1", &back(&[("x", 1), ("y", -3)])).await, Ok(true));
    assert_eq!(counters.settle("r1", &back(&[("x", 1), ("y", -3)])).await, Ok(false));
    assert_eq!(counters.spent().await, Ok(vec![("x".into(), 1), ("y".into(), 4)]));
    assert_eq!(counters.open().await, Ok(vec![]));
    // Figures beyond what numbers there hold do not wrap around.
    assert_eq!(counters.reserve("r3", "", &[step("x", u64::MAX, 1 << 50)]).await, Ok(Reserved::Short(0, 1)));
    // A counter that was forgotten is not brought back by what it is given.
    assert_eq!(counters.reserve("r4", "", &[Step { forget: 1, ..step("gone", 1, 5) }]).await, all(&[1]));
    assert_eq!(counters.settle("r4", &back(&[("gone", 1)])).await, Ok(true));
    assert!(counters.spent().await.unwrap().iter().all(|(cell, _)| cell != "gone"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_nodes_spend_exactly_what_there_is() {
    let Some(server) = Redis::start() else { return };
    let nodes: Vec<_> = ["a", "b", "c"].map(|node| Counters::new(connect(server.port()), node, 7)).into();
    let tasks: Vec<_> = (0..500_usize)
        .map(|n| {
            let counters = nodes[n % 3].clone();
            tokio::spawn(async move { counters.reserve(&n.to_string(), "", &[step("x", 1, 100)]).await.unwrap() })
        })
        .collect();
    let mut passed = 0;
    for task in tasks {
        passed += usize::from(matches!(task.await.unwrap(), Reserved::All(_)));
    }
    assert_eq!(passed, 100);
    let mut open = 0;
    for node in &nodes {
        open += node.open().await.unwrap().len();
    }
    assert_eq!(open, 100);
}

#[tokio::test]
async fn a_mark_is_claimed_once() {
    let Some(server) = Redis::start() else { return };
    let (one, other) = (connect(server.port()), connect(server.port()));
    assert_eq!(one.claim("m", 60).await, Ok(true));
    assert_eq!(other.claim("m", 60).await, Ok(false));
    assert_eq!(other.claim("n", 60).await, Ok(true));
}

#[tokio::test]
async fn a_node_finds_what_its_earlier_lives_left_open_and_nothing_of_others() {
    let Some(server) = Redis::start() else { return };
    let of = |node: &str, life| Counters::new(connect(server.port()), node, life);
    for (node, life) in [("a*[b]", 1), ("a*[b]", 2), ("axb", 3), ("a*[b]:c", 4), ("other", 5)] {
        of(node, life).reserve(&format!("{node}-{life}"), "note", &[step("x", 1, 9)]).await.unwrap();
    }
    let me = of("a*[b]", 3);
    me.reserve("mine", "", &[step("x", 1, 9)]).await.unwrap();
    let mut found = Vec::new();
    for life in me.earlier().await.unwrap() {
        for kept in life.open().await.unwrap() {
            assert_eq!(life.settle(&kept.request, &back(&[("x", 1)])).await, Ok(true));
            found.push(kept.request);
        }
    }
    assert_eq!(found, ["a*[b]-1", "a*[b]-2"]);
    assert_eq!(me.earlier().await.unwrap().len(), 0);
    assert_eq!(me.spent().await, Ok(vec![("x".into(), 4)]));
}

#[tokio::test]
async fn what_reaches_the_server_after_its_own_end_counts_for_nothing() {
    let Some(server) = Redis::start() else { return };
    let counters = Counters::new(connect(server.port()), "a", 1);
    assert_eq!(counters.settle("late", &back(&[("x", 1)])).await, Ok(false));
    assert!(counters.reserve("late", "", &[step("x", 1, 5)]).await.is_err());
    assert_eq!((counters.spent().await, counters.open().await), (Ok(vec![]), Ok(vec![])));
}

#[tokio::test]
async fn a_name_has_one_owner() {
    let Some(server) = Redis::start() else { return };
    let client = connect(server.port());
    assert_eq!(client.hold("n", "one", 60).await, Ok(true));
    assert_eq!(client.hold("n", "one", 60).await, Ok(true), "and goes on having it");
    assert_eq!(client.hold("n", "other", 60).await, Ok(false));
    assert_eq!(client.hold("m", "other", 60).await, Ok(true));
    client.let_go("n", "other").await.unwrap();
    assert_eq!(client.hold("n", "other", 60).await, Ok(false));
    client.let_go("n", "one").await.unwrap();
    assert_eq!(client.hold("n", "other", 60).await, Ok(true));
}
