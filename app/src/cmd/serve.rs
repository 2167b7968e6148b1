//! `countersign serve`: check everything, then bind, then serve until told to stop.

use std::{net::SocketAddr, os::unix::fs::PermissionsExt, path::Path, process::ExitCode, sync::Arc};

use arc_swap::ArcSwap;
use countersign_core::Code;
use countersign_gateway::listener::{self, Bounds};
use tokio::{
    net::{TcpListener, UnixListener},
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

use crate::{
    assemble::{self, Assembly},
    cli::WithConfig,
    cmd::{self, Failure, audit},
    config::{Config, Door},
    reload,
    state::State,
    telemetry,
};

pub(crate) fn run(args: &WithConfig) -> anyhow::Result<ExitCode> {
    let config = cmd::configuration(args)?;
    let _telemetry = telemetry::start(&config.telemetry)?;
    runtime(config.workers)?.block_on(async {
        let state = State::open(&config.state, &config.node).await?;
        let running = Running::start(config, state).await?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => {}
            ended = tokio::signal::ctrl_c() => ended?,
        }
        tracing::info!("stopping: no new requests; those in flight may end");
        running.stop().await
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
    serving: Vec<JoinHandle<()>>,
    reloading: JoinHandle<()>,
    addresses: Vec<(String, SocketAddr)>,
}

impl Running {
    /// Proves the configuration, then opens its doors.
    pub(crate) async fn start(config: Config, state: State) -> anyhow::Result<Self> {
        let enforced = assemble::prove(&config).await?;
        let assembly = Arc::new(Assembly::new(&config, state).await?);
        let (stop, stopping) = watch::channel(false);
        let mut doors = Vec::new();
        let (mut certificates, mut addresses) = (Vec::new(), Vec::new());
        for listener in &config.listeners {
            let (door, address) = bind(&listener.door).await.map_err(|e| Failure {
                code: Code::CannotBind,
                what: format!("listener `{}`: {e}", listener.name),
                fix: "is another process using it, or does the address belong to this machine?",
            })?;
            if let listener::Door::Tls(_, tls) = &door {
                certificates.push((listener.name.clone(), tls.clone()));
            }
            addresses.extend(address.map(|a| (listener.name.clone(), a)));
            doors.push((Arc::from(listener.name.as_str()), door));
        }
        let serve = |(name, door)| {
            let gateway = assembly.gateway().clone();
            tokio::spawn(listener::serve(gateway, door, name, Bounds::default(), stopping.clone()))
        };
        let serving = doors.into_iter().map(serve).collect();
        let reloading = tokio::spawn(reload::watch(assembly.clone(), config.file.clone(), certificates));
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

    /// Verifies the audit log as it stands: how many records hold, or what is wrong.
    pub(crate) fn verify_audit(&self) -> anyhow::Result<Result<u64, String>> {
        let report = audit::verify_own(self.assembly.state(), None, None)?;
        Ok(match report.damage.first() {
            None => Ok(report.held),
            Some(damage) => Err(damage.what.clone()),
        })
    }

    /// Takes no new requests, lets those in flight end, and closes the audit log.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        self.reloading.abort();
        for served in self.serving {
            served.await?;
        }
        self.assembly.gateway().stages().audit.close().await;
        Ok(())
    }
}

async fn bind(door: &Door) -> std::io::Result<(listener::Door, Option<SocketAddr>)> {
    Ok(match door {
        Door::Tls { address, tls } => {
            let listener = TcpListener::bind(address).await?;
            let bound = listener.local_addr()?;
            (listener::Door::Tls(listener, Arc::new(ArcSwap::new(tls.clone()))), Some(bound))
        }
        Door::Clear { address } => {
            let listener = TcpListener::bind(address).await?;
            let bound = listener.local_addr()?;
            (listener::Door::Clear(listener), Some(bound))
        }
        Door::Unix { path } => (listener::Door::Unix(unix(path)?), None),
    })
}

/// Binds a Unix socket for this user alone. One left behind by a process that died is replaced; a live one is not.
fn unix(path: &Path) -> std::io::Result<UnixListener> {
    if path.exists() {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(std::io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
