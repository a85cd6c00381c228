//! Log lines go to standard error, so that standard output stays free for what programs read.
//!
//! Only this program's own lines may be of level `debug` or `trace`: libraries are free to write headers, addresses and
//! statements at these levels, and with them tokens, links and what clients sent; that none of today's does is no
//! promise. The filter of the settings cannot lift that. A panic is told by its place; its message may hold values, so it is told only where it is a fixed text.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::config::{LogConfig, LogFormat};

/// What this program's own lines are of.
const OWN: &str = env!("CARGO_CRATE_NAME");

/// The most that libraries may say.
const LIBRARIES: LevelFilter = LevelFilter::INFO;

/// Begins to log. A second call changes nothing.
pub fn start(config: &LogConfig) {
    let asked_for = EnvFilter::builder().parse_lossy(&config.level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_timer(SystemTime);
    let kept = tracing_subscriber::registry().with(asked_for).with(cap());
    // Fails when there is a subscriber already, which then stays.
    let _second = match config.format {
        LogFormat::Text => kept.with(lines).try_init(),
        LogFormat::Json => kept.with(lines.json().flatten_event(true)).try_init(),
    };
}

fn cap() -> Targets {
    Targets::new().with_default(LIBRARIES).with_target(OWN, LevelFilter::TRACE)
}

/// From now on a panic is one line: where it was, and what it says if that is a fixed text. `RUST_BACKTRACE` adds the
/// way there, which has no values.
pub fn hide_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = fixed_text(panic.payload());
        let way = Backtrace::capture();
        let way = if way.status() == BacktraceStatus::Captured { format!("\n{way}") } else { String::new() };
        if tracing::dispatcher::has_been_set() {
            tracing::error!(place, "a defect: {message}{way}");
        } else {
            // There is nowhere else to say it.
            let _unwritten = writeln!(std::io::stderr(), "error: a defect at {place}: {message}{way}");
        }
    }));
}

/// The message of a panic that was written into the program as it is; others are made of values.
fn fixed_text(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("its message may hold values and is left out")
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_never_say_more_than_info() {
        for library in ["hyper", "h2", "reqwest", "sqlx", "sea_orm", "rustls", "log", ""] {
            assert!(cap().would_enable(library, &Level::INFO), "{library}");
            assert!(!cap().would_enable(library, &Level::DEBUG), "{library}");
        }
        assert!(cap().would_enable("billing_gateway::stripe::call", &Level::TRACE));
    }

    #[test]
    fn a_panic_tells_only_what_was_written_into_the_program() {
        let told = |panics: fn()| fixed_text(std::panic::catch_unwind(panics).unwrap_err().as_ref());
        assert_eq!(told(|| panic!("a fixed text")), "a fixed text");
        for made_of_values in [
            (|| panic!("of {}", std::hint::black_box("Canary7"))) as fn(),
            || std::hint::black_box(Err::<(), _>("Canary7")).unwrap(),
            || std::panic::panic_any(String::from("Canary7")),
        ] {
            assert!(!told(made_of_values).contains("Canary7"));
        }
    }
}
