//! Inverse covariances of the features that a policy meets: Σ⁺_h ≈ (γ I + E_π φ_h φ_hᵀ)⁻¹.
//!
//! | estimate | from M walks of a simulator |
//! |---|---|
//! | exact | none: the model itself |
//! | regularized mean | (γ I + 1/M Σ_m φ_m φ_mᵀ)⁻¹; of the order of ln(d)/γ walks will do |
//! | geometric resampling | the mean over repeats of c I + c Σ_{n ≤ N} Π_{n' ≤ n} (I - c (γ I + φ_{n'} φ_{n'}ᵀ)), a walk for each n', with c = 1/2 |
//!
//! The last has the mean (I - (I - c (γ I + Σ))^{N+1}) (γ I + Σ)⁻¹ and wants N of the order of ln(1/(ε γ))/γ walks for each of
//! 24 ln(d H K)/ε² repeats.
//!
//! Source: the regularized mean is of Y. Dai, H. Luo, C.-Y. Wei & J. Zimmert, arXiv:2301.12942; geometric resampling of G. Neu & J.
//! Olkhovskaya, *Efficient and robust algorithms for adversarial linear contextual bandits*, COLT 2020, arXiv:2002.00287.

use nalgebra::{DMatrix, DVector};
use quire_core::{Error, Result, Rng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::linear::Features;
use crate::policy::draw;
use crate::staged::StagedMdp;

/// c of geometric resampling.
const SHRINK: f64 = 0.5;

/// How Σ⁺ is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Covariance {
    /// From the model that the simulator is.
    Exact {},
    /// The inverse of a regularized mean.
    RegularizedMean {
        /// Walks M of every episode. Paper: of the order of ln(d)/γ.
        #[schemars(range(min = 1, max = 1_000_000))]
        walks: usize,
    },
    /// Matrix geometric resampling.
    GeometricResampling {
        /// Repeats that are averaged. Paper: 24 ln(d H K)/ε².
        #[schemars(range(min = 1, max = 1_000_000))]
        repeats: usize,
        /// Factors N of a product, a walk each. Paper: (2/γ) ln(1/(ε γ)).
        #[schemars(range(min = 1, max = 1_000_000))]
        factors: usize,
    },
}

/// The pairs of one walk under `policy`, `[H, S, A]`: fills `pairs`, a number `state * A + action` a stage.
pub fn walk(simulator: &StagedMdp, policy: &[f64], rng: &mut Rng, pairs: &mut [usize]) {
    let actions = simulator.actions();
    let mut state = simulator.sample_start(rng);
    for (stage, pair) in pairs.iter_mut().enumerate() {
        let row = (stage * simulator.states() + state) * actions;
        let action = draw(&policy[row..][..actions], rng);
        *pair = state * actions + action;
        if stage + 1 < simulator.horizon() {
            state = simulator.stage(stage).sample_next(state, action, rng);
        }
    }
}

/// `matrix += weight φ φᵀ`.
pub fn add_outer(matrix: &mut DMatrix<f64>, phi: &[f64], weight: f64) {
    for (column, x) in phi.iter().enumerate().filter(|(_, x)| **x != 0.0) {
        for (row, y) in phi.iter().enumerate() {
            matrix[(row, column)] += weight * x * y;
        }
    }
}

/// (γ I + Σ)⁻¹.
///
/// # Errors
/// A matrix that is not positive definite, which γ > 0 rules out but for rounding.
pub fn regularized_inverse(mut covariance: DMatrix<f64>, ridge: f64) -> Result<DMatrix<f64>> {
    for at in 0..covariance.nrows() {
        covariance[(at, at)] += ridge;
    }
    let singular =
        || Error::Diverged("the covariance of the features is singular; use a larger ridge".into());
    Ok(covariance.cholesky().ok_or_else(singular)?.inverse())
}

/// One repeat of geometric resampling: adds `weight` times c I + c Σ_n Z_n to `sum`; `next` fills the φ of the next walk.
pub fn geometric_resampling(
    sum: &mut DMatrix<f64>,
    ridge: f64,
    factors: usize,
    weight: f64,
    mut next: impl FnMut(&mut [f64]),
) {
    let d = sum.nrows();
    let mut product = DMatrix::<f64>::identity(d, d);
    let mut phi = DVector::zeros(d);
    *sum += &product * (weight * SHRINK);
    for _ in 0..factors {
        // Z ← Z (I - c γ I - c φ φᵀ).
        next(phi.as_mut_slice());
        let along = &product * &phi;
        product *= 1.0 - SHRINK * ridge;
        product.ger(-SHRINK, &along, &phi, 1.0);
        *sum += &product * (weight * SHRINK);
    }
}

