//! What this node shares with others, in Redis: what budgets have spent, which proofs were used, and the word that something changed.
//!
//! The store remains the truth of everything but counters: an announcement only has others look at it at once instead of within a
//! quarter of a second. INVARIANT: whatever cannot be asked is refused.

use std::{
    collections::BTreeMap,
    future::ready,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use countersign_audit::{Audit, Dir, endings, record::Amounts};
use countersign_cluster::{Announcements, Client, Connect, Counters, Login, Reserved, Step};
use countersign_core::{Charge, RequestId, Timestamp, charge::Line};
use countersign_identity::dpop::{Claim, ReplayError, Replays, Seen};
use countersign_policy::budget::{Refused, Reserving, Short, Telling, Till, ends};
use countersign_provider::{Base, Trust};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::{sleep, timeout},
};

use crate::{clock, config::Redis, force::Force, state::State};

/// This node's way to the others.
pub(crate) struct Cluster {
    client: Client,
    connect: Connect,
    login: Option<Login>,
    /// Settlements on their way.
    unsettled: Arc<AtomicUsize>,
    /// What this life of the node holds the node's name by.
    owner: Arc<str>,
}

impl Cluster {
    /// Connects in the background.
    pub(crate) fn new(config: &Redis, state: &State) -> anyhow::Result<Self> {
        let address = &config.address;
        let place =
            countersign_provider::Address { host: address.host.clone(), port: address.port, prefix: String::new() };
        let (base, trust) = match (address.tls, &config.ca) {
            (false, _) => (Base::Http(place), None),
            (true, Some(pem)) => (Base::Https(place), Some(Trust::given(pem)?)),
            (true, None) => (Base::Https(place), Some(Trust::system()?)),
        };
        let connect: Connect = Arc::new(move || {
            let (base, trust) = (base.clone(), trust.clone());
            Box::pin(async move {
                let stream = countersign_provider::open(&base, trust.as_ref()).await?;
                let stream: Box<dyn countersign_cluster::Io> = Box::new(stream);
                Ok(stream)
            })
        });
        let password = config.password.as_ref().map(|key| state.secret(key)).transpose()?;
        let login = password.map(|password| Login { user: address.user.clone(), password });
        let client = Client::new(connect.clone(), login.clone());
        let owner = HEXLOWER.encode(&clock::random::<16>());
        Ok(Self { client, connect, login, unsettled: Arc::default(), owner: owner.into() })
    }

    /// Remembers proofs for all nodes.
    pub(crate) fn replays(&self) -> Box<dyn Replays> {
        Box::new(Marks { own: Seen::default(), all: self.client.clone() })
    }

    /// Counts budgets for all nodes. Waits until the node has its name, which the one before it may have held until it was killed;
    /// while Redis is away not for long: until then whatever budgets count is refused.
    pub(crate) async fn till(&self, node: &str, life: u64, dir: Arc<dyn Dir>, audit: Arc<Audit>) -> Arc<dyn Till> {
        let counters = Counters::new(self.client.clone(), node, life);
        let name = Name { client: self.client.clone(), node: node.into(), owner: self.owner.clone() };
        let ours = Arc::<AtomicBool>::default();
        tokio::spawn(live(name, ours.clone(), counters.clone(), dir, life));
        let named = async {
            while !ours.load(Ordering::Acquire) {
                sleep(LOOK_AGAIN).await;
            }
        };
        let _ = timeout(HELD + BEAT, named).await;
        let (settlements, inbox) = mpsc::channel(SETTLEMENTS);
        tokio::spawn(settle(counters.clone(), inbox, self.unsettled.clone()));
        let settlements = Settlements { to: settlements, unsettled: self.unsettled.clone() };
        Arc::new(Shared { counters, settlements, audit, ours })
    }

    /// Waits until all that ended is settled, for a while: what is left then is settled by the next start. Then lets go of the
    /// node's name.
    pub(crate) async fn leave(&self, node: &str) {
        let all = async {
            while self.unsettled.load(Ordering::Acquire) > 0 {
                sleep(LOOK_AGAIN).await;
            }
        };
        let _ = timeout(LOOK, all).await;
        // It is free by itself after a while.
        let _ = self.client.let_go(node, &self.owner).await;
    }

