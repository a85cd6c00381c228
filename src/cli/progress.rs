//! How far long work has come: a bar where there is a terminal, else a line now and then.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;

/// The progress of something that is counted, on standard error.
pub(super) struct Progress {
    bar: ProgressBar,
    noun: &'static str,
    /// Where there is no terminal, a line is written each time so many more are done.
    per_line: u64,
    /// How many are done when the next line is due.
    line_at: u64,
}

impl Progress {
    pub(super) fn of(noun: &'static str, per_line: u64) -> Self {
        let style = ProgressStyle::with_template(&format!("{{bar:40}} {{pos}}/{{len}} {noun}, {{eta}} left"));
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr())
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, noun, per_line, line_at: per_line }
    }

    pub(super) fn set_length(&self, length: u64) {
        self.bar.set_length(length);
    }

    /// So many more are done.
    pub(super) fn advance(&mut self, more: u64) {
        self.reach(self.bar.position().saturating_add(more));
    }

    /// So many are done in all.
    pub(super) fn reach(&mut self, done: u64) {
        self.bar.set_position(done);
        if self.bar.is_hidden() && done >= self.line_at {
            output::note(format_args!("{done} of {} {}", self.bar.length().unwrap_or_default(), self.noun));
            self.line_at = done.saturating_add(self.per_line);
        }
    }

    /// Prints something while the bar stands aside.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
