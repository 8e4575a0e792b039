//! Matrices and vectors of a user, in Matrix Market's exchange format (Boisvert, Pozo & Remington 1996).
//!
//! Read are `coordinate` and `array`, `real`, `integer` and `pattern`, `general`, `symmetric` and `skew-symmetric`. Entries at one place
//! are added, as SciPy does. Of the libraries at hand, nalgebra-sparse reads the format too, but its errors do not tell the line.

use std::fmt::Write;
use std::path::Path;

use quire_core::{Error, Result, files};

use super::matrix::{MOST_ROWS, Sparse};

/// The most numbers of an `array` file: two gigabytes.
const MOST_NUMBERS: usize = 1 << 28;

#[derive(Clone, Copy, PartialEq)]
enum Symmetry {
    General,
    Symmetric,
    Skew,
}

/// Reads a matrix.
///
/// # Errors
/// An unreadable file, a header that is not understood, numbers that make no matrix: the message names file, line and column.
pub fn read(path: &Path) -> Result<Sparse> {
    parse(path, &files::read_text(path)?)
}

/// Reads a vector: a matrix of one column, or of one row.
///
/// # Errors
/// Those of [`read`], and a matrix of several rows and columns.
pub fn read_vector(path: &Path) -> Result<Vec<f64>> {
    vector(path, &read(path)?)
}

/// The vector that a matrix of one column or one row is.
///
/// # Errors
/// A matrix of several rows and columns.
pub fn vector(path: &Path, matrix: &Sparse) -> Result<Vec<f64>> {
    match (matrix.rows(), matrix.columns()) {
        (rows, 1) => Ok((0..rows).map(|row| matrix.get(row, 0)).collect()),
        (1, columns) => Ok((0..columns).map(|column| matrix.get(0, column)).collect()),
        (rows, columns) => {
            Err(Error::file(path, format!("is a matrix of {rows} x {columns} where a vector is expected")))
        }
    }
}

/// A word of a line, and the column it begins at.
type Word<'a> = (usize, &'a str);

/// Words of a line.
fn words(line: &str) -> impl Iterator<Item = Word<'_>> {
    let start = line.as_ptr() as usize;
    line.split_ascii_whitespace().map(move |word| (word.as_ptr() as usize - start + 1, word))
}

