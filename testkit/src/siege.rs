//! Many named attacks on one deployment, each followed by an ordinary request that has to work as if nothing had happened.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use crate::{Answer, Client, Deployment, Plan, Upstream, chat_answer, chat_ask, request};

/// What has to come of bytes that were sent.
#[derive(Clone, Copy, Debug)]
pub enum Must {
    /// Answered with one of these statuses; the connection ends and the provider hears nothing.
    Refuse(&'static [u16]),
    /// Answered with this code of the gateway's own; the provider hears nothing.
    Say(&'static str),
    /// As [`Must::Say`], and the connection ends.
    SayAndEnd(&'static str),
    /// Refused or not answered at all: no status below 400; the connection ends and the provider hears nothing.
    End,
    /// Answered in full, by the provider.
    Pass,
    /// As [`Must::Pass`], and the connection ends.
    PassAndEnd,
}

/// A deployment under attack.
pub struct Siege {
    /// The gateway.
    pub gateway: Deployment,
    /// The only provider; it has to answer prompts that hold [`Siege::PEACE`] with [`Siege::peace`].
    pub upstream: Upstream,
    /// A key that may everything.
    pub key: String,
    failures: Vec<String>,
    cases: usize,
}

impl Siege {
    /// What an ordinary prompt holds.
    pub const PEACE: &str = "an ordinary question";

    /// Serves `plan` with a key that is known from the start.
    #[must_use]
    pub fn begin(plan: Plan, upstream: Upstream) -> Self {
        let home = plan.write();
        let key = home.key("alice", "staff");
        Self { gateway: home.serve(), upstream, key, failures: Vec::new(), cases: 0 }
    }

    /// What an ordinary prompt is answered with.
    #[must_use]
    pub fn peace() -> serde_json::Value {
        chat_answer("an ordinary answer")
    }

    /// A request with the key, a JSON body and these further headers, each with its line end.
    #[must_use]
    pub fn request(&self, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
        let key = &self.key;
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n{headers}\r\n"
        );
        [head.as_bytes(), body.as_ref()].concat()
    }

    /// Runs one case and then an ordinary request. An error or a panic is the case's failure, and no other's.
    pub fn case(&mut self, name: &str, attack: impl FnOnce(&Self) -> Result<(), String>) {
        self.cases += 1;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            attack(self)?;
            self.ordinary().map_err(|why| format!("the ordinary request after it: {why}"))
        }));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(why)) => self.failures.push(format!("{name}: {why}")),
            Err(_) => self.failures.push(format!("{name}: panicked, see above")),
        }
    }

    /// Sends bytes in the clear on a connection of their own, and looks at what comes back.
    pub fn bytes(&mut self, name: &str, must: Must, bytes: impl AsRef<[u8]>) {
        self.case(name, |siege| siege.attack(must, bytes.as_ref()));
    }

    /// As [`Siege::bytes`], and says that nothing more will come.
    pub fn cut_bytes(&mut self, name: &str, must: Must, bytes: impl AsRef<[u8]>) {
        self.case(name, |siege| siege.exchange(must, bytes.as_ref(), true));
    }

    /// Sends bytes in the clear on a connection of their own, and an ordinary request after them.
    ///
    /// # Errors
    /// When it comes to something else than it must.
    pub fn attack(&self, must: Must, bytes: &[u8]) -> Result<(), String> {
        self.exchange(must, bytes, false)
    }

    fn exchange(&self, must: Must, bytes: &[u8], finish: bool) -> Result<(), String> {
        let before = self.upstream.seen().len();
        let mut client = self.gateway.client();
        // The gateway may well end the connection before it has taken everything.
        let _ = client.send(bytes);
        if finish {
            client.finish();
        }
        let answer = client.answer().ok().flatten();
        judge(must, answer.as_ref())?;
        if !matches!(must, Must::Say(_) | Must::Pass) {
            ended(&mut client)?;
        }
        drop(client);
        let passes = usize::from(matches!(must, Must::Pass | Must::PassAndEnd));
        self.heard(before, passes)?;
        // What was smuggled in would arrive late, but before what is sent after it.
        self.ordinary().map_err(|why| format!("the ordinary request after it: {why}"))?;
        self.heard(before, passes + 1)
    }

    fn heard(&self, before: usize, more: usize) -> Result<(), String> {
        let now = self.upstream.seen().len();
        if now == before + more { Ok(()) } else { Err(format!("the provider heard {}, not {more}", now - before)) }
    }

    /// An ordinary request on a fresh connection.
    ///
    /// # Errors
    /// When it does not work.
    pub fn ordinary(&self) -> Result<(), String> {
        let mut client = self.gateway.client();
        let body = chat_ask(Self::PEACE).to_string();
        let bearer = format!("Bearer {}", self.key);
        let headers = [("authorization", &*bearer), ("content-type", "application/json")];
        client
            .send(request("POST", "/v1/chat/completions", &headers, body.as_bytes()))
            .map_err(|e| format!("not taken: {e}"))?;
        let answer = client.answer().map_err(|e| format!("no answer: {e}"))?.ok_or("no answer")?;
        if answer.status == 200 && answer.complete && answer.json() == Self::peace() {
            Ok(())
        } else {
            Err(format!("status {}: {}", answer.status, short(&answer.text())))
        }
    }

    /// Ends the siege.
    ///
    /// # Panics
    /// When a case failed, with a line for each; or when fewer ran than there should be.
    pub fn finish(mut self, at_least: usize) {
        if !self.gateway.runs() {
            self.failures.push("the gateway has ended".into());
        }
        assert!(
            self.failures.is_empty(),
            "{} of {} cases failed:\n{}",
            self.failures.len(),
            self.cases,
            self.failures.join("\n")
        );
        assert!(self.cases >= at_least, "only {} cases ran", self.cases);
    }
}

/// Whether an answer is what it must be.
fn judge(must: Must, answer: Option<&Answer>) -> Result<(), String> {
    let got =
        || answer.map_or_else(|| "no answer".to_owned(), |a| format!("status {}: {}", a.status, short(&a.text())));
    let well = match (must, answer) {
        (Must::Refuse(statuses), Some(answer)) => statuses.contains(&answer.status),
        (Must::Say(code) | Must::SayAndEnd(code), Some(answer)) => answer.code().as_deref() == Some(code),
        (Must::End, answer) => answer.is_none_or(|a| a.status >= 400),
        (Must::Pass | Must::PassAndEnd, Some(answer)) => answer.status == 200 && answer.complete,
        (_, None) => false,
    };
    if well { Ok(()) } else { Err(format!("must be {must:?}, got {}", got())) }
}

/// Reads until the connection ends, which must be the gateway's doing and not that of a patient timeout.
///
/// # Errors
/// When something is said instead, or nothing for long.
pub fn ended(client: &mut Client) -> Result<(), String> {
    let _ = client.socket().set_read_timeout(Some(Duration::from_secs(20)));
    match client.some() {
        Ok(bytes) if bytes.is_empty() => Ok(()),
        Ok(bytes) => Err(format!("more was said: {}", short(&String::from_utf8_lossy(&bytes)))),
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Err("the connection was not ended".into())
        }
        Err(_) => Ok(()),
    }
}

fn short(text: &str) -> String {
    text.chars().take(160).collect()
}
