//! The stage: sets rate and capacity aside, asks before the prompt leaves, asks again before the answer returns.

use std::{fmt::Write, sync::Arc};

use arc_swap::ArcSwap;
use countersign_core::{
    Action, Call, Charge, Code, Finding, Format, Principal, Quota, Refusal, RequestId, Side, StepUp, Taint, Timestamp,
    Warden,
    charge::Ending,
    life::{Dispatched, Identified, Peer, Permit, Permitted, Readmitted, Reserved, Stamp, stage},
};

use crate::{
    administer::Administer,
    budget::{Aside, Budgets, Purse, Spent, Till, Weight},
    cache::Cache,
    facts::{Facts, Kinds},
    held,
    mentions::Mentions,
    policy::{Policy, names},
    rates::{Hold, Limiter, Rates},
    rules::{Judges, Rules},
    standing::Standings,
};

/// Everything the stage goes by, replaced as one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// What is done about findings.
    pub rules: Rules,
    /// How often, how much at once and how much in all.
    pub rates: Rates,
}

/// The policy stage. Shared by all tasks.
pub struct Stage {
    permit: Stamp<stage::Permit>,
    reserve: Stamp<stage::Reserve>,
    loaded: ArcSwap<Loaded>,
    /// Outlives reloads: what others say of principals is no part of the settings.
    standings: Arc<Standings>,
    /// Outlives reloads: what was used up stays used up.
    limiter: Limiter,
    /// As are budgets.
    till: Arc<dyn Till>,
    /// What of them is not settled yet.
    aside: Aside,
}

/// Rate and capacity for one request; dropping it gives the capacity back.
#[must_use]
pub struct Share {
    hold: Hold,
    quota: Option<Quota>,
    of: RequestId,
}

/// Settings and what is remembered about them; a reload forgets it with them.
struct Loaded {
    policy: Arc<Policy>,
    judges: Arc<Judges>,
    rates: Rates,
    verdicts: Cache<Verdict>,
    standings: Arc<Standings>,
}

/// The answer to one question.
#[derive(Clone)]
enum Verdict {
    Permitted(Permit),
    Refused(Code, Arc<str>, Option<Arc<StepUp>>),
}

impl Stage {
    /// Builds the stage.
    #[must_use]
    pub fn new(permit: Stamp<stage::Permit>, reserve: Stamp<stage::Reserve>, settings: Settings) -> Self {
        let standings = Arc::new(Standings::default());
        let loaded = ArcSwap::from_pointee(Loaded::new(settings, Arc::clone(&standings)));
        Self {
            permit,
            reserve,
            loaded,
            standings,
            limiter: Limiter::new(),
            till: Arc::new(Purse::default()),
            aside: Aside::default(),
        }
    }

    /// Has the figures of budgets kept by `till`, instead of from nothing in this process.
    #[must_use]
    pub fn with_till(self, till: Arc<dyn Till>) -> Self {
        Self { till, ..self }
    }

    /// Puts other settings in place. The next question sees them, the second question about a request in flight included.
    pub fn replace(&self, settings: Settings) {
        self.loaded.store(Arc::new(Loaded::new(settings, Arc::clone(&self.standings))));
    }

    /// Puts other policies in place, and leaves rules and rates as they are.
    pub fn replace_policy(&self, policy: &Arc<Policy>) {
        self.loaded.rcu(|loaded| Loaded {
            policy: policy.clone(),
            judges: loaded.judges.clone(),
            rates: loaded.rates.clone(),
            verdicts: Cache::new(),
            standings: loaded.standings.clone(),
        });
    }

