//! What tables are made of: columns for words, keys within a tenant, named rules and indexes.
//!
//! Released steps are built from these: what a function makes may never change, a new need gets a new function.
//! Names: `pk_<table>`, `fk_<table>_<column>`, `ck_<table>_<rule>`, `ux_` and `ix_<table>_<columns but the tenant>`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{string_len, string_len_null};
use sea_orm_migration::sea_orm::DbBackend;

/// Columns of words that machines make: ids, numbers, vocabularies.
///
/// Pages are cut by comparing such words, so their order has to be that of their bytes on both engines. SQLite does
/// so by itself; Postgres follows the language of the database unless told otherwise. Text written for people is
/// `text`, without this.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    backend: DbBackend,
}

impl Words {
    pub(crate) fn of(manager: &SchemaManager<'_>) -> Self {
        Self { backend: manager.get_database_backend() }
    }

    /// An id of ours: prefix and ULID.
    pub(crate) fn id(self, name: &'static str) -> ColumnDef {
        self.by_bytes(string_len(name, 64))
    }

    pub(crate) fn id_null(self, name: &'static str) -> ColumnDef {
        self.by_bytes(string_len_null(name, 64))
    }

    /// A word of a closed vocabulary; goes with [`NewTable::one_of`].
    pub(crate) fn kind(self, name: &'static str) -> ColumnDef {
        self.by_bytes(string_len(name, 32))
    }

    pub(crate) fn kind_null(self, name: &'static str) -> ColumnDef {
        self.by_bytes(string_len_null(name, 32))
    }

    /// An ISO 4217 code; goes with [`NewTable::currency`].
    pub(crate) fn currency(self, name: &'static str) -> ColumnDef {
        self.by_bytes(string_len(name, 3))
    }

    pub(crate) fn currency_null(self, name: &'static str) -> ColumnDef {
        self.by_bytes(string_len_null(name, 3))
    }

    /// An id or number that somebody else made, or a word of an open vocabulary.
    pub(crate) fn code(self, name: &'static str) -> ColumnDef {
        self.by_bytes(string_len(name, 128))
    }

    pub(crate) fn code_null(self, name: &'static str) -> ColumnDef {
        self.by_bytes(string_len_null(name, 128))
    }

    /// An id that Stripe made: up to 254 characters.
    pub(crate) fn foreign_id(self, name: &'static str) -> ColumnDef {
        self.by_bytes(string_len(name, 255))
    }

    pub(crate) fn foreign_id_null(self, name: &'static str) -> ColumnDef {
        self.by_bytes(string_len_null(name, 255))
    }

    /// A SHA-256 in hexadecimal.
    pub(crate) fn digest(self, name: &'static str) -> ColumnDef {
        self.by_bytes(string_len(name, 64))
    }

