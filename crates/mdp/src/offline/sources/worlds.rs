//! Targets, the sources that are perturbations of them, and what these log. All are ours.

use std::sync::Arc;

use quire_core::{Result, Rng, Seeds};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_distr::{Binomial, Distribution};

use super::Source;
use crate::finite::FiniteMdp;
use crate::linear::{Features, LinearMdp};
use crate::posterior::GammaTable;
use crate::staged::StagedMdp;

/// A target, its sources, and how they log.
#[derive(Debug, Clone)]
pub struct World {
    /// The mean of the sources.
    pub target: StagedMdp,
    /// The perturbed models.
    pub sources: Vec<StagedMdp>,
    /// φ(s, a), linear for the target and all sources.
    pub features: Arc<Features>,
    coverage: Coverage,
    seeds: Seeds,
}

/// Which source logs what.
#[derive(Debug, Clone)]
enum Coverage {
    /// All sources log the cells marked here (`[H, S, A]`), one random source each of the others.
    Marked(Vec<bool>),
    /// All log everything, but not equally often: between 1 and twice the number of samples, evenly drawn.
    Even,
    /// A source logs a cell with probability 1/2.
    Half,
}

/// E clip(x + U(-w, w), 0, 1) for `width` w: the mean of a perturbed reward.
pub fn clipped_mean(x: f64, width: f64) -> f64 {
    let lost = |over: f64| over.max(0.0).powi(2) / (4.0 * width);
    x - lost(x + width - 1.0) + lost(width - x)
}

fn perturbed(x: f64, width: f64, rng: &mut Rng) -> f64 {
    (x + width * (2.0 * rng.random::<f64>() - 1.0)).clamp(0.0, 1.0)
}

/// A stage from rewards (`[S, A]`) and dense transitions (`[S, A, S]`), episodes starting anywhere.
fn stage(states: usize, rewards: Vec<f64>, transitions: &[f64]) -> Result<FiniteMdp> {
    let start = vec![1.0 / states as f64; states];
    FiniteMdp::from_dense(states, rewards.len() / states, transitions, rewards, start)
}

/// `rows` distributions over `states`, each Dirichlet(`concentration` times that of `around`, or 1).
fn dirichlets(rows: usize, states: usize, around: Option<(&[f64], f64)>, rng: &mut Rng) -> Vec<f64> {
    let mut table = GammaTable::default();
    let mut all = match around {
        Some((means, concentration)) => means.iter().map(|p| concentration * p).collect(),
        None => vec![1.0; rows * states],
    };
    all.chunks_exact_mut(states).for_each(|row| table.dirichlet(row, rng));
    all
}

/// How a tabular world is drawn, stage by stage.
struct Recipe {
    states: usize,
    horizon: usize,
    /// Rewards perturbations are U(-width, width).
    width: f64,
    /// Sources' rows are Dirichlet(concentration P).
    concentration: f64,
}

impl Recipe {
    /// `draw` makes rewards before clipping (`[S, A]`) and transitions (`[S, A, S]`) of a stage of the target.
    fn world(
        &self,
        count: usize,
        coverage: Coverage,
        seed: u64,
        mut draw: impl FnMut() -> (Vec<f64>, Vec<f64>),
    ) -> Result<World> {
        let seeds = Seeds::new(seed).child("model");
        let stages: Vec<_> = (0..self.horizon).map(|_| draw()).collect();
        let mean = |(rewards, transitions): &(Vec<f64>, Vec<f64>)| {
            let rewards = rewards.iter().map(|&r| clipped_mean(r, self.width)).collect();
            stage(self.states, rewards, transitions)
        };
        let source = |index| {
            let mut rng = seeds.nth("source", index as u64).stream("perturbation");
            let one = |(rewards, transitions): &(Vec<f64>, Vec<f64>)| {
                let around = Some((&transitions[..], self.concentration));
                let transitions = dirichlets(rewards.len(), self.states, around, &mut rng);
                let rewards = rewards.iter().map(|&r| perturbed(r, self.width, &mut rng)).collect();
                stage(self.states, rewards, &transitions)
            };
            StagedMdp::new(stages.iter().map(one).collect::<Result<_>>()?)
        };
        let target = StagedMdp::new(stages.iter().map(mean).collect::<Result<_>>()?)?;
        Ok(World {
            features: Arc::new(Features::one_hot(target.states() * target.actions())),
            target,
            sources: (0..count).map(source).collect::<Result<_>>()?,
            coverage,
            seeds: Seeds::new(seed),
        })
    }
}

