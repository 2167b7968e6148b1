//! What is measured: nothing in between, nginx, Envoy, HAProxy, our relay without checks, and the gateway with all of them.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};

use crate::{shell, tools};

use super::free_port;

/// Where a subject can be asked.
#[derive(Clone, Copy, Default)]
pub(super) struct Ways {
    pub(super) clear: Option<SocketAddr>,
    pub(super) tls: Option<SocketAddr>,
}

/// A running subject; ends when dropped.
pub(super) struct Subject {
    pub(super) ways: Ways,
    pub(super) key: Option<String>,
    process: Option<Child>,
}

type Starting<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Subject>> + 'a>>;

/// Starts a subject in a folder of its own, before an upstream.
type Start = for<'a> fn(&'a Path, SocketAddr) -> Starting<'a>;

/// Every subject and how it is started.
pub(super) const ALL: [(&str, Start); 7] = [
    ("direct", |_, upstream| {
        Box::pin(
            async move { Ok(Subject { ways: Ways { clear: Some(upstream), tls: None }, key: None, process: None }) },
        )
    }),
    ("nginx", |folder, upstream| Box::pin(nginx(folder, upstream))),
    ("envoy", |folder, upstream| Box::pin(envoy(folder, upstream))),
    ("haproxy", |folder, upstream| Box::pin(haproxy(folder, upstream))),
    ("bare relay", |_, upstream| Box::pin(relay(upstream))),
    ("countersign", |folder, upstream| Box::pin(async move { prepared(folder, upstream, "", "")?.start().await })),
    ("countersign, rules alone", |folder, upstream| {
        Box::pin(async move { prepared(folder, upstream, "", "[guard]\nfalse_alarms = \"off\"\n")?.start().await })
    }),
];

