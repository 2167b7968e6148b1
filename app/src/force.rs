//! Keeps what is in force here in step with what the store holds: API keys, sessions and revocations.
//!
//! A change that is made here holds at once; one that another process made, at the next look. INVARIANT: one at a time. What is read from
//! the store and then put in force never runs beside a change made here, or it could take away what was added in between.

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicBool, Ordering},
};

use countersign_core::{Target, Timestamp, access::Case};
use countersign_gateway::Gateway;
use countersign_identity::{Identity, KeyRecord};
use countersign_policy::Risk;
use countersign_store::{Revision, RevocationRecord, SessionRecord, StandingRecord, StoreError};
use tokio::sync::Mutex;

use crate::{clock, state::State};

/// What is in force.
pub(crate) struct Force {
    state: Arc<State>,
    identity: Arc<Identity>,
    gateway: OnceLock<Weak<Gateway>>,
    doubted: AtomicBool,
    seen: Mutex<Seen>,
}

/// How much of each part of the store is in force.
#[derive(Default)]
struct Seen {
    keys: Revision,
    revocations: Revision,
    access: Revision,
    standings: Revision,
    /// When the first of the sessions in force is over.
    first_end: Option<Timestamp>,
}

impl Force {
    /// Nothing is in force until the first [`Force::refresh`].
    pub(crate) fn new(state: Arc<State>, identity: Arc<Identity>) -> Self {
        Self { state, identity, gateway: OnceLock::new(), doubted: AtomicBool::new(false), seen: Mutex::default() }
    }

    /// The gateway whose answers in flight are to be told.
    pub(crate) fn tell(&self, gateway: &Arc<Gateway>) {
        // There is one gateway, and it is told once.
        let _ = self.gateway.set(Arc::downgrade(gateway));
    }

    /// Puts in force what changed in the store; whether anything had.
    pub(crate) async fn refresh(&self) -> anyhow::Result<bool> {
        let mut seen = self.seen.lock().await;
        if self.doubted.swap(false, Ordering::AcqRel) {
            *seen = Seen::default();
        }
        let store = self.state.store();
        let revocations = store.revocations_if_changed(&mut seen.revocations, clock::now()).await?;
        let keys = store.keys_if_changed(&mut seen.keys).await?;
        let now = clock::now();
        if seen.first_end.is_some_and(|end| end <= now) {
            store.end_sessions(now).await?;
        }
        let sessions = store.sessions_if_changed(&mut seen.access, now).await?;
        let changed = revocations.is_some() || keys.is_some() || sessions.is_some();
        if let Some(all) = revocations {
            self.identity.board().replace(all.into_iter().map(on_the_board));
        }
        if let Some(keys) = keys {
            self.identity.load(keys);
        }
        if let Some(sessions) = sessions {
            self.put_sessions(&mut seen, sessions);
        }
        if changed {
            self.recheck();
        }
        self.reload_standings(&mut seen).await?;
        Ok(changed)
    }

    /// Refuses every key until [`Force::refresh`] has read them again: a revocation may have gone unnoticed.
    pub(crate) fn distrust(&self) {
        // Without waiting for whoever waits for the store.
        self.doubted.store(true, Ordering::Release);
        self.identity.suspend();
    }

