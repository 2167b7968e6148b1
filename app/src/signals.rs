//! What the security events of issuers lead to: revocations, and what policies read of a principal's standing.
//!
//! Threats: an event that is played again (it is noted for as long as it could be believed); one that is
//! acknowledged and lost (it is acknowledged when all it leads to is kept); one that takes away what an administrator needs to see
//! (each is on record, and its revocations can be lifted like any other).

pub(crate) mod poll;
pub(crate) mod rsa;
pub(crate) mod send;

use countersign_audit::{
    Audit,
    record::{Changed, Members, Place, Who},
};
use countersign_core::{Code, Refusal, RequestId, Target, Timestamp};
use countersign_identity::token::{Event, Signal};
use countersign_policy::Administer;
use countersign_store::{RevocationRecord, StandingRecord};
use data_encoding::HEXLOWER;

use crate::{
    admin::ask::{new_id, unkept},
    force::Force,
    state::State,
};

/// What taking events in needs.
pub(crate) struct Intake<'a> {
    pub(crate) state: &'a State,
    pub(crate) force: &'a Force,
    pub(crate) audit: &'a Audit,
}

/// Does what an event leads to, once; returns when that is kept.
///
/// # Errors
/// `CS0601` or `CS0804` when it cannot be recorded or kept: then it may be handed in again.
pub(crate) async fn take(
    intake: &Intake<'_>,
    signal: &Signal,
    request: RequestId,
    from: Place,
    now: Timestamp,
) -> Result<(), Refusal> {
    let store = intake.state.store();
    let hasher = intake.state.ring().hasher("security event");
    let hasher = hasher.map_err(|_| Refusal::new(Code::Internal, "the key ring gave no hasher"))?;
    let event = HEXLOWER.encode(&hasher.hash(format!("{}\n{}", signal.issuer, signal.id).as_bytes()));
    if store.knows_signal(&event).await.map_err(unkept)? {
        return Ok(());
    }
    act(intake, signal, request, from, now).await?;
    // Afterwards: an event that a crash cut short comes again, and what it did already it does once more, which changes nothing.
    store.note_signal(&event, signal.ends, now).await.map(drop).map_err(unkept)
}

/// Takes note that a token was shown that may be shown once.
///
/// # Errors
/// `CS0202` when it was shown before, `CS0804` when that cannot be kept.
pub(crate) async fn once(intake: &Intake<'_>, signal: &Signal, now: Timestamp) -> Result<(), Refusal> {
    let hasher = intake.state.ring().hasher("global revocation");
    let hasher = hasher.map_err(|_| Refusal::new(Code::Internal, "the key ring gave no hasher"))?;
    let shown = HEXLOWER.encode(&hasher.hash(format!("{}\n{}", signal.issuer, signal.id).as_bytes()));
    // Noted before anything is done, so that of two who show it at once one is refused, on whatever node.
    if intake.state.store().note_signal(&shown, signal.ends, now).await.map_err(unkept)? {
        return Ok(());
    }
    Err(Refusal::new(Code::BadCredential, "the token was shown before"))
}

/// Does what an event leads to.
///
/// # Errors
/// `CS0601` or `CS0804` when it cannot be recorded or kept.
pub(crate) async fn act(
    intake: &Intake<'_>,
    signal: &Signal,
    request: RequestId,
    from: Place,
    now: Timestamp,
) -> Result<(), Refusal> {
    let reasons: Vec<&str> = signal.events.iter().filter_map(revokes).collect();
    let revoked = if reasons.is_empty() { Vec::new() } else { signal.about.narrowest() };
    let said: Vec<(&str, String)> = signal.events.iter().filter_map(stands).collect();
    let by = format!("issuer:{}", signal.issuer);
    record(intake, signal, &revoked, &said, request, from, now).await?;
    for target in revoked {
        let final_ = target.is_final();
        let kept = RevocationRecord {
            id: new_id("rev_", now).into(),
            target: target.to_string().into(),
            // Tokens say to the second when they were issued: one of the same second may be older than the event.
            before: if final_ { Timestamp::MAX } else { signal.issued.plus(SECOND) },
            until: final_.then(|| signal.issued.plus(SESSIONS)),
            at: now,
            by: by.as_str().into(),
            reason: reasons.join(", "),
            lifted: None,
        };
        intake.force.revoke(target, &kept).await.map_err(unkept)?;
    }
    for target in &signal.about.principals {
        let Target::Principal(tenant, subject) = target else { continue };
        for (what, value) in &said {
            let standing = StandingRecord {
                tenant: tenant.to_string(),
                subject: subject.to_string(),
                what: (*what).to_owned(),
                value: value.clone(),
            };
            intake.force.stand(&standing, signal.issued).await.map_err(unkept)?;
        }
    }
    Ok(())
}

/// Puts on record what an event leads to, before it does.
async fn record(
    intake: &Intake<'_>,
    signal: &Signal,
    revoked: &[Target],
    said: &[(&str, String)],
    request: RequestId,
    from: Place,
    now: Timestamp,
) -> Result<(), Refusal> {
    let list = |targets: &[Target]| targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut becomes = Members::new();
    if !revoked.is_empty() {
        becomes.insert("revoked".into(), list(revoked));
    }
    if !said.is_empty() {
        becomes.insert("about".into(), list(&signal.about.principals));
    }
    for (what, value) in said {
        becomes.insert((*what).to_owned().into(), value.clone());
    }
    let who = Who {
        tenant: "".into(),
        subject: signal.issuer.clone(),
        kind: "service".into(),
        roles: [].into(),
        credential: format!("issuer:{}", signal.issuer).into(),
        method: "security-event".into(),
        acts: Vec::new(),
    };
    let changed = Changed {
        request,
        at: now.0,
        who,
        from,
        action: Administer::SendSignals.as_str().into(),
        what: format!("event {} of {}", signal.id, signal.issuer),
        was: Members::new(),
        becomes,
    };
    intake.audit.changed(changed).await
}

/// Why an event takes credentials away, if it does.
const fn revokes(event: &Event) -> Option<&'static str> {
    match event {
        Event::SessionRevoked => Some("session-revoked"),
        Event::TokensRevoked => Some("global-token-revocation"),
        Event::CredentialChanged => Some("credential-change"),
        Event::ClaimsChanged => Some("token-claims-change"),
        // What tokens say of the log-in is too much from now on.
        Event::Assurance { fell: true, .. } => Some("assurance-level-change"),
        Event::Assurance { .. } | Event::Compliance(_) | Event::Risk(_) | Event::Verification | Event::Other => None,
    }
}

/// What an event says of somebody's standing, if it does.
fn stands(event: &Event) -> Option<(&'static str, String)> {
    match event {
        Event::Compliance(compliant) => Some(("compliant", if *compliant { "yes" } else { "no" }.to_owned())),
        Event::Risk(level) => Some(("risk", (*level).to_owned())),
        Event::Assurance { level, .. } => Some(("assurance", level.to_string())),
        _ => None,
    }
}

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);
/// No token of a session lives as long as this.
const SESSIONS: std::time::Duration = std::time::Duration::from_hours(24 * 400);
