//! A Redis server of the test's own.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Network, until};

/// A running server. It ends with the value, and with the test's process however that ends.
pub struct Redis {
    address: Ipv4Addr,
    port: u16,
    server: Pid,
    guard: Child,
}

impl Redis {
    /// Starts one that listens on this machine alone and keeps nothing on disk; none where Redis is not installed, which is allowed
    /// outside CI alone.
    ///
    /// # Panics
    /// When it is not installed in CI, or does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// As [`Redis::start`], with more options.
    ///
    /// # Panics
    /// As [`Redis::start`].
    #[must_use]
    pub fn with(options: &[&str]) -> Option<Self> {
        Self::at(Command::new("sh"), Ipv4Addr::LOCALHOST, options)
    }

    /// As [`Redis::with`], within a network.
    ///
    /// # Panics
    /// As [`Redis::start`].
    #[must_use]
    pub fn within(network: &Network, options: &[&str]) -> Option<Self> {
        Self::at(network.command("sh"), network.address(), options)
    }

    #[expect(clippy::print_stderr, reason = "a test that is left out must be seen")]
    fn at(mut shell: Command, address: Ipv4Addr, options: &[&str]) -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            let why = "Redis is not installed: run `cargo xtask test`";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
            eprintln!("SKIPPED: {why}");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("redis-").tempdir().expect("a folder").keep();
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        // Lives as long as the pipe to it: a test that is killed leaves no server behind.
        let script = format!(
            "cd '{folder}' && redis-server --port {port} --bind {address} --save '' --appendonly no {options} >log 2>&1 & \
             echo $! >'{folder}/pid'; read _; kill -CONT $!; kill -KILL $!; wait; rm -rf '{folder}'",
            folder = folder.display(),
            options = options.join(" "),
        );
        let guard = shell.args(["-c", &script]).stdin(Stdio::piped()).spawn().expect("sh runs");
        let server = until("Redis answers", || {
            TcpStream::connect((address, port)).ok()?;
            let pid = std::fs::read_to_string(folder.join("pid")).ok()?;
            Pid::from_raw(pid.trim().parse().ok()?)
        });
        Some(Self { address, port, server, guard })
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}:{}", self.address, self.port)
    }

    /// Has it stand still: connections stay, and nothing is answered.
    ///
    /// # Panics
    /// When it is gone.
    pub fn freeze(&self) {
        kill_process(self.server, Signal::STOP).expect("it runs");
    }

    /// Has it go on.
    ///
    /// # Panics
    /// When it is gone.
    pub fn thaw(&self) {
        kill_process(self.server, Signal::CONT).expect("it runs");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}
