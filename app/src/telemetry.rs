//! Logs to standard error and, when a collector is named, traces to it (OTLP over HTTP, GenAI semantic conventions).
//!
//! The crates below speak to `tracing` alone: events become log lines, spans become traces. Neither may hold a prompt, an
//! answer, a header or a credential; two rules here keep what others write within that. Only our own crates are heard below
//! the level of warnings, for an HTTP or a database library logs what passes through it. And only spans are exported, so that
//! the text of a log line never travels.
//!
//! Without a collector no span is made at all: every layer refuses them, which costs one atomic load where a span would be.

mod otlp;

use std::{io, str::FromStr, time::Duration};

use countersign_core::Code;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, Registry,
    filter::filter_fn,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
};

use crate::{
    cmd::Failure,
    config::raw::{LogFormat, Telemetry},
};

/// Keeps traces flowing; the last ones are sent when it is dropped, for which it waits a few seconds at most.
#[must_use = "traces end when it is dropped"]
pub(crate) struct Guard {
    provider: Option<SdkTracerProvider>,
}

/// Starts logs and traces for the whole process, once.
///
/// # Errors
/// `CS1001` when the level or the collector's address does not hold; also when it was started before.
pub(crate) fn start(config: &Telemetry) -> anyhow::Result<Guard> {
    let (subscriber, guard) = build(config, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(guard)
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = &self.provider
            && let Err(error) = provider.shutdown_with_timeout(LAST_WORDS)
        {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

fn build<W>(config: &Telemetry, writer: W) -> Result<(impl Subscriber + Send + Sync + use<W>, Guard), Failure>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = Level::from_str(&config.level).map_err(|_| Failure {
        code: Code::ConfigInvalid,
        what: format!("`telemetry.level` is `{}`", config.level),
        fix: "write one of error, warn, info, debug, trace",
    })?;
    let others = level.min(Level::WARN);
    let heard = filter_fn(move |of| of.is_event() && *of.level() <= if is_ours(of) { level } else { others })
        .with_max_level_hint(level);
    let log = match config.log {
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(writer)
            .with_filter(heard)
            .boxed(),
        LogFormat::Text => fmt::layer().with_writer(writer).with_filter(heard).boxed(),
    };
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = vec![log];
    let provider = config.otlp.as_deref().map(otlp::provider).transpose()?;
    if let Some(provider) = &provider {
        let traced = filter_fn(|of| of.is_span() && *of.level() <= TRACED && is_ours(of)).with_max_level_hint(TRACED);
        let traces = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(env!("CARGO_PKG_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        layers.push(traces.with_filter(traced).boxed());
    }
    Ok((tracing_subscriber::registry().with(layers), Guard { provider }))
}

/// Whether one of our crates says it.
fn is_ours(of: &Metadata<'_>) -> bool {
    of.target()
        .strip_prefix(env!("CARGO_PKG_NAME"))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('_') || rest.starts_with("::"))
}

/// Spans below it are for developers, not for a collector.
const TRACED: LevelFilter = LevelFilter::INFO;

/// How long the end of the process waits for the last traces.
const LAST_WORDS: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
