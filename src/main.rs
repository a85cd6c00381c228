//! The program `billing-gateway`.

use std::process::ExitCode;

/// Needs 12 to 18 % fewer instructions for a query than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    billing_gateway::cli::run()
}
