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

/// min_q Σ q V over the distributions q with KL(q ‖ p) ≤ `radius`, in nats, by the dual
///
/// > max_{α ≥ 0} -α ln Σ p exp(-V/α) - α radius
///
/// which is concave in α. `p` and `values` are `[S]`. Accurate to about 1e-9 of the values' range.
pub fn worst_case_kl(p: &[f64], values: &[f64], radius: f64) -> f64 {
    let reached = |(p, v): (&f64, &f64)| if *p > 0.0 { Some(*v) } else { None };
    let least = p.iter().zip(values).filter_map(reached).fold(f64::INFINITY, f64::min);
    let greatest = p.iter().zip(values).filter_map(reached).fold(f64::NEG_INFINITY, f64::max);
    let mean: f64 = p.iter().zip(values).map(|(p, v)| p * v).sum();
    let range = greatest - least;
    if range == 0.0 || radius == 0.0 {
        return mean;
    }
    // Relative to the least value, so that exponents are at most 0. At α = 0 the dual is the least value.
    let dual = |alpha: f64| {
        let sum: f64 = p.iter().zip(values).map(|(p, v)| p * (-(v - least) / alpha).exp()).sum();
        least - alpha * (sum.ln() + radius)
    };
    // Beyond α = range/radius the dual is below the least value.
    let (mut low, mut high) = (0.0, range / radius);
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut a, mut b) = (high - golden * (high - low), low + golden * (high - low));
    let (mut at_a, mut at_b) = (dual(a), dual(b));
    for _ in 0..80 {
        if at_a < at_b {
            (low, a, at_a) = (a, b, at_b);
            b = low + golden * (high - low);
            at_b = dual(b);
        } else {
            (high, b, at_b) = (b, a, at_a);
            a = high - golden * (high - low);
            at_a = dual(a);
        }
    }
    at_a.max(at_b).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let kl = worst_case_kl(&p, &v, radius);
            assert!(
                kl <= by_divergence + 1e-9 && kl > by_divergence - 0.003,
                "{radius}: {kl} {by_divergence}"
            );
        }
        // A radius that any distribution on the support is within: the least value, but not of a state beyond the support.
        assert!((worst_case_kl(&p, &v, 9.0) - 1.0).abs() < 1e-9);
        assert!((worst_case_kl(&[0.5, 0.0, 0.5], &v, 9.0) - 2.0).abs() < 1e-9);
        assert_eq!(worst_case_kl(&p, &[2.0; 3], 0.3), 2.0);
    }
}
