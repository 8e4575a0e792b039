//! DeepSea: dive diagonally through a grid, where only one of 2^N ways pays.
//!
//! A diver starts at the top left of an N x N grid and sinks one row a step, N steps in all. In each cell one of the
//! two actions means right and the other left, drawn at random once for the grid. Going right costs `0.01 / N`, and
//! going right in the last column is rewarded by 1; only going right N times gets there:
//!
//! ```text
//! column <- clip(column + 1, 0, N - 1)   reward = [column = N - 1] - 0.01 / N     if the action means right
//! column <- clip(column - 1, 0, N - 1)   reward = 0                               if it means left
//! ```
//!
//! The optimum is 0.99; an agent that explores at random needs about 2^N episodes to see the reward once. This
//! is the deterministic form. The observation is one-hot over the cells, and all zero at the end.
//!
//! Osband et al. 2019, "Deep exploration via randomized value functions", arXiv:1703.07608; rules of bsuite 0.3.6.

use std::ops::RangeInclusive;

use quire_core::{Error, Result, Seeds};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::environment::{Action, Environment, Step, discrete, not_in_an_episode};
use crate::registry::EnvCard;
use crate::saved;
use crate::space::Space;

pub(crate) const CARD: EnvCard = EnvCard {
    id: "DeepSea-10",
    pattern: Some("DeepSea-<n> for a grid of n x n, n from 2 to 200"),
    summary: "dive through a grid where only one of 2^n ways pays: deep exploration",
    observation: "[n, n]: the grid, 1 where the diver is; all 0 at the end",
    action: "0 and 1: left and right, or right and left, fixed at random for each cell",
    reward: "1 for going right in the last column, minus 0.01 / n for each step right",
    optimum: Some(0.99),
    source: "Osband et al. 2019, arXiv:1703.07608; bsuite 0.3.6",
    tags: &["bsuite", "discrete-actions", "board-observation", "sparse-reward", "exploration"],
    ..EnvCard::EMPTY
};

const NAME: &str = "DeepSea";
const MOVE_COST: f64 = 0.01;
/// bsuite's experiment draws its grids from this seed, too, by another generator.
const MAPPING_SEED: u64 = 42;

/// The sizes a grid may have.
pub const DEEP_SEA_SIZES: RangeInclusive<usize> = 2..=200;

/// A grid of `n x n` cells in its deterministic form.
#[derive(Debug, Clone)]
pub struct DeepSea {
    size: usize,
    observation_space: Space,
    state: State,
}

/// What [`Environment::save`] keeps. Which action means right is part of it: it is what a learner has learned.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct State {
    /// By cell, row-major: the action that means right.
    right: Vec<u8>,
    row: usize,
    column: usize,
    in_episode: bool,
}

static ACTION_SPACE: Space = Space::Discrete { n: 2 };

impl DeepSea {
    /// A grid of `size x size` cells whose actions are mapped by seed 42: every grid of this size is the same one.
    /// Seeds given to [`Environment::reset`] change nothing, as nothing else is random; a training and an
    /// evaluation copy agree.
    ///
    /// # Errors
    /// [`Error::Option`] if the size is not in [`DEEP_SEA_SIZES`].
    pub fn new(size: usize) -> Result<Self> {
        DeepSea::with_mapping_seed(size, MAPPING_SEED)
    }

    /// A grid whose actions are mapped by a seed of its own.
    ///
    /// # Errors
    /// As [`DeepSea::new`].
    pub fn with_mapping_seed(size: usize, seed: u64) -> Result<Self> {
        check_size(size)?;
        let mut rng = Seeds::new(seed).stream("deep-sea-mapping");
        DeepSea::with_mapping(size, (0..size * size).map(|_| usize::from(rng.random::<bool>())).collect())
    }

    /// A grid with a given mapping: for each cell, row-major, the action (0 or 1) that means right.
    ///
    /// # Errors
    /// As [`DeepSea::new`]; [`Error::Option`] if the mapping has another length than the grid, or another action.
    pub fn with_mapping(size: usize, right: Vec<usize>) -> Result<Self> {
        check_size(size)?;
        if right.len() != size * size || right.iter().any(|&action| action > 1) {
            return Err(Error::option("mapping", format!("must be {} actions, each 0 or 1", size * size)));
        }
        let right = right.into_iter().map(|action| action as u8).collect();
        Ok(DeepSea {
            size,
            observation_space: Space::uniform(0.0, 1.0, &[size, size]),
            state: State { right, row: 0, column: 0, in_episode: false },
        })
    }

    /// Rows and columns of the grid.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Row and column of the diver; the row is [`DeepSea::size`] at the end.
    pub fn state(&self) -> (usize, usize) {
        (self.state.row, self.state.column)
    }

    /// The action that means right in a cell.
    ///
    /// # Panics
    /// If the cell is not in the grid.
    pub fn action_right(&self, row: usize, column: usize) -> usize {
        assert!(row < self.size && column < self.size, "cell ({row}, {column}) of a grid of {}", self.size);
        usize::from(self.state.right[row * self.size + column])
    }

    /// The return of always going right: 0.99.
    pub fn optimum(&self) -> f64 {
        1.0 - MOVE_COST
    }

