//! The configuration as a person writes it. Unknown fields are errors; every field is documented here, and the schema
//! that `countersign schema` prints is made from this file.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

mod archive;
mod budgets;
mod console;
mod evidence;
mod keys;
mod playbooks;
mod shared;
mod signals;
mod statistics;

pub(crate) use archive::{RawArchive, RawLock, RawLocks};
pub(crate) use budgets::{RawBudget, RawBy, RawPrice, RawWindow};
pub(crate) use console::{RawConsole, RawSignIn};
pub(crate) use evidence::{RawAudit, RawExport, RawWitness, RawWords};
pub(crate) use keys::{RawKek, RawKeys};
pub(crate) use playbooks::{RawChannel, RawMessage, RawPlaybooks};
pub(crate) use shared::{RawCluster, RawStore};
pub(crate) use signals::{RawReceiver, RawRevocation, RawSignals, Signing};
pub(crate) use statistics::RawStatistics;

/// A Countersign configuration file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawConfig {
    /// Directory of the root key, the key store and the audit log. Relative to the configuration file.
    #[schemars(with = "String")]
    pub(crate) state: Spanned<PathBuf>,
    /// Names this gateway in its audit log. One log, one name, for ever.
    #[serde(default = "node")]
    #[schemars(with = "String")]
    pub(crate) node: Spanned<String>,
    /// Threads that serve requests; one for each processor when absent.
    #[schemars(with = "Option<usize>")]
    pub(crate) workers: Option<Spanned<usize>>,
    /// The https URL that callers know this gateway by, without a path. Needed where there is an `[[issuer]]` or `[[access]]`: clients
    /// find out by it where to get tokens (RFC 9728), and proofs of possession name it.
    #[schemars(with = "Option<String>")]
    pub(crate) resource: Option<Spanned<String>>,
    /// Where requests come in.
    #[serde(rename = "listener")]
    #[schemars(with = "Vec<RawListener>")]
    pub(crate) listeners: Vec<Spanned<RawListener>>,
    /// Who answers.
    #[serde(rename = "target")]
    #[schemars(with = "Vec<RawTarget>")]
    pub(crate) targets: Vec<Spanned<RawTarget>>,
    /// May they.
    #[schemars(with = "RawPolicy")]
    pub(crate) policy: Spanned<RawPolicy>,
    /// What findings lead to. The first rule that fits decides; after these come the standard rules.
    #[serde(default, rename = "rule")]
    #[schemars(with = "Vec<RawRule>")]
    pub(crate) rules: Vec<Spanned<RawRule>>,
    /// How many requests a credential may make.
    #[serde(default)]
    pub(crate) rates: RawRates,
    /// What models cost.
    #[serde(default, rename = "price")]
    #[schemars(with = "Vec<RawPrice>")]
    pub(crate) prices: Vec<Spanned<RawPrice>>,
    /// What may be spent in a window of the calendar.
    #[serde(default, rename = "budget")]
    #[schemars(with = "Vec<RawBudget>")]
    pub(crate) budgets: Vec<Spanned<RawBudget>>,
    /// What protects the root keys. Without it they stand in the clear in the state directory.
    #[schemars(with = "Option<RawKeys>")]
    pub(crate) keys: Option<Spanned<RawKeys>>,
    /// Where keys, revocations and grants are kept.
    #[schemars(with = "Option<RawStore>")]
    pub(crate) store: Option<Spanned<RawStore>>,
    /// What several nodes count and hear together.
    #[schemars(with = "Option<RawCluster>")]
    pub(crate) cluster: Option<Spanned<RawCluster>>,
    /// What the guards know of this deployment.
    #[serde(default)]
    pub(crate) guard: RawGuard,
    /// How client certificates map to callers.
    #[serde(default, rename = "certificate")]
    #[schemars(with = "Vec<RawCertificate>")]
    pub(crate) certificates: Vec<Spanned<RawCertificate>>,
    /// Identity providers whose access tokens are accepted.
    #[serde(default, rename = "issuer")]
    #[schemars(with = "Vec<RawIssuer>")]
    pub(crate) issuers: Vec<Spanned<RawIssuer>>,
    /// Access that is asked for, approved and over by itself.
    #[serde(default)]
    #[schemars(with = "Vec<RawAccess>")]
    pub(crate) access: Vec<Spanned<RawAccess>>,
    /// Who is told what is revoked here.
    #[serde(default, rename = "receiver")]
    #[schemars(with = "Vec<RawReceiver>")]
    pub(crate) receivers: Vec<Spanned<RawReceiver>>,
    /// What others hold the audit log to.
    #[schemars(with = "Option<RawAudit>")]
    pub(crate) audit: Option<Spanned<RawAudit>>,
    /// Who is handed on what is on record.
    #[serde(default, rename = "export")]
    #[schemars(with = "Vec<RawExport>")]
    pub(crate) exports: Vec<Spanned<RawExport>>,
    /// What is done when a timeline goes wrong.
    #[schemars(with = "Option<RawPlaybooks>")]
    pub(crate) playbooks: Option<Spanned<RawPlaybooks>>,
    /// Whom playbooks tell.
    #[serde(default, rename = "channel")]
    #[schemars(with = "Vec<RawChannel>")]
    pub(crate) channels: Vec<Spanned<RawChannel>>,
    /// How much the statistics of use may tell of one caller.
    #[schemars(with = "Option<RawStatistics>")]
    pub(crate) statistics: Option<Spanned<RawStatistics>>,
    /// What people may do at the console.
    #[schemars(with = "Option<RawConsole>")]
    pub(crate) console: Option<Spanned<RawConsole>>,
    /// Logs and traces.
    #[serde(default = "telemetry")]
    #[schemars(with = "Telemetry")]
    pub(crate) telemetry: Spanned<Telemetry>,
}

