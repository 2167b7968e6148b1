//! Tells a channel of a run: all that is known as JSON, by post or by syslog, a line for a chat, a letter. It holds nothing of a prompt or
//! an answer.
//!
//! What is posted is named and signed as Standard Webhooks has it: whoever gets one twice knows it by `webhook-id`; by syslog by the `id`
//! in it, by mail by its `Message-ID`.

mod mail;

use aws_lc_rs::hmac;
use bytes::Bytes;
use countersign_core::{Secret, Timestamp};
use countersign_export::{Gravity, syslog};
use countersign_playbook::Run;
use countersign_provider::{Base, Trust};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, time::timeout};

use super::{Channel, Way};
use crate::{clock, config::raw::RawMessage, export::stream, fetch::Place};

/// Somebody was not told.
pub(super) struct Untold {
    /// Why, in words of our own.
    pub(super) why: String,
    /// Whether trying again may help. A password that was refused is not tried again: that locks accounts.
    pub(super) again: bool,
}

/// What is told.
pub(super) struct Message<'a> {
    /// Names it, however often it is sent.
    pub(super) id: &'a str,
    /// The node that tells.
    pub(super) node: &'a str,
    pub(super) playbook: &'a str,
    pub(super) run: &'a Run,
}

impl Message<'_> {
    /// Sends it once.
    pub(super) async fn send(
        &self,
        channel: &Channel,
        secret: Option<&Secret<String>>,
        now: Timestamp,
    ) -> Result<(), Untold> {
        let told = async {
            match &channel.way {
                Way::Post(place, form) => self.post(place, *form, trust(channel).await?.as_ref(), secret, now).await,
                Way::Syslog(base) => Ok(self.log(base, trust(channel).await?.as_ref()).await?),
                Way::Mail(mail) => self.mail(mail, channel.ca.as_deref(), secret, now).await,
            }
        };
        timeout(PATIENCE, told).await.unwrap_or_else(|_| Err(anyhow::anyhow!("it took too long").into()))
    }

    async fn post(
        &self,
        place: &Place,
        form: RawMessage,
        trust: Option<&Trust>,
        secret: Option<&Secret<String>>,
        now: Timestamp,
    ) -> Result<(), Untold> {
        let body = match form {
            RawMessage::Webhook => self.all(),
            RawMessage::Chat => json!({ "text": self.line() }),
        };
        let body = body.to_string();
        let mut headers = vec![("webhook-id", self.id.to_owned()), ("webhook-timestamp", now.seconds().to_string())];
        if let Some(secret) = secret {
            headers.push(("webhook-signature", signature(secret, self.id, now, &body)));
        }
        match place.tell(trust, &headers, Bytes::from(body)).await.map_err(anyhow::Error::from)? {
            200..300 => Ok(()),
            status => {
                let again = !(400..500).contains(&status) || matches!(status, 408 | 425 | 429);
                Err(Untold { why: format!("it answers with status {status}"), again })
            }
        }
    }

    /// Syslog acknowledges nothing: it is told when the receiver has closed its side as well, having read everything.
    async fn log(&self, base: &Base, trust: Option<&Trust>) -> anyhow::Result<()> {
        let mut connection = stream::connect(base, trust).await?;
        connection.write_all(&self.frame()).await?;
        stream::end(&mut connection).await
    }

    fn frame(&self) -> Vec<u8> {
        let mut all = self.all();
        if let Some(object) = all.as_object_mut() {
            object.insert("id".to_owned(), self.id.into());
        }
        let told = &self.run.told;
        let gravity = if told.risk < GRAVE { Gravity::Medium } else { Gravity::High };
        let mut frame = Vec::new();
        syslog::alert(gravity, told.at, self.node, "playbook", &all.to_string(), &mut frame);
        frame
    }

    /// All that is known.
    fn all(&self) -> Value {
        let told = &self.run.told;
        json!({
            "type": "countersign.playbook",
            "timestamp": clock::rfc3339(Timestamp(told.at)),
            "data": { "playbook": self.playbook, "run": self.run.id, "alert": told },
        })
    }

    /// In one line.
    fn line(&self) -> String {
        let Self { playbook, run, .. } = self;
        let (told, of) = (&run.told, plain(&run.told.of));
        format!("Countersign: {} about {of} (risk {}). Playbook {playbook}, run {}.", told.pattern, told.risk, run.id)
    }
}

impl From<anyhow::Error> for Untold {
    fn from(error: anyhow::Error) -> Self {
        Self { why: format!("{error:#}"), again: true }
    }
}

async fn trust(channel: &Channel) -> anyhow::Result<Option<Trust>> {
    Ok(match &channel.ca {
        Some(pem) => Some(Trust::given(pem)?),
        None => tokio::task::spawn_blocking(Trust::system).await?.ok(),
    })
}

/// `v1,` and HMAC-SHA256 over id, moment and body, as Standard Webhooks has it.
fn signature(secret: &Secret<String>, id: &str, now: Timestamp, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let tag = hmac::sign(&key, format!("{id}.{}.{body}", now.seconds()).as_bytes());
    format!("v1,{}", BASE64.encode(tag.as_ref()))
}

/// A name that an identity provider wrote, without what a chat reads as a command or a link, in one line.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '<' | '>' | '&' | '@' | '`' | '*') { ' ' } else { c })
        .collect()
}

/// From this risk on, syslog says `critical`.
const GRAVE: u8 = 80;
/// Less than a run is held for.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use countersign_playbook::Told;

    use super::*;

    pub(super) fn run(of: &str) -> Run {
        let because = countersign_playbook::Because {
            request: "req_1".into(),
            at: 1_700_000_000_000_000,
            what: "a canary".into(),
            weight: 9_000,
        };
        let told = Told {
            at: 1_700_000_000_000_000,
            pattern: "canary-tripped".into(),
            of: of.into(),
            tenant: "bank".into(),
            risk: 90,
            because: vec![because],
        };
        Run { id: "run_1".into(), told, step: String::new(), dry: false, approved: 0 }
    }

    pub(super) fn message(run: &Run) -> Message<'_> {
        Message { id: "msg_1", node: "node-1", playbook: "canary-tripped", run }
    }

    #[test]
    fn a_message_is_named_and_signed_and_commands_nothing() {
        let run = run("principal:bank/<!channel>@here\r\nBcc: x");
        let message = message(&run);
        let text = message.line();
        assert!(text.contains("run_1") && !text.contains(['<', '>', '@', '\r', '\n']), "{text}");
        assert_eq!(message.all()["data"]["alert"]["risk"], 90);
        let secret = Secret::new("s".to_owned());
        let signed = |body| signature(&secret, "msg_1", Timestamp(5_000_000), body);
        // echo -n 'msg_1.5.{}' | openssl dgst -sha256 -hmac s -binary | base64
        assert_eq!(signed("{}"), "v1,18db7GuWcNnW4oj0p/BeSVIpZHmGBdedQ1nkJJgNeRc=");
        assert_ne!(signed("{}"), signed("{ }"));
        // One frame, one line, whatever a name holds.
        let frame = String::from_utf8(message.frame()).unwrap();
        let (length, rest) = frame.split_once(' ').unwrap();
        assert_eq!(length.parse(), Ok(rest.len()));
        assert!(rest.starts_with("<114>1 2023-11-14T22:13:20.000000Z node-1 countersign - playbook - {"), "{rest}");
        assert!(rest.contains("\"id\":\"msg_1\"") && !rest.contains(['\r', '\n']), "{rest}");
    }
}
