//! Sweeps over a grid, u <- M u + c, and their transposes: what reverse-mode differentiation through a run needs.
//!
//! The equation in an interior cell is d_i u_i - Σ u_j = b_i, with the sum over the neighbors j: two on a line, four in a plane. Values on the border are 0; where the
//! border is a mirror (∂u/∂n = 0), its cells are worth as much as those beside them, which is taken off d_i. The matrix A is symmetric. A sweep changes
//!
//! > u_i <- u_i + ω/D (b_i - (A u)_i),   D = 2 on a line, 4 in a plane
//!
//! in all cells at once (Jacobi) or in the cells of one color and then of the other (red-black SOR). Of a linear iteration the adjoint is as cheap as the iteration: λ <- Mᵀ λ.

use crate::learned::dual::Number;

/// In which order a sweep goes through the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// All at once.
    Jacobi,
    /// Those of one color and then those of the other.
    RedBlack,
}

/// A grid, its matrix, and a sweep over it. Numbers are row after row, the border included.
#[derive(Debug, Clone, PartialEq)]
pub struct Relaxation {
    rows: usize,
    columns: usize,
    sweep: Sweep,
    /// ω/D.
    pace: f64,
    /// d_i; 0 on the border.
    diagonal: Vec<f64>,
    /// The Cholesky factor of A, in bands of `width` + 1.
    factor: Vec<f64>,
    width: usize,
}

impl Relaxation {
    /// So many points on a line, the two ends included, where u = 0.
    pub fn line(points: usize, sweep: Sweep, omega: f64) -> Self {
        Self::new([1, points], [false; 4], sweep, omega)
    }

    /// A square with so many points a side, the border included: u = 0 on the right, mirrors at the other sides, as for the pressure of a flow that leaves to the right.
    pub fn channel(side: usize, sweep: Sweep, omega: f64) -> Self {
        Self::new([side, side], [true, true, true, false], sweep, omega)
    }

    /// `mirrors`: at the top, at the bottom, on the left, on the right.
    fn new([rows, columns]: [usize; 2], mirrors: [bool; 4], sweep: Sweep, omega: f64) -> Self {
        let is_line = rows == 1;
        let full = if is_line { 2.0 } else { 4.0 };
        let width = if is_line { 1 } else { columns };
        let mut grid = Relaxation {
            rows,
            columns,
            sweep,
            pace: omega / full,
            diagonal: vec![0.0; rows * columns],
            factor: Vec::new(),
            width,
        };
        let [first, last] = [grid.row_range().start, grid.row_range().end - 1];
        for row in grid.row_range() {
            for column in 1..columns - 1 {
                let beside =
                    [!is_line && row == first, !is_line && row == last, column == 1, column == columns - 2];
                let mirrored =
                    beside.iter().zip(mirrors).filter(|(beside, mirror)| **beside && *mirror).count();
                grid.diagonal[row * columns + column] = full - mirrored as f64;
            }
        }
        grid.factorize();
        grid
    }

    /// Rows and columns, the border included.
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// Cells, the border included.
    pub fn len(&self) -> usize {
        self.diagonal.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.diagonal.is_empty()
    }

    fn row_range(&self) -> std::ops::Range<usize> {
        if self.rows == 1 { 0..1 } else { 1..self.rows - 1 }
    }

    /// Calls `f` for every interior cell.
    #[inline(always)]
    pub fn inside(&self, mut f: impl FnMut(usize)) {
        for row in self.row_range() {
            let start = row * self.columns;
            (start + 1..start + self.columns - 1).for_each(&mut f);
        }
    }

    /// Calls `f` for every interior cell of a color, 0 or 1; the first cell is of color 0.
    #[inline(always)]
    fn of_color(&self, color: usize, mut f: impl FnMut(usize)) {
        let rows = self.row_range();
        let first = rows.start;
        for row in rows {
            let start = row * self.columns;
            let column = 1 + (row - first + color) % 2;
            (start + column..start + self.columns - 1).step_by(2).for_each(&mut f);
        }
    }

    /// The sum of a cell's neighbors.
    #[inline(always)]
    fn beside<T: Number>(&self, u: &[T], i: usize) -> T {
        let sum = u[i - 1] + u[i + 1];
        if self.rows == 1 { sum } else { sum + u[i - self.columns] + u[i + self.columns] }
    }

