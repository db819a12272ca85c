//! What is counted, and its Prometheus text.
//!
//! Handles are made once, so that a request costs a few atomic additions and no look-up.

use std::sync::Mutex;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::connections::Census;

/// One label: what [`Family`] wants.
type Labels = [(&'static str, &'static str); 1];

/// Status classes by their first digit; 0 is a request that never got a status.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// From half a millisecond to a quarter of a minute.
const LATENCY_BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0];

/// Every counter of a worker.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    requests: [Counter; 6],
    latency: Histogram,
    in_flight: Gauge,
    by_state: Family<Labels, Gauge>,
    pub(crate) accepted: Counter,
    /// Connections that siblings gave us.
    pub(crate) adopted: Counter,
    /// Connections that we gave to siblings in the drain.
    pub(crate) moved: Counter,
    /// Connections that we gave to siblings that had just started, and fewer.
    pub(crate) balanced: Counter,
    /// Connections that the unit's last run left with systemd.
    pub(crate) resumed: Counter,
    /// Connections that we left with systemd for the unit's next run.
    pub(crate) parked: Counter,
    /// Connections that were served to their end after SIGTERM.
    pub(crate) drained: Counter,
    /// Connections that were closed idle when the linger time was over.
    pub(crate) lingered: Counter,
    /// Connections closed by us on which bytes arrived too late.
    pub(crate) lost: Counter,
    /// Requests and tunnels cut at the deadline.
    pub(crate) cut: Counter,
    /// Requests refused in the drain, in refuse mode.
    pub(crate) refused: Counter,
    /// Connections that were upgraded.
    pub(crate) tunnels: Counter,
    /// Those of them that the deadline cut.
    pub(crate) tunnels_cut: Counter,
    /// WebSockets whose clients were told that the worker goes away.
    pub(crate) going_away: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("worker");
        let classes = Family::<Labels, Counter>::default();
        registry.register("requests", "Requests finished, by status class", classes.clone());
        let mut counter = |name, help| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let accepted = counter("accepted", "Connections accepted");
        let adopted = counter("adopted", "Connections that siblings handed over to this one");
        let moved = counter("moved", "Connections handed over to a sibling after SIGTERM");
        let help = "Connections handed over to a sibling that had just started, and fewer";
        let balanced = counter("balanced", help);
        let help = "Connections that the last run of the unit left with systemd";
        let resumed = counter("resumed", help);
        let help = "Connections left with systemd for the next run of the unit";
        let parked = counter("parked", help);
        let drained = counter("drained", "Connections served to their end after SIGTERM");
        let lingered = counter("lingered", "Connections closed idle at the end of the linger time");
        let lost = counter("lost", "Connections closed by us on which bytes arrived too late");
        let refused = counter("refused", "Requests refused while draining (--drain-mode refuse)");
        let cut = counter("cut", "Requests and tunnels cut at the drain deadline");
        let tunnels = counter("tunnels", "Connections that became tunnels (WebSockets and others)");
        let tunnels_cut = counter("tunnels_cut", "Tunnels cut at the drain deadline");
        let help = "WebSockets closed with 1001 in the drain";
        let going_away = counter("tunnels_going_away", help);
        let latency = Histogram::new(LATENCY_BUCKETS);
        let help = "Time from a request's head to the end of its response";
        registry.register("request_duration_seconds", help, latency.clone());
        let in_flight = Gauge::default();
        registry.register("in_flight", "Requests being answered", in_flight.clone());
        let by_state = Family::default();
        registry.register("connections", "Open connections, by state", by_state.clone());
        let requests = CLASSES.map(|class| classes.get_or_create(&[("class", class)]).clone());
        let registry = Mutex::new(registry);
        Self {
            registry,
            requests,
            latency,
            in_flight,
            by_state,
            accepted,
            adopted,
            moved,
            balanced,
            resumed,
            parked,
            drained,
            lingered,
            lost,
            refused,
            cut,
            tunnels,
            tunnels_cut,
            going_away,
        }
    }

    /// Counts one request; `status` is 0 when it ended without one.
    pub(crate) fn request_finished(&self, status: u16, took: Duration) {
        let class = usize::from(status / 100).min(CLASSES.len() - 1);
        self.requests[class].inc();
        self.latency.observe(took.as_secs_f64());
    }

    pub(crate) fn requests_finished(&self) -> u64 {
        self.requests.iter().map(Counter::get).sum()
    }

    /// The Prometheus text, with the connections as `census` found them.
    pub(crate) fn render(&self, census: &Census) -> String {
        self.in_flight.set(census.in_flight as i64);
        for (state, count) in census.by_state() {
            self.by_state.get_or_create(&[("state", state)]).set(count as i64);
        }
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(error) => format!("# not encoded: {error}\n"),
        }
    }
}
