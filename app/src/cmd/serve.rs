//! `countersign serve`: check everything, then bind, then serve until told to stop.

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use countersign_core::Code;
use countersign_gateway::listener::{self, Bounds};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{
    assemble::{self, Assembly},
    bind::bind,
    cli::WithConfig,
    clock,
    cmd::{self, Failure},
    config::Config,
    reload::{self, Opened},
    state::State,
    telemetry,
};

pub(crate) fn run(args: &WithConfig) -> anyhow::Result<ExitCode> {
    let config = cmd::configuration(args)?;
    let _telemetry = telemetry::start(&config.telemetry)?;
    runtime(config.workers)?.block_on(async {
        let state = State::open(&config.home).await?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut running = Running::start(config, state).await?;
        let wanted = tokio::select! {
            _ = terminate.recv() => Ok(()),
            ended = tokio::signal::ctrl_c() => ended.map_err(Into::into),
            why = running.fails() => Err(why),
        };
        tracing::info!("stopping: no new requests; those in flight may end");
        running.stop().await;
        wanted
    })?;
    Ok(ExitCode::SUCCESS)
}

/// One thread serves everything when one worker is asked for; it costs no work stealing.
pub(crate) fn runtime(workers: Option<usize>) -> std::io::Result<Runtime> {
    match workers {
        Some(1) => Builder::new_current_thread().enable_all().build(),
        Some(n) => Builder::new_multi_thread().worker_threads(n).enable_all().build(),
        None => Builder::new_multi_thread().enable_all().build(),
    }
}

/// A gateway that serves.
pub(crate) struct Running {
    assembly: Arc<Assembly>,
    stop: watch::Sender<bool>,
    serving: JoinSet<()>,
    reloading: JoinHandle<()>,
    addresses: Vec<(String, SocketAddr)>,
}

impl Running {
    /// Proves the configuration, then opens its doors.
    pub(crate) async fn start(config: Config, state: State) -> anyhow::Result<Self> {
        let hangup = signal(SignalKind::hangup())?;
        let enforced = assemble::prove(&config).await?;
        let assembly = Arc::new(Assembly::new(&config, state).await?);
        let (stop, stopping) = watch::channel(false);
        let mut doors = Vec::new();
        let (mut opened, mut addresses) = (Vec::new(), Vec::new());
        for listener in &config.listeners {
            let (door, address) = bind(&listener.door).await.map_err(|e| Failure {
                code: Code::CannotBind,
                what: format!("listener `{}`: {e}", listener.name),
                fix: "is another process using it, or does the address belong to this machine?",
            })?;
            let tls = match &door {
                listener::Door::Tls(_, tls) => Some(tls.clone()),
                listener::Door::Clear(_) | listener::Door::Unix(_) => None,
            };
            opened.push(Opened { name: listener.name.clone(), on: listener.door.to_string(), tls });
            addresses.extend(address.map(|a| (listener.name.clone(), a)));
            doors.push((Arc::from(listener.name.as_str()), door));
        }
        let mut serving = JoinSet::new();
        for (name, door) in doors {
            let gateway = assembly.gateway().clone();
            serving.spawn(listener::serve(gateway, door, name, Bounds::default(), stopping.clone()));
        }
        let reloading = tokio::spawn(reload::watch(assembly.clone(), config.file.clone(), opened, hangup));
        for (name, address) in &addresses {
            tracing::info!(listener = name, %address, "listening");
        }
        tracing::info!(self_test_cases = enforced, "serving");
        Ok(Self { assembly, stop, serving, reloading, addresses })
    }

    /// Where a listener listens; none for one that is no TCP listener.
    pub(crate) fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.addresses.iter().find(|(name, _)| name == listener).map(|(_, a)| *a)
    }

    /// Revokes a key, from now on and in the middle of answers.
    pub(crate) async fn revoke_key(&self, id: &str) -> anyhow::Result<()> {
        self.assembly.force().revoke_key(id, clock::now()).await?;
        Ok(())
    }

    /// Whose state it serves.
    pub(crate) fn state(&self) -> &State {
        self.assembly.state()
    }

    /// Waits until it can serve no more as it should: a listener or the watch over keys has ended by itself, which is a defect.
    pub(crate) async fn fails(&mut self) -> anyhow::Error {
        tokio::select! {
            Some(_) = self.serving.join_next() => anyhow::anyhow!("a listener has ended by itself"),
            _ = &mut self.reloading => anyhow::anyhow!("keys and configuration are watched no more"),
        }
    }

    /// Takes no new requests, lets those in flight end, and closes the audit log. Until the last has ended, keys that are
    /// revoked cut it.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        // Whoever follows the requests would be waited for.
        self.assembly.console().ring.close();
        while self.serving.join_next().await.is_some() {}
        self.reloading.abort();
        self.assembly.gateway().account_for_strangers(true).await;
        let audit = self.assembly.gateway().stages().audit.clone();
        audit.close().await;
        let watch = self.assembly.watch.clone();
        let _ = tokio::task::spawn_blocking(move || watch.keep()).await;
        if let Some(cluster) = self.assembly.cluster() {
            cluster.leave(self.assembly.state().node()).await;
        }
        if let Err(error) = self.assembly.accounts().write(&audit).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "figures of budgets are not written down; the next start does"
            );
        }
    }
}
