//! Two players: plan an equilibrium of a zero-sum Markov game from logs of its perturbations.
//!
//! The first player earns what the second pays. A planner returns a strategy for each, and is scored by the duality gap: what
//! the first could earn at most against the second's strategy, minus what the second could hold the first's to, exact.
//!
//! | file | what it holds |
//! |---|---|
//! | [`hetpevi_game`] | HetPEVI for Markov games |
//! | [`problem`] | the problem `perturbed-game` and its run |

pub mod hetpevi_game;
pub mod problem;

use quire_core::{About, Entry, OptionMap, Options, Result, options};

pub use problem::problems;

use super::Source;
use crate::solve::maximum;
use crate::staged::StagedMdp;

/// What a planner is told. Joint actions are numbered a B + b.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The number of states S.
    pub states: usize,
    /// The number of actions of the first player A.
    pub rows: usize,
    /// The number of actions of the second player B.
    pub columns: usize,
    /// Steps of an episode H.
    pub horizon: usize,
}

/// Strategies for both players.
#[derive(Debug, Clone, PartialEq)]
pub struct Strategies {
    /// The first player's, `[H, S, A]`.
    pub rows: Vec<f64>,
    /// The second player's, `[H, S, B]`.
    pub columns: Vec<f64>,
    /// What the first player is promised at least from each first state, `[S]`.
    pub lower: Vec<f64>,
    /// What the second player is promised to pay at most, `[S]`.
    pub upper: Vec<f64>,
}

/// The role: plan for both players.
pub trait GamePlanner: Send {
    /// Plans from what the `sources` have logged, at least one.
    fn plan(&self, sources: &[Source]) -> Strategies;
}

/// A method of this role, made from typed options.
pub trait Method: GamePlanner + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Makes the planner.
    fn new(setting: &Setting, options: Self::Options) -> Result<Self>;
}

/// Makes the planner from the options that the user has set, laid over the defaults.
pub type Make = fn(&Setting, &OptionMap) -> Result<Box<dyn GamePlanner>>;

const fn entry<M: Method>() -> Entry<Make> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
    }
}

/// The methods of this role.
pub const METHODS: &[Entry<Make>] = &[entry::<hetpevi_game::HetPeviGame>()];

/// What the first player earns at most against the second's strategy (`columns`, `[H, S, B]`), and at least with `rows`
/// (`[H, S, A]`), in `game` with joint actions a B + b.
pub fn best_responses(game: &StagedMdp, rows: &[f64], columns: &[f64]) -> (f64, f64) {
    let states = game.states();
    let (count, other) = (rows.len() / game.horizon() / states, columns.len() / game.horizon() / states);
    let (mut most, mut least) = (vec![0.0; states], vec![0.0; states]);
    for stage in (0..game.horizon()).rev() {
        let (against, with) = (game.backup(stage, &most), game.backup(stage, &least));
        for state in 0..states {
            let cell = stage * states + state;
            let (x, y) = (&rows[cell * count..][..count], &columns[cell * other..][..other]);
            let joint = |a: usize, b: usize| (state * count + a) * other + b;
            let row = |a| y.iter().enumerate().map(|(b, p)| p * against[joint(a, b)]).sum();
            let column = |b| -x.iter().enumerate().map(|(a, p)| p * with[joint(a, b)]).sum::<f64>();
            most[state] = maximum((0..count).map(row)).1;
            least[state] = -maximum((0..other).map(column)).1;
        }
    }
    (game.at_start(&most), game.at_start(&least))
}
