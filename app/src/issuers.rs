//! Fetches the keys of identity providers in the background, and hands them to the stage that verifies tokens.
//!
//! No request waits for it. When to fetch is [`Tokens`]' to say; what is fetched there decides; here is only the network.
//!
//! Threats it answers: metadata or keys that come from elsewhere than the configuration says (no redirects, https, the issuer in
//! the metadata is ours), answers without end, and keys fetched under a configuration that has been replaced meanwhile.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use countersign_core::{Secret, Timestamp};
use countersign_identity::{
    Tokens,
    discovery::{self, MAX_METADATA},
    token::{Asking, Introspect, IssuerError, KeyReport, MAX_SET, NoAnswer},
};
use countersign_provider::Trust;
use tokio::{
    io::AsyncReadExt,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{assemble::Assembly, clock, config, fetch::Place};

mod introspect;

pub(crate) use introspect::{Asker, askers, basic, escaped};

/// Where the keys of one issuer come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Source {
    /// The issuer's name here.
    pub(crate) name: Arc<str>,
    /// Its `iss`.
    pub(crate) url: Box<str>,
    /// Where its key set is, if that was said, else where its metadata may be.
    pub(crate) keys: Keys,
    /// Authorities of its certificate in PEM, instead of the system's.
    pub(crate) ca: Option<Vec<u8>>,
    /// It may be spoken to in the clear, on this machine.
    pub(crate) clear: bool,
}

/// Where a key set is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Keys {
    At(Place),
    /// In a file.
    In(PathBuf),
    /// Named by the metadata in one of these places.
    Discovered([Place; 2]),
}

/// The issuers of the configuration that runs.
#[derive(Default)]
pub(crate) struct Issuers {
    /// Where their keys come from.
    sources: Mutex<Vec<Arc<Source>>>,
    /// Who asks them about tokens.
    askers: Mutex<Vec<(Arc<str>, Arc<Asker>)>>,
}

impl Issuers {
    /// Puts other issuers in place. One that is as it was keeps its keys; one whose keys are to come from elsewhere begins anew.
    pub(crate) fn set(
        &self,
        tokens: &Tokens,
        configured: &[config::Issuer],
        askers: Vec<(Arc<str>, Arc<Asker>)>,
    ) -> Result<(), IssuerError> {
        // Held throughout, so that no fetch lands in between.
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |source: &Source| sources.iter().find(|old| ***old == *source).cloned();
        let new = configured.iter().map(|c| known(&c.source).unwrap_or_else(|| Arc::new(c.source.clone()))).collect();
        let stays = |source: &Source| known(source).is_some() || !sources.iter().any(|old| old.url == source.url);
        if !configured.iter().all(|c| stays(&c.source)) {
            let staying = configured.iter().filter(|c| stays(&c.source));
            tokens.set_issuers(staying.map(|c| c.issuer.clone()).collect())?;
        }
        tokens.set_issuers(configured.iter().map(|c| c.issuer.clone()).collect())?;
        *sources = new;
        *self.askers.lock().unwrap_or_else(PoisonError::into_inner) = askers;
        Ok(())
    }

    fn named(&self, name: &str) -> Option<Arc<Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|source| *source.name == *name).cloned()
    }

    /// Hands on what was fetched from `source` by a fetch that began at `began`. None when the source has been replaced meanwhile:
    /// what it said is nobody's then.
    fn land(
        &self,
        tokens: &Tokens,
        source: &Arc<Source>,
        fetched: anyhow::Result<Bytes>,
        began: Timestamp,
    ) -> Option<anyhow::Result<KeyReport>> {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if !sources.iter().any(|now| Arc::ptr_eq(now, source)) {
            return None;
        }
        Some(match fetched {
            Ok(set) => tokens.fetched(&source.name, &set, began).map_err(Into::into),
            Err(error) => {
                tokens.failed(&source.name);
                Err(error)
            }
        })
    }
}

impl Introspect for Issuers {
    fn introspect(&self, issuer: Arc<str>, token: Secret<String>) -> Asking {
        let askers = self.askers.lock().unwrap_or_else(PoisonError::into_inner);
        let asker = askers.iter().find(|(name, _)| *name == issuer).map(|(_, asker)| asker.clone());
        Box::pin(async move {
            let answer = asker.ok_or(NoAnswer)?.ask(&token).await;
            answer.map(|said| said.to_vec()).map_err(|error| {
                tracing::warn!(
                    issuer = &*issuer,
                    error = format!("{error:#}"),
                    "cannot be asked what a token is worth"
                );
                NoAnswer
            })
        })
    }
}

