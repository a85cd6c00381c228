//! Log lines go to standard error, so that standard output stays free for what programs read.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use super::config::{LogConfig, LogFormat};

/// Begins to log. A second call changes nothing.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::builder().parse_lossy(&config.level);
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_timer(SystemTime)
        .with_env_filter(filter);
    // Fails when there is a subscriber already, which then stays.
    let _second = match config.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
