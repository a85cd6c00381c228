//! What the database's driver said, without the values it quotes.
//!
//! A value that does not fit is quoted by whoever finds it: by Postgres in messages about data, by the drivers where a
//! column is decoded, by the ORM where a word is not in its vocabulary. Names of tables, columns and rules are kept.

use std::error::Error as _;
use std::fmt;

use sea_orm::{DbErr, RuntimeErr};

/// What the driver said. Fit for logs.
#[derive(Clone, PartialEq, Eq)]
pub struct DriverError(String);

impl std::error::Error for DriverError {}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<&DbErr> for DriverError {
    fn from(error: &DbErr) -> Self {
        Self(match error {
            DbErr::Conn(RuntimeErr::SqlxError(source))
            | DbErr::Exec(RuntimeErr::SqlxError(source))
            | DbErr::Query(RuntimeErr::SqlxError(source)) => of_driver(source),
            DbErr::Conn(_) | DbErr::Exec(_) | DbErr::Query(_) | DbErr::ConnectionAcquire(_) | DbErr::Migration(_) => {
                error.to_string()
            }
            // "unexpected value for CustomerStatus enum: …", and whatever else the ORM has to say about values.
            other => until_colon(&other.to_string(), 2),
        })
    }
}

impl From<DbErr> for DriverError {
    fn from(error: DbErr) -> Self {
        Self::from(&error)
    }
}

fn of_driver(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => of_database(error.as_ref()),
        sqlx::Error::ColumnDecode { index, .. } => format!("column {index} cannot be decoded"),
        sqlx::Error::Decode(_) => "a value cannot be decoded".to_owned(),
        sqlx::Error::Encode(_) => "a value cannot be encoded".to_owned(),
        sqlx::Error::Configuration(_) => "the address of the database cannot be used".to_owned(),
        // What went wrong on the way there.
        other => match other.source() {
            Some(source) if !other.to_string().contains(&source.to_string()) => format!("{other}: {source}"),
            _ => other.to_string(),
        },
    }
}

/// Messages of SQLite name tables and rules. Those of Postgres quote values after a colon, and in the class of data
/// exceptions anywhere.
fn of_database(error: &dyn sqlx::error::DatabaseError) -> String {
    let code = error.code().unwrap_or_default();
    let of_postgres = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some();
    match of_postgres {
        true if code.starts_with("22") => format!("a value does not fit ({code})"),
        true => format!("{} ({code})", until_colon(error.message(), 1)),
        false => format!("{} ({code})", error.message()),
    }
}

/// A text before its so many-th colon.
fn until_colon(text: &str, colons: usize) -> String {
    text.split(": ").take(colons).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_left_out() {
        let decode = || sqlx::Error::ColumnDecode { index: "\"email\"".to_owned(), source: "invalid: Canary7".into() };
        let errors = [
            DbErr::Query(RuntimeErr::SqlxError(decode().into())),
            DbErr::Query(RuntimeErr::SqlxError(sqlx::Error::Decode("Canary7".into()).into())),
            DbErr::Conn(RuntimeErr::SqlxError(sqlx::Error::Configuration("postgres://u:Canary7@h".into()).into())),
            DbErr::Type("unexpected value for CustomerStatus enum: Canary7".to_owned()),
            DbErr::Json("invalid value: Canary7".to_owned()),
        ];
        for error in errors {
            let told = DriverError::from(&error);
            assert!(!format!("{told} {told:?}").contains("Canary7"), "{told}");
        }
        let kind = DbErr::Type("unexpected value for CustomerStatus enum: x".to_owned());
        assert_eq!(DriverError::from(kind).to_string(), "Type Error: unexpected value for CustomerStatus enum");
    }
}
