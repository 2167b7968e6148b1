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
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use crate::{
    assemble::Assembly,
    cmd::Problems,
    config::{self, Config, Door},
};

/// Watches the key store, and reads the configuration again at SIGHUP, until aborted.
pub(crate) async fn watch(assembly: Arc<Assembly>, file: PathBuf, tls: Vec<(String, Arc<ArcSwap<ServerConfig>>)>) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(signal) => signal,
        Err(error) => {
            tracing::error!(%error, "SIGHUP cannot be watched; reload needs a restart");
            return;
        }
    };
    let mut tick = interval(KEY_CHECK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = Revision::default();
    let mut failures = 0_u32;
    loop {
        tokio::select! {
            _ = tick.tick() => match assembly.refresh_keys(&mut seen).await {
                Ok(changed) => {
                    failures = 0;
                    if changed {
                        tracing::info!("keys changed");
                    }
                }
                Err(error) => {
                    failures += 1;
                    tracing::error!(%error, failures, "the key store cannot be read");
                    if failures >= TOLERATED {
                        // Whoever was revoked meanwhile must not go on; the next good read starts anew.
                        assembly.distrust_keys();
                        seen = Revision::default();
                    }
                }
            },
            _ = hangup.recv() => match apply(&assembly, &file, &tls).await {
                Ok(()) => tracing::info!("reloaded"),
                Err(error) => tracing::error!(error = format!("{error:#}"), "not reloaded; everything stays as it was"),
            },
        }
    }
}

async fn apply(assembly: &Assembly, file: &Path, tls: &[(String, Arc<ArcSwap<ServerConfig>>)]) -> anyhow::Result<()> {
    let config = config::load(file).map_err(Problems)?;
    assembly.apply(&config).await?;
    renew_certificates(&config, tls);
    Ok(())
}

/// New certificates serve new connections. Doors are opened and closed by a restart only.
fn renew_certificates(config: &Config, tls: &[(String, Arc<ArcSwap<ServerConfig>>)]) {
    for (name, current) in tls {
        let renewed = config.listeners.iter().find(|l| l.name == *name);
        match renewed.map(|l| &l.door) {
            Some(Door::Tls { tls, .. }) => current.store(tls.clone()),
            _ => tracing::warn!(listener = name, "a listener changed its kind or is gone; that takes a restart"),
        }
    }
}

/// How long a key that was created or revoked by another process may go unnoticed.
const KEY_CHECK: Duration = Duration::from_millis(250);

/// Failures to read the key store in a row before no key is believed any more.
const TOLERATED: u32 = 8;
