//! Gets small documents: bounded in size, strict in what it takes, and never led elsewhere by an answer. Its caller bounds the time.

use std::{fmt, net::IpAddr, str::FromStr};

use bytes::Bytes;
use countersign_core::Secret;
use countersign_http1::{Connection, RequestHead};
use countersign_provider::{Base, BoxIo, Trust, open};
use countersign_seal::kek::Ask;

/// The address of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    /// Where the server is.
    base: Base,
    /// Path and query there.
    target: String,
}

/// The text is not a document's address.
#[derive(Debug, thiserror::Error)]
#[error("not an address; expected `https://HOST[:PORT]/PATH`")]
pub(crate) struct NotAPlace(());

/// A body that is wiped once it is sent.
struct Lent(Secret<Vec<u8>>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// Why a document could not be had. Nothing the server wrote is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the connection cannot be made: {0}")]
    Dial(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] countersign_http1::Error),
    #[error("it answers with status {0}, and redirects are not followed")]
    Status(u16),
    #[error("its answer is not uncompressed JSON")]
    Kind,
}

impl Place {
    /// Whether what is read there comes from whom it says: over TLS, or, where `clear` permits it, from this machine.
    pub(crate) fn is_safe(&self, clear: bool) -> bool {
        match &self.base {
            Base::Https(_) => true,
            Base::Http(address) => clear && is_loopback(&address.host),
            Base::Unix(_) => false,
        }
    }

    /// Opens a connection to its server.
    pub(crate) async fn dial(&self, trust: Option<&Trust>) -> std::io::Result<BoxIo> {
        open(&self.base, trust).await
    }

    /// Gets the document, of at most `limit` bytes. `trust` is for servers that speak TLS.
    pub(crate) async fn get(&self, trust: Option<&Trust>, limit: usize) -> Result<Bytes, FetchError> {
        let head = RequestHead::new("GET", &self.target, &self.base.host())?
            .header("accept", "application/json, application/jwk-set+json")?
            .header("accept-encoding", "identity")?
            .header("user-agent", "countersign")?;
        self.exchange(trust, &head, Bytes::new(), limit).await
    }

    /// Posts a form, with an id and secret for basic authentication where there are any, and takes an answer of at most `limit` bytes.
    pub(crate) async fn post(
        &self,
        trust: Option<&Trust>,
        basic: Option<&Secret<String>>,
        form: Bytes,
        limit: usize,
    ) -> Result<Bytes, FetchError> {
        let mut head = RequestHead::new("POST", &self.target, &self.base.host())?
            .header("accept", "application/json")?
            .header("accept-encoding", "identity")?
            .header("content-type", "application/x-www-form-urlencoded")?
            .header("user-agent", "countersign")?;
        if let Some(basic) = basic {
            head = head.credential("authorization", "Basic ", basic.expose())?;
        }
        self.exchange(trust, &head, form, limit).await
    }

    /// Hands in a document of type `kind`, with a bearer token where one is asked for; the status of the answer.
    pub(crate) async fn hand_in(
        &self,
        trust: Option<&Trust>,
        token: Option<&Secret<String>>,
        kind: &str,
        document: Bytes,
    ) -> Result<u16, FetchError> {
        let mut head = RequestHead::new("POST", &self.target, &self.base.host())?
            .header("accept", "application/json")?
            .header("content-type", kind)?
            .header("user-agent", "countersign")?;
        if let Some(token) = token {
            head = head.credential("authorization", "Bearer ", token.expose())?;
        }
        let mut connection = Connection::new(open(&self.base, trust).await?);
        Ok(connection.send(&head, document).await?.status())
    }

    /// Tells somebody something as JSON, under headers of its own; the status of the answer.
    pub(crate) async fn tell(
        &self,
        trust: Option<&Trust>,
        headers: &[(&str, String)],
        document: Bytes,
    ) -> Result<u16, FetchError> {
        let mut head = RequestHead::new("POST", &self.target, &self.base.host())?
            .header("content-type", "application/json")?
            .header("user-agent", "countersign")?;
        for (name, value) in headers {
            head = head.header(name, value)?;
        }
        let mut connection = Connection::new(open(&self.base, trust).await?);
        Ok(connection.send(&head, document).await?.status())
    }

