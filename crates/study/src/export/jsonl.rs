//! All points as lines of JSON.

use std::path::Path;

use quire_core::Result;
use serde_json::{Value, json};

use super::{write_file, write_points};
use crate::store::{Store, StudyId};

/// Writes all points of a study as JSON Lines, one object a point, with the keys of [`write_csv`](super::write_csv)'s
/// columns. JSON has no numbers that are not finite: NaN is `null`, infinities are the strings `"inf"` and `"-inf"`.
///
/// # Errors
/// If there is no such study, or the file can't be written.
pub fn write_jsonl(store: &Store, study: StudyId, path: impl AsRef<Path>) -> Result<()> {
    store.study(study)?;
    write_file(path.as_ref(), |out| {
        write_points(out, store, study, |out, row| {
            let line = json!({
                "study": row.study,
                "run": row.run,
                "method": row.label,
                "problem": row.problem,
                "seed": row.seed,
                "metric": row.metric,
                "step": row.step,
                "value": number(row.value),
            });
            writeln!(out, "{line}")
        })
    })
}

fn number(value: f64) -> Value {
    if value.is_finite() {
        json!(value)
    } else if value.is_nan() {
        Value::Null
    } else {
        json!(if value > 0.0 { "inf" } else { "-inf" })
    }
}
