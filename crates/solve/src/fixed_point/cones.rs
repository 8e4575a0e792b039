//! Douglas & Rachford's operator T z = z + P_K(2 P_L z - z) - P_L z for a cone program without an objective: find x in K with A x = b.
//!
//! K is a product of second-order cones {(u, t): ‖u‖ <= t} and of cones of positive semidefinite matrices, L the solutions of A x = b. The displacement
//! tends to the gap v = l - k between L and K. As K is a cone that is its own dual and L affine, v = Aᵀy with -v in K and bᵀy = ‖v‖² > 0: for x in K and L
//! it would be bᵀy = vᵀx <= 0.
//!
//! A symmetric matrix is a vector of its lower triangle, row after row, entries off the diagonal times √2, so that lengths and angles stay. It is projected by
//! setting its negative eigenvalues to 0.

use std::f64::consts::SQRT_2;

use nalgebra::{
    Const, DMatrix, DVector, DefaultAllocator, DimDiff, DimSub, SMatrix, SymmetricEigen, U1,
    allocator::Allocator,
};
use quire_core::Rng;
use rand::RngExt;
use rand_distr::StandardNormal;

use super::{Operator, ROUNDING, excluded};
use crate::vectors::{add_scaled, dot, norm};

/// A cone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cone {
    /// (u, t) with ‖u‖ <= t, so many coordinates with t last; at least 2.
    SecondOrder(usize),
    /// Positive semidefinite matrices of this order, 2 to 6.
    Semidefinite(usize),
}

impl Cone {
    /// Its number of coordinates.
    pub fn length(self) -> usize {
        match self {
            Cone::SecondOrder(size) => size,
            Cone::Semidefinite(order) => order * (order + 1) / 2,
        }
    }

    /// The operator's block: `l` holds that of P_L z, and gets z + P_K(2 l - z) - l.
    fn reflect(self, l: &mut [f64], z: &[f64]) {
        match self {
            Cone::SecondOrder(size) => {
                let reflected = |l: f64, z: f64| 2.0 * l - z;
                let last = size - 1;
                let head = (0..last).map(|i| reflected(l[i], z[i]).powi(2)).sum::<f64>().sqrt();
                let (scale, end) = projected(head, reflected(l[last], z[last]));
                for (l, &z) in l.iter_mut().zip(z).take(last) {
                    *l = z + scale * reflected(*l, z) - *l;
                }
                l[last] = z[last] + end - l[last];
            }
            Cone::Semidefinite(order) => on_matrices(order, Job::Reflect(l, z)),
        }
    }

    /// `block <-` its projection.
    fn project(self, block: &mut [f64]) {
        match self {
            Cone::SecondOrder(size) => {
                let (u, t) = block.split_at_mut(size - 1);
                let (scale, end) = projected(norm(u), t[0]);
                u.iter_mut().for_each(|u| *u *= scale);
                t[0] = end;
            }
            Cone::Semidefinite(order) => on_matrices(order, Job::Project(block)),
        }
    }

    /// The greatest vᵀx over x in the cone of size 1, which is t = 1 or trace 1: of (u, t) ‖u‖ + t, of a matrix its greatest eigenvalue.
    fn greatest(self, v: &[f64]) -> f64 {
        match self {
            Cone::SecondOrder(size) => norm(&v[..size - 1]) + v[size - 1],
            Cone::Semidefinite(order) => {
                let mut greatest = 0.0;
                on_matrices(order, Job::Greatest(v, &mut greatest));
                greatest
            }
        }
    }

    /// A point inside.
    fn inside(self, rng: &mut Rng, point: &mut Vec<f64>) {
        let first = point.len();
        match self {
            Cone::SecondOrder(size) => {
                point.extend((1..size).map(|_| rng.sample::<f64, _>(StandardNormal)));
                let length = norm(&point[first..]);
                point.push(length + rng.random_range(0.1..1.0));
            }
            Cone::Semidefinite(order) => {
                let factor: Vec<f64> = (0..order * order).map(|_| rng.sample(StandardNormal)).collect();
                let least = rng.random_range(0.1..1.0);
                for i in 0..order {
                    for j in 0..=i {
                        let rows = (&factor[i * order..(i + 1) * order], &factor[j * order..(j + 1) * order]);
                        let product = dot(rows.0, rows.1) / order as f64;
                        point.push(if i == j { product + least } else { SQRT_2 * product });
                    }
                }
            }
        }
    }
}

/// (s, t'): the projection of (u, t) with ‖u‖ = `head` on a cone is (s u, t').
fn projected(head: f64, t: f64) -> (f64, f64) {
    if head <= t {
        (1.0, t)
    } else if head <= -t {
        (0.0, 0.0)
    } else {
        let middle = 0.5 * (head + t);
        (middle / head, middle)
    }
}

/// What is to be done with a symmetric matrix.
enum Job<'a> {
    /// Project it.
    Project(&'a mut [f64]),
    /// [`Cone::reflect`].
    Reflect(&'a mut [f64], &'a [f64]),
    /// Find its greatest eigenvalue.
    Greatest(&'a [f64], &'a mut f64),
}

