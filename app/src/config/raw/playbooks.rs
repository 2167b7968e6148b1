//! What is done when a timeline goes wrong, and who is told.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawKey;

/// Playbooks. Those that are not named in `act` say what they would do, and do nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawPlaybooks {
    /// Names of the playbooks that act: shipped ones, or those of `files`.
    pub(crate) act: Vec<String>,
    /// CACAO 2.0 files of one's own, relative to the configuration file. One with the name of a shipped playbook stands in its place.
    pub(crate) files: Vec<PathBuf>,
    /// How many of the sessions and principals seen within a day may be harmed within an hour before a person is asked, in per cent.
    pub(crate) most_percent: u8,
    /// So many may be, however few were seen.
    pub(crate) at_least: u32,
}

impl Default for RawPlaybooks {
    fn default() -> Self {
        Self { act: Vec::new(), files: Vec::new(), most_percent: 1, at_least: 5 }
    }
}

/// Somebody whom playbooks tell.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawChannel {
    /// Names the channel; the shipped playbooks tell `security`.
    pub(crate) name: String,
    /// Where it is told: an https URL that messages are posted to; `tls://HOST:PORT` for syslog over TLS (RFC 5425), `tcp://HOST:PORT`
    /// in the clear; `smtps://HOST:PORT` for mail over TLS, `smtp://HOST:PORT` for mail with STARTTLS, without which nothing is said.
    pub(crate) url: String,
    /// In which form messages are posted.
    pub(crate) form: Option<RawMessage>,
    /// Whom letters come from, as in `Countersign <countersign@example.com>`.
    pub(crate) from: Option<String>,
    /// Whom letters go to.
    #[serde(default)]
    pub(crate) to: Vec<String>,
    /// Who logs in at the mail server; the password is the `secret`.
    pub(crate) user: Option<String>,
    /// What is posted is signed with this (HMAC-SHA256, Standard Webhooks); with a `user`, the password at the mail server.
    pub(crate) secret: Option<RawKey>,
    /// PEM file with the authorities of its certificate, instead of the system's.
    pub(crate) ca: Option<PathBuf>,
    /// Tell in the clear. The only value is `"i-accept-cleartext-on-loopback"`, and only loopback addresses take it.
    pub(crate) cleartext: Option<String>,
}

/// The form of a message that is posted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawMessage {
    /// All that is known, as JSON.
    #[default]
    Webhook,
    /// A line of text, as Slack, Mattermost and others take it.
    Chat,
}
