//! Playbooks at work: alerts set them off, steps are taken one at a time, people are told.
//!
//! All that a run is stands in the store. Whoever takes a step holds the run for a while; when they are gone, another takes the same step
//! under the same name, which the store, the board and whoever is told know it by.

mod crowd;
mod hands;
mod progress;
mod tell;

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context;
use countersign_core::{Alert, Secret, Timestamp};
use countersign_playbook::{Playbook, Reached, Run, Told, drive};
use countersign_provider::Base;
use countersign_store::RunRecord;
use lettre::message::Mailbox;
use tokio::{
    sync::{Semaphore, broadcast::error::RecvError},
    time::{MissedTickBehavior, interval},
};

use crate::{
    admin::ask::new_id,
    assemble::Assembly,
    clock,
    config::{Key, raw::RawMessage},
    fetch::Place,
};

use crowd::Crowd;
use hands::Hands;
use progress::Progress;

/// What the configuration says of playbooks.
#[derive(Clone)]
pub(crate) struct Chosen {
    pub(crate) books: Vec<Book>,
    pub(crate) most_percent: u8,
    pub(crate) at_least: u32,
    pub(crate) channels: Vec<Channel>,
}

/// A playbook, and whether it does what it says.
#[derive(Clone)]
pub(crate) struct Book {
    pub(crate) playbook: Arc<Playbook>,
    pub(crate) acts: bool,
}

/// Somebody who is told.
#[derive(Clone)]
pub(crate) struct Channel {
    pub(crate) name: String,
    pub(crate) way: Way,
    /// May still have to be unsealed.
    pub(crate) secret: Option<Key>,
    pub(crate) ca: Option<Vec<u8>>,
}

/// How somebody is told.
#[derive(Clone)]
pub(crate) enum Way {
    /// A document is posted.
    Post(Place, RawMessage),
    /// A message of syslog.
    Syslog(Base),
    /// A letter.
    Mail(Mail),
}

/// Letters: by which server, from whom and to whom.
#[derive(Clone)]
pub(crate) struct Mail {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) cover: Cover,
    /// Who logs in there.
    pub(crate) user: Option<String>,
    pub(crate) from: Mailbox,
    pub(crate) to: Vec<Mailbox>,
}

/// When a mail server is spoken to over TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cover {
    /// From the first byte on.
    Always,
    /// Before anything is said; a server that does not offer it is told nothing.
    StartTls,
    /// Not at all, on loopback alone.
    Never,
}

/// Playbooks and channels as they are in force, with their secrets.
pub(crate) struct Playbooks {
    chosen: Chosen,
    secrets: Vec<Option<Secret<String>>>,
}

impl Playbooks {
    /// `unsealed` gives the secret of a channel that names one.
    pub(crate) fn new(
        chosen: &Chosen,
        unsealed: impl Fn(&Key, &str) -> anyhow::Result<Secret<String>>,
    ) -> anyhow::Result<Self> {
        let secret =
            |c: &Channel| c.secret.as_ref().map(|key| unsealed(key, &format!("channel `{}`", c.name))).transpose();
        let secrets = chosen.channels.iter().map(secret).collect::<Result<_, _>>()?;
        Ok(Self { chosen: chosen.clone(), secrets })
    }

    /// How many may be harmed within an hour before a person is asked, of so many who were seen within a day.
    fn most(&self, seen: usize) -> i64 {
        let share = seen.saturating_mul(self.chosen.most_percent.into()) / 100;
        i64::try_from(share).unwrap_or(i64::MAX).max(self.chosen.at_least.into())
    }
}

/// Sets playbooks off and takes their steps, until aborted.
pub(crate) async fn watch(assembly: &Arc<Assembly>) {
    let raised = assembly.feed().raised();
    let (mut alerts, mut events) = (assembly.feed().alerts(), assembly.feed().events());
    let work = Arc::new(Work::new(assembly.clone()));
    let (mut tick, mut counting) = (interval(LOOK), interval(COUNT));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    counting.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Alerts whose runs could not be kept yet.
    let mut left = VecDeque::new();
    let mut progress = Progress::begin(assembly, raised).await;
    // Nobody else holds what an earlier life of the only node held.
    if !assembly.state().store().is_shared() {
        work.take_up(Timestamp::MAX).await;
    }
    loop {
        tokio::select! {
            alert = alerts.recv() => match alert {
                Ok(alert) => {
                    if left.len() == MOST_LEFT {
                        left.pop_front();
                        tracing::error!("an alert sets no playbook off: the store has been away for too long");
                    }
                    left.push_back(alert);
                    progress.read(1);
                    work.set_off(&mut left).await;
                }
                Err(RecvError::Lagged(missed)) => {
                    progress.read(missed);
                    tracing::error!(missed, "alerts came faster than playbooks are set off");
                }
                Err(RecvError::Closed) => return,
            },
            event = events.recv() => if let Ok(event) = event {
                work.crowd().saw(&event);
            },
            _ = tick.tick() => {
                progress.go_through(assembly).await;
                work.set_off(&mut left).await;
                work.take_up(clock::now()).await;
            }
            _ = counting.tick() => {
                progress.keep(assembly, left.is_empty()).await;
                work.count().await;
            }
        }
    }
}

/// What all runs of this node share.
struct Work {
    assembly: Arc<Assembly>,
    /// Turns to act. Nobody has one while they tell people: a channel that does not answer keeps nobody else from being held back.
    turns: Semaphore,
    /// Turns to tell.
    telling: Semaphore,
    /// The runs that are driven here.
    driven: Mutex<HashSet<Arc<str>>>,
    crowd: Mutex<Crowd>,
}

