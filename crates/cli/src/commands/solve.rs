//! `quire solve`: a user's own sparse system of linear equations.

use std::process::ExitCode;

use quire::core::{files, options};
use quire::solve::linear::own::{Attempt, How, Solved, solve_own};
use quire::solve::linear::traits::Suits;
use quire::solve::linear::{System, file};
use quire_core::{Error, Result};
use serde::Serialize;

use crate::args::{Global, Solve};
use crate::terminal::{self, BAD, FAINT, GOOD, STRONG, count, print, styled, table};

/// Unknowns that are printed; `--json` and `--to` have all.
const SHOWN: usize = 10;

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    solved: Solved,
    /// Where the right side came from.
    right: &'static str,
    /// The largest error, where the right side was made of a known solution.
    error: Option<f64>,
}

/// Runs the command. That no method succeeds is a failure, told with what was tried.
pub fn run(args: &Solve, global: &Global) -> Result<ExitCode> {
    let matrix = file::read(&args.matrix)?;
    let (right, known) = match &args.right {
        Some(path) => (file::read_vector(path)?, false),
        None => {
            let mut right = vec![0.0; matrix.rows()];
            matrix.times(&vec![1.0; matrix.columns()], &mut right);
            (right, true)
        }
    };
    let system = System::new(matrix, right)?;
    let set = options::parse_assignments(&args.set)?;
    if let Some(name) = set.keys().find(|name| args.method.is_none() && *name != "tolerance") {
        let problem =
            format!("--set {name} needs a --method that has it; without one only tolerance can be set");
        return Err(Error::Usage(problem));
    }
    let how = How { method: args.method.clone(), set, iterations: args.iterations };
    let solved = solve_own(&system, &how)?;
    if let Some(path) = args.to.as_ref().filter(|_| solved.converged) {
        files::write_atomic(path, file::write_vector(&solved.solution).as_bytes())?;
    }
    let error = (known && solved.converged)
        .then(|| solved.solution.iter().map(|x| (x - 1.0).abs()).fold(0.0, f64::max));
    let right = if known { "the matrix times ones" } else { "given" };
    let told = Told { solved, right, error };
    if global.json {
        terminal::json(&told)?;
    } else {
        tell(&told, args);
    }
    Ok(if told.solved.converged { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A small number, with an exponent.
fn small(value: f64) -> String {
    quire_study::format::scientific(value, 2)
}

fn tell(told: &Told, args: &Solve) {
    let Told { solved, .. } = told;
    print(format!(
        "{} unknowns, {} entries, {}",
        count(solved.matrix.rows as u64),
        count(solved.matrix.entries as u64),
        solved.matrix.describe()
    ));
    for attempt in &solved.attempts {
        tell_attempt(attempt);
    }
    if let Some(error) = told.error {
        let about = "no right side was given, so it was made of a solution of ones";
        print(format!("  {} {}  {}", styled(STRONG, "largest error   "), small(error), styled(FAINT, about)));
    }
    if solved.converged {
        let rows = solved.solution.iter().take(SHOWN).enumerate();
        let rows = rows.map(|(index, x)| vec![(index + 1).to_string(), format!("{x:.10}")]).collect();
        print(format!("\n{}", table(&["unknown", "value"], &[0, 1], rows)));
        if solved.solution.len() > SHOWN {
            let rest = count((solved.solution.len() - SHOWN) as u64);
            print(styled(FAINT, format!("{rest} more unknowns with --to or --json")));
        }
        if let Some(path) = &args.to {
            print(styled(FAINT, format!("written: {}", path.display())));
        }
        return;
    }
    let remaining = solved.remaining();
    if remaining.is_empty() {
        print(styled(BAD, "no method here solves this system"));
    } else {
        print("\nThese remain, with --method:");
        for method in remaining {
            let sign = if method.suits == Suits::Yes { "suits" } else { "may do" };
            print(format!(
                "  {} {sign:<7}  {}",
                styled(STRONG, format!("{:<18}", method.method)),
                method.why
            ));
        }
    }
    for method in solved.methods.iter().filter(|method| method.suits == Suits::No) {
        print(styled(FAINT, format!("  {:<18} no       {}", method.method, method.why)));
    }
}

fn tell_attempt(attempt: &Attempt) {
    let sign = if attempt.converged { styled(GOOD, "solved") } else { styled(BAD, "failed") };
    let residual =
        attempt.residual.map_or(String::new(), |residual| format!(", residual {}", small(residual)));
    let products = if attempt.products > 0.0 {
        format!(", {} products with the matrix", count(attempt.products as u64))
    } else {
        String::new()
    };
    print(format!(
        "  {} {sign}  {} iterations{products}{residual}",
        styled(STRONG, format!("{:<18}", attempt.method)),
        count(attempt.iterations)
    ));
    print(format!("  {:<18}         {}", "", styled(FAINT, &attempt.reason)));
}
