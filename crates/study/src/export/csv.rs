//! All points as one table.

use std::io::Write;
use std::path::Path;

use quire_core::Result;

use super::{write_file, write_points};
use crate::store::{Store, StudyId};

/// Writes all points of a study as CSV (RFC 4180, `\n` line ends), one row a point, with the columns
/// `study, run, method, problem, seed, metric, step, value`. `method` is the run's label; numbers are the shortest
/// that read back exactly; what is not finite is `NaN`, `inf` or `-inf`, as pandas and R read it.
///
/// # Errors
/// If there is no such study, or the file can't be written.
pub fn write_csv(store: &Store, study: StudyId, path: impl AsRef<Path>) -> Result<()> {
    store.study(study)?;
    write_file(path.as_ref(), |out| {
        out.write_all(b"study,run,method,problem,seed,metric,step,value\n")?;
        write_points(out, store, study, |out, row| {
            field(out, row.study)?;
            write!(out, ",{},", row.run)?;
            field(out, row.label)?;
            out.write_all(b",")?;
            field(out, row.problem)?;
            write!(out, ",{},", row.seed)?;
            field(out, row.metric)?;
            // `{:?}` writes very large and very small numbers with an exponent, all exactly.
            writeln!(out, ",{},{:?}", row.step, row.value)
        })
    })
}

fn field(out: &mut dyn Write, text: &str) -> std::io::Result<()> {
    if text.contains([',', '"', '\n', '\r']) {
        write!(out, "\"{}\"", text.replace('"', "\"\""))
    } else {
        out.write_all(text.as_bytes())
    }
}
