//! Another model is asked about what the detectors doubt, between the record of the intent and the call to the provider.
//!
//! Threats: a text that talks that model into "safe", which changes nothing, for all that can come of a question is a finding more; one
//! that makes it slow, which is bounded in time and in number; many, so that one is not looked at, which counts as a failure.

use std::{borrow::Cow, sync::Arc, time::Duration};

use countersign_audit::record::Judged;
use countersign_core::{Action, Channel, Code, Finding, Refusal, Side, life::Intended};
use countersign_guard::Doubt;
use countersign_wire::second::{self, Doubtful, Opinion};
use tokio::{sync::Semaphore, time::Instant};

use crate::{Gateway, Stages, ledger::Ledger};

/// How another model is asked.
pub struct Assessor {
    model: Arc<str>,
    within: Duration,
    places: Semaphore,
    or: OnFailure,
}

/// What becomes of a request where there is no verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnFailure {
    /// It goes on, as it would if nobody could be asked.
    Pass,
    /// It is refused.
    Refuse,
}

impl Assessor {
    /// One that asks `model`, `within` that time each, no more than `places` questions at once.
    #[must_use]
    pub fn new(model: Arc<str>, within: Duration, places: usize, or: OnFailure) -> Self {
        Self { model, within, places: Semaphore::new(places.min(Semaphore::MAX_PERMITS)), or }
    }

    /// Asks one question about all `doubts`; who answered, and what. Waiting for a place counts.
    async fn ask(
        &self,
        stages: &Stages,
        intended: &Intended,
        doubts: &[Doubt],
        mark: &str,
    ) -> Result<(Arc<str>, Opinion), Cow<'static, str>> {
        let text =
            |doubt: &Doubt| doubt.text.as_ref().map(|text| (doubt.finding.channel == Channel::User, text.clone()));
        let texts = doubts.iter().map(text).collect::<Option<Vec<_>>>().filter(|texts| texts.len() <= MOST);
        let Some(texts) = texts else { return Err("there is more than is asked about at once".into()) };
        let texts: Vec<_> = texts.iter().map(|(typed, text)| Doubtful { typed: *typed, text }).collect();
        let question = second::question(&self.model, mark, &texts);
        let until = Instant::now() + self.within;
        let Ok(Ok(_place)) = tokio::time::timeout_at(until, self.places.acquire()).await else {
            return Err("too many questions are under way".into());
        };
        let left = until.saturating_duration_since(Instant::now());
        match stages.provider.consult(intended, &self.model, &question, left).await {
            Ok((target, answer)) => Ok((target, second::opinion(&answer))),
            Err(refusal) => Err(refusal.reason),
        }
    }
}

impl Gateway {
    /// Has the doubtful texts of a prompt assessed, where there are any. It holds the request by reference: all that it can do to one
    /// is to refuse it.
    pub(crate) async fn assess(
        &self,
        stages: &Stages,
        intended: &Intended,
        doubts: Vec<Doubt>,
        ledger: &mut Ledger,
    ) -> Result<(), Refusal> {
        let Some(assessor) = stages.assessor.as_ref().filter(|_| !doubts.is_empty()) else { return Ok(()) };
        let (texts, start) = (doubts.len() as u64, self.now());
        let asked = assessor.ask(stages, intended, &doubts, &self.mark()).await;
        let (target, opinion, why) = match asked {
            Ok((target, opinion)) => (Some(target), opinion, "its answer was no verdict".into()),
            Err(why) => (None, Opinion::default(), why),
        };
        let verdict = match opinion.attack {
            Some(true) => "attack",
            Some(false) => "safe",
            None => "failed",
        };
        ledger.judged(Judged {
            verdict: verdict.into(),
            model: assessor.model.clone(),
            target,
            texts,
            duration: u64::try_from(self.now().since(start).as_micros()).unwrap_or(u64::MAX),
            input_tokens: opinion.input,
            output_tokens: opinion.output,
        });
        match opinion.attack {
            Some(false) => Ok(()),
            None if assessor.or == OnFailure::Pass => Ok(()),
            None => Err(Refusal::new(Code::GuardFailed, format!("the judge gave no verdict: {why}"))),
            Some(true) => {
                let findings: Vec<Finding> = doubts.into_iter().map(Doubt::judged).collect();
                ledger.saw_judged(&findings);
                let judge = &intended.permit().judge;
                let worst = findings.iter().map(|finding| (judge.judge(Side::Prompt, finding), finding));
                match worst.max_by_key(|(action, _)| *action) {
                    // What is on record is the body as it would leave, so that it is too late for masks.
                    Some((action, finding)) if action > Action::Allow => {
                        let reason = format!("{} in the {} channel", finding.rule, finding.channel.as_str());
                        Err(Refusal { cut: action == Action::Cut, ..Refusal::new(Code::PromptRefused, reason) })
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

/// Texts that are asked about at once.
const MOST: usize = 8;
