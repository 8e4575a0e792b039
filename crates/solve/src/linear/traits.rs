//! What a matrix is like, and which methods that makes suitable.

use serde::Serialize;

use super::conjugate_gradient::ASYMMETRY;
use super::dense_lu;
use super::matrix::Sparse;

/// Rows up to which definiteness is decided by dense Cholesky factors.
const DECIDED: usize = 1000;

/// Whether a symmetric matrix is positive definite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Definite {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// It may be: too large to decide.
    Unknown,
}

/// What a square matrix is like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Traits {
    /// Rows.
    pub rows: usize,
    /// Entries.
    pub entries: usize,
    /// The largest |a_ij - a_ji|, relative to the largest entry.
    pub asymmetry: f64,
    /// Whether that is no more than rounding.
    pub symmetric: bool,
    /// Whether it is symmetric positive definite.
    pub definite: Definite,
    /// The first row (from 1) whose diagonal is 0.
    pub zero_diagonal: Option<usize>,
    /// The first row (from 1) that is all zeros: the matrix is singular.
    pub zero_row: Option<usize>,
    /// The least (|a_ii| - Σ|a_ij|)/|a_ii|; above 0 the matrix is strictly diagonally dominant. -∞ is none with a zero diagonal.
    pub dominance: Option<f64>,
}

/// Looks at a square matrix.
pub fn traits(matrix: &Sparse) -> Traits {
    let rows = matrix.rows();
    let diagonal = matrix.diagonal();
    let asymmetry = matrix.asymmetry();
    let symmetric = asymmetry <= ASYMMETRY;
    let zero_diagonal = diagonal.iter().position(|&value| value == 0.0);
    let zero_row = (0..rows).find(|&row| matrix.row(row).1.iter().all(|&value| value == 0.0));
    let dominance = zero_diagonal.is_none().then(|| {
        let of = |row: usize| {
            let all: f64 = matrix.row(row).1.iter().map(|value| value.abs()).sum();
            2.0 - all / diagonal[row].abs()
        };
        (0..rows).map(of).fold(f64::INFINITY, f64::min)
    });
    let definite = if !symmetric || diagonal.iter().any(|&value| value <= 0.0) {
        Definite::No
    } else if dominance.is_some_and(|dominance| dominance > 0.0) {
        Definite::Yes // Gershgorin: all discs lie on the positive side.
    } else if rows <= DECIDED {
        if matrix.dense().cholesky().is_some() { Definite::Yes } else { Definite::No }
    } else {
        Definite::Unknown
    };
    Traits {
        rows,
        entries: matrix.entries(),
        asymmetry,
        symmetric,
        definite,
        zero_diagonal: zero_diagonal.map(|row| row + 1),
        zero_row: zero_row.map(|row| row + 1),
        dominance,
    }
}

/// Whether a method suits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suits {
    /// It converges.
    Yes,
    /// It may converge.
    Maybe,
    /// It is not made for this matrix.
    No,
}

/// What is to be said of one method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suitability {
    /// The method.
    pub method: &'static str,
    /// Whether it suits.
    pub suits: Suits,
    /// Why.
    pub why: &'static str,
}

impl Traits {
    /// In one line.
    pub fn describe(&self) -> String {
        let mut said = vec![match (self.symmetric, self.definite) {
            (true, Definite::Yes) => "symmetric positive definite".to_owned(),
            (true, Definite::No) => "symmetric, not positive definite".to_owned(),
            (true, Definite::Unknown) => "symmetric, perhaps positive definite".to_owned(),
            (false, _) => format!("not symmetric (by {:.1e} of its largest entry)", self.asymmetry),
        }];
        if self.dominance.is_some_and(|dominance| dominance > 0.0) {
            said.push("strictly diagonally dominant".into());
        }
        if let Some(row) = self.zero_row {
            said.push(format!("singular: row {row} is all zeros"));
        } else if let Some(row) = self.zero_diagonal {
            said.push(format!("zero diagonal in row {row}"));
        }
        said.join(", ")
    }

    /// Every method of the family, in the order in which they are tried.
    pub fn suitability(&self) -> Vec<Suitability> {
        use Suits::{Maybe, No, Yes};
        let say = |method, (suits, why)| Suitability { method, suits, why };
        let singular = (No, "a row is all zeros: no method solves a singular system");
        let dominant = self.dominance.is_some_and(|dominance| dominance > 0.0);
        let splitting = |definite: (Suits, &'static str)| match (self.zero_row, self.zero_diagonal) {
            (Some(_), _) => singular,
            (_, Some(_)) => (No, "it divides by the diagonal, which has a zero"),
            _ => definite,
        };
        let of_definite = match self.definite {
            Definite::Yes => (Yes, "the matrix is symmetric positive definite"),
            Definite::Unknown => {
                (Maybe, "the matrix is symmetric with a positive diagonal; whether it is definite will show")
            }
            Definite::No if self.symmetric => (No, "the matrix is not positive definite"),
            Definite::No => (No, "the matrix is not symmetric"),
        };
        let relaxed = |dominant_too: bool| match (of_definite, dominant) {
            ((Yes, why), _) => (Yes, why),
            (_, true) if dominant_too => (Yes, "the matrix is strictly diagonally dominant"),
            (_, true) => {
                (Maybe, "the matrix is strictly diagonally dominant, which suffices for a relaxation up to 1")
            }
            ((No, _), _) => (Maybe, "neither definite nor diagonally dominant: nothing guarantees it"),
            (other, _) => other,
        };
        vec![
            say("conjugate-gradient", if self.zero_row.is_some() { singular } else { of_definite }),
            say(
                "gmres",
                match self.zero_row {
                    Some(_) => singular,
                    None => (Maybe, "for any regular matrix; restarts may make it stagnate"),
                },
            ),
            say(
                "dense-lu",
                match (self.zero_row, self.rows <= dense_lu::MOST) {
                    (Some(_), _) => singular,
                    (_, true) => (Yes, "for any regular matrix of this size"),
                    (_, false) => (No, "the matrix is too large for dense factors"),
                },
            ),
            say("sor", splitting(relaxed(false))),
            say("ssor", splitting(relaxed(false))),
            say("gauss-seidel", splitting(relaxed(true))),
            say(
                "jacobi",
                splitting(match (dominant, self.definite) {
                    (true, _) => (Yes, "the matrix is strictly diagonally dominant"),
                    (_, Definite::Yes) => (Maybe, "the matrix is definite: enough damping makes it converge"),
                    _ => (Maybe, "neither definite nor diagonally dominant: nothing guarantees it"),
                }),
            ),
        ]
    }
}
