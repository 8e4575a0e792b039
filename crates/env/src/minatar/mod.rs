//! MinAtar: five Atari games in miniature, on a 10 x 10 grid of a few channels (Young & Tian 2019, "MinAtar: an
//! Atari-inspired testbed for thorough and reproducible reinforcement learning experiments", arXiv:1903.03176).
//!
//! | game | the player |
//! |---|---|
//! | [`Asterix`] | walks a field, collects gold and avoids enemies |
//! | [`Breakout`] | bounces a ball against bricks |
//! | [`Freeway`] | crosses a road of eight lanes |
//! | [`Seaquest`] | commands a submarine, shoots, rescues divers, runs out of air |
//! | [`SpaceInvaders`] | shoots at aliens that come down |
//!
//! An observation has the shape `[channels, 10, 10]`, channel-first as convolutions take it (the Python package's is
//! `[10, 10, channels]`), row 0 at the top, each number 0 or 1. The names ending in `-v0` take all six
//! [`Command`]s, the ones in `-v1` only those that do something in the game. As published, difficulty ramps up where
//! the game provides for it, and with probability 0.1 the previous command is carried out instead of the given one.
//! Only [`Freeway`] bounds its episodes; in the others a skilled or hiding player may go on forever, so bound an
//! evaluation by a [`TimeLimit`](crate::wrappers::TimeLimit).
//!
//! Every random decision goes through [`Chance`], which is how the games are checked, draw by draw, against the
//! Python package.

mod asterix;
mod breakout;
mod chance;
mod freeway;
mod screen;
mod seaquest;
mod space_invaders;

pub use asterix::Asterix;
pub use breakout::Breakout;
pub use chance::Chance;
pub use freeway::Freeway;
pub use screen::{SIDE, Screen};
pub use seaquest::Seaquest;
pub use space_invaders::SpaceInvaders;

pub(crate) use asterix::CARDS as ASTERIX;
pub(crate) use breakout::CARDS as BREAKOUT;
pub(crate) use freeway::CARDS as FREEWAY;
pub(crate) use seaquest::CARDS as SEAQUEST;
pub(crate) use space_invaders::CARDS as SPACE_INVADERS;

use quire_core::{Error, Result, Rng};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::environment::{Action, Environment, Step, discrete, generator, not_in_an_episode};
use crate::registry::EnvCard;
use crate::saved;
use crate::space::Space;

/// What a player can do, in the order of the full action set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Command {
    Nothing,
    Left,
    Up,
    Right,
    Down,
    Fire,
}

/// Which commands the action space offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionSet {
    /// All six, the names ending in `-v0`.
    Full,
    /// Those that do something in the game, the names ending in `-v1`.
    Minimal,
}

const ALL_COMMANDS: [Command; 6] =
    [Command::Nothing, Command::Left, Command::Up, Command::Right, Command::Down, Command::Fire];

/// The rules of one game.
pub trait Game: Clone + Send + Serialize + DeserializeOwned + 'static {
    /// The game's name as in the environment's: `Breakout`.
    const NAME: &'static str;
    /// Channels of the screen.
    const CHANNELS: usize;
    /// The commands that do something, in the order of [`Command`].
    const MINIMAL_COMMANDS: &'static [Command];

    /// The game before its first start; `ramping` is whether difficulty rises, where the game provides for it.
    fn new(ramping: bool) -> Self;

    /// Begins anew.
    fn start<C: Chance>(&mut self, chance: &mut C);

    /// Plays one frame and returns its reward.
    fn play<C: Chance>(&mut self, command: Command, chance: &mut C) -> u32;

    /// True once the player has lost or time is up.
    fn is_over(&self) -> bool;

    /// Draws the present state on a blank screen.
    fn draw(&self, screen: &mut Screen<'_>);
}

/// A game as an environment.
#[derive(Debug, Clone)]
pub struct MinAtar<G> {
    played: Played<G>,
    commands: &'static [Command],
    sticky_actions: f64,
    observation_space: Space,
    action_space: Space,
}

/// The part that changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Played<G> {
    game: G,
    previous: Command,
    in_episode: bool,
    rng: Rng,
}

impl<G: Game> MinAtar<G> {
    /// The game as published: difficulty ramps up, commands stick with probability 0.1.
    pub fn new(actions: ActionSet) -> Self {
        let commands = match actions {
            ActionSet::Full => &ALL_COMMANDS,
            ActionSet::Minimal => G::MINIMAL_COMMANDS,
        };
        MinAtar {
            played: Played {
                game: G::new(true),
                previous: Command::Nothing,
                in_episode: false,
                rng: generator(0),
            },
            commands,
            sticky_actions: 0.1,
            observation_space: Space::uniform(0.0, 1.0, &[G::CHANNELS, SIDE, SIDE]),
            action_space: Space::Discrete { n: commands.len() },
        }
    }

