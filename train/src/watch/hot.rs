//! What the watch costs a request: the glimpse of its prompt, and the event that is made and handed on when it is over. What the watch
//! makes of it comes later, in a task of its own.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use countersign_core::{
    Channel, Event, Finding, Glimpse, Kind, Side, Sketch, Timestamp,
    glimpse::{Likeliest, tell},
    principal::PrincipalKind,
};
use tokio::sync::broadcast;

use super::{MONDAY, rivals, turns::key};

/// Prints the cost of each part.
pub(super) fn bench() -> anyhow::Result<()> {
    let word = "the branch in the old town opens on saturdays, and this is a question about an account ";
    let prompts: Vec<String> = (0..64).map(|n| format!("{n} {}", word.repeat(12))).collect();
    let key = key();
    let glimpse = |prompt: &String| {
        let likeliest = |likely| Likeliest { likely, which: tell(prompt, &key) };
        Glimpse { new: likeliest(0.2), before: likeliest(0.1), sketch: Sketch::of(prompt, &key) }
    };
    let glimpsed = nanoseconds(|n| glimpse(&prompts[n % prompts.len()]));
    let event = template(glimpse(&prompts[0]));
    // The ledger clones what it keeps: who asked, for what, and what was found.
    let made = nanoseconds(|_| event.clone());
    let sent = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?.block_on(handed_on(event))?;
    println!(
        "\nWhat a request pays (a prompt of a kilobyte, eight tools, three findings): glimpse {glimpsed:.0} ns, event {made:.0} ns, handed on to the watch \
         and the console {sent:.0} ns; together {:.2} us",
        (glimpsed + made + sent) / 1000.0
    );
    Ok(())
}

/// An event with something of everything.
fn template(glimpse: Glimpse) -> Event {
    let who = rivals::nobody("alice", PrincipalKind::Person);
    let mut event = rivals::plain(who, "assistant", Timestamp(MONDAY.0), 1);
    let tools: Vec<Arc<str>> = (0..8).map(|n| format!("tool-{n}").into()).collect();
    event.called = vec![tools.first().cloned(), None];
    if let Some(call) = &mut event.call {
        call.tools = tools;
    }
    let finding = Finding {
        kind: Kind::PersonalData,
        rule: "bench/bench",
        channel: Channel::User,
        leaf: 0,
        span: 0..1,
        confidence: 0.9,
        digest: [7; 8],
        reproduced: None,
    };
    event.findings = vec![(Side::Prompt, finding); 3];
    event.glimpse = glimpse;
    event
}

/// What it costs to hand an event to two tasks that wait for it, waking them included. The sender lets them work in between, as a
/// gateway does that has requests to serve.
async fn handed_on(event: Event) -> anyhow::Result<f64> {
    let (sender, _) = broadcast::channel::<Arc<Event>>(16 * 1024);
    for _ in 0..2 {
        let mut receiver = sender.subscribe();
        tokio::spawn(async move { while receiver.recv().await.is_ok() {} });
    }
    let sending = tokio::spawn(async move {
        let mut batches = Vec::new();
        for _ in 0..BATCHES {
            let mut spent = Duration::ZERO;
            for _ in 0..BATCH {
                let event = event.clone();
                let begun = Instant::now();
                let _ = sender.send(Arc::new(event));
                spent += begun.elapsed();
                tokio::task::yield_now().await;
            }
            batches.push(spent);
        }
        batches
    });
    Ok(median(sending.await?))
}

/// What a call costs, of batches that others on the machine may have interrupted.
fn nanoseconds<T>(mut once: impl FnMut(usize) -> T) -> f64 {
    let batch = |_| {
        let begun = Instant::now();
        (0..BATCH).for_each(|n| drop(black_box(once(n))));
        begun.elapsed()
    };
    median((0..BATCHES).map(batch).collect())
}

fn median(mut batches: Vec<Duration>) -> f64 {
    batches.sort();
    batches[batches.len() / 2].as_nanos() as f64 / BATCH as f64
}

const BATCH: usize = 64;
const BATCHES: usize = 3000;