/// A door. Exactly one of `address` and `unix`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawListener {
    /// Names the door in policy and audit.
    pub(crate) name: String,
    /// TCP address, as in `0.0.0.0:8443`.
    pub(crate) address: Option<String>,
    /// Path of a Unix socket.
    pub(crate) unix: Option<PathBuf>,
    /// PEM file with the certificate chain, leaf first.
    pub(crate) certificate: Option<PathBuf>,
    /// PEM file with the private key.
    pub(crate) key: Option<PathBuf>,
    /// PEM file with the authorities of client certificates; clients are asked for one when it is there.
    pub(crate) client_ca: Option<PathBuf>,
    /// SPIFFE trust domains whose workloads are let in by their X.509-SVIDs: from a name to the PEM file of the authorities that may
    /// vouch for its workloads, and for nobody else's.
    #[serde(default)]
    pub(crate) trust_domains: BTreeMap<String, PathBuf>,
    /// Turn clients without certificate away in the handshake.
    #[serde(default)]
    pub(crate) require_client_certificate: bool,
    /// Serve in the clear. The only value is `"i-accept-cleartext-on-loopback"`, and only loopback addresses take it.
    pub(crate) cleartext: Option<String>,
    /// Serve the admin API here too, to callers whom the policy permits it.
    #[serde(default)]
    pub(crate) admin: bool,
}