/// The matrices are of sizes that the compiler knows, so that nothing is allocated.
fn on_matrices(order: usize, job: Job<'_>) {
    match order {
        2 => on_matrix::<2>(job),
        3 => on_matrix::<3>(job),
        4 => on_matrix::<4>(job),
        5 => on_matrix::<5>(job),
        6 => on_matrix::<6>(job),
        _ => unreachable!("orders are checked when a program is made"),
    }
}

fn on_matrix<const N: usize>(job: Job<'_>)
where
    Const<N>: DimSub<U1>,
    DefaultAllocator: Allocator<DimDiff<Const<N>, U1>>,
{
    let matrix = |entry: &dyn Fn(usize) -> f64| {
        let mut columns = [[0.0; N]; N];
        for (at, (i, j)) in lower::<N>().enumerate() {
            let value = if i == j { entry(at) } else { entry(at) / SQRT_2 };
            (columns[i][j], columns[j][i]) = (value, value);
        }
        SymmetricEigen::<f64, Const<N>>::new(SMatrix::from(columns))
    };
    let positive = |eigen: SymmetricEigen<f64, Const<N>>, put: &mut dyn FnMut(usize, f64)| {
        for (at, (i, j)) in lower::<N>().enumerate() {
            let terms = (0..N).map(|k| {
                eigen.eigenvalues[k].max(0.0) * eigen.eigenvectors[(i, k)] * eigen.eigenvectors[(j, k)]
            });
            let sum: f64 = terms.sum();
            put(at, if i == j { sum } else { SQRT_2 * sum });
        }
    };
    match job {
        Job::Project(block) => {
            let eigen = matrix(&|at| block[at]);
            positive(eigen, &mut |at, value| block[at] = value);
        }
        Job::Reflect(l, z) => {
            let eigen = matrix(&|at| 2.0 * l[at] - z[at]);
            positive(eigen, &mut |at, value| l[at] = z[at] + value - l[at]);
        }
        Job::Greatest(block, greatest) => *greatest = matrix(&|at| block[at]).eigenvalues.max(),
    }
}

/// The entries of the lower triangle, row after row.
fn lower<const N: usize>() -> impl Iterator<Item = (usize, usize)> {
    (0..N).flat_map(|i| (0..=i).map(move |j| (i, j)))
}

/// The operator.
#[derive(Debug, Clone)]
pub struct ConeProgram {
    cones: Vec<Cone>,
    /// An orthonormal basis of the range of Aᵀ, in columns.
    basis: DMatrix<f64>,
    /// P_L 0, the least-norm solution of A x = b.
    nearest: Vec<f64>,
}

impl ConeProgram {
    /// A x = b within these cones; the rows of `matrix` have to be independent.
    ///
    /// # Panics
    /// If the rows are not, or if there are matrices of another order than 2 to 6.
    pub fn new(matrix: &DMatrix<f64>, right: &[f64], cones: Vec<Cone>) -> Self {
        for cone in &cones {
            assert!(
                !matches!(cone, Cone::Semidefinite(order) if !(2..=6).contains(order)),
                "matrices are of order 2 to 6"
            );
        }
        let factors = matrix.transpose().qr();
        // A = Rᵀ Qᵀ, so that the least-norm solution is Q R⁻ᵀ b.
        let (basis, upper) = (factors.q(), factors.r());
        let inner = upper.tr_solve_upper_triangular(&DVector::from_column_slice(right));
        let nearest = &basis * inner.expect("independent rows");
        ConeProgram { cones, nearest: nearest.as_slice().to_vec(), basis }
    }

    /// A random program of `rows` equations in these cones, infeasible by construction: some y has -Aᵀy inside K and bᵀy > 0.
    pub fn infeasible(rows: usize, cones: &[Cone], rng: &mut Rng) -> Self {
        let (mut matrix, y, mut right) = drawn(rows, cones, rng);
        // A gets a multiple of y in every column, so that Aᵀ y = s.
        let s: Vec<f64> = inside(cones, rng).iter().map(|s| -s).collect();
        let square = dot(&y, &y);
        for (mut column, s) in matrix.column_iter_mut().zip(s) {
            let off = s - column.iter().zip(&y).map(|(a, y)| a * y).sum::<f64>();
            column.iter_mut().zip(&y).for_each(|(a, y)| *a += off / square * y);
        }
        if dot(&right, &y) < 0.0 {
            right.iter_mut().for_each(|b| *b = -*b);
        }
        ConeProgram::new(&matrix, &right, cones.to_vec())
    }

    /// A random program with a solution inside K.
    pub fn feasible(rows: usize, cones: &[Cone], rng: &mut Rng) -> Self {
        let (matrix, _, _) = drawn(rows, cones, rng);
        let right = &matrix * DVector::from_vec(inside(cones, rng));
        ConeProgram::new(&matrix, right.as_slice(), cones.to_vec())
    }

    /// x_1 = 1 and x_2 = x_3 beside ‖(x_1, x_2)‖ <= x_3: the sets come as near as one likes and never meet, so that v = 0 is not attained.
    pub fn weakly_infeasible() -> Self {
        let matrix = DMatrix::from_row_slice(2, 3, &[1.0, 0.0, 0.0, 0.0, 1.0, -1.0]);
        ConeProgram::new(&matrix, &[1.0, 0.0], vec![Cone::SecondOrder(3)])
    }

    /// `out <- P_L z`.
    pub fn on_plane(&self, z: &[f64], out: &mut [f64]) {
        out.copy_from_slice(z);
        for q in self.basis.column_iter() {
            add_scaled(-dot(q.as_slice(), z), q.as_slice(), out);
        }
        add_scaled(1.0, &self.nearest, out);
    }

    /// `z <- P_K z`.
    pub fn on_cones(&self, z: &mut [f64]) {
        let mut rest = z;
        for cone in &self.cones {
            let (block, after) = rest.split_at_mut(cone.length());
            rest = after;
            cone.project(block);
        }
    }

    /// v and a point of L where it is attained, by projecting in turn; a check that does not use the operator.
    pub fn gap(&self, rounds: usize) -> (Vec<f64>, Vec<f64>) {
        let mut on_plane = self.nearest.clone();
        let mut on_cones = on_plane.clone();
        for _ in 0..rounds {
            on_cones.copy_from_slice(&on_plane);
            self.on_cones(&mut on_cones);
            let before = on_plane.clone();
            self.on_plane(&on_cones, &mut on_plane);
            if before == on_plane {
                break;
            }
        }
        (on_plane.iter().zip(&on_cones).map(|(l, k)| l - k).collect(), on_plane)
    }
}

/// A, y and b of independent normal numbers.
fn drawn(rows: usize, cones: &[Cone], rng: &mut Rng) -> (DMatrix<f64>, Vec<f64>, Vec<f64>) {
    let columns = cones.iter().map(|cone| cone.length()).sum();
    let mut normal = || rng.sample::<f64, _>(StandardNormal);
    let matrix = DMatrix::from_fn(rows, columns, |_, _| normal());
    let mut vector = || (0..rows).map(|_| normal()).collect::<Vec<f64>>();
    (matrix, vector(), vector())
}

/// A point inside all cones.
fn inside(cones: &[Cone], rng: &mut Rng) -> Vec<f64> {
    let mut point = Vec::new();
    cones.iter().for_each(|cone| cone.inside(rng, &mut point));
    point
}

impl Operator for ConeProgram {
    fn dimension(&self) -> usize {
        self.nearest.len()
    }

    fn apply(&self, z: &[f64], out: &mut [f64]) {
        self.on_plane(z, out);
        let (mut z, mut out) = (z, out);
        for cone in &self.cones {
            let (block, z_after) = z.split_at(cone.length());
            let (image, out_after) = out.split_at_mut(cone.length());
            (z, out) = (z_after, out_after);
            cone.reflect(image, block);
        }
    }

    /// The part of the displacement in the range of Aᵀ, scaled to bᵀy = 1.
    fn certificate(&self, displacement: &[f64], vector: &mut [f64], scratch: &mut [f64]) -> f64 {
        vector.fill(0.0);
        for q in self.basis.column_iter() {
            add_scaled(dot(q.as_slice(), displacement), q.as_slice(), vector);
        }
        let gain = dot(vector, &self.nearest);
        if gain.is_nan() || gain <= 0.0 {
            return 0.0;
        }
        vector.iter_mut().for_each(|v| *v /= gain);
        self.excluded_with(vector, scratch)
    }

    /// If x is in K and L, bᵀy = vᵀx is at most the greatest of its blocks' values times the sizes of x's, which are t or the trace. What of v is
    /// not in the range of Aᵀ proves nothing.
    fn excluded_with(&self, vector: &[f64], scratch: &mut [f64]) -> f64 {
        scratch.copy_from_slice(vector);
        for q in self.basis.column_iter() {
            add_scaled(-dot(q.as_slice(), vector), q.as_slice(), scratch);
        }
        let length = norm(vector);
        if norm(scratch) > 1e-9 * length {
            return 0.0;
        }
        let (mut rest, mut excess) = (vector, f64::NEG_INFINITY);
        for cone in &self.cones {
            let (block, after) = rest.split_at(cone.length());
            rest = after;
            excess = excess.max(cone.greatest(block));
        }
        excluded(dot(vector, &self.nearest), excess, ROUNDING * length)
    }

    fn proof(&self, _vector: &[f64], excluded: f64) -> String {
        match excluded {
            f64::INFINITY => "Aᵀy beyond the cones and bᵀy > 0: nothing in them has Ax = b".to_owned(),
            size => format!("no x in the cones has Ax = b and a sum of t and traces below {size:.0e}"),
        }
    }
}
