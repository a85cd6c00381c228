//! What an engine says of the schema it holds: columns, references, indexes and rules.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement};

#[derive(Debug, PartialEq)]
pub(super) struct Column {
    pub(super) table: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) nullable: bool,
}

/// Every column but those of the table of migrations, in stored order.
pub(super) async fn columns(connection: &DatabaseConnection) -> Vec<Column> {
    let statement = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name::text AS t, column_name::text AS c, is_nullable = 'YES' AS n,
                    data_type || coalesce('(' || character_maximum_length || ')', '') AS k
             FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name <> 'seaql_migrations' ORDER BY table_name, ordinal_position"
        }
        _ => {
            r#"SELECT m.name AS t, p.name AS c, p."notnull" = 0 AS n, lower(p.type) AS k
               FROM sqlite_master m JOIN pragma_table_info(m.name) p
               WHERE m.type = 'table' AND m.name <> 'seaql_migrations' AND m.name NOT LIKE 'sqlite_%'
               ORDER BY m.name, p.cid"#
        }
    };
    let rows = query(connection, statement).await;
    rows.iter()
        .map(|row| Column {
            table: text(row, "t"),
            name: text(row, "c"),
            kind: text(row, "k"),
            nullable: row.try_get("", "n").expect("a truth"),
        })
        .collect()
}

#[derive(Debug)]
pub(super) struct Reference {
    pub(super) table: String,
    pub(super) from: Vec<String>,
    pub(super) parent: String,
    pub(super) to: Vec<String>,
    pub(super) keeps_rows: bool,
}

pub(super) async fn references(connection: &DatabaseConnection) -> Vec<Reference> {
    let statement = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT conrelid::regclass::text AS t, confrelid::regclass::text AS p,
                    confdeltype = 'a' AND confupdtype = 'a' AS keeps,
                    (SELECT string_agg(a.attname, ',' ORDER BY k.i) FROM unnest(conkey) WITH ORDINALITY k(n, i)
                     JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.n) AS f,
                    (SELECT string_agg(a.attname, ',' ORDER BY k.i) FROM unnest(confkey) WITH ORDINALITY k(n, i)
                     JOIN pg_attribute a ON a.attrelid = confrelid AND a.attnum = k.n) AS o
             FROM pg_constraint WHERE contype = 'f'"
        }
        _ => {
            r#"SELECT m.name AS t, f."table" AS p, min(f.on_delete = 'NO ACTION' AND f.on_update = 'NO ACTION') AS keeps,
                      group_concat(f."from" ORDER BY f.seq) AS f, group_concat(f."to" ORDER BY f.seq) AS o
               FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
               WHERE m.type = 'table' GROUP BY m.name, f.id, f."table""#
        }
    };
    let rows = query(connection, statement).await;
    rows.iter()
        .map(|row| Reference {
            table: text(row, "t"),
            from: list(row, "f"),
            parent: text(row, "p"),
            to: list(row, "o"),
            keeps_rows: row.try_get("", "keeps").expect("a truth"),
        })
        .collect()
}

#[derive(Debug)]
pub(super) struct StoredIndex {
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    pub(super) unique: bool,
    pub(super) condition: Option<String>,
}

pub(super) async fn indexes(connection: &DatabaseConnection) -> Vec<StoredIndex> {
    let statement = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT indrelid::regclass::text AS t, pg_get_expr(indpred, indrelid) AS w, indisunique AS u,
                    (SELECT string_agg(a.attname, ',' ORDER BY k.i) FROM unnest(indkey::int2[]) WITH ORDINALITY k(n, i)
                     JOIN pg_attribute a ON a.attrelid = indrelid AND a.attnum = k.n) AS f
             FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE c.relnamespace = 'public'::regnamespace"
        }
        _ => {
            r#"SELECT m.name AS t, (SELECT substr(sql, instr(sql, ' WHERE ') + 7) FROM sqlite_master s
                       WHERE s.name = l.name AND l.partial) AS w, l."unique" = 1 AS u,
                      (SELECT group_concat(i.name ORDER BY i.seqno) FROM pragma_index_info(l.name) i) AS f
               FROM sqlite_master m JOIN pragma_index_list(m.name) l WHERE m.type = 'table'"#
        }
    };
    let rows = query(connection, statement).await;
    rows.iter()
        .map(|row| {
            let condition: Option<String> = row.try_get("", "w").expect("a condition or none");
            let condition = condition.map(|text| text.trim_matches(['(', ')']).to_owned());
            let unique = row.try_get("", "u").expect("a truth");
            StoredIndex { table: text(row, "t"), columns: list(row, "f"), unique, condition }
        })
        .collect()
}

/// The definition of every named rule, by its name.
pub(super) async fn checks(connection: &DatabaseConnection) -> BTreeMap<String, String> {
    if connection.get_database_backend() == DbBackend::Postgres {
        let statement = "SELECT conname::text AS n, pg_get_constraintdef(oid) AS d FROM pg_constraint
                         WHERE contype = 'c' AND connamespace = 'public'::regnamespace";
        let rows = query(connection, statement).await;
        return rows.iter().map(|row| (text(row, "n"), text(row, "d"))).collect();
    }
    let tables = query(connection, "SELECT sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL").await;
    tables.iter().flat_map(|row| checks_in(&text(row, "sql"))).collect()
}

/// Rules in the text of a table: `CONSTRAINT "name" CHECK (…)`. One without a name gets an empty one.
fn checks_in(table: &str) -> Vec<(String, String)> {
    let mut before = "";
    let mut found = Vec::new();
    for (number, part) in table.split(" CHECK ").enumerate() {
        if number > 0 {
            let name = before.rsplit_once("CONSTRAINT ").map_or("", |(_, name)| name.trim_matches('"'));
            let end = part.rfind(", CONSTRAINT").unwrap_or(part.len());
            found.push((name.to_owned(), part[..end].to_owned()));
        }
        before = part;
    }
    found
}

pub(super) async fn query(connection: &DatabaseConnection, statement: &str) -> Vec<QueryResult> {
    let statement = Statement::from_string(connection.get_database_backend(), statement);
    connection.query_all_raw(statement).await.expect("the engine describes itself")
}

pub(super) fn text(row: &QueryResult, column: &str) -> String {
    row.try_get("", column).unwrap_or_else(|error| panic!("{column}: {error}"))
}

fn list(row: &QueryResult, column: &str) -> Vec<String> {
    text(row, column).split(',').map(str::to_owned).collect()
}
