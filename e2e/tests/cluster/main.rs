//! Three gateways over one PostgreSQL and one Redis behave as one, and refuse when they cannot.

mod forget;
mod nodes;
mod partition;
mod takeover;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use countersign_testkit::{Reply, Upstream, chat_answer, chat_ask, chunked, event_stream, request, until};
use serde_json::json;

use nodes::{Cluster, posted};

/// Has said something and goes on for as long as anybody listens.
fn endless() -> Reply {
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": null}]});
    let events = format!("data: {chunk}\n\n").repeat(40);
    Reply::raw(event_stream()).send(chunked(events.as_bytes())).forever(chunked(b": still here\n\n"))
}

fn answers() -> Upstream {
    Upstream::start(|asked| match asked.json()["stream"].as_bool() {
        Some(true) => endless(),
        _ => Reply::json(200, &chat_answer("as you say")),
    })
}

#[test]
fn a_budget_for_a_hundred_is_exactly_that_over_three_nodes_one_of_them_killed() {
    let upstream = answers();
    let Some(mut cluster) = Cluster::of(&upstream, "[[budget]]\nname = \"all\"\nwindow = \"month\"\nrequests = 100\n")
    else {
        return;
    };
    let key = cluster.key("alice");
    let (passed, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for n in 0..50 {
            let mut client = cluster.nodes[n % 3].client();
            let (key, passed, refused) = (&key, &passed, &refused);
            scope.spawn(move || {
                for _ in 0..10 {
                    // Callers of the node that is killed are cut off.
                    if client.send(posted(key, &chat_ask("hello"))).is_err() {
                        return;
                    }
                    let Ok(Some(answer)) = client.answer() else { return };
                    match answer.status {
                        200 => passed.fetch_add(1, Ordering::Relaxed),
                        429 => refused.fetch_add(1, Ordering::Relaxed),
                        _ => panic!("{answer:?}"),
                    };
                }
            });
        }
        until("requests that reach the provider", || (upstream.seen().len() >= 30).then_some(()));
        cluster.kill(0);
    });
    // What the dead node had set aside for requests that never left is given back when it is there again.
    cluster.revive(0);
    until("what is left open to be settled", || cluster.nodes[0].log().contains("are settled").then_some(()));
    for node in &cluster.nodes {
        while node.post("/v1/chat/completions", &key, &chat_ask("hello")).status == 200 {}
    }
    let intents = cluster.intents();
    assert_eq!(intents, 100, "each request that may have left is on record and paid for once");
    // One that was killed between its record and its leaving is paid for and never left; there are no more than callers.
    let left = upstream.seen().len();
    assert!(left <= 100 && left + 17 >= 100, "{left}");
    assert!(passed.into_inner() <= 100 && refused.into_inner() > 0);
    let rows: serde_json::Value =
        serde_json::from_str(&cluster.nodes[1].home.must(&["budget", "--format", "json"])).expect("rows");
    assert_eq!(rows[0]["spent"], "100");
}

#[test]
fn a_second_node_of_one_name_gives_nothing_back() {
    let upstream = answers();
    let Some(cluster) = Cluster::of(&upstream, "[[budget]]\nname = \"all\"\nwindow = \"month\"\nrequests = 2\n") else {
        return;
    };
    let key = cluster.key("alice");
    let mut body = chat_ask("hello");
    body["stream"] = json!(true);
    let mut stream = cluster.nodes[0].client();
    stream.send(posted(&key, &body)).expect("sent");
    stream.until("word");
    // To whoever took itself for the first node come back, this would look like what a crash has left.
    let twin = cluster.twin(&upstream).run(&["serve"]);
    let said = String::from_utf8_lossy(&twin.stderr).into_owned();
    assert!(twin.status.code() == Some(74) && said.contains("CS1005"), "{said}");
    assert_eq!(cluster.nodes[1].post("/v1/chat/completions", &key, &chat_ask("hello")).status, 200);
    assert_eq!(cluster.nodes[2].post("/v1/chat/completions", &key, &chat_ask("hello")).status, 429);
}

