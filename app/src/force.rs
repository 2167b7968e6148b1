//! Keeps what is in force here in step with what the store holds: API keys, sessions, revocations and the directory.
//!
//! A change that is made here holds at once; one that another process made, at the next look. INVARIANT: one at a time. What is read from
//! the store and then put in force never runs beside a change made here, or it could take away what was added in between.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use countersign_core::{Measure, Restraint, Target, Timestamp, access::Case};
use countersign_gateway::Gateway;
use countersign_identity::{Identity, KeyRecord, token::Directory};
use countersign_policy::Risk;
use countersign_seal::Scope;
use countersign_store::{RestraintRecord, Revision, RevocationRecord, SessionRecord, StandingRecord, StoreError};
use tokio::sync::Mutex;

use crate::{clock, cluster::Tell, state::State};

/// What is in force.
pub(crate) struct Force {
    state: Arc<State>,
    identity: Arc<Identity>,
    gateway: OnceLock<Weak<Gateway>>,
    doubted: AtomicBool,
    /// The issuer whose users a directory keeps in step here.
    issuer: std::sync::Mutex<Option<Arc<str>>>,
    /// Tells other nodes that something changed.
    others: Tell,
    seen: Mutex<Seen>,
}

/// How much of each part of the store is in force.
#[derive(Default)]
struct Seen {
    keys: Revision,
    revocations: Revision,
    access: Revision,
    standings: Revision,
    directory: Revision,
    data_keys: Revision,
    /// For which issuer the directory was read.
    issuer: Option<Arc<str>>,
    /// What the store has revoked. INVARIANT: with `shut_out` it is all that stands on the board.
    revoked: HashMap<Target, Timestamp>,
    restraints: Revision,
    /// What is laid upon somebody and was not over at the last look.
    laid: Vec<RestraintRecord>,
    /// Whom the directory has deactivated or deleted.
    shut_out: Vec<Target>,
    /// Nobody is believed until all of it has been read again.
    doubted: bool,
    /// When the first of the sessions in force is over.
    first_end: Option<Timestamp>,
}

impl Seen {
    /// Of two moments for the same target, the later one counts.
    fn revoke(&mut self, target: Target, before: Timestamp) {
        let cutoff = self.revoked.entry(target).or_insert(before);
        *cutoff = before.max(*cutoff);
    }
}

impl Force {
    /// Nothing is in force until the first [`Force::refresh`].
    pub(crate) fn new(state: Arc<State>, identity: Arc<Identity>) -> Self {
        let (gateway, doubted) = (OnceLock::new(), AtomicBool::new(false));
        let (issuer, others) = (std::sync::Mutex::default(), OnceLock::new());
        Self { state, identity, gateway, doubted, issuer, others, seen: Mutex::default() }
    }

    /// Has other nodes told whenever something is changed here.
    pub(crate) fn tell_others(&self, tell: impl Fn() + Send + Sync + 'static) {
        // There is one cluster, and it is told once.
        let _ = self.others.set(Box::new(tell));
    }

    /// Has the directory count for the issuer of that name, or for none, from the next look on.
    pub(crate) fn provision(&self, issuer: Option<Arc<str>>) {
        *self.issuer.lock().unwrap_or_else(PoisonError::into_inner) = issuer;
    }

