//! Descriptors: every socket and every connection to the database needs one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the program needs beside clients' sockets: the database, the log, the listener, calls to Stripe.
const OWN: u64 = 512;

/// Takes as many as the system gives without asking, and says when these are too few for so many connections.
pub(super) fn reserve(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_refused) => limit.current,
    };
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OWN);
    if let Some(descriptors) = now.filter(|descriptors| *descriptors < wanted) {
        tracing::warn!(descriptors, wanted, "there are fewer descriptors than connections may need: see ulimit -n");
    }
}
