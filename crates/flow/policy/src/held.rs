//! What restraints mean for a request: quarantine, a lower rate, a fresh login, reading and nothing else.
//!
//! They come before policies, and no policy lifts them: they were laid upon somebody because something went wrong, and end by
//! themselves or when a person releases the case.

use std::sync::Arc;

use countersign_core::{Call, Code, Measure, Principal, Refusal, Restraint, StepUp, Timestamp};

use crate::{Rate, administer::Administer};

/// The rate of somebody who may be throttled; none for whoever is in quarantine.
pub(crate) fn rate(who: &Principal, rate: Rate, now: Timestamp) -> Result<Rate, Refusal> {
    who.lease.allows(now)?;
    let throttled = |rate: Rate, restraint: Restraint| match restraint.measure {
        Measure::Throttle(most) => {
            let minute = rate.per_minute.unwrap_or(u64::MAX).min(most.get().into());
            Rate { per_minute: Some(minute), burst: Some(rate.burst.unwrap_or(minute).min(minute)), ..rate }
        }
        _ => rate,
    };
    Ok(who.lease.restraints().into_iter().fold(rate, throttled))
}

/// Whether what is laid upon the caller leaves them this call.
pub(crate) fn from(who: &Principal, call: &Call, now: Timestamp) -> Result<(), Refusal> {
    held(who, !call.tools.is_empty() || call.attachments > 0, now)
}

/// Whether what is laid upon the caller leaves them this deed.
pub(crate) fn from_deed(who: &Principal, what: Administer, now: Timestamp) -> Result<(), Refusal> {
    held(who, !what.reads(), now)
}

fn held(who: &Principal, acts: bool, now: Timestamp) -> Result<(), Refusal> {
    for Restraint { case, measure, since } in who.lease.restraints() {
        let refused = match measure {
            Measure::ReadOnly if acts => Refusal::new(Code::ReadOnly, format!("held to reading, {case}")),
            Measure::StepUp(asked) if !logged_in(who, asked.as_deref(), since) => Refusal {
                step_up: Some(Arc::new(StepUp::since(asked.as_deref(), now.since(since)))),
                ..Refusal::new(Code::StepUpNeeded, format!("a login after the restraint is wanted, {case}"))
            },
            _ => continue,
        };
        return Err(Refusal { case: Some(case), ..refused });
    }
    Ok(())
}

/// Whether they have logged in after the restraint was laid, as it asks. A credential that says nothing of a login never has.
fn logged_in(who: &Principal, asked: Option<&StepUp>, since: Timestamp) -> bool {
    let Some(claims) = &who.claims else { return false };
    let fits = match asked.and_then(StepUp::acr) {
        None => true,
        Some(classes) => claims.acr.as_deref().is_some_and(|acr| classes.split(' ').any(|class| class == acr)),
    };
    // An issuer says when somebody logged in to the second.
    fits && claims.auth_time.is_some_and(|at| at.seconds() >= since.seconds())
}

#[cfg(test)]
mod tests;