impl World {
    /// The trap: 5 states, 8 actions, 5 steps; one good action in each, with reward 0.7, that all sources log, and seven
    /// others with rewards between 0.3 and 0.5 that one random source logs each. Sources' rewards are off by up to 0.5, cut
    /// off at 0 and 1; their transitions are Dirichlet(3 P) around the target's, which are Dirichlet(1).
    ///
    /// # Errors
    /// None for a world drawn like this, as for all others here.
    pub fn trap(sources: usize, seed: u64) -> Result<World> {
        let (states, actions, horizon) = (5, 8, 5);
        let mut rng = Seeds::new(seed).child("model").stream("target");
        let mut good = vec![false; horizon * states * actions];
        good.chunks_exact_mut(actions).for_each(|row| row[rng.random_range(0..actions)] = true);
        let mut cells = good.clone().into_iter();
        let draw = || {
            let reward = |good: bool| if good { 0.7 } else { 0.3 + 0.2 * rng.random::<f64>() };
            let rewards = cells.by_ref().take(states * actions).map(reward).collect();
            (rewards, dirichlets(states * actions, states, None, &mut rng))
        };
        let recipe = Recipe { states, horizon, width: 0.5, concentration: 3.0 };
        recipe.world(sources, Coverage::Marked(good), seed, draw)
    }

    /// A random MDP of the same sizes that all sources cover, if not equally often: even rewards in [0, 1], Dirichlet(1)
    /// transitions; sources' rewards are off by up to 0.2, their transitions Dirichlet(10 P).
    ///
    /// # Errors
    /// As [`World::trap`].
    pub fn even(sources: usize, seed: u64) -> Result<World> {
        let (states, actions, horizon) = (5, 8, 5);
        let mut rng = Seeds::new(seed).child("model").stream("target");
        let draw = || {
            let rewards = (0..states * actions).map(|_| rng.random::<f64>()).collect();
            (rewards, dirichlets(states * actions, states, None, &mut rng))
        };
        let recipe = Recipe { states, horizon, width: 0.2, concentration: 10.0 };
        recipe.world(sources, Coverage::Even, seed, draw)
    }

    /// A linear MDP of 10 states, 4 actions, 4 features and 5 steps: features are Dirichlet(1), each feature has a
    /// Dirichlet(1) next-state distribution μ and an even reward θ in [0, 1]. Sources have Dirichlet(10 μ) and θ off by up
    /// to 0.5, cut off at 0 and 1, and log a cell with probability 1/2.
    ///
    /// # Errors
    /// As [`World::trap`].
    pub fn linear(sources: usize, seed: u64) -> Result<World> {
        let (states, actions, horizon, dimension, width) = (10, 4, 5, 4, 0.5);
        let seeds = Seeds::new(seed).child("model");
        let mut rng = seeds.stream("target");
        let features = Features::new(dimension, dirichlets(states * actions, dimension, None, &mut rng))?;
        let start = vec![1.0 / states as f64; states];
        let stages: Vec<(Vec<f64>, Vec<f64>)> = (0..horizon)
            .map(|_| {
                let theta = (0..dimension).map(|_| rng.random::<f64>()).collect();
                (theta, dirichlets(dimension, states, None, &mut rng))
            })
            .collect();
        let mean = |(theta, measure): &(Vec<f64>, Vec<f64>)| {
            (theta.iter().map(|&theta| clipped_mean(theta, width)).collect(), measure.clone())
        };
        let model = |stages: &[(Vec<f64>, Vec<f64>)]| {
            LinearMdp::new(features.clone(), actions, stages, start.clone())
        };
        let target = model(&stages.iter().map(mean).collect::<Vec<_>>())?;
        let source = |index| {
            let mut rng = seeds.nth("source", index as u64).stream("perturbation");
            let one = |(theta, measure): &(Vec<f64>, Vec<f64>)| {
                let measure = dirichlets(dimension, states, Some((&measure[..], 10.0)), &mut rng);
                (theta.iter().map(|&theta| perturbed(theta, width, &mut rng)).collect(), measure)
            };
            Ok(model(&stages.iter().map(one).collect::<Vec<_>>())?.mdp)
        };
        Ok(World {
            sources: (0..sources).map(source).collect::<Result<_>>()?,
            target: target.mdp,
            features: target.features,
            coverage: Coverage::Half,
            seeds: Seeds::new(seed),
        })
    }

