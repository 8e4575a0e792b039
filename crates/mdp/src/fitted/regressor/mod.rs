//! Regressors: least squares from rows of numbers to one number, all behind the trait [`Regressor`].
//!
//! | file | what it fits |
//! |---|---|
//! | [`cell_mean`] | the mean of each cell of a table |
//! | [`linear`] | a plane, by ridge regression |
//! | [`extra_trees`] | an average of extremely randomized trees |
//! | [`network`] | a multilayer perceptron |

pub mod cell_mean;
pub mod extra_trees;
pub mod linear;
pub mod network;

use quire_core::{Result, Rng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cell_mean::CellMean;
pub use extra_trees::{ExtraTrees, TreeOptions};
pub use linear::Linear;
pub use network::{Network, NetworkOptions};

/// Inputs `[N, width]`, row-major, and their targets `[N]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Numbers in a row of inputs.
    pub width: usize,
    /// The inputs, row after row.
    pub inputs: Vec<f64>,
    /// What they are to be mapped to.
    pub targets: Vec<f64>,
}

impl Rows {
    /// No rows yet, of `width` numbers each.
    pub fn new(width: usize) -> Self {
        Rows { width, ..Rows::default() }
    }

    /// The number of rows N.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Drops the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.inputs.clear();
        self.targets.clear();
    }
}

/// The role: least squares. A fit starts afresh; nothing of an earlier one is left.
pub trait Regressor: Send {
    /// Fits `rows`, of which there is at least one. Draws from `rng` only what the fit needs.
    ///
    /// # Errors
    /// A system of equations without a solution, a fit that is not finite.
    fn fit(&mut self, rows: &Rows, rng: &mut Rng) -> Result<()>;

    /// Fills `outputs` with the predictions for `inputs`, `[N, width]` of the width fitted; there must have been a fit.
    fn predict(&mut self, inputs: &[f64], outputs: &mut Vec<f64>);
}

/// Which regressor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RegressorKind {
    /// The mean of each state and action.
    CellMean,
    /// Linear in the state's features, each action on its own.
    Linear,
    /// Extremely randomized trees on features and action.
    ExtraTrees,
    /// A network on features and action.
    Network,
}

/// A regressor and its options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegressorOptions {
    /// Which regressor. Paper: any; default ours.
    pub kind: RegressorKind,
    /// Ridge penalty of the linear one, on the sum of squared coefficients per row of data. Ours.
    #[schemars(range(min = 0.0))]
    pub ridge: f64,
    /// The trees.
    pub trees: TreeOptions,
    /// The network.
    pub network: NetworkOptions,
}

impl Default for RegressorOptions {
    fn default() -> Self {
        RegressorOptions {
            kind: RegressorKind::CellMean,
            ridge: 1e-6,
            trees: TreeOptions::default(),
            network: NetworkOptions::default(),
        }
    }
}

impl RegressorOptions {
    /// The regressor.
    pub fn build(&self) -> Box<dyn Regressor> {
        match self.kind {
            RegressorKind::CellMean => Box::new(CellMean::new()),
            RegressorKind::Linear => Box::new(Linear::new(self.ridge)),
            RegressorKind::ExtraTrees => Box::new(ExtraTrees::new(self.trees.clone())),
            RegressorKind::Network => Box::new(Network::new(self.network.clone())),
        }
    }

    /// How this regressor sees `states` states with `features`, `[S, d]`, and `actions` actions.
    pub fn encoding(&self, states: usize, actions: usize, features: Vec<f64>) -> Encoding {
        Encoding { kind: self.kind, actions, dimensions: features.len() / states, features }
    }
}

/// Rows of inputs for states and actions of a finite MDP.
#[derive(Debug, Clone)]
pub struct Encoding {
    kind: RegressorKind,
    actions: usize,
    dimensions: usize,
    features: Vec<f64>,
}

impl Encoding {
    /// The width of a row: 1 for cells; A (d + 1) for the linear one, whose features and intercept stand in the block of
    /// the action; d + 1 for trees, which take the action as a number; d + A for networks.
    pub fn width(&self) -> usize {
        match self.kind {
            RegressorKind::CellMean => 1,
            RegressorKind::Linear => self.actions * (self.dimensions + 1),
            RegressorKind::ExtraTrees => self.dimensions + 1,
            RegressorKind::Network => self.dimensions + self.actions,
        }
    }

    /// Appends the row of `action` in `state`.
    pub fn push(&self, state: usize, action: usize, inputs: &mut Vec<f64>) {
        let features = &self.features[state * self.dimensions..][..self.dimensions];
        match self.kind {
            RegressorKind::CellMean => inputs.push((state * self.actions + action) as f64),
            RegressorKind::Linear => {
                let first = inputs.len();
                inputs.resize(first + self.width(), 0.0);
                let block = &mut inputs[first + action * (self.dimensions + 1)..][..self.dimensions + 1];
                block[..self.dimensions].copy_from_slice(features);
                block[self.dimensions] = 1.0;
            }
            RegressorKind::ExtraTrees => {
                inputs.extend_from_slice(features);
                inputs.push(action as f64);
            }
            RegressorKind::Network => {
                inputs.extend_from_slice(features);
                inputs.extend((0..self.actions).map(|other| f64::from(u8::from(other == action))));
            }
        }
    }
}

#[cfg(test)]
mod tests;
