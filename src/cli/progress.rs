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

/// The progress of something whose number nobody knows, by the part of it that is covered, on standard error.
pub(super) struct Cover {
    bar: ProgressBar,
    per_line: u64,
    line_at: u64,
}

impl Cover {
    /// Where there is no terminal, a line is written each time so many more are done.
    pub(super) fn by(per_line: u64) -> Self {
        let style = ProgressStyle::with_template("{bar:40} {percent}%, {msg}, {eta} left");
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr())
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, per_line, line_at: per_line }
    }

    pub(super) fn set_whole(&self, whole: u64) {
        self.bar.set_length(whole);
    }

    /// So much is covered, and so many are done; `said` says where it stands.
    pub(super) fn reach(&mut self, covered: u64, done: u64, said: String) {
        if self.bar.position() == 0 {
            // What an earlier run covered says nothing about how fast this one is.
            self.bar.set_position(covered);
            self.bar.reset_eta();
        }
        self.bar.set_position(covered);
        if self.bar.is_hidden() && done >= self.line_at {
            let percent = covered.saturating_mul(100).checked_div(self.bar.length().unwrap_or_default());
            output::note(format_args!("{} %, {said}", percent.unwrap_or_default()));
            self.line_at = done.saturating_add(self.per_line);
        }
        self.bar.set_message(said);
    }

    /// Prints something while the bar stands aside.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
