//! The stage: takes what happened, and says when it is on record.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use countersign_core::{
    Call, Clock, Code, ConversationName, Finding, Principal, Refusal, RequestId, Taint, Timestamp,
    life::{Intended, Peer, Screened, Stamp, stage},
    taint::Context,
};
use countersign_seal::{ConversationId, DataKeys, KeyRing, Scope, SealError};

use crate::{
    AuditError, Dir, frame,
    journal::{self, Failure, Item, Journal},
    merkle::Hash,
    note::{self, Checkpoint},
    publisher::{CHECKPOINT, EAGER, Edition, Publisher, Signed},
    queue::{Haste, Queue, Settled},
    record::{self, ANSWER, Micros, Opened, PROMPT, Record, Sealed, VERSION, bound_to, clip, micros},
    spending::{self, Spending, Tally},
    tiles::{Tile, Tiles, WIDTH},
    values,
    witness::WITNESSED,
    writer::Writer,
};

/// What seals texts and signs checkpoints.
pub struct Keys {
    /// The key ring, which signs.
    pub ring: Arc<KeyRing>,
    /// The keys that texts are sealed under.
    pub data: Arc<DataKeys>,
    /// The log's name, for its checkpoints: like `audit.example.com/node-1`, without spaces or `+`. One log, one name, for ever.
    pub origin: String,
}

/// How a request that had left ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The request.
    pub request: RequestId,
    /// Index of its intent, as in [`Intended::record`].
    pub record: u64,
    /// Whose key seals the answer: the tenant,
    pub tenant: Arc<str>,
    /// the principal,
    pub subject: Arc<str>,
    /// and the conversation, where its caller named one.
    pub conversation: Option<ConversationName>,
    /// When it ended.
    pub at: Timestamp,
    /// The HTTP status that the caller saw.
    pub status: u16,
    /// The code, if the answer was refused or failed.
    pub code: Option<Code>,
    /// The internal reason; no secret, no text of the exchange.
    pub reason: Option<String>,
    /// Who answered.
    pub target: Option<Arc<str>>,
    /// What was found by another model that was asked about the prompt, and in the answer.
    pub findings: Vec<Finding>,
    /// What another model said of the prompt.
    pub judged: Option<record::Judged>,
    /// Tokens of the prompt, as the provider counts.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer, as the provider counts.
    pub output_tokens: Option<u64>,
    /// What goes back to budgets.
    pub back: Vec<(Arc<str>, i64)>,
    /// What was released, as far as it is to be kept.
    pub answer: Option<Bytes>,
    /// SHA-256 of all that was released; kept sealed with the answer.
    pub answer_sha256: Option<Hash>,
    /// Bytes released.
    pub bytes: u64,
    /// From arrival to the end.
    pub duration: Duration,
    /// Whether the provider was called at all.
    pub upstream_called: bool,
}

/// A request that was refused before it left.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The request.
    pub request: RequestId,
    /// When.
    pub at: Timestamp,
    /// Where it came from.
    pub peer: Peer,
    /// Who asked, where that is known.
    pub who: Option<Arc<Principal>>,
    /// What was asked for, where that is known.
    pub call: Option<Call>,
    /// The code.
    pub code: Code,
    /// The internal reason; no secret, no text of the prompt.
    pub reason: String,
    /// What was found in the prompt.
    pub findings: Vec<Finding>,
    /// The body as it came. Kept only for a caller who is known: strangers do not fill the disk.
    pub body: Option<Bytes>,
}

