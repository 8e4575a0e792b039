//! Columns of numbers from a user's Parquet file.
//!
//! Compiled apart from what reads logs and tables, and for size: the library's decoders are half a minute of code that is never
//! hot here. Each wing turns the columns into its own rows.

use std::cell::Cell;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use quire_core::{Error, Result};

/// The most numbers of a file, 2 GiB of them: a damaged or hostile one may claim any number of rows.
const MOST_VALUES: usize = 1 << 28;
/// Rows that are decoded at once.
const BATCH: usize = 4096;

/// The numbers of one column, row after row; `true` and `false` are 1 and 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, in lower case.
    pub name: String,
    /// The first row with a null, or with an empty list.
    pub null: Option<usize>,
    /// Where each row begins in `values`; a list may hold more or fewer than one.
    starts: Vec<usize>,
    values: Vec<f64>,
}

impl Column {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.starts.len()
    }

    /// What a row holds: a number, or a list of them.
    pub fn row(&self, row: usize) -> &[f64] {
        let end = self.starts.get(row + 1).copied().unwrap_or(self.values.len());
        &self.values[self.starts[row]..end]
    }
}

/// Reads the columns of a file whose names, in lower case, are `wanted`; all have equally many rows.
///
/// # Errors
/// A file that cannot be read or is damaged, a column that holds neither numbers nor lists of them, more than 2²⁸ numbers:
/// the message names the file, and the column where there is one.
pub fn read(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<Column>> {
    let file = File::open(path).map_err(|e| Error::file(path, format!("cannot be read: {e}")))?;
    without_panics(|| columns(file, &wanted))
        .map_err(|problem| Error::file(path, format!("is not a readable Parquet file: {problem}")))
}

thread_local! {
    /// Whether this thread is in [`without_panics`].
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// What `decode` says; an error where it panics, of which nothing is printed: about one damaged file in a thousand makes the
/// library's decoders panic.
fn without_panics<T>(
    decode: impl FnOnce() -> std::result::Result<T, String>,
) -> std::result::Result<T, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !DECODING.get() {
                before(panic);
            }
        }));
    });
    DECODING.set(true);
    let result = catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(false);
    result.unwrap_or_else(|_| Err("it is damaged".into()))
}

fn columns(file: File, wanted: &dyn Fn(&str) -> bool) -> std::result::Result<Vec<Column>, String> {
    let text = |e: ParquetError| e.to_string();
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    let reader = SerializedFileReader::new(file).map_err(text)?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema_descr();
    let wanted: Vec<(usize, String)> = (schema.columns().iter().enumerate())
        .map(|(index, leaf)| (index, leaf.path().parts()[0].to_ascii_lowercase()))
        .filter(|(_, name)| wanted(name))
        .collect();
    let total: i64 =
        metadata.row_groups().iter().map(|group| group.num_rows().max(0)).fold(0, i64::saturating_add);
    if total.saturating_mul(wanted.len() as i64) > MOST_VALUES as i64 {
        return Err(format!("it claims {total} rows; at most {MOST_VALUES} numbers are supported"));
    }
    let mut found = Vec::with_capacity(wanted.len());
    for (index, name) in wanted {
        let leaf = schema.column(index);
        supported(&leaf).map_err(|problem| format!("the column `{name}` {problem}"))?;
        let unsigned = matches!(leaf.logical_type_ref(), Some(LogicalType::Integer(kind)) if !kind.is_signed)
            || matches!(leaf.converted_type(), ConvertedType::UINT_32 | ConvertedType::UINT_64);
        let mut column = Column { name, starts: Vec::new(), values: Vec::new(), null: None };
        for group in 0..metadata.num_row_groups() {
            let group = reader.get_row_group(group).map_err(text)?;
            // The library allocates what a chunk claims to take.
            let chunk = group.metadata().column(index);
            let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
            let end = u64::try_from(start).ok().zip(u64::try_from(chunk.compressed_size()).ok());
            if end.and_then(|(start, size)| start.checked_add(size)).is_none_or(|end| end > length) {
                return Err(format!("the column `{}` reaches beyond the file", column.name));
            }
            let before = column.starts.len();
            match group.get_column_reader(index).map_err(text)? {
                ColumnReader::BoolColumnReader(reader) => {
                    fill(reader, &leaf, &mut column, |flag| f64::from(u8::from(flag)))
                }
                ColumnReader::Int32ColumnReader(reader) if unsigned => {
                    fill(reader, &leaf, &mut column, |number| f64::from(number as u32))
                }
                ColumnReader::Int32ColumnReader(reader) => fill(reader, &leaf, &mut column, f64::from),
                ColumnReader::Int64ColumnReader(reader) if unsigned => {
                    fill(reader, &leaf, &mut column, |number| number as u64 as f64)
                }
                ColumnReader::Int64ColumnReader(reader) => {
                    fill(reader, &leaf, &mut column, |number| number as f64)
                }
                ColumnReader::FloatColumnReader(reader) => fill(reader, &leaf, &mut column, f64::from),
                ColumnReader::DoubleColumnReader(reader) => fill(reader, &leaf, &mut column, |number| number),
                _ => Err("does not hold numbers".into()),
            }
            .map_err(|problem| format!("the column `{}` {problem}", column.name))?;
            let rows = column.starts.len() - before;
            if rows as i64 != group.metadata().num_rows() {
                return Err(format!(
                    "the column `{}` breaks off after {} rows",
                    column.name,
                    column.starts.len()
                ));
            }
        }
        found.push(column);
    }
    Ok(found)
}

