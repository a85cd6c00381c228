//! The committed schema is the one that the code has.

use std::path::Path;

#[test]
fn the_committed_schema_is_the_one_of_the_code() {
    let committed = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql")).unwrap();
    assert!(
        committed == billing_gateway::graphql::sdl(),
        "schema.graphql does not fit the code; regenerate it with: ./dev schema"
    );
}
