//! A user's own system, solved: by the method that was asked for, or by the first of those that suit the matrix and succeed.

use quire_core::{Entry, Error, OptionMap, Result};
use serde::Serialize;

use super::traits::{Suitability, Suits, Traits, traits};
use super::{METHODS, System, dense_lu};
use crate::solver::{Make, Solution, Solver, entry, solve};

/// A direct solution, which is tried after the iterations.
const DIRECT: Entry<Make<System>> = entry::<System, dense_lu::DenseLu>();
/// Methods that are tried without being asked for, in this order.
const TRIED: [&str; 3] = ["conjugate-gradient", "gmres", "dense-lu"];

/// How to solve.
#[derive(Debug, Clone)]
pub struct How {
    /// A method of the family, or `dense-lu`; without one those that suit are tried.
    pub method: Option<String>,
    /// Options of that method; without one only `tolerance`.
    pub set: OptionMap,
    /// Iterations, at most.
    pub iterations: u64,
}

/// One method's try.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attempt {
    /// The method.
    pub method: String,
    /// The options that were set.
    pub options: OptionMap,
    /// Whether it met its stopping rule.
    pub converged: bool,
    /// Why it ended, or why it could not begin.
    pub reason: String,
    /// Its iterations.
    pub iterations: u64,
    /// Its products with the matrix, a preconditioner's included.
    pub products: f64,
    /// ‖b - Ax‖/‖b‖ of its last x, computed afresh.
    pub residual: Option<f64>,
    /// The residual after each iteration, as the method knew it.
    pub residuals: Vec<f64>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Solved {
    /// What the matrix is like.
    pub matrix: Traits,
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
    /// Whether the last attempt succeeded.
    pub converged: bool,
    /// Its solution, or where it failed, its last x.
    pub solution: Vec<f64>,
    /// Every method, and whether it suits.
    pub methods: Vec<Suitability>,
}

impl Solved {
    /// Methods that were not tried and might succeed.
    pub fn remaining(&self) -> Vec<&Suitability> {
        let tried = |method: &str| self.attempts.iter().any(|attempt| attempt.method == method);
        let left = self.methods.iter().filter(|method| method.suits != Suits::No && !tried(method.method));
        left.collect()
    }
}

/// Solves a system.
///
/// # Errors
/// An unknown method or option, a method asked for that cannot begin with this matrix. A method that fails is no error, but an
/// attempt in the answer.
pub fn solve_own(system: &System, how: &How) -> Result<Solved> {
    let seen = traits(&system.matrix);
    let methods = seen.suitability();
    let mut solved = Solved {
        matrix: seen,
        attempts: Vec::new(),
        converged: false,
        solution: vec![0.0; system.size()],
        methods,
    };
    let wanted: Vec<&str> = match &how.method {
        Some(method) => vec![method.as_str()],
        None => TRIED
            .into_iter()
            .filter(|name| solved.methods.iter().any(|m| m.method == *name && m.suits != Suits::No))
            .collect(),
    };
    for name in wanted {
        let entry = METHODS.iter().chain([&DIRECT]).find(|entry| entry.name == name).ok_or_else(|| {
            let known = METHODS.iter().chain([&DIRECT]).map(|entry| entry.name);
            Error::unknown("method for systems", name, known, "quire show poisson")
        })?;
        (entry.card)().options.with(&[&how.set])?;
        let (set, made) = made(entry, system, how);
        let attempt = match made {
            Ok(mut solver) => {
                let solution = solve(&mut *solver, system, how.iterations);
                let attempt = attempt(name, set, system, &solution);
                solved.solution = solution.values;
                attempt
            }
            // What was asked for is to be mended by who asked; otherwise the next method may do.
            Err(error) if how.method.is_some() => return Err(error),
            Err(error) => Attempt {
                method: name.to_owned(),
                options: set,
                converged: false,
                reason: error.to_string(),
                iterations: 0,
                products: 0.0,
                residual: None,
                residuals: Vec::new(),
            },
        };
        solved.converged = attempt.converged;
        solved.attempts.push(attempt);
        if solved.converged {
            break;
        }
    }
    Ok(solved)
}

/// The method and its options; where nobody asked for it, with the best preconditioner that the matrix has.
fn made(
    entry: &Entry<Make<System>>,
    system: &System,
    how: &How,
) -> (OptionMap, Result<Box<dyn Solver<System>>>) {
    let plain = (how.set.clone(), (entry.make)(system, &how.set));
    if how.method.is_some() || plain.1.is_ok() || entry.name == DIRECT.name {
        return plain;
    }
    let others = ["jacobi", "none"].map(|preconditioner| {
        let mut set = how.set.clone();
        set.insert("preconditioner".into(), preconditioner.into());
        let made = (entry.make)(system, &set);
        (set, made)
    });
    others.into_iter().find(|(_, made)| made.is_ok()).unwrap_or(plain)
}

fn attempt(method: &str, set: OptionMap, system: &System, solution: &Solution) -> Attempt {
    let residual = system.relative_residual(&solution.values, &mut vec![0.0; system.size()]);
    Attempt {
        method: method.to_owned(),
        options: set,
        converged: solution.is_converged(),
        reason: solution.reason.to_string(),
        iterations: solution.iterations,
        products: solution.work,
        residual: residual.is_finite().then_some(residual),
        residuals: solution.residuals.iter().copied().filter(|residual| residual.is_finite()).collect(),
    }
}