    fn by_bytes(self, mut column: ColumnDef) -> ColumnDef {
        if self.backend == DbBackend::Postgres {
            column.extra(r#"COLLATE "C""#);
        }
        column
    }
}

/// A table to be created, with its indexes.
pub(crate) struct NewTable {
    name: &'static str,
    table: TableCreateStatement,
    indexes: Vec<IndexCreateStatement>,
}

impl NewTable {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, table: Table::create().table(name).to_owned(), indexes: Vec::new() }
    }

    pub(crate) fn columns(mut self, columns: impl IntoIterator<Item = ColumnDef>) -> Self {
        for column in columns {
            self.table.col(column);
        }
        self
    }

    /// The primary key. Within a tenant it starts with `tenant_id`, so that children can refer to both.
    pub(crate) fn key(mut self, columns: &[&'static str]) -> Self {
        let mut key = Index::create().name(format!("pk_{}", self.name)).to_owned();
        for column in columns {
            key.col(*column);
        }
        self.table.primary_key(&mut key);
        self
    }

    /// The row belongs to a tenant. Needed only where no other reference is always there to say so.
    pub(crate) fn of_tenant(mut self) -> Self {
        let mut reference = ForeignKey::create();
        reference.name(format!("fk_{}_tenant_id", self.name)).from(self.name, "tenant_id").to("tenants", "id");
        self.table.foreign_key(&mut reference);
        self
    }

    /// `column` holds the id of a row of `parent` of the same tenant.
    pub(crate) fn references(mut self, column: &'static str, parent: &'static str) -> Self {
        let mut reference = ForeignKey::create();
        reference
            .name(format!("fk_{}_{column}", self.name))
            .from(self.name, ("tenant_id", column))
            .to(parent, ("tenant_id", "id"));
        self.table.foreign_key(&mut reference);
        self
    }

    /// Every row satisfies `condition`, which both engines must read alike.
    pub(crate) fn check(mut self, rule: &str, condition: impl Into<String>) -> Self {
        self.table.check((format!("ck_{}_{rule}", self.name), Expr::cust(condition.into())));
        self
    }

    /// `column` holds one of the words, or nothing where it may.
    pub(crate) fn one_of(self, column: &str, words: &[&str]) -> Self {
        let words = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
        self.check(column, format!("{column} IN ({words})"))
    }

    pub(crate) fn not_negative(self, columns: &[&str]) -> Self {
        columns.iter().fold(self, |table, column| table.check(column, format!("{column} >= 0")))
    }

    pub(crate) fn currency(self, column: &str) -> Self {
        self.check(column, format!("length({column}) = 3"))
    }

    /// Rows of a tenant are found and ordered by `columns`.
    pub(crate) fn index(self, columns: &[&'static str]) -> Self {
        self.add_index("ix", &within_tenant(columns), None)
    }

    /// The same over all tenants, for the program's own work.
    pub(crate) fn index_over_tenants(self, columns: &[&'static str]) -> Self {
        self.add_index("ix", columns, None)
    }

    /// An index for a first column that is mostly empty: rows without it are left out. Comparing the column with a
    /// value implies that there is one, so both engines use the index for that.
    pub(crate) fn index_present(self, columns: &[&'static str]) -> Self {
        let present = columns.first().map(|column| format!("{column} IS NOT NULL"));
        self.add_index("ix", &within_tenant(columns), present)
    }

    /// No two rows of a tenant share `columns`. Rows that lack one of them never collide.
    pub(crate) fn unique(self, columns: &[&'static str]) -> Self {
        self.add_index("ux", &within_tenant(columns), None)
    }

    pub(crate) fn unique_over_tenants(self, columns: &[&'static str]) -> Self {
        self.add_index("ux", columns, None)
    }

    /// The same among the rows for which `condition` holds. A reader must spell the condition out to use the index.
    pub(crate) fn unique_where(self, columns: &[&'static str], condition: &str) -> Self {
        self.add_index("ux", &within_tenant(columns), Some(condition.to_owned()))
    }

    pub(crate) async fn create(self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        manager.create_table(self.table).await?;
        for index in self.indexes {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    fn add_index(mut self, prefix: &str, columns: &[&'static str], condition: Option<String>) -> Self {
        let named: Vec<_> = columns.iter().copied().filter(|column| *column != "tenant_id").collect();
        let mut index = Index::create();
        index.name(format!("{prefix}_{}_{}", self.name, named.join("_"))).table(self.name);
        for column in columns {
            index.col(*column);
        }
        if prefix == "ux" {
            index.unique();
        }
        index.and_where_option(condition.map(Expr::cust));
        self.indexes.push(index);
        self
    }
}

/// Drops the tables with all their indexes, in the order given.
pub(crate) async fn drop_tables(manager: &SchemaManager<'_>, names: &[&'static str]) -> Result<(), DbErr> {
    for name in names {
        manager.drop_table(Table::drop().table(*name).to_owned()).await?;
    }
    Ok(())
}

fn within_tenant(columns: &[&'static str]) -> Vec<&'static str> {
    std::iter::once("tenant_id").chain(columns.iter().copied()).collect()
}
