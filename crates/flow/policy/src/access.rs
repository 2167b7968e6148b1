//! Access for a purpose and a time: who may ask, who decides, what is granted and when it is over.
//!
//! Threat: standing permissions that wait to be stolen, and people who grant themselves what they need. So access is asked for
//! by name, approved by as many others as its kind demands, never by whoever asks, holds or acts, and over by itself. Where there is no
//! time to ask, whoever may break the glass has it at once, and somebody else has to look at it afterwards.
//!
//! Pure functions on a [`Case`]: they are handed `now` and keep nothing. That a case is decided on by one hand at a time is the
//! store's affair.

use std::{sync::Arc, time::Duration};

use countersign_core::{
    Principal, Timestamp,
    access::{Being, Case, Closed, Decision, Ending, Grant, Stand},
    principal::PrincipalKind,
};

/// One kind of access, as configured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Access {
    /// What it is asked for by.
    pub name: Arc<str>,
    /// The roles that its holders have meanwhile.
    pub roles: Vec<Arc<str>>,
    /// What it can be asked for: `model:NAME`, `tool:NAME`, `data:NAME`; a trailing `*` matches any rest.
    pub things: Vec<Box<str>>,
    /// For how long at most.
    pub longest: Duration,
    /// How many have to approve.
    pub approvals: u32,
    /// Roles of those who may approve, deny, end and review.
    pub approvers: Vec<Arc<str>>,
    /// Roles of those who may have it at once, to be reviewed afterwards.
    pub glass: Vec<Arc<str>>,
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Who is to have it; the asker when none.
    pub holder: Option<(Being, PrincipalKind)>,
    /// Who is to act for the holder.
    pub actor: Option<Being>,
    /// What for.
    pub things: Vec<Arc<str>>,
    /// Why.
    pub purpose: String,
    /// For how long.
    pub span: Duration,
}

/// Why a step is not taken. It changes nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Who asks is neither to hold the access nor to act for its holder.
    #[error("access is asked for by who is to have it, or to act for them")]
    ForOthers,
    /// One cannot act for oneself.
    #[error("nobody acts for themselves")]
    ActsForSelf,
    /// A purpose is missing or too long.
    #[error("a purpose is needed, of at most 500 characters")]
    Purpose,
    /// Nothing is asked for, too much, or what this access is not for.
    #[error("ask for at least one thing, at most 32, and only for what this access can be asked for")]
    Things,
    /// For no time, or for longer than this access is granted.
    #[error("ask for at least a minute, and for no longer than this access is granted")]
    Span,
    /// The case is not in a state for this.
    #[error("the case is {}", .0.as_str())]
    Stands(Stand),
    /// Approving, denying and reviewing are for people who speak for themselves.
    #[error("only a person who speaks for themselves decides")]
    NoPerson,
    /// One does not decide about one's own access.
    #[error("nobody decides about what they asked for, hold or act for")]
    Oneself,
    /// The approver's roles do not fit, or the tenant is another.
    #[error("who decides needs a role that this access names, in the holder's tenant")]
    NoApprover,
    /// One word each.
    #[error("they have decided already")]
    Twice,
    /// Their roles do not let them break the glass.
    #[error("who takes access without approval needs a role that this access names")]
    NoGlass,
    /// What they took before has not been reviewed.
    #[error("what they took without approval before has to be reviewed first")]
    Unreviewed,
    /// Nothing of the case has to be reviewed.
    #[error("there is nothing to review")]
    NoReview,
    /// The note is too long.
    #[error("a note has at most 500 characters")]
    Note,
}

impl Access {
    /// Opens a case for what `who` wishes.
    ///
    /// # Errors
    /// [`Fault::ForOthers`], [`Fault::ActsForSelf`], [`Fault::Purpose`], [`Fault::Things`], [`Fault::Span`].
    pub fn ask(&self, id: Arc<str>, who: &Principal, wish: Wish, now: Timestamp) -> Result<Case, Fault> {
        let asker = Being::from(who);
        let (holder, kind) = wish.holder.unwrap_or_else(|| (asker.clone(), who.kind));
        if holder != asker && wish.actor.as_ref() != Some(&asker) {
            return Err(Fault::ForOthers);
        }
        // A session speaks with borrowed rights, which do not ask for more.
        if who.session.is_some() {
            return Err(Fault::ForOthers);
        }
        if wish.actor.as_ref() == Some(&holder) {
            return Err(Fault::ActsForSelf);
        }
        if wish.purpose.trim().is_empty() || wish.purpose.chars().count() > LONGEST_TEXT {
            return Err(Fault::Purpose);
        }
        let mut things = wish.things;
        things.sort();
        things.dedup();
        if things.is_empty() || things.len() > MOST_THINGS || !things.iter().all(|thing| self.is_for(thing)) {
            return Err(Fault::Things);
        }
        if wish.span < SHORTEST || wish.span > self.longest {
            return Err(Fault::Span);
        }
        Ok(Case {
            id,
            access: self.name.clone(),
            asker,
            holder,
            kind,
            actor: wish.actor,
            things,
            purpose: wish.purpose,
            span: wish.span,
            asked: now,
            needed: self.approvals,
            decisions: Vec::new(),
            glass: false,
            grant: None,
            closed: None,
            review: None,
        })
    }

