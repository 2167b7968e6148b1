//! Tells a channel of a run: all that is known as JSON, or a line for a chat. It holds nothing of a prompt or an answer.
//!
//! Messages are named and signed as Standard Webhooks has it: whoever gets one twice knows it by `webhook-id`.

use anyhow::Context;
use aws_lc_rs::hmac;
use bytes::Bytes;
use countersign_core::{Secret, Timestamp};
use countersign_playbook::Run;
use countersign_provider::Trust;
use data_encoding::BASE64;
use serde_json::json;
use tokio::time::timeout;

use super::Channel;
use crate::{clock, config::raw::RawMessage};

/// What is told.
pub(super) struct Message<'a> {
    /// Names it, however often it is sent.
    pub(super) id: &'a str,
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
    ) -> anyhow::Result<()> {
        let body = self.body(channel.form).to_string();
        let mut headers = vec![("webhook-id", self.id.to_owned()), ("webhook-timestamp", now.seconds().to_string())];
        if let Some(secret) = secret {
            headers.push(("webhook-signature", signature(secret, self.id, now, &body)));
        }
        let trust = match &channel.ca {
            Some(pem) => Some(Trust::given(pem)?),
            None => tokio::task::spawn_blocking(Trust::system).await?.ok(),
        };
        let told = channel.place.tell(trust.as_ref(), &headers, Bytes::from(body));
        match timeout(PATIENCE, told).await.context("it took too long")?? {
            200..300 => Ok(()),
            status => anyhow::bail!("it answers with status {status}"),
        }
    }

    fn body(&self, form: RawMessage) -> serde_json::Value {
        let told = &self.run.told;
        match form {
            RawMessage::Webhook => json!({
                "type": "countersign.playbook",
                "timestamp": clock::rfc3339(Timestamp(told.at)),
                "data": { "playbook": self.playbook, "run": self.run.id, "alert": told },
            }),
            RawMessage::Chat => json!({
                "text": format!("Countersign: {} about {} (risk {}). Playbook {}, run {}.", told.pattern, plain(&told.of), told.risk, self.playbook, self.run.id),
            }),
        }
    }
}

/// `v1,` and HMAC-SHA256 over id, moment and body, as Standard Webhooks has it.
fn signature(secret: &Secret<String>, id: &str, now: Timestamp, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let tag = hmac::sign(&key, format!("{id}.{}.{body}", now.seconds()).as_bytes());
    format!("v1,{}", BASE64.encode(tag.as_ref()))
}

/// A name that an identity provider wrote, without what a chat reads as a command or a link.
fn plain(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '<' | '>' | '&' | '@' | '`' | '*') { ' ' } else { c }).collect()
}

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use countersign_playbook::Told;

    use super::*;

    #[test]
    fn a_message_is_named_and_signed_and_commands_nothing() {
        let told = Told {
            at: 1_700_000_000_000_000,
            pattern: "canary-tripped".into(),
            of: "principal:bank/<!channel>@here".into(),
            tenant: "bank".into(),
            risk: 90,
            because: Vec::new(),
        };
        let run = Run { id: "run_1".into(), told, step: String::new(), dry: false, approved: 0 };
        let message = Message { id: "msg_1", playbook: "canary-tripped", run: &run };
        let text = message.body(RawMessage::Chat)["text"].as_str().unwrap().to_owned();
        assert!(text.contains("run_1") && !text.contains(['<', '>', '@']), "{text}");
        assert_eq!(message.body(RawMessage::Webhook)["data"]["alert"]["risk"], 90);
        let secret = Secret::new("s".to_owned());
        let signed = |body| signature(&secret, "msg_1", Timestamp(5_000_000), body);
        // echo -n 'msg_1.5.{}' | openssl dgst -sha256 -hmac s -binary | base64
        assert_eq!(signed("{}"), "v1,18db7GuWcNnW4oj0p/BeSVIpZHmGBdedQ1nkJJgNeRc=");
        assert_ne!(signed("{}"), signed("{ }"));
    }
}
