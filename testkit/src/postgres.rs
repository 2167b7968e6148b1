//! A PostgreSQL server of the test's own, in a folder that goes away with the test's process.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{Network, until};

/// A running server. It ends with the value, and with the test's process however that ends.
pub struct Postgres {
    bin: PathBuf,
    address: Ipv4Addr,
    port: u16,
    _guard: Child,
}

impl Postgres {
    /// Starts one that asks for no password and listens on this machine alone; none where PostgreSQL is not installed, which is
    /// allowed outside CI alone.
    ///
    /// # Panics
    /// When it is not installed in CI, or does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::with(&[], |_| {})
    }

    /// As [`Postgres::start`], with more lines for its configuration, after `prepare` has put files into its folder.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    #[must_use]
    pub fn with(settings: &[&str], prepare: impl FnOnce(&Path)) -> Option<Self> {
        Self::at(Command::new("sh"), Ipv4Addr::LOCALHOST, settings, prepare)
    }

    /// As [`Postgres::with`], within a network.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    #[must_use]
    pub fn within(network: &Network, settings: &[&str], prepare: impl FnOnce(&Path)) -> Option<Self> {
        Self::at(network.command("sh"), network.address(), settings, prepare)
    }

    #[expect(clippy::print_stderr, reason = "a test that is left out must be seen")]
    fn at(mut shell: Command, address: Ipv4Addr, settings: &[&str], prepare: impl FnOnce(&Path)) -> Option<Self> {
        let Some(bin) = installed() else {
            let why = "PostgreSQL is not installed: run `cargo xtask test`";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
            eprintln!("SKIPPED: {why}");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir().expect("a folder").keep();
        prepare(&folder);
        let data = folder.join("data");
        // The server refuses to run as root; Debian's package brings a user for it.
        let root = rustix::process::geteuid().is_root();
        let as_user = if root {
            let owner = Command::new("chown").args(["-R", "postgres:postgres"]).arg(&folder).status();
            assert!(owner.expect("chown runs").success());
            "setpriv --reuid=postgres --regid=postgres --clear-groups"
        } else {
            ""
        };
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let settings: String = settings.iter().map(|s| format!(" -c {s}")).collect();
        // Lives as long as the pipe to it: a test that is killed leaves no server behind.
        let script = format!(
            "cd '{folder}' && {as_user} '{bin}/initdb' -D '{data}' -U countersign -A trust --locale=C -E UTF8 --no-sync \
             >'{folder}/log' 2>&1 || exit 1; \
             echo 'host all all {address}/30 trust' >>'{data}/pg_hba.conf'; \
             {as_user} '{bin}/postgres' -D '{data}' -k '' -p {port} -c listen_addresses={address} -c fsync=off{settings} \
             >>'{folder}/log' 2>&1 & \
             read _; kill -QUIT $!; wait; rm -rf '{folder}'",
            folder = folder.display(),
            bin = bin.display(),
            data = data.display(),
        );
        let guard = shell.args(["-c", &script]).stdin(Stdio::piped()).spawn().expect("sh runs");
        let server = Self { bin, address, port, _guard: guard };
        until("PostgreSQL answers", || server.psql("postgres", "SELECT 1").is_some().then_some(()));
        Some(server)
    }

    /// The server that all tests of a process share.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    #[must_use]
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address of a new database.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}")).expect("a database");
        format!("postgres://countersign@{}:{}/{name}", self.address, self.port)
    }

    /// Runs statements; what they print, or nothing if one fails.
    #[must_use]
    pub fn psql(&self, database: &str, sql: &str) -> Option<String> {
        TcpStream::connect((self.address, self.port)).ok()?;
        let output = Command::new(self.bin.join("psql"))
            .args([
                "-h",
                &self.address.to_string(),
                "-U",
                "countersign",
                "-v",
                "ON_ERROR_STOP=1",
                "-Atqc",
                sql,
                database,
            ])
            .args(["-p", &self.port.to_string()])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self._guard.stdin.take());
        let _ = self._guard.wait();
    }
}

/// Where Debian keeps the programs, whose place depends on the version.
fn installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions.flatten().map(|v| v.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max()
}
