use std::collections::HashMap;

use quire_core::{Result, Rng, Seeds, state};

use super::categorical::Atoms;
use super::combination_lock::{self, Lock, right_at_the_end};
use super::density::Density;
use super::diffusion::Diffusion;
use super::distance::{Cells, total_variation, wasserstein};
use super::fle::Fle;
use super::mixture::{Covariance, Mixture};
use super::quantile::quantile_gradient;
use super::*;

fn rng(name: &str) -> Rng {
    Seeds::new(7).stream(name)
}

/// The law of the return from latent state 0.
#[test]
fn the_truth_of_the_lock() {
    assert!((right_at_the_end(0) - 0.51326).abs() < 5e-6);
    assert!((2.0 * right_at_the_end(0) - 1.0 - 0.0265).abs() < 5e-5);
    assert_eq!(right_at_the_end(9), 1.0);
    // By playing: reaching the end in state 0 from stage 4 takes five actions of the policy.
    let mut rng = rng("truth");
    let mut draws = Vec::new();
    let count = 40_000;
    (0..count).for_each(|_| Lock::Line.truth(5, &mut rng, &mut draws));
    let high = draws.iter().filter(|draw| **draw > 0.0).count() as f64 / f64::from(count);
    assert!((high - (13.0_f64 / 14.0).powi(5)).abs() < 0.01, "{high}");
    // The endless lock: 1 - 2 · 0.8^k with probability 1/14 (13/14)^(k-1), on average.
    let mut draws = Vec::new();
    (0..count).for_each(|_| Lock::Endless.truth(0, &mut rng, &mut draws));
    let mean = draws.iter().sum::<f64>() / f64::from(count);
    let exact: f64 =
        (1..200).map(|k| (1.0 - 2.0 * 0.8_f64.powi(k)) / 14.0 * (13.0_f64 / 14.0).powi(k - 1)).sum();
    assert!((mean - exact).abs() < 0.01, "{mean} for {exact}");
}

