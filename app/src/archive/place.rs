//! The bucket as the archive sees it: files of a log below a name, and anchors with all their versions.

use std::{io, sync::Arc};

use anyhow::Context;
use bytes::Bytes;
use countersign_audit::{Dir, Tail, archive::ANCHORS};
use countersign_bucket::{Bucket, Dial, Dialing, Io, Mode, Place, said::Locking};
use countersign_core::{Secret, Timestamp};
use countersign_provider::Trust;
use tokio::runtime::Handle;

use super::Archive;
use crate::fetch;

/// Where the copy of a log stands.
pub(crate) struct Store {
    bucket: Bucket,
    root: String,
}

/// One version of an anchor.
pub(crate) struct Anchor {
    /// Its name within the copy.
    pub(crate) name: String,
    /// Names the version.
    pub(crate) version: String,
    pub(crate) is_newest: bool,
    /// Whether it says that the anchor is gone.
    pub(crate) is_removal: bool,
}

impl Store {
    /// Finds it; nothing is asked yet.
    pub(crate) async fn open(archive: &Archive) -> anyhow::Result<Self> {
        let trust = match &archive.at.ca {
            Some(pem) => Some(Trust::given(pem)?),
            None => tokio::task::spawn_blocking(Trust::system).await?.ok(),
        };
        let place = Place {
            bucket: archive.bucket.clone(),
            region: archive.region.clone(),
            endpoint: archive.endpoint.clone(),
            id: variable("AWS_ACCESS_KEY_ID")?,
            secret: Secret::new(variable("AWS_SECRET_ACCESS_KEY")?),
            token: variable("AWS_SESSION_TOKEN").ok().map(Secret::new),
        };
        let host = archive.at.place.host();
        let dial = Arc::new(Way { place: archive.at.place.clone(), trust });
        Ok(Self { bucket: Bucket::new(place, host, dial)?, root: archive.root.clone() })
    }

    pub(crate) async fn read(&self, name: &str) -> anyhow::Result<Option<Bytes>> {
        let got = self.bucket.get(&self.name(name), None).await;
        got.with_context(|| format!("`{name}` cannot be read there"))
    }

    pub(crate) async fn write(&self, name: &str, bytes: Bytes) -> anyhow::Result<()> {
        let put = self.bucket.put(&self.name(name), bytes).await;
        put.with_context(|| format!("`{name}` cannot be written there"))
    }

    /// Writes something that stays; what stands there already stays as it is.
    pub(crate) async fn lock(&self, name: &str, bytes: Bytes, mode: Mode, until: Timestamp) -> anyhow::Result<()> {
        let put = self.bucket.put_locked(&self.name(name), bytes, mode, until).await;
        put.with_context(|| format!("`{name}` cannot be locked there")).map(drop)
    }

    /// All versions of all anchors, by name.
    pub(crate) async fn anchors(&self) -> anyhow::Result<Vec<Anchor>> {
        let versions = self.bucket.versions(&format!("{}/", self.name(ANCHORS))).await;
        let versions = versions.context("the anchors there cannot be listed")?;
        let within = format!("{}/", self.root);
        let own = |version: countersign_bucket::said::Version| {
            let name = version.name.strip_prefix(&within)?.to_owned();
            let (is_newest, is_removal) = (version.is_newest, version.is_removal);
            Some(Anchor { name, version: version.id, is_newest, is_removal })
        };
        let mut anchors: Vec<_> = versions.into_iter().filter_map(own).collect();
        anchors.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        Ok(anchors)
    }

    /// What one version of an anchor holds.
    pub(crate) async fn anchor(&self, anchor: &Anchor) -> anyhow::Result<Bytes> {
        let got = self.bucket.get(&self.name(&anchor.name), Some(&anchor.version)).await;
        got?.with_context(|| format!("`{}` cannot be read there", anchor.name))
    }

    /// Whether the bucket knows locks.
    pub(crate) async fn locking(&self) -> anyhow::Result<Locking> {
        self.bucket.locking().await.context("the bucket does not say whether it knows locks")
    }

    fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }
}

impl Anchor {
    /// How many records it speaks of, by its name.
    pub(crate) fn size(&self) -> Option<u64> {
        self.name.strip_prefix(ANCHORS)?.strip_prefix('/')?.split('-').next()?.parse().ok()
    }
}

/// The copy as a directory of a log, to be read by threads that are not the runtime's.
pub(crate) struct Copied {
    pub(crate) store: Arc<Store>,
    pub(crate) runtime: Handle,
}

impl Dir for Copied {
    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match self.runtime.block_on(self.store.read(path)) {
            Ok(Some(bytes)) => Ok(bytes.into()),
            Ok(None) => Err(io::Error::new(io::ErrorKind::NotFound, "it is not there")),
            Err(error) => Err(io::Error::other(format!("{error:#}"))),
        }
    }

    fn append(&self, _: &str) -> io::Result<Box<dyn Tail>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn put(&self, _: &[(String, Vec<u8>)]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The way to the storage's server.
struct Way {
    place: fetch::Place,
    trust: Option<Trust>,
}

impl Dial for Way {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(async move { Ok(Box::new(self.place.dial(self.trust.as_ref()).await?) as Box<dyn Io>) })
    }
}

fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).with_context(|| format!("`{name}` is not set"))
}