/// The audit stage. Used from many tasks behind an `Arc`.
pub struct Audit {
    stamp: Stamp<stage::Intend>,
    keys: Keys,
    queue: Arc<Queue>,
    publisher: Arc<Publisher>,
    healthy: Arc<AtomicBool>,
    tally: Arc<Tally>,
    dir: Arc<dyn Dir>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Audit {
    /// Opens the log in `dir`, or begins one; cuts off what a crash left unfinished, and puts that on record.
    ///
    /// # Errors
    /// When records that were once durable are missing or damaged (`audit verify` names them), when the name or the keys do
    /// not fit the log, or when the directory cannot be used.
    pub fn open(
        stamp: Stamp<stage::Intend>,
        dir: Arc<dyn Dir>,
        keys: Keys,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuditError> {
        let Ready { journal, tiles, signed, settled, partial, at } = Ready::make(&*dir, &keys, &*clock)?;
        let signer = keys.ring.signer(&keys.origin)?;
        let queue = Arc::new(Queue::new());
        let publisher = Arc::new(Publisher::new(tiles, signed, settled));
        let healthy = Arc::new(AtomicBool::new(true));
        let tally = Arc::new(Tally::new(journal.next()));
        let writer = Writer {
            dir: dir.clone(),
            journal,
            queue: queue.clone(),
            publisher: publisher.clone(),
            clock,
            now: at,
            healthy: healthy.clone(),
            tally: tally.clone(),
            kept: Vec::new(),
            gap: None,
        };
        let (origin, publishing, place) = (keys.origin.clone(), publisher.clone(), dir.clone());
        let threads = vec![
            spawn("audit-writer", move || writer.run())?,
            spawn("audit-publisher", move || publishing.run(&*place, &origin, &signer, partial))?,
        ];
        Ok(Self { stamp, keys, queue, publisher, healthy, tally, dir, threads: Mutex::new(threads) })
    }

    /// Records that a request is about to leave; resolves when that is on disk.
    ///
    /// # Errors
    /// `CS0601` when it cannot be recorded, `CS0902` when the log is closed.
    pub async fn intend(&self, screened: Screened) -> Result<Intended, Refusal> {
        let ack = self.queue.push(self.intent(&screened)?, Haste::Now)?;
        Ok(Intended::new(&self.stamp, screened, ack.await?))
    }

    /// Records that a request was refused; resolves when that is on disk.
    ///
    /// # Errors
    /// As [`Audit::intend`].
    pub async fn refused(&self, refused: Refused) -> Result<(), Refusal> {
        let Refused { request, at, peer, who, call, code, reason, findings, body } = refused;
        let sealed = match (&who, body) {
            (Some(who), Some(body)) => {
                let scope = Scope { tenant: &who.tenant, subject: &who.subject, conversation: None };
                self.seal(&scope, request, PROMPT, &[&body])?
            }
            _ => Vec::new(),
        };
        let item = item_with(sealed, |body| {
            Record::Refused(record::Refused {
                request,
                at: micros(at),
                who: who.as_deref().map(Into::into),
                from: (&peer).into(),
                call: call.as_ref().map(Into::into),
                code: code.id().into(),
                reason: short(reason),
                findings: findings.as_slice().into(),
                body,
            })
        })?;
        self.queue.push(item, Haste::Now)?.await.map(drop)
    }

    /// Records that the gateway answers a request by itself; resolves when that is on disk.
    ///
    /// # Errors
    /// As [`Audit::intend`].
    pub async fn answered(&self, answered: record::Answered) -> Result<(), Refusal> {
        self.put(&Record::Answered(answered)).await
    }

    /// Records a change to the gateway itself, before it is made; resolves when that is on disk. Texts are cut short.
    ///
    /// # Errors
    /// As [`Audit::intend`].
    pub async fn changed(&self, mut changed: record::Changed) -> Result<(), Refusal> {
        for members in [&mut changed.was, &mut changed.becomes] {
            members.values_mut().for_each(|value| *value = short(std::mem::take(value)));
        }
        changed.what = short(changed.what);
        self.put(&Record::Changed(changed)).await
    }

    /// Records refusals of strangers that were only counted; resolves when that is on disk.
    ///
    /// # Errors
    /// As [`Audit::intend`].
    pub async fn strangers(&self, strangers: record::Strangers) -> Result<(), Refusal> {
        self.put(&Record::Strangers(strangers)).await
    }

    /// Records that records are about to be given up; resolves to its index when that is on disk. [`crate::keep::carry_out`] does it, once
    /// a checkpoint covers that index.
    ///
    /// # Errors
    /// As [`Audit::intend`].
    pub async fn given_up(&self, given: record::GivenUp) -> Result<u64, Refusal> {
        self.queue.push(item(&Record::GivenUp(given), Vec::new())?, Haste::Now)?.await
    }

    /// Records how a request ended. It is on its way when this returns; await the result to know that it is on disk.
    pub fn settle(&self, outcome: Outcome) -> Settled {
        let ack = self.outcome(outcome).and_then(|item| self.queue.push(item, Haste::Soon));
        Settled::new(self.queue.clone(), ack)
    }

    /// Whether what happens now can be recorded, as far as the last attempt tells.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire) && self.publisher.healthy()
    }

    /// What has been spent by records since this was last asked, or since the log was opened.
    pub fn spending(&self) -> Spending {
        self.tally.take()
    }

    /// The newest checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Arc<Signed> {
        self.publisher.signed()
    }