    /// Hands in a document of type `kind`; the status of the answer, and the answer, of at most `limit` bytes.
    pub(crate) async fn submit(
        &self,
        trust: Option<&Trust>,
        kind: &str,
        document: Bytes,
        limit: usize,
    ) -> Result<(u16, Bytes), FetchError> {
        let head = RequestHead::new("POST", &self.target, &self.base.host())?
            .header("content-type", kind)?
            .header("accept-encoding", "identity")?
            .header("user-agent", "countersign")?;
        let mut connection = Connection::new(open(&self.base, trust).await?);
        let status = connection.send(&head, document).await?.status();
        Ok((status, connection.read_whole(limit).await?))
    }

    /// Asks with a document in JSON, with a bearer token where one is asked for, and takes an answer of at most `limit` bytes.
    pub(crate) async fn ask(
        &self,
        trust: Option<&Trust>,
        token: Option<&Secret<String>>,
        document: Bytes,
        limit: usize,
    ) -> Result<Bytes, FetchError> {
        let mut head = RequestHead::new("POST", &self.target, &self.base.host())?
            .header("accept", "application/json")?
            .header("accept-encoding", "identity")?
            .header("content-type", "application/json")?
            .header("user-agent", "countersign")?;
        if let Some(token) = token {
            head = head.credential("authorization", "Bearer ", token.expose())?;
        }
        self.exchange(trust, &head, document, limit).await
    }

    /// Asks a key service, below this address, and takes an answer of at most `limit` bytes.
    pub(crate) async fn call(
        &self,
        trust: Option<&Trust>,
        ask: Ask,
        limit: usize,
    ) -> Result<Secret<Vec<u8>>, FetchError> {
        let mut head = RequestHead::new("POST", &ask.path, &self.base.host())?
            .header("accept-encoding", "identity")?
            .header("user-agent", "countersign")?;
        for (name, value) in &ask.headers {
            head = head.credential(name, "", value.expose())?;
        }
        let mut connection = Connection::new(open(&self.base, trust).await?);
        let answer = connection.send(&head, Bytes::from_owner(Lent(ask.body))).await?;
        if answer.status() != 200 {
            return Err(FetchError::Status(answer.status()));
        }
        Ok(Secret::new(Vec::from(connection.read_whole(limit).await?)))
    }

    /// The host, as requests name it.
    pub(crate) fn host(&self) -> String {
        self.base.host()
    }

    /// Whether it is the server as a whole, and no document of it.
    pub(crate) fn is_top(&self) -> bool {
        self.target == "/"
    }

    /// Whether it is asked in the clear.
    pub(crate) const fn is_clear(&self) -> bool {
        !matches!(self.base, Base::Https(_))
    }

    async fn exchange(
        &self,
        trust: Option<&Trust>,
        head: &RequestHead,
        body: Bytes,
        limit: usize,
    ) -> Result<Bytes, FetchError> {
        let mut connection = Connection::new(open(&self.base, trust).await?);
        let answer = connection.send(head, body).await?;
        if answer.status() != 200 {
            return Err(FetchError::Status(answer.status()));
        }
        let plain = answer.get("content-encoding").is_none_or(|coding| coding.eq_ignore_ascii_case(b"identity"));
        if !plain || !answer.get("content-type").is_some_and(is_json) {
            return Err(FetchError::Kind);
        }
        Ok(connection.read_whole(limit).await?)
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let wrong = || NotAPlace(());
        let host = text.find("://").ok_or_else(wrong)? + 3;
        let end = text.get(host..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(text.len(), |at| host + at);
        let (origin, target) = text.split_at_checked(end).ok_or_else(wrong)?;
        let base = origin.parse::<Base>().map_err(|_| wrong())?;
        let target = if target.is_empty() { "/" } else { target };
        // Whatever could break out of its place in a request is found here.
        match (RequestHead::new("GET", target, &base.host()), &base) {
            (Ok(_), Base::Https(_) | Base::Http(_)) => Ok(Self { base, target: target.to_owned() }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.base, self.target)
    }
}

/// Whether a host is this machine, by its name.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `application/json`, or a kind of it, as key sets and metadata may call themselves.
fn is_json(kind: &[u8]) -> bool {
    let essence = kind.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    KINDS.iter().any(|known| essence.eq_ignore_ascii_case(known.as_bytes()))
}

const KINDS: [&str; 2] = ["application/json", "application/jwk-set+json"];

#[cfg(test)]
mod tests;
