//! A deployment's directory: made by `countersign init`, configured, and given keys, as an operator would.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use tempfile::TempDir;

use crate::{Deployment, Upstream};

/// What a deployment is to look like. Rates are off and everyone with the role `staff` may everything, unless told otherwise.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    targets: String,
    rules: String,
    rates: Option<String>,
    guard: Option<String>,
    telemetry: Option<String>,
    policy: Option<String>,
    client_ca: Option<String>,
    admin: bool,
    top: String,
    more: String,
    env: Vec<(String, String)>,
    file_limit: Option<u32>,
}

impl Plan {
    /// A deployment without targets.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a target of this name that is `upstream`. Its name is what it speaks, or begins with that and a hyphen:
    /// `openai`, `anthropic`, `openai-2`. Timeouts are short: a second to connect, five for the first byte and between bytes.
    #[must_use]
    pub fn target(self, name: &str, upstream: &Upstream, models: &[&str]) -> Self {
        let speaks = name.split('-').next().unwrap_or(name);
        self.target_as(&format!(
            "name = {name:?}\nspeaks = {speaks:?}\nurl = {:?}\nmodels = {models:?}\nconnect_seconds = 1\nfirst_byte_seconds = 5\nidle_seconds = 5",
            upstream.url(),
        ))
    }

    /// Adds a target with these fields.
    #[must_use]
    pub fn target_as(mut self, fields: &str) -> Self {
        self.targets.push_str(&format!("[[target]]\n{fields}\n\n"));
        self
    }

    /// Adds a rule with these fields, as in `find = "secret"\ndo = "mask"`. The first that fits decides.
    #[must_use]
    pub fn rule(mut self, fields: &str) -> Self {
        self.rules.push_str(&format!("[[rule]]\n{fields}\n\n"));
        self
    }

    /// The fields of `[rates]`.
    #[must_use]
    pub fn rates(mut self, fields: &str) -> Self {
        self.rates = Some(fields.into());
        self
    }

    /// The fields of `[guard]`.
    #[must_use]
    pub fn guard(mut self, fields: &str) -> Self {
        self.guard = Some(fields.into());
        self
    }

    /// The fields of `[telemetry]`; `level = "debug"` when not called. A gateway quieter than `info` never seems to serve.
    #[must_use]
    pub fn telemetry(mut self, fields: &str) -> Self {
        self.telemetry = Some(fields.into());
        self
    }

    /// The text of the policy, instead of the one `init` writes.
    #[must_use]
    pub fn policy(mut self, cedar: &str) -> Self {
        self.policy = Some(cedar.into());
        self
    }

    /// PEM of the authorities whose client certificates the TLS listener takes.
    #[must_use]
    pub fn client_ca(mut self, pem: &str) -> Self {
        self.client_ca = Some(pem.into());
        self
    }

    /// Serves the admin API on both listeners.
    #[must_use]
    pub const fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    /// Adds text before the first section: `workers = 1`.
    #[must_use]
    pub fn top(mut self, toml: &str) -> Self {
        self.top.push_str(toml);
        self.top.push('\n');
        self
    }

    /// Adds text after the last section: further listeners, certificate rules.
    #[must_use]
    pub fn more(mut self, toml: &str) -> Self {
        self.more.push_str(toml);
        self.more.push('\n');
        self
    }

    /// Sets an environment variable for every command run in the deployment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Serves with a limit on the size of every file it writes, in KiB: beyond it writing fails, as on a full disk.
    #[must_use]
    pub fn file_limit(mut self, kib: u32) -> Self {
        self.file_limit = Some(kib);
        self
    }

    /// Writes it all into a directory of its own.
    ///
    /// # Panics
    /// When the directory cannot be written.
    #[must_use]
    pub fn write(self) -> Home {
        let directory = tempfile::Builder::new().prefix("countersign-").tempdir().expect("a temporary directory");
        let root = directory.path().join("deployment");
        let home = Home { directory: Arc::new(directory), root, plan: self };
        let made = home.command(&["init", &home.root.to_string_lossy()]).output().expect("the binary runs");
        assert!(made.status.success(), "init failed: {}", String::from_utf8_lossy(&made.stderr));
        if let Some(policy) = &home.plan.policy {
            home.put("policy.cedar", policy);
        }
        if let Some(pem) = &home.plan.client_ca {
            home.put("tls/clients.pem", pem);
        }
        home.configure(&home.plan);
        home
    }

    /// Writes it all and serves it.
    #[must_use]
    pub fn serve(self) -> Deployment {
        self.write().serve()
    }