    /// Where the log is, for reading beside what is written.
    #[must_use]
    pub const fn dir(&self) -> &Arc<dyn Dir> {
        &self.dir
    }

    /// Keeps a checkpoint of this log that witnesses have cosigned; proofs rest on it from now on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_witnessed(&self, note: String) -> Result<(), AuditError> {
        self.dir.put(&[(WITNESSED.to_owned(), note.into_bytes())]).map_err(AuditError::Directory)
    }

    /// Writes out what is queued, signs a last checkpoint and ends. Whatever comes later is refused.
    pub async fn close(&self) {
        let threads = self.end();
        let (done, closed) = tokio::sync::oneshot::channel();
        let joined = Builder::new().name("audit-close".to_owned()).spawn(move || {
            join(threads);
            // Nobody may be waiting any more.
            let _ = done.send(());
        });
        if joined.is_ok() {
            // An error means that the thread is gone, which is what is waited for.
            let _ = closed.await;
        }
    }

    async fn put(&self, record: &Record) -> Result<(), Refusal> {
        self.queue.push(item(record, Vec::new())?, Haste::Now)?.await.map(drop)
    }

    fn end(&self) -> Vec<JoinHandle<()>> {
        self.queue.close();
        std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn intent(&self, screened: &Screened) -> Result<Item, Refusal> {
        let principal = screened.principal();
        let Context { taint, marks, stand_ins, .. } = screened.context();
        let conversation = self.conversation(screened.conversation());
        let scope = Scope { tenant: &principal.tenant, subject: &principal.subject, conversation };
        let values = values::write(stand_ins.as_deref())?;
        let sealed = self.seal(&scope, screened.request(), PROMPT, &[screened.body(), values.expose()])?;
        item_with(sealed, |body| {
            Record::Intent(record::Intent {
                request: screened.request(),
                at: micros(screened.at()),
                who: (&**principal).into(),
                from: screened.peer().into(),
                call: screened.call().into(),
                permit: clip(&screened.permit().reason, MAX_REASON).to_string().into(),
                findings: screened.findings().into(),
                taint: (*taint > Taint::None).then(|| taint.as_str().into()),
                spotlight: marks.as_ref().map(|marks| marks.how.as_str().into()),
                charge: screened.charge().amounts().collect(),
                conversation,
                values: values.expose().len() as u64,
                body,
            })
        })
    }

    fn outcome(&self, outcome: Outcome) -> Result<Item, Refusal> {
        let conversation = self.conversation(outcome.conversation.as_ref());
        let scope = Scope { tenant: &outcome.tenant, subject: &outcome.subject, conversation };
        let sealed = match (&outcome.answer_sha256, &outcome.answer) {
            (None, None) => Vec::new(),
            (sha256, answer) => {
                let parts: [&[u8]; 2] = [&sha256.unwrap_or_default(), answer.as_deref().unwrap_or_default()];
                self.seal(&scope, outcome.request, ANSWER, &parts)?
            }
        };
        item_with(sealed, |answer| {
            Record::Outcome(record::Outcome {
                request: outcome.request,
                intent: outcome.record,
                at: micros(outcome.at),
                tenant: outcome.tenant,
                subject: outcome.subject,
                conversation,
                status: outcome.status,
                code: outcome.code.map(|c| c.id().into()),
                reason: outcome.reason.map(short),
                target: outcome.target,
                upstream_called: outcome.upstream_called,
                findings: outcome.findings.as_slice().into(),
                judged: outcome.judged,
                input_tokens: outcome.input_tokens,
                output_tokens: outcome.output_tokens,
                back: outcome.back.into_iter().collect(),
                bytes: outcome.bytes,
                duration: u64::try_from(outcome.duration.as_micros()).unwrap_or(u64::MAX),
                answer,
            })
        })
    }

    fn conversation(&self, named: Option<&ConversationName>) -> Option<ConversationId> {
        named.map(|name| self.keys.data.conversation(name.as_bytes()))
    }

    /// Under the key of the one whose text it is, and of the conversation, so that they can be forgotten by themselves.
    fn seal(&self, scope: &Scope<'_>, request: RequestId, kind: &str, parts: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
        let aad = bound_to(&self.keys.origin, request, kind);
        let key = self.keys.data.key(scope);
        let sealed = key.and_then(|key| key.seal(PURPOSE, &aad, parts));
        sealed.map_err(|cause| Refusal::new(Code::AuditFailed, format!("the body cannot be sealed: {cause}")))
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        join(self.end());
    }
}