/// A provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTarget {
    /// Names the target in policy, metrics and audit.
    pub(crate) name: String,
    /// The API it speaks.
    pub(crate) speaks: RawDialect,
    /// Base address without `/v1`: `https://host`, `http://127.0.0.1:11434`, or `unix:/path`.
    pub(crate) url: String,
    /// Speak to a provider on another machine in the clear. The only value is `"i-accept-cleartext-to-this-provider"`.
    pub(crate) cleartext: Option<String>,
    /// Where the provider's key comes from; none for servers without one.
    pub(crate) key: Option<RawKey>,
    /// Models it serves.
    pub(crate) models: Vec<RawModel>,
    /// PEM file with the authorities of its certificate, instead of the system's.
    pub(crate) ca: Option<PathBuf>,
    /// The oldest TLS that is spoken with it: `1.3` when absent, or `1.2` for a provider that has nothing newer.
    pub(crate) oldest_tls: Option<RawTls>,
    /// Azure only: the deployment's name.
    pub(crate) deployment: Option<String>,
    /// Azure only: the API version.
    pub(crate) api_version: Option<String>,
    /// Seconds until the connection stands.
    #[serde(default = "seconds::<5>")]
    pub(crate) connect_seconds: u64,
    /// Seconds until the answer begins.
    #[serde(default = "seconds::<120>")]
    pub(crate) first_byte_seconds: u64,
    /// Seconds a stream may pause.
    #[serde(default = "seconds::<60>")]
    pub(crate) idle_seconds: u64,
    /// Seconds for the whole answer.
    #[serde(default = "seconds::<600>")]
    pub(crate) total_seconds: u64,
    /// Connections kept open at most.
    #[serde(default = "connections")]
    pub(crate) connections: usize,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
pub(crate) enum RawTls {
    /// TLS 1.2.
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
}

/// An API that a provider speaks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawDialect {
    /// OpenAI's, and every server compatible with it: vLLM, Ollama, llama.cpp, ...
    Openai,
    /// Azure OpenAI's.
    Azure,
    /// Anthropic's.
    Anthropic,
}

/// Where a provider's key comes from. Exactly one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) enum RawKey {
    /// The first line of a file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A secret kept by `countersign secret set NAME`.
    Sealed(String),
}

/// A model: its name, or its name here and its name there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum RawModel {
    /// The same name on both sides.
    Same(String),
    /// Two names.
    Renamed {
        /// The name callers use.
        name: String,
        /// The provider's name for it.
        upstream: String,
    },
}

/// Policy files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPolicy {
    /// Cedar files, relative to the configuration file.
    #[schemars(with = "Vec<String>")]
    pub(crate) files: Vec<Spanned<PathBuf>>,
    /// Rules ready to use (`hipaa`, `pci`, `gdpr`, `secrets`), in order; they stand behind the `[[rule]]`s and before the standard rules.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(crate) profiles: Vec<Spanned<String>>,
}

/// What to do about a kind of finding.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRule {
    /// Kind of finding (`injection`, `secret`, `personal-data`, ...) or one detector's rule as audit records name it
    /// (`personal/email`), or a type of value (`EMAIL`); any when absent.
    pub(crate) find: Option<String>,
    /// `prompt` or `answer`; both when absent.
    #[serde(rename = "in")]
    pub(crate) side: Option<String>,
    /// Channel (`user`, `tool-result`, `assistant`, ...); any when absent.
    pub(crate) channel: Option<String>,
    /// Only for callers with one of these roles; everyone when empty.
    #[serde(default)]
    pub(crate) roles: Vec<String>,
    /// Only when the detector is at least this sure, 0 to 1.
    #[serde(default)]
    pub(crate) at_least: f32,
    /// Only when at least so many words of a registered text have been reproduced.
    #[serde(default)]
    pub(crate) at_least_words: u32,
    /// `allow`, `generalize`, `tokenize`, `mask`, `refuse` or `cut`.
    #[serde(rename = "do")]
    pub(crate) action: String,
    /// What kind of stand-in `tokenize` puts there: `conversation`, `deterministic` or `format`; `conversation` when absent.
    #[serde(rename = "as")]
    pub(crate) form: Option<String>,
}