    /// Adds the word of `who`. The last approval that is needed grants, and one no denies.
    ///
    /// # Errors
    /// [`Fault::Stands`] unless the case is pending; [`Fault::NoPerson`], [`Fault::Oneself`], [`Fault::NoApprover`], [`Fault::Twice`],
    /// [`Fault::Note`].
    pub fn decide(
        &self,
        case: &mut Case,
        who: &Principal,
        yes: bool,
        note: String,
        now: Timestamp,
    ) -> Result<(), Fault> {
        stands(case, Stand::Pending, now)?;
        self.may_decide(case, who)?;
        let decision = decision(who, yes, note, now)?;
        if case.decisions.iter().any(|earlier| earlier.by == decision.by) {
            return Err(Fault::Twice);
        }
        let by = decision.by.clone();
        case.decisions.push(decision);
        if !yes {
            case.closed = Some(Closed { how: Ending::Denied, by, at: now });
        } else if case.decisions.len() >= case.needed.max(self.approvals) as usize {
            // The configuration may have changed since it was asked for: the stricter of both counts.
            case.grant = Some(self.grant(case.span, now));
        }
        Ok(())
    }

    /// Opens a case and grants it at once. `unreviewed` is how many cases of this holder are still to be reviewed.
    ///
    /// # Errors
    /// As [`Access::ask`]; [`Fault::NoGlass`], [`Fault::NoPerson`], [`Fault::Unreviewed`].
    pub fn break_glass(
        &self,
        id: Arc<str>,
        who: &Principal,
        wish: Wish,
        unreviewed: usize,
        now: Timestamp,
    ) -> Result<Case, Fault> {
        if who.kind != PrincipalKind::Person || who.session.is_some() || wish.holder.is_some() || wish.actor.is_some() {
            return Err(Fault::NoPerson);
        }
        if !has_any(who, &self.glass) {
            return Err(Fault::NoGlass);
        }
        if unreviewed > 0 {
            return Err(Fault::Unreviewed);
        }
        let mut case = self.ask(id, who, wish, now)?;
        case.grant = Some(self.grant(case.span, now));
        case.glass = true;
        Ok(case)
    }

    /// Reviews what was taken without approval. A no also ends it, if it is not over yet.
    ///
    /// # Errors
    /// [`Fault::NoReview`], [`Fault::NoPerson`], [`Fault::Oneself`], [`Fault::NoApprover`], [`Fault::Note`].
    pub fn review(
        &self,
        case: &mut Case,
        who: &Principal,
        yes: bool,
        note: String,
        now: Timestamp,
    ) -> Result<(), Fault> {
        if !case.unreviewed() {
            return Err(Fault::NoReview);
        }
        self.may_decide(case, who)?;
        let decision = decision(who, yes, note, now)?;
        if !yes && case.closed.is_none() {
            case.closed = Some(Closed { how: Ending::Ended, by: decision.by.clone(), at: now });
        }
        case.review = Some(decision);
        Ok(())
    }

    /// Whether `who` has a role that decides on this access.
    #[must_use]
    pub fn is_approver(&self, who: &Principal) -> bool {
        has_any(who, &self.approvers)
    }

    fn may_decide(&self, case: &Case, who: &Principal) -> Result<(), Fault> {
        if who.kind != PrincipalKind::Person || who.session.is_some() {
            return Err(Fault::NoPerson);
        }
        if concerns(case, &Being::from(who)) {
            return Err(Fault::Oneself);
        }
        if who.tenant != case.holder.tenant || !self.is_approver(who) {
            return Err(Fault::NoApprover);
        }
        Ok(())
    }

    fn grant(&self, span: Duration, now: Timestamp) -> Grant {
        Grant { roles: self.roles.clone(), begins: now, ends: now.plus(span.min(self.longest)) }
    }

    fn is_for(&self, thing: &str) -> bool {
        let named = |thing: &str| {
            let name = ["model:", "tool:", "data:"].iter().find_map(|sort| thing.strip_prefix(sort));
            name.is_some_and(|name| (1..=256).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic()))
        };
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => thing.starts_with(prefix),
            None => thing == pattern,
        };
        named(thing) && self.things.iter().any(|pattern| fits(pattern))
    }
}

/// Takes a request back, or ends what was granted; whether `who` may is for the caller to ask unless the case concerns them.
///
/// # Errors
/// [`Fault::Stands`] when it is neither pending nor granted.
pub fn close(case: &mut Case, who: &Principal, now: Timestamp) -> Result<(), Fault> {
    let how = match case.stand(now) {
        Stand::Pending => Ending::Withdrawn,
        Stand::Granted => Ending::Ended,
        other => return Err(Fault::Stands(other)),
    };
    case.closed = Some(Closed { how, by: who.into(), at: now });
    Ok(())
}

/// Whether the case is about `being`: they asked, hold or act.
#[must_use]
pub fn concerns(case: &Case, being: &Being) -> bool {
    [Some(&case.asker), Some(&case.holder), case.actor.as_ref()].contains(&Some(being))
}

fn stands(case: &Case, expected: Stand, now: Timestamp) -> Result<(), Fault> {
    let stand = case.stand(now);
    // A request that lies in the future was made before the clock was set back.
    if stand == expected && case.asked <= now { Ok(()) } else { Err(Fault::Stands(stand)) }
}

fn decision(who: &Principal, yes: bool, note: String, at: Timestamp) -> Result<Decision, Fault> {
    if note.chars().count() > LONGEST_TEXT {
        return Err(Fault::Note);
    }
    Ok(Decision { by: who.into(), yes, at, note })
}

fn has_any(who: &Principal, roles: &[Arc<str>]) -> bool {
    roles.iter().any(|role| who.roles.contains(role))
}

const LONGEST_TEXT: usize = 500;
const MOST_THINGS: usize = 32;
const SHORTEST: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
