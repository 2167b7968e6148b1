//! The watch at work: follows the feed in a task of its own, raises what it sees go wrong, and says to the policy how far somebody has
//! gone. Nobody's request waits for it. See docs/concepts/watch.md.
//!
//! It begins anew with the process: what is usual is learned again within days, and until then peers and what everybody does stand in
//! for it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use countersign_core::{Event, Target, Timestamp};
use countersign_gateway::metrics::Watched;
use countersign_monitor::{Limits, Monitor, Shown};
use countersign_policy::Standings;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{MissedTickBehavior, interval},
};

use crate::{clock, feed::Feed};

/// What the watch knows.
pub(crate) struct Watch {
    monitor: Mutex<Monitor>,
    standings: Arc<Standings>,
    taken: AtomicU64,
}

impl Watch {
    /// One that knows nobody, and says risks to `standings`.
    pub(crate) fn new(standings: Arc<Standings>) -> Self {
        Self { monitor: Mutex::new(Monitor::new(Limits::default())), standings, taken: AtomicU64::default() }
    }

    /// Begins to follow what happens, and counts it in `watched`.
    pub(crate) fn begin(self: &Arc<Self>, feed: &Arc<Feed>, watched: Watched) {
        tokio::spawn(self.clone().follow(feed.events(), feed.clone(), watched));
    }

    /// For as long as the process serves.
    async fn follow(self: Arc<Self>, mut events: Receiver<Arc<Event>>, feed: Arc<Feed>, watched: Watched) {
        let mut said = HashMap::new();
        let mut calming = interval(CALMING);
        calming.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => {
                        self.saw(&event, &feed, &watched, &mut said);
                        self.taken.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(RecvError::Lagged(missed)) => {
                        watched.missed(missed);
                        self.taken.fetch_add(missed, Ordering::SeqCst);
                        tracing::warn!(missed, "the watch is behind and has missed requests; the audit log has them");
                    }
                    Err(RecvError::Closed) => return,
                },
                _ = calming.tick() => self.say_again(&mut said, clock::now()),
            }
        }
    }

    fn saw(&self, event: &Event, feed: &Feed, watched: &Watched, said: &mut HashMap<Target, u8>) {
        let Some(who) = &event.who else { return };
        let mut monitor = self.monitor();
        let alerts = monitor.saw(event);
        let principal = Target::Principal(who.tenant.clone(), who.subject.clone());
        for of in std::iter::once(principal).chain(who.sitting()) {
            self.say(monitor.score(&of, event.at), of, said);
        }
        watched.keeps(monitor.len());
        drop(monitor);
        for alert in alerts {
            watched.raised(alert.pattern);
            tracing::warn!(pattern = alert.pattern.as_str(), of = %alert.of, risk = alert.risk, "somebody's timeline went wrong");
            feed.raise(alert);
        }
    }

    /// How many requests it has taken in so far, those that it missed among them; their alerts are raised.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::SeqCst)
    }

    /// Risk fades while nothing happens.
    fn say_again(&self, said: &mut HashMap<Target, u8>, now: Timestamp) {
        let monitor = self.monitor();
        let scores: Vec<_> = said.keys().map(|of| (of.clone(), monitor.score(of, now))).collect();
        drop(monitor);
        for (of, score) in scores {
            self.say(score, of, said);
        }
    }

    /// What was said already is not said again.
    fn say(&self, score: u8, of: Target, said: &mut HashMap<Target, u8>) {
        if said.get(&of).copied().unwrap_or(0) == score {
            return;
        }
        self.standings.set_risk(of.clone(), score);
        if score == 0 {
            said.remove(&of);
        } else {
            said.insert(of, score);
        }
    }

    /// The timelines that have gone furthest.
    pub(crate) fn riskiest(&self, most: usize, now: Timestamp) -> Vec<Shown> {
        self.monitor().riskiest(most, now)
    }

    /// One timeline.
    pub(crate) fn timeline(&self, of: &Target, now: Timestamp) -> Option<Shown> {
        self.monitor().timeline(of, now)
    }

    /// A person has found a timeline harmless; false where there is none. The policy hears of it at once.
    pub(crate) fn calm(&self, of: &Target) -> bool {
        let known = self.monitor().calm(of);
        self.standings.set_risk(of.clone(), 0);
        known
    }

    fn monitor(&self) -> MutexGuard<'_, Monitor> {
        // A panic half-way through an event leaves a timeline that is a little off, which is better than no watch.
        self.monitor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often what was said is looked at again.
const CALMING: Duration = Duration::from_secs(10);

#[cfg(test)]
pub(crate) mod tests {
    use countersign_core::{
        Call, Channel, Code, Finding, Format, Glimpse, Kind, Lease, Pattern, Principal, RequestId, Side,
        principal::{Method, PrincipalKind},
    };

    use super::*;

    /// A prompt of `subject` that was refused as an attack, unlike that of another `n`.
    pub(crate) fn refused(subject: &str, n: u64, at: Timestamp) -> Event {
        let finding = Finding {
            kind: Kind::Extraction,
            rule: "test/test",
            channel: Channel::User,
            leaf: 0,
            span: 0..1,
            confidence: 0.9,
            digest: n.to_ne_bytes(),
            reproduced: None,
        };
        Event {
            request: RequestId::new(at, [0; 10]),
            at,
            ended: at,
            from: None,
            who: Some(Arc::new(Principal {
                tenant: "bank".into(),
                subject: subject.into(),
                kind: PrincipalKind::Person,
                roles: Arc::new([]),
                scopes: Arc::new([]),
                credential: "key".into(),
                method: Method::ApiKey,
                claims: None,
                session: None,
                lease: Arc::new(Lease::new(None)),
            })),
            route: "chat",
            call: Some(Call {
                format: Format::Chat,
                model: "assistant".into(),
                stream: false,
                max_tokens: None,
                tools: Vec::new(),
                attachments: 0,
            }),
            called: Vec::new(),
            target: None,
            refused: Some(Code::PromptRefused),
            complete: false,
            findings: vec![(Side::Prompt, finding)],
            glimpse: Glimpse::NONE,
            input_tokens: None,
            output_tokens: None,
            bytes: 0,
            record: None,
        }
    }

    #[test]
    fn what_goes_wrong_is_raised_and_said_and_fades_and_can_be_found_harmless() {
        let (watch, feed) = (Watch::new(Arc::default()), Feed::default());
        let mut alerts = feed.alerts();
        let mut said = HashMap::new();
        let refused = |n| refused("mallory", n, Timestamp(1_800_000_000_000_000 + n * 1_000_000));
        for n in 0..4 {
            watch.saw(&refused(n), &feed, &Watched::default(), &mut said);
        }
        let of = Target::Principal("bank".into(), "mallory".into());
        let alert = alerts.try_recv().unwrap();
        assert_eq!((&alert.of, alert.pattern), (&of, Pattern::RepeatedExtraction));
        let score = said[&of];
        assert!(score >= 50);
        let last = refused(3).at;
        assert_eq!(watch.timeline(&of, last).map(|shown| shown.risk.score), Some(score));
        assert_eq!(watch.riskiest(9, last)[0].of, of);
        watch.say_again(&mut said, last.plus(Duration::from_secs(6 * 3600)));
        assert!(said[&of] < score);
        watch.say_again(&mut said, last.plus(Duration::from_secs(300 * 86_400)));
        assert!(said.is_empty());
        watch.saw(&refused(4), &feed, &Watched::default(), &mut said);
        assert!(watch.calm(&of) && watch.riskiest(9, last).iter().all(|shown| shown.of != of));
        assert!(!watch.calm(&Target::Everything));
    }
}
