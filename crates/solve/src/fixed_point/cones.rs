//! Douglas & Rachford's operator T z = z + P_K(2 P_L z - z) - P_L z for a second-order cone program without an objective: find x in K with A x = b.
//!
//! K is a product of cones {(u, t): ‖u‖ <= t}, L the solutions of A x = b. The displacement tends to the gap v = l - k between L and K. As K
//! is a cone and L affine, v = Aᵀy with -v in K and bᵀy = ‖v‖² > 0: for x in K and L it would be bᵀy = vᵀx <= 0.

use nalgebra::{DMatrix, DVector};
use quire_core::Rng;
use rand::RngExt;
use rand_distr::StandardNormal;

use super::{Certificate, EXCLUDED, Operator};
use crate::vectors::{add_scaled, dot, norm};

/// The operator.
#[derive(Debug, Clone)]
pub struct ConeProgram {
    /// Numbers of coordinates of the cones, t last; each at least 2.
    cones: Vec<usize>,
    /// An orthonormal basis of the range of Aᵀ, in columns.
    basis: DMatrix<f64>,
    /// P_L 0, the least-norm solution of A x = b.
    nearest: Vec<f64>,
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

impl ConeProgram {
    /// A x = b within these cones; the rows of `matrix` have to be independent.
    pub fn new(matrix: &DMatrix<f64>, right: &[f64], cones: Vec<usize>) -> Self {
        let factors = matrix.transpose().qr();
        // A = Rᵀ Qᵀ, so that the least-norm solution is Q R⁻ᵀ b.
        let (basis, upper) = (factors.q(), factors.r());
        let inner = upper.tr_solve_upper_triangular(&DVector::from_column_slice(right));
        let nearest = &basis * inner.expect("independent rows");
        ConeProgram { cones, nearest: nearest.as_slice().to_vec(), basis }
    }

    /// A random program of `rows` equations in `count` cones of `size` coordinates, infeasible by construction: some y has -Aᵀy inside K and bᵀy > 0.
    pub fn infeasible(rows: usize, count: usize, size: usize, rng: &mut Rng) -> Self {
        let (mut matrix, y, mut right) = drawn(rows, count * size, rng);
        // A gets a multiple of y in every column, so that Aᵀ y = s.
        let s: Vec<f64> = inside(count, size, rng).iter().map(|s| -s).collect();
        let square = dot(&y, &y);
        for (mut column, s) in matrix.column_iter_mut().zip(s) {
            let off = s - column.iter().zip(&y).map(|(a, y)| a * y).sum::<f64>();
            column.iter_mut().zip(&y).for_each(|(a, y)| *a += off / square * y);
        }
        if dot(&right, &y) < 0.0 {
            right.iter_mut().for_each(|b| *b = -*b);
        }
        ConeProgram::new(&matrix, &right, vec![size; count])
    }

    /// A random program with a solution inside K.
    pub fn feasible(rows: usize, count: usize, size: usize, rng: &mut Rng) -> Self {
        let (matrix, _, _) = drawn(rows, count * size, rng);
        let right = &matrix * DVector::from_vec(inside(count, size, rng));
        ConeProgram::new(&matrix, right.as_slice(), vec![size; count])
    }

