//! Family: learn the parameters of an iterative solver from tasks like those to come.
//!
//! Tasks of one kind are solved again and again. A rule looks at a task and chooses the solver's relaxation factor ω - of sweeps, or of a preconditioner -
//! and where it starts; the solver does the rest, to the tolerance that is asked for. What is compared is the mean number of iterations on tasks that were
//! not trained on; the unit of work is the solver's iterations spent in training.
//!
//! A solution is a rule ([`Rule`]): a fixed factor, or 0 and the parameters of a network that are otherwise 0.
//!
//! | file | what it holds |
//! |---|---|
//! | [`meta_solver`] | a network, trained through the solver |
//! | [`objective`] | what it is trained for: iterations, by surrogates that have derivatives, or the error after some |
//! | [`fixed_factor`] | the best factor of a list, the same for all tasks |
//! | [`tasks`] | reaction-diffusion equations solved by SOR, steps of Robertson's reactions solved by Newton-SOR |
//! | [`guesses`] | Poisson's equation by SOR from a guess that is chosen, Robertson's reactions from one |
//! | [`preconditioned`] | diffusion in a medium, by conjugate gradients with a preconditioner whose factor is chosen |
//! | [`fields`] | the whole guess of a linear solver, on a grid |
//! | [`dual`] | numbers that carry derivatives |
//! | [`problems`](mod@problems) | the problems |

pub mod dual;
pub mod fields;
pub mod fixed_factor;
pub mod guesses;
pub mod meta_solver;
pub mod objective;
pub mod preconditioned;
pub mod problems;
pub mod tasks;

use quire_core::{Entry, Error, Result, Seeds};
use quire_nn::{Activation, Mlp, MlpConfig, Params, Scratch};

pub use problems::problems;
pub use tasks::{Parameters, Tasks};

use crate::solver::{Make, entry};

/// Tasks to train on, and where random numbers come from.
pub struct Training {
    /// The tasks.
    pub tasks: Box<dyn Tasks>,
    /// Random streams of the method.
    pub seeds: Seeds,
}

/// The methods of this family.
pub const METHODS: &[Entry<Make<Training>>] =
    &[entry::<Training, meta_solver::MetaSolver>(), entry::<Training, fixed_factor::FixedFactor>()];

/// A network of two hidden layers from the features of a task to numbers of which [`Tasks::parameter`] makes parameters, made so that a relaxation factor is about
/// 1 + sigmoid(-1) = 1.27 at first, as in the authors' code, and the others are about what 0 stands for.
pub fn network(tasks: &dyn Tasks, seeds: Seeds) -> (Mlp, Params<f64>) {
    let mut params = Params::new();
    let sizes = vec![tasks.features(), tasks.width(), tasks.width(), tasks.parameters()];
    let config = MlpConfig { sizes, activation: Activation::Relu, ..MlpConfig::default() };
    let mlp = Mlp::new(&mut params, "factor", &config, &mut seeds.stream("network"));
    let bias = params.get("factor.2.bias").expect("the last layer has a bias");
    let bias = params.view_mut(bias);
    bias.fill(0.0);
    bias[0] = -1.0;
    (mlp, params)
}

/// ω of what the network puts out, in (1, 2).
pub fn factor(output: f64) -> f64 {
    1.0 + quire_kernels::Float::sigmoid(output)
}

/// What chooses the parameters of a task's solver.
pub enum Rule {
    /// The same factor for all, and nothing else chosen.
    Fixed(f64),
    /// A network.
    Network(Mlp, Params<f64>),
}

impl Rule {
    /// The rule that a solution of this family stands for.
    ///
    /// # Errors
    /// Values that are none.
    pub fn from_values(tasks: &dyn Tasks, values: &[f64]) -> Result<Self> {
        let (mlp, mut params) = network(tasks, Seeds::new(0));
        if values.len() != 1 + params.len() || !(0.0..2.0).contains(&values[0]) {
            return Err(Error::Failed(format!(
                "a rule for these tasks is a factor in [0, 2) and {} parameters of a network",
                params.len()
            )));
        }
        if values[0] > 0.0 {
            return Ok(Rule::Fixed(values[0]));
        }
        params.data_mut().copy_from_slice(&values[1..]);
        Ok(Rule::Network(mlp, params))
    }

    /// The parameters of a task's solver.
    pub fn choose(&self, tasks: &dyn Tasks, task: &[f64], scratch: &mut Scratch<f64>) -> Parameters {
        match self {
            Rule::Fixed(factor) => tasks::fixed(*factor),
            Rule::Network(mlp, params) => {
                let mut features = [0.0; tasks::MOST_FEATURES];
                let features = &mut features[..tasks.features()];
                tasks.describe(task, features);
                let mut parameters = tasks::fixed(0.0);
                let outputs = mlp.infer(params, features, scratch);
                for (index, (parameter, &output)) in parameters.iter_mut().zip(outputs).enumerate() {
                    *parameter = tasks.parameter(index, output).0;
                }
                parameters
            }
        }
    }
}

#[cfg(test)]
mod tests;
