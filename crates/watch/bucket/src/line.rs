//! The way requests go: over our own HTTP/1.1 client, on connections that somebody else opens.

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use countersign_http1::{Connection, Error, RequestHead};
use http::{HeaderMap, Request, Response, StatusCode, header};
use object_store::{
    ClientOptions,
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use crate::said;

/// A stream to the server.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// What [`Dial::dial`] returns.
pub type Dialing<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send + 'a>>;

/// Opens connections to the one server that a bucket is on.
pub trait Dial: Send + Sync {
    /// Opens one, on which the server may be asked at once.
    fn dial(&self) -> Dialing<'_>;
}

/// Connections to one server. Clones share them.
#[derive(Clone)]
pub(crate) struct Line(Arc<Shared>);

struct Shared {
    host: String,
    dial: Arc<dyn Dial>,
    idle: Mutex<Vec<Connection<Box<dyn Io>>>>,
}

impl Line {
    pub(crate) fn new(host: String, dial: Arc<dyn Dial>) -> Self {
        Self(Arc::new(Shared { host, dial, idle: Mutex::default() }))
    }

    /// Sends a request; the whole answer. Where that is no success, its body is the server's own name for the error, and no more.
    pub(crate) async fn exchange(&self, request: Request<Bytes>) -> Result<(StatusCode, Bytes), Error> {
        let (status, _, body) = self.call(request).await?;
        Ok((status, body))
    }

    async fn call(&self, request: Request<Bytes>) -> Result<(StatusCode, HeaderMap, Bytes), Error> {
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut head = RequestHead::new(parts.method.as_str(), target, &self.0.host)?
            .header("accept-encoding", "identity")?
            .header("user-agent", "countersign")?;
        let ours = [header::CONTENT_LENGTH, header::HOST, header::ACCEPT_ENCODING, header::USER_AGENT];
        for (name, value) in parts.headers.iter().filter(|(name, _)| !ours.contains(name)) {
            let value = value.to_str().map_err(|_| Error::BadRequest("header value"))?;
            head = head.credential(name.as_str(), "", value)?;
        }
        let asked = timeout(PATIENCE, self.send(&head, body)).await;
        asked.unwrap_or_else(|_| Err(Error::Io(io::ErrorKind::TimedOut.into())))
    }

    async fn send(&self, head: &RequestHead, body: Bytes) -> Result<(StatusCode, HeaderMap, Bytes), Error> {
        let idle = self.idle().pop();
        if let Some(mut connection) = idle {
            match connection.send(head, body.clone()).await {
                // The server closed it before it read anything.
                Err(_) if !connection.heard() => {}
                answer => return self.take(connection, answer?).await,
            }
        }
        let mut connection = Connection::new(self.0.dial.dial().await?);
        let answer = connection.send(head, body).await?;
        self.take(connection, answer).await
    }

    async fn take(
        &self,
        mut connection: Connection<Box<dyn Io>>,
        answer: countersign_http1::ResponseHead,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Error> {
        let status = StatusCode::from_u16(answer.status()).map_err(|_| Error::Malformed("status"))?;
        let most = if status.is_success() { MOST } else { MOST_SAID };
        let body = connection.read_whole(most).await?;
        let mut headers = HeaderMap::new();
        for (name, value) in answer.headers() {
            if let (Ok(name), Ok(value)) =
                (header::HeaderName::from_bytes(name), header::HeaderValue::from_bytes(value))
            {
                headers.append(name, value);
            }
        }
        if connection.reusable() {
            let mut idle = self.idle();
            if idle.len() < KEPT {
                idle.push(connection);
            }
        }
        let body = if status.is_success() { body } else { Bytes::from(said::error(&body)) };
        Ok((status, headers, body))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection<Box<dyn Io>>>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Line").field(&self.0.host).finish()
    }
}

impl HttpConnector for Line {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Line {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = collected(body).await?;
            let called = self.call(Request::from_parts(parts, body)).await;
            let (status, headers, body) = called.map_err(failed)?;
            let mut response = Response::new(body.into());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        })
    }
}

/// A request's whole body.
async fn collected(body: object_store::client::HttpRequestBody) -> Result<Bytes, HttpError> {
    // Through an answer's body, which can be collected.
    object_store::client::HttpResponseBody::new(body).bytes().await
}

fn failed(error: Error) -> HttpError {
    let kind = match &error {
        Error::Io(cause) if cause.kind() == io::ErrorKind::TimedOut => HttpErrorKind::Timeout,
        Error::Io(_) | Error::Closed | Error::Truncated => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

/// For one exchange.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that are kept for the next requests.
const KEPT: usize = 8;
/// Bytes of an object.
const MOST: usize = 64 << 20;
/// Bytes of what a server says of an error.
const MOST_SAID: usize = 64 << 10;
