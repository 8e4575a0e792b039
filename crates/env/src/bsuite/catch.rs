//! Catch: move a paddle under a falling ball.
//!
//! On a board of 10 rows and 5 columns a ball falls from the top, one row a step, in a column drawn at random; the
//! paddle starts in the middle of the lowest row and moves by one column or stays. When the ball arrives, after 9
//! steps, the episode terminates with reward 1 if it is caught and -1 if not; all other rewards are 0. A perfect
//! player always catches.
//!
//! Mnih et al. 2014, "Recurrent models of visual attention"; rules of bsuite 0.3.6 (arXiv:1908.03568).

use std::sync::LazyLock;

use quire_core::{Result, Rng};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::environment::{Action, Environment, Step, discrete, generator, not_in_an_episode};
use crate::registry::EnvCard;
use crate::saved::whole_self_is_the_state;
use crate::space::Space;

pub(crate) const CARD: EnvCard = EnvCard {
    id: "Catch-v0",
    summary: "move a paddle under a falling ball",
    observation: "[10, 5]: the board, 1 where the ball or the paddle is",
    action: "0: left, 1: stay, 2: right",
    reward: "1 for a ball caught, -1 for a ball missed, at the end",
    optimum: Some(1.0),
    source: "Osband et al. 2020, arXiv:1908.03568; bsuite 0.3.6",
    tags: &["bsuite", "discrete-actions", "board-observation", "sparse-reward"],
    ..EnvCard::EMPTY
};

const NAME: &str = "Catch";
const ROWS: usize = 10;
const COLUMNS: usize = 5;

static OBSERVATION_SPACE: LazyLock<Space> = LazyLock::new(|| Space::uniform(0.0, 1.0, &[ROWS, COLUMNS]));
static ACTION_SPACE: Space = Space::Discrete { n: 3 };

/// The board of 10 rows and 5 columns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Catch {
    ball_row: usize,
    ball_column: usize,
    paddle_column: usize,
    in_episode: bool,
    rng: Rng,
}

impl Catch {
    /// A board that waits for its first [`Environment::reset`].
    pub fn new() -> Self {
        Catch { ball_row: 0, ball_column: 0, paddle_column: 0, in_episode: false, rng: generator(0) }
    }

    /// Begins an episode with the ball in this column, from 0 to 4.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn start_with(&mut self, ball_column: usize) {
        assert!(ball_column < COLUMNS, "a column from 0 to 4, not {ball_column}");
        (self.ball_row, self.ball_column, self.paddle_column) = (0, ball_column, COLUMNS / 2);
        self.in_episode = true;
    }

    fn observe(&self, observation: &mut [f32]) {
        assert_eq!(observation.len(), ROWS * COLUMNS, "an observation of the whole board");
        observation.fill(0.0);
        observation[self.ball_row * COLUMNS + self.ball_column] = 1.0;
        observation[(ROWS - 1) * COLUMNS + self.paddle_column] = 1.0;
    }
}

impl Default for Catch {
    fn default() -> Self {
        Self::new()
    }
}

impl Environment for Catch {
    fn observation_space(&self) -> &Space {
        &OBSERVATION_SPACE
    }

    fn action_space(&self) -> &Space {
        &ACTION_SPACE
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<()> {
        if let Some(seed) = seed {
            self.rng = generator(seed);
        }
        let column = self.rng.random_range(0..COLUMNS);
        self.start_with(column);
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let action = discrete(NAME, action, 3)?;
        if !self.in_episode {
            return Err(not_in_an_episode(NAME));
        }
        self.paddle_column = (self.paddle_column + action).saturating_sub(1).min(COLUMNS - 1);
        self.ball_row += 1;
        let terminated = self.ball_row == ROWS - 1;
        let reward = match terminated {
            true if self.ball_column == self.paddle_column => 1.0,
            true => -1.0,
            false => 0.0,
        };
        self.in_episode = !terminated;
        self.observe(observation);
        Ok(Step { reward, terminated, truncated: false })
    }

    whole_self_is_the_state!(NAME);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cells that are on.
    fn cells(observation: &[f32]) -> Vec<usize> {
        (0..observation.len()).filter(|&cell| observation[cell] == 1.0).collect()
    }

    #[test]
    fn a_rollout_worked_by_hand() {
        let mut catch = Catch::new();
        let mut observation = [0.0; 50];
        catch.start_with(0);
        // Left twice reaches column 0, a third time stays there, then right twice and back.
        let paddle = [1, 0, 0, 1, 2, 1, 0, 0, 0];
        for (time, (action, column)) in [0, 0, 0, 2, 2, 0, 0, 1, 1].into_iter().zip(paddle).enumerate() {
            let step = catch.step(Action::Discrete(action), &mut observation).unwrap();
            let last = time == 8;
            assert_eq!(step, Step { reward: f64::from(last), terminated: last, truncated: false });
            let expected = if last { vec![45] } else { vec![5 * (time + 1), 45 + column] };
            assert_eq!(cells(&observation), expected);
        }
        assert!(catch.step(Action::Discrete(1), &mut observation).is_err());
    }

    #[test]
    fn a_ball_is_missed_and_the_right_wall_holds() {
        let mut catch = Catch::new();
        let mut observation = [0.0; 50];
        catch.start_with(3);
        let rewards = (0..9).map(|_| catch.step(Action::Discrete(2), &mut observation).unwrap().reward);
        assert_eq!(rewards.sum::<f64>(), -1.0);
        assert_eq!(cells(&observation), [48, 49]);
    }

    #[test]
    fn every_column_is_as_likely() {
        let mut catch = Catch::new();
        let mut observation = [0.0; 50];
        let mut counts = [0; COLUMNS];
        for _ in 0..5000 {
            catch.reset(None, &mut observation).unwrap();
            counts[cells(&observation)[0]] += 1;
        }
        // 1000 each, standard deviation 28.
        assert!(counts.iter().all(|count| (860..1140).contains(count)), "{counts:?}");
    }
}
