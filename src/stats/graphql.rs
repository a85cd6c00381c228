//! Operations of GraphQL, by how they ended. Names of operations are the clients' own, and no labels.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{Durations, seconds};

/// The upper bounds of the number of statements. The reference query takes 7.
const STATEMENTS: [f64; 11] = [0.0, 1.0, 2.0, 4.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0];

/// How an operation that was executed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Without an error.
    Ok,
    /// With data, and with errors.
    Partial,
    /// With errors alone.
    Failed,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    operation: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    stage: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: String,
}

/// Counts operations.
#[derive(Clone, Debug)]
pub struct GraphqlStats(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    operations: Family<Operation, Counter>,
    durations: Durations<Kind>,
    errors: Family<Code, Counter>,
    refusals: Family<Refusal, Counter>,
    statements: Histogram,
}

impl Default for GraphqlStats {
    fn default() -> Self {
        Self(Arc::new(Counts {
            operations: Family::default(),
            durations: Family::new_with_constructor(seconds),
            errors: Family::default(),
            refusals: Family::default(),
            statements: Histogram::new(STATEMENTS),
        }))
    }
}

impl GraphqlStats {
    /// An operation was executed; `operation` is `query` or `mutation`.
    pub fn executed(&self, operation: &'static str, outcome: Outcome, time: Duration) {
        self.0.operations.get_or_create(&Operation { operation, outcome: outcome.word() }).inc();
        self.0.durations.get_or_create(&Kind { operation }).observe(time.as_secs_f64());
    }

    /// It took so many statements.
    pub fn took(&self, statements: u64) {
        // A count that is not exact as a float is beyond any that an operation can have.
        self.0.statements.observe(f64::from(u32::try_from(statements).unwrap_or(u32::MAX)));
    }

    /// An answer has an error with this code, which is one of those that the README lists.
    pub fn failed(&self, code: &str) {
        self.0.errors.get_or_create(&Code { code: code.to_owned() }).inc();
    }

    /// A request was not executed. The stage is where it was refused.
    pub fn refused(&self, stage: &'static str, code: &'static str) {
        self.0.refusals.get_or_create(&Refusal { stage, code }).inc();
    }

    /// Shows what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let counts = &self.0;
        registry.register("graphql_operations", "Operations that were executed", counts.operations.clone());
        registry.register_with_unit(
            "graphql_operation_duration",
            "Time from the start of an operation's execution to its end",
            Unit::Seconds,
            counts.durations.clone(),
        );
        registry.register(
            "graphql_errors",
            "Errors in answers to operations that were executed",
            counts.errors.clone(),
        );
        registry.register(
            "graphql_refusals",
            "Requests to /graphql that were not executed, by the stage that refused them",
            counts.refusals.clone(),
        );
        registry.register("graphql_statements", "SQL statements that one operation took", counts.statements.clone());
    }
}