/// Rates of each credential, and how much all may have in flight.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawRates {
    /// Requests a minute, in the long run.
    pub(crate) per_minute: Option<u64>,
    /// Requests that may come at once after a pause; as many as `per_minute` when absent.
    pub(crate) burst: Option<u64>,
    /// Requests in flight at once.
    pub(crate) concurrent: Option<u32>,
    /// Requests in flight of all credentials together.
    pub(crate) total: Option<u32>,
    /// Other rates for callers with a role; the most generous of a caller's roles counts.
    pub(crate) role: BTreeMap<String, RawRate>,
}

impl Default for RawRates {
    fn default() -> Self {
        Self { per_minute: Some(600), burst: Some(60), concurrent: Some(64), total: Some(1024), role: BTreeMap::new() }
    }
}

/// Rates of each credential with a role. A figure left out is no bound.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRate {
    /// Requests a minute, in the long run.
    pub(crate) per_minute: Option<u64>,
    /// Requests that may come at once after a pause.
    pub(crate) burst: Option<u64>,
    /// Requests in flight at once.
    pub(crate) concurrent: Option<u32>,
}

/// What the guards know.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawGuard {
    /// Text files whose content must not appear in answers.
    #[schemars(with = "Vec<String>")]
    pub(crate) protected: Vec<Spanned<PathBuf>>,
    /// Indexes of texts that answers must not reproduce, as `countersign documents index` makes them.
    #[schemars(with = "Vec<String>")]
    pub(crate) registered: Vec<Spanned<PathBuf>>,
    /// A file with one canary token a line: planted where nobody has business reading.
    #[schemars(with = "Option<String>")]
    pub(crate) canaries: Option<Spanned<PathBuf>>,
    /// Hosts that links in answers may point to, subdomains included.
    #[schemars(with = "Vec<String>")]
    pub(crate) link_hosts: Vec<Spanned<String>>,
    /// How much harmless text the learned detector may have refused: `0.1%`, which holds where nothing is said, `1%` or `5%`; `off`, and it is not asked.
    #[schemars(with = "Option<String>")]
    pub(crate) false_alarms: Option<Spanned<String>>,
    /// How text that nobody vouches for (results of tools, documents) is marked on its way to the model: `delimiting` or `datamarking`.
    /// Without it, it is not.
    #[schemars(with = "Option<String>")]
    pub(crate) spotlight: Option<Spanned<String>>,
    /// Roles of those who get values back for the stand-ins of their prompts; everyone when empty.
    pub(crate) values_shown_to: Vec<String>,
    /// Whether what the stand-ins of a conversation stand for is kept, sealed under its key in the audit log, so that those whom policy
    /// permits may have it revealed.
    pub(crate) values_kept: bool,
    /// Whether a request for log probabilities goes on without asking for them. Otherwise it is refused; in answers they always are.
    pub(crate) strip_logprobs: bool,
    /// Where the learned detector begins to report, as `countersign guard calibrate` found it on your own traffic.
    #[schemars(with = "Option<RawThresholds>")]
    pub(crate) thresholds: Option<Spanned<RawThresholds>>,
    /// Another model that is asked about texts which the learned detector doubts; it can refuse and nothing else.
    #[schemars(with = "Option<RawJudge>")]
    pub(crate) judge: Option<Spanned<RawJudge>>,
}

/// Another model that is asked about doubtful texts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawJudge {
    /// The model, as a target lists it. Doubtful texts are sent to that target.
    pub(crate) model: String,
    /// The operating point of the learned detector from which on it doubts a text: `0.1%`, `1%` or `5%`.
    #[serde(default = "from")]
    pub(crate) from: String,
    /// Seconds for a verdict.
    #[serde(default = "seconds::<2>")]
    pub(crate) seconds: u64,
    /// Questions that may be under way at once.
    #[serde(default = "questions")]
    pub(crate) concurrent: usize,
    /// What becomes of a request where there is no verdict.
    #[serde(default)]
    pub(crate) on_failure: RawOnFailure,
}

/// What becomes of a request where the judge gives no verdict.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawOnFailure {
    /// It goes on, as it would without a judge.
    #[default]
    Pass,
    /// It is refused.
    Refuse,
}

