//! What can go wrong with the database, in the few classes that callers treat differently.
//!
//! The two engines speak differently of the same failure; [`StoreError::from`] is where both are understood.
//! Messages of the drivers carry values: what is kept of them is without (`driver_error.rs`), for the log, never shown.

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

use super::driver_error::DriverError;

/// A failed read or write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or no connection is free. Trying again later may help.
    #[error("the database is not available")]
    Unavailable(#[source] DriverError),
    /// A statement took longer than it may.
    #[error("the database did not answer in time")]
    Timeout(#[source] DriverError),
    /// Another transaction was faster; the whole transaction may be tried again.
    #[error("the transaction lost against another one")]
    Conflict(#[source] DriverError),
    /// A rule of the schema refuses the row.
    #[error("the database refuses the row ({rule})")]
    Refused {
        /// The sort of rule: unique, foreign key, check or not null.
        rule: &'static str,
        /// What the driver said.
        #[source]
        source: DriverError,
    },
    /// A stored row cannot be read as what it should be.
    #[error("a stored row cannot be read")]
    Corrupt(#[source] DriverError),
    /// Anything else: a defect.
    #[error("the database failed")]
    Defect(#[source] DriverError),
    /// A list of keys could not be written as a parameter.
    #[error("keys could not be encoded")]
    Keys(#[from] serde_json::Error),
}

impl StoreError {
    /// Writes the failure to the log with its whole chain, for whoever answers with it or shares it out.
    pub fn log(&self) {
        let chain = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        let chain = chain.fold(self.to_string(), |text, cause| format!("{text}: {cause}"));
        match self {
            Self::Unavailable(_) | Self::Conflict(_) | Self::Timeout(_) => {
                tracing::warn!(error = chain, "the store did not answer");
            }
            _ => tracing::error!(error = chain, "the store failed"),
        }
    }
}

impl StoreError {
    /// The word for it where failures are counted.
    pub(super) const fn class(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Timeout(_) => "timeout",
            Self::Conflict(_) => "conflict",
            Self::Refused { .. } => "refused",
            Self::Corrupt(_) => "corrupt",
            Self::Defect(_) | Self::Keys(_) => "defect",
        }
    }

    /// The same for what the driver says.
    pub(super) fn class_of(error: &DbErr) -> &'static str {
        match class_of(error) {
            Class::Unavailable => "unavailable",
            Class::Timeout => "timeout",
            Class::Conflict => "conflict",
            Class::Refused(_) => "refused",
            Class::Corrupt => "corrupt",
            Class::Defect => "defect",
        }
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        let class = class_of(&error);
        let error = DriverError::from(error);
        match class {
            Class::Unavailable => Self::Unavailable(error),
            Class::Timeout => Self::Timeout(error),
            Class::Conflict => Self::Conflict(error),
            Class::Refused(rule) => Self::Refused { rule, source: error },
            Class::Corrupt => Self::Corrupt(error),
            Class::Defect => Self::Defect(error),
        }
    }
}

/// Whether another process holds the SQLite file's lock, which stopped a connection from being made.
pub(super) fn is_locked_file(error: &DbErr) -> bool {
    let DbErr::Conn(RuntimeErr::SqlxError(source)) = error else { return false };
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| matches!(code.as_ref(), "5" | "261"))
}

/// Whether the connection was lost, so that the same read may work on another one. Waiting in vain for a connection
/// is no such case.
pub(super) fn is_lost_connection(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source))) = error else {
        return false;
    };
    match source.as_ref() {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
        }
        _ => false,
    }
}

/// Whether Postgres does not know a setting that a condition asks for: nobody said, in this connection, whose rows it
/// is for.
pub(super) fn is_unknown_setting(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source))) = error else {
        return false;
    };
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == UNKNOWN_SETTING)
}

/// Postgres' `undefined_object`: the code of a setting that nobody knows.
const UNKNOWN_SETTING: &str = "42704";

/// Whether the server takes no writes: it is a replica, or someone has set it so.
pub(super) fn is_read_only(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source))) = error else {
        return false;
    };
    matches!(source.as_ref(), sqlx::Error::Database(error) if error.code().as_deref() == Some("25006"))
}

