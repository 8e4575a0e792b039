//! Follow the regularized leader over the actions of one state: argmin_p η p·L + Ψ(p).
//!
//! | regularizer Ψ | leader |
//! |---|---|
//! | Σ ln 1/p, the log barrier | p(a) = 1/(μ + η L(a)), with μ so that they sum to 1 |
//! | Σ p ln p, the negative entropy | p(a) ∝ exp(-η L(a)) |
//!
//! With p_t the leader of L = x_1 + … + x_{t-1}, the first has, for **any** losses x_t and any distribution y,
//!
//! > Σ_t (p_t - y)·x_t ≤ ( Ψ(y) - Ψ(p_1) )/η + η Σ_t Σ_a p_t(a) x_t(a)²
//!
//! while for the second the same bound, with ln A in place of the difference of Ψ, needs η x_t(a) ≥ -1.
//!
//! Source: Y. Dai, H. Luo, C.-Y. Wei & J. Zimmert, *Refined regret for adversarial MDPs with linear function approximation*, ICML
//! 2023, arXiv:2301.12942, the lemma on the log barrier.

/// The leader under the log barrier: fills `probabilities` from cumulative `losses`, both `[A]`.
///
/// With x = η (L - min L), λ = μ + η min L solves Σ 1/(λ + x) = 1 and lies in [1, A]. The sum falls and is convex in λ, so Newton's
/// steps from 1 rise to the root and never pass it.
pub fn log_barrier(learning_rate: f64, losses: &[f64], probabilities: &mut [f64]) {
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    probabilities.iter_mut().zip(losses).for_each(|(x, loss)| *x = learning_rate * (loss - least));
    let mut level = 1.0_f64;
    for _ in 0..64 {
        let (mut sum, mut slope) = (0.0, 0.0);
        for x in probabilities.iter() {
            let p = 1.0 / (level + x);
            sum += p;
            slope += p * p;
        }
        let step = (sum - 1.0) / slope;
        if step <= f64::EPSILON * level {
            break;
        }
        level += step;
    }
    let mut sum = 0.0;
    for x in probabilities.iter_mut() {
        *x = 1.0 / (level + *x);
        sum += *x;
    }
    // What rounding has left of the difference from 1.
    probabilities.iter_mut().for_each(|p| *p /= sum);
}

