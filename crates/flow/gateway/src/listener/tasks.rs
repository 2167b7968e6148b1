//! The tasks of one listener: its connections, and the streams of those that speak HTTP/2. Held together, so that whoever
//! closes the listener knows when the last request is over, and can end those that will not end.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hyper::rt::Executor;
use tokio::task::JoinSet;

#[derive(Clone, Default)]
pub(super) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    /// Waits until every task has ended, those included that are begun meanwhile.
    pub(super) async fn ended(&self) {
        // What a task ended with, a panic included, is its own affair: its request's account is settled when it is dropped.
        while poll_fn(|cx| self.lock().poll_join_next(cx)).await.is_some() {}
    }

    /// Ends every task, and waits until all they held is dropped.
    pub(super) async fn cut(&self) {
        self.lock().abort_all();
        self.ended().await;
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let mut set = self.lock();
        // Ended tasks are let go as others come, so that the set holds live ones only.
        while set.try_join_next().is_some() {}
        set.spawn(task);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn ended_tasks_are_let_go_as_others_come() {
        let tasks = Tasks::default();
        for _ in 0..100 {
            tasks.execute(async {});
            tokio::task::yield_now().await;
        }
        assert!(tasks.lock().len() < 10);
        tasks.ended().await;
        assert!(tasks.lock().is_empty());
    }

    #[tokio::test]
    async fn cut_drops_what_the_tasks_held() {
        let tasks = Tasks::default();
        let held = Arc::new(());
        for _ in 0..3 {
            let held = held.clone();
            tasks.execute(async move {
                pending::<()>().await;
                drop(held);
            });
        }
        tasks.cut().await;
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