impl Work {
    fn new(assembly: Arc<Assembly>) -> Self {
        let turns = || Semaphore::new(AT_ONCE);
        Self { assembly, turns: turns(), telling: turns(), driven: Mutex::default(), crowd: Mutex::default() }
    }

    /// Sets playbooks off, until nothing is left or the store cannot keep it; then what is left stays for later.
    async fn set_off(self: &Arc<Self>, left: &mut VecDeque<Arc<Alert>>) {
        while let Some(alert) = left.front() {
            match begin(&self.assembly, alert).await {
                Ok(runs) => runs.into_iter().for_each(|run| self.go_on(run)),
                Err(error) => {
                    let (error, left) = (format!("{error:#}"), left.len());
                    return tracing::error!(error, left, "alerts set no playbook off yet; it is tried again");
                }
            }
            left.pop_front();
        }
    }

    /// Goes on with runs that nobody holds after `past`, as many as there is room for.
    async fn take_up(self: &Arc<Self>, past: Timestamp) {
        let free = u32::try_from(self.turns.available_permits()).unwrap_or_default();
        match self.assembly.state().store().take_runs(past, clock::now().plus(HELD), free).await {
            Ok(runs) => runs.into_iter().for_each(|run| self.go_on(run)),
            Err(error) => tracing::error!(%error, "runs of playbooks cannot be read"),
        }
    }

    /// Counts whom all nodes have seen.
    async fn count(&self) {
        let (now, state) = (clock::now(), self.assembly.state());
        let mine = self.crowd().sketches(now);
        match state.store().share_crowd(state.node(), &mine).await {
            Ok(all) => self.crowd().join(&all),
            Err(error) => tracing::warn!(%error, "whom other nodes have seen cannot be counted"),
        }
    }

    /// Drives a run beside everything else, once at a time. One that cannot go on is taken up again when nobody holds it any more.
    fn go_on(self: &Arc<Self>, record: RunRecord) {
        let playbooks = self.assembly.playbooks();
        let Some(book) = playbooks.chosen.books.iter().find(|book| book.playbook.name == record.playbook).cloned()
        else {
            let (playbook, run) = (&record.playbook, &*record.id);
            return tracing::warn!(playbook, run, "a run waits for its playbook, which is not there any more");
        };
        if !self.driven().insert(record.id.clone()) {
            return;
        }
        let most = playbooks.most(self.crowd().count());
        let work = self.clone();
        tokio::spawn(async move {
            let driven = Driven { work: &work, id: record.id.clone() };
            let id = &*driven.id;
            match work.drive(&record, &playbooks, &book.playbook, most).await {
                Ok(Reached::Waits(people)) => tracing::warn!(run = id, people, "a playbook waits for people"),
                Ok(reached) => tracing::info!(run = id, ?reached, "a playbook has come to its end"),
                Err(error) => tracing::error!(run = id, error = format!("{error:#}"), "a playbook could not go on"),
            }
        });
    }

    async fn drive(
        &self,
        record: &RunRecord,
        playbooks: &Playbooks,
        playbook: &Playbook,
        most: i64,
    ) -> anyhow::Result<Reached> {
        let hands = Hands::new(self, playbooks, &playbook.name, most).await?;
        let votes = self.assembly.state().store().votes(&record.id).await?;
        let run = Run {
            id: record.id.to_string(),
            told: serde_json::from_str(&record.alert).context("the alert of a run cannot be read")?,
            step: record.step.clone(),
            dry: record.dry,
            approved: u32::try_from(votes.iter().filter(|vote| vote.approve).count()).unwrap_or_default(),
        };
        drive(&hands, playbook, run).await
    }

    fn driven(&self) -> MutexGuard<'_, HashSet<Arc<str>>> {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is driven here until this is dropped.
struct Driven<'a> {
    work: &'a Work,
    id: Arc<str>,
}

impl Drop for Driven<'_> {
    fn drop(&mut self) {
        self.work.driven().remove(&self.id);
    }
}

/// Begins a run of each playbook that the alert sets off: of all of them, or of none.
async fn begin(assembly: &Assembly, alert: &Alert) -> anyhow::Result<Vec<RunRecord>> {
    let (playbooks, now) = (assembly.playbooks(), clock::now());
    let mut runs = Vec::new();
    for book in playbooks.chosen.books.iter().filter(|book| book.playbook.fits(alert)) {
        runs.push(RunRecord {
            id: new_id("run_", now).into(),
            slot: book.playbook.slot(&alert.of, alert.at),
            playbook: book.playbook.name.clone(),
            target: alert.of.to_string(),
            alert: serde_json::to_string(&Told::from(alert))?,
            began: now,
            step: book.playbook.start().to_owned(),
            standing: "running".into(),
            wants: 0,
            dry: !book.acts,
        });
    }
    if runs.is_empty() {
        return Ok(runs);
    }
    let begun = assembly.state().store().begin_runs(&runs, now.plus(HELD), MOST_WAITING).await?;
    runs.retain(|run| begun.contains(&run.id));
    for RunRecord { playbook, target, id, dry, .. } in &runs {
        tracing::warn!(playbook, target, run = &**id, dry, "a playbook is set off");
    }
    Ok(runs)
}

const LOOK: Duration = Duration::from_millis(250);
/// How often it is kept how far this has come, and whom other nodes have seen is counted.
const COUNT: Duration = Duration::from_secs(10);
/// How long a run belongs to whoever took it, after the last step: longer than anything that a step waits for at once.
const HELD: Duration = Duration::from_secs(10);
/// Runs that wait for people; past this, alerts set nothing off until somebody has decided.
const MOST_WAITING: i64 = 1_000;
/// Alerts that are kept while the store is away.
const MOST_LEFT: usize = 16 * 1024;
/// Runs that act at once, and that tell at once.
const AT_ONCE: usize = 8;

#[cfg(test)]
mod tests;
