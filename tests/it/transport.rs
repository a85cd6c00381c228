//! The server on the open internet: each attack of a client is bounded, and where the bound is a setting, a twin of the
//! test shows that the attack succeeds without it.
//!
//! Times are short here, by settings. What is bounded by a time is looked at with much slack: machines are busy.

mod answers;
mod bodies;
mod connections;
mod drain;
mod heads;
mod http2;
mod origins;
mod overload;
mod raw;

use std::time::Duration;

use billing_gateway::http::Transport;

/// A time-out that ends soon.
const SOON: Duration = Duration::from_millis(400);

/// Clearly after that.
const LATER: Duration = Duration::from_millis(1_200);

/// What may pass beyond a limit, on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// Everything ends soon.
fn hasty() -> Transport {
    Transport {
        headers_timeout: SOON,
        body_timeout: SOON,
        idle_timeout: SOON,
        answer_timeout: SOON,
        ..Transport::default()
    }
}
