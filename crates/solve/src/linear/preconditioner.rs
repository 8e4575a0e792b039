//! Approximate inverses for the Krylov methods.

use quire_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matrix::Sparse;

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// None.
    None,
    /// The diagonal.
    Jacobi,
    /// (D/ω + L) D⁻¹ (D/ω + U): forth and back with the matrix's own triangles.
    Ssor,
    /// Incomplete LU factors in the pattern of the matrix, ILU(0); of a symmetric matrix they are incomplete Cholesky's.
    #[default]
    Incomplete,
}

/// An approximate inverse of a matrix.
pub enum Preconditioner {
    /// The identity.
    None,
    /// Reciprocals of the diagonal.
    Jacobi(Vec<f64>),
    /// A triangle from the matrix, D/ω, and D.
    Ssor {
        /// A.
        matrix: Sparse,
        /// D/ω.
        scaled: Vec<f64>,
        /// D.
        diagonal: Vec<f64>,
    },
    /// L (unit diagonal, not stored) and U in one pattern, with the places of the diagonal.
    Incomplete {
        /// L and U.
        factors: Sparse,
        /// Places of the diagonal.
        diagonal: Vec<usize>,
    },
}

/// Shifts of the diagonal that are tried until incomplete factors exist.
const SHIFTS: [f64; 8] = [0.0, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0];

impl Preconditioner {
    /// For `matrix`. With `definite`, pivots have to be positive, so that the preconditioner is positive definite; where they are not, the
    /// diagonal is raised (Manteuffel 1980).
    ///
    /// # Errors
    /// A zero on the diagonal, or no factors at any shift.
    pub fn new(matrix: &Sparse, kind: Kind, relaxation: f64, definite: bool) -> Result<Self> {
        let diagonal = matrix.diagonal();
        if let Some(row) = diagonal.iter().position(|&value| value == 0.0).filter(|_| kind != Kind::None) {
            let problem = format!(
                "this preconditioner divides by the diagonal, which is 0 in row {}; take `none`",
                row + 1
            );
            return Err(Error::option("preconditioner", problem));
        }
        Ok(match kind {
            Kind::None => Preconditioner::None,
            Kind::Jacobi => Preconditioner::Jacobi(diagonal.iter().map(|value| 1.0 / value).collect()),
            Kind::Ssor => Preconditioner::Ssor {
                matrix: matrix.clone(),
                scaled: diagonal.iter().map(|value| value / relaxation).collect(),
                diagonal,
            },
            Kind::Incomplete => {
                let factored = SHIFTS.iter().find_map(|&shift| incomplete(matrix, shift, definite));
                let (factors, diagonal) = factored.ok_or_else(|| {
                    Error::option(
                        "preconditioner",
                        "incomplete factors of this matrix break down; take `jacobi`",
                    )
                })?;
                Preconditioner::Incomplete { factors, diagonal }
            }
        })
    }

    /// What an application costs, in products with the matrix.
    pub fn cost(&self) -> u64 {
        match self {
            Preconditioner::None | Preconditioner::Jacobi(_) => 0,
            Preconditioner::Ssor { .. } | Preconditioner::Incomplete { .. } => 1,
        }
    }

    /// M⁻¹ r, into `z`.
    pub fn apply(&self, r: &[f64], z: &mut [f64]) {
        match self {
            Preconditioner::None => z.copy_from_slice(r),
            Preconditioner::Jacobi(inverse) => {
                z.iter_mut().zip(r).zip(inverse).for_each(|((z, r), inverse)| *z = r * inverse);
            }
            Preconditioner::Ssor { matrix, scaled, diagonal } => {
                for row in 0..z.len() {
                    let (columns, values) = matrix.row(row);
                    let mut sum = r[row];
                    for (&column, value) in
                        columns.iter().zip(values).take_while(|(c, _)| (**c as usize) < row)
                    {
                        sum -= value * z[column as usize];
                    }
                    z[row] = sum / scaled[row];
                }
                z.iter_mut().zip(diagonal).for_each(|(z, d)| *z *= d);
                for row in (0..z.len()).rev() {
                    let (columns, values) = matrix.row(row);
                    let mut sum = z[row];
                    for (&column, value) in
                        columns.iter().zip(values).rev().take_while(|(c, _)| (**c as usize) > row)
                    {
                        sum -= value * z[column as usize];
                    }
                    z[row] = sum / scaled[row];
                }
            }
            Preconditioner::Incomplete { factors, diagonal } => {
                let Sparse { offsets, indices, values, .. } = factors;
                for row in 0..z.len() {
                    let below = offsets[row]..diagonal[row];
                    let sum: f64 = below.map(|k| values[k] * z[indices[k] as usize]).sum();
                    z[row] = r[row] - sum;
                }
                for row in (0..z.len()).rev() {
                    let above = diagonal[row] + 1..offsets[row + 1];
                    let sum: f64 = above.map(|k| values[k] * z[indices[k] as usize]).sum();
                    z[row] = (z[row] - sum) / values[diagonal[row]];
                }
            }
        }
    }
}