/// Reads the text of a file; `path` is named in errors.
///
/// # Errors
/// Those of [`read`].
pub fn parse(path: &Path, text: &str) -> Result<Sparse> {
    let wrong = |line: usize, column: usize, problem: String| Error::Parse {
        path: path.to_owned(),
        line,
        column,
        problem,
    };
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let header = lines.next().map_or("", |(_, line)| line).to_ascii_lowercase();
    let header: Vec<&str> = header.split_ascii_whitespace().collect();
    let ["%%matrixmarket", "matrix", format, field, symmetry] = header[..] else {
        let problem =
            "a Matrix Market file begins with a line such as `%%MatrixMarket matrix coordinate real general`";
        return Err(wrong(1, 1, problem.into()));
    };
    let is_array = match format {
        "coordinate" => false,
        "array" => true,
        _ => return Err(wrong(1, 1, format!("format `{format}` is neither coordinate nor array"))),
    };
    let is_pattern = match field {
        "real" | "integer" | "double" => false,
        "pattern" if !is_array => true,
        _ => {
            return Err(wrong(
                1,
                1,
                format!("numbers of kind `{field}` are not read; write the matrix as real"),
            ));
        }
    };
    let symmetry = match symmetry {
        "general" => Symmetry::General,
        "symmetric" => Symmetry::Symmetric,
        "skew-symmetric" => Symmetry::Skew,
        _ => {
            return Err(wrong(
                1,
                1,
                format!("symmetry `{symmetry}` is not read; write the matrix as general"),
            ));
        }
    };
    let mut lines = lines.filter(|(_, line)| !line.starts_with('%') && !line.trim().is_empty());
    let Some((line, sizes)) = lines.next() else {
        return Err(wrong(1, 1, "the line with the numbers of rows and columns is missing".into()));
    };
    let count = if is_array { 2 } else { 3 };
    let whole = |line: usize, (column, word): Word, least: usize, most: usize| {
        let number = word.parse::<usize>().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| {
            wrong(line, column, format!("`{word}` is not a whole number from {least} to {most}"))
        })
    };
    let parsed =
        words(sizes).map(|word| whole(line, word, 0, if is_array { MOST_ROWS } else { usize::MAX >> 8 }));
    let parsed = parsed.collect::<Result<Vec<usize>>>()?;
    if parsed.len() != count {
        let expected = if is_array { "rows columns" } else { "rows columns entries" };
        return Err(wrong(line, 1, format!("{} numbers where `{expected}` is expected", parsed.len())));
    }
    let (rows, columns) = (parsed[0], parsed[1]);
    if rows.max(columns) > MOST_ROWS {
        return Err(wrong(
            line,
            1,
            format!("{rows} x {columns} is too large; at most {MOST_ROWS} rows are read"),
        ));
    }
    if symmetry != Symmetry::General && rows != columns {
        return Err(wrong(line, 1, format!("a symmetric matrix is square; this one is {rows} x {columns}")));
    }
    let mut entries: Vec<(u32, u32, f64)> = Vec::new();
    let mut add = |row: usize, column: usize, value: f64| {
        entries.push((row as u32, column as u32, value));
        if symmetry != Symmetry::General && row != column {
            let sign = if symmetry == Symmetry::Skew { -1.0 } else { 1.0 };
            entries.push((column as u32, row as u32, sign * value));
        }
    };
    let number = |line: usize, (column, word): Word| {
        let number = word.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| wrong(line, column, format!("`{word}` is not a finite number")))
    };
    let mut last = line;
    if is_array {
        if rows.checked_mul(columns).is_none_or(|all| all > MOST_NUMBERS) {
            return Err(wrong(line, 1, format!("{rows} x {columns} numbers are too many for an array")));
        }
        // By columns; of symmetric ones the part from the diagonal down, of skew ones what is below it.
        let first = |column: usize| match symmetry {
            Symmetry::General => 0,
            Symmetry::Symmetric => column,
            Symmetry::Skew => column + 1,
        };
        let mut places = (0..columns).flat_map(|column| (first(column)..rows).map(move |row| (row, column)));
        for (line, text) in lines {
            last = line;
            for word in words(text) {
                let value = number(line, word)?;
                let (row, column) = places
                    .next()
                    .ok_or_else(|| wrong(line, word.0, "more numbers than the matrix has".into()))?;
                add(row, column, value);
            }
        }
        let missing = places.count();
        if missing > 0 {
            return Err(wrong(last, 1, format!("{missing} numbers are missing at the end of the file")));
        }
    } else {
        let mut found = 0;
        for (line, text) in lines {
            last = line;
            let mut words = words(text);
            let mut next = |what: &str| {
                words
                    .next()
                    .ok_or_else(|| wrong(line, text.len().max(1), format!("the entry's {what} is missing")))
            };
            let row = whole(line, next("row")?, 1, rows)? - 1;
            let column = whole(line, next("column")?, 1, columns)? - 1;
            let value = if is_pattern { 1.0 } else { number(line, next("value")?)? };
            if let Some((column, word)) = words.next() {
                return Err(wrong(line, column, format!("`{word}` is more than an entry has")));
            }
            if symmetry == Symmetry::Skew && row == column {
                return Err(wrong(line, 1, "a skew-symmetric matrix has no entries on its diagonal".into()));
            }
            add(row, column, value);
            found += 1;
        }
        if found != parsed[2] {
            let problem = format!("{found} entries where line {line} says {}", parsed[2]);
            return Err(wrong(last, 1, problem));
        }
    }
    if rows > 64 * entries.len() + (1 << 24) || columns > 64 * entries.len() + (1 << 24) {
        let problem = format!("{rows} x {columns} with {} entries is almost all zeros", entries.len());
        return Err(wrong(line, 1, problem));
    }
    Sparse::new(rows, columns, &entries).map_err(|error| Error::file(path, error.to_string()))
}