    fn observe(&self, observation: &mut [f32]) {
        assert_eq!(observation.len(), self.size * self.size, "an observation of the whole grid");
        observation.fill(0.0);
        if self.state.row < self.size {
            observation[self.state.row * self.size + self.state.column] = 1.0;
        }
    }
}

fn check_size(size: usize) -> Result<()> {
    if DEEP_SEA_SIZES.contains(&size) {
        return Ok(());
    }
    let (least, most) = (DEEP_SEA_SIZES.start(), DEEP_SEA_SIZES.end());
    Err(Error::option("n", format!("DeepSea-<n> takes n from {least} to {most}, not {size}")))
}

impl Environment for DeepSea {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &ACTION_SPACE
    }

    fn reset(&mut self, _: Option<u64>, observation: &mut [f32]) -> Result<()> {
        (self.state.row, self.state.column, self.state.in_episode) = (0, 0, true);
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let action = discrete(NAME, action, 2)?;
        if !self.state.in_episode {
            return Err(not_in_an_episode(NAME));
        }
        let (row, column) = self.state();
        let mut reward = 0.0;
        if action == self.action_right(row, column) {
            if column == self.size - 1 {
                reward += 1.0;
            }
            reward -= MOVE_COST / self.size as f64;
            self.state.column = (column + 1).min(self.size - 1);
        } else {
            self.state.column = column.saturating_sub(1);
        }
        self.state.row = row + 1;
        let terminated = self.state.row == self.size;
        self.state.in_episode = !terminated;
        self.observe(observation);
        Ok(Step { reward, terminated, truncated: false })
    }

    fn save(&self) -> Vec<u8> {
        saved::pack(NAME, &self.state)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let state: State = saved::unpack(NAME, saved)?;
        if state.right.len() != self.size * self.size {
            return Err(Error::Resume(format!("the saved grid is not one of {0} x {0}", self.size)));
        }
        self.state = state;
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Environment> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays the moves (true is right), checks the columns on the way, and returns the rewards.
    fn dive(sea: &mut DeepSea, moves: &[bool], columns: &[usize]) -> Vec<f64> {
        let size = sea.size();
        let mut observation = vec![0.0; size * size];
        sea.reset(None, &mut observation).unwrap();
        assert_eq!(observation[0], 1.0);
        let mut rewards = Vec::new();
        for (row, (&right, &column)) in moves.iter().zip(columns).enumerate() {
            let (now, place) = sea.state();
            let action_right = sea.action_right(now, place);
            let action = if right { action_right } else { 1 - action_right };
            let step = sea.step(Action::Discrete(action), &mut observation).unwrap();
            assert_eq!(sea.state(), (row + 1, column));
            assert_eq!(step.terminated, row + 1 == size);
            let on: Vec<usize> = (0..size * size).filter(|&cell| observation[cell] == 1.0).collect();
            assert_eq!(on, if step.terminated { vec![] } else { vec![(row + 1) * size + column] });
            rewards.push(step.reward);
        }
        assert!(sea.step(Action::Discrete(0), &mut observation).is_err(), "after the end");
        rewards
    }

    #[test]
    fn always_right_gets_the_optimum() {
        let mut sea = DeepSea::new(4).unwrap();
        let rewards = dive(&mut sea, &[true; 4], &[1, 2, 3, 3]);
        assert_eq!(rewards, [-0.0025, -0.0025, -0.0025, 0.9975]);
        let total: f64 = rewards.iter().sum();
        assert!((total - 0.99).abs() < 1e-12 && (sea.optimum() - 0.99).abs() < 1e-12);
    }

    #[test]
    fn one_step_left_loses_the_reward() {
        let mut sea = DeepSea::new(4).unwrap();
        assert_eq!(dive(&mut sea, &[false; 4], &[0; 4]), [0.0; 4]);
        assert_eq!(
            dive(&mut sea, &[true, false, true, true], &[1, 0, 1, 2]),
            [-0.0025, 0.0, -0.0025, -0.0025]
        );
        assert_eq!(
            dive(&mut sea, &[true, true, true, false], &[1, 2, 3, 2]),
            [-0.0025, -0.0025, -0.0025, 0.0]
        );
    }

    #[test]
    fn the_mapping_is_fixed_fair_and_saved() {
        let sea = DeepSea::new(100).unwrap();
        let ones = sea.state.right.iter().filter(|&&action| action == 1).count();
        assert!((4750..5250).contains(&ones), "{ones} of 10000, standard deviation 50");
        assert_eq!(sea.state.right, DeepSea::new(100).unwrap().state.right);
        let mut other = DeepSea::with_mapping_seed(100, 1).unwrap();
        assert_ne!(sea.state.right, other.state.right);
        other.restore(&sea.save()).unwrap();
        assert_eq!(sea.state.right, other.state.right);
        assert!(DeepSea::new(5).unwrap().restore(&sea.save()).is_err());
    }

    #[test]
    fn sizes_and_mappings_are_checked() {
        assert!(DeepSea::new(1).is_err() && DeepSea::new(201).is_err());
        assert!(DeepSea::with_mapping(2, vec![0, 1, 1]).is_err());
        assert!(DeepSea::with_mapping(2, vec![0, 1, 1, 2]).is_err());
        let sea = DeepSea::with_mapping(2, vec![0, 1, 1, 0]).unwrap();
        assert_eq!([sea.action_right(0, 1), sea.action_right(1, 1)], [1, 0]);
    }
}