/// ILU(0) of the matrix with its diagonal raised by `shift` times its size, and the places of the diagonal; `None` if a pivot is
/// next to nothing, or negative where it must not be.
fn incomplete(matrix: &Sparse, shift: f64, definite: bool) -> Option<(Sparse, Vec<usize>)> {
    const ABSENT: usize = usize::MAX;
    let mut factors = matrix.clone();
    let Sparse { offsets, indices, values, .. } = &mut factors;
    let rows = offsets.len() - 1;
    let mut diagonal = Vec::with_capacity(rows);
    for row in 0..rows {
        let line = &indices[offsets[row]..offsets[row + 1]];
        let place = offsets[row] + line.binary_search(&(row as u32)).ok()?;
        values[place] += shift * values[place].abs().copysign(values[place]);
        diagonal.push(place);
    }
    let mut place_of = vec![ABSENT; rows];
    for row in 0..rows {
        let size = values[diagonal[row]].abs();
        (offsets[row]..offsets[row + 1]).for_each(|k| place_of[indices[k] as usize] = k);
        for k in offsets[row]..diagonal[row] {
            let before = indices[k] as usize;
            let factor = values[k] / values[diagonal[before]];
            values[k] = factor;
            for above in diagonal[before] + 1..offsets[before + 1] {
                let place = place_of[indices[above] as usize];
                if place != ABSENT {
                    values[place] -= factor * values[above];
                }
            }
        }
        (offsets[row]..offsets[row + 1]).for_each(|k| place_of[indices[k] as usize] = ABSENT);
        let pivot = values[diagonal[row]];
        if !(pivot.abs() > 1e-10 * size && (!definite || pivot > 0.0)) {
            return None;
        }
    }
    Some((factors, diagonal))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tridiagonal, so that incomplete factors are complete.
    fn tridiagonal() -> Sparse {
        let entries: Vec<(u32, u32, f64)> = (0..5_u32)
            .flat_map(|i| [(i, i, 3.0 + f64::from(i)), (i, i + 1, -1.0), (i + 1, i, -2.0)])
            .filter(|&(i, j, _)| i < 5 && j < 5)
            .collect();
        Sparse::new(5, 5, &entries).unwrap()
    }

    #[test]
    fn complete_factors_solve() {
        let matrix = tridiagonal();
        let x = [1.0, -2.0, 3.0, 0.5, 4.0];
        let (mut b, mut z) = ([0.0; 5], [0.0; 5]);
        matrix.times(&x, &mut b);
        Preconditioner::new(&matrix, Kind::Incomplete, 1.0, false).unwrap().apply(&b, &mut z);
        z.iter().zip(x).for_each(|(z, x)| assert!((z - x).abs() < 1e-12));
    }

    #[test]
    fn ssor_is_its_formula() {
        let matrix = tridiagonal();
        let dense = matrix.dense();
        let d = nalgebra::DMatrix::from_diagonal(&dense.diagonal());
        let (lower, upper) = (dense.lower_triangle() - &d, dense.upper_triangle() - &d);
        let m = (&d / 1.3 + lower) * d.clone().try_inverse().unwrap() * (&d / 1.3 + upper);
        let r = nalgebra::DVector::from_vec(vec![1.0, 2.0, -1.0, 0.3, 0.7]);
        let mut z = [0.0; 5];
        Preconditioner::new(&matrix, Kind::Ssor, 1.3, false).unwrap().apply(r.as_slice(), &mut z);
        let back = m * nalgebra::DVector::from_column_slice(&z);
        assert!((back - r).norm() < 1e-12);
    }

    #[test]
    fn a_zero_diagonal_is_named() {
        let matrix = Sparse::new(2, 2, &[(0, 1, 1.0), (1, 0, 1.0), (1, 1, 1.0)]).unwrap();
        let error = Preconditioner::new(&matrix, Kind::Jacobi, 1.0, false).err().unwrap().to_string();
        assert!(error.contains("preconditioner") && error.contains("row 1"), "{error}");
        assert!(Preconditioner::new(&matrix, Kind::None, 1.0, false).is_ok());
    }
}