/// Fetches what is wanted, until aborted.
pub(crate) async fn watch(assembly: &Arc<Assembly>) {
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fetching = JoinSet::new();
    loop {
        tick.tick().await;
        while fetching.try_join_next().is_some() {}
        for name in assembly.gateway().stages().identity.tokens().wanted(clock::now()) {
            fetching.spawn(renew(assembly.clone(), name));
        }
    }
}

/// Fetches the keys of one issuer and puts them in force.
async fn renew(assembly: Arc<Assembly>, name: Arc<str>) {
    let Some(source) = assembly.issuers().named(&name) else { return };
    let began = clock::now();
    let fetched = source.fetch().await;
    let stages = assembly.gateway().stages();
    let Some(landed) = assembly.issuers().land(stages.identity.tokens(), &source, fetched, began) else { return };
    assembly.gateway().metrics().fetched(&name, landed.is_ok());
    match landed {
        Ok(report) if report.new + report.gone > 0 => {
            tracing::info!(issuer = &*name, new = report.new, kept = report.kept, gone = report.gone, "keys changed");
            for key in report.refused {
                tracing::warn!(issuer = &*name, key = &*key.name, why = %key.why, "a published key is not accepted");
            }
        }
        Ok(report) => tracing::debug!(issuer = &*name, kept = report.kept, "keys are as they were"),
        Err(error) => tracing::warn!(issuer = &*name, error = format!("{error:#}"), "keys could not be fetched"),
    }
}

impl Source {
    /// Fetches the key set: whatever it takes, in bounded time.
    pub(crate) async fn fetch(&self) -> anyhow::Result<Bytes> {
        match timeout(PATIENCE, self.key_set()).await {
            Ok(fetched) => fetched,
            Err(_) => anyhow::bail!("it took longer than {} s", PATIENCE.as_secs()),
        }
    }

    /// Whom it is proved to be by. None where it may be spoken to in the clear and the system names nobody.
    pub(crate) async fn trust(&self) -> anyhow::Result<Option<Trust>> {
        match &self.ca {
            Some(pem) => Ok(Some(Trust::given(pem)?)),
            // Read anew, so that authorities which were renewed meanwhile are known.
            None => match tokio::task::spawn_blocking(Trust::system).await? {
                // In the clear nobody has to be trusted; TLS is refused then.
                Err(_) if self.clear => Ok(None),
                trust => Ok(Some(trust?)),
            },
        }
    }

    async fn key_set(&self) -> anyhow::Result<Bytes> {
        let trust = self.trust().await?;
        let trust = trust.as_ref();
        let at = match &self.keys {
            Keys::At(at) => at.clone(),
            Keys::In(path) => return read(path).await.with_context(|| format!("key set in `{}`", path.display())),
            Keys::Discovered(places) => self.discover(places, trust).await?,
        };
        at.get(trust, MAX_SET).await.map_err(|e| anyhow::anyhow!("key set at {at}: {e}"))
    }

    /// Its metadata, from where they have to be.
    pub(crate) async fn metadata(&self, trust: Option<&Trust>) -> anyhow::Result<Bytes> {
        let places = discovery::places(&self.url).ok_or_else(|| anyhow::anyhow!("its URL is no address"))?;
        either(&[places[0].parse()?, places[1].parse()?], trust).await
    }

    /// Where the metadata say that the key set is.
    async fn discover(&self, places: &[Place; 2], trust: Option<&Trust>) -> anyhow::Result<Place> {
        let metadata = either(places, trust).await?;
        let at: Place = discovery::read(&metadata, &self.url)?.parse()?;
        anyhow::ensure!(at.is_safe(self.clear), "the metadata lead to {at}, which is not https");
        Ok(at)
    }
}

/// The metadata in one of two places. The second is asked when there is nothing at the first.
async fn either([first, second]: &[Place; 2], trust: Option<&Trust>) -> anyhow::Result<Bytes> {
    match first.get(trust, MAX_METADATA).await {
        Ok(metadata) => Ok(metadata),
        Err(error) => match second.get(trust, MAX_METADATA).await {
            Ok(metadata) => Ok(metadata),
            Err(_) => anyhow::bail!("metadata at {first}: {error}"),
        },
    }
}

/// Reads a key set, of no more bytes than one may have.
async fn read(path: &Path) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    tokio::fs::File::open(path).await?.take(MAX_SET as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(bytes.into())
}

/// How often it is looked whether keys are wanted.
const LOOK: Duration = Duration::from_millis(250);
/// For one fetch, metadata and key set together.
const PATIENCE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;
