//! A bucket of S3-style object storage: reads and writes objects, some under a retention lock, and says what of them was overwritten or
//! hidden.
//!
//! It opens no connection by itself, reads no environment, and never removes anything: there is no call for that.
//!
//! Threat: whoever may write to the bucket overwrites an object or hides it. Under a retention lock the object stays, as an older version:
//! so a reader asks for all versions ([`Bucket::versions`]), and not for what is newest.

mod line;
pub mod said;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use countersign_core::{Secret, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AwsAuthorizer, AwsCredential, Checksum},
    client::HttpRequest,
    path::Path,
};

use line::Line;
pub use line::{Dial, Dialing, Io};
use said::{Locking, Version};

/// Where the bucket is, and who asks.
pub struct Place {
    /// Its name.
    pub bucket: String,
    /// Where it is, for the signature.
    pub region: String,
    /// The server, without a path: `https://HOST[:PORT]`. Objects stand below the bucket's name there.
    pub endpoint: String,
    /// The access key's id.
    pub id: String,
    /// The access key.
    pub secret: Secret<String>,
    /// What comes with it where it is lent.
    pub token: Option<Secret<String>>,
}

/// How an object is locked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Nobody may remove it before its time, the account's owner included.
    Compliance,
    /// Whoever has a special permission may.
    Governance,
}

impl Mode {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compliance => "COMPLIANCE",
            Self::Governance => "GOVERNANCE",
        }
    }
}

/// Why something could not be done. Of what the server wrote there is nothing in it but its name for the error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BucketError(String);

/// A bucket.
pub struct Bucket {
    /// Reads, and writes what is not locked.
    store: AmazonS3,
    place: Place,
    line: Line,
}

impl Bucket {
    /// A bucket that is reached over the connections that `dial` opens; `host` is how requests name the server.
    ///
    /// # Errors
    /// When the bucket's name or the access key cannot stand in a request.
    pub fn new(place: Place, host: String, dial: Arc<dyn Dial>) -> Result<Self, BucketError> {
        let sendable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let key = [Some(&place.id), Some(place.secret.expose()), place.token.as_ref().map(Secret::expose)];
        if !key.into_iter().flatten().all(|part| sendable(part)) {
            return Err(BucketError("the access key has characters that cannot be sent, or is empty".to_owned()));
        }
        let line = Line::new(host, dial);
        Ok(Self { store: build(&place, &line, None)?, place, line })
    }

