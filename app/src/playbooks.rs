//! Playbooks at work: alerts set them off, steps are taken one at a time, people are told.
//!
//! All that a run is stands in the store. Whoever takes a step holds the run for a while; when they are gone, another takes the same step
//! under the same name, which the store, the board and whoever is told know it by.

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use countersign_audit::record::{Changed, Members, Place as From, Who};
use countersign_core::{Alert, Event, RequestId, Secret, Target, Timestamp};
use countersign_playbook::{Act, Begun, Playbook, Reached, Run, Told, World, drive};
use countersign_policy::Administer;
use countersign_store::{Begun as Kept, RestraintRecord, RevocationRecord, RunRecord, StepRecord, StoreError};
use tokio::{
    sync::{Semaphore, broadcast::error::RecvError},
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    admin::{ask::new_id, restraints, revocations},
    assemble::Assembly,
    clock,
    config::{Key, raw::RawMessage},
    fetch::Place,
};

mod tell;

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
    pub(crate) place: Place,
    pub(crate) form: RawMessage,
    /// May still have to be unsealed.
    pub(crate) secret: Option<Key>,
    pub(crate) ca: Option<Vec<u8>>,
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
    let (mut alerts, mut events) = (assembly.feed().alerts(), assembly.feed().events());
    let crowd = Arc::new(Mutex::new(Crowd::default()));
    let work = Arc::new(Semaphore::new(AT_ONCE));
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Alerts whose runs could not be kept yet.
    let mut left = VecDeque::new();
    // Nobody else holds what an earlier life of the only node held.
    if !assembly.state().store().is_shared() {
        take_up(assembly, &crowd, &work, Timestamp::MAX).await;
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
                    set_off(assembly, &crowd, &work, &mut left).await;
                }
                Err(RecvError::Lagged(missed)) => tracing::error!(missed, "alerts came faster than playbooks are set off"),
                Err(RecvError::Closed) => return,
            },
            event = events.recv() => if let Ok(event) = event {
                crowd.lock().unwrap_or_else(PoisonError::into_inner).saw(&event);
            },
            _ = tick.tick() => {
                set_off(assembly, &crowd, &work, &mut left).await;
                take_up(assembly, &crowd, &work, clock::now()).await;
            }
        }
    }
}

/// Sets playbooks off, until nothing is left or the store cannot keep it; then what is left stays for later.
async fn set_off(
    assembly: &Arc<Assembly>,
    crowd: &Arc<Mutex<Crowd>>,
    work: &Arc<Semaphore>,
    left: &mut VecDeque<Arc<Alert>>,
) {
    while let Some(alert) = left.front() {
        match begin(assembly, alert).await {
            Ok(runs) => runs.into_iter().for_each(|run| go_on(assembly, crowd, work, run)),
            Err(error) => {
                let error = format!("{error:#}");
                return tracing::error!(error, left = left.len(), "alerts set no playbook off yet; it is tried again");
            }
        }
        left.pop_front();
    }
}

