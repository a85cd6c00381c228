//! What commands print. A reader that goes away (`… | head`) ends the output, not the program.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

/// A line of the result, on standard output.
pub(super) fn line(line: impl Display) {
    text(format_args!("{line}\n"));
}

/// The result as it stands, on standard output.
pub(super) fn text(text: impl Display) {
    let mut out = std::io::stdout().lock();
    // There is nobody left to tell.
    let _gone = write!(out, "{text}").and_then(|()| out.flush());
}

/// The result as JSON over several lines, for people and programs.
pub(super) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(text),
        Err(failure) => error(&failure.to_string()),
    }
}

/// A line about the work itself, on standard error.
pub(super) fn note(line: impl Display) {
    let _gone = writeln!(std::io::stderr().lock(), "{line}");
}

/// The one line that says why a command failed, on standard error.
pub(super) fn error(text: &str) {
    let _gone = writeln!(std::io::stderr().lock(), "error: {text}");
}
