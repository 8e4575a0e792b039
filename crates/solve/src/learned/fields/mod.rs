//! Learn where a linear solver starts, on a grid.
//!
//! A rule looks at the right side of a task and guesses the whole solution, several hundred numbers at once; SOR or Jacobi's method does the rest. What is compared is the mean
//! number of iterations on tasks that were not trained on, and the error after a fixed number; the unit of work is the solver's iterations spent in training.
//!
//! A solution is a rule ([`Rule`]): a single 0 for the default guess, or the channels and the kernel of a U-Net and its parameters.
//!
//! | file | what it holds |
//! |---|---|
//! | [`meta_guess`] | a U-Net, trained through the solver |
//! | [`default_guess`] | what a solver starts from without one |
//! | [`adjoint`] | a run, and its derivative by all of the guess |
//! | [`relaxation`] | sweeps over a grid, and their transposes |
//! | [`poisson`] | Poisson's equation on 512 points |
//! | [`flow`] | the pressure of a flow through a channel |
//! | [`problems`](mod@problems) | the problems |

pub mod adjoint;
pub mod default_guess;
pub mod flow;
pub mod meta_guess;
pub mod poisson;
pub mod problems;
pub mod relaxation;

use quire_core::{Entry, Error, Result, Rng, Seeds};
use quire_nn::{Params, Tape, UNet, UNetConfig};

pub use problems::problems;

use self::relaxation::Relaxation;
use crate::solver::{Make, entry};

/// One task: A u = b on a grid, and what is known of it. Numbers are row after row, the border included.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// b; 0 on the border.
    pub right: Vec<f64>,
    /// ‖b‖, above 0.
    pub right_size: f64,
    /// Where the solver starts without a network.
    pub start: Vec<f64>,
    /// The solution.
    pub solution: Vec<f64>,
    /// Its norm, above 0.
    pub size: f64,
    /// What a network sees: channel after channel, of the order of 1.
    pub features: Vec<f32>,
    /// What its output is multiplied by before it is added to the start.
    pub scale: f64,
}

impl Task {
    /// With the sizes worked out.
    pub fn new(right: Vec<f64>, start: Vec<f64>, solution: Vec<f64>, features: Vec<f32>, scale: f64) -> Self {
        let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        Task { right_size: norm(&right), size: norm(&solution), right, start, solution, features, scale }
    }

    /// ‖u - u*‖/‖u*‖.
    pub fn error(&self, u: &[f64]) -> f64 {
        let square: f64 = u.iter().zip(&self.solution).map(|(u, x)| (u - x) * (u - x)).sum();
        square.sqrt() / self.size
    }
}

/// A kind of task.
pub trait Fields: Send + Sync {
    /// The grid and the sweep.
    fn grid(&self) -> &Relaxation;

    /// Channels of the features.
    fn channels(&self) -> usize;

    /// The side of a convolution's kernel in the authors' network.
    fn kernel(&self) -> usize;

    /// The tolerances that rules are judged at: a loose one, the one that is trained for, a tight one.
    fn tolerances(&self) -> [f64; 3];

    /// A task to train on.
    fn draw(&self, rng: &mut Rng) -> Task;

    /// Tasks to be judged on.
    fn tests(&self) -> &[Task];
}

/// Tasks to train on, and where random numbers come from.
pub struct Training {
    /// The tasks.
    pub fields: Box<dyn Fields>,
    /// Random streams of the method.
    pub seeds: Seeds,
}

/// The methods of this family.
pub const METHODS: &[Entry<Make<Training>>] =
    &[entry::<Training, meta_guess::MetaGuess>(), entry::<Training, default_guess::DefaultGuess>()];

/// Levels of a U-Net, as in the authors' code.
const LEVELS: usize = 4;

/// A U-Net for these tasks, with so many channels in its first level, whose last convolution is 0: its guess is the default at first.
pub fn network(fields: &dyn Fields, channels: usize, kernel: usize, seeds: Seeds) -> (UNet, Params<f32>) {
    let mut params = Params::new();
    let is_line = fields.grid().shape()[0] == 1;
    let config = UNetConfig {
        inputs: fields.channels(),
        outputs: 1,
        channels,
        kernel: [if is_line { 1 } else { kernel }, kernel],
        scale: [if is_line { 1 } else { 2 }, 2],
        levels: LEVELS,
    };
    let net = UNet::new(&mut params, "guess", &config, &mut seeds.stream("network"));
    let last = net.last();
    params.view_mut(last.weight).fill(0.0);
    params.view_mut(last.bias).fill(0.0);
    (net, params)
}

/// The start of a task, moved inside by what a network puts out.
pub fn guess(grid: &Relaxation, task: &Task, output: &[f32], guess: &mut Vec<f64>) {
    guess.clear();
    guess.extend_from_slice(&task.start);
    grid.inside(|i| guess[i] += task.scale * f64::from(output[i]));
}

/// What guesses.
pub enum Rule {
    /// The task's own start.
    Default,
    /// A network.
    Network(Box<(UNet, Params<f32>)>),
}

impl Rule {
    /// The rule that a solution of this family stands for.
    ///
    /// # Errors
    /// Values that are none.
    pub fn from_values(fields: &dyn Fields, values: &[f64]) -> Result<Self> {
        let foreign = || Error::Failed("these numbers are no rule for where to start on these tasks".into());
        match values {
            [0.0] => Ok(Rule::Default),
            [channels, kernel, numbers @ ..] => {
                let is_size = |x: f64| x.fract() == 0.0 && (1.0..=64.0).contains(&x);
                if !is_size(*channels) || !is_size(*kernel) || kernel % 2.0 != 1.0 {
                    return Err(foreign());
                }
                let (net, mut params) = network(fields, *channels as usize, *kernel as usize, Seeds::new(0));
                if numbers.len() != params.len() {
                    return Err(foreign());
                }
                params.data_mut().iter_mut().zip(numbers).for_each(|(to, &from)| *to = from as f32);
                Ok(Rule::Network(Box::new((net, params))))
            }
            _ => Err(foreign()),
        }
    }

    /// Where the solver starts on each task, told task after task.
    pub fn each<'t>(
        &self,
        fields: &dyn Fields,
        tasks: impl IntoIterator<Item = &'t Task>,
        mut tell: impl FnMut(&Task, &[f64]),
    ) {
        let grid = fields.grid();
        let [rows, columns] = grid.shape();
        let (mut tape, mut start) = (Tape::<f32>::new(1), Vec::new());
        for task in tasks {
            match self {
                Rule::Default => start.clone_from(&task.start),
                Rule::Network(network) => {
                    let (net, params) = &**network;
                    let graph = tape.graph();
                    graph.no_grad(|| {
                        let features = graph.constant(&[1, fields.channels(), rows, columns], &task.features);
                        guess(grid, task, net.forward(graph, params, features).data(), &mut start);
                    });
                }
            }
            tell(task, &start);
        }
    }
}

#[cfg(test)]
mod tests;
