//! Studies in other programs' formats.
//!
//! | file | what it writes |
//! |---|---|
//! | `csv` | one table, one row a point |
//! | `jsonl` | one JSON object a line, one line a point |
//! | `tensorboard` | one folder of event files a run |

mod crc;
mod csv;
mod jsonl;
mod tensorboard;

use std::io::{BufWriter, Write};
use std::path::Path;

use quire_core::{Error, Result};

pub(crate) use crc::crc32c;
pub use csv::write_csv;
pub use jsonl::write_jsonl;
pub use tensorboard::write_tensorboard;

/// Writes `path` through `fill`, under a temporary name that is renamed once all is well. A device or a pipe, as
/// `/dev/stdout`, is written straight into: a rename would put a file in its place.
fn write_file(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<(), WriteError>) -> Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|e| Error::io("create the folder", parent, e))?;
    }
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        let write = || -> Result<(), WriteError> {
            let mut out = BufWriter::new(std::fs::OpenOptions::new().write(true).open(path)?);
            fill(&mut out)?;
            Ok(out.flush()?)
        };
        return write().map_err(|error| error.at(path));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let write = || -> Result<(), WriteError> {
        let mut out = BufWriter::new(std::fs::File::create(&temporary)?);
        fill(&mut out)?;
        out.flush()?;
        drop(out);
        Ok(std::fs::rename(&temporary, path)?)
    };
    write().map_err(|error| {
        // What is half written is of no use; the error that matters is the first one.
        let _ = std::fs::remove_file(&temporary);
        error.at(path)
    })
}

/// What can go wrong while a file is filled.
enum WriteError {
    Io(std::io::Error),
    Other(Error),
}

impl WriteError {
    /// As an error about `path`.
    fn at(self, path: &Path) -> Error {
        match self {
            WriteError::Io(e) => Error::io("write", path, e),
            WriteError::Other(e) => e,
        }
    }
}

impl From<std::io::Error> for WriteError {
    fn from(error: std::io::Error) -> Self {
        WriteError::Io(error)
    }
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        WriteError::Other(error)
    }
}

/// Writes every point of a study with `line`, one after the other.
fn write_points(
    out: &mut dyn Write,
    store: &crate::Store,
    study: crate::store::StudyId,
    mut line: impl FnMut(&mut dyn Write, crate::store::PointRow<'_>) -> std::io::Result<()>,
) -> Result<(), WriteError> {
    // The visitor can only report Quire's errors: an I/O error is carried around it.
    let mut failed = None;
    let visited = store.for_each_point(study, |row| {
        line(out, row).map_err(|e| {
            failed = Some(e);
            Error::Failed("the export cannot be written".into())
        })
    });
    match failed {
        Some(e) => Err(WriteError::Io(e)),
        None => Ok(visited?),
    }
}
