//! The document gate: no panic, and what it admits is no more to the parser than it was to the gate.
#![no_main]

#[allow(dead_code, reason = "each target takes one of the properties")]
#[path = "../../tests/it/fuzz/properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    properties::document(text);
});
