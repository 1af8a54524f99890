//! What is counted of predictions, for `/metrics`.
//!
//! Names no repository: a number must not tell that something private exists. Invariant: counters only grow.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

type Outcomes = Family<[(&'static str, &'static str); 1], Counter<u64, AtomicU64>>;

/// The server's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    predictions: Outcomes,
    latency: Histogram,
    cold_starts: Counter,
    runtimes: Gauge,
    models: Family<[(&'static str, &'static str); 1], Gauge>,
}

/// How the models stand that were asked for since this process began.
#[derive(Debug, Default)]
pub struct States {
    pub n_runtimes: usize,
    pub n_live: usize,
    pub n_starting: usize,
    pub n_crashed: usize,
    pub n_asleep: usize,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("reenact");
        let predictions = Outcomes::default();
        // 0.1 ms to about 26 s, each bound four times the last.
        let latency = Histogram::new((0..10).map(|i| 1e-4 * 4_f64.powi(i)));
        let (cold_starts, runtimes) = (Counter::default(), Gauge::default());
        registry.register("predictions", "Requests to endpoints, by outcome", predictions.clone());
        let help = "Time from a request's arrival to its answer";
        registry.register_with_unit("prediction_latency", help, Unit::Seconds, latency.clone());
        registry.register("cold_starts", "Runtimes started for a waiting request", cold_starts.clone());
        registry.register("runtimes", "Runtimes that hold a model", runtimes.clone());
        let models = Family::default();
        registry.register("models", "Models asked for since the start, by state", models.clone());
        Self { registry, predictions, latency, cold_starts, runtimes, models }
    }

    /// One request came to its end.
    pub fn predicted(&self, outcome: &'static str, took: Duration) {
        self.predictions.get_or_create(&[("outcome", outcome)]).inc();
        self.latency.observe(took.as_secs_f64());
    }

    /// A runtime was started because a request waited for it.
    pub fn cold_start(&self) {
        self.cold_starts.inc();
    }

    /// All of it as OpenMetrics text.
    pub fn text(&self, states: &States) -> String {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.runtimes.set(count(states.n_runtimes));
        let by_state = [
            ("ready", states.n_live),
            ("starting", states.n_starting),
            ("crashed", states.n_crashed),
            ("idle", states.n_asleep),
        ];
        for (state, n) in by_state {
            self.models.get_or_create(&[("state", state)]).set(count(n));
        }
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