/// How likely a text must be to be an attack before the learned detector reports it, 0 to 1. What is left out is as `false_alarms` says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawThresholds {
    /// Names the detector's weights that they were found with. They mean nothing to others.
    pub(crate) weights: String,
    /// For what a person typed.
    pub(crate) typed: Option<f32>,
    /// For what the person did not write: documents, results of tools.
    pub(crate) documents: Option<f32>,
}

/// How a client certificate maps to a caller. Exactly one of `uri`, `dns` and `common_name`; a trailing `*` matches any rest.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCertificate {
    /// Subject alternative name of type URI.
    pub(crate) uri: Option<String>,
    /// Subject alternative name of type DNS.
    pub(crate) dns: Option<String>,
    /// The subject's common name.
    pub(crate) common_name: Option<String>,
    /// Tenant of the caller.
    #[serde(default = "tenant")]
    pub(crate) tenant: String,
    /// Subject id; the matched name when absent.
    pub(crate) subject: Option<String>,
    /// `person`, `service` or `agent`.
    #[serde(default = "service")]
    pub(crate) kind: String,
    /// Roles of the caller.
    pub(crate) roles: Vec<String>,
}

/// An identity provider. Its access tokens are verified here; what they say of roles counts only where it is mapped.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawIssuer {
    /// What it is called here: part of every subject's name, so never give it to another issuer. a to z, 0 to 9, `-`.
    pub(crate) name: String,
    /// Its `iss`, to the letter.
    pub(crate) url: String,
    /// How it writes access tokens.
    pub(crate) kind: RawIssuerKind,
    /// What `aud` has to hold; one of these is enough. None with `speaks_for`.
    #[serde(default)]
    pub(crate) audiences: Vec<String>,
    /// Tenant of its callers; `default` when absent. Not with `tenants`.
    pub(crate) tenant: Option<String>,
    /// The claim that says which of `tenants` a caller is of.
    pub(crate) tenant_claim: Option<String>,
    /// From values of `tenant_claim` to tenants. A value that does not stand here is refused.
    #[serde(default)]
    pub(crate) tenants: BTreeMap<String, String>,
    /// Ask it about tokens that say nothing by themselves (RFC 7662).
    pub(crate) introspect: Option<RawIntrospect>,
    /// Security events of its that are taken in.
    pub(crate) signals: Option<RawSignals>,
    /// The name of the [[issuer]] whose people its security events are about, where another issues their access tokens: an Okta
    /// organisation speaks for the people of its authorisation servers. Its own access tokens open nothing then.
    pub(crate) speaks_for: Option<String>,
    /// A directory keeps its users and groups in step here, by SCIM: whom it deactivates is refused, and its groups outrank those of
    /// tokens. One issuer at most.
    #[serde(default)]
    pub(crate) directory: bool,
    /// Signature algorithms it may use.
    #[serde(default = "algorithms")]
    pub(crate) algorithms: Vec<String>,
    /// Where its key set, or its SPIFFE bundle, is; found by its metadata when absent.
    pub(crate) jwks: Option<String>,
    /// File with its key set or SPIFFE bundle, instead. It is read again as often as keys are fetched.
    pub(crate) jwks_file: Option<PathBuf>,
    /// PEM file with the authorities of its certificate, instead of the system's.
    pub(crate) ca: Option<PathBuf>,
    /// Fetch keys in the clear. The only value is `"i-accept-cleartext-on-loopback"`, and only loopback addresses take it.
    pub(crate) cleartext: Option<String>,
    /// From the issuer's roles (claim `roles`) to roles here. A role that does not stand here gives nothing.
    #[serde(default)]
    pub(crate) roles: BTreeMap<String, String>,
    /// From the issuer's groups (claim `groups`) to roles here.
    #[serde(default)]
    pub(crate) groups: BTreeMap<String, String>,
    /// From granted scopes (claim `scope` or `scp`) to roles here.
    #[serde(default)]
    pub(crate) scopes: BTreeMap<String, String>,
    /// Seconds until keys are fetched again.
    #[serde(default = "seconds::<600>")]
    pub(crate) refresh_seconds: u64,
    /// Seconds that keys are trusted for while they cannot be fetched again. Then the issuer's tokens are refused.
    #[serde(default = "seconds::<3600>")]
    pub(crate) stale_seconds: u64,
    /// Seconds that the issuer's clock may be ahead, at most 60.
    #[serde(default = "seconds::<10>")]
    pub(crate) leeway_seconds: u64,
    /// Seconds that a token may live in all.
    #[serde(default = "seconds::<86400>")]
    pub(crate) lifetime_seconds: u64,
}