    /// Tells all nodes that something changed in the store.
    pub(crate) fn announce(&self) -> impl Fn() + Send + Sync + 'static {
        let client = self.client.clone();
        move || {
            let client = client.clone();
            // Who does not hear it looks within a quarter of a second.
            tokio::spawn(async move { client.announce(CHANGED, b"look").await });
        }
    }

    /// Looks at the store whenever another node says that something changed, until aborted.
    pub(crate) async fn listen(&self, force: &Force) {
        let mut heard = Announcements::new(self.connect.clone(), self.login.clone(), CHANGED);
        while heard.next().await.is_some() {
            // One that fails is noticed by whoever looks regularly.
            let _ = timeout(LOOK, force.refresh()).await;
        }
    }

    /// Whether Redis answers.
    pub(crate) async fn answers(&self) -> bool {
        self.client.claim("doctor", 1).await.is_ok()
    }

    /// What budgets have spent on all nodes.
    pub(crate) async fn spent(&self) -> anyhow::Result<Vec<(String, u64)>> {
        Ok(Counters::new(self.client.clone(), "nobody", 0).spent().await?)
    }
}

/// Proofs that were used.
struct Marks {
    /// Here. It holds whatever the clock does, which Redis cannot know of.
    own: Seen,
    /// Anywhere.
    all: Client,
}

impl Replays for Marks {
    fn claim(&self, id: [u8; 16], until: Timestamp, now: Timestamp) -> Claim<'_> {
        // A second more than it could be used: no clock of theirs is exactly ours.
        let seconds = until.since(now).as_secs() + 2;
        let own = self.own.claim(id, until, now);
        Box::pin(async move {
            own.await?;
            match self.all.claim(&HEXLOWER.encode(&id), seconds).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(ReplayError::Again),
                // Nobody knows whether it was used, so nobody may rely on it.
                Err(_) => Err(ReplayError::Full),
            }
        })
    }
}

/// Figures that all nodes share.
struct Shared {
    counters: Counters,
    settlements: Settlements,
    audit: Arc<Audit>,
    /// Whether this node alone has its name, and earlier lives of it have left nothing open.
    ours: Arc<AtomicBool>,
}

/// The way to whoever settles.
#[derive(Clone)]
struct Settlements {
    to: mpsc::Sender<Settlement>,
    unsettled: Arc<AtomicUsize>,
}

impl Settlements {
    fn send(&self, of: RequestId, back: Vec<(Arc<str>, i64)>) {
        self.unsettled.fetch_add(1, Ordering::AcqRel);
        if self.to.try_send((of, back)).is_err() {
            self.unsettled.fetch_sub(1, Ordering::AcqRel);
            // It stays open, and counts as spent until this node starts again.
            tracing::error!(request = %of, "a budget could not be settled");
        }
    }
}

type Settlement = (RequestId, Vec<(Arc<str>, i64)>);

/// What is noted with a request while it is open.
#[derive(Deserialize, Serialize)]
struct Note {
    /// A record that its intent, if there is one, does not stand before.
    since: u64,
    /// What was set aside.
    cells: Amounts,
}

impl Till for Shared {
    fn reserve(&self, of: RequestId, charge: &Arc<Charge>, _: Timestamp) -> Reserving<'_> {
        if !self.ours.load(Ordering::Acquire) {
            return Box::pin(ready(Err(Refused::Away("the node does not have its name in Redis yet, or no more"))));
        }
        let (counters, settlements, charge) = (self.counters.clone(), self.settlements.clone(), charge.clone());
        let note = Note { since: self.audit.checkpoint().checkpoint.size, cells: charge.amounts().collect() };
        let (tell, told) = oneshot::channel();
        // In a task of its own: a caller who goes away meanwhile must not leave something set aside.
        tokio::spawn(async move {
            let Ok(note) = serde_json::to_string(&note) else { return };
            let steps: Vec<_> = charge.lines.iter().map(step).collect();
            let reserved = counters.reserve(&of.to_string(), &note, &steps).await;
            let answer = match reserved {
                Ok(Reserved::All(spent)) => Ok(spent),
                Ok(Reserved::Short(line, spent)) => Err(Refused::Short(Short { line, spent })),
                Err(away) => Err(Refused::Away(away.why())),
            };
            let nothing = matches!(answer, Err(Refused::Short(_)));
            let lost = matches!(answer, Err(Refused::Away(_)));
            // It may have happened all the same.
            if (tell.send(answer).is_err() || lost) && !nothing {
                settlements.send(of, charge.amounts().collect());
            }
        });
        Box::pin(async { told.await.unwrap_or(Err(Refused::Away("a reservation was not answered"))) })
    }

    fn settle(&self, of: RequestId, back: Vec<(Arc<str>, i64)>) {
        self.settlements.send(of, back);
    }

    fn spent(&self) -> Telling<'_> {
        Box::pin(async {
            let cells = self.counters.spent().await.map_err(|away| away.why())?;
            Ok(cells.into_iter().map(|(cell, spent)| (cell.into(), spent)).collect())
        })
    }
}

