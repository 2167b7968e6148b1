//! A gateway that serves: the real binary, its listeners, its log and its end.

use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{Answer, Client, Home, Secure, request, until};

/// A running gateway, killed when dropped.
#[derive(Debug)]
pub struct Deployment {
    /// Its directory.
    pub home: Home,
    /// Where it serves TLS.
    pub tls: SocketAddr,
    /// Where it serves in the clear.
    pub clear: SocketAddr,
    process: Child,
    log: Log,
    logging: Option<JoinHandle<()>>,
}

type Log = Arc<Mutex<Vec<u8>>>;

impl Deployment {
    /// Starts the gateway and waits until it is ready.
    pub(crate) fn start(home: Home) -> Self {
        for _ in 0..5 {
            let (tls, clear) = home.configure(home.plan());
            match launch(&home, clear) {
                Ok((process, log, logging)) => {
                    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                    return Self { home, tls: at(tls), clear: at(clear), process, log, logging: Some(logging) };
                }
                // Somebody took a port in between.
                Err(said) if said.contains("CS1006") => {}
                Err(said) => panic!("the gateway does not serve: {}", tail(&said)),
            }
        }
        panic!("no free port in five attempts");
    }

    /// A new connection in the clear.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::clear(self.clear)
    }

    /// How to speak TLS to it.
    #[must_use]
    pub fn secure(&self) -> Secure {
        Secure::trusting(self.home.read("tls/chain.pem"))
    }

    /// A new connection inside TLS 1.3, for HTTP/1.1.
    ///
    /// # Panics
    /// When the handshake fails.
    #[must_use]
    pub fn tls_client(&self) -> Client {
        Client::tls(self.tls, &self.secure()).expect("a TLS handshake")
    }

    /// Asks with a key as bearer, on a connection of its own in the clear.
    ///
    /// # Panics
    /// When no answer comes.
    #[must_use]
    pub fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", &*bearer), ("content-type", "application/json")];
        self.exchange(&request("POST", path, &headers, body.to_string().as_bytes()))
    }

    /// Gets with a key as bearer, on a connection of its own in the clear.
    ///
    /// # Panics
    /// When no answer comes.
    #[must_use]
    pub fn get(&self, path: &str, key: &str) -> Answer {
        self.exchange(&request("GET", path, &[("authorization", &format!("Bearer {key}"))], b""))
    }

    /// Asks with a key as bearer and with a body where there is one, on a connection of its own in the clear: the status, and what was
    /// said as JSON.
    ///
    /// # Panics
    /// When no answer comes.
    #[must_use]
    pub fn ask(&self, method: &str, path: &str, key: &str, body: Option<&Value>) -> (u16, Value) {
        let bearer = format!("Bearer {key}");
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(body.map(|_| ("content-type", "application/json")));
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self.exchange(&request(method, path, &headers, body.as_bytes()));
        (answer.status, serde_json::from_str(&answer.text()).unwrap_or_default())
    }

    /// Sends raw bytes on a connection of their own and reads one response.
    ///
    /// # Panics
    /// When no answer comes.
    #[must_use]
    pub fn exchange(&self, bytes: &[u8]) -> Answer {
        let mut client = self.client();
        client.send(bytes).expect("the gateway reads");
        client.answer().expect("the gateway answers").expect("the gateway answers before it closes")
    }

    /// What it wrote to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        text(&self.log)
    }

    /// Waits until the log holds `text`; the whole log.
    #[must_use]
    pub fn logged(&self, text: &str) -> String {
        until(&format!("`{text}` in the log"), || Some(self.log()).filter(|log| log.contains(text)))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Tells it to read its configuration again.
    pub fn hangup(&self) {
        self.signal(Signal::HUP);
    }

    /// Tells it to stop and waits for its end.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn stop(mut self) -> (ExitStatus, Home) {
        self.signal(Signal::TERM);
        let status = until("the gateway's end", || self.process.try_wait().expect("our own process"));
        (status, self.into_home())
    }

    /// Kills it where it stands.
    ///
    /// # Panics
    /// When it cannot be waited for.
    #[must_use]
    pub fn kill(mut self) -> Home {
        let _ = self.process.kill();
        self.process.wait().expect("our own process");
        self.into_home()
    }

    /// Starts it again in the same directory, on fresh ports.
    #[must_use]
    pub fn restart(self) -> Self {
        self.stop().1.serve()
    }

    /// Whether it still runs.
    #[must_use]
    pub fn runs(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(id, signal);
        }
    }

    fn into_home(self) -> Home {
        self.home.clone()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(logging) = self.logging.take() {
            let _ = logging.join();
        }
        if thread::panicking() {
            // Shown by the test harness along with the failure.
            let log = self.log();
            #[expect(clippy::print_stderr, reason = "a failing test says what the gateway said")]
            {
                eprintln!("--- the gateway's log:\n{}", tail(&log));
            }
        }
    }
}

/// Starts the process; its log when it ends instead of serving.
fn launch(home: &Home, clear: u16) -> Result<(Child, Log, JoinHandle<()>), String> {
    let mut command = home.serving();
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the binary runs; `cargo build -p countersign` makes it");
    let stderr = process.stderr.take().expect("a pipe");
    let log = Log::default();
    let sink = log.clone();
    let logging = thread::spawn(move || {
        let mut lines = BufReader::new(stderr);
        let mut line = Vec::new();
        while matches!(lines.read_until(b'\n', &mut line), Ok(n) if n > 0) {
            sink.lock().unwrap_or_else(PoisonError::into_inner).append(&mut line);
        }
    });
    let serves = until("the gateway to be ready", || match process.try_wait() {
        // Its own word comes first: on a port that was lost to somebody else, somebody else would answer.
        Ok(None) => (text(&log).contains("serving") && ready(clear)).then_some(true),
        _ => Some(false),
    });
    if serves {
        return Ok((process, log, logging));
    }
    let _ = logging.join();
    let status = process.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
    Err(format!("{}({status})", text(&log)))
}

fn ready(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if TcpStream::connect(address).is_err() {
        return false;
    }
    let mut client = Client::clear(address);
    client.send(request("GET", "/readyz", &[], b"")).is_ok()
        && matches!(client.answer(), Ok(Some(answer)) if answer.status == 200)
}

fn text(log: &Log) -> String {
    String::from_utf8_lossy(&log.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

fn tail(log: &str) -> &str {
    let from = log.len().saturating_sub(8_000);
    log.get(log.ceil_char_boundary(from)..).unwrap_or(log)
}