async fn nginx(folder: &Path, upstream: SocketAddr) -> anyhow::Result<Subject> {
    tools::debian(&[("nginx", "nginx")])?;
    let (clear, tls) = (free_port()?, free_port()?);
    let here = folder.display();
    let config = format!(
        "worker_processes 1; daemon off; pid {here}/nginx.pid; error_log {here}/nginx.log;\nevents {{ worker_connections 1024; }}\n\
         http {{ access_log off; client_body_temp_path {here}; proxy_temp_path {here}; keepalive_requests 100000000;\n\
         client_body_buffer_size 64k; upstream model {{ server {upstream}; keepalive 64; keepalive_requests 100000000; }}\n\
         server {{ listen {clear}; listen {tls} ssl; ssl_certificate {here}/chain.pem; ssl_certificate_key {here}/key.pem; ssl_protocols TLSv1.3;\n\
         location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off; }} }} }}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config)?;
    let ways = Ways { clear: Some(clear), tls: Some(tls) };
    Subject::start(Command::new("nginx").arg("-c").arg(file), ways, None).await
}

async fn haproxy(folder: &Path, upstream: SocketAddr) -> anyhow::Result<Subject> {
    tools::debian(&[("haproxy", "haproxy")])?;
    let (clear, tls) = (free_port()?, free_port()?);
    let here = folder.display();
    let pem = [fs::read(folder.join("chain.pem"))?, fs::read(folder.join("key.pem"))?].concat();
    fs::write(folder.join("both.pem"), pem)?;
    let config = format!(
        "global\n  nbthread 1\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         frontend callers\n  bind {clear}\n  bind {tls} ssl crt {here}/both.pem ssl-min-ver TLSv1.3\n  default_backend model\n\
         backend model\n  http-reuse always\n  server one {upstream}\n"
    );
    let file = folder.join("haproxy.cfg");
    fs::write(&file, config)?;
    let ways = Ways { clear: Some(clear), tls: Some(tls) };
    Subject::start(Command::new("haproxy").arg("-db").arg("-f").arg(file), ways, None).await
}

async fn envoy(folder: &Path, upstream: SocketAddr) -> anyhow::Result<Subject> {
    let (clear, tls) = (free_port()?, free_port()?);
    let filter = r#"{"name":"envoy.filters.network.http_connection_manager","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager","stat_prefix":"in","route_config":{"virtual_hosts":[{"name":"all","domains":["*"],"routes":[{"match":{"prefix":"/"},"route":{"cluster":"model","timeout":"0s"}}]}]},"http_filters":[{"name":"envoy.filters.http.router","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}}"#;
    let listener = |name: &str, at: SocketAddr, socket: String| {
        format!(
            r#"{{"name":"{name}","address":{{"socket_address":{{"address":"127.0.0.1","port_value":{}}}}},"filter_chains":[{{"filters":[{filter}]{socket}}}]}}"#,
            at.port()
        )
    };
    let here = folder.display();
    let secured = format!(
        r#","transport_socket":{{"name":"tls","typed_config":{{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext","common_tls_context":{{"tls_params":{{"tls_minimum_protocol_version":"TLSv1_3"}},"tls_certificates":[{{"certificate_chain":{{"filename":"{here}/chain.pem"}},"private_key":{{"filename":"{here}/key.pem"}}}}]}}}}}}"#
    );
    let config = format!(
        r#"{{"static_resources":{{"listeners":[{},{}],"clusters":[{{"name":"model","connect_timeout":"5s","type":"STATIC","load_assignment":{{"cluster_name":"model","endpoints":[{{"lb_endpoints":[{{"endpoint":{{"address":{{"socket_address":{{"address":"127.0.0.1","port_value":{}}}}}}}}}]}}]}}}}]}}}}"#,
        listener("clear", clear, String::new()),
        listener("tls", tls, secured),
        upstream.port()
    );
    let file = folder.join("envoy.json");
    fs::write(&file, config)?;
    let mut command = Command::new(tools::envoy()?);
    command.args(["--concurrency", "1", "--log-level", "critical", "--disable-hot-restart", "-c"]).arg(file);
    Subject::start(&mut command, Ways { clear: Some(clear), tls: Some(tls) }, None).await
}

async fn relay(upstream: SocketAddr) -> anyhow::Result<Subject> {
    let clear = free_port()?;
    let mut command = Command::new(shell::target().join("release/examples/relay"));
    command.args([clear.to_string(), upstream.to_string()]);
    Subject::start(&mut command, Ways { clear: Some(clear), tls: None }, None).await
}

/// The gateway with keys, rates, budgets, policy, guards and durable audit, as a deployment has them; `policy` and `guard` are more of
/// its configuration.
pub(super) fn prepared(folder: &Path, upstream: SocketAddr, policy: &str, guard: &str) -> anyhow::Result<Prepared> {
    let (clear, tls) = (free_port()?, free_port()?);
    let home = folder.join(format!("countersign-{clear}"));
    let binary = shell::target().join("release/countersign");
    shell::output(Command::new(&binary).arg("init").arg(&home))?;
    let config = format!(
        "state = \"state\"\nworkers = 1\n\
         [[listener]]\nname = \"clear\"\naddress = \"{clear}\"\ncleartext = \"i-accept-cleartext-on-loopback\"\n\
         [[listener]]\nname = \"tls\"\naddress = \"{tls}\"\ncertificate = \"../chain.pem\"\nkey = \"../key.pem\"\n\
         [[target]]\nname = \"model\"\nspeaks = \"openai\"\nurl = \"http://{upstream}\"\nmodels = [\"bench\", \"bench-together\"]\n\
         [policy]\nfiles = [\"policy.cedar\"]\n{policy}[rates]\nper_minute = 1000000000\nburst = 1000000\nconcurrent = 1000\n\
         [[price]]\nmodels = [\"bench\", \"bench-together\"]\ninput = \"0.01\"\noutput = \"0.01\"\nmost_output = 1024\n\
         [[budget]]\nname = \"each\"\nper = [\"key\"]\nwindow = \"month\"\nmoney = \"1000000\"\n\
         [[budget]]\nname = \"all\"\nper = []\nwindow = \"day\"\ntokens = 1_000_000_000_000\n\
         {guard}[telemetry]\nlevel = \"warn\"\n"
    );
    fs::write(home.join("countersign.toml"), config)?;
    let file = home.join("countersign.toml");
    let key = shell::output(
        Command::new(&binary).args(["key", "create", "bench", "--role", "staff", "--config"]).arg(&file),
    )?;
    let mut command = Command::new(&binary);
    command.args(["serve", "--config"]).arg(file);
    Ok(Prepared { command, ways: Ways { clear: Some(clear), tls: Some(tls) }, key: key.trim().to_owned() })
}

/// A gateway that can be started.
pub(super) struct Prepared {
    command: Command,
    ways: Ways,
    key: String,
}

impl Prepared {
    /// Starts it; it listens then.
    pub(super) async fn start(mut self) -> anyhow::Result<Subject> {
        Subject::start(&mut self.command, self.ways, Some(self.key)).await
    }
}

impl Subject {
    pub(super) async fn start(command: &mut Command, ways: Ways, key: Option<String>) -> anyhow::Result<Self> {
        let process = command.stdout(Stdio::null()).stdin(Stdio::null()).spawn().context("cannot be started")?;
        let mut subject = Self { ways, key, process: Some(process) };
        for address in [ways.clear, ways.tls].into_iter().flatten() {
            subject.wait_for(address).await?;
        }
        Ok(subject)
    }

    /// Waits until something listens.
    async fn wait_for(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        for _ in 0..20_000 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return Ok(());
            }
            if let Some(process) = &mut self.process {
                ensure!(process.try_wait()?.is_none(), "ended before it listened");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        anyhow::bail!("does not listen on {address}")
    }

    /// Processor time of the subject and its children, as the kernel accounts it.
    pub(super) fn processor_time(&self) -> anyhow::Result<Duration> {
        let mut total = Duration::ZERO;
        for pid in self.pids()? {
            let (_, [own, kernel]) = accounted(Path::new(&format!("/proc/{pid}/stat")))?;
            total += own + kernel;
        }
        Ok(total)
    }

    /// Processor time of each of the subject's threads, by the thread's name: its own code's and the kernel's.
    pub(super) fn threads(&self) -> anyhow::Result<BTreeMap<String, [Duration; 2]>> {
        let mut all: BTreeMap<String, [Duration; 2]> = BTreeMap::new();
        for pid in self.pids()? {
            for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
                // One that has ended meanwhile was idle.
                let Ok((name, times)) = accounted(&thread?.path().join("stat")) else { continue };
                let sum = all.entry(name).or_default();
                *sum = [sum[0] + times[0], sum[1] + times[1]];
            }
        }
        Ok(all)
    }

    /// Resident memory, in KiB: now (`VmRSS`) or at most (`VmHWM`).
    pub(super) fn resident(&self, field: &str) -> anyhow::Result<u64> {
        let mut total = 0;
        for pid in self.pids()? {
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            let line = status.lines().find(|l| l.starts_with(field)).context("no resident memory")?;
            total += line.split_whitespace().nth(1).context("no figure")?.parse::<u64>()?;
        }
        Ok(total)
    }

    fn pids(&self) -> anyhow::Result<Vec<u32>> {
        let Some(process) = &self.process else { return Ok(Vec::new()) };
        let mut pids = vec![process.id()];
        let mut next = 0;
        while let Some(pid) = pids.get(next) {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            pids.extend(children.split_whitespace().filter_map(|c| c.parse::<u32>().ok()));
            next += 1;
        }
        Ok(pids)
    }
}

/// What the kernel accounts to a process or thread: its name, and the time in its own code and in the kernel.
fn accounted(stat: &Path) -> anyhow::Result<(String, [Duration; 2])> {
    let stat = fs::read_to_string(stat)?;
    let (head, tail) = stat.rsplit_once(')').context("no name")?;
    let name = head.split_once('(').context("no name")?.1.to_owned();
    let fields: Vec<&str> = tail.split_whitespace().collect();
    // Linux shows ticks of a hundredth of a second on every architecture.
    let time = |at: usize| anyhow::Ok(Duration::from_millis(10 * fields.get(at).context("no time")?.parse::<u64>()?));
    Ok((name, [time(11)?, time(12)?]))
}

impl Drop for Subject {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Ask first: nginx's worker ends with its master only then.
            let _ = Command::new("kill").arg(process.id().to_string()).status();
            let _ = process.wait();
        }
    }
}
