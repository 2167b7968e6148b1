//! Puts on record what the command line changes beside the gateway.
//!
//! The audit log has one writer, the gateway. So a command leaves a note in the store before it changes anything; a gateway takes
//! the note up within a quarter of a second, or when it starts. A note whose change then failed is on record all the same, as with
//! changes by the admin API; one that a crash interrupts is on record twice rather than never.

use std::time::Duration;

use anyhow::Context;
use countersign_audit::{
    Audit,
    record::{Changed, Members, Place, Who},
};
use countersign_core::{RequestId, Timestamp};
use countersign_policy::Administer;

use crate::{admin::ask::new_id, clock, state::State};

/// Leaves a note of a change that is about to be made.
pub(crate) async fn note(
    state: &State,
    action: Administer,
    what: &str,
    was: Members,
    becomes: Members,
) -> anyhow::Result<()> {
    let now = clock::now();
    let user = rustix::process::getuid().as_raw();
    let changed = Changed {
        request: RequestId::new(now, clock::random()),
        at: now.0,
        who: Who {
            tenant: "".into(),
            subject: BY.into(),
            kind: "person".into(),
            roles: [].into(),
            credential: format!("uid:{user}").into(),
            method: "state-directory".into(),
            acts: Vec::new(),
        },
        from: Place { ip: None, listener: BY.into() },
        action: action.as_str().into(),
        what: what.to_owned(),
        was,
        becomes,
    };
    Ok(state.store().note_unrecorded(&new_id("chg_", now), &serde_json::to_string(&changed)?).await?)
}

/// Puts on record what was noted.
pub(crate) async fn record(state: &State, audit: &Audit, now: Timestamp) -> anyhow::Result<()> {
    for (id, said) in state.store().take_unrecorded(now, now.plus(HOLD)).await? {
        let changed: Changed = serde_json::from_str(&said).context("a note of a change cannot be read")?;
        audit
            .changed(changed)
            .await
            .map_err(|refusal| anyhow::anyhow!("a change is not on record: {}", refusal.reason))?;
        state.store().recorded(&id).await?;
    }
    Ok(())
}

/// Who changes something here: whoever may write to the state directory.
pub(crate) const BY: &str = "command-line";

/// So long may it take to put what was noted on record, before another node tries.
const HOLD: Duration = Duration::from_secs(30);
