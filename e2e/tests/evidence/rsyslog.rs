//! Debian's rsyslog, as a receiver of the test's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use countersign_testkit::until;

/// A receiver that writes the text of every message on a line of its own.
pub(crate) struct Rsyslog {
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Rsyslog {
    /// One that listens on `port`, with TLS where there is a certificate and a key; none where it is not installed, which is allowed outside
    /// CI alone.
    #[expect(clippy::print_stderr, reason = "a test that is left out must be seen")]
    pub(crate) fn start(folder: &Path, port: u16, tls: Option<(&Path, &Path)>) -> Option<Self> {
        if Command::new("rsyslogd").arg("-v").stdout(Stdio::null()).status().is_err() {
            let why = "rsyslog is not installed: run `cargo xtask test`";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
            eprintln!("SKIPPED: {why}");
            return None;
        }
        fs::create_dir_all(folder).expect("a folder");
        let (global, input) = match tls {
            None => (String::new(), String::new()),
            Some((chain, key)) => (
                format!(
                    "defaultNetstreamDriver=\"ossl\" defaultNetstreamDriverCertFile=\"{}\" defaultNetstreamDriverKeyFile=\"{}\" defaultNetstreamDriverCAFile=\"{}\"",
                    chain.display(),
                    key.display(),
                    chain.display()
                ),
                " StreamDriver.Name=\"ossl\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"anon\"".to_owned(),
            ),
        };
        let text = format!(
            "global(workDirectory=\"{folder}\" maxMessageSize=\"8k\" {global})\n\
             module(load=\"imtcp\"{input})\n\
             template(name=\"text\" type=\"string\" string=\"%msg:::drop-last-lf%\\n\")\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
             action(type=\"omfile\" file=\"{folder}/messages\" template=\"text\")\n",
            folder = folder.display()
        );
        fs::write(folder.join("rsyslog.conf"), text).expect("a configuration");
        let mut receiver = Self { folder: folder.to_owned(), port, child: None };
        receiver.revive();
        Some(receiver)
    }

    /// Starts it again.
    pub(crate) fn revive(&mut self) {
        let log = fs::File::create(self.folder.join("log")).expect("a file");
        let child = Command::new("rsyslogd")
            .args(["-n", "-i"])
            .arg(self.folder.join("pid"))
            .arg("-f")
            .arg(self.folder.join("rsyslog.conf"))
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("it runs");
        self.child = Some(child);
        until("rsyslog listens", || std::net::TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("it is gone");
        }
    }

    /// What it has written so far.
    pub(crate) fn messages(&self) -> Vec<String> {
        let text = fs::read(self.folder.join("messages")).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().map(|line| line.trim().to_owned()).collect()
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        self.kill();
    }
}