enum Class {
    Unavailable,
    Timeout,
    Conflict,
    Refused(&'static str),
    Corrupt,
    Defect,
}

fn class_of(error: &DbErr) -> Class {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed) | DbErr::Conn(_) => {
            Class::Unavailable
        }
        DbErr::Type(_) => Class::Corrupt,
        DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source)) => {
            class_of_driver(source)
        }
        _ => Class::Defect,
    }
}

fn class_of_driver(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            Class::Unavailable
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Class::Corrupt,
        sqlx::Error::Database(error) => class_of_code(error.as_ref()),
        _ => Class::Defect,
    }
}

/// Codes of Postgres have five characters, those of SQLite are numbers of one to four digits.
fn class_of_code(error: &dyn sqlx::error::DatabaseError) -> Class {
    use sqlx::error::ErrorKind;
    match error.kind() {
        ErrorKind::UniqueViolation => return Class::Refused("unique"),
        ErrorKind::ForeignKeyViolation => return Class::Refused("foreign key"),
        ErrorKind::NotNullViolation => return Class::Refused("not null"),
        ErrorKind::CheckViolation => return Class::Refused("check"),
        _ => {}
    }
    let code = error.code().unwrap_or_default();
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => class_of_sqlite(number),
        _ => class_of_postgres(&code),
    }
}

/// By the last byte, which tells the sort of error, but for one that is its own.
const fn class_of_sqlite(code: u32) -> Class {
    const BUSY_SNAPSHOT: u32 = 517;
    const INTERRUPTED: u32 = 9;
    match (code, code & 0xff) {
        (BUSY_SNAPSHOT, _) => Class::Conflict,
        (_, INTERRUPTED) => Class::Timeout,
        // Busy; not to be written, read, enlarged (the disk is full) or opened at the moment.
        (_, 5 | 8 | 10 | 13 | 14) => Class::Unavailable,
        _ => Class::Defect,
    }
}

fn class_of_postgres(code: &str) -> Class {
    match code {
        "57014" | "55P03" => Class::Timeout,
        "40001" | "40P01" => Class::Conflict,
        // Shut down, crashed, starting; failing to read or write its files; a replica that takes no writes; row-level
        // security that was switched on while this program ran: the next transaction says whose it is.
        "57P01" | "57P02" | "57P03" | "58030" | "25006" | UNKNOWN_SETTING => Class::Unavailable,
        // Connections; what the server has none left of: disk, memory, places for clients.
        other if other.starts_with("08") || other.starts_with("53") => Class::Unavailable,
        _ => Class::Defect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(class: &Class) -> &'static str {
        match class {
            Class::Unavailable => "unavailable",
            Class::Timeout => "timeout",
            Class::Conflict => "conflict",
            Class::Refused(_) => "refused",
            Class::Corrupt => "corrupt",
            Class::Defect => "defect",
        }
    }

    #[test]
    fn a_disk_that_is_full_or_fails_is_unavailable_on_both_engines() {
        // SQLite: full, a write that failed, read-only, cannot be opened. Postgres: full, out of memory, input or output.
        for code in [13, 778, 1_546, 8, 14] {
            assert_eq!(name(&class_of_sqlite(code)), "unavailable", "{code}");
        }
        for code in ["53100", "53200", "53300", "58030", "57P03", "25006", "08006"] {
            assert_eq!(name(&class_of_postgres(code)), "unavailable", "{code}");
        }
    }

    #[test]
    fn other_failures_keep_their_class() {
        let sqlite = [(5, "unavailable"), (261, "unavailable"), (517, "conflict"), (9, "timeout"), (1, "defect")];
        for (code, class) in sqlite {
            assert_eq!(name(&class_of_sqlite(code)), class, "{code}");
        }
        let postgres = [("57014", "timeout"), ("55P03", "timeout"), ("40P01", "conflict"), ("22003", "defect")];
        for (code, class) in postgres {
            assert_eq!(name(&class_of_postgres(code)), class, "{code}");
        }
    }
}
