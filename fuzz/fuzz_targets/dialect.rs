//! Documents of foreign systems; the first byte says of which.
#![no_main]

#[allow(dead_code, reason = "each target takes one of the properties")]
#[path = "../../tests/it/fuzz/properties.rs"]
mod properties;

use billing_gateway::dialect::System;
use libfuzzer_sys::fuzz_target;

const SYSTEMS: [System; 5] = [System::GpuOutlet, System::Paypercut, System::Meteroid, System::Userhub, System::Hostup];

fuzz_target!(|input: &[u8]| {
    if let Some((first, document)) = input.split_first() {
        properties::dialect(SYSTEMS[usize::from(*first) % SYSTEMS.len()], document);
    }
});
