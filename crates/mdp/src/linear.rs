//! Linear MDPs: rewards and transition probabilities that are linear in known features.
//!
//! > r_h(s, a) = φ(s, a)·θ_h,  P_h(s' | s, a) = φ(s, a)·μ_h(s')
//!
//! so that r + P V is linear in φ for every V (Jin, Yang, Wang & Jordan 2020, arXiv:1907.05388).

use std::sync::Arc;

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use quire_core::{Error, Result};

use crate::finite::FiniteMdp;
use crate::staged::StagedMdp;

/// The features φ(s, a) of all pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    dimension: usize,
    /// `[S, A, d]`.
    values: Vec<f64>,
    /// Whether each pair has its own feature and no other, which makes every Gram matrix diagonal.
    is_one_hot: bool,
}

impl Features {
    /// From `values`, `[S, A, d]`, with `dimension` = d.
    ///
    /// # Errors
    /// A shape that does not fit, or a number that is not finite.
    pub fn new(dimension: usize, values: Vec<f64>) -> Result<Self> {
        if dimension == 0 || values.is_empty() || !values.len().is_multiple_of(dimension) {
            return Err(Error::Usage(format!(
                "{} numbers do not make features of {dimension} dimensions",
                values.len()
            )));
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(Error::Usage(format!("the features of pair {} are not finite", at / dimension))),
            None => Ok(Features { dimension, values, is_one_hot: false }),
        }
    }

    /// One feature a pair, which makes every MDP a linear one.
    pub fn one_hot(pairs: usize) -> Self {
        let values = (0..pairs * pairs).map(|at| f64::from(u8::from(at / pairs == at % pairs))).collect();
        Features { dimension: pairs, values, is_one_hot: true }
    }

    /// The number of features d.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Whether they are those of [`Features::one_hot`]: every Gram matrix is diagonal then.
    pub fn is_one_hot(&self) -> bool {
        self.is_one_hot
    }

    /// The number of state-action pairs.
    pub fn pairs(&self) -> usize {
        self.values.len() / self.dimension
    }

    /// φ of a pair, numbered state times actions plus action; `[d]`.
    pub fn of(&self, pair: usize) -> &[f64] {
        &self.values[pair * self.dimension..][..self.dimension]
    }

    /// φ(z)·w of all pairs.
    pub fn dot(&self, weights: &[f64]) -> Vec<f64> {
        if self.is_one_hot {
            return weights.to_vec();
        }
        (0..self.pairs()).map(|pair| dot(self.of(pair), weights)).collect()
    }
}

/// The inner product of two vectors.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A Gram matrix Λ = Σ_k w_k x_k x_kᵀ + λ I, factored.
pub struct Gram(Cholesky<f64, Dyn>);

impl Gram {
    /// From vectors of `dimension` and their weights; `ridge` is λ.
    ///
    /// # Errors
    /// A matrix that is not positive definite, which λ > 0 and finite vectors rule out.
    pub fn new<'a>(
        dimension: usize,
        vectors: impl IntoIterator<Item = (&'a [f64], f64)>,
        ridge: f64,
    ) -> Result<Self> {
        let mut matrix = DMatrix::from_diagonal_element(dimension, dimension, ridge);
        for (vector, weight) in vectors.into_iter().filter(|(_, weight)| *weight != 0.0) {
            for (column, x) in vector.iter().enumerate().filter(|(_, x)| **x != 0.0) {
                for (row, y) in vector.iter().enumerate().skip(column) {
                    matrix[(row, column)] += weight * x * y;
                }
            }
        }
        Self::of(matrix)
    }

    /// From the matrix itself; only its lower triangle is read.
    ///
    /// # Errors
    /// As [`Gram::new`].
    pub fn of(matrix: DMatrix<f64>) -> Result<Self> {
        let singular = || Error::Failed("a Gram matrix of features is singular; use a larger ridge".into());
        Cholesky::new(matrix).map(Gram).ok_or_else(singular)
    }

    /// Λ⁻¹ b.
    pub fn solve(&self, right: Vec<f64>) -> Vec<f64> {
        self.0.solve(&DVector::from_vec(right)).as_slice().to_vec()
    }

    /// ‖x‖_{Λ⁻¹} = (xᵀ Λ⁻¹ x)^½.
    pub fn norm(&self, vector: &[f64]) -> f64 {
        let factor = self.0.l_dirty();
        let mut squares = 0.0;
        let mut forward = vec![0.0; vector.len()];
        for row in 0..vector.len() {
            let known: f64 = (0..row).map(|column| factor[(row, column)] * forward[column]).sum();
            forward[row] = (vector[row] - known) / factor[(row, row)];
            squares += forward[row] * forward[row];
        }
        squares.sqrt()
    }