#[test]
fn what_is_seen_of_the_lock() {
    let mut rng = rng("observations");
    let data = Lock::Line.data(0, 50, &mut rng);
    assert_eq!((data.len(), data.states.len(), data.next.len()), (100, 3000, 3000));
    for (row, state) in data.states.chunks_exact(30).enumerate() {
        assert_eq!((state[row % 2], state[1 - row % 2]), (1.0, 0.0));
        assert_eq!(state[2..12], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert!(state[12..].iter().all(|noise| *noise != 0.0 && noise.abs() < 0.6));
        assert!(data.done[row]);
        let lost = row % 2 == 1 || data.actions[row] != 0;
        assert_eq!(data.rewards[row] < 0.0, lost);
    }
    let data = Lock::Plane.data(9, 50, &mut rng);
    assert!(data.rewards.iter().all(|r| *r == 0.0) && !data.done[0] && data.rewards.len() == 200);
    assert_eq!((data.states[2], data.next[3]), (1.0, 1.0));
    let mut probabilities = [0.0; 2];
    combination_lock::policy(&data.states[..30], &mut probabilities);
    assert!((probabilities[0] - 13.0 / 14.0).abs() < 1e-15 && (probabilities[1] - 1.0 / 14.0).abs() < 1e-15);
    combination_lock::policy(&data.states[30..60], &mut probabilities);
    assert_eq!(probabilities, [0.5, 0.5]);
}

/// Maximum likelihood over all laws on a finite support: the empirical law of each input.
#[derive(Default)]
struct Table {
    seen: HashMap<Vec<u32>, Vec<f32>>,
}

fn key(input: &[f32]) -> Vec<u32> {
    input.iter().map(|x| x.to_bits()).collect()
}

impl Density for Table {
    fn step(&mut self, inputs: &[f32], targets: &[f32], _rng: &mut Rng) {
        for (input, &target) in inputs.chunks_exact(2).zip(targets) {
            self.seen.entry(key(input)).or_default().push(target);
        }
    }

    fn sample(&mut self, inputs: &[f32], rng: &mut Rng, draws: &mut Vec<f64>) {
        for input in inputs.chunks_exact(2) {
            let seen = &self.seen[&key(input)];
            draws.push(f64::from(seen[rng.random_range(0..seen.len() as u32) as usize]));
        }
    }

    fn save(&self) -> Vec<u8> {
        state::encode("table", &self.seen)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.seen = state::decode("table", saved)?;
        Ok(())
    }
}

/// Two states, two actions, `fits` fits of `rows` rows; action a leads to state a, `reward` pays.
fn chain(fits: usize, rows: usize, discount: f64, reward: fn(usize, usize, &mut Rng) -> f32) -> Setting {
    let mut rng = rng("chain");
    let data = (0..fits).map(|fit| {
        let mut data = Logged::default();
        for row in 0..rows {
            let (state, action) = (row % 2, row / 2 % 2);
            data.states.push(state as f32);
            data.actions.push(action);
            data.rewards.push(reward(state, action, &mut rng));
            data.next.push(action as f32);
            data.done.push(fit == 0 && discount == 1.0);
        }
        data
    });
    Setting {
        width: 1,
        actions: 2,
        dimensions: 1,
        discount,
        data: data.map(Arc::new).collect(),
        policy: Arc::new(|state: &[f32], probabilities: &mut [f64]| {
            probabilities[0] = if state[0] == 0.0 { 0.25 } else { 0.5 };
            probabilities[1] = 1.0 - probabilities[0];
        }),
        seeds: Seeds::new(3),
    }
}

/// All fits of FLE with the empirical law, one pass over the rows each; draws from the last one at (0, 1).
fn fitted(setting: Setting, draws: usize) -> Vec<f64> {
    let (fits, rows) = (setting.data.len(), setting.data[0].len());
    let mut fle = Fle::with_density(setting, 1, rows, Box::new(|_| Ok(Box::new(Table::default()))));
    for _ in 0..fits {
        fle.begin().unwrap();
        assert!(!fle.step());
    }
    let mut found = Vec::new();
    fle.sample(fits - 1, &[0.0, 1.0].repeat(draws), &mut rng("draws"), &mut found);
    found
}

#[test]
fn with_a_finite_support_it_is_distributional_dynamic_programming() {
    // A fair coin a step, whatever is done: binomial after four.
    let coin = |_, _, rng: &mut Rng| f32::from(u8::from(rng.random_bool(0.5)));
    let found = fitted(chain(4, 20_000, 1.0, coin), 20_000);
    for (heads, expected) in [1.0, 4.0, 6.0, 4.0, 1.0].iter().map(|c| c / 16.0).enumerate() {
        let share = found.iter().filter(|draw| **draw == heads as f64).count() as f64 / 20_000.0;
        assert!((share - expected).abs() < 0.02, "{heads}: {share} for {expected}");
    }
}

#[test]
fn what_is_certain_is_a_point() {
    // The reward is the same everywhere: three of them.
    let found = fitted(chain(3, 400, 1.0, |_, _, _| 0.5), 200);
    assert!(found.iter().all(|draw| *draw == 1.5));
}

/// The mean of the law is what fitted Q-evaluation finds on the same data.
#[test]
fn its_mean_is_that_of_fitted_q_evaluation() {
    let reward = |state: usize, action: usize, rng: &mut Rng| {
        state as f32 + 0.5 * action as f32 + f32::from(u8::from(rng.random_bool(0.3)))
    };
    let setting = chain(5, 20_000, 1.0, reward);
    let mut q = [[0.0; 2]; 2];
    for data in &setting.data {
        let mut sums = [[(0.0, 0.0); 2]; 2];
        for row in 0..data.len() {
            let next = data.actions[row];
            let mut policy = [0.0; 2];
            (setting.policy)(&[next as f32], &mut policy);
            let later = if data.done[row] { 0.0 } else { policy[0] * q[next][0] + policy[1] * q[next][1] };
            let (sum, count) = &mut sums[data.states[row] as usize][data.actions[row]];
            *sum += f64::from(data.rewards[row]) + later;
            *count += 1.0;
        }
        q = sums.map(|row| row.map(|(sum, count)| sum / count));
    }
    let found = fitted(setting, 40_000);
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    assert!((mean - q[0][1]).abs() < 0.03, "{mean} for {}", q[0][1]);
}

#[test]
fn without_a_future_it_is_the_law_of_the_reward() {
    let coin = |state: usize, _, rng: &mut Rng| state as f32 + f32::from(u8::from(rng.random_bool(0.2)));
    let found = fitted(chain(2, 20_000, 0.0, coin), 20_000);
    assert!(found.iter().all(|draw| *draw == 0.0 || *draw == 1.0));
    let ones = found.iter().sum::<f64>() / 20_000.0;
    assert!((ones - 0.2).abs() < 0.015, "{ones}");
}

/// One component by maximum likelihood has the sample's mean and covariance, and its loss is the entropy of that normal law.
#[test]
fn one_component_is_mean_and_variance() {
    let mut rng = rng("component");
    for (d, covariances) in [(1, Covariance::Clamped), (2, Covariance::Clamped), (2, Covariance::Tanh)] {
        let z: Vec<f32> = (0..400)
            .flat_map(|_| {
                let (x, y) = (normal(&mut rng), normal(&mut rng));
                [0.5 + 0.3 * x, -0.4 + 0.2 * y + 0.15 * x]
                    .into_iter()
                    .take(d)
                    .map(|z| z as f32)
                    .collect::<Vec<_>>()
            })
            .collect();
        let count = z.len() as f64 / d as f64;
        let mean = |axis: usize| z[axis..].iter().step_by(d).map(|z| f64::from(*z)).sum::<f64>() / count;
        let covariance = |a: usize, b: usize| {
            let (mean_a, mean_b) = (mean(a), mean(b));
            z.chunks_exact(d).map(|z| (f64::from(z[a]) - mean_a) * (f64::from(z[b]) - mean_b)).sum::<f64>()
                / count
        };
        let mut model = Mixture::new(1, d, 1, covariances, &[8], 0.01, &mut rng).unwrap();
        let inputs = vec![1.0; 400];
        let mut loss = 0.0;
        (0..3000).for_each(|_| loss = model.fit(&inputs, &z));
        let determinant = if d == 1 {
            covariance(0, 0)
        } else {
            covariance(0, 0) * covariance(1, 1) - covariance(0, 1).powi(2)
        };
        let entropy = 0.5 * d as f64 * (1.0 + std::f64::consts::TAU.ln()) + 0.5 * determinant.ln();
        assert!((f64::from(loss) - entropy).abs() < 2e-3, "d = {d}: {loss} for {entropy}");
        let mut draws = Vec::new();
        model.sample(&[1.0; 50_000], &mut rng, &mut draws);
        for axis in 0..d {
            let drawn =
                |f: &dyn Fn(f64) -> f64| draws[axis..].iter().step_by(d).map(|z| f(*z)).sum::<f64>() / 5e4;
            assert!((drawn(&|z| z) - mean(axis)).abs() < 0.01);
            let variance = drawn(&|z| (z - mean(axis)).powi(2));
            assert!((variance / covariance(axis, axis) - 1.0).abs() < 0.05, "{variance}");
        }
        if d == 2 {
            let product = |z: &[f64]| (z[0] - mean(0)) * (z[1] - mean(1));
            let drawn = draws.chunks_exact(2).map(product).sum::<f64>() / 5e4;
            assert!((drawn - covariance(0, 1)).abs() < 0.003, "{drawn}");
        }
    }
}

/// Far from all components the logarithms still have a gradient, where densities of e⁻¹⁷⁰⁰ would be 0.
#[test]
fn densities_do_not_underflow() {
    let mut rng = rng("far");
    let mut model = Mixture::new(1, 1, 3, Covariance::Clamped, &[8], 0.05, &mut rng).unwrap();
    let first = model.fit(&[1.0; 8], &[60.0; 8]);
    let mut last = first;
    for _ in 0..500 {
        last = model.fit(&[1.0; 8], &[60.0; 8]);
    }
    assert!(first > 500.0 && last < 10.0, "{first}, {last}");
}

#[test]
fn diffusion_learns_two_modes() {
    let mut rng = rng("diffusion");
    let mut model = Diffusion::new(1, 1, 50, &[32, 32], 3e-3, &mut rng).unwrap();
    for _ in 0..1500 {
        let inputs: Vec<f32> = (0..128).map(|row| (row % 2) as f32).collect();
        // Input 0: ±1 evenly; input 1: always 1.
        let targets: Vec<f32> = (0..128)
            .map(|row| if row % 4 == 0 { -1.0 } else { 1.0 } + 0.1 * normal(&mut rng) as f32)
            .collect();
        model.step(&inputs, &targets, &mut rng);
    }
    let mut draw = |input: f32| {
        let mut draws = Vec::new();
        model.sample(&[input; 2000], &mut rng, &mut draws);
        let near = |mode: f64| draws.iter().filter(|z| (*z - mode).abs() < 0.5).count() as f64 / 2000.0;
        (near(-1.0), near(1.0))
    };
    let (low, high) = draw(0.0);
    assert!((low - 0.5).abs() < 0.1 && (high - 0.5).abs() < 0.1, "{low}, {high}");
    assert!(draw(1.0).1 > 0.9);
}

#[test]
fn distances_by_hand() {
    let cells = Cells { count: 4, greatest: 2.0, dimensions: 1 };
    assert_eq!(cells.histogram(&[-2.0, -0.5, 0.0, 5.0]), [0.25, 0.25, 0.25, 0.0, 0.25]);
    let plane = Cells { count: 2, greatest: 1.0, dimensions: 2 };
    assert_eq!(plane.histogram(&[-0.5, 0.5, 0.5, 0.5, 0.5, 9.0, -0.1, 0.1]), [0.0, 0.5, 0.0, 0.25, 0.25]);
    let (p, q) = ([0.5, 0.5, 0.0], [0.0, 0.25, 0.75]);
    assert_eq!(total_variation(&p, &p), 0.0);
    assert_eq!(total_variation(&[1.0, 0.0], &[0.0, 1.0]), 1.0);
    assert_eq!((total_variation(&p, &q), total_variation(&q, &p)), (0.75, 0.75));
    // Sorted, 1 and 3 against 2 and 6.
    assert_eq!(wasserstein(&mut [3.0, 1.0], &mut [2.0, 6.0]), 2.0);
}

#[test]
fn atoms_are_split_between_neighbours() {
    let line = Atoms { count: 5, greatest: 1.0, dimensions: 1 };
    assert_eq!(line.coordinate(1), -0.5);
    let mut target = vec![0.0; 5];
    // y = 0 with probability 1/2, y = 1 with 1/2; 0.25 + y: 0.25 and, cut off, 1.
    line.project(&[0.0, 0.0, 0.5, 0.0, 0.5], &[0.25], 1.0, &mut target);
    assert_eq!(target, [0.0, 0.0, 0.25, 0.25, 0.5]);
    let plane = Atoms { count: 3, greatest: 1.0, dimensions: 2 };
    let mut target = vec![0.0; 9];
    plane.project_point(&[0.5, -0.25], &mut target);
    assert_eq!(target, [0.0, 0.0, 0.0, 0.125, 0.375, 0.0, 0.125, 0.375, 0.0]);
    let mut moved = vec![0.0; 9];
    // The point (0, 0), moved by the same reward.
    plane.project(&[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], &[0.5, -0.25], 0.9, &mut moved);
    assert_eq!(moved, target);
}

#[test]
fn a_quantile_gradient_by_hand() {
    let mut gradient = [0.0; 2];
    // τ = 1/4 and 3/4; u = z - θ: 1 and -0.5 for θ = 0; -2 and -3.5 for θ = 3; κ = 1.
    quantile_gradient(&[0.0, 3.0], &[1.0, -0.5], 1.0, &mut gradient);
    assert!((gradient[0] - (-0.25 + 0.75 * 0.5) / 2.0).abs() < 1e-7, "{gradient:?}");
    assert!((gradient[1] - 0.25).abs() < 1e-7);
}

#[test]
fn batches_go_through_all_rows() {
    let mut batches = Batches::new(10);
    let mut rng = rng("batches");
    let mut seen: Vec<u32> = (0..2).flat_map(|_| batches.next(5, &mut rng).to_vec()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    assert_eq!(batches.next(99, &mut rng).len(), 10);
}
