//! What a run does to the world: everything is on record before it is done, and named after the run and the step.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use countersign_audit::record::{Changed, Members, Place as From, Who};
use countersign_core::{RequestId, Target, Timestamp};
use countersign_playbook::{Act, Begun, Reached, Run, World};
use countersign_policy::Administer;
use countersign_store::{Begun as Kept, RestraintRecord, RevocationRecord, StepRecord, StoreError};
use tokio::{sync::SemaphorePermit, time::sleep};

use super::{HELD, Playbooks, Work, tell};
use crate::{
    admin::{restraints, revocations},
    assemble::Assembly,
    clock,
};

/// What a run acts with.
pub(super) struct Hands<'a> {
    work: &'a Work,
    assembly: &'a Assembly,
    playbooks: &'a Playbooks,
    /// The playbook's name.
    name: &'a str,
    most: i64,
    turn: Mutex<Option<SemaphorePermit<'a>>>,
}

impl<'a> Hands<'a> {
    /// Waits for a turn to act.
    pub(super) async fn new(
        work: &'a Work,
        playbooks: &'a Playbooks,
        name: &'a str,
        most: i64,
    ) -> anyhow::Result<Self> {
        let turn = Mutex::new(Some(work.turns.acquire().await?));
        Ok(Self { work, assembly: &work.assembly, playbooks, name, most, turn })
    }

    fn turn(&self, turn: Option<SemaphorePermit<'a>>) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }
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
            Act::Notify { channel } => {
                self.turn(None);
                let told = self.notify(run, step, channel).await;
                self.turn(Some(self.work.turns.acquire().await?));
                told
            }
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
        let node = self.assembly.state().node();
        let message = tell::Message { id: &named("msg_", run, step), node, playbook: self.name, run };
        let mut why = String::new();
        let _turn = self.work.telling.acquire().await?;
        for pause in PAUSES {
            sleep(pause).await;
            // Whoever waited for long, or for an answer, may have lost the run to another node, or to a person.
            if !self.assembly.state().store().hold_run(&run.id, clock::now().plus(HELD)).await? {
                return Ok("not told: the run goes on no more".to_owned());
            }
            match message.send(channel, secret.as_ref(), clock::now()).await {
                Ok(()) => return Ok("told".to_owned()),
                Err(untold) => {
                    why = format!("not told: {}", untold.why);
                    if !untold.again {
                        break;
                    }
                }
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
pub(super) fn named(prefix: &str, run: &Run, step: &str) -> String {
    let uuid = step.rsplit_once("--").map_or(step, |(_, uuid)| uuid);
    let id = run.id.strip_prefix("run_").unwrap_or(&run.id);
    format!("{prefix}{id}-{}", uuid.get(..8).unwrap_or(uuid))
}

/// Microseconds.
const HOUR: u64 = 3_600_000_000;
/// Before each attempt to tell somebody.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];