    /// The configuration, with the listeners `tls` and `clear` on these ports of loopback.
    fn text(&self, tls: u16, clear: u16) -> String {
        let Self { targets, rules, rates, guard, telemetry, top, more, .. } = self;
        let rates = rates.as_deref().unwrap_or("per_minute = 1000000\nburst = 1000000\nconcurrent = 1000");
        let guard = guard.as_deref().unwrap_or_default();
        let telemetry = telemetry.as_deref().unwrap_or("level = \"debug\"");
        let client_ca = if self.client_ca.is_some() { "client_ca = \"tls/clients.pem\"\n" } else { "" };
        let admin = if self.admin { "admin = true\n" } else { "" };
        format!(
            r#"state = "state"
{top}
[[listener]]
name = "tls"
address = "127.0.0.1:{tls}"
certificate = "tls/chain.pem"
key = "tls/key.pem"
{client_ca}{admin}
[[listener]]
name = "clear"
address = "127.0.0.1:{clear}"
cleartext = "i-accept-cleartext-on-loopback"
{admin}
{targets}
[policy]
files = ["policy.cedar"]

{rules}
[rates]
{rates}

[guard]
{guard}

[telemetry]
{telemetry}

{more}"#
        )
    }
}

/// A deployment's directory, removed when its last clone is dropped.
#[derive(Clone, Debug)]
pub struct Home {
    directory: Arc<TempDir>,
    root: PathBuf,
    plan: Plan,
}

impl Home {
    /// Path of a file of the deployment: `countersign.toml`, `policy.cedar`, `state/audit`, `tls/chain.pem`.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A directory for a test's own files, outside the deployment.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// The text of a file of the deployment.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file of the deployment")
    }

    /// Writes a file of the deployment.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        // For this user alone: it may be a key, and keys that others can read are refused.
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(self.path(name));
        file.and_then(|mut file| file.write_all(text.as_ref())).expect("the deployment can be written");
    }

    /// A command of the product in this deployment: `COUNTERSIGN_CONFIG` names its configuration.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments);
        self.prepare(&mut command);
        command
    }

    fn prepare(&self, command: &mut Command) {
        command
            .env("COUNTERSIGN_CONFIG", self.path("countersign.toml"))
            .envs(self.plan.env.iter().map(|(n, v)| (n, v)))
            .stdin(Stdio::null());
    }

    /// The command that serves it.
    pub(crate) fn serving(&self) -> Command {
        let Some(kib) = self.plan.file_limit else { return self.command(&["serve"]) };
        // Ignored, the signal for a file grown too large leaves an error of the write. The shell counts in 512 bytes.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" serve", kib * 2);
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(binary());
        self.prepare(&mut command);
        command
    }

    /// Runs a command of the product to its end.
    ///
    /// # Panics
    /// When the binary cannot be run.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs; `cargo build -p countersign` makes it")
    }

    /// Runs a command that must succeed; its standard output.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "countersign {arguments:?} failed: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Creates an API key.
    #[must_use]
    pub fn key(&self, subject: &str, role: &str) -> String {
        self.must(&["key", "create", subject, "--role", role]).trim().to_owned()
    }

    /// A key of a person, a service or an agent with these roles.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn key_of(&self, kind: &str, subject: &str, roles: &[&str]) -> String {
        let mut arguments = vec!["key", "create", subject, "--kind", kind];
        arguments.extend(roles.iter().flat_map(|role| ["--role", role]));
        self.must(&arguments).trim().to_owned()
    }

    /// The id of the newest key of a subject.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn key_id(&self, subject: &str) -> String {
        let keys: serde_json::Value =
            serde_json::from_str(&self.must(&["key", "list", "--format", "json"])).expect("a list in JSON");
        let mine = keys.as_array().into_iter().flatten().rfind(|k| k["subject"] == subject);
        mine.and_then(|k| k["id"].as_str()).expect("a key of the subject").to_owned()
    }

    /// Writes a configuration on free ports; the ports of the listeners `tls` and `clear`.
    pub(crate) fn configure(&self, plan: &Plan) -> (u16, u16) {
        let tls = free_port();
        // A port that was given back may be given again.
        let clear = loop {
            let port = free_port();
            if port != tls {
                break port;
            }
        };
        self.put("countersign.toml", plan.text(tls, clear));
        (tls, clear)
    }

    /// Serves it, on fresh ports.
    #[must_use]
    pub fn serve(self) -> Deployment {
        Deployment::start(self)
    }

    pub(crate) const fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// The binary under test: the debug build, or what `COUNTERSIGN_BINARY` names.
pub fn binary() -> PathBuf {
    std::env::var_os("COUNTERSIGN_BINARY")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/countersign"), PathBuf::from)
}

/// A port of loopback that is free now. Somebody may take it before the gateway does, which then tries another.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket").port()
}
