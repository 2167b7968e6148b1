//! Sends traces to a collector over our own HTTP client and the TLS that providers are reached by.

use std::{
    fmt,
    future::{Future, ready},
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use countersign_core::Code;
use countersign_http1::{Connection, RequestHead};
use countersign_provider::{Base, Trust, TrustError, open};
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};

use crate::cmd::Failure;

/// Exports in the background, in batches, from a thread of its own. `endpoint` is the collector's base address.
pub(super) fn provider(endpoint: &str) -> Result<SdkTracerProvider, Failure> {
    let wrong = |what: String| Failure {
        code: Code::ConfigInvalid,
        what: format!("`telemetry.otlp`: {what}"),
        fix: "write the collector's base address, as in `http://127.0.0.1:4318`",
    };
    let base: Base = endpoint.parse().map_err(|_| wrong("not an address".to_owned()))?;
    // The collector dials itself; the exporter looks at the path only.
    let url = format!("http://{}{}/v1/traces", base.host(), base.prefix());
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Collector::new(base).map_err(|e| wrong(e.to_string()))?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url)
        .build()
        .map_err(|e| wrong(e.to_string()))?;
    let resource = Resource::builder()
        .with_service_name(env!("CARGO_PKG_NAME"))
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

struct Collector {
    base: Base,
    /// For a collector that speaks TLS.
    trust: Option<Trust>,
    /// So that a collector that is down is reported once, not every few seconds.
    failing: AtomicBool,
}

impl Collector {
    fn new(base: Base) -> Result<Self, TrustError> {
        let trust = matches!(base, Base::Https(_)).then(Trust::system).transpose()?;
        Ok(Self { base, trust, failing: AtomicBool::new(false) })
    }

    /// One request on a connection of its own: there is one every few seconds.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let mut head = RequestHead::new("POST", parts.uri.path(), &self.base.host())?;
        for (name, value) in &parts.headers {
            head = head.header(name.as_str(), value.to_str()?)?;
        }
        let mut connection = Connection::new(open(&self.base, self.trust.as_ref()).await?);
        let status = connection.send(&head, body).await?.status();
        let answer = connection.read_whole(ANSWER).await?;
        Ok(Response::builder().status(status).body(answer)?)
    }

    /// Says so when the collector stops taking traces, and when it takes them again.
    fn note(&self, trouble: Option<&dyn fmt::Display>) {
        let was = self.failing.swap(trouble.is_some(), Ordering::Relaxed);
        match trouble {
            Some(error) if !was => tracing::warn!(%error, "traces are being lost: the collector does not take them"),
            None if was => tracing::info!("the collector takes traces again"),
            _ => {}
        }
    }
}

impl HttpClient for Collector {
    /// Called on the exporter's own thread, which waits for it: a runtime for the length of the call is all that is needed.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let sent =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(HttpError::from).and_then(
                |runtime| {
                    runtime.block_on(async {
                        tokio::time::timeout(PATIENCE, self.send(request)).await.map_err(HttpError::from).flatten()
                    })
                },
            );
        match &sent {
            Ok(answer) if answer.status().is_success() => self.note(None),
            Ok(answer) => self.note(Some(&answer.status())),
            Err(error) => self.note(Some(error)),
        }
        Box::pin(ready(sent))
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("base", &self.base).finish_non_exhaustive()
    }
}

/// For one batch, from dialling to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of a collector's answer; it says whether some spans were not taken, which we do not act on.
const ANSWER: usize = 64 * 1024;