    /// A two-player zero-sum game of 3 states, 3 x 3 actions and 5 steps, joint actions numbered 3 a + b. In every stage and
    /// state one pair (a*, b*) pays 0.5; another row against b* pays 0.3, row a* against another column 0.7, and the rest
    /// between 0 and 1. Where it leads does not depend on the actions, so (a*, b*) is an equilibrium. All sources log row a*
    /// and column b*, one random source each of the others; perturbations are those of the trap.
    ///
    /// # Errors
    /// As [`World::trap`].
    pub fn game(sources: usize, seed: u64) -> Result<World> {
        let (states, each, horizon) = (3, 3, 5);
        let joint = each * each;
        let mut rng = Seeds::new(seed).child("model").stream("target");
        let saddles: Vec<[usize; 2]> =
            (0..horizon * states).map(|_| [0; 2].map(|_| rng.random_range(0..each))).collect();
        let on = |[a, b]: [usize; 2], cell: usize| (cell / each == a, cell % each == b);
        let crossed = saddles.iter().flat_map(|&saddle| {
            (0..joint).map(move |cell| {
                let (row, column) = on(saddle, cell);
                row || column
            })
        });
        let coverage = Coverage::Marked(crossed.collect());
        let mut left = saddles.iter();
        let draw = || {
            let mut rewards = Vec::with_capacity(states * joint);
            let mut transitions = Vec::with_capacity(states * joint * states);
            for &saddle in left.by_ref().take(states) {
                rewards.extend((0..joint).map(|cell| match on(saddle, cell) {
                    (true, true) => 0.5,
                    (true, false) => 0.7,
                    (false, true) => 0.3,
                    (false, false) => rng.random::<f64>(),
                }));
                let row = dirichlets(1, states, None, &mut rng);
                (0..joint).for_each(|_| transitions.extend(&row));
            }
            (rewards, transitions)
        };
        Recipe { states, horizon, width: 0.5, concentration: 3.0 }.world(sources, coverage, seed, draw)
    }

    /// What the first `count` sources log, `samples` of each cell that they log at all. A source's samples do not depend on
    /// `count`, but which source logs what does.
    pub fn data(&self, count: usize, samples: u64) -> Vec<Source> {
        let (horizon, states) = (self.target.horizon(), self.target.states());
        let pairs = states * self.target.actions();
        let logged = self.logged(count, horizon * pairs);
        let one = |index: usize| {
            let mut rng = self.seeds.nth("source", index as u64).nth("samples", samples).stream("log");
            let mut source = Source {
                visits: vec![0.0; horizon * pairs],
                rewards: vec![0.0; horizon * pairs],
                next: vec![0.0; horizon * pairs * states],
            };
            for (cell, &logged) in logged[index].iter().enumerate() {
                let (stage, pair) = (cell / pairs, cell % pairs);
                let (state, action) = (pair / self.target.actions(), pair % self.target.actions());
                let visits = match self.coverage {
                    Coverage::Even => rng.random_range(1..=2 * samples),
                    _ => samples,
                };
                let model = self.sources[index].stage(stage);
                let mut next = vec![0.0; states];
                multinomial(model.row(state, action), visits, &mut next, &mut rng);
                if logged {
                    source.visits[cell] = visits as f64;
                    source.rewards[cell] = model.reward(state, action);
                    source.next[cell * states..][..states].copy_from_slice(&next);
                }
            }
            source
        };
        (0..count).map(one).collect()
    }