/// What key sealed texts are sealed for.
pub(crate) const PURPOSE: &str = "audit";

/// A record as it goes into the journal, with the sealed text beside it (empty for none).
pub(crate) fn item(record: &Record, body: Vec<u8>) -> Result<Item, Refusal> {
    let body_hash = frame::hash_body(&body);
    encode(record, body, body_hash)
}

fn item_with(body: Vec<u8>, record: impl FnOnce(Option<Sealed>) -> Record) -> Result<Item, Refusal> {
    let body_hash = frame::hash_body(&body);
    let sealed = (!body.is_empty()).then_some(Sealed { sha256: body_hash, bytes: body.len() as u64 });
    encode(&record(sealed), body, body_hash)
}

fn encode(record: &Record, body: Vec<u8>, body_hash: Hash) -> Result<Item, Refusal> {
    #[derive(serde::Serialize)]
    struct Borrowed<'a> {
        v: u8,
        record: &'a Record,
    }
    let mut entry = Vec::with_capacity(768);
    serde_json::to_writer(&mut entry, &Borrowed { v: VERSION, record })
        .map_err(|_| Refusal::new(Code::AuditFailed, "the record cannot be written as JSON"))?;
    if entry.len() > frame::MAX_ENTRY || body.len() > frame::MAX_BODY {
        return Err(Refusal::new(Code::AuditFailed, "the record is too long"));
    }
    Ok(Item { entry, body, body_hash, amounts: spending::amounts(record) })
}

/// A log that is ready to grow.
pub(crate) struct Ready {
    pub(crate) journal: Journal,
    pub(crate) tiles: Tiles,
    pub(crate) signed: Signed,
    /// Full tiles below this record are durable.
    pub(crate) settled: u64,
    /// Paths of the checkpoint's tiles that are not full.
    pub(crate) partial: Vec<String>,
    /// When it was opened.
    pub(crate) at: Micros,
}

