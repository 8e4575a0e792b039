//! What the problems of this family are made of: a true model, and for some a class of hypotheses that holds it.

use quire_core::{Result, Rng, Seeds};
use rand_distr::{Distribution, Gamma, StandardNormal};

use super::mixtures::Kernels;
use crate::finite::FiniteMdp;
use crate::solve::relative_value_iteration;
use crate::worlds::river_swim;

/// Where the truth is in the classes of [`random_kernels`] and [`perturbed_river_swims`].
pub const TRUTH: usize = 7;
/// Certainty of average rewards.
pub const TOLERANCE: f64 = 1e-10;
/// Sweeps that relative value iteration may take.
pub const SWEEPS: u64 = 1_000_000;
/// Standard deviation of the noise on log-probabilities of [`perturbed_river_swims`].
const PERTURBATION: f64 = 0.5;

/// A model of 3 states and 2 actions: `transitions` is `[3, 2, 3]`; any action in state 2 pays 1, action 0 in state 0 pays
/// 0.3.
pub fn kernel_model(transitions: &[f64]) -> Result<FiniteMdp> {
    FiniteMdp::from_dense(3, 2, transitions, vec![0.3, 0.0, 0.0, 0.0, 1.0, 1.0], vec![1.0, 0.0, 0.0])
}

/// 40 models of 3 states and 2 actions, each row of transitions 0.9 Dirichlet(1/2) + 0.1 uniform. Model [`TRUTH`] is the
/// true one; a class in which it has the greatest average reward is drawn again, since optimism finds it at once.
///
/// # Errors
/// None for a class drawn like this; the solver's are passed on.
pub fn random_kernels(seed: u64) -> Result<Vec<FiniteMdp>> {
    let mut rng = Seeds::new(seed).child("class").stream("kernels");
    loop {
        let models = (0..40).map(|_| random_kernel(&mut rng)).collect::<Result<Vec<_>>>()?;
        let gains = models
            .iter()
            .map(|model| Ok(relative_value_iteration(model, TOLERANCE, SWEEPS)?.gain))
            .collect::<Result<Vec<_>>>()?;
        if gains.iter().any(|&gain| gain > gains[TRUTH]) {
            return Ok(models);
        }
    }
}

fn random_kernel(rng: &mut Rng) -> Result<FiniteMdp> {
    let gamma = Gamma::new(0.5, 1.0).expect("both parameters are positive");
    let mut transitions = Vec::with_capacity(18);
    for _ in 0..6 {
        // Normalized gamma variables are Dirichlet.
        let row: [f64; 3] = std::array::from_fn(|_| gamma.sample(rng));
        let sum: f64 = row.iter().sum();
        transitions.extend(row.map(|p| 0.9 * p / sum + 0.1 / 3.0));
    }
    kernel_model(&transitions)
}

/// 4 kernels of 6 states and 3 actions, each row 0.9 Dirichlet(1/2) + 0.1 uniform, and weights θ from Dirichlet(1). Any action in
/// state 5 pays 1, action 0 in state 0 pays 0.3.
///
/// # Errors
/// None for kernels drawn like this.
pub fn kernel_mixture(seed: u64) -> Result<(Kernels, Vec<f64>)> {
    const STATES: usize = 6;
    const ACTIONS: usize = 3;
    let mut rng = Seeds::new(seed).child("mixture").stream("kernels");
    let mut dirichlet = |width: usize, shape: f64| -> Vec<f64> {
        let gamma = Gamma::new(shape, 1.0).expect("both parameters are positive");
        let row: Vec<f64> = (0..width).map(|_| gamma.sample(&mut rng)).collect();
        let sum: f64 = row.iter().sum();
        row.iter().map(|x| x / sum).collect()
    };
    let mut rewards = vec![0.0; STATES * ACTIONS];
    rewards[0] = 0.3;
    rewards[(STATES - 1) * ACTIONS..].fill(1.0);
    let mut start = vec![0.0; STATES];
    start[0] = 1.0;
    let kernels = (0..4).map(|_| {
        let uniform = 1.0 / STATES as f64;
        let rows = (0..STATES * ACTIONS).flat_map(|_| dirichlet(STATES, 0.5));
        let transitions: Vec<f64> = rows.map(|p| 0.9 * p + 0.1 * uniform).collect();
        FiniteMdp::from_dense(STATES, ACTIONS, &transitions, rewards.clone(), start.clone())
    });
    let kernels = Kernels::new(kernels.collect::<Result<_>>()?)?;
    Ok((kernels, dirichlet(4, 1.0)))
}

/// 200 RiverSwims of 6 states. Model [`TRUTH`] is RiverSwim itself; in the others each probability of swimming right is
/// multiplied by exp(0.5 z), z standard normal, and the row normalized. Swimming left is certain in all of them.
///
/// # Errors
/// None for a class drawn like this.
pub fn perturbed_river_swims(seed: u64) -> Result<Vec<FiniteMdp>> {
    let mut rng = Seeds::new(seed).child("class").stream("river-swims");
    let truth = river_swim(6)?;
    let perturbed = |index| {
        let rows = (0..12).map(|pair| {
            let (next, probability) = truth.row(pair / 2, pair % 2);
            let weight = |&p: &f64| {
                let noise: f64 = StandardNormal.sample(&mut rng);
                if index == TRUTH || pair % 2 == 0 { p } else { p * (PERTURBATION * noise).exp() }
            };
            let weights: Vec<f64> = probability.iter().map(weight).collect();
            let sum: f64 = weights.iter().sum();
            next.iter().zip(weights).map(|(&next, weight)| (next as usize, weight / sum)).collect()
        });
        let rows: Vec<Vec<(usize, f64)>> = rows.collect();
        FiniteMdp::from_rows(6, 2, rows, truth.rewards().to_vec(), truth.start().to_vec())
    };
    (0..200).map(perturbed).collect()
}

/// A square grid of `side` x `side` without slips, walked for ever: from the top left corner to the bottom right, where any
/// action pays 1 and leads back to the start. Actions are stay, up, down, left, right; a move against the border stays.
///
/// The optimal average reward is 1/(2 side - 1): 2 (side - 1) moves and the step that is paid.
///
/// # Errors
/// A side of less than 2 has no moves.
pub fn goal_grid(side: usize) -> Result<FiniteMdp> {
    if side < 2 {
        return Err(quire_core::Error::option("side", format!("must be at least 2; got {side}")));
    }
    let states = side * side;
    let rows = (0..5 * states).map(|pair| {
        let (row, column, action) = (pair / 5 / side, pair / 5 % side, pair % 5);
        let next = match action {
            _ if pair / 5 == states - 1 => 0,
            1 => row.saturating_sub(1) * side + column,
            2 => (row + 1).min(side - 1) * side + column,
            3 => row * side + column.saturating_sub(1),
            4 => row * side + (column + 1).min(side - 1),
            _ => pair / 5,
        };
        vec![(next, 1.0)]
    });
    let mut rewards = vec![0.0; 5 * states];
    rewards[5 * (states - 1)..].fill(1.0);
    let mut start = vec![0.0; states];
    start[0] = 1.0;
    FiniteMdp::from_rows(states, 5, rows, rewards, start)
}