/// A vector as Matrix Market's array of one column.
pub fn write_vector(values: &[f64]) -> String {
    let mut text = format!("%%MatrixMarket matrix array real general\n{} 1\n", values.len());
    for value in values {
        let _ = writeln!(text, "{value:e}");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Result<Sparse> {
        parse(Path::new("a.mtx"), text)
    }

    #[test]
    fn all_forms_of_a_matrix_are_read() {
        let general =
            text("%%MatrixMarket matrix coordinate real general\n% a note\n\n2 3 2\n1 1 1.5\n2 3 -2e1\n")
                .unwrap();
        assert_eq!(
            (general.rows(), general.columns(), general.get(0, 0), general.get(1, 2)),
            (2, 3, 1.5, -20.0)
        );
        let symmetric =
            text("%%matrixmarket MATRIX coordinate integer symmetric\n2 2 2\n1 1 4\n2 1 3\n").unwrap();
        assert_eq!((symmetric.get(0, 1), symmetric.get(1, 0), symmetric.get(1, 1)), (3.0, 3.0, 0.0));
        let skew = text("%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n2 1 3\n").unwrap();
        assert_eq!((skew.get(0, 1), skew.get(1, 0)), (-3.0, 3.0));
        let pattern = text("%%MatrixMarket matrix coordinate pattern general\n1 2 1\n1 2\n").unwrap();
        assert_eq!(pattern.get(0, 1), 1.0);
        let array = text("%%MatrixMarket matrix array real general\n2 2\n1\n2\n3 4\n").unwrap();
        assert_eq!((array.get(1, 0), array.get(0, 1)), (2.0, 3.0));
        let lower = text("%%MatrixMarket matrix array real symmetric\n2 2\n1\n2\n4\n").unwrap();
        assert_eq!((lower.get(0, 1), lower.get(1, 1)), (2.0, 4.0));
    }

    #[test]
    fn mistakes_are_named_with_line_and_column() {
        let coordinate = "%%MatrixMarket matrix coordinate real general\n2 2 2\n";
        for (file, expected) in [
            (String::new(), "a.mtx:1:1: a Matrix Market file begins"),
            (
                "%%MatrixMarket matrix coordinate complex general\n".into(),
                "a.mtx:1:1: numbers of kind `complex`",
            ),
            ("%%MatrixMarket matrix coordinate real hermitian\n".into(), "a.mtx:1:1: symmetry `hermitian`"),
            (
                "%%MatrixMarket matrix coordinate real general\n".into(),
                "a.mtx:1:1: the line with the numbers",
            ),
            ("%%MatrixMarket matrix coordinate real general\n2 2\n".into(), "a.mtx:2:1: 2 numbers where"),
            (format!("{coordinate}1 1 1\n3 1 1\n"), "a.mtx:4:1: `3` is not a whole number from 1 to 2"),
            (format!("{coordinate}1 1 1\n1 0 1\n"), "a.mtx:4:3: `0` is not"),
            (format!("{coordinate}1 1 one\n"), "a.mtx:3:5: `one` is not a finite number"),
            (format!("{coordinate}1 1\n"), "a.mtx:3:3: the entry's value is missing"),
            (format!("{coordinate}1 1 1 1\n"), "a.mtx:3:7: `1` is more than an entry has"),
            (format!("{coordinate}1 1 1\n"), "a.mtx:3:1: 1 entries where line 2 says 2"),
            ("%%MatrixMarket matrix array real general\n2 1\n1\n".into(), "a.mtx:3:1: 1 numbers are missing"),
            ("%%MatrixMarket matrix array real general\n1 1\n1\n1\n".into(), "a.mtx:4:1: more numbers than"),
            (
                "%%MatrixMarket matrix array real symmetric\n1 2\n".into(),
                "a.mtx:2:1: a symmetric matrix is square",
            ),
            (
                "%%MatrixMarket matrix coordinate real general\n2000000000 2000000000 0\n".into(),
                "a.mtx:2:1: 2000000000 x 2000000000 with 0 entries",
            ),
        ] {
            let error = text(&file).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let tall = text("%%MatrixMarket matrix array real general\n2 2\n1 2 3 4\n").unwrap();
        assert!(vector(Path::new("b.mtx"), &tall).unwrap_err().to_string().contains("2 x 2 where a vector"));
    }

    proptest! {
        #[test]
        fn vectors_come_back(values in prop::collection::vec(any::<f64>().prop_filter("finite", |v| v.is_finite()), 1..20)) {
            let path = Path::new("b.mtx");
            let back = vector(path, &parse(path, &write_vector(&values)).unwrap()).unwrap();
            prop_assert_eq!(back, values);
        }

        #[test]
        fn no_text_makes_it_panic(noise in "[ -~\n]{0,80}", body in "[0-9 .e\n-]{0,60}", kind in 0..4_usize) {
            let forms = ["coordinate real general", "coordinate pattern symmetric", "array real skew-symmetric", "array integer general"];
            for file in [noise, format!("%%MatrixMarket matrix {}\n{body}", forms[kind])] {
                if let Err(error) = text(&file) {
                    prop_assert!(error.to_string().contains("a.mtx"));
                }
            }
        }
    }
}