    /// An object, or one version of it; none where there is none.
    ///
    /// # Errors
    /// When the server cannot be asked, or refuses.
    pub async fn get(&self, name: &str, version: Option<&str>) -> Result<Option<Bytes>, BucketError> {
        let options = GetOptions { version: version.map(str::to_owned), ..GetOptions::default() };
        let got = async { self.store.get_opts(&Path::from(name), options).await?.bytes().await };
        match got.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(why(&error)),
        }
    }

    /// Writes an object, over what stands there.
    ///
    /// # Errors
    /// When the server cannot be asked, or refuses.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<(), BucketError> {
        self.store.put(&Path::from(name), bytes.into()).await.map(drop).map_err(|error| why(&error))
    }

    /// Writes an object under a retention lock, unless there is one of that name; whether it was written.
    ///
    /// # Errors
    /// When the server cannot be asked, or refuses, as it does where the bucket knows no locks.
    pub async fn put_locked(
        &self,
        name: &str,
        bytes: Bytes,
        mode: Mode,
        until: Timestamp,
    ) -> Result<bool, BucketError> {
        let until = i64::try_from(until.seconds()).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        let until = until.ok_or_else(|| BucketError("the lock's end is no moment".to_owned()))?;
        let store = build(&self.place, &self.line, Some((mode, until.to_string())))?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match store.put_opts(&Path::from(name), bytes.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(why(&error)),
        }
    }

    /// All versions of all objects whose names begin with `prefix`, those that are hidden included.
    ///
    /// # Errors
    /// When the server cannot be asked, refuses, or says what cannot be read.
    pub async fn versions(&self, prefix: &str) -> Result<Vec<Version>, BucketError> {
        let mut all = Vec::new();
        let mut marker: Option<(String, String)> = None;
        loop {
            let mut query = vec![("versions", ""), ("prefix", prefix)];
            if let Some((key, version)) = &marker {
                query.extend([("key-marker", key.as_str()), ("version-id-marker", version)]);
            }
            let page = said::versions(&self.ask(&query).await?).ok_or_else(unreadable)?;
            all.extend(page.versions);
            match page.next {
                // A server that never comes to an end would fill the memory.
                Some(next) if all.len() < MOST_VERSIONS => marker = Some(next),
                Some(_) => return Err(BucketError("it has more versions than can be looked at".to_owned())),
                None => return Ok(all),
            }
        }
    }

    /// Whether the bucket knows retention locks, and what it locks by itself.
    ///
    /// # Errors
    /// When the server cannot be asked, refuses, or says what cannot be read.
    pub async fn locking(&self) -> Result<Locking, BucketError> {
        match self.ask(&[("object-lock", "")]).await {
            Ok(said) => said::locking(&said).ok_or_else(unreadable),
            Err(BucketError(what)) if what.contains("ObjectLockConfigurationNotFoundError") => Ok(Locking::default()),
            Err(error) => Err(error),
        }
    }

    /// Asks something of the bucket as a whole.
    async fn ask(&self, query: &[(&str, &str)]) -> Result<Bytes, BucketError> {
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let url = format!("{}/{}?{}", self.place.endpoint, self.place.bucket, query.join("&"));
        let request = Request::get(url).body(Bytes::new().into());
        let mut request: HttpRequest =
            request.map_err(|_| BucketError("its address cannot stand in a request".to_owned()))?;
        let key = AwsCredential {
            key_id: self.place.id.clone(),
            secret_key: self.place.secret.expose().clone(),
            token: self.place.token.as_ref().map(|token| token.expose().clone()),
        };
        let signed = AwsAuthorizer::new(&key, "s3", &self.place.region).try_authorize(&mut request, None);
        signed.map_err(|error| why(&error))?;
        let answered = self.line.exchange(request.map(|_| Bytes::new())).await;
        let (status, body) = answered.map_err(|error| BucketError(error.to_string()))?;
        if status.is_success() {
            return Ok(body);
        }
        Err(BucketError(format!("it answers with status {}{}", status.as_u16(), named(&body))))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.place.bucket).finish()
    }
}

/// A client that signs with its place's key, and locks all that it writes where that is asked for.
fn build(place: &Place, line: &Line, lock: Option<(Mode, String)>) -> Result<AmazonS3, BucketError> {
    let mut headers = HeaderMap::new();
    let mut header = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    // Servers want to know by what they can check an object before they lock it.
    header("x-amz-sdk-checksum-algorithm", "SHA256");
    if let Some((mode, until)) = lock {
        header("x-amz-object-lock-mode", mode.as_str());
        header("x-amz-object-lock-retain-until-date", &until);
    }
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&place.bucket)
        .with_region(&place.region)
        .with_endpoint(&place.endpoint)
        .with_access_key_id(&place.id)
        .with_secret_access_key(place.secret.expose())
        .with_checksum_algorithm(Checksum::SHA256)
        .with_client_options(ClientOptions::new().with_default_headers(headers).with_allow_http(true))
        .with_retry(RetryConfig { backoff: BackoffConfig::default(), max_retries: 2, retry_timeout: PATIENCE })
        .with_http_connector(line.clone());
    if let Some(token) = &place.token {
        builder = builder.with_token(token.expose());
    }
    builder.build().map_err(|error| why(&error))
}

/// What went wrong, without the request's address in it.
fn why(error: &object_store::Error) -> BucketError {
    use std::error::Error as _;

    let mut cause: Option<&dyn std::error::Error> = error.source();
    let mut last = None;
    while let Some(error) = cause {
        last = Some(error.to_string());
        cause = error.source();
    }
    BucketError(last.unwrap_or_else(|| error.to_string()))
}

/// The server's own name for an error, behind a blank, where it gives one.
fn named(body: &[u8]) -> String {
    let name = String::from_utf8_lossy(body);
    if name.is_empty() { String::new() } else { format!(" ({name})") }
}

/// A value as it may stand in a query.
fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn unreadable() -> BucketError {
    BucketError("its answer cannot be read".to_owned())
}

const PATIENCE: Duration = Duration::from_secs(30);
/// Some ten years of anchors, one each hour.
const MOST_VERSIONS: usize = 100_000;
