//! The process itself, under the names that every process has for it.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// Shows the process.
#[derive(Clone, Debug, Default)]
pub struct ProcessStats {
    start_time: Gauge,
    resident: Gauge,
    open_fds: Gauge,
    threads: Gauge,
}

impl ProcessStats {
    /// A process that started then, in seconds since 1970.
    pub fn started(at: i64) -> Self {
        let stats = Self::default();
        stats.start_time.set(at);
        stats
    }

    /// Takes note of the process as it is now.
    pub fn see(&self, resident_bytes: i64, open_fds: i64, threads: i64) {
        self.resident.set(resident_bytes);
        self.open_fds.set(open_fds);
        self.threads.set(threads);
    }

    /// Shows what is known, and under the program's prefix what the program is.
    pub fn register(&self, registry: &mut Registry, engine: &'static str) {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION")), ("engine", engine)].to_vec());
        registry.sub_registry_with_prefix(super::PREFIX).register("build", "What runs", build);
        let registry = registry.sub_registry_with_prefix("process");
        registry.register_with_unit("start_time", "When it started", Unit::Seconds, self.start_time.clone());
        registry.register_with_unit("resident_memory", "Memory in use", Unit::Bytes, self.resident.clone());
        registry.register("open_fds", "Open descriptors of files and sockets", self.open_fds.clone());
        registry.register("threads", "Threads", self.threads.clone());
    }
}
