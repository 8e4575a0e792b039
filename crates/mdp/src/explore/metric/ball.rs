//! The world `ball-2d`: a point walks in the unit disc, and only a region up and to the right pays.
//!
//! Episodes of 30 steps start in the middle. An action moves the point by 0.05 right, left, up or down, normal noise of
//! deviation 0.01 in both coordinates is added, and a point beyond the rim is put back onto it. Being at s pays
//! max(0, 1 - ‖s - (½, ½)‖ / c), c = ½ · ½√2: nothing in the middle, 1 in the centre of the region.
//!
//! Source: the ball environment of O. D. Domingues et al., *Kernel-based reinforcement learning*, 2021, arXiv:2004.05599, as in
//! the metric experiments of arXiv:2310.18186; the numbers are from memory.

use quire_core::Rng;
use rand::RngExt;
use rand_distr::StandardNormal;

/// Steps of an episode H.
pub const HORIZON: usize = 30;
/// The moves.
pub const MOVES: [[f64; 2]; 4] = [[0.05, 0.0], [-0.05, 0.0], [0.0, 0.05], [0.0, -0.05]];
/// Deviation of the noise.
pub const NOISE: f64 = 0.01;
/// Where most is paid.
const CENTRE: [f64; 2] = [0.5, 0.5];
/// The greatest distance from there that pays.
const REACH: f64 = 0.5 * std::f64::consts::FRAC_1_SQRT_2;
/// The optimal expected return: value iteration on grids of 81, 161 and 321 points a side gives 13.499, 13.581 and 13.590.
pub const OPTIMAL_RETURN: f64 = 13.591;

/// The reward at a point.
pub fn reward(point: [f64; 2]) -> f64 {
    (1.0 - (point[0] - CENTRE[0]).hypot(point[1] - CENTRE[1]) / REACH).max(0.0)
}

/// A point beyond the rim, put back onto it.
pub fn into_disc(point: [f64; 2]) -> [f64; 2] {
    let norm = point[0].hypot(point[1]);
    if norm > 1.0 { point.map(|x| x / norm) } else { point }
}

/// Where an action leads from a point.
pub fn step(point: [f64; 2], action: usize, rng: &mut Rng) -> [f64; 2] {
    let mut moved = |axis: usize| {
        let noise: f64 = rng.sample(StandardNormal);
        point[axis] + MOVES[action][axis] + NOISE * noise
    };
    into_disc([moved(0), moved(1)])
}

/// A point as coordinates in [0, 1].
pub fn coordinates(point: [f64; 2]) -> [f64; 2] {
    point.map(|x| 0.5 * (x + 1.0))
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;

    #[test]
    fn rewards_and_moves() {
        assert_eq!((reward([0.5, 0.5]), reward([0.0, 0.0]), reward([-1.0, 0.0])), (1.0, 0.0, 0.0));
        assert!((reward([0.5, 0.5 - 0.5 * REACH]) - 0.5).abs() < 1e-12);
        assert_eq!(into_disc([3.0, 4.0]), [0.6, 0.8]);
        assert_eq!(coordinates([-1.0, 0.5]), [0.0, 0.75]);
        let mut rng = Seeds::new(0).stream("ball");
        let count = 20_000;
        let (mut sum, mut squares) = ([0.0; 2], [0.0; 2]);
        for _ in 0..count {
            let next = step([0.2, -0.1], 1, &mut rng);
            for axis in 0..2 {
                sum[axis] += next[axis];
                squares[axis] += (next[axis] - [0.15, -0.1][axis]).powi(2);
            }
        }
        let n = f64::from(count);
        assert!((sum[0] / n - 0.15).abs() < 5e-4 && (sum[1] / n + 0.1).abs() < 5e-4);
        assert!(squares.iter().all(|square| ((square / n).sqrt() - NOISE).abs() < 3e-4));
    }

    /// Value iteration on a grid with bilinear interpolation, noise by Gauss and Hermite's three points.
    #[test]
    fn the_optimum_by_value_iteration() {
        const SIDE: usize = 161;
        let spacing = 2.0 / (SIDE - 1) as f64;
        let at = |i: usize| i as f64 * spacing - 1.0;
        let nodes = [(-3.0_f64.sqrt(), 1.0 / 6.0), (0.0, 2.0 / 3.0), (3.0_f64.sqrt(), 1.0 / 6.0)];
        let interpolate = |values: &[f64], point: [f64; 2]| {
            let place = point.map(|x| ((x + 1.0) / spacing).clamp(0.0, (SIDE - 1) as f64 - 1e-9));
            let (i, j) = (place[0] as usize, place[1] as usize);
            let (a, b) = (place[0] - i as f64, place[1] - j as f64);
            let value = |i: usize, j: usize| values[i * SIDE + j];
            (1.0 - a) * ((1.0 - b) * value(i, j) + b * value(i, j + 1))
                + a * ((1.0 - b) * value(i + 1, j) + b * value(i + 1, j + 1))
        };
        let mut values = vec![0.0; SIDE * SIDE];
        for _ in 0..HORIZON {
            let backed_up = |index: usize| {
                let point = [at(index / SIDE), at(index % SIDE)];
                let follow = |movement: &[f64; 2]| -> f64 {
                    let noisy = |(x, p): (f64, f64), (y, q): (f64, f64)| {
                        let next = [point[0] + movement[0] + NOISE * x, point[1] + movement[1] + NOISE * y];
                        p * q * interpolate(&values, into_disc(next))
                    };
                    nodes.iter().flat_map(|x| nodes.iter().map(move |y| noisy(*x, *y))).sum()
                };
                reward(point) + MOVES.iter().map(follow).fold(0.0, f64::max)
            };
            values = (0..SIDE * SIDE).map(backed_up).collect();
        }
        let found = values[SIDE / 2 * SIDE + SIDE / 2];
        // Five points of noise in place of three give 13.581.
        assert!((found - 13.574).abs() < 2e-3 && (found - OPTIMAL_RETURN).abs() < 0.02, "{found}");
    }
}
