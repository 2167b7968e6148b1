use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
};

use super::*;
use crate::shipped;

/// What outlives a crash, and when the next comes.
#[derive(Default)]
struct Kept {
    step: String,
    begun: BTreeSet<String>,
    ended: BTreeMap<String, String>,
    /// What took effect, by its name, and how often.
    effects: BTreeMap<String, u32>,
    harmed: BTreeSet<String>,
    reached: Option<Reached>,
    stopped: bool,
    /// Writes that are still made; the one after them is lost with everything behind it.
    left: usize,
}

struct Simulated {
    kept: Mutex<Kept>,
    most: Option<usize>,
}

#[derive(Debug)]
struct Killed;

impl Simulated {
    fn new(most: Option<usize>) -> Self {
        Self { kept: Mutex::new(Kept { left: usize::MAX, ..Kept::default() }), most }
    }

    fn write<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> Result<T, Killed> {
        let mut kept = self.kept.lock().unwrap();
        kept.left = kept.left.checked_sub(1).ok_or(Killed)?;
        Ok(change(&mut kept))
    }
}

impl World for Simulated {
    type Error = Killed;

    async fn begin(&self, run: &Run, step: &str, _: &str, harms: bool) -> Result<Begun, Killed> {
        self.write(|kept| {
            if kept.stopped {
                return Begun::Stopped;
            }
            let key = format!("{} {step}", run.id);
            if !kept.begun.contains(&key) {
                let new = harms && !kept.harmed.contains(&run.told.of);
                if new && run.approved == 0 && self.most.is_some_and(|most| kept.harmed.len() >= most) {
                    return Begun::Over;
                }
                kept.begun.insert(key);
                if harms {
                    kept.harmed.insert(run.told.of.clone());
                }
            }
            Begun::Go
        })
    }

    async fn act(&self, run: &Run, step: &str, act: &Act, _: &Target) -> Result<String, Killed> {
        let key = format!("{} {step}", run.id);
        self.write(|kept| assert!(kept.begun.contains(&key), "it acts before it is on record"))?;
        // A store refuses a second record of one name, a receiver of messages knows the name.
        self.write(|kept| {
            kept.effects.entry(key).or_insert(1);
        })?;
        Ok(act.what())
    }

    async fn end(&self, _: &Run, step: &str, outcome: &str) -> Result<(), Killed> {
        self.write(|kept| {
            kept.ended.entry(step.to_owned()).or_insert_with(|| outcome.to_owned());
        })
    }

    async fn moved(&self, _: &Run, next: &str) -> Result<bool, Killed> {
        self.write(|kept| {
            next.clone_into(&mut kept.step);
            !kept.stopped
        })
    }