    /// The issuer whose users the directory is of.
    pub(crate) fn provisioned(&self) -> Option<Arc<str>> {
        self.issuer.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
            // The lists stay until they are read again: nothing that is revoked is let in meanwhile.
            let (revoked, shut_out) = (std::mem::take(&mut seen.revoked), std::mem::take(&mut seen.shut_out));
            *seen = Seen { revoked, shut_out, doubted: true, ..Seen::default() };
        }
        let store = self.state.store();
        let now = clock::now();
        // Each is put in force before the next is read: what has been seen and was not put in force would not be read again.
        let mut changed = self.reload_revocations(&mut seen, now).await?;
        changed |= self.reload_restraints(&mut seen, now).await?;
        changed |= self.reload_keys(&mut seen).await?;
        if seen.doubted {
            // Keys that are read again are believed again; not before the rest is read, too.
            self.identity.suspend();
        }
        changed |= self.reload_directory(&mut seen).await?;
        if seen.first_end.is_some_and(|end| end <= now) {
            store.end_sessions(now).await?;
        }
        changed |= self.reload_sessions(&mut seen).await?;
        self.reload_standings(&mut seen).await?;
        self.state.refresh_data(&mut seen.data_keys).await?;
        if std::mem::take(&mut seen.doubted) {
            self.put_on_board(&seen);
            self.identity.resume();
        }
        Ok(changed)
    }

    /// Something in the directory was written here.
    pub(crate) async fn directory_changed(&self) -> Result<(), StoreError> {
        self.changed_here();
        let mut seen = self.seen.lock().await;
        self.reload_directory(&mut seen).await.map(drop)
    }

    async fn reload_directory(&self, seen: &mut Seen) -> Result<bool, StoreError> {
        let issuer = self.provisioned();
        if seen.issuer != issuer {
            seen.directory = Revision::default();
        }
        let Some(members) = self.state.store().directory_if_changed(&mut seen.directory).await? else {
            return Ok(false);
        };
        seen.issuer = issuer;
        let (mut groups, mut shut_out) = (Vec::new(), Vec::new());
        if let Some(issuer) = &seen.issuer {
            for member in members {
                if !member.active {
                    let subject = format!("{issuer}/{}", member.external_id);
                    shut_out.push(Target::Principal(member.tenant.clone(), subject.into()));
                }
                groups.push((member.tenant, member.external_id, member.groups));
            }
            self.identity.tokens().set_directory(Directory::new(issuer.clone(), groups));
        } else {
            self.identity.tokens().set_directory(Directory::default());
        }
        // Most changes shut nobody out, and no stream has to be looked at for them.
        if seen.shut_out != shut_out {
            seen.shut_out = shut_out;
            self.put_on_board(seen);
        }
        Ok(true)
    }

    async fn reload_revocations(&self, seen: &mut Seen, now: Timestamp) -> Result<bool, StoreError> {
        let all = self.state.store().revocations_if_changed(&mut seen.revocations, now).await?;
        let Some(all) = all else { return Ok(false) };
        seen.revoked.clear();
        for (target, before) in all.into_iter().map(on_the_board) {
            seen.revoke(target, before);
        }
        self.put_on_board(seen);
        Ok(true)
    }

    fn put_on_board(&self, seen: &Seen) {
        let shut_out = seen.shut_out.iter().map(|target| (target.clone(), Timestamp::MAX));
        let everything = seen.doubted.then_some((Target::Everything, Timestamp::MAX));
        self.identity.board().replace(
            seen.revoked.iter().map(|(target, before)| (target.clone(), *before)).chain(shut_out).chain(everything),
        );
        self.recheck();
    }

    /// Refuses everybody and cuts every answer until [`Force::refresh`] has read the store again: a revocation may have gone
    /// unnoticed.
    pub(crate) fn distrust(&self) {
        // Without waiting for whoever waits for the store.
        self.doubted.store(true, Ordering::Release);
        self.identity.suspend();
        // Taken off the board again by the next good look at all of it.
        self.identity.board().revoke(Target::Everything, Timestamp::MAX);
        self.recheck();
    }

    /// Adds a key, which opens the door from now on.
    pub(crate) async fn add_key(&self, key: &KeyRecord) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        self.state.store().insert_key(key).await?;
        self.changed_here();
        self.reload_keys(&mut seen).await.map(drop)
    }

    /// Revokes a key; whether it stood until now.
    pub(crate) async fn revoke_key(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut seen = self.seen.lock().await;
        let stood = self.state.store().revoke_key(id, now).await?;
        self.changed_here();
        self.reload_keys(&mut seen).await?;
        Ok(stood)
    }

    /// Revokes what the target covers, and keeps that. In force before it is kept: what takes access away need not wait for a
    /// disk. When it cannot be kept, the next look at the store takes it back.
    pub(crate) async fn revoke(&self, target: Target, record: &RevocationRecord) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        self.identity.board().revoke(target.clone(), record.before);
        seen.revoke(target, record.before);
        self.recheck();
        // Nothing counts as seen meanwhile: whoever asked for it may go away in the middle of this.
        let mut revision = std::mem::take(&mut seen.revocations);
        self.state.store().insert_revocation(record, &mut revision).await?;
        seen.revocations = revision;
        self.changed_here();
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
        self.changed_here();
        self.reload_revocations(&mut seen, now).await?;
        Ok(lifted.map(|(record, _)| record))
    }

    /// Holds somebody back, and keeps that. In force before it is kept, as a revocation is; when it cannot be kept, the next look at the
    /// store takes it back.
    pub(crate) async fn restrain(&self, record: &RestraintRecord) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        let (target, restraint) = laid(record);
        self.identity.board().restrain(target, restraint);
        self.recheck();
        seen.restraints = Revision::default();
        self.state.store().insert_restraint(record).await?;
        self.changed_here();
        self.reload_restraints(&mut seen, record.since).await.map(drop)
    }

    /// Releases somebody who is held back; none when there is no case of that id.
    pub(crate) async fn release(
        &self,
        id: &str,
        by: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Option<RestraintRecord>, StoreError> {
        let mut seen = self.seen.lock().await;
        let released = self.state.store().release_restraint(id, by, reason, now).await?;
        self.changed_here();
        self.reload_restraints(&mut seen, now).await?;
        Ok(released)
    }

    async fn reload_restraints(&self, seen: &mut Seen, now: Timestamp) -> Result<bool, StoreError> {
        let all = self.state.store().restraints_if_changed(&mut seen.restraints, now).await?;
        let before = seen.laid.len();
        let read = all.is_some();
        if let Some(all) = all {
            seen.laid = all;
        }
        // Time ends them without anybody changing the store.
        seen.laid.retain(|record| record.until > now);
        let changed =
            (read || seen.laid.len() != before) && self.identity.board().replace_restraints(seen.laid.iter().map(laid));
        if changed {
            self.recheck();
        }
        Ok(changed)
    }

    /// Destroys the keys of `scope` for good.
    pub(crate) async fn forget(&self, scope: &Scope<'_>) -> anyhow::Result<()> {
        // One at a time: a look at the store that began before would bring them back until the next one.
        let _turn = self.seen.lock().await;
        self.state.forget(scope).await?;
        self.changed_here();
        Ok(())
    }

    /// Adds a case, which grants nothing by itself.
    pub(crate) async fn add_case(&self, case: &Case) -> Result<(), StoreError> {
        self.state.store().insert_case(case).await
    }

    /// Puts a case in the place of what it was, and ends the sessions on it if it is closed; false when it was not so any more.
    pub(crate) async fn replace_case(&self, before: &Case, after: &Case) -> Result<bool, StoreError> {
        let mut seen = self.seen.lock().await;
        let replaced = self.state.store().replace_case(before, after).await?;
        self.changed_here();
        self.reload_sessions(&mut seen).await?;
        Ok(replaced)
    }

    /// Adds a session, whose credential is good from now on.
    pub(crate) async fn add_session(&self, session: &SessionRecord) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        self.state.store().insert_session(session).await?;
        self.changed_here();
        self.reload_sessions(&mut seen).await.map(drop)
    }

    async fn reload_sessions(&self, seen: &mut Seen) -> Result<bool, StoreError> {
        let sessions = self.state.store().sessions_if_changed(&mut seen.access, clock::now()).await?;
        let Some(sessions) = sessions else { return Ok(false) };
        seen.first_end = sessions.iter().map(|session| session.expires).min();
        self.identity.load_sessions(sessions);
        self.recheck();
        Ok(true)
    }

    /// Keeps what was said of somebody at `said`, unless something newer was; policies read it from now on.
    pub(crate) async fn stand(&self, standing: &StandingRecord, said: Timestamp) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        self.state.store().set_standing(standing, said).await?;
        self.changed_here();
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

    async fn reload_keys(&self, seen: &mut Seen) -> Result<bool, StoreError> {
        let Some(keys) = self.state.store().keys_if_changed(&mut seen.keys).await? else { return Ok(false) };
        self.identity.load(keys);
        self.recheck();
        Ok(true)
    }

    fn changed_here(&self) {
        if let Some(tell) = self.others.get() {
            tell();
        }
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

/// A restraint as it stands on the board. Of a newer release, it holds back more rather than less.
fn laid(record: &RestraintRecord) -> (Target, Restraint) {
    let unknown = |what: &str| {
        tracing::error!(case = &*record.id, "a restraint has an unknown {what}; all that it could mean is refused")
    };
    let target = record.target.parse().unwrap_or_else(|_| {
        unknown("target");
        Target::Everything
    });
    let measure = record.measure.parse().unwrap_or_else(|_| {
        unknown("measure");
        Measure::Quarantine
    });
    (target, Restraint { case: record.id.clone(), measure, since: record.since })
}

#[cfg(test)]
mod tests;
