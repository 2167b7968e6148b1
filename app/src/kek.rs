//! The key-encryption key: asks whoever holds it to wrap and unwrap the key that the root keys are sealed under.

use std::time::Duration;

use anyhow::Context;
use countersign_core::Secret;
use countersign_provider::Trust;
use countersign_seal::kek::{Ask, AwsKms, Credentials, FileKek, Service, VaultTransit, WrappedRoot, WrappingKey};
use tokio::time::timeout;

use crate::{
    clock,
    config::{KekAt, ServiceAt},
    fetch::Place,
    files,
};

mod pkcs11;

/// A key-encryption key that can be asked.
pub(crate) enum Kek {
    File(FileKek),
    Service { at: Place, trust: Option<Trust>, service: Box<dyn Service> },
    Module(pkcs11::Module),
}

impl Kek {
    /// Finds it; of a service, nothing is asked yet.
    pub(crate) fn open(at: &KekAt) -> anyhow::Result<Self> {
        Ok(match at {
            KekAt::File(path) => {
                let (bytes, mode) =
                    files::read(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
                let bytes = Secret::new(bytes);
                anyhow::ensure!(mode & 0o007 == 0, "`{}` is open to everyone (mode {mode:o})", path.display());
                Self::File(FileKek::new(&bytes)?)
            }
            KekAt::Aws { at, key_id, region } => {
                let credentials = Credentials {
                    id: variable("AWS_ACCESS_KEY_ID")?,
                    secret: Secret::new(variable("AWS_SECRET_ACCESS_KEY")?),
                    token: variable("AWS_SESSION_TOKEN").ok().map(Secret::new),
                };
                let (key_id, region, host) = (key_id.clone(), region.clone(), at.place.host());
                Self::service(at, AwsKms { key_id, region, host, credentials })?
            }
            KekAt::Transit { at, mount, key, token } => {
                Self::service(at, VaultTransit { mount: mount.clone(), key: key.clone(), token: token.clone() })?
            }
            KekAt::Pkcs11 { module, token, key, pin } => Self::Module(pkcs11::Module::new(module, token, key, pin)),
        })
    }

    fn service(at: &ServiceAt, service: impl Service + 'static) -> anyhow::Result<Self> {
        let trust = at.ca.as_ref().map_or_else(Trust::system, |pem| Trust::given(pem));
        // A server in the clear, on this machine, needs none.
        let trust = if at.place.is_clear() { None } else { Some(trust?) };
        Ok(Self::Service { at: at.place.clone(), trust, service: Box::new(service) })
    }

    /// Names it, without saying anything about it.
    pub(crate) fn name(&self) -> anyhow::Result<String> {
        Ok(match self {
            Self::File(file) => file.name()?,
            Self::Service { service, .. } => service.name(),
            Self::Module(module) => module.name(),
        })
    }

    /// Wraps the content of a root key file.
    pub(crate) async fn wrap(&self, root: &Secret<Vec<u8>>) -> anyhow::Result<WrappedRoot> {
        let key = WrappedRoot::wrapping_key()?;
        let wrapped = match self {
            Self::File(file) => file.wrap(&key)?,
            Self::Service { at, trust, service } => {
                let answer = call(at, trust.as_ref(), service.wrap(clock::now(), &key)).await?;
                service.wrapped(answer.expose())?
            }
            Self::Module(module) => module.wrap(&key)?,
        };
        Ok(WrappedRoot::seal(&self.name()?, &key, wrapped, root)?)
    }

    /// Unwraps the content of a root key file.
    pub(crate) async fn unwrap(&self, root: &WrappedRoot) -> anyhow::Result<Secret<Vec<u8>>> {
        let wrapped = root.wrapped_key();
        let key: WrappingKey = match self {
            Self::File(file) => file.unwrap(wrapped)?,
            Self::Service { at, trust, service } => {
                let answer = call(at, trust.as_ref(), service.unwrap(clock::now(), wrapped)).await?;
                service.unwrapped(answer.expose())?
            }
            Self::Module(module) => module.unwrap(wrapped)?,
        };
        Ok(root.open(&key)?)
    }
}

async fn call(at: &Place, trust: Option<&Trust>, ask: Ask) -> anyhow::Result<Secret<Vec<u8>>> {
    let answer = timeout(PATIENCE, at.call(trust, ask, MAX_ANSWER)).await;
    answer
        .map_err(|_| anyhow::anyhow!("{at} does not answer"))?
        .with_context(|| format!("{at} refuses, or is not there"))
}

fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).with_context(|| format!("`{name}` is not set"))
}

/// For an answer of a key service.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const MAX_ANSWER: usize = 64 << 10;