/// How an issuer is asked about tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawIntrospect {
    /// The gateway's own id at the issuer.
    pub(crate) client_id: String,
    /// Where the gateway's secret at the issuer comes from.
    pub(crate) secret: RawKey,
    /// Where to ask; found by the issuer's metadata when absent.
    pub(crate) endpoint: Option<String>,
    /// How the tokens begin that it is asked about; all when absent, which only one issuer can have.
    #[serde(default)]
    pub(crate) prefix: String,
    /// Seconds that an answer is remembered, 1 to 30.
    #[serde(default = "seconds::<30>")]
    pub(crate) seconds: u64,
}

/// One kind of access for a purpose and a time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAccess {
    /// What it is asked for by.
    pub(crate) name: String,
    /// The roles that its holders have meanwhile, and alone.
    pub(crate) roles: Vec<String>,
    /// What it can be asked for: `model:NAME`, `tool:NAME`, `data:NAME`; a trailing `*` matches any rest.
    #[serde(rename = "for")]
    pub(crate) things: Vec<String>,
    /// Minutes for which it is granted at most, up to a day.
    pub(crate) longest_minutes: u64,
    /// How many have to approve.
    #[serde(default = "one")]
    pub(crate) approvals: u32,
    /// Roles of those who may approve, deny and review; never about their own.
    pub(crate) approvers: Vec<String>,
    /// Roles of those who may have it without approval, to be reviewed afterwards.
    #[serde(default)]
    pub(crate) break_glass: Vec<String>,
}

/// How an identity provider writes access tokens.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawIssuerKind {
    /// As RFC 9068 has it.
    Rfc9068,
    /// Microsoft Entra ID, version 1 or 2.
    Entra,
    /// A custom authorisation server of Okta.
    Okta,
    /// A SPIFFE trust domain, `url = "spiffe://NAME"`, whose workloads show JWT-SVIDs.
    Spiffe,
}

/// Logs and traces. Neither ever holds a prompt, an answer or a credential.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Telemetry {
    /// `json` or `text`, on standard error.
    pub(crate) log: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub(crate) level: String,
    /// Address of an OpenTelemetry collector (OTLP over HTTP), as in `http://127.0.0.1:4318`.
    pub(crate) otlp: Option<String>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { log: LogFormat::Json, level: "info".into(), otlp: None }
    }
}

/// Shape of log lines.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

const fn seconds<const N: u64>() -> u64 {
    N
}

const fn one() -> u32 {
    1
}

const fn connections() -> usize {
    256
}

fn from() -> String {
    "5%".into()
}

const fn questions() -> usize {
    8
}

// What is not written stands nowhere.
fn node() -> Spanned<String> {
    Spanned::new(0..0, "countersign".into())
}

fn telemetry() -> Spanned<Telemetry> {
    Spanned::new(0..0, Telemetry::default())
}

fn algorithms() -> Vec<String> {
    ["RS256", "PS256", "ES256", "EdDSA"].map(Into::into).into()
}

fn tenant() -> String {
    "default".into()
}

fn service() -> String {
    "service".into()
}