    async fn reached(&self, _: &Run, reached: Reached) -> Result<(), Killed> {
        self.write(|kept| kept.reached = Some(reached))
    }
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn playbook(name: &str) -> Playbook {
    shipped().into_iter().find(|playbook| playbook.name == name).unwrap()
}

fn run(playbook: &Playbook, of: &str, number: usize) -> Run {
    let told = Told {
        at: 1,
        pattern: playbook.trigger.on[0].as_str().to_owned(),
        of: of.to_owned(),
        tenant: "bank".into(),
        risk: 95,
        because: Vec::new(),
    };
    Run { id: format!("run_{number}"), told, step: playbook.start().to_owned(), dry: false, approved: 0 }
}

#[test]
fn a_run_that_is_killed_at_any_write_takes_each_step_exactly_once() {
    for playbook in shipped().into_iter().chain([crate::playbook::tests::forks()]) {
        let whole = Simulated::new(None);
        let run = run(&playbook, "session:okta/s1", 1);
        assert_eq!(at_once(drive(&whole, &playbook, run.clone())).unwrap(), Reached::End);
        let whole = whole.kept.into_inner().unwrap();
        assert_eq!(whole.effects.len(), playbook.plan(&run.told).len());
        let writes = usize::MAX - whole.left;
        assert!(writes > 8, "{writes}");
        // One kill anywhere, and a second one anywhere in what follows.
        for first in 0..writes {
            for second in 0..=writes {
                let world = Simulated::new(None);
                let mut kills = 0;
                for left in [first, second, usize::MAX] {
                    world.kept.lock().unwrap().left = left;
                    let step = world.kept.lock().unwrap().step.clone();
                    let again = Run { step: if step.is_empty() { run.step.clone() } else { step }, ..run.clone() };
                    match at_once(drive(&world, &playbook, again)) {
                        Ok(reached) => assert_eq!(reached, Reached::End),
                        Err(Killed) => kills += 1,
                    }
                }
                let kept = world.kept.into_inner().unwrap();
                assert!(kills >= 1);
                assert_eq!(
                    (kept.effects, kept.ended),
                    (whole.effects.clone(), whole.ended.clone()),
                    "{first} {second}"
                );
            }
        }
    }
}

#[test]
fn a_flood_of_ten_thousand_alerts_locks_no_more_out_than_may_be() {
    let (world, playbook) = (Simulated::new(Some(5)), playbook("canary-tripped"));
    let mut waiting = 0;
    for number in 0..10_000 {
        let run = run(&playbook, &format!("principal:bank/u{number}"), number);
        match at_once(drive(&world, &playbook, run)).unwrap() {
            Reached::Waits(1) => waiting += 1,
            reached => assert_eq!(reached, Reached::End),
        }
    }
    assert_eq!((waiting, world.kept.lock().unwrap().harmed.len()), (9_995, 5));
    // A person lets one more go on.
    let approved = Run { approved: 1, ..run(&playbook, "principal:bank/u9999", 9_999) };
    assert_eq!(at_once(drive(&world, &playbook, approved)).unwrap(), Reached::End);
    // Whoever was harmed already may be harmed further.
    assert_eq!(at_once(drive(&world, &playbook, run(&playbook, "principal:bank/u0", 20_000))).unwrap(), Reached::End);
}

#[test]
fn a_whole_tenant_waits_for_two_people() {
    let (world, playbook) = (Simulated::new(None), playbook("data-exfiltration"));
    let run = run(&playbook, "tenant:bank", 1);
    assert_eq!(at_once(drive(&world, &playbook, run.clone())).unwrap(), Reached::Waits(2));
    assert_eq!(at_once(drive(&world, &playbook, Run { approved: 1, ..run.clone() })).unwrap(), Reached::Waits(2));
    assert!(world.kept.lock().unwrap().effects.is_empty());
    assert_eq!(at_once(drive(&world, &playbook, Run { approved: 2, ..run })).unwrap(), Reached::End);
    assert_eq!(world.kept.lock().unwrap().effects.len(), 3);
}

#[test]
fn a_dry_run_does_nothing_and_says_what_it_would_have_done() {
    let (world, playbook) = (Simulated::new(Some(0)), playbook("data-exfiltration"));
    let run = Run { dry: true, ..run(&playbook, "client:okta/c", 1) };
    assert_eq!(at_once(drive(&world, &playbook, run)).unwrap(), Reached::End);
    let kept = world.kept.into_inner().unwrap();
    assert!(kept.effects.is_empty() && kept.harmed.is_empty());
    let said: Vec<_> = kept.ended.values().collect();
    assert_eq!(said.len(), 3);
    assert!(said.iter().all(|said| said.starts_with("dry run: would ")));
    assert!(said.iter().any(|said| said.ends_with("once 2 people approve")));
}

#[test]
fn what_was_stopped_goes_on_no_more_and_what_has_no_name_waits() {
    let (world, playbook) = (Simulated::new(None), playbook("canary-tripped"));
    world.kept.lock().unwrap().stopped = true;
    assert_eq!(at_once(drive(&world, &playbook, run(&playbook, "session:okta/s1", 1))).unwrap(), Reached::Stopped);
    assert!(world.kept.lock().unwrap().effects.is_empty());
    world.kept.lock().unwrap().stopped = false;
    assert_eq!(at_once(drive(&world, &playbook, run(&playbook, "planet:mars", 2))).unwrap(), Reached::Waits(1));
    assert!(world.kept.lock().unwrap().effects.is_empty());
}
