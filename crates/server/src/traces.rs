//! Traces: a span for each request and for each transaction in it, told to an OpenTelemetry collector by OTLP over HTTP. What a span may say is fixed here and
//! where it begins: methods, routes by their template, statuses, request ids; never what somebody sent.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::config::TracesConfig;

/// The target of spans that are told. Those of libraries are not, since what is in them is theirs to decide.
pub const TARGET: &str = "secureguard::trace";
/// How long a collector may take for a batch. What waits meanwhile is bounded, and dropped beyond that.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last batch may take when the server stops.
const GRACE: Duration = Duration::from_secs(2);

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// What turns spans into traces; none where no collector is set.
///
/// # Errors
/// When the exporter cannot be made.
pub fn layer<S>(config: &TracesConfig) -> anyhow::Result<Option<impl Layer<S> + Send + Sync + 'static>>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    if config.endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Collector::new()?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&config.endpoint)
        .with_timeout(PATIENCE)
        .build()
        .context("traces cannot be told")?;
    let resource = Resource::builder_empty()
        .with_service_name("secureguard")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::TraceIdRatioBased(config.sample_ratio))
        .with_resource(resource)
        .build();
    let tracer = PROVIDER.get_or_init(|| provider).tracer("secureguard");
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|meta| meta.is_span() && meta.target() == TARGET));
    Ok(Some(layer))
}

/// Tells what has not been told yet, within two seconds. Blocks.
pub fn shut_down() {
    if let Some(provider) = PROVIDER.get() {
        // What a collector misses is missed by nobody else.
        let _ = provider.shutdown_with_timeout(GRACE);
    }
}

/// The way to the collector. It is used by the exporter's own thread, which has no runtime, and so has one of its own: nothing else waits for it.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Collector {
    fn new() -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build()?;
        Ok(Self { client, runtime })
    }
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let request = reqwest::Request::try_from(request)?;
            client.execute(request).await
        });
        let outcome = sent.await?;
        let is_taken = outcome.as_ref().is_ok_and(|answer| answer.status().is_success());
        let label = if is_taken { "taken" } else { "failed" };
        metrics::counter!("sg_trace_batches_total", "outcome" => label).increment(1);
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = outcome?.status();
        Ok(answer)
    }
}
