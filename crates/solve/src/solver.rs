//! The role of every algorithm of this wing, and the loop around it.
//!
//! ```
//! use quire_solve::ranking::{Game, League, Model, Newman, NewmanOptions};
//! use quire_solve::solver::{Method, solve};
//!
//! // Player 0 beat player 1 in three games of four.
//! let games = [(0, 1), (0, 1), (0, 1), (1, 0)].map(|(winner, loser)| Game::new(winner, loser));
//! let league = League::new(2, games.to_vec(), Model::default())?;
//! let mut newman = Newman::new(&league, NewmanOptions::default())?;
//! let solution = solve(&mut newman, &league, 100);
//! assert!((solution.values[0] - solution.values[1] - 3.0_f64.ln()).abs() < 1e-12);
//! assert_eq!(solution.iterations, 2);
//! # Ok::<(), quire_core::Error>(())
//! ```

use quire_core::{About, Entry, OptionMap, Options, Reason, Result, options};

/// What one iteration has come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The number that the stopping rule looks at; the smaller the better.
    pub residual: f64,
    /// Why the algorithm stops, if it does.
    pub done: Option<Reason>,
}

impl Step {
    /// Stops if `residual`, of which `name` says what it is, is at most `tolerance`; breaks off if it is not finite.
    pub fn judged(residual: f64, tolerance: f64, name: &str) -> Self {
        let step = Step::going_on(residual, name);
        if step.done.is_none() && residual <= tolerance {
            let done = Some(Reason::Converged(format!("the {name} is at most {tolerance:e}")));
            return Step { done, ..step };
        }
        step
    }

    /// Goes on, unless `residual`, of which `name` says what it is, is not finite: for algorithms without a stopping rule.
    pub fn going_on(residual: f64, name: &str) -> Self {
        let is_lost = !residual.is_finite();
        Step { residual, done: is_lost.then(|| Reason::Diverged(format!("the {name} is no longer finite"))) }
    }
}

/// The role: an algorithm at work on a problem of type `P`.
pub trait Solver<P: ?Sized>: Send {
    /// One iteration.
    ///
    /// # Errors
    /// [`quire_core::Error::Diverged`] if the algorithm breaks down.
    fn iterate(&mut self, problem: &P) -> Result<Step>;

    /// The solution so far, laid out as the family says.
    fn values(&self) -> Vec<f64>;

    /// The work done so far, in the family's unit: passes, products, factorizations.
    fn work(&self) -> f64;

    /// More numbers that a run records, by the names of its problem's metrics.
    fn told(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// Uses so many threads from now on, if it can use more than one. They change the speed, never a bit of the result.
    fn use_threads(&mut self, _threads: usize) {}

    /// The whole state.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Solver::save`] returned.
    ///
    /// # Errors
    /// A foreign or damaged state.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// An algorithm that is made from typed options.
pub trait Method<P: ?Sized>: Solver<P> + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// At its start.
    ///
    /// # Errors
    /// Options out of range, or a problem that the algorithm is not for.
    fn new(problem: &P, options: Self::Options) -> Result<Self>;
}

/// Makes an algorithm from the options that the user has set, laid over the defaults.
pub type Make<P> = fn(&P, &OptionMap) -> Result<Box<dyn Solver<P>>>;

/// The row of a method in its family's table.
pub const fn entry<P: 'static, M: Method<P>>() -> Entry<Make<P>> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: |problem, set| Ok(Box::new(M::new(problem, options::resolve(&[set])?)?)),
    }
}

/// What an algorithm has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// The solution, laid out as the family says; where the algorithm did not converge, the last iterate.
    pub values: Vec<f64>,
    /// Why it ended.
    pub reason: Reason,
    /// Iterations done.
    pub iterations: u64,
    /// Work done, in the family's unit.
    pub work: f64,
    /// The residual after each iteration.
    pub residuals: Vec<f64>,
}

impl Solution {
    /// True if the algorithm met its stopping rule.
    pub fn is_converged(&self) -> bool {
        matches!(self.reason, Reason::Converged(_))
    }
}

/// Iterates until the algorithm stops, breaks down or has done `limit` iterations.
pub fn solve<P: ?Sized>(solver: &mut dyn Solver<P>, problem: &P, limit: u64) -> Solution {
    let (mut residuals, mut reason) = (Vec::new(), Reason::Budget);
    while (residuals.len() as u64) < limit {
        let step = advance(solver, problem);
        residuals.push(step.residual);
        if let Some(end) = step.done {
            reason = end;
            break;
        }
    }
    Solution {
        values: solver.values(),
        reason,
        iterations: residuals.len() as u64,
        work: solver.work(),
        residuals,
    }
}

/// One iteration, its breakdown as a value.
pub(crate) fn advance<P: ?Sized>(solver: &mut dyn Solver<P>, problem: &P) -> Step {
    let broken = |reason: String| Step { residual: f64::NAN, done: Some(Reason::Diverged(reason)) };
    match solver.iterate(problem) {
        Ok(step) => step,
        Err(quire_core::Error::Diverged(place)) => broken(place),
        Err(other) => broken(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Error;

    use super::*;

    /// Halves a number; breaks down below a half of a tenth if told so.
    struct Halving {
        value: f64,
        breaks: bool,
    }

    impl Solver<()> for Halving {
        fn iterate(&mut self, _problem: &()) -> Result<Step> {
            self.value /= 2.0;
            if self.breaks && self.value < 0.05 {
                return Err(Error::Diverged("too small to halve".into()));
            }
            Ok(Step::judged(self.value, 0.1, "number"))
        }

        fn values(&self) -> Vec<f64> {
            vec![self.value]
        }

        fn work(&self) -> f64 {
            0.0
        }

        fn save(&self) -> Vec<u8> {
            Vec::new()
        }

        fn restore(&mut self, _saved: &[u8]) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_end_has_its_reason_and_the_history_of_its_residual() {
        let found = solve(&mut Halving { value: 1.0, breaks: false }, &(), 10);
        assert_eq!(found.residuals, [0.5, 0.25, 0.125, 0.0625]);
        assert_eq!(found.reason, Reason::Converged("the number is at most 1e-1".into()));
        assert_eq!(solve(&mut Halving { value: 1.0, breaks: false }, &(), 2).reason, Reason::Budget);
        let broken = solve(&mut Halving { value: 0.06, breaks: true }, &(), 10);
        assert_eq!(broken.reason, Reason::Diverged("too small to halve".into()));
        assert!(!broken.is_converged() && broken.iterations == 1);
        let lost = solve(&mut Halving { value: f64::NAN, breaks: false }, &(), 10);
        assert!(matches!(lost.reason, Reason::Diverged(_)));
    }
}