impl Covariance {
    /// Σ⁺ of every stage for `policy`, `[H, S, A]`, into `inverses`; `occupancy`, of the same shape as the policy, is what the exact
    /// one goes by and nothing to the others.
    ///
    /// # Errors
    /// As [`regularized_inverse`].
    #[expect(clippy::too_many_arguments, reason = "a free function of all that a simulator gives")]
    pub fn inverses(
        &self,
        simulator: &StagedMdp,
        features: &Features,
        policy: &[f64],
        occupancy: &[f64],
        ridge: f64,
        rng: &mut Rng,
        inverses: &mut Vec<DMatrix<f64>>,
    ) -> Result<()> {
        let (d, horizon) = (features.dimension(), simulator.horizon());
        let mut sums = vec![DMatrix::zeros(d, d); horizon];
        let mut pairs = vec![0; horizon];
        match *self {
            Covariance::Exact {} => {
                for (sum, occupancy) in sums.iter_mut().zip(occupancy.chunks_exact(features.pairs())) {
                    for (pair, &weight) in occupancy.iter().enumerate() {
                        add_outer(sum, features.of(pair), weight);
                    }
                }
            }
            Covariance::RegularizedMean { walks } => {
                for _ in 0..walks {
                    walk(simulator, policy, rng, &mut pairs);
                    for (sum, &pair) in sums.iter_mut().zip(&pairs) {
                        add_outer(sum, features.of(pair), 1.0 / walks as f64);
                    }
                }
            }
            Covariance::GeometricResampling { repeats, factors } => {
                let mut walks = vec![0; factors * horizon];
                for _ in 0..repeats {
                    for pairs in walks.chunks_exact_mut(horizon) {
                        walk(simulator, policy, rng, pairs);
                    }
                    for (stage, sum) in sums.iter_mut().enumerate() {
                        let mut pairs = walks[stage..].iter().step_by(horizon);
                        geometric_resampling(sum, ridge, factors, 1.0 / repeats as f64, |phi| {
                            phi.copy_from_slice(features.of(*pairs.next().expect("a walk a factor")));
                        });
                    }
                }
                *inverses = sums;
                return Ok(());
            }
        }
        inverses.clear();
        for sum in sums {
            inverses.push(regularized_inverse(sum, ridge)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;
    use crate::adversarial::worlds::World;

    #[test]
    fn geometric_resampling_sums_a_geometric_series() {
        // d = 1, φ = 1, γ = 0: c Σ_{n ≤ N} 2⁻ⁿ = 1 - 2^{-(N+1)}.
        for factors in [0, 1, 4, 20] {
            let mut sum = DMatrix::zeros(1, 1);
            geometric_resampling(&mut sum, 0.0, factors, 1.0, |phi| phi[0] = 1.0);
            assert!((sum[(0, 0)] - (1.0 - 0.5_f64.powi(factors as i32 + 1))).abs() < 1e-15);
        }
    }

    #[test]
    fn geometric_resampling_has_the_mean_that_its_series_gives() {
        // φ is (1, 0) or (1, 1)/√2 with even chances: Σ = [[3, 1], [1, 1]]/4; γ = 0.1, N = 3.
        let (ridge, factors, repeats) = (0.1, 3, 40_000);
        let mut rng = Seeds::new(0).stream("walks");
        let mut mean = DMatrix::zeros(2, 2);
        for _ in 0..repeats {
            geometric_resampling(&mut mean, ridge, factors, 1.0 / f64::from(repeats), |phi| {
                let coin: bool = rand::RngExt::random(&mut rng);
                let root = 0.5_f64.sqrt();
                phi.copy_from_slice(&if coin { [1.0, 0.0] } else { [root, root] });
            });
        }
        let regularized = DMatrix::from_row_slice(2, 2, &[0.85, 0.25, 0.25, 0.35]);
        let identity = DMatrix::<f64>::identity(2, 2);
        let left = (&identity - &regularized * SHRINK).pow(factors as u32 + 1);
        let expected = (&identity - left) * regularized.try_inverse().unwrap();
        // Entries of one repeat deviate by less than 0.5.
        assert!((mean - expected).amax() < 5.0 * 0.5 / f64::from(repeats).sqrt());
    }

    #[test]
    fn all_estimates_tend_to_the_exact_inverse() {
        let world = World::dense(3).unwrap();
        let policy = vec![0.25; 2 * 12];
        let mut occupancy = vec![0.0; policy.len()];
        world.transitions.occupancy(&policy, &mut occupancy);
        let mut rng = Seeds::new(0).stream("walks");
        let mut inverses = |covariance: Covariance| {
            let (mut result, ridge) = (Vec::new(), 0.2);
            let (simulator, features) = (&world.transitions, &world.features);
            covariance
                .inverses(simulator, features, &policy, &occupancy, ridge, &mut rng, &mut result)
                .unwrap();
            result
        };
        let exact = inverses(Covariance::Exact {});
        let mean = inverses(Covariance::RegularizedMean { walks: 20_000 });
        let geometric = inverses(Covariance::GeometricResampling { repeats: 1_000, factors: 60 });
        for ((exact, mean), geometric) in exact.iter().zip(&mean).zip(&geometric) {
            let size = exact.amax();
            assert!((mean - exact).amax() < 0.05 * size);
            assert!((geometric - exact).amax() < 0.1 * size);
        }
    }
}
