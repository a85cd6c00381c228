//! Settings about what is logged.

use serde_json::json;

use super::check::Check;
use super::setting::{Area, Setting, Words};

pub(super) static AREA: Area = Area { title: "Log", settings: &[&LOG_FORMAT.setting, &LOG_LEVEL] };

static LOG_FORMAT: Words<LogFormat> = Words::new(
    "log_format",
    "FORMAT",
    &[("text", LogFormat::Text), ("json", LogFormat::Json)],
    ("text", LogFormat::Text),
    "How log lines look: `text` or `json`",
);

static LOG_LEVEL: Setting = Setting::new(
    "log_level",
    "LEVEL",
    "What is logged: error, warn, info, debug, trace, or filters such as `info,billing_gateway=debug`",
)
.default("info, with less of the libraries");

/// Migrations are not worth a line each: `migrate` lists them.
const LOG_LEVEL_DEFAULT: &str = "info,sea_orm_migration=warn,sqlx=warn";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// How lines look.
    pub format: LogFormat,
    /// The filter, known to be readable.
    pub level: String,
}

impl Check<'_> {
    pub(super) fn log(&mut self) -> LogConfig {
        let level = self.text(&LOG_LEVEL).unwrap_or(LOG_LEVEL_DEFAULT).to_owned();
        if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&level) {
            self.fault(&LOG_LEVEL, format!("cannot be read: {error}"));
        }
        let format = self.word(&LOG_FORMAT);
        self.show(&LOG_LEVEL, json!(level));
        LogConfig { format, level }
    }
}
