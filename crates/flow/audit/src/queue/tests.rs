use std::{
    sync::atomic::{AtomicUsize, Ordering},
    task::Wake,
};

use super::*;

#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn item(bytes: usize) -> Item {
    Item { entry: Vec::new(), body: vec![0; bytes], body_hash: [0; 32], amounts: Vec::new() }
}

/// Polls once; gives how often the waker was woken so far, and what came of it.
fn poll(ack: &mut Ack, counter: &Arc<Counter>) -> Poll<Result<u64, Refusal>> {
    Pin::new(ack).poll(&mut Context::from_waker(&counter.clone().into()))
}

fn waiting(queue: &Queue, count: usize) -> Vec<(Ack, Arc<Counter>)> {
    let mut all: Vec<_> = (0..count).map(|_| (queue.push(item(1), Haste::Now).unwrap(), Arc::default())).collect();
    for (ack, counter) in &mut all {
        assert!(poll(ack, counter).is_pending());
    }
    all
}

fn woken(all: &[(Ack, Arc<Counter>)]) -> Vec<usize> {
    all.iter().map(|(_, counter)| counter.0.load(Ordering::SeqCst)).collect()
}

#[test]
fn one_is_woken_and_wakes_the_others() {
    let queue = Queue::new();
    let mut all = waiting(&queue, 4);
    let taken = queue.take(false, None);
    queue.done(&taken, Ok(40));
    assert_eq!(woken(&all), [0, 0, 0, 1]);
    let (last, counter) = all.last_mut().unwrap();
    assert!(matches!(poll(last, counter), Poll::Ready(Ok(43))));
    assert_eq!(woken(&all), [1, 1, 1, 1]);
    let (first, counter) = &mut all[0];
    assert!(matches!(poll(first, counter), Poll::Ready(Ok(40))));
}

#[test]
fn nobody_is_forgotten_when_the_woken_one_gives_up() {
    let queue = Queue::new();
    let mut all = waiting(&queue, 3);
    let taken = queue.take(false, None);
    queue.done(&taken, Ok(0));
    drop(all.pop());
    assert_eq!(woken(&all), [1, 1]);
}

#[test]
fn nobody_is_forgotten_when_the_woken_one_never_runs() {
    let queue = Queue::new();
    let all = waiting(&queue, 3);
    let taken = queue.take(false, None);
    queue.done(&taken, Ok(0));
    queue.push(item(1), Haste::Now).unwrap();
    drop(queue.take(false, Some(taken)));
    assert_eq!(woken(&all), [1, 1, 1]);
}

#[test]
fn who_gave_up_before_the_result_is_not_chosen() {
    let queue = Queue::new();
    let mut all = waiting(&queue, 3);
    drop(all.pop());
    queue.done(&queue.take(false, None), Ok(0));
    assert!(woken(&all).iter().sum::<usize>() >= 1);
}

#[test]
fn a_writer_that_is_gone_fails_whoever_waits_and_whoever_comes() {
    let queue = Queue::new();
    let mut all = waiting(&queue, 2);
    queue.kill();
    for (ack, counter) in &mut all {
        assert!(matches!(poll(ack, counter), Poll::Ready(Err(r)) if r.code == Code::AuditFailed));
    }
    assert_eq!(queue.push(item(1), Haste::Now).err().unwrap().code, Code::AuditFailed);
}

#[test]
fn a_full_queue_refuses_intents_and_still_takes_outcomes() {
    let queue = Queue::new();
    // However large, one record is taken.
    queue.push(item(MAX_BYTES * 2), Haste::Now).unwrap();
    drop(queue.take(false, None));
    for _ in 0..MAX_ITEMS {
        queue.push(item(1), Haste::Now).unwrap();
    }
    assert_eq!(queue.push(item(1), Haste::Now).err().unwrap().code, Code::AuditFailed);
    for _ in 0..MAX_ITEMS {
        queue.push(item(1), Haste::Soon).unwrap();
    }
    assert_eq!(queue.push(item(1), Haste::Soon).err().unwrap().code, Code::AuditFailed);
}

#[test]
fn who_waits_alone_is_not_kept_waiting_for_others() {
    let queue = Queue::new();
    for _ in 0..3 {
        queue.push(item(1), Haste::Now).unwrap();
        assert!(queue.lock().is_due());
        let taken = queue.take(false, None);
        assert_eq!(taken.items.len(), 1);
        queue.done(&taken, Ok(0));
    }
}

#[test]
fn as_many_as_ask_at_the_same_time_are_gathered() {
    let queue = Queue::new();
    let first = waiting(&queue, 3);
    let taken = queue.take(false, None);
    // While these are written two more come. So five ask at the same time.
    let _second = waiting(&queue, 2);
    queue.done(&taken, Ok(0));
    drop(first);
    for _ in 0..2 {
        queue.push(item(1), Haste::Now).unwrap();
        // An outcome that nobody waits for rides along and is not counted.
        queue.push(item(1), Haste::Soon).unwrap();
        assert!(!queue.lock().is_due());
    }
    queue.push(item(1), Haste::Now).unwrap();
    assert!(queue.lock().is_due());
    assert_eq!(queue.take(false, Some(taken)).items.len(), 7);
}

#[test]
fn nobody_waits_for_ever_for_who_does_not_come_back() {
    let queue = Queue::new();
    let first = waiting(&queue, 3);
    let taken = queue.take(false, None);
    queue.done(&taken, Ok(0));
    drop(first);
    let mut alone = waiting(&queue, 1);
    let taken = queue.take(false, Some(taken));
    assert_eq!(taken.items.len(), 1);
    queue.done(&taken, Ok(3));
    let (ack, counter) = &mut alone[0];
    assert!(matches!(poll(ack, counter), Poll::Ready(Ok(3))));
}

#[test]
fn an_outcome_that_is_waited_for_counts_as_such() {
    let queue = Arc::new(Queue::new());
    let ack = queue.push(item(1), Haste::Soon);
    assert!(!queue.lock().is_due());
    let mut settled = Settled::new(queue.clone(), ack);
    let counter = Arc::<Counter>::default();
    assert!(Pin::new(&mut settled).poll(&mut Context::from_waker(&counter.into())).is_pending());
    assert!(queue.lock().is_due());
}
