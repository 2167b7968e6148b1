//! A provider as the configuration names it.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use countersign_core::Secret;
use countersign_wire::translate;

/// One provider account or server.
#[derive(Clone, Debug)]
pub struct Target {
    /// Names the target in policy, metrics and audit.
    pub name: Arc<str>,
    /// The API it speaks.
    pub dialect: Dialect,
    /// Where it is.
    pub base: Base,
    /// The provider's key; none for servers without one.
    pub key: Option<Secret<String>>,
    /// The models it serves.
    pub models: Vec<ModelRoute>,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// Authorities of its certificate in PEM, instead of the system's.
    pub ca: Option<Vec<u8>>,
    /// The oldest TLS that is spoken with it.
    pub oldest_tls: OldestTls,
    /// Idle connections kept open at most.
    pub connections: usize,
}

/// The oldest version of TLS that is spoken with a provider.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OldestTls {
    /// TLS 1.3 (RFC 8446) alone.
    #[default]
    Tls13,
    /// TLS 1.2 (RFC 5246) too, for a provider that has nothing newer.
    Tls12,
}

/// The API a provider speaks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// OpenAI's, and that of every compatible server: vLLM, Ollama, llama.cpp.
    OpenAi,
    /// Azure OpenAI's: OpenAI's formats at paths of its own.
    AzureOpenAi {
        /// The deployment's name, which stands in the path.
        deployment: String,
        /// The `api-version` parameter.
        api_version: String,
    },
    /// Anthropic's.
    Anthropic,
}

impl Dialect {
    /// Whose formats it speaks.
    #[must_use]
    pub const fn speaks(&self) -> translate::Dialect {
        match self {
            Self::OpenAi | Self::AzureOpenAi { .. } => translate::Dialect::OpenAi,
            Self::Anthropic => translate::Dialect::Anthropic,
        }
    }
}

/// A model under the name callers use and the one the provider uses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModelRoute {
    /// As callers and policies name it.
    pub name: Arc<str>,
    /// As the provider names it.
    pub upstream: Arc<str>,
}

/// How long a provider may take for each part of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// Until the connection stands, TLS included.
    pub connect: Duration,
    /// From there until the answer's head is there. A whole answer begins when the model has finished.
    pub first_byte: Duration,
    /// Between two pieces of a stream.
    pub idle: Duration,
    /// For everything, retries and streams to their end included.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self { connect: s(5), first_byte: s(120), idle: s(60), total: s(600) }
    }
}

/// Where a provider is: the address below which the formats' paths lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Base {
    /// Over TLS.
    Https(Address),
    /// In the clear.
    Http(Address),
    /// A Unix socket, in the clear.
    Unix(PathBuf),
}

/// Host, port and path of a [`Base`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// A name or an IP address, IPv6 without its brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Stands before every path: empty, or begins with `/` and does not end with one.
    pub prefix: String,
}

/// The text is not a provider's address.
#[derive(Debug, thiserror::Error)]
#[error("not a provider's address; expected `https://HOST[:PORT][/PATH]`, `http://...` or `unix:/PATH`")]
pub struct NotABase(());

impl FromStr for Base {
    type Err = NotABase;

    /// Reads `https://HOST[:PORT][/PATH]`, the same with `http`, or `unix:/PATH`. Credentials, queries and fragments have
    /// no place in it.
    fn from_str(text: &str) -> Result<Self, NotABase> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(NotABase(())) };
        }
        if let Some(rest) = text.strip_prefix("https://") {
            Ok(Self::Https(Address::parse(rest, 443)?))
        } else if let Some(rest) = text.strip_prefix("http://") {
            Ok(Self::Http(Address::parse(rest, 80)?))
        } else {
            Err(NotABase(()))
        }
    }
}

impl Address {
    fn parse(text: &str, usual_port: u16) -> Result<Self, NotABase> {
        let (authority, path) = text.find('/').map_or((text, ""), |i| text.split_at(i));
        // The colons of an IPv6 address stand in brackets.
        let (host, port) = match authority.strip_prefix('[').and_then(|a| a.split_once(']')) {
            Some((host, port)) => (host, port),
            None => authority.find(':').map_or((authority, ""), |i| authority.split_at(i)),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => digits.parse().map_err(|_| NotABase(()))?,
            None if port.is_empty() => usual_port,
            None => return Err(NotABase(())),
        };
        let known =
            |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b) || (authority.starts_with('[') && b == b':');
        let prefix = path.trim_end_matches('/');
        let clean = prefix.bytes().all(|b| b.is_ascii_graphic() && !b"?#\"<>\\".contains(&b));
        if host.is_empty() || port == 0 || !host.bytes().all(known) || !clean {
            return Err(NotABase(()));
        }
        Ok(Self { host: host.to_owned(), port, prefix: prefix.to_owned() })
    }

    /// As it stands in a URL and in the `host` header.
    fn authority(&self, usual_port: u16) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == usual_port { host } else { format!("{host}:{}", self.port) }
    }
}

impl Base {
    /// The value of the `host` header.
    #[must_use]
    pub fn host(&self) -> String {
        match self {
            Self::Https(a) => a.authority(443),
            Self::Http(a) => a.authority(80),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }

    /// What stands before every path.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match self {
            Self::Https(a) | Self::Http(a) => &a.prefix,
            Self::Unix(_) => "",
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Https(a) => write!(f, "https://{}{}", a.authority(443), a.prefix),
            Self::Http(a) => write!(f, "http://{}{}", a.authority(80), a.prefix),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests;