/// Whether a leaf of the schema is a column of numbers or of lists of them.
fn supported(leaf: &ColumnDescriptor) -> std::result::Result<(), String> {
    let plain = leaf.path().parts().len() == 1;
    if leaf.max_rep_level() > 1 || !plain && leaf.max_rep_level() == 0 {
        return Err("is nested; give each number a column, or lists of numbers".into());
    }
    let kind = leaf.physical_type();
    let numbers = [Physical::BOOLEAN, Physical::INT32, Physical::INT64, Physical::FLOAT, Physical::DOUBLE];
    // Decimals, dates and times are integers of another meaning; old writers say so in the converted type alone.
    let logical = leaf.logical_type_ref();
    let plain = logical.is_none_or(|logical| matches!(logical, LogicalType::Integer(_)));
    let converted = leaf.converted_type().to_string();
    let plain = plain && ["NONE", "INT_", "UINT_"].iter().any(|start| converted.starts_with(start));
    if !numbers.contains(&kind) || !plain {
        let name = logical.map_or(format!("{kind} ({converted})"), |logical| format!("{logical:?}"));
        return Err(format!("has the type {name}; cast it to numbers or booleans"));
    }
    Ok(())
}

/// Appends what a column holds in one group of rows.
fn fill<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    leaf: &ColumnDescriptor,
    column: &mut Column,
    number: impl Fn(T::T) -> f64,
) -> std::result::Result<(), String> {
    let (most_definition, lists) = (leaf.max_def_level(), leaf.max_rep_level() > 0);
    let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        definitions.clear();
        repetitions.clear();
        values.clear();
        let (rows, _, levels) = reader
            .read_records(
                BATCH,
                (most_definition > 0).then_some(&mut definitions),
                lists.then_some(&mut repetitions),
                &mut values,
            )
            .map_err(|e| format!("is damaged: {e}"))?;
        if rows == 0 {
            return Ok(());
        }
        let mut given = values.drain(..);
        for level in 0..levels {
            if !lists || repetitions[level] == 0 {
                column.starts.push(column.values.len());
            }
            if most_definition == 0 || definitions[level] == most_definition {
                let value = given.next().ok_or("has fewer numbers than it says")?;
                column.values.push(number(value));
            } else {
                // A null, a null or empty list, or a null in a list.
                column.null.get_or_insert(column.starts.len().saturating_sub(1));
            }
        }
        if column.values.len() > MOST_VALUES {
            return Err(format!("holds more than {MOST_VALUES} numbers"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::data_type::{BoolType, DoubleType, Int32Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// Three rows: a name in capitals, a list with two numbers in a row, a flag with a null.
    fn written() -> Vec<u8> {
        let schema = "message m { required int32 Step; \
                      required group s (LIST) { repeated group list { required double element; } } \
                      optional boolean done; required double other; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::new())).unwrap();
        let mut rows = writer.next_row_group().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[7, -1, 2], None, None).unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let (values, definitions, repetitions) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1; 6], [0, 1, 0, 1, 0, 1]);
        column.typed::<DoubleType>().write_batch(&values, Some(&definitions), Some(&repetitions)).unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column.typed::<BoolType>().write_batch(&[true, false], Some(&[1, 0, 1]), None).unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column.typed::<DoubleType>().write_batch(&[0.0; 3], None, None).unwrap();
        column.close().unwrap();
        rows.close().unwrap();
        writer.into_inner().unwrap()
    }

    fn read_bytes(bytes: &[u8]) -> Result<Vec<Column>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.parquet");
        std::fs::write(&path, bytes).unwrap();
        read(&path, |name| name != "other")
    }

    #[test]
    fn wanted_columns_come_row_by_row() {
        let columns = read_bytes(&written()).unwrap();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["step", "s", "done"]);
        assert!(columns.iter().all(|column| column.rows() == 3));
        assert_eq!((columns[0].row(0), columns[0].row(1)), ([7.0].as_slice(), [-1.0].as_slice()));
        assert_eq!((columns[1].row(1), columns[1].null), ([3.0, 4.0].as_slice(), None));
        assert_eq!((columns[2].row(0), columns[2].null), ([1.0].as_slice(), Some(1)));
    }

    #[test]
    fn what_is_no_parquet_file_is_named() {
        let mut cut = written();
        cut.truncate(cut.len() / 2);
        for bytes in [cut.as_slice(), b"PAR1", b""] {
            let error = read_bytes(bytes).unwrap_err().to_string();
            assert!(error.contains("table.parquet: is not a readable Parquet file"), "{error}");
        }
        let error = read(Path::new("/none.parquet"), |_| true).unwrap_err().to_string();
        assert!(error.contains("none.parquet: cannot be read"), "{error}");
    }
}
