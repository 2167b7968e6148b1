use std::{convert::Infallible, future::poll_fn};

use bytes::Bytes;
use http_body_util::Full;
use tokio::time::{advance, timeout};

use super::*;

const IDLE: Duration = Duration::from_secs(30);
const STALL: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_secs(29);

/// Whether the connection is held to have failed within `wait`.
async fn fails(pulse: &Pulse, wait: Duration) -> bool {
    timeout(wait, pulse.fails(IDLE, STALL)).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_requests_is_idle() {
    let pulse = Pulse::new();
    assert!(!fails(&pulse, MOMENT).await);
    assert!(fails(&pulse, IDLE).await);
}

#[tokio::test(start_paused = true)]
async fn each_request_starts_the_idle_time_anew() {
    let pulse = Pulse::new();
    for _ in 0..4 {
        advance(MOMENT).await;
        drop(pulse.begin());
        assert!(!fails(&pulse, MOMENT).await);
    }
    assert!(fails(&pulse, IDLE).await);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_being_answered_is_waited_for() {
    let pulse = Pulse::new();
    let alive = pulse.begin();
    assert!(!fails(&pulse, 10 * STALL).await);
    drop(alive);
    assert!(fails(&pulse, 2 * IDLE).await);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_fails_the_connection() {
    let pulse = Pulse::new();
    let mut body = Watched::new(Full::new(Bytes::from_static(b"word")), pulse.begin());
    let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
    assert!(matches!(frame, Some(Ok::<_, Infallible>(_))));
    assert!(!fails(&pulse, STALL / 2).await);
    assert!(fails(&pulse, STALL).await);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_we_have_no_more_of_yet_is_waited_for() {
    /// Says one word, then has nothing to say for now.
    struct Slow(bool);
    impl Body for Slow {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"word")))))
        }
    }
    let pulse = Pulse::new();
    let mut body = Watched::new(Slow(false), pulse.begin());
    let mut poll = async || poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_frame(cx).is_ready())).await;
    assert!(poll().await);
    assert!(!poll().await);
    assert!(!fails(&pulse, 10 * STALL).await);
}