/// Goes on with runs that nobody holds after `past`, as many as there is room for.
async fn take_up(assembly: &Arc<Assembly>, crowd: &Arc<Mutex<Crowd>>, work: &Arc<Semaphore>, past: Timestamp) {
    let free = u32::try_from(work.available_permits()).unwrap_or_default();
    match assembly.state().store().take_runs(past, clock::now().plus(HELD), free).await {
        Ok(runs) => runs.into_iter().for_each(|run| go_on(assembly, crowd, work, run)),
        Err(error) => tracing::error!(%error, "runs of playbooks cannot be read"),
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

/// Drives a run beside everything else. One that cannot go on is taken up again when nobody holds it any more.
fn go_on(assembly: &Arc<Assembly>, crowd: &Arc<Mutex<Crowd>>, work: &Arc<Semaphore>, record: RunRecord) {
    let playbooks = assembly.playbooks();
    let Some(book) = playbooks.chosen.books.iter().find(|book| book.playbook.name == record.playbook).cloned() else {
        tracing::warn!(
            playbook = record.playbook,
            run = &*record.id,
            "a run waits for its playbook, which is not there any more"
        );
        return;
    };
    let most = playbooks.most(crowd.lock().unwrap_or_else(PoisonError::into_inner).count());
    let (assembly, work) = (assembly.clone(), work.clone());
    tokio::spawn(async move {
        let Ok(_turn) = work.acquire().await else { return };
        let id = record.id.clone();
        let driven = async {
            let approving =
                assembly.state().store().votes(&record.id).await?.iter().filter(|vote| vote.approve).count();
            let run = Run {
                id: record.id.to_string(),
                told: serde_json::from_str(&record.alert).context("the alert of a run cannot be read")?,
                step: record.step.clone(),
                dry: record.dry,
                approved: u32::try_from(approving).unwrap_or_default(),
            };
            drive(
                &Hands { assembly: &assembly, playbooks: &playbooks, name: &record.playbook, most },
                &book.playbook,
                run,
            )
            .await
        };
        match driven.await {
            Ok(Reached::Waits(people)) => tracing::warn!(run = &*id, people, "a playbook waits for people"),
            Ok(reached) => tracing::info!(run = &*id, ?reached, "a playbook has come to its end"),
            Err(error) => tracing::error!(run = &*id, error = format!("{error:#}"), "a playbook could not go on"),
        }
    });
}

/// What a run acts with.
struct Hands<'a> {
    assembly: &'a Assembly,
    playbooks: &'a Playbooks,
    /// The playbook's name.
    name: &'a str,
    most: i64,
}

impl World for Hands<'_> {
    type Error = anyhow::Error;

    async fn begin(&self, run: &Run, step: &str, what: &str, harms: bool) -> anyhow::Result<Begun> {
        let at = clock::now();
        let (target, what) = (run.told.of.clone(), what.to_owned());
        let record = StepRecord { step: step.into(), target, what, harms, at, outcome: String::new() };
        let since = Timestamp(at.0.saturating_sub(HOUR));
        let most = (run.approved == 0).then_some(self.most);
        Ok(match self.assembly.state().store().begin_step(&run.id, &record, since, most).await? {
            Kept::Go => Begun::Go,
            Kept::Over => Begun::Over,
            Kept::Stopped => Begun::Stopped,
        })
    }

    async fn act(&self, run: &Run, step: &str, act: &Act, target: &Target) -> anyhow::Result<String> {
        match act {
            Act::Restrain { measure, span } => {
                let now = clock::now();
                let record = RestraintRecord {
                    id: named("qua_", run, step).into(),
                    target: target.to_string().into(),
                    measure: measure.to_string().into(),
                    since: now,
                    until: now.plus(*span),
                    by: format!("playbook:{}", self.name).into(),
                    reason: format!("{}, risk {}", run.told.pattern, run.told.risk),
                    run: Some(run.id.as_str().into()),
                    released: None,
                };
                self.restrain(run, &record).await?;
                Ok(format!("{}: {measure}", record.id))
            }
            Act::Revoke => self.revoke(run, step, target).await,
            Act::Notify { channel } => self.notify(run, step, channel).await,
        }
    }

    async fn end(&self, run: &Run, step: &str, outcome: &str) -> anyhow::Result<()> {
        Ok(self.assembly.state().store().end_step(&run.id, step, outcome).await?)
    }

    async fn moved(&self, run: &Run, next: &str) -> anyhow::Result<bool> {
        let held = clock::now().plus(HELD);
        Ok(self.assembly.state().store().move_run(&run.id, next, "running", run.approved.into(), held).await?)
    }

    async fn reached(&self, run: &Run, reached: Reached) -> anyhow::Result<()> {
        let (standing, wants) = match reached {
            Reached::End => ("done", run.approved),
            Reached::Waits(people) => ("waiting", people),
            Reached::Stopped => return Ok(()),
        };
        self.assembly.state().store().move_run(&run.id, &run.step, standing, wants.into(), Timestamp(0)).await?;
        Ok(())
    }
}

