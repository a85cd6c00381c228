//! What is said of a panic: where, and never with which words.
//!
//! A panic ends the request it happened in and nothing else; `http` answers it. Its words may hold anything that the
//! request brought, so they are not repeated. The line carries the request's id when it happens in one.

use std::panic;

/// Logs panics from now on.
pub(super) fn report() {
    panic::set_hook(Box::new(|panic| {
        let (file, line) = panic.location().map_or(("unknown", 0), |place| (place.file(), place.line()));
        tracing::error!(file, line, "a panic");
    }));
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use std::thread;

    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_logged_with_its_place_and_request_and_without_its_words() {
        let lines = Lines::default();
        let writer = lines.clone();
        report();
        let falling = thread::spawn(move || {
            let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
            with_default(log, || {
                let _span = tracing::info_span!("request", request.id = "r-1").entered();
                panic!("bearer secret");
            });
        });
        falling.join().unwrap_err();
        drop(panic::take_hook());
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("a panic") && text.contains("panics.rs") && text.contains("r-1"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}
