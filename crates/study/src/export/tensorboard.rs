//! TensorBoard event files.
//!
//! An event file is a sequence of TFRecords: the length of the payload (8 bytes, little-endian), its masked
//! CRC-32C, the payload, its masked CRC-32C. A payload is an `Event` message in protocol-buffer encoding; of it
//! the fields `wall_time` (1, double), `step` (2, varint), `file_version` (3, string) and `summary` (5, message)
//! are used, of `Summary` the repeated `value` (1), of that `tag` (1) and `simple_value` (2, float).

use std::io::Write;
use std::path::{Path, PathBuf};

use quire_core::Result;

use super::{WriteError, crc32c, write_file};
use crate::store::{RunRecord, Store, StudyId};

/// Writes one folder a run, `<folder>/<problem>/<label>/seed-<seed>`, with an event file of all its points: what
/// `tensorboard --logdir <folder>` reads. Metrics are tags. Points carry no time of their own: theirs is spread
/// over the run's working time in proportion to their steps. Values are single precision, as the format has it.
///
/// # Errors
/// If there is no such study, or a file can't be written.
pub fn write_tensorboard(store: &Store, study: StudyId, folder: impl AsRef<Path>) -> Result<()> {
    store.study(study)?;
    let problems = store.problems(study)?;
    for run in store.runs(study)? {
        let metrics = problems.iter().filter(|problem| problem.name == run.spec.problem);
        let mut points: Vec<(u64, &str, f64)> = Vec::new();
        for metric in metrics.flat_map(|problem| &problem.metrics) {
            let of_metric = store.points(run.id, &metric.name)?;
            points.extend(of_metric.into_iter().map(|(step, value)| (step, metric.name.as_str(), value)));
        }
        points.sort_by_key(|point| point.0); // stable: metrics of one step stay in their order
        let started = run.started.as_deref().and_then(epoch_seconds).unwrap_or(0.0);
        let file = format!("events.out.tfevents.{started:010}.quire.{}", run.id);
        let path = run_folder(folder.as_ref(), &run).join(file);
        write_file(&path, |out| {
            let mut event = Vec::new();
            double(&mut event, 1, started);
            bytes(&mut event, 3, b"brain.Event:2");
            record(out, &event)?;
            for &(step, tag, value) in &points {
                let done = step as f64 / run.steps.max(1) as f64;
                record(out, &scalar(started + run.wall_s * done.min(1.0), step, tag, value))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn run_folder(folder: &Path, run: &RunRecord) -> PathBuf {
    folder.join(safe(&run.spec.problem)).join(safe(&run.label)).join(format!("seed-{}", run.spec.seed))
}

/// A file name on every system.
fn safe(name: &str) -> String {
    let safe: String =
        name.chars().map(|c| if c.is_alphanumeric() || "-_+=,. ".contains(c) { c } else { '_' }).collect();
    if safe.trim_matches(['.', ' ']).is_empty() { "_".into() } else { safe }
}

/// An `Event` with one scalar.
fn scalar(wall_time: f64, step: u64, tag: &str, value: f64) -> Vec<u8> {
    let mut of_tag = Vec::new();
    bytes(&mut of_tag, 1, tag.as_bytes());
    key(&mut of_tag, 2, 5);
    of_tag.extend_from_slice(&(value as f32).to_le_bytes());
    let mut summary = Vec::new();
    bytes(&mut summary, 1, &of_tag);
    let mut event = Vec::new();
    double(&mut event, 1, wall_time);
    key(&mut event, 2, 0);
    varint(&mut event, step);
    bytes(&mut event, 5, &summary);
    event
}

fn record(out: &mut dyn Write, payload: &[u8]) -> Result<(), WriteError> {
    let length = (payload.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked_crc(&length).to_le_bytes())?;
    out.write_all(payload)?;
    Ok(out.write_all(&masked_crc(payload).to_le_bytes())?)
}

/// TFRecord's checksum of a checksum, so that data which contains checksums does not confuse it.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn key(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    varint(out, field << 3 | wire_type);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    key(out, field, 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Seconds since 1970 of a UTC time as the store writes it, `2026-01-31T12:00:00Z`.
fn epoch_seconds(time: &str) -> Option<f64> {
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    // Days from civil (H. Hinnant): years begin in March, so that the leap day is the last of them.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((days * 86_400 + hour * 3600 + minute * 60 + second) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_framed_as_tensorflow_frames_it() {
        // The checksums are those of TensorBoard's own `masked_crc32c`; the first is at the head of every event file
        // whose first payload has 24 bytes.
        let mut event = Vec::new();
        double(&mut event, 1, 0.0);
        bytes(&mut event, 3, b"brain.Event:2");
        let mut out = Vec::new();
        assert!(record(&mut out, &event).is_ok());
        assert_eq!(out[..8], 24u64.to_le_bytes());
        assert_eq!(out[8..12], 0x224b_7fa3u32.to_le_bytes());
        assert_eq!(&out[12..36], b"\x09\0\0\0\0\0\0\0\0\x1a\x0dbrain.Event:2");
        assert_eq!(out[36..], 0xa328_dfeeu32.to_le_bytes());
    }

    #[test]
    fn an_event_is_encoded_as_protobuf_encodes_it() {
        let event = scalar(1.5, 300, "return", -2.0);
        let expected = [
            &[0x09][..],
            &1.5f64.to_le_bytes(),
            &[0x10, 0xac, 0x02],       // step 300
            &[0x2a, 0x0f, 0x0a, 0x0d], // summary of 15 bytes, its value of 13
            &[0x0a, 0x06],             // tag
            b"return",
            &[0x15, 0x00, 0x00, 0x00, 0xc0], // -2 as a float
        ];
        assert_eq!(event, expected.concat());
    }

    #[test]
    fn times_and_names() {
        assert_eq!(epoch_seconds("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(epoch_seconds("2000-02-29T12:34:56Z"), Some(951_827_696.0));
        assert_eq!(epoch_seconds("2026-11-25T03:34:15Z"), Some(1_795_577_655.0));
        assert_eq!(epoch_seconds("soon"), None);
        assert_eq!(safe("a/b:c"), "a_b_c");
        assert_eq!(safe(".."), "_");
    }
}
