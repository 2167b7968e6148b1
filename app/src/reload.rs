//! What changes while the gateway runs: keys, policy and configuration. A change that does not hold changes nothing.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use countersign_store::Revision;
use rustls::ServerConfig;
use tokio::{
    signal::unix::Signal,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{
    assemble::Assembly,
    cmd::Problems,
    config::{self, Config, Door},
};

/// The certificates of listeners, by name.
pub(crate) type Certificates = Vec<(String, Arc<ArcSwap<ServerConfig>>)>;

/// Watches the key store, and reads the configuration again at each `hangup`, until aborted. The two do not wait for each
/// other: a configuration takes seconds to prove, and a key that is revoked meanwhile is refused all the same.
pub(crate) async fn watch(assembly: Arc<Assembly>, file: PathBuf, tls: Certificates, mut hangup: Signal) {
    let configuration = async {
        while hangup.recv().await.is_some() {
            match apply(&assembly, &file, &tls).await {
                Ok(()) => tracing::info!("reloaded"),
                Err(error) => tracing::error!(error = format!("{error:#}"), "not reloaded; everything stays as it was"),
            }
        }
    };
    tokio::join!(keys(&assembly), configuration);
}

async fn keys(assembly: &Assembly) {
    let mut tick = interval(KEY_CHECK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = Revision::default();
    let mut failing: Option<Instant> = None;
    loop {
        tick.tick().await;
        let began = Instant::now();
        let refreshed = timeout(KEY_PATIENCE, assembly.refresh_keys(&mut seen)).await;
        match refreshed.unwrap_or_else(|_| Err(anyhow::anyhow!("it does not answer"))) {
            Ok(changed) => {
                failing = None;
                if changed {
                    tracing::info!("keys changed");
                }
            }
            Err(error) => {
                let since = *failing.get_or_insert(began);
                tracing::error!(%error, "the key store cannot be read");
                if since.elapsed() >= TOLERATED {
                    // Whoever was revoked meanwhile must not go on; the next good read starts anew.
                    assembly.distrust_keys();
                    seen = Revision::default();
                }
            }
        }
    }
}

async fn apply(assembly: &Assembly, file: &Path, tls: &Certificates) -> anyhow::Result<()> {
    let config = config::load(file).map_err(Problems)?;
    assembly.apply(&config).await?;
    renew_certificates(&config, tls);
    Ok(())
}

/// New certificates serve new connections. Doors are opened and closed by a restart only.
fn renew_certificates(config: &Config, tls: &Certificates) {
    for (name, current) in tls {
        let renewed = config.listeners.iter().find(|l| l.name == *name);
        match renewed.map(|l| &l.door) {
            Some(Door::Tls { tls, .. }) => current.store(tls.clone()),
            _ => tracing::warn!(listener = name, "a listener changed its kind or is gone; that takes a restart"),
        }
    }
    for listener in &config.listeners {
        if matches!(listener.door, Door::Tls { .. }) && !tls.iter().any(|(name, _)| *name == listener.name) {
            tracing::warn!(listener = listener.name, "a listener is new; it is opened by a restart");
        }
    }
}

/// How long a key that was created or revoked by another process may go unnoticed.
const KEY_CHECK: Duration = Duration::from_millis(250);

/// How long one look at the key store may take.
const KEY_PATIENCE: Duration = Duration::from_secs(1);

/// How long the key store may fail before no key is believed any more.
const TOLERATED: Duration = Duration::from_millis(1750);

#[cfg(test)]
mod tests;
