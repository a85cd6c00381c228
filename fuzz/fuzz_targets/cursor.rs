//! Cursors of lists.
#![no_main]

#[allow(dead_code, reason = "each target takes one of the properties")]
#[path = "../../tests/it/fuzz/properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| properties::cursor(text));