/// The leader under the negative entropy: fills `probabilities` from cumulative `losses`, both `[A]`.
pub fn exponential_weights(learning_rate: f64, losses: &[f64], probabilities: &mut [f64]) {
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let mut sum = 0.0;
    for (p, loss) in probabilities.iter_mut().zip(losses) {
        *p = (-learning_rate * (loss - least)).exp();
        sum += *p;
    }
    probabilities.iter_mut().for_each(|p| *p /= sum);
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;
    use rand::RngExt;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    fn leader(rule: fn(f64, &[f64], &mut [f64]), learning_rate: f64, losses: &[f64]) -> Vec<f64> {
        let mut probabilities = vec![0.0; losses.len()];
        rule(learning_rate, losses, &mut probabilities);
        probabilities
    }

    #[test]
    fn the_log_barriers_leader_by_hand() {
        let golden = leader(log_barrier, 1.0, &[0.0, 1.0]);
        assert!((golden[0] - 0.618_033_99).abs() < 5e-9 && (golden[1] - 0.381_966_01).abs() < 5e-9);
        let five = leader(log_barrier, 1.0, &[0.0, 1.0, 2.0, 3.0, 4.0]);
        let expected = [0.294_938_16, 0.227_762_35, 0.185_510_13, 0.156_481_27, 0.135_308_09];
        assert!(five.iter().zip(expected).all(|(p, q)| (p - q).abs() < 5e-9), "{five:?}");
        // Only differences count, whatever their size.
        let shifted = leader(log_barrier, 1.0, &[-1e6, -1e6 + 1.0]);
        assert!((shifted[0] - golden[0]).abs() < 1e-9);
        assert!(leader(log_barrier, 3.0, &[7.0; 4]).iter().all(|p| (p - 0.25).abs() < 1e-15));
        assert!(leader(log_barrier, 0.0, &[7.0, -2.0]).iter().all(|p| (p - 0.5).abs() < 1e-15));
        let extreme = leader(log_barrier, 1.0, &[0.0, 1e12, 1e12]);
        assert!((extreme.iter().sum::<f64>() - 1.0).abs() < 1e-12 && extreme[1] > 0.9e-12);
    }

    #[test]
    fn exponential_weights_by_hand() {
        let weights = leader(exponential_weights, 2.0, &[0.0, 3.0_f64.ln() / 2.0, 1e9]);
        assert!((weights[0] - 0.75).abs() < 1e-15 && (weights[1] - 0.25).abs() < 1e-15 && weights[2] == 0.0);
    }

    /// Both sides of the bound for losses x_1, x_2, ... against `rival`; `gap` is Ψ(y) - Ψ(p_1).
    fn sides(
        rule: fn(f64, &[f64], &mut [f64]),
        learning_rate: f64,
        losses: &[Vec<f64>],
        rival: &[f64],
        gap: f64,
    ) -> (f64, f64) {
        let mut sums = vec![0.0; rival.len()];
        let (mut left, mut right) = (0.0, gap / learning_rate);
        for loss in losses {
            let p = leader(rule, learning_rate, &sums);
            for (((p, y), x), sum) in p.iter().zip(rival).zip(loss).zip(&mut sums) {
                left += (p - y) * x;
                right += learning_rate * p * x * x;
                *sum += x;
            }
        }
        (left, right)
    }

    fn barrier_gap(rival: &[f64]) -> f64 {
        let uniform = rival.len() as f64;
        rival.iter().map(|y| -y.ln()).sum::<f64>() - uniform * uniform.ln()
    }

    #[test]
    fn one_very_negative_loss_breaks_the_bound_of_exponential_weights_only() {
        let mut losses = vec![vec![0.0, 0.01]; 700];
        losses.push(vec![0.0, -10.0]);
        let (left, right) = sides(exponential_weights, 1.0, &losses, &[0.0, 1.0], 2.0_f64.ln());
        assert!((left - 3.6856).abs() < 5e-5 && (right - 0.7912).abs() < 5e-5, "{left} {right}");
        let rival = [0.001, 0.999];
        let (left, right) = sides(log_barrier, 1.0, &losses, &rival, barrier_gap(&rival));
        assert!((left - 3.4719).abs() < 5e-5 && (right - 17.8244).abs() < 5e-5, "{left} {right}");
    }

    #[test]
    fn the_log_barriers_bound_holds_for_any_losses() {
        let mut rng = Seeds::new(0).stream("losses");
        for sequence in 0..200 {
            let learning_rate = 10.0_f64.powf(3.0 * rng.random::<f64>() - 2.0);
            let losses: Vec<Vec<f64>> = (0..200)
                .map(|_| {
                    let loss = |_| {
                        let normal: f64 = StandardNormal.sample(&mut rng);
                        // Heavy tails, those of a ratio of normal variables; every second sequence has gains only.
                        let other: f64 = StandardNormal.sample(&mut rng);
                        let heavy = normal / other;
                        if sequence % 2 == 0 { heavy } else { -heavy.abs() }
                    };
                    (0..5).map(loss).collect()
                })
                .collect();
            let total = |action: usize| losses.iter().map(|loss| loss[action]).sum::<f64>();
            let best = (0..5).min_by(|&a, &b| total(a).total_cmp(&total(b))).unwrap();
            let rival: Vec<f64> = (0..5).map(|action| if action == best { 0.996 } else { 0.001 }).collect();
            let (left, right) = sides(log_barrier, learning_rate, &losses, &rival, barrier_gap(&rival));
            assert!(left <= right, "{sequence}: {left} > {right}");
        }
    }
}
