//! Sparse matrices by rows.

use quire_core::{Error, Result};

/// The most rows that a matrix may have.
pub const MOST_ROWS: usize = 1 << 31;

/// A sparse matrix in compressed rows, columns ascending in each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sparse {
    rows: usize,
    columns: usize,
    pub(super) offsets: Vec<usize>,
    pub(super) indices: Vec<u32>,
    pub(super) values: Vec<f64>,
}

impl Sparse {
    /// From entries `(row, column, value)` in any order; those at one place are added.
    ///
    /// # Errors
    /// An entry out of range, a value that is not finite, more than [`MOST_ROWS`] rows or columns.
    pub fn new(rows: usize, columns: usize, entries: &[(u32, u32, f64)]) -> Result<Self> {
        if rows.max(columns) > MOST_ROWS {
            return Err(Error::Usage(format!("{rows} x {columns} is too large; at most {MOST_ROWS} rows")));
        }
        let mut offsets = vec![0; rows + 1];
        for &(row, column, value) in entries {
            if row as usize >= rows || column as usize >= columns {
                return Err(Error::Usage(format!("entry ({row}, {column}) lies outside {rows} x {columns}")));
            }
            if !value.is_finite() {
                return Err(Error::Usage(format!("entry ({row}, {column}) is {value}; it must be finite")));
            }
            offsets[row as usize + 1] += 1;
        }
        (0..rows).for_each(|row| offsets[row + 1] += offsets[row]);
        let mut next = offsets.clone();
        let mut sorted = vec![(0_u32, 0.0); entries.len()];
        for &(row, column, value) in entries {
            sorted[next[row as usize]] = (column, value);
            next[row as usize] += 1;
        }
        let mut matrix = Sparse { rows, columns, offsets: vec![0; rows + 1], ..Sparse::default() };
        for row in 0..rows {
            let line = &mut sorted[offsets[row]..offsets[row + 1]];
            line.sort_by_key(|&(column, _)| column);
            let start = matrix.indices.len();
            for &(column, value) in &*line {
                if matrix.indices.len() > start && matrix.indices.last() == Some(&column) {
                    *matrix.values.last_mut().expect("as many as indices") += value;
                } else {
                    matrix.indices.push(column);
                    matrix.values.push(value);
                }
            }
            matrix.offsets[row + 1] = matrix.indices.len();
        }
        Ok(matrix)
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The number of entries.
    pub fn entries(&self) -> usize {
        self.values.len()
    }

    /// Columns and values of a row.
    pub fn row(&self, row: usize) -> (&[u32], &[f64]) {
        let range = self.offsets[row]..self.offsets[row + 1];
        (&self.indices[range.clone()], &self.values[range])
    }

    /// The value at a place; 0 where there is no entry.
    pub fn get(&self, row: usize, column: usize) -> f64 {
        let (columns, values) = self.row(row);
        columns.binary_search(&(column as u32)).map_or(0.0, |place| values[place])
    }

    /// The diagonal.
    pub fn diagonal(&self) -> Vec<f64> {
        (0..self.rows.min(self.columns)).map(|row| self.get(row, row)).collect()
    }

    /// Row `row` times `x`.
    pub fn row_times(&self, row: usize, x: &[f64]) -> f64 {
        let (columns, values) = self.row(row);
        columns.iter().zip(values).map(|(&column, value)| value * x[column as usize]).sum()
    }

    /// A x, into `out`.
    pub fn times(&self, x: &[f64], out: &mut [f64]) {
        out.iter_mut().enumerate().for_each(|(row, out)| *out = self.row_times(row, x));
    }

    /// b - A x, into `out`.
    pub fn residual(&self, x: &[f64], b: &[f64], out: &mut [f64]) {
        for (row, (out, b)) in out.iter_mut().zip(b).enumerate() {
            *out = b - self.row_times(row, x);
        }
    }

    /// As a dense matrix.
    pub fn dense(&self) -> nalgebra::DMatrix<f64> {
        let mut dense = nalgebra::DMatrix::zeros(self.rows, self.columns);
        for row in 0..self.rows {
            let (columns, values) = self.row(row);
            columns.iter().zip(values).for_each(|(&column, &value)| dense[(row, column as usize)] = value);
        }
        dense
    }

    /// The largest |a_ij - a_ji|, relative to the largest entry; 1 if the matrix is not square.
    pub fn asymmetry(&self) -> f64 {
        if self.rows != self.columns {
            return 1.0;
        }
        let largest = self.values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let mut worst = 0.0_f64;
        for row in 0..self.rows {
            let (columns, values) = self.row(row);
            for (&column, value) in columns.iter().zip(values) {
                worst = worst.max((value - self.get(column as usize, row)).abs());
            }
        }
        if largest > 0.0 { worst / largest } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_added_and_multiplied() {
        let a = Sparse::new(2, 3, &[(1, 2, 4.0), (0, 0, 1.0), (1, 0, 2.0), (1, 2, 1.0)]).unwrap();
        assert_eq!((a.row(0), a.row(1)), ((&[0][..], &[1.0][..]), (&[0, 2][..], &[2.0, 5.0][..])));
        let mut out = [0.0; 2];
        a.times(&[1.0, 10.0, 100.0], &mut out);
        assert_eq!(out, [1.0, 502.0]);
        a.residual(&[1.0, 0.0, 0.0], &[3.0, 3.0], &mut out);
        assert_eq!((out, a.get(1, 1), a.dense()[(1, 2)]), ([2.0, 1.0], 0.0, 5.0));
        assert_eq!(Sparse::new(2, 2, &[(0, 1, 1.0), (1, 0, 3.0)]).unwrap().asymmetry(), 2.0 / 3.0);
        assert!(Sparse::new(2, 2, &[(0, 2, 1.0)]).unwrap_err().to_string().contains("outside 2 x 2"));
        assert!(Sparse::new(2, 2, &[(0, 1, f64::NAN)]).is_err());
    }
}