    /// L⁻ᵀ z, which is normal with covariance Λ⁻¹ if z is standard normal.
    pub fn whiten_inverse(&self, mut noise: Vec<f64>) -> Vec<f64> {
        let factor = self.0.l_dirty();
        for row in (0..noise.len()).rev() {
            let known: f64 = (row + 1..noise.len()).map(|below| factor[(below, row)] * noise[below]).sum();
            noise[row] = (noise[row] - known) / factor[(row, row)];
        }
        noise
    }
}

/// An episodic MDP that is linear in its features.
#[derive(Debug, Clone)]
pub struct LinearMdp {
    /// φ.
    pub features: Arc<Features>,
    /// The model that the features and weights make.
    pub mdp: StagedMdp,
}

impl LinearMdp {
    /// From features over `actions` actions a state and, a stage each, `rewards` θ_h (`[d]`) and `measures` μ_h (`[d, S]`).
    /// `start` is the distribution of the first state, `[S]`.
    ///
    /// # Errors
    /// Shapes that do not fit, or weights that make no probabilities.
    pub fn new(
        features: Features,
        actions: usize,
        stages: &[(Vec<f64>, Vec<f64>)],
        start: Vec<f64>,
    ) -> Result<Self> {
        let (states, dimension) = (start.len(), features.dimension());
        if features.pairs() != states * actions {
            return Err(Error::Usage(format!(
                "features of {} pairs do not fit {states} states and {actions} actions",
                features.pairs()
            )));
        }
        let stage = |(theta, measure): &(Vec<f64>, Vec<f64>)| {
            if theta.len() != dimension || measure.len() != dimension * states {
                return Err(Error::Usage(format!("weights of a stage do not fit {dimension} features")));
            }
            let mut transitions = vec![0.0; features.pairs() * states];
            for (pair, row) in transitions.chunks_exact_mut(states).enumerate() {
                for (weight, measure) in features.of(pair).iter().zip(measure.chunks_exact(states)) {
                    row.iter_mut().zip(measure).for_each(|(p, m)| *p += weight * m);
                }
            }
            FiniteMdp::from_dense(states, actions, &transitions, features.dot(theta), start.clone())
        };
        let mdp = StagedMdp::new(stages.iter().map(stage).collect::<Result<_>>()?)?;
        Ok(LinearMdp { features: Arc::new(features), mdp })
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    use super::*;

    #[test]
    fn a_gram_matrix_by_hand_and_by_its_inverse() {
        // Λ = 2 (1, 1)ᵀ(1, 1) + I = [[3, 2], [2, 3]], whose inverse is [[3, -2], [-2, 3]]/5.
        let gram = Gram::new(2, [(&[1.0, 1.0][..], 2.0)], 1.0).unwrap();
        let solved = gram.solve(vec![1.0, 0.0]);
        assert!((solved[0] - 0.6).abs() < 1e-15 && (solved[1] + 0.4).abs() < 1e-15);
        assert!((gram.norm(&[1.0, 0.0]) - 0.6_f64.sqrt()).abs() < 1e-15);
        assert!((gram.norm(&[1.0, 2.0]) - (7.0_f64 / 5.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn coloured_noise_has_the_inverse_gram_matrix_as_covariance() {
        let gram = Gram::new(2, [(&[1.0, 1.0][..], 2.0)], 1.0).unwrap();
        let mut rng = Seeds::new(0).stream("noise");
        let draws = 40_000;
        let mut moments = [0.0; 3];
        for _ in 0..draws {
            let z: Vec<f64> = (0..2).map(|_| rng.sample(StandardNormal)).collect();
            let x = gram.whiten_inverse(z);
            moments[0] += x[0] * x[0];
            moments[1] += x[0] * x[1];
            moments[2] += x[1] * x[1];
        }
        for (moment, expected) in moments.iter().zip([0.6, -0.4, 0.6]) {
            // The deviation of a product is below 0.9.
            assert!((moment / f64::from(draws) - expected).abs() < 5.0 * 0.9 / f64::from(draws).sqrt());
        }
    }

    #[test]
    fn weights_make_the_model() {
        let features = Features::new(2, vec![1.0, 0.0, 0.25, 0.75]).unwrap();
        let stage = (vec![0.2, 1.0], vec![1.0]);
        // One state only: each latent feature leads back to it.
        let linear = LinearMdp::new(features, 2, &[(stage.0.clone(), vec![1.0, 1.0])], vec![1.0]).unwrap();
        assert_eq!(linear.mdp.stage(0).rewards(), [0.2, 0.8]);
        let features = Features::new(2, vec![1.0, 0.0, 0.25, 0.75]).unwrap();
        assert!(LinearMdp::new(features.clone(), 2, &[stage], vec![1.0]).is_err());
        assert!(LinearMdp::new(features, 2, &[(vec![0.0; 2], vec![1.0, 2.0])], vec![1.0]).is_err());
        assert_eq!(Features::one_hot(3).of(1), [0.0, 1.0, 0.0]);
        assert!(Features::new(2, vec![1.0; 3]).is_err());
    }
}