    /// The policies in force.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.loaded.load().policy.clone()
    }

    /// What others say of principals, to be filled by whoever hears it.
    #[must_use]
    pub const fn standings(&self) -> &Arc<Standings> {
        &self.standings
    }

    /// May the prompt leave?
    ///
    /// # Errors
    /// `CS0301` when a scope of the credential, the policy or the rule on attachments says no; `CS0302` when a policy that decides
    /// cannot be evaluated; `CS0304` when another authentication would do; `CS1101` when the caller may read and nothing else.
    pub fn permit(&self, who: Identified, call: Call) -> Result<Permitted, Refusal> {
        held::from(who.principal(), &call, who.at())?;
        let facts = Facts::ask(who.principal(), who.peer(), &call, who.at());
        let permit = self.loaded.load().verdict(facts).into_permit()?;
        Ok(Permitted::new(&self.permit, who, call, permit))
    }

    /// Sets rate and capacity aside for a caller, whatever is asked for: before a body is read or anything is answered.
    ///
    /// # Errors
    /// `CS0305` in quarantine, `CS0401` when the credential's share is used up, `CS0402` when everybody's is; these two say when to
    /// try again.
    pub fn share(&self, who: &Identified) -> Result<Share, Refusal> {
        let loaded = self.loaded.load();
        let principal = who.principal();
        let rate = held::rate(principal, loaded.rates.of(principal), who.at())?;
        let (hold, quota) = self.limiter.take(&principal.credential, rate, loaded.rates.total, who.at())?;
        Ok(Share { hold, quota, of: who.request() })
    }

    /// A prompt of the caller's was refused for what it says. Whoever keeps trying is slowed down, where rates are set at all: the
    /// self-test, which sets none, is refused more often than anybody.
    pub fn struck(&self, who: &Principal, now: Timestamp) {
        if self.loaded.load().rates.is_set() {
            self.limiter.strike(&who.credential, now);
        }
    }

    /// Ties a permitted request to the share that was set aside for it, until it is over, and sets aside what it may cost
    /// of every budget that applies. Whoever drops what this gives has to [`Stage::settle`] it.
    ///
    /// # Errors
    /// `CS0403` when a budget cannot hold it, `CS0404` when what nodes share cannot be reached, `CS0901` when the share is
    /// another request's.
    pub async fn reserve(&self, permitted: Permitted, share: Share, weight: Weight) -> Result<Reserved, Refusal> {
        if share.of != permitted.request() {
            return Err(Refusal::new(Code::Internal, "a share was set aside for another request"));
        }
        let mut quotas: Vec<Quota> = share.quota.into_iter().collect();
        let loaded = self.loaded.load_full();
        let budgets = &loaded.rates.budgets;
        let now = permitted.at();
        let charge = Arc::new(budgets.charge(permitted.principal(), permitted.call(), weight, now)?);
        if !charge.lines.is_empty() {
            match self.till.reserve(permitted.request(), &charge, now).await {
                Ok(spent) => {
                    self.aside.add(&charge);
                    quotas.extend(charge.lines.iter().zip(spent).filter_map(|(l, s)| budgets.quota(l, s, now)))
                }
                Err(refused) => return Err(budgets.refusal(&charge, refused, now)),
            }
        }
        Ok(Reserved::new(&self.reserve, permitted, Box::new(share.hold)).charging(&self.reserve, charge, quotas))
    }

    /// Ends what was set aside for a request, once; what goes back to which cell, for the record.
    pub fn settle(&self, of: RequestId, charge: &Charge, ending: Ending) -> Vec<(Arc<str>, i64)> {
        let back = charge.back(ending);
        if !charge.lines.is_empty() {
            self.aside.end(charge);
            self.till.settle(of, back.clone());
        }
        back
    }

    /// The budgets in force, and what tokens cost.
    #[must_use]
    pub fn budgets(&self) -> Budgets {
        self.loaded.load().rates.budgets.clone()
    }

    /// What was spent of every budget whose figures are known, windows that are over among them.
    ///
    /// # Errors
    /// `CS0404` when what nodes share cannot be reached.
    pub async fn spent(&self) -> Result<Vec<Spent>, Refusal> {
        let cells = self.till.spent().await.map_err(|why| Refusal::new(Code::OutOfTouch, why))?;
        let spent = |(cell, spent): (Arc<str>, u64)| Spent { aside: self.aside.of(&cell), cell, spent };
        Ok(cells.into_iter().map(spent).collect())
    }

    /// May the answer return? The policy is asked again, knowing what was found in the prompt and who answers.
    ///
    /// # Errors
    /// `CS0203`, `CS0204` or `CS0305` when the credential ended or the caller was set aside in between, `CS0303` when the policy says no, otherwise as
    /// [`Stage::permit`].
    pub fn readmit(&self, dispatched: Dispatched, now: Timestamp) -> Result<Readmitted, Refusal> {
        let who = dispatched.principal();
        if !who.lease.stands(now) {
            let expired = who.lease.expires().is_some_and(|end| end <= now);
            let code = if expired { Code::ExpiredCredential } else { Code::RevokedCredential };
            return Err(Refusal::new(code, "the credential ended before the answer"));
        }
        who.lease.allows(now)?;
        held::from(who, dispatched.call(), now)?;
        let loaded = self.loaded.load_full();
        let permit = loaded.verdict(returning(&dispatched, now)).into_permit()?;
        let tainted = dispatched.context().taint > Taint::None;
        let readmitted = Readmitted::new(&self.permit, dispatched, permit);
        Ok(if tainted { readmitted.guarded(&self.permit, loaded) } else { readmitted })
    }

    /// Whether a plain request for `model` would be permitted: for listing models. Asked about [`Format::Models`] it says
    /// whether any other format would be.
    #[must_use]
    pub fn may_use(&self, who: &Arc<Principal>, peer: &Peer, now: Timestamp, model: &str, format: Format) -> bool {
        let loaded = self.loaded.load();
        let call = |format| Call {
            format,
            model: model.into(),
            stream: false,
            max_tokens: None,
            tools: Vec::new(),
            attachments: 0,
        };
        let permitted =
            |format| matches!(loaded.verdict(Facts::ask(who, peer, &call(format), now)), Verdict::Permitted(_));
        match format {
            Format::Models => Format::ALL.into_iter().filter(|f| *f != Format::Models).any(permitted),
            format => permitted(format),
        }
    }

    /// May the caller do this to the gateway? A `permit` has to name the action: one that names none was written about models.
    ///
    /// # Errors
    /// As [`Stage::permit`].
    pub fn administer(&self, who: &Identified, what: Administer) -> Result<(), Refusal> {
        self.deed(who, what).map(drop)
    }

    /// May the caller have texts looked at? With the judge for this caller.
    ///
    /// # Errors
    /// As [`Stage::permit`].
    pub fn scan(&self, who: &Identified) -> Result<Permit, Refusal> {
        self.deed(who, Administer::Scan)
    }

    fn deed(&self, who: &Identified, what: Administer) -> Result<Permit, Refusal> {
        held::from_deed(who.principal(), what, who.at())?;
        let facts = Facts::administer(who.principal(), who.peer(), who.at(), what);
        self.loaded.load().verdict(facts).into_permit()
    }

    /// Requests that hold capacity now.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.limiter.in_flight()
    }
}

