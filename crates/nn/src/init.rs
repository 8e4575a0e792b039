//! How parameters start.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::Float;
use quire_core::Rng;

/// The distribution that parameters are drawn from at the start.
///
/// Weights are `[..., fan_in, fan_out]`: a weight of an ensemble `[E, in, out]` is drawn member by member.
/// Numbers are drawn in double precision, so that `f32` and `f64` parameters start equal up to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Init {
    /// All 0.
    Zeros,
    /// All equal to `value`.
    Constant {
        /// The value.
        value: f64,
    },
    /// Uniform on `[-bound, bound]`.
    Uniform {
        /// Half the width.
        bound: f64,
    },
    /// Normal with mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Uniform on `+- gain sqrt(6 / (fan_in + fan_out))` (Glorot & Bengio 2010).
    XavierUniform {
        /// Factor for the activation that follows: 1 for tanh and none, sqrt 2 for relu.
        gain: f64,
    },
    /// Uniform on `+- 1 / sqrt(fan_in)`: what PyTorch's `nn.Linear` and `nn.Conv2d` start from (He et al. 2015 with
    /// `a = sqrt 5`).
    KaimingUniform,
    /// Rows or columns orthonormal, times `gain` (Saxe et al. 2014): what most PPO codes start from.
    Orthogonal {
        /// Factor; PPO's custom is sqrt 2 in hidden layers, 0.01 for the policy's output, 1 for the value's.
        gain: f64,
    },
}

impl Init {
    /// Fills `values`, of this shape.
    pub fn fill<F: Float>(self, shape: &[usize], values: &mut [F], rng: &mut Rng) {
        let fan_out = shape.last().copied().unwrap_or(1);
        let fan_in = if shape.len() > 1 { shape[shape.len() - 2] } else { 1 };
        match self {
            Init::Zeros => values.fill(F::ZERO),
            Init::Constant { value } => values.fill(F::from_f64(value)),
            Init::Uniform { bound } => uniform(values, bound, rng),
            Init::Normal { std } => {
                for x in values {
                    let z: f64 = StandardNormal.sample(rng);
                    *x = F::from_f64(std * z);
                }
            }
            Init::XavierUniform { gain } => {
                uniform(values, gain * (6.0 / (fan_in + fan_out) as f64).sqrt(), rng);
            }
            Init::KaimingUniform => uniform(values, 1.0 / (fan_in as f64).sqrt(), rng),
            Init::Orthogonal { gain } => {
                for member in values.chunks_mut((fan_in * fan_out).max(1)) {
                    orthogonal(member, fan_in, fan_out, gain, rng);
                }
            }
        }
    }
}

fn uniform<F: Float>(values: &mut [F], bound: f64, rng: &mut Rng) {
    for x in values {
        *x = F::from_f64(bound * (2.0 * rng.random::<f64>() - 1.0));
    }
}

/// A uniformly random matrix with orthonormal rows or columns (whichever are fewer): Gram-Schmidt on normal vectors,
/// done twice for full accuracy.
fn orthogonal<F: Float>(out: &mut [F], rows: usize, columns: usize, gain: f64, rng: &mut Rng) {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut v: Vec<f64> = (0..length).map(|_| StandardNormal.sample(rng)).collect();
        for _ in 0..2 {
            for b in &basis {
                let dot: f64 = v.iter().zip(b).map(|(x, y)| x * y).sum();
                v.iter_mut().zip(b).for_each(|(x, y)| *x -= dot * y);
            }
        }
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        // A vector that lies in the span of the others has measure zero, but must not be divided by.
        if norm > 1e-8 {
            v.iter_mut().for_each(|x| *x /= norm);
            basis.push(v);
        }
    }
    for (k, b) in basis.iter().enumerate() {
        for (l, &x) in b.iter().enumerate() {
            let (i, j) = if rows <= columns { (k, l) } else { (l, k) };
            out[i * columns + j] = F::from_f64(gain * x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;

    #[test]
    fn orthogonal_matrices_are_orthogonal_member_by_member() {
        for (rows, columns) in [(5, 9), (9, 5), (6, 6)] {
            let mut w = vec![0.0f64; 2 * rows * columns];
            let init = Init::Orthogonal { gain: 2.0 };
            init.fill(&[2, rows, columns], &mut w, &mut Seeds::new(1).stream("init"));
            for member in w.chunks(rows * columns) {
                let n = rows.min(columns);
                for a in 0..n {
                    for b in 0..n {
                        let dot: f64 = (0..rows.max(columns))
                            .map(|l| {
                                if rows <= columns {
                                    member[a * columns + l] * member[b * columns + l]
                                } else {
                                    member[l * columns + a] * member[l * columns + b]
                                }
                            })
                            .sum();
                        assert!((dot - if a == b { 4.0 } else { 0.0 }).abs() < 1e-12);
                    }
                }
            }
            assert_ne!(w[0], w[rows * columns]);
        }
    }

    #[test]
    fn moments_are_those_asked_for() {
        let draw = |init: Init| {
            let mut w = vec![0.0f64; 400 * 100];
            init.fill(&[400, 100], &mut w, &mut Seeds::new(2).stream("init"));
            let n = w.len() as f64;
            let mean = w.iter().sum::<f64>() / n;
            let bound = w.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            (mean, (w.iter().map(|x| x * x).sum::<f64>() / n - mean * mean).sqrt(), bound)
        };
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 0.02;
        let (_, std, bound) = draw(Init::KaimingUniform);
        assert!(close(std, 0.05 / 3f64.sqrt()) && bound <= 0.05 && close(bound, 0.05));
        let (_, _, bound) = draw(Init::XavierUniform { gain: 2.0 });
        assert!(close(bound, 2.0 * (6.0f64 / 500.0).sqrt()));
        let (mean, std, _) = draw(Init::Normal { std: 0.3 });
        assert!(close(std, 0.3) && mean.abs() < 0.01);
    }
}
