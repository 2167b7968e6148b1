//! A mail server of the test's own: aiosmtpd, from PyPI.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use countersign_testkit::Home;
use serde_json::Value;

/// A server that writes down every letter. It ends with the value.
pub(crate) struct Mail {
    pub(crate) port: u16,
    letters: Arc<Mutex<Vec<Value>>>,
    server: Child,
}

impl Mail {
    /// One that speaks TLS from the first byte on (`tls`), after `starttls`, or never (`clear`), with the certificate of a gateway's home, and
    /// that wants a password where there is one; none where it is not installed, which is allowed outside CI alone.
    #[expect(clippy::print_stderr, reason = "a test that is left out must be seen")]
    pub(crate) fn start(home: &Home, how: &str, password: Option<&str>) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("../.tools/venv/bin/python");
        let known = |command: &mut Command| command.output().is_ok_and(|said| said.status.success());
        if !known(Command::new(&python).args(["-c", "import aiosmtpd"])) {
            let why = "aiosmtpd is not installed: run `cargo xtask test`";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
            eprintln!("SKIPPED: {why}");
            return None;
        }
        let mut server = Command::new(python)
            .arg(root.join("clients/smtp.py"))
            .arg(how)
            .args([home.path("tls/chain.pem"), home.path("tls/key.pem")])
            .args(password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python runs");
        let mut lines = BufReader::new(server.stdout.take().expect("a pipe")).lines();
        let port = lines.next().expect("a port").expect("text").parse().expect("a number");
        let letters = Arc::<Mutex<Vec<Value>>>::default();
        let kept = letters.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let letter = serde_json::from_str(&line).expect("a letter");
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
            }
        });
        Some(Self { port, letters, server })
    }

    /// What has arrived.
    pub(crate) fn letters(&self) -> Vec<Value> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
