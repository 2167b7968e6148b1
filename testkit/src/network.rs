//! A network of its own, with one cable to this machine that a test can pull out: a Linux network namespace.

use std::{
    io::{BufRead, BufReader},
    net::Ipv4Addr,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// A network namespace with a pair of virtual interfaces. It ends with the value, and with the test's process however that ends.
pub struct Network {
    /// The interface on this side, and its peer on the other.
    near: String,
    far: String,
    here: Ipv4Addr,
    there: Ipv4Addr,
    guard: Child,
}

impl Network {
    /// Makes one; none without the rights to, which is allowed outside CI alone.
    ///
    /// # Panics
    /// When it cannot be made in CI.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "a test that is left out must be seen")]
    pub fn start() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // The addresses that RFC 2544 sets aside for trials, four for each network.
        let place = (std::process::id().wrapping_mul(8) + NEXT.fetch_add(1, Ordering::Relaxed)) % (1 << 15);
        let address = |n: u32| Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + place * 4 + n);
        // The namespace lives as long as the pipe to it.
        let mut guard = Command::new("unshare");
        guard.args(["--net", "sh", "-c", "echo; read _"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let (near, far) = (format!("cs{place}n"), format!("cs{place}f"));
        if let Ok(guard) = guard.stderr(Stdio::null()).spawn() {
            let mut network = Self { near, far, here: address(1), there: address(2), guard };
            if network.lay() {
                return Some(network);
            }
        }
        let why =
            "no network namespace can be made here; it takes root, and iproute2 and util-linux from `cargo xtask test`";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
        eprintln!("SKIPPED: {why}");
        None
    }

    /// The address of everything in it, as seen from here.
    #[must_use]
    pub const fn address(&self) -> Ipv4Addr {
        self.there
    }

    /// A command that runs in it.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.guard.id())).arg(program);
        command
    }

    /// Pulls the cable out, on the far side. Nothing passes, and this side learns no more than that nobody answers.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn pull(&self) {
        assert!(self.there(&["link", "set", &self.far, "down"]), "the link goes down");
    }

    /// Has every answer lost on its way: what is sent from here arrives, and nothing comes back.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn deafen(&self) {
        assert!(self.there(&["route", "add", "blackhole", &self.here.to_string()]), "answers are lost");
    }

    /// Puts everything right again.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn mend(&self) {
        let _ = self.there(&["route", "del", "blackhole", &self.here.to_string()]);
        assert!(self.there(&["link", "set", &self.far, "up"]), "the link comes up");
    }

    fn lay(&mut self) -> bool {
        // It says a word from within; nothing comes from one that could not be made.
        let mut said = String::new();
        let within = self.guard.stdout.take().map(|from| BufReader::new(from).read_line(&mut said));
        if !matches!(within, Some(Ok(1..))) {
            return false;
        }
        let at = |address: Ipv4Addr| format!("{address}/30");
        let peer = ["type", "veth", "peer", "name", &self.far, "netns", &self.guard.id().to_string()];
        here(&[&["link", "add", "name", &self.near][..], &peer].concat())
            && here(&["address", "add", &at(self.here), "dev", &self.near])
            && here(&["link", "set", &self.near, "up"])
            && self.there(&["address", "add", &at(self.there), "dev", &self.far])
            && self.there(&["link", "set", "lo", "up"])
            && self.there(&["link", "set", &self.far, "up"])
    }

    fn there(&self, arguments: &[&str]) -> bool {
        ran(self.command("ip").args(arguments))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

fn here(arguments: &[&str]) -> bool {
    ran(Command::new("ip").args(arguments))
}

fn ran(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
