//! What changes while the gateway runs: keys, policy and configuration. A change that does not hold changes nothing.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::{
    signal::unix::Signal,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    archive,
    assemble::Assembly,
    beside, clock,
    cmd::Problems,
    config::{self, Config, Door},
    export, issuers, playbooks, retention, signals, witness,
};

/// A listener that was opened at the start.
pub(crate) struct Opened {
    /// Its name.
    pub(crate) name: String,
    /// What it listens on, in words.
    pub(crate) on: String,
    /// Its certificate, where it has one.
    pub(crate) tls: Option<Arc<ArcSwap<ServerConfig>>>,
}

/// Watches the key store, and reads the configuration again at each `hangup`, until aborted. The two do not wait for each
/// other: a configuration takes seconds to prove, and a key that is revoked meanwhile is refused all the same.
pub(crate) async fn watch(assembly: Arc<Assembly>, file: PathBuf, opened: Vec<Opened>, mut hangup: Signal) {
    let configuration = async {
        while hangup.recv().await.is_some() {
            match apply(&assembly, &file, &opened).await {
                Ok(waiting) => {
                    for what in &waiting {
                        tracing::warn!(what, "takes a restart");
                    }
                    tracing::info!(wait_for_a_restart = waiting.len(), "reloaded");
                }
                Err(error) => tracing::error!(error = format!("{error:#}"), "not reloaded; everything stays as it was"),
            }
        }
    };
    let audit = assembly.gateway().stages().audit.clone();
    let spending = assembly.accounts().watch(&audit);
    tokio::join!(
        keys(&assembly),
        roots(&assembly),
        strangers(&assembly),
        changes_beside(&assembly),
        issuers::watch(&assembly),
        signals::send::watch(&assembly),
        signals::poll::watch(&assembly),
        playbooks::watch(&assembly),
        witness::watch(&assembly),
        export::watch(&assembly),
        archive::watch(&assembly),
        retention::watch(&assembly),
        spending,
        others(&assembly),
        configuration
    );
}

async fn keys(assembly: &Assembly) {
    let mut tick = interval(KEY_CHECK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing: Option<Instant> = None;
    loop {
        tick.tick().await;
        let began = Instant::now();
        let refreshed = timeout(KEY_PATIENCE, assembly.force().refresh()).await;
        match refreshed.unwrap_or_else(|_| Err(anyhow::anyhow!("it does not answer"))) {
            Ok(changed) => {
                failing = None;
                if changed {
                    tracing::info!("keys or revocations changed");
                }
            }
            Err(error) => {
                let since = *failing.get_or_insert(began);
                tracing::error!(%error, "the key store cannot be read");
                if since.elapsed() >= TOLERATED {
                    // Whoever was revoked meanwhile must not go on; the next good read starts anew.
                    assembly.force().distrust();
                }
            }
        }
    }
}

/// Takes in further root keys; by itself, so that a key service that does not answer does not keep revocations waiting.
async fn roots(assembly: &Assembly) {
    let mut seen = assembly.state().stamp();
    loop {
        sleep(KEY_CHECK).await;
        if let Err(error) = assembly.state().refresh_ring(&mut seen).await {
            tracing::error!(error = format!("{error:#}"), "the root keys were changed and cannot be read");
            sleep(AGAIN).await;
        }
    }
}

/// Looks at the store whenever another node says that something changed.
async fn others(assembly: &Assembly) {
    if let Some(cluster) = assembly.cluster() {
        cluster.listen(assembly.force()).await;
    }
}

/// What the command line changes goes on record; by itself, so that a log that cannot be written does not keep revocations waiting.
async fn changes_beside(assembly: &Assembly) {
    let mut tick = interval(KEY_CHECK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let audit = assembly.gateway().stages().audit.clone();
        if let Err(error) = beside::record(assembly.state(), &audit, clock::now()).await {
            tracing::error!(error = format!("{error:#}"), "what the command line changed is not on record yet");
        }
    }
}

/// Strangers who are refused too often are counted; from time to time the counts go on record.
async fn strangers(assembly: &Assembly) {
    let mut tick = interval(STRANGERS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        assembly.gateway().account_for_strangers(false).await;
    }
}

/// Applies the configuration as it stands in the file; what of it waits for a restart.
async fn apply(assembly: &Assembly, file: &Path, opened: &[Opened]) -> anyhow::Result<Vec<String>> {
    let policies = assembly.policies().clone();
    let _turn = policies.changing.lock().await;
    // Thousands of policies take seconds to validate, and revocations are looked for meanwhile.
    let file = file.to_owned();
    let config = tokio::task::spawn_blocking(move || config::load(&file)).await?.map_err(Problems)?;
    assembly.apply(&config).await?;
    renew_certificates(&config, opened);
    Ok(waiting(&config, opened))
}

/// New certificates serve new connections.
fn renew_certificates(config: &Config, opened: &[Opened]) {
    for door in opened {
        let configured = config.listeners.iter().find(|l| l.name == door.name).map(|l| &l.door);
        if let (Some(Door::Tls { tls, .. }), Some(current)) = (configured, &door.tls) {
            current.store(tls.clone());
        }
    }
}

/// Doors are opened, moved and closed by a restart only: those that the configuration now wants elsewhere, or not at all.
fn waiting(config: &Config, opened: &[Opened]) -> Vec<String> {
    let mut waiting = Vec::new();
    for listener in &config.listeners {
        let on = listener.door.to_string();
        match opened.iter().find(|door| door.name == listener.name) {
            None => waiting.push(format!("listener `{}`, {on}, is new and not open yet", listener.name)),
            Some(door) if door.on != on => {
                waiting.push(format!("listener `{}` is to be {on} and still is {}", listener.name, door.on));
            }
            Some(_) => {}
        }
    }
    let gone = opened.iter().filter(|door| config.listeners.iter().all(|l| l.name != door.name));
    waiting.extend(gone.map(|door| format!("listener `{}`, {}, is gone and still open", door.name, door.on)));
    waiting
}

/// How long a key that was created or revoked by another process may go unnoticed.
const KEY_CHECK: Duration = Duration::from_millis(250);
/// Between two tries to read root keys that cannot be read.
const AGAIN: Duration = Duration::from_secs(5);

/// How often counts of strangers go on record; each speaks of a minute.
const STRANGERS: Duration = Duration::from_secs(5);

/// How long one look at the key store may take.
const KEY_PATIENCE: Duration = Duration::from_secs(1);

/// How long the key store may fail before no key is believed any more.
const TOLERATED: Duration = Duration::from_millis(1750);

#[cfg(test)]
mod tests;