impl Ready {
    pub(crate) fn make(dir: &dyn Dir, keys: &Keys, clock: &dyn Clock) -> Result<Self, AuditError> {
        if !note::is_name(&keys.origin) {
            return Err(AuditError::Origin);
        }
        let signer = keys.ring.signer(&keys.origin)?;
        let signed = match dir.read(CHECKPOINT) {
            Ok(note) => Some(Checkpoint::open(&note, &keys.origin, &keys.ring.verifiers(&keys.origin)?)?),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => None,
            Err(cause) => return Err(AuditError::Directory(cause)),
        };
        let size = signed.as_ref().map_or(0, |s| s.size);
        let mut settled = journal::settled(dir)?;

        // A crash may have taken any tile that was not settled: all of them are made again, whatever is there.
        let from = settled.min(size) / WIDTH * WIDTH;
        let mut tiles = Tiles::edge(dir, from)?;
        let leads = |tiles: &Tiles| match &signed {
            Some(signed) if tiles.size() == signed.size && tiles.root() != signed.root => {
                let what = "the records do not lead to the signed checkpoint".to_owned();
                Err(AuditError::Damaged { record: None, what })
            }
            _ => Ok(()),
        };
        leads(&tiles)?;
        let recovered = Journal::open(dir, size, from, |leaf, entry| {
            tiles.push(leaf, entry);
            if tiles.waiting() >= EAGER {
                dir.lay(&tiles.take_full()).map_err(AuditError::Directory)?;
            }
            leads(&tiles)
        })?;
        // The first checkpoint is signed before a second record is taken, so a longer log without one has lost it.
        if size == 0 && recovered.journal.next() > 1 {
            return Err(AuditError::Damaged { record: None, what: "the checkpoint is missing".to_owned() });
        }
        let mut partial = Vec::new();
        let mut publish = |tiles: &mut Tiles| {
            dir.lay(&tiles.take_full())?;
            Edition::of(tiles).publish(dir, &keys.origin, &signer, &mut partial)
        };
        if tiles.size() > size {
            // Before anything is added: a log of more than one record always has a checkpoint.
            publish(&mut tiles).map_err(AuditError::Directory)?;
        }
        let mut journal = recovered.journal;
        let at = micros(clock.now());
        let opened = Record::Opened(Opened { at, origin: keys.origin.clone(), torn: recovered.torn });
        let opened = item(&opened, Vec::new()).map_err(|cause| AuditError::Directory(std::io::Error::other(cause)))?;
        if journal.waits(settled, at) {
            // Nobody waits for anything yet, so a file whose day is over is not written to again.
            dir.lay(&tiles.take_full()).and_then(|()| dir.settle()).map_err(AuditError::Directory)?;
            settled = tiles.size();
        }
        let leaves = journal.append(dir, settled, at, std::iter::once(&opened)).map_err(|failure| match failure {
            Failure::Again(cause) | Failure::Poisoned(cause) => AuditError::Directory(cause),
        })?;
        for leaf in leaves {
            tiles.push(leaf, &opened.entry);
        }
        let signed = publish(&mut tiles).map_err(AuditError::Directory)?;
        remove_stale(dir, &partial).map_err(AuditError::Directory)?;
        Ok(Self { journal, tiles, signed, settled, partial, at })
    }
}

/// Removes tiles that are not full and that no checkpoint rests on: a crash may have left them, whole or not.
fn remove_stale(dir: &dyn Dir, partial: &[String]) -> std::io::Result<()> {
    for path in dir.list("tile")? {
        if Tile::parse(&path).is_some_and(|tile| tile.width < WIDTH) && !partial.contains(&path) {
            dir.remove(&path)?;
        }
    }
    Ok(())
}

impl From<SealError> for AuditError {
    fn from(cause: SealError) -> Self {
        Self::Keys(cause)
    }
}

fn short(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_REASON));
    text
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, AuditError> {
    Builder::new().name(name.to_owned()).spawn(run).map_err(AuditError::Directory)
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        // A thread that panicked has failed whoever waited for it; there is nothing left to do.
        let _ = thread.join();
    }
}

const MAX_REASON: usize = 512;
