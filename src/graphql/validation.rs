//! Whether a document fits the schema, without executing it.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, Response, ServerError, Value};

use super::{EmptySubscription, Mutation, Query, Schema};

/// Validates documents, for those that are known before anyone asks. Not for requests: it is a schema of its own.
pub struct Validator(Schema);

impl Validator {
    /// A validator of the schema.
    pub fn new() -> Self {
        let builder = Schema::build(Query, Mutation, EmptySubscription).disable_suggestions();
        Self(builder.extension(NeverExecute).finish())
    }

    /// What is wrong with the document; nothing when it fits. `operation` is one of its operations where there are
    /// several. Only a document that the gate accepted may be given.
    pub async fn faults(&self, document: ExecutableDocument, operation: Option<String>) -> Vec<ServerError> {
        let mut request = Request::new("");
        request.operation_name = operation;
        request.set_parsed_query(document);
        self.0.execute(request).await.errors
    }
}

impl Default for Validator {
    fn default() -> Self {
        Self::new()
    }
}

/// Ends a request where its execution would begin.
struct NeverExecute;

impl ExtensionFactory for NeverExecute {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for NeverExecute {
    async fn execute(&self, _: &ExtensionContext<'_>, _: Option<&str>, _: NextExecute<'_>) -> Response {
        Response::new(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    async fn faults(document: &str) -> Vec<String> {
        let found = Validator::new().faults(parse_query(document).unwrap(), None).await;
        found.into_iter().map(|error| error.message).collect()
    }

    #[tokio::test]
    async fn documents_are_validated_and_never_executed() {
        // Executed, it would fail: there is no request context.
        assert_eq!(faults("{ viewer { kind } }").await, Vec::<String>::new());
        assert_eq!(faults("{ invoice(id: 1) { wrong } }").await.len(), 1);
        assert_eq!(faults("{ invoices(first: \"x\") { nodes { id } } }").await.len(), 1);
    }
}
