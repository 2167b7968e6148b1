//! Our own security events: what is revoked here, told to receivers as CAEP `session-revoked`, in security event tokens that a key of the
//! ring signs, or one that it has sealed.
//!
//! The list of revocations is the queue: each has a number, and of each receiver it is kept up to which number it has acknowledged. So none is
//! lost in a crash, and each is told at least once, under an id (`jti`) that stays the same. Threat: events that go round and
//! round between two who tell each other everything (what an issuer told us is not told on).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use countersign_core::{Secret, Target, Timestamp};
use countersign_seal::KeyRing;
use countersign_store::{RevocationRecord, Store};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::rsa::RsaKey;
use crate::{assemble::Assembly, clock, config::Signing, fetch::Place};

/// Who is told.
pub(crate) struct Receiver {
    pub(crate) name: String,
    /// What `aud` of its events says.
    pub(crate) audience: String,
    /// By which algorithm its events are signed.
    pub(crate) signing: Signing,
    pub(crate) way: Way,
    /// What is known of those it is told about.
    pub(crate) words: Arc<Speaker>,
    /// Whether something is on its way to it.
    busy: AtomicBool,
    /// Until when it is left alone, and after how many failures.
    rests: AtomicU64,
    failures: AtomicU64,
}

/// How it is told.
pub(crate) enum Way {
    /// Events are pushed to it (RFC 8935).
    Push(Push),
    /// It fetches them (RFC 8936), as this principal: `TENANT/SUBJECT`.
    Polled(String),
}

/// Where events are pushed to.
#[derive(Clone)]
pub(crate) struct Push {
    pub(crate) at: Place,
    pub(crate) token: Option<Secret<String>>,
    /// Authorities of its certificate in PEM, instead of the system's.
    pub(crate) ca: Option<Vec<u8>>,
}

/// Says events in our name.
pub(crate) struct Speaker {
    /// The URL that callers know this gateway by.
    pub(crate) origin: String,
    /// Names of issuers and their URLs.
    pub(crate) issuers: Vec<(Arc<str>, Box<str>)>,
    pub(crate) ring: Arc<KeyRing>,
    /// Keys for receivers that ask for RS256, newest first; none where nobody does.
    pub(crate) rsa: Vec<RsaKey>,
}

/// Tells receivers what they have not been told, until aborted.
pub(crate) async fn watch(assembly: &Arc<Assembly>) {
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let now = clock::now();
        for receiver in &*assembly.receivers() {
            let Way::Push(push) = &receiver.way else { continue };
            if receiver.rests.load(Ordering::Acquire) > now.0 || receiver.busy.swap(true, Ordering::AcqRel) {
                continue;
            }
            let (store, receiver, push) = (assembly.state().store().clone(), receiver.clone(), push.clone());
            tokio::spawn(async move {
                if let Err(error) = receiver.push(&store, &push).await {
                    let wait = receiver.rest();
                    let error = format!("{error:#}");
                    tracing::warn!(receiver = receiver.name, error, seconds = wait.as_secs(), "an event was not taken");
                }
                receiver.busy.store(false, Ordering::Release);
            });
        }
    }
}

impl Receiver {
    pub(crate) const fn new(name: String, audience: String, signing: Signing, way: Way, words: Arc<Speaker>) -> Self {
        let (busy, rests, failures) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        Self { name, audience, signing, way, words, busy, rests, failures }
    }

    /// A revocation as an event for this receiver; none where it is nothing that others could act on.
    pub(crate) fn event(&self, record: &RevocationRecord) -> anyhow::Result<Option<String>> {
        self.words.event(record, &self.audience, self.signing)
    }

    /// Pushes what it has not been told. One node at a time does.
    async fn push(&self, store: &Store, push: &Push) -> anyhow::Result<()> {
        if store.revocations_since(store.receiver(&self.name).await?, 1).await?.is_empty() {
            return Ok(());
        }
        let now = clock::now();
        let until = now.plus(HELD);
        if !store.hold_receiver(&self.name, now, until).await? {
            return Ok(());
        }
        let told = self.tell(store, push).await;
        store.hold_receiver(&self.name, until, Timestamp(0)).await?;
        told
    }

    async fn tell(&self, store: &Store, push: &Push) -> anyhow::Result<()> {
        // So many that they are told before another node believes that this one is gone.
        for (number, record) in store.revocations_since(store.receiver(&self.name).await?, BATCH).await? {
            if let Some(token) = self.event(&record)? {
                timeout(PATIENCE, deliver(push, token)).await.context("it took too long")??;
                self.failures.store(0, Ordering::Release);
            }
            store.acknowledged(&self.name, number).await?;
        }
        Ok(())
    }