    /// Another probability with which the previous command is carried out instead of the given one.
    ///
    /// # Errors
    /// [`Error::Option`] if it is not in \[0, 1\].
    pub fn with_sticky_actions(mut self, probability: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(Error::option(
                "sticky_actions",
                format!("probability {probability} is not in [0, 1]"),
            ));
        }
        self.sticky_actions = probability;
        Ok(self)
    }

    /// The same game with difficulty fixed (`false`) or rising (`true`); outside an episode.
    pub fn with_ramping(mut self, ramping: bool) -> Self {
        self.played.game = G::new(ramping);
        self.played.in_episode = false;
        self
    }

    /// The game, to look into.
    pub fn game(&self) -> &G {
        &self.played.game
    }

    /// [`Environment::reset`] with every random decision taken by `chance`. The command that may stick is carried
    /// over from the episode before, as published.
    pub fn reset_with<C: Chance>(&mut self, chance: &mut C, observation: &mut [f32]) {
        self.played.game.start(chance);
        self.played.in_episode = true;
        self.observe(observation);
    }

    /// [`Environment::step`] with every random decision taken by `chance`.
    ///
    /// # Errors
    /// As [`Environment::step`].
    pub fn step_with<C: Chance>(
        &mut self,
        action: Action<'_>,
        chance: &mut C,
        observation: &mut [f32],
    ) -> Result<Step> {
        let index = discrete(G::NAME, action, self.commands.len())?;
        if !self.played.in_episode {
            return Err(not_in_an_episode(G::NAME));
        }
        if chance.unit() >= self.sticky_actions {
            self.played.previous = self.commands[index];
        }
        let reward = self.played.game.play(self.played.previous, chance);
        let terminated = self.played.game.is_over();
        self.played.in_episode = !terminated;
        self.observe(observation);
        Ok(Step { reward: f64::from(reward), terminated, truncated: false })
    }

    fn observe(&self, observation: &mut [f32]) {
        self.played.game.draw(&mut Screen::blank(observation, G::CHANNELS));
    }
}

impl<G: Game> Environment for MinAtar<G> {
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<()> {
        if let Some(seed) = seed {
            self.played.rng = generator(seed);
            // What follows a seed depends on nothing before it.
            self.played.previous = Command::Nothing;
        }
        let mut rng = self.played.rng.clone();
        self.reset_with(&mut rng, observation);
        self.played.rng = rng;
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step> {
        let mut rng = self.played.rng.clone();
        let step = self.step_with(action, &mut rng, observation)?;
        self.played.rng = rng;
        Ok(step)
    }

    fn save(&self) -> Vec<u8> {
        saved::pack(G::NAME, &self.played)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.played = saved::unpack(G::NAME, saved)?;
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Environment> {
        Box::new(self.clone())
    }
}

/// What a game's two cards share; the ids and actions differ.
const fn cards(ids: [&'static str; 2], minimal: &'static str, shared: EnvCard) -> [EnvCard; 2] {
    const FULL: &str = "0: nothing, 1: left, 2: up, 3: right, 4: down, 5: fire";
    let source = "Young & Tian 2019, arXiv:1903.03176; MinAtar 1.0.15";
    let tags = &["minatar", "discrete-actions", "image-observation"];
    [
        EnvCard { id: ids[0], action: FULL, source, tags, ..shared },
        EnvCard { id: ids[1], action: minimal, source, tags, ..shared },
    ]
}

/// Counts a timer down to 0.
fn count_down(timer: &mut u8) {
    *timer = timer.saturating_sub(1);
}

/// The coordinate one cell on, rightwards or leftwards; may leave the grid.
fn beside(x: i8, rightwards: bool) -> i8 {
    if rightwards { x + 1 } else { x - 1 }
}

/// True for a coordinate on the grid.
fn on_grid(x: i8) -> bool {
    (0..SIDE as i8).contains(&x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked() {
        assert!(MinAtar::<Breakout>::new(ActionSet::Full).with_sticky_actions(1.5).is_err());
        let mut environment = MinAtar::<Breakout>::new(ActionSet::Minimal)
            .with_sticky_actions(0.0)
            .unwrap()
            .with_ramping(false);
        assert_eq!(environment.action_space(), &Space::Discrete { n: 3 });
        let mut observation = [0.0; 400];
        assert!(environment.step(Action::Discrete(0), &mut observation).is_err(), "before the first reset");
    }

    #[test]
    fn a_seed_forgets_the_previous_command() {
        // With commands that always stick, only the first command after a seed could come from before it.
        let mut environment = MinAtar::<Breakout>::new(ActionSet::Full).with_sticky_actions(0.0).unwrap();
        let (mut first, mut second) = ([0.0; 400], [0.0; 400]);
        environment.reset(Some(1), &mut first).unwrap();
        environment.step(Action::Discrete(1), &mut first).unwrap();
        let mut environment = environment.with_sticky_actions(1.0).unwrap();
        environment.reset(Some(1), &mut first).unwrap();
        environment.step(Action::Discrete(3), &mut second).unwrap();
        assert_eq!(first[..100], second[..100], "the paddle has not moved");
    }
}
