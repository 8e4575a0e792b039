//! Family: compute s_1, ..., s_T, each from those before it, with fewer steps that wait for one another.
//!
//! A feedforward computation s_t = h_t(s_1, ..., s_{t-1}) is a triangular system of equations. One state after the other - the
//! usual way - is a Gauss-Seidel pass through it; Jacobi sweeps compute all states at once from the values of the sweep before, and are done after at most
//! T of them, usually far fewer. The unit of work is the dependent step: evaluations that can be done side by side are one.
//!
//! A solution is s_1, ..., s_T, all numbers of a state in a row.
//!
//! | file | what it holds |
//! |---|---|
//! | [`parallel`] | Jacobi, Jacobi over Gauss-Seidel blocks and the reverse, a sliding window |
//! | [`sequential`] | one state after the other |
//! | [`systems`] | backpropagation through a recurrent network, sampling from MADE, a densely connected network, recurrences |
//! | [`problems`](mod@problems) | the problems |

pub mod parallel;
pub mod problems;
pub mod sequential;
pub mod systems;

use std::ops::Range;

use quire_core::Entry;

pub use problems::problems;

use crate::solver::{Make, entry};

/// A triangular system of equations.
///
/// Whatever calls it, and for however many states at once, the numbers of a state depend on those before it alone, to the bit: that is
/// what makes all schemes end at the same bits.
pub trait Feedforward: Send + Sync {
    /// T, the number of states.
    fn length(&self) -> usize;

    /// The numbers of one state.
    fn width(&self) -> usize;

    /// How many features the states share, each of [`Feedforward::width`] numbers, such as the hidden units of a network.
    fn features(&self) -> usize {
        0
    }

    /// State `t` reads the features below this number, which never falls as `t` rises; these features read states before `t` alone.
    fn uses(&self, _t: usize) -> usize {
        0
    }

    /// Features of this range, into `out`, from `states`, of which there are enough.
    fn share(&self, _range: Range<usize>, _states: &[f64], _out: &mut [f64]) {}

    /// States of this range by their equations, into `out`, from `states` and `features`.
    fn evaluate(&self, range: Range<usize>, states: &[f64], features: &[f64], out: &mut [f64]);

    /// What the states are computed for; by default the states themselves.
    fn wanted(&self, states: &[f64]) -> Vec<f64> {
        states.to_vec()
    }
}

/// A system and where to begin.
pub struct Task {
    /// The equations.
    pub system: Box<dyn Feedforward>,
    /// The states before the first sweep.
    pub start: Vec<f64>,
}

impl Task {
    /// This system, from zeros.
    pub fn new(system: Box<dyn Feedforward>) -> Self {
        let start = vec![0.0; system.length() * system.width()];
        Task { system, start }
    }

    /// The solution, one state after the other.
    pub fn in_order(&self) -> Vec<f64> {
        let mut place = sequential::Place::new(self);
        while place.next < self.system.length() {
            place.advance(&*self.system);
        }
        place.states
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Make<Task>>] =
    &[entry::<Task, parallel::Parallel>(), entry::<Task, sequential::Sequential>()];

#[cfg(test)]
mod tests;