impl Hands<'_> {
    async fn restrain(&self, run: &Run, record: &RestraintRecord) -> anyhow::Result<()> {
        let (store, force) = (self.assembly.state().store(), self.assembly.force());
        if store.restraint(&record.id).await?.is_none() {
            self.note(Administer::Restrain, &record.id, restraints::members(record)).await?;
            match force.restrain(record).await {
                Ok(()) | Err(StoreError::Exists) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // Whoever undid the run meanwhile has released what was there then.
        if store.run(&run.id).await?.is_some_and(|run| run.standing == "undone") {
            force.release(&record.id, &record.by, "the run was undone", clock::now()).await?;
        }
        Ok(())
    }

    async fn revoke(&self, run: &Run, step: &str, target: &Target) -> anyhow::Result<String> {
        let (store, now) = (self.assembly.state().store(), clock::now());
        let id = named("rev_", run, step);
        if store.revocation(&id).await?.is_none() {
            let record = RevocationRecord {
                id: id.as_str().into(),
                target: target.to_string().into(),
                before: if target.is_final() { Timestamp::MAX } else { now },
                until: None,
                at: now,
                by: format!("playbook:{}", self.name).into(),
                reason: format!("{}, risk {}", run.told.pattern, run.told.risk),
                lifted: None,
            };
            self.note(Administer::Revoke, &id, revocations::members(&record)).await?;
            match self.assembly.force().revoke(target.clone(), &record).await {
                Ok(()) | Err(StoreError::Exists) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(format!("{id}: revoked"))
    }

    /// Tells a channel, a few times if need be. That nobody could be told does not keep what comes next from being done.
    async fn notify(&self, run: &Run, step: &str, name: &str) -> anyhow::Result<String> {
        let all = self.playbooks.chosen.channels.iter().zip(&self.playbooks.secrets);
        let Some((channel, secret)) = all.into_iter().find(|(channel, _)| channel.name == name) else {
            return Ok(format!("not told: no channel is named `{name}`"));
        };
        let message = tell::Message { id: &named("msg_", run, step), playbook: self.name, run };
        let mut why = String::new();
        for pause in PAUSES {
            sleep(pause).await;
            match message.send(channel, secret.as_ref(), clock::now()).await {
                Ok(()) => return Ok("told".to_owned()),
                Err(error) => why = format!("not told: {error:#}"),
            }
        }
        tracing::error!(channel = name, run = run.id, why, "nobody could be told of a playbook");
        Ok(why)
    }

    /// Puts a change on record before it is made.
    async fn note(&self, action: Administer, what: &str, becomes: Members) -> anyhow::Result<()> {
        let now = clock::now();
        let who = Who {
            tenant: "".into(),
            subject: format!("playbook:{}", self.name).into(),
            kind: "service".into(),
            roles: [].into(),
            credential: "".into(),
            method: "playbook".into(),
            acts: Vec::new(),
        };
        let changed = Changed {
            request: RequestId::new(now, clock::random()),
            at: now.0,
            who,
            from: From { ip: None, listener: "playbook".into() },
            action: action.as_str().into(),
            what: what.to_owned(),
            was: Members::new(),
            becomes,
        };
        let noted = self.assembly.gateway().stages().audit.changed(changed).await;
        noted.map_err(|refusal| anyhow::anyhow!("a change is not on record: {}", refusal.reason))
    }
}

/// What a step makes has one name for ever: the run's, and the first letters of the step's UUID. It sorts by time.
fn named(prefix: &str, run: &Run, step: &str) -> String {
    let uuid = step.rsplit_once("--").map_or(step, |(_, uuid)| uuid);
    let id = run.id.strip_prefix("run_").unwrap_or(&run.id);
    format!("{prefix}{id}-{}", uuid.get(..8).unwrap_or(uuid))
}

/// Who was seen within a day, as hashes: enough to count them.
#[derive(Default)]
struct Crowd {
    hasher: RandomState,
    now: HashSet<u64>,
    before: HashSet<u64>,
    began: Timestamp,
}

impl Crowd {
    fn saw(&mut self, event: &Event) {
        let Some(who) = &event.who else { return };
        if event.ended.since(self.began) >= HALF_A_DAY {
            self.before = std::mem::take(&mut self.now);
            self.began = event.ended;
        }
        if self.now.len() < MOST_COUNTED {
            self.now.insert(self.hasher.hash_one((&who.tenant, &who.subject)));
        }
    }

    fn count(&self) -> usize {
        self.now.union(&self.before).count()
    }
}

const LOOK: Duration = Duration::from_millis(250);
/// How long a run belongs to whoever took it, after the last step.
const HELD: Duration = Duration::from_secs(30);
const HALF_A_DAY: Duration = Duration::from_secs(12 * 3_600);
/// Microseconds.
const HOUR: u64 = 3_600_000_000;
const MOST_COUNTED: usize = 1_000_000;
/// Runs that wait for people; past this, alerts set nothing off until somebody has decided.
const MOST_WAITING: i64 = 1_000;
/// Alerts that are kept while the store is away.
const MOST_LEFT: usize = 16 * 1024;
/// Runs that are driven at once.
const AT_ONCE: usize = 8;
/// Before each attempt to tell somebody.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];

#[cfg(test)]
mod tests;
