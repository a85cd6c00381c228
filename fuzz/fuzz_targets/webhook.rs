//! Webhooks: the header with signatures, up to the first line end, and the body behind it.
#![no_main]

#[allow(dead_code, reason = "each target takes one of the properties")]
#[path = "../../tests/it/fuzz/properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (header, body) = input.split_at(end);
    properties::webhook(body, header);
});
