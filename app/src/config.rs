//! Configuration: `raw` is what a person writes, [`Config`] is what holds. Everything is checked before anything is bound.

use std::{fmt, net::SocketAddr, path::PathBuf};

use countersign_core::{Code, Secret};
use countersign_guard::FalseAlarms;
use countersign_identity::token::Revoker;

mod check;
mod fields;
pub(crate) mod raw;

pub(crate) use check::{load, place};
pub(crate) use fields::weights;
pub(crate) use raw::Signing;

/// What the guards know where a configuration says nothing: the learned detector is asked, at its strictest point.
pub(crate) fn unsaid() -> countersign_guard::Config {
    countersign_guard::Config { false_alarms: Some(FalseAlarms::OnePerMille), ..Default::default() }
}

/// The configuration, valid by construction.
pub(crate) struct Config {
    /// The file it came from.
    pub(crate) file: PathBuf,
    /// Where its state is.
    pub(crate) home: Home,
    /// Threads that serve requests.
    pub(crate) workers: Option<usize>,
    /// What several nodes share, where there are several.
    pub(crate) cluster: Option<Redis>,
    /// Where requests come in.
    pub(crate) listeners: Vec<Listener>,
    /// Who answers.
    pub(crate) targets: Vec<Target>,
    /// May they.
    pub(crate) policy: countersign_policy::Settings,
    /// Where people sign in to the console.
    pub(crate) sign_in: Option<crate::sign_in::Provider>,
    /// Where the policies stand.
    pub(crate) policy_files: crate::policies::Files,
    /// Rules ready to use, which stand in the policy's rules already.
    pub(crate) profiles: Vec<countersign_policy::Profile>,
    /// What the guards know.
    pub(crate) guard: countersign_guard::Config,
    /// Indexes of texts that answers must not reproduce.
    pub(crate) registered: Vec<PathBuf>,
    /// The roles of those who get values back for stand-ins; everyone when empty.
    pub(crate) values_shown_to: Vec<String>,
    /// Whether what stand-ins stand for is kept.
    pub(crate) values_kept: bool,
    /// Who else is asked about what the guards doubt.
    pub(crate) judge: Option<Judge>,
    /// How certificates map to principals.
    pub(crate) certificates: Vec<countersign_identity::CertificateRule>,
    /// Whose access tokens are accepted.
    pub(crate) issuers: Vec<Issuer>,
    /// What clients find the issuers by; there where there are any.
    pub(crate) resource: Option<countersign_gateway::Resource>,
    /// Access that can be asked for.
    pub(crate) access: Vec<countersign_policy::access::Access>,
    /// Who is told what is revoked here.
    pub(crate) receivers: Vec<Receiver>,
    /// Logs whose checkpoints are cosigned here: their names and keys.
    pub(crate) cosigns: Vec<(String, countersign_seal::Verifier)>,
    /// Who cosigns the checkpoints of the audit log.
    pub(crate) witnesses: Vec<crate::witness::Asked>,
    /// Where the audit log is copied to.
    pub(crate) archive: Option<crate::archive::Archive>,
    /// For how many days records are kept; for ever where nothing is said.
    pub(crate) keep_days: Option<u32>,
    /// Who is handed on what is on record.
    pub(crate) exports: Vec<crate::export::Export>,
    /// What is done when a timeline goes wrong.
    pub(crate) playbooks: crate::playbooks::Chosen,
    /// How much statistics of use may tell.
    pub(crate) statistics: Statistics,
    /// Logs and traces.
    pub(crate) telemetry: raw::Telemetry,
}

impl Config {
    /// Where the store is, and what several nodes share: in words that are the same as long as it is.
    pub(crate) fn shared(&self) -> String {
        let store = match &self.home.store {
            StoreAt::File => "",
            StoreAt::Postgres { postgres, .. } => &postgres.url,
        };
        format!("{store} {:?}", self.cluster.as_ref().map(|redis| &redis.address))
    }

    /// Whether a rule asks for stand-ins.
    pub(crate) fn tokenizes(&self) -> bool {
        self.policy.rules.actions.iter().any(|line| matches!(line.action, countersign_core::Action::Tokenize(_)))
    }

    /// The issuer whose users and groups a directory keeps in step here.
    pub(crate) fn directory(&self) -> Option<std::sync::Arc<str>> {
        let provisioned = self.issuers.iter().find(|issuer| issuer.directory);
        provisioned.map(|issuer| issuer.issuer.name.clone())
    }
}

/// How much statistics of use may tell of one caller.
#[derive(Clone, Copy)]
pub(crate) struct Statistics {
    /// By the counts of one day.
    pub(crate) epsilon: countersign_statistics::Epsilon,
    /// One reader, in thousandths, by all that they read in 30 days.
    pub(crate) reader: u32,
}

/// Another model that is asked about doubtful texts.
pub(crate) struct Judge {
    pub(crate) model: std::sync::Arc<str>,
    pub(crate) within: std::time::Duration,
    pub(crate) concurrent: usize,
    pub(crate) on_failure: countersign_gateway::OnFailure,
}