    /// One sweep. `scratch` is as long as `u`.
    pub fn step<T: Number>(&self, right: &[f64], u: &mut [T], scratch: &mut [T]) {
        let pace = T::from(self.pace);
        let change = |u: &[T], i: usize| {
            u[i] + pace * (T::from(right[i]) - T::from(self.diagonal[i]) * u[i] + self.beside(u, i))
        };
        match self.sweep {
            Sweep::Jacobi => {
                scratch.copy_from_slice(u);
                self.inside(|i| u[i] = change(scratch, i));
            }
            Sweep::RedBlack => {
                for color in [0, 1] {
                    self.of_color(color, |i| u[i] = change(u, i));
                }
            }
        }
    }

    /// λ <- Mᵀ λ.
    pub fn step_transposed(&self, adjoint: &mut [f64], scratch: &mut [f64]) {
        let pace = self.pace;
        match self.sweep {
            // M is symmetric.
            Sweep::Jacobi => {
                scratch.copy_from_slice(adjoint);
                self.inside(|i| {
                    adjoint[i] =
                        scratch[i] - pace * (self.diagonal[i] * scratch[i] - self.beside(scratch, i));
                });
            }
            Sweep::RedBlack => {
                for color in [1, 0] {
                    self.of_color(1 - color, |j| adjoint[j] += pace * self.beside(adjoint, j));
                    self.of_color(color, |i| adjoint[i] *= 1.0 - pace * self.diagonal[i]);
                }
            }
        }
    }

    /// b - A u, and its square. On the border it stays what `out` has there.
    pub fn residual(&self, right: &[f64], u: &[f64], out: &mut [f64]) -> f64 {
        let mut square = 0.0;
        self.inside(|i| {
            out[i] = right[i] - self.diagonal[i] * u[i] + self.beside(u, i);
            square += out[i] * out[i];
        });
        square
    }

    /// ‖b - A u‖², and nothing kept.
    pub fn square<T: Number>(&self, right: &[f64], u: &[T]) -> T {
        let mut square = T::from(0.0);
        self.inside(|i| {
            let r = T::from(right[i]) - T::from(self.diagonal[i]) * u[i] + self.beside(u, i);
            square = square + r * r;
        });
        square
    }

    /// A x. On the border it stays what `out` has there.
    pub fn times(&self, x: &[f64], out: &mut [f64]) {
        self.inside(|i| out[i] = self.diagonal[i] * x[i] - self.beside(x, i));
    }

    fn factorize(&mut self) {
        let (n, width) = (self.len(), self.width);
        let row = width + 1;
        let mut factor = vec![0.0; n * row];
        for i in 0..n {
            let low = i.saturating_sub(width);
            for j in low..=i {
                let inside = self.diagonal[i] > 0.0 && self.diagonal[j] > 0.0;
                let is_beside = j + 1 == i || (self.rows > 1 && j + self.columns == i);
                let entry = match (i == j, inside) {
                    (true, true) => self.diagonal[i],
                    (true, false) => 1.0,
                    (false, true) if is_beside => -1.0,
                    _ => 0.0,
                };
                let from = low.max(j.saturating_sub(width));
                let sum: f64 = (from..j)
                    .map(|k| factor[i * row + k + width - i] * factor[j * row + k + width - j])
                    .sum();
                let rest = entry - sum;
                factor[i * row + j + width - i] =
                    if i == j { rest.sqrt() } else { rest / factor[j * row + width] };
            }
        }
        self.factor = factor;
    }

    /// A⁻¹ b, by Cholesky's factor; what `x` holds is b before and the solution after, 0 on the border.
    pub fn solve(&self, x: &mut [f64]) {
        let (n, width) = (self.len(), self.width);
        let row = width + 1;
        for i in 0..n {
            let low = i.saturating_sub(width);
            let known = &self.factor[i * row + low + width - i..i * row + width];
            let sum: f64 = known.iter().zip(&x[low..i]).map(|(l, x)| l * x).sum();
            x[i] = if self.diagonal[i] > 0.0 { (x[i] - sum) / self.factor[i * row + width] } else { 0.0 };
        }
        for i in (0..n).rev() {
            x[i] /= self.factor[i * row + width];
            let low = i.saturating_sub(width);
            let value = x[i];
            let known = &self.factor[i * row + low + width - i..i * row + width];
            known.iter().zip(&mut x[low..i]).for_each(|(l, x)| *x -= l * value);
        }
    }
}
