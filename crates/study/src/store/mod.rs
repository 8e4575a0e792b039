//! Everything that runs leave in numbers: one SQLite file.
//!
//! Any SQLite tool can read it; `schema.sql` beside this file explains the tables, and the views `curve` and
//! `final` answer most questions. Points and the checkpoint that belongs to them are written in one transaction,
//! so a run that is killed at any moment goes on from where its numbers end. The journal is a write-ahead log:
//! readers (a dashboard, a query by hand) never wait for the writer.
//!
//! | file | what it holds |
//! |---|---|
//! | `records` | studies, problems, metrics, runs as plain values |
//! | `write` | adding studies, claiming runs, appending points, finishing, deleting |
//! | `read` | studies, runs, curves, finals, all points |
//! | `checkpoint` | saved runs, in the file or, if large, beside it |

mod checkpoint;
mod read;
mod records;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;

use quire_core::{Error, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use checkpoint::Checkpoint;
pub use read::{PointRow, RunPoints};
pub use records::{
    Batch, MetricRecord, NewRun, NewStudy, Outcome, ProblemRecord, RunId, RunRecord, RunStatus, StudyId,
    StudyRecord, StudyStatus,
};

/// "Quir": marks an SQLite file as a Quire store.
const APPLICATION_ID: i32 = 0x5175_6972;
/// The schema this code reads and writes.
const SCHEMA_VERSION: i32 = 1;

/// An open store. One connection; to use a store from several threads, give one of them the `Store` or open the
/// file several times.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    /// `None` for a store in memory.
    path: Option<PathBuf>,
}

impl Store {
    /// Opens the store at `path`, making it (and its folder) if there is none.
    ///
    /// # Errors
    /// If the file is not a Quire store, is damaged, locked, or was written by a newer Quire; if the folder can't
    /// be written.
    pub fn create_or_open(path: impl AsRef<Path>) -> Result<Store> {
        let path = path.as_ref();
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(|e| Error::io("create the folder", parent, e))?;
        }
        Store::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Opens a store that is there already.
    ///
    /// # Errors
    /// As [`create_or_open`](Store::create_or_open), and if there is no file at `path`.
    pub fn open(path: impl AsRef<Path>) -> Result<Store> {
        let path = path.as_ref();
        // A folder, a missing file and a forbidden one all look alike to SQLite.
        let file = std::fs::File::open(path).map_err(|e| Error::io("open the store", path, e))?;
        drop(file);
        Store::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// A store that lives as long as the value: for tests and for callers that want statistics only.
    ///
    /// # Errors
    /// If memory is short.
    pub fn in_memory() -> Result<Store> {
        let connection = Connection::open_in_memory().map_err(|e| sqlite_error(None, e))?;
        Store::prepare(Store { connection, path: None })
    }

    /// Where the store is; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// How long an operation waits for another process that is writing before it gives up; 10 seconds at first.
    ///
    /// # Errors
    /// Never in practice; SQLite may refuse.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        self.connection.busy_timeout(patience).map_err(|e| self.error(e))
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Store> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| sqlite_error(Some(path), e))?;
        Store::prepare(Store { connection, path: Some(path.to_owned()) })
    }

    /// Checks that the file is ours, or makes it ours if it is empty.
    fn prepare(mut store: Store) -> Result<Store> {
        store.set_patience(Duration::from_secs(10))?;
        let (application, version, objects) = store.identity()?;
        if application != APPLICATION_ID && (application != 0 || version != 0 || objects != 0) {
            return Err(store.problem("is an SQLite file of another program; choose another store"));
        }
        if version > SCHEMA_VERSION {
            return Err(store.problem(&format!(
                "was written by a newer Quire (schema {version}, this one knows up to {SCHEMA_VERSION}); use that \
                 version of Quire or choose another store"
            )));
        }
        let pragmas = "PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL;";
        store.connection.execute_batch(pragmas).map_err(|e| store.error(e))?;
        if application == 0 {
            store.found()?;
        }
        Ok(store)
    }

    /// Application id, schema version and number of tables.
    fn identity(&self) -> Result<(i32, i32, i64)> {
        let pragma = |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let objects =
            || self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
        let identity = || Ok((pragma("application_id")?, pragma("user_version")?, objects()?));
        identity().map_err(|e| self.error(e))
    }

    /// Makes the tables.
    fn found(&mut self) -> Result<()> {
        // Neither can be set inside a transaction; both are harmless if two processes race.
        let pragmas = "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;";
        self.connection.execute_batch(pragmas).map_err(|e| self.error(e))?;
        let path = self.path.clone();
        let mut found = || -> rusqlite::Result<()> {
            let transaction =
                self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            // Another process may have been faster.
            let taken: i32 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
            if taken == 0 {
                transaction.execute_batch(include_str!("schema.sql"))?;
                transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
                transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            }
            transaction.commit()
        };
        found().map_err(|e| sqlite_error(path.as_deref(), e))
    }

    /// An SQLite error, said so that a user can mend it.
    fn error(&self, error: rusqlite::Error) -> Error {
        sqlite_error(self.path.as_deref(), error)
    }

    fn problem(&self, problem: &str) -> Error {
        Error::file(self.path.as_deref().unwrap_or(Path::new("(store in memory)")), problem)
    }
}

fn sqlite_error(path: Option<&Path>, error: rusqlite::Error) -> Error {
    use std::io::ErrorKind;
    let path = path.unwrap_or(Path::new("(store in memory)"));
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::file(
            path,
            "is locked by another process that is writing; wait for it or choose another store",
        ),
        Some(ErrorCode::DiskFull) => Error::io("write the store", path, ErrorKind::StorageFull.into()),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            Error::io("write the store", path, ErrorKind::PermissionDenied.into())
        }
        Some(ErrorCode::CannotOpen) => {
            Error::file(path, "cannot be opened as a store: the folder is not writable, or this is a folder")
        }
        // A quota, a limit on the size of files, a broken disk: SQLite does not tell them apart.
        Some(ErrorCode::SystemIoFailure) => Error::file(
            path,
            "cannot be read or written: the system reports an error, as for a full or broken disk; mend that and run \
             the command again, or `quire resume`",
        ),
        Some(ErrorCode::NotADatabase) => {
            Error::file(path, "is not a Quire store; choose another store or move the file away")
        }
        Some(ErrorCode::DatabaseCorrupt) => Error::file(
            path,
            "is damaged; `sqlite3 <store> .recover` saves what can be saved, or restore it from a copy",
        ),
        _ => Error::file(path, format!("the store does not answer as it should: {error}")),
    }
}

/// A step or a budget as SQLite stores it.
fn to_sql_integer(what: &str, value: u64) -> Result<i64> {
    i64::try_from(value)
        .map_err(|_| Error::Failed(format!("{what} {value} cannot be stored; the largest is {}", i64::MAX)))
}

#[cfg(test)]
mod tests;