    /// Adds a key, which opens the door from now on.
    pub(crate) async fn add_key(&self, key: &KeyRecord) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        self.state.store().insert_key(key).await?;
        self.reload_keys(&mut seen).await
    }

    /// Revokes a key; whether it stood until now.
    pub(crate) async fn revoke_key(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut seen = self.seen.lock().await;
        let stood = self.state.store().revoke_key(id, now).await?;
        self.reload_keys(&mut seen).await?;
        Ok(stood)
    }

    /// Revokes what the target covers, and keeps that.
    pub(crate) async fn revoke(&self, target: Target, record: &RevocationRecord) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        self.state.store().insert_revocation(record, &mut seen.revocations).await?;
        self.identity.board().revoke(target, record.before);
        self.recheck();
        Ok(())
    }

    /// Lifts a revocation; none when there is none of that id.
    pub(crate) async fn lift(
        &self,
        id: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<RevocationRecord>, StoreError> {
        let mut seen = self.seen.lock().await;
        let store = self.state.store();
        let lifted = store.lift_revocation(id, by, now).await?;
        if let Some(all) = store.revocations_if_changed(&mut seen.revocations, now).await? {
            self.identity.board().replace(all.into_iter().map(on_the_board));
        }
        Ok(lifted.map(|(record, _)| record))
    }

    /// Adds a case, which grants nothing by itself.
    pub(crate) async fn add_case(&self, case: &Case) -> Result<(), StoreError> {
        self.state.store().insert_case(case).await
    }

    /// Puts a case in the place of what it was, and ends the sessions on it if it is closed; false when it was not so any more.
    pub(crate) async fn replace_case(&self, before: &Case, after: &Case) -> Result<bool, StoreError> {
        let mut seen = self.seen.lock().await;
        let replaced = self.state.store().replace_case(before, after).await?;
        self.reload_sessions(&mut seen).await?;
        Ok(replaced)
    }

    /// Adds a session, whose credential is good from now on.
    pub(crate) async fn add_session(&self, session: &SessionRecord) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        self.state.store().insert_session(session).await?;
        self.reload_sessions(&mut seen).await
    }

    async fn reload_sessions(&self, seen: &mut Seen) -> Result<(), StoreError> {
        if let Some(sessions) = self.state.store().sessions_if_changed(&mut seen.access, clock::now()).await? {
            self.put_sessions(seen, sessions);
            self.recheck();
        }
        Ok(())
    }

    fn put_sessions(&self, seen: &mut Seen, sessions: Vec<SessionRecord>) {
        seen.first_end = sessions.iter().map(|session| session.expires).min();
        self.identity.load_sessions(sessions);
    }

    /// Keeps what was said of somebody at `said`, unless something newer was; policies read it from now on.
    pub(crate) async fn stand(&self, standing: &StandingRecord, said: Timestamp) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        self.state.store().set_standing(standing, said).await?;
        self.reload_standings(&mut seen).await
    }

    async fn reload_standings(&self, seen: &mut Seen) -> Result<(), StoreError> {
        let Some(gateway) = self.gateway.get().and_then(Weak::upgrade) else { return Ok(()) };
        let Some(all) = self.state.store().standings_if_changed(&mut seen.standings).await? else { return Ok(()) };
        let stages = gateway.stages();
        for StandingRecord { tenant, subject, what, value } in all {
            stages.policy.standings().change(&tenant, &subject, |standing| match &*what {
                "compliant" => standing.compliant = Some(value == "yes"),
                "risk" => standing.risk = Risk::ALL.into_iter().find(|risk| risk.as_str() == value),
                "assurance" => standing.assurance = Some(value.as_str().into()),
                // Of a newer release.
                _ => {}
            });
        }
        Ok(())
    }

    async fn reload_keys(&self, seen: &mut Seen) -> Result<(), StoreError> {
        if let Some(keys) = self.state.store().keys_if_changed(&mut seen.keys).await? {
            self.identity.load(keys);
            self.recheck();
        }
        Ok(())
    }

    fn recheck(&self) {
        if let Some(gateway) = self.gateway.get().and_then(Weak::upgrade) {
            gateway.recheck();
        }
    }
}

/// A revocation as it stands on the board. One of something that this release does not know refuses everything until it is lifted.
fn on_the_board((target, before): (String, Timestamp)) -> (Target, Timestamp) {
    let target = target.parse().unwrap_or_else(|_| {
        tracing::error!("a revocation is of something unknown; everything is refused until it is lifted");
        Target::Everything
    });
    (target, before)
}