/// An issuer of access tokens, and where its keys come from.
pub(crate) struct Issuer {
    pub(crate) issuer: countersign_identity::token::Issuer,
    pub(crate) source: crate::issuers::Source,
    /// How it is asked about tokens that say nothing by themselves.
    pub(crate) introspection: Option<Introspection>,
    /// Its security events, where any are taken in.
    pub(crate) signals: Option<Signals>,
    /// Whether a directory keeps its users and groups in step here.
    pub(crate) directory: bool,
}

/// Where an issuer is asked about tokens, and as whom.
pub(crate) struct Introspection {
    /// Found by its metadata when absent.
    pub(crate) endpoint: Option<crate::fetch::Place>,
    pub(crate) client_id: String,
    pub(crate) secret: Key,
}

/// Where a gateway's state is.
#[derive(Clone)]
pub(crate) struct Home {
    /// Directory of the root key, the audit log and, where it is a file, the store.
    pub(crate) dir: PathBuf,
    /// Names this gateway in its audit log.
    pub(crate) node: String,
    /// Where keys, revocations and grants are kept.
    pub(crate) store: StoreAt,
    /// What protects the root keys; without it they stand in the clear.
    pub(crate) keks: Option<Keks>,
}

impl Home {
    /// One with its store in a file.
    pub(crate) fn local(dir: impl Into<PathBuf>, node: &str) -> Self {
        Self { dir: dir.into(), node: node.into(), store: StoreAt::File, keks: None }
    }
}

/// What protects the root keys.
#[derive(Clone)]
pub(crate) struct Keks {
    pub(crate) now: KekAt,
    /// The one before, which may still have to unwrap them.
    pub(crate) previous: Option<KekAt>,
}

/// Where a key-encryption key is.
#[derive(Clone)]
pub(crate) enum KekAt {
    File(PathBuf),
    Aws { at: ServiceAt, key_id: String, region: String },
    Transit { at: ServiceAt, mount: String, key: String, token: Secret<String> },
    Pkcs11 { module: PathBuf, token: String, key: String, pin: Secret<String> },
}

/// Where a key service is.
#[derive(Clone)]
pub(crate) struct ServiceAt {
    pub(crate) place: crate::fetch::Place,
    /// PEM certificates of its authorities, instead of the system's.
    pub(crate) ca: Option<Vec<u8>>,
}

/// Where the store is.
#[derive(Clone)]
pub(crate) enum StoreAt {
    /// In a file of the state directory.
    File,
    /// In a database, whose password may still have to be unsealed.
    Postgres { postgres: countersign_store::Postgres, password: Option<Key> },
}

/// Which security events of an issuer are taken in.
#[derive(Clone)]
pub(crate) struct Signals {
    /// The issuer's name.
    pub(crate) issuer: Box<str>,
    /// What `aud` of its security event tokens may be.
    pub(crate) audiences: Vec<String>,
    /// What `aud` of its logout tokens may be.
    pub(crate) logout: Vec<String>,
    /// What its tokens say that ask for a global revocation, if it may ask.
    pub(crate) revocation: Option<Revoker>,
    /// Where it hands its events out, if it does not push them, and the token for that.
    pub(crate) poll: Option<(crate::fetch::Place, Option<Key>)>,
}

/// Somebody who is told what is revoked here.
pub(crate) struct Receiver {
    pub(crate) name: String,
    pub(crate) audience: String,
    pub(crate) signing: Signing,
    pub(crate) way: Told,
}

/// How a receiver is told.
pub(crate) enum Told {
    /// Its token may still have to be unsealed.
    Pushed { at: crate::fetch::Place, token: Option<Key>, ca: Option<Vec<u8>> },
    /// By this principal.
    Polled(String),
}

/// A Redis server, whose password may still have to be unsealed.
pub(crate) struct Redis {
    pub(crate) address: countersign_cluster::Address,
    pub(crate) password: Option<Key>,
    /// PEM certificates of its authorities, instead of the system's.
    pub(crate) ca: Option<Vec<u8>>,
}

/// A door that can be opened.
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) door: Door,
    /// Whether the admin API is served here too.
    pub(crate) admin: bool,
}

/// What kind of door.
pub(crate) enum Door {
    Tls { address: SocketAddr, tls: std::sync::Arc<rustls::ServerConfig> },
    Clear { address: SocketAddr },
    Unix { path: PathBuf },
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls { address, .. } => write!(f, "TLS on {address}"),
            Self::Clear { address } => write!(f, "cleartext on {address}"),
            Self::Unix { path } => write!(f, "the Unix socket {}", path.display()),
        }
    }
}

/// A provider whose key may still have to be unsealed.
pub(crate) struct Target {
    pub(crate) target: countersign_provider::Target,
    pub(crate) key: Option<Key>,
}

/// A provider's key, or where it is sealed.
#[derive(Clone)]
pub(crate) enum Key {
    Known(Secret<String>),
    Sealed(String),
}

/// One thing wrong with a configuration: where, what, and what to write instead.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) file: PathBuf,
    pub(crate) line: Option<usize>,
    pub(crate) what: String,
    pub(crate) fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.id(), self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}\n  fix: {}", self.what, self.fix)
    }
}