    /// Leaves it alone for a while that grows.
    fn rest(&self) -> Duration {
        let failures = self.failures.fetch_add(1, Ordering::AcqRel).min(8);
        let wait = Duration::from_secs(1 << failures);
        self.rests.store(clock::now().plus(wait).0, Ordering::Release);
        wait
    }
}

/// Pushes one event. What the receiver will never take is passed over: the others would wait behind it for ever.
async fn deliver(push: &Push, token: String) -> anyhow::Result<()> {
    let trust = match &push.ca {
        Some(pem) => Some(countersign_provider::Trust::given(pem)?),
        None => tokio::task::spawn_blocking(countersign_provider::Trust::system).await?.ok(),
    };
    let status = push.at.hand_in(trust.as_ref(), push.token.as_ref(), TYPE, Bytes::from(token)).await?;
    match status {
        200..300 => Ok(()),
        400 => {
            tracing::warn!(at = %push.at, "a receiver refuses an event for good");
            Ok(())
        }
        status => anyhow::bail!("it answers with status {status}"),
    }
}

impl Speaker {
    fn event(&self, record: &RevocationRecord, audience: &str, signing: Signing) -> anyhow::Result<Option<String>> {
        let Some(subject) = self.subject(record) else { return Ok(None) };
        let seconds = record.at.seconds();
        let claims = json!({
            "iss": self.origin,
            "aud": audience,
            "iat": seconds,
            "jti": &*record.id,
            "sub_id": subject,
            "events": { SESSION_REVOKED: {
                "event_timestamp": seconds,
                "initiating_entity": "admin",
                "reason_admin": { "en": record.reason },
            }},
        });
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = |alg: &str, kid: String| {
            format!("{}.{}", part(&json!({ "alg": alg, "typ": "secevent+jwt", "kid": kid })), part(&claims))
        };
        let (signed, signature) = match signing {
            Signing::EdDsa => {
                let signer = self.ring.signer(SIGNER)?;
                let signed = signed("EdDSA", kid(&signer.public_key()));
                let signature = signer.sign(signed.as_bytes())?.to_vec();
                (signed, signature)
            }
            Signing::Rs256 => {
                let key = self.rsa.first().context("there is no RSA key")?;
                let signed = signed("RS256", key.kid());
                let signature = key.sign(signed.as_bytes())?;
                (signed, signature)
            }
        };
        Ok(Some(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))))
    }

    /// Whom a revocation is about, where there is a word for it.
    fn subject(&self, record: &RevocationRecord) -> Option<Value> {
        if record.by.starts_with("issuer:") {
            return None;
        }
        let url = |name: &str| self.issuers.iter().find(|(known, _)| **known == *name).map(|(_, url)| &**url);
        match record.target.parse().ok()? {
            Target::Principal(tenant, subject) => {
                let theirs = subject.split_once('/').and_then(|(issuer, id)| Some((url(issuer)?, id)));
                Some(match theirs {
                    Some((iss, sub)) => json!({ "format": "iss_sub", "iss": iss, "sub": sub }),
                    None => json!({ "format": "iss_sub", "iss": self.origin, "sub": format!("{tenant}/{subject}") }),
                })
            }
            Target::Session(issuer, id) => Some(json!({
                "format": "complex",
                "session": { "format": "opaque", "id": &*id },
                "tenant": { "format": "opaque", "id": url(&issuer)? },
            })),
            Target::Tenant(name) => {
                Some(json!({ "format": "complex", "tenant": { "format": "opaque", "id": &*name } }))
            }
            _ => None,
        }
    }

    /// The keys that events are verified with, newest first.
    pub(crate) fn keys(&self) -> anyhow::Result<Value> {
        let keys = self.ring.verifiers(SIGNER)?.into_iter().map(|verifier| {
            let public = verifier.public_key();
            let x = BASE64URL_NOPAD.encode(&public);
            json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid(&public), "x": x })
        });
        let keys: Vec<_> = keys.chain(self.rsa.iter().map(RsaKey::public)).collect();
        Ok(json!({ "keys": keys }))
    }
}

/// The name of a key, by a hash of what is public of it.
pub(super) fn kid(public: &[u8]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, public);
    BASE64URL_NOPAD.encode(hash.as_ref().get(..12).unwrap_or_default())
}

pub(crate) const TYPE: &str = "application/secevent+jwt";
const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
/// No node has a name with a space, so this key is no audit log's.
const SIGNER: &str = "security events";
const LOOK: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a node may take over a batch before another takes over.
const HELD: Duration = Duration::from_mins(5);
const BATCH: u32 = 20;

#[cfg(test)]
mod tests;
