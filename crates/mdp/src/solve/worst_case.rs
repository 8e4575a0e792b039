//! The worst expectation over distributions near a given one.

/// min_q Σ q V over the distributions q with ½ ‖q - p‖₁ ≤ `radius`: mass `radius` is taken from the best states and given
/// to the worst. `p` and `values` are `[S]`.
pub fn worst_case_total_variation(p: &[f64], values: &[f64], radius: f64) -> f64 {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let mut expectation: f64 = p.iter().zip(values).map(|(p, v)| p * v).sum();
    let mut left = radius;
    for state in order {
        let moved = p[state].min(left);
        expectation -= moved * (values[state] - least);
        left -= moved;
    }
    expectation
}

/// Halvings of the interval of 1/λ, enough for every digit.
const HALVINGS: u32 = 100;

/// min_q Σ q V over the distributions q with KL(q ‖ p) ≤ `radius` (≥ 0, in nats); an outcome is (p, V), and each may come
/// more than once.
///
/// The dual is max_{λ ≥ 0} { -λ ln Σ p exp(-V/λ) - λ radius }. Its solution tilts p to q ∝ p exp(-V/λ); the tilt whose
/// divergence is the radius is found by bisection in 1/λ.
pub fn worst_case_kl(outcomes: impl Iterator<Item = (f64, f64)> + Clone, radius: f64) -> f64 {
    let outcomes = outcomes.filter(|(p, _)| *p > 0.0);
    let least = outcomes.clone().map(|(_, value)| value).fold(f64::INFINITY, f64::min);
    let at_least: f64 = outcomes.clone().filter(|(_, value)| *value == least).map(|(p, _)| p).sum();
    let mean: f64 = outcomes.clone().map(|(p, value)| p * value).sum();
    if radius == 0.0 || at_least >= 1.0 {
        return mean;
    }
    if radius >= -at_least.ln() {
        return least;
    }
    // The expectation above the least value, and the divergence, of the tilt p exp(-V/λ).
    let tilt = |inverse: f64| {
        let (mut normalizer, mut sum) = (0.0, 0.0);
        for (p, value) in outcomes.clone() {
            let weight = p * (-(value - least) * inverse).exp();
            normalizer += weight;
            sum += weight * (value - least);
        }
        let excess = sum / normalizer;
        (excess, -excess * inverse - normalizer.ln())
    };
    // The divergence grows with 1/λ, from 0 to -ln P(V = least), and its scale is that of the values.
    let mut high = 1.0 / (mean - least);
    while tilt(high).1 < radius {
        high *= 2.0;
    }
    let mut low = 0.0;
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if tilt(middle).1 < radius { low = middle } else { high = middle }
    }
    least + tilt(low).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kl(p: &[f64], values: &[f64], radius: f64) -> f64 {
        worst_case_kl(p.iter().copied().zip(values.iter().copied()), radius)
    }

    #[test]
    fn total_variation_by_hand() {
        let (p, v) = ([0.5, 0.3, 0.2], [3.0, 1.0, 2.0]);
        assert_eq!(worst_case_total_variation(&p, &v, 0.0), 2.2);
        // 0.1 of the mass moves from 3 to 1; 0.6: all of the 3 and half of the 2.
        assert!((worst_case_total_variation(&p, &v, 0.1) - 2.0).abs() < 1e-15);
        assert!((worst_case_total_variation(&p, &v, 0.6) - 1.1).abs() < 1e-15);
        assert!((worst_case_total_variation(&p, &v, 1.0) - 1.0).abs() < 1e-15);
    }

    /// Against all distributions of a fine grid on three states.
    #[test]
    fn no_distribution_in_the_ball_is_worse() {
        let (p, v) = ([0.5, 0.3, 0.2], [3.0, 1.0, 2.0]);
        for radius in [0.02, 0.2, 0.5] {
            let (mut by_variation, mut by_divergence) = (f64::INFINITY, f64::INFINITY);
            let cells = 1000;
            for i in 0..=cells {
                for j in 0..=cells - i {
                    let q = [i, j, cells - i - j].map(|n| f64::from(n) / f64::from(cells));
                    let value: f64 = q.iter().zip(v).map(|(q, v)| q * v).sum();
                    let distance: f64 = q.iter().zip(p).map(|(q, p)| 0.5 * (q - p).abs()).sum();
                    let terms = q.iter().zip(p).filter(|(q, _)| **q > 0.0);
                    let divergence: f64 = terms.map(|(q, p)| q * (q / p).ln()).sum();
                    if distance <= radius + 1e-12 {
                        by_variation = by_variation.min(value);
                    }
                    if divergence <= radius {
                        by_divergence = by_divergence.min(value);
                    }
                }
            }
            assert!((worst_case_total_variation(&p, &v, radius) - by_variation).abs() < 1e-9);
            let kl = kl(&p, &v, radius);
            assert!(
                kl <= by_divergence + 1e-9 && kl > by_divergence - 0.003,
                "{radius}: {kl} {by_divergence}"
            );
        }
        // A radius that any distribution on the support is within: the least value, but not of a state beyond the support.
        assert!((kl(&p, &v, 9.0) - 1.0).abs() < 1e-9);
        assert!((kl(&[0.5, 0.0, 0.5], &v, 9.0) - 2.0).abs() < 1e-9);
        assert!((kl(&p, &[2.0; 3], 0.3) - 2.0).abs() < 1e-15);
    }
}