fn step(line: &Line) -> Step<'_> {
    let forget = ends(&line.cell).plus(KEPT).seconds();
    Step { cell: &line.cell, amount: line.amount, limit: line.limit, forget }
}

/// Settles what has ended, however often it takes.
async fn settle(counters: Counters, mut inbox: mpsc::Receiver<Settlement>, unsettled: Arc<AtomicUsize>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    while let Some((of, back)) = inbox.recv().await {
        let Ok(turn) = turns.clone().acquire_owned().await else { return };
        let (counters, unsettled) = (counters.clone(), unsettled.clone());
        tokio::spawn(async move {
            while counters.settle(&of.to_string(), &back).await.is_err() {
                sleep(AGAIN).await;
            }
            unsettled.fetch_sub(1, Ordering::AcqRel);
            drop(turn);
        });
    }
}

/// A node's name in the cluster, and by what it is held.
struct Name {
    client: Client,
    node: Arc<str>,
    owner: Arc<str>,
}

/// Holds the node's name for as long as it runs. Two nodes of one name would take each other's open requests for what a crash
/// had left, and give back what is still being spent.
async fn live(name: Name, ours: Arc<AtomicBool>, counters: Counters, dir: Arc<dyn Dir>, life: u64) {
    let (mut recovered, mut told) = (false, false);
    loop {
        match name.client.hold(&name.node, &name.owner, HELD.as_secs()).await {
            Ok(true) => {
                if !std::mem::replace(&mut recovered, true) {
                    recover(&counters, dir.clone(), life).await;
                    // It may have taken longer than the name is held.
                    continue;
                }
                told = false;
                ours.store(true, Ordering::Release);
            }
            Ok(false) => {
                ours.store(false, Ordering::Release);
                if !std::mem::replace(&mut told, true) {
                    let node = &*name.node;
                    tracing::error!(
                        node,
                        "another node of this name runs, or did a moment ago; budgets are refused until it is gone"
                    );
                }
            }
            // The name is ours as long as Redis remembers it; without Redis nothing can be reserved anyway.
            Err(_) => {}
        }
        sleep(if ours.load(Ordering::Acquire) { BEAT } else { LOOK_AGAIN }).await;
    }
}

/// Settles what earlier lives of this node left open, as its audit log tells: what never left is given back, what ended is given
/// back as far as it was, and what left and did not end counts as used.
async fn recover(counters: &Counters, dir: Arc<dyn Dir>, opened: u64) {
    loop {
        match try_recover(counters, &*dir, opened).await {
            Ok(0) => return,
            Ok(settled) => {
                tracing::info!(settled, "budgets of requests that a crash left open are settled");
                return;
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "budgets that a crash left open cannot be settled yet");
                sleep(AGAIN).await;
            }
        }
    }
}

async fn try_recover(counters: &Counters, dir: &dyn Dir, opened: u64) -> anyhow::Result<usize> {
    let mut settled = 0;
    for life in counters.earlier().await? {
        let mut open = BTreeMap::new();
        for kept in life.open().await? {
            let note: Note = serde_json::from_str(&kept.note).context("a note on an open request cannot be read")?;
            open.insert(kept.request, note);
        }
        let since = open.values().map(|note| note.since).min().unwrap_or(opened).min(opened);
        let endings = endings(dir, since, opened)?;
        for (request, note) in open {
            let id: RequestId = request.parse().context("an open request has no id")?;
            let back: Vec<_> = match endings.get(&id) {
                None => note.cells.into_iter().collect(),
                Some(None) => Vec::new(),
                Some(Some(back)) => back.clone().into_iter().collect(),
            };
            settled += usize::from(life.settle(&request, &back).await?);
        }
    }
    Ok(settled)
}

/// What tells other nodes, where there are any.
pub(crate) type Tell = OnceLock<Box<dyn Fn() + Send + Sync>>;

/// The channel on which nodes say that something changed.
const CHANGED: &str = "countersign:changed";
/// How long a look at the store may take.
const LOOK: Duration = Duration::from_secs(1);
/// How long a name is held without a word.
const HELD: Duration = Duration::from_secs(5);
/// Between two words.
const BEAT: Duration = Duration::from_secs(1);
/// Between two looks whether all is settled.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Between two tries to settle.
const AGAIN: Duration = Duration::from_millis(250);
/// Settlements on their way at once.
const AT_ONCE: usize = 64;
/// Settlements that wait.
const SETTLEMENTS: usize = 65_536;
/// How long a cell is kept after its window has ended.
const KEPT: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests;