impl Loaded {
    fn new(settings: Settings, standings: Arc<Standings>) -> Self {
        let Settings { policy, rules, rates } = settings;
        Self { policy, judges: Arc::new(Judges::new(rules)), rates, verdicts: Cache::new(), standings }
    }

    fn verdict(&self, facts: Facts<'_>) -> Verdict {
        // Scopes look at what the policies may not, so they come before the facts are blanked. They cost no evaluation.
        if let Err(reason) = facts.in_scope() {
            return Verdict::Refused(facts.deed.refused(), reason.into(), None);
        }
        let read = self.policy.mentions();
        let standing = read.holds(Mentions::STANDING).then(|| self.standings.of(facts.who.0));
        let risk = if read.holds(Mentions::RISK) { self.standings.risk(facts.who.0) } else { 0 };
        let facts = Facts { standing: standing.as_ref().unwrap_or(facts.standing), risk, ..facts };
        let facts = facts.blanked(read);
        self.verdicts.get_or(&facts, || self.decide(&facts))
    }

    fn decide(&self, facts: &Facts<'_>) -> Verdict {
        let said = self.policy.ask(facts, self.policy.mentions());
        if let Some((code, reason)) = said.refusal(facts) {
            let step_up = said.step_up.filter(|_| code == Code::StepUpNeeded);
            return Verdict::Refused(code, reason.into(), step_up.map(Arc::new));
        }
        let judge = self.judges.of(&facts.who.0.roles);
        if facts.attachments > 0 && judge.judge(Side::Prompt, &Finding::ATTACHMENT) > Action::Allow {
            return Verdict::Refused(facts.deed.refused(), "no rule lets attachments pass".into(), None);
        }
        let mut reason = names(&said.because);
        if !said.failed.is_empty() {
            let _ = write!(reason, "; could not be evaluated: {}", names(&said.failed));
        }
        Verdict::Permitted(Permit { judge, reason: reason.into() })
    }
}

impl Warden for Loaded {
    fn may_call(&self, of: &Readmitted, tool: &str, copied: bool, now: Timestamp) -> Result<(), Refusal> {
        let taint = of.context().taint;
        let facts = returning(of, now).call(tool, taint, copied);
        self.verdict(facts).into_permit().map(drop).map_err(|refusal| {
            // What the model calls may be any text; what the caller offers stands in the record already.
            let named = of.call().tools.iter().any(|offered| **offered == *tool);
            let tool = if named { tool } else { "a tool that was not offered" };
            let copied = if copied { ", with an argument from such content" } else { "" };
            let reason = format!("{}: {tool}, from a context tainted by {}{copied}", refusal.reason, taint.as_str());
            Refusal { reason: reason.into(), ..refusal }
        })
    }
}

/// The question about an answer.
fn returning(dispatched: &Dispatched, now: Timestamp) -> Facts<'_> {
    let judge = &dispatched.permit().judge;
    let masked = dispatched.findings().iter().any(|f| judge.judge(Side::Prompt, f).replaces());
    let found = Kinds::of(dispatched.findings());
    let facts = Facts::ask(dispatched.principal(), dispatched.peer(), dispatched.call(), now);
    facts.receive(found, masked, dispatched.target())
}

impl Verdict {
    fn into_permit(self) -> Result<Permit, Refusal> {
        match self {
            Self::Permitted(permit) => Ok(permit),
            Self::Refused(code, reason, step_up) => {
                Err(Refusal { step_up, ..Refusal::new(code, String::from(&*reason)) })
            }
        }
    }
}

#[cfg(test)]
mod tests;