#[test]
fn what_one_node_revokes_is_refused_and_cut_on_all() {
    let upstream = answers();
    let Some(cluster) = Cluster::of(&upstream, "") else { return };
    let key = cluster.key("alice");
    let mut body = chat_ask("hello");
    body["stream"] = json!(true);
    let mut streams = Vec::new();
    for node in &cluster.nodes {
        let mut client = node.client();
        client.send(posted(&key, &body)).expect("sent");
        client.until("word");
        streams.push(client);
    }
    let id = cluster.nodes[0].home.key_id("alice");
    let bearer = format!("Bearer {}", cluster.admin);
    let path = format!("/admin/v1/keys/{id}/revoke");
    let revoked = cluster.nodes[0].exchange(&request("POST", &path, &[("authorization", &bearer)], b""));
    assert!(matches!(revoked.status, 200 | 204), "{revoked:?}");
    for (node, mut stream) in cluster.nodes.iter().zip(streams) {
        let rest = String::from_utf8_lossy(&stream.rest_of_stream()).into_owned();
        assert!(rest.contains("CS0204"), "{rest}");
        assert_eq!(node.post("/v1/chat/completions", &key, &chat_ask("hello")).status, 401);
    }
}

#[test]
fn all_nodes_publish_the_keys_that_any_of_them_signs_events_by() {
    let Some(cluster) = Cluster::of(&answers(), "") else { return };
    let published: Vec<_> =
        cluster.nodes.iter().map(|node| node.exchange(&request("GET", "/ssf/jwks", &[], b"")).json()).collect();
    let keys = published[0]["keys"].as_array().unwrap();
    assert!(keys.iter().any(|key| key["alg"] == "RS256"), "{keys:?}");
    assert!(published.iter().all(|theirs| *theirs == published[0]), "{published:?}");
}

#[test]
fn without_the_store_nobody_is_believed_within_the_bound_and_streams_are_cut() {
    let upstream = answers();
    let Some(cluster) = Cluster::of(&upstream, "") else { return };
    let key = cluster.key("alice");
    let mut body = chat_ask("hello");
    body["stream"] = json!(true);
    for (how, breaks) in [("silent", true), ("cut", false)] {
        let mut stream = cluster.nodes[1].client();
        stream.send(posted(&key, &body)).expect("sent");
        stream.until("word");
        let since = Instant::now();
        if breaks {
            cluster.store.silence()
        } else {
            cluster.store.cut()
        }
        let rest = String::from_utf8_lossy(&stream.rest_of_stream()).into_owned();
        assert!(rest.contains("CS0204"), "{how}: {rest}");
        eprintln_figure(how, since);
        for node in &cluster.nodes {
            // One that was on its way at that moment ends as its credential does.
            until("a refusal", || {
                let answer = node.post("/v1/chat/completions", &key, &chat_ask("hello"));
                let code = answer.code();
                assert!(matches!(code.as_deref(), None | Some("CS0204" | "CS0404")), "{how}: {answer:?}");
                (code.as_deref() == Some("CS0404") && answer.status == 503).then_some(())
            });
        }
        cluster.store.mend();
        for node in &cluster.nodes {
            until("the store to be believed again", || {
                (node.post("/v1/chat/completions", &key, &chat_ask("hello")).status == 200).then_some(())
            });
        }
    }
}

#[test]
fn without_redis_what_budgets_count_is_refused_and_comes_back() {
    let upstream = answers();
    let Some(cluster) = Cluster::of(&upstream, "[[budget]]\nname = \"all\"\nwindow = \"month\"\nrequests = 1000\n")
    else {
        return;
    };
    let key = cluster.key("alice");
    for breaks in [true, false] {
        if breaks {
            cluster.counters.silence()
        } else {
            cluster.counters.cut()
        }
        for node in &cluster.nodes {
            let refused = node.post("/v1/chat/completions", &key, &chat_ask("hello"));
            assert_eq!((refused.status, refused.code().as_deref()), (503, Some("CS0404")));
        }
        cluster.counters.mend();
        for node in &cluster.nodes {
            until("Redis to be back", || {
                (node.post("/v1/chat/completions", &key, &chat_ask("hello")).status == 200).then_some(())
            });
        }
    }
    // Whatever was set aside for requests that were refused has been given back.
    let home = &cluster.nodes[0].home;
    until("the figures to fit", || {
        let rows: serde_json::Value = serde_json::from_str(&home.must(&["budget", "--format", "json"])).ok()?;
        (rows[0]["spent"].as_str()?.parse::<usize>().ok()? == upstream.seen().len()).then_some(())
    });
}

#[expect(clippy::print_stderr, reason = "a figure to read, and none to fail by")]
fn eprintln_figure(how: &str, since: Instant) {
    eprintln!("store {how}: a stream was cut after {:.2} s", since.elapsed().as_secs_f64());
}