    /// Whether each of `count` sources logs each cell.
    fn logged(&self, count: usize, cells: usize) -> Vec<Vec<bool>> {
        let mut logged = vec![vec![true; cells]; count];
        let mut rng = self.seeds.nth("coverage", count as u64).stream("who");
        match &self.coverage {
            Coverage::Even => {}
            Coverage::Half => logged.iter_mut().flatten().for_each(|cell| *cell = rng.random_bool(0.5)),
            Coverage::Marked(marked) => {
                let mut order: Vec<usize> = (0..count).collect();
                for cell in (0..cells).filter(|&cell| !marked[cell]) {
                    order.shuffle(&mut rng);
                    order[1..].iter().for_each(|&other| logged[other][cell] = false);
                }
            }
        }
        logged
    }
}

/// Counts of `draws` next states of a row, into `counts`, `[S]`.
fn multinomial((next, probability): (&[u32], &[f64]), draws: u64, counts: &mut [f64], rng: &mut Rng) {
    let (mut left, mut mass) = (draws, 1.0);
    for (&state, &p) in next.iter().zip(probability) {
        let share = (p / mass).clamp(0.0, 1.0);
        let drawn = Binomial::new(left, share).expect("a probability").sample(rng);
        counts[state as usize] += drawn as f64;
        (left, mass) = (left - drawn, mass - p);
        if left == 0 || mass <= 0.0 {
            break;
        }
    }
    // Rounding can leave a draw beyond the last probability.
    counts[next[next.len() - 1] as usize] += left as f64;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The target is the mean of its sources, and what they log agrees with their models.
    #[test]
    fn sources_scatter_around_the_target() {
        let count = 3000;
        for world in [World::trap, World::even, World::linear, World::game] {
            let world = world(count, 1).unwrap();
            for stage in 0..world.target.horizon() {
                for pair in 0..world.features.pairs() {
                    let (state, action) = (pair / world.target.actions(), pair % world.target.actions());
                    let mean = |of: &dyn Fn(&FiniteMdp) -> f64| {
                        world.sources.iter().map(|mdp| of(mdp.stage(stage))).sum::<f64>() / count as f64
                    };
                    let reward = mean(&|mdp| mdp.reward(state, action));
                    let target = world.target.stage(stage);
                    // Five standard errors; the deviation of a reward is below 0.29, that of a probability below 0.5.
                    assert!((reward - target.reward(state, action)).abs() < 5.0 * 0.29 / 3000_f64.sqrt());
                    let values: Vec<f64> = (0..world.target.states()).map(|s| (s == 0).into()).collect();
                    let p = mean(&|mdp| mdp.expectation(state, action, &values));
                    assert!((p - target.expectation(state, action, &values)).abs() < 2.5 / 3000_f64.sqrt());
                }
            }
        }
    }

    #[test]
    fn the_trap_is_logged_as_it_says() {
        let world = World::trap(4, 2).unwrap();
        let data = world.data(4, 200);
        let mut by_all = 0;
        for cell in 0..5 * 40 {
            let by = data.iter().filter(|source| source.visits[cell] > 0.0).count();
            assert!(by == 1 || by == 4);
            by_all += usize::from(by == 4);
            for source in data.iter().filter(|source| source.visits[cell] > 0.0) {
                assert_eq!(source.visits[cell], 200.0);
                assert_eq!(source.next[cell * 5..][..5].iter().sum::<f64>(), 200.0);
            }
        }
        assert_eq!(by_all, 25);
        assert!((clipped_mean(0.7, 0.5) - 0.68).abs() < 1e-15 && clipped_mean(0.5, 0.5) == 0.5);
    }
}