    /// x_1 = 1 and x_2 = x_3 beside ‖(x_1, x_2)‖ <= x_3: the sets come as near as one likes and never meet, so that v = 0 is not attained.
    pub fn weakly_infeasible() -> Self {
        let matrix = DMatrix::from_row_slice(2, 3, &[1.0, 0.0, 0.0, 0.0, 1.0, -1.0]);
        ConeProgram::new(&matrix, &[1.0, 0.0], vec![3])
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
        for &size in &self.cones {
            let (block, after) = rest.split_at_mut(size);
            rest = after;
            let (u, t) = block.split_at_mut(size - 1);
            let (scale, end) = projected(norm(u), t[0]);
            u.iter_mut().for_each(|u| *u *= scale);
            t[0] = end;
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
fn drawn(rows: usize, columns: usize, rng: &mut Rng) -> (DMatrix<f64>, Vec<f64>, Vec<f64>) {
    let mut normal = || rng.sample::<f64, _>(StandardNormal);
    let matrix = DMatrix::from_fn(rows, columns, |_, _| normal());
    let mut vector = || (0..rows).map(|_| normal()).collect::<Vec<f64>>();
    (matrix, vector(), vector())
}

/// A point inside all cones.
fn inside(count: usize, size: usize, rng: &mut Rng) -> Vec<f64> {
    let mut point = Vec::with_capacity(count * size);
    for _ in 0..count {
        let first = point.len();
        point.extend((1..size).map(|_| rng.sample::<f64, _>(StandardNormal)));
        let length = norm(&point[first..]);
        point.push(length + rng.random_range(0.1..1.0));
    }
    point
}

impl Operator for ConeProgram {
    fn dimension(&self) -> usize {
        self.nearest.len()
    }

    fn apply(&self, z: &[f64], out: &mut [f64]) {
        self.on_plane(z, out);
        let (mut z, mut out) = (z, out);
        for &size in &self.cones {
            let (block, z_after) = z.split_at(size);
            let (image, out_after) = out.split_at_mut(size);
            (z, out) = (z_after, out_after);
            // The reflection 2 l - z, projected on the cone: z + P_K(2 l - z) - l.
            let reflected = |l: f64, z: f64| 2.0 * l - z;
            let pairs = image.iter().zip(block).take(size - 1);
            let head = pairs.map(|(&l, &z)| reflected(l, z).powi(2)).sum::<f64>().sqrt();
            let last = size - 1;
            let (scale, end) = projected(head, reflected(image[last], block[last]));
            for (l, &z) in image.iter_mut().zip(block).take(last) {
                *l = z + scale * reflected(*l, z) - *l;
            }
            image[last] = block[last] + end - image[last];
        }
    }

    /// The part of the displacement in the range of Aᵀ, scaled to bᵀy = 1.
    fn certificate(&self, displacement: &[f64]) -> Option<Certificate> {
        let mut vector = vec![0.0; displacement.len()];
        for q in self.basis.column_iter() {
            add_scaled(dot(q.as_slice(), displacement), q.as_slice(), &mut vector);
        }
        let gain = dot(&vector, &self.nearest);
        if gain.is_nan() || gain <= 0.0 {
            return None;
        }
        vector.iter_mut().for_each(|v| *v /= gain);
        let excluded = self.excluded(&vector);
        (excluded > EXCLUDED).then(|| Certificate {
            vector,
            proof: match excluded {
                f64::INFINITY => "Aᵀy beyond the cones and bᵀy > 0: nothing in them has Ax = b".to_owned(),
                _ => format!("no x in the cones of sum t below {excluded:.0e} has Ax = b"),
            },
        })
    }

    /// If x is in K and L, bᵀy = vᵀx <= max(‖u‖ - t) Σ x_t, over the cones' blocks (u, t) of -v. What of v is not in the range of Aᵀ proves nothing.
    fn excluded(&self, vector: &[f64]) -> f64 {
        let mut outside = vector.to_vec();
        for q in self.basis.column_iter() {
            add_scaled(-dot(q.as_slice(), vector), q.as_slice(), &mut outside);
        }
        let gain = dot(vector, &self.nearest);
        if norm(&outside) > 1e-9 * norm(vector) || gain.is_nan() || gain <= 0.0 {
            return 0.0;
        }
        let (mut rest, mut excess) = (vector, 0.0_f64);
        for &size in &self.cones {
            let (block, after) = rest.split_at(size);
            rest = after;
            excess = excess.max(norm(&block[..size - 1]) + block[size - 1]);
        }
        gain / excess
    }
}
