//! `quire eval`: score a trained artefact afresh.

use std::process::ExitCode;

use quire_core::{Artefact, Error, Result};
use serde::Serialize;

use crate::args::{Eval, Global};
use crate::terminal::{self, STRONG, number, print, styled};

#[derive(Serialize)]
struct Scored<'a> {
    problem: &'a str,
    method: &'a str,
    metric: &'a str,
    episodes: usize,
    mean: f64,
    std: f64,
    min: f64,
    max: f64,
    scores: &'a [f64],
}

/// Runs the command.
pub fn run(args: &Eval, global: &Global) -> Result<ExitCode> {
    let artefact = Artefact::load(&args.artefact)?;
    let registry = quire::registry();
    let foreign = |e: Error| match e {
        Error::Unknown { kind, name, .. } => Error::file(
            &args.artefact,
            format!("was made with the {kind} `{name}`, which this version of Quire does not have"),
        ),
        other => other,
    };
    let problem = registry.problem(&artefact.problem).map_err(foreign)?;
    problem.method(&artefact.method).map_err(foreign)?;
    let evaluation = problem.evaluate(&artefact, args.episodes as usize, args.seed)?;
    let scores = &evaluation.scores;
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / scores.len() as f64;
    let scored = Scored {
        problem: &artefact.problem,
        method: &artefact.method,
        metric: &evaluation.metric,
        episodes: scores.len(),
        mean,
        std: variance.sqrt(),
        min: scores.iter().copied().fold(f64::INFINITY, f64::min),
        max: scores.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        scores,
    };
    if global.json {
        terminal::json(&scored)?;
    } else {
        let range =
            format!("std {}, from {} to {}", number(scored.std), number(scored.min), number(scored.max));
        print(format!(
            "{} on {}: {} {} over {} episodes ({range})",
            styled(STRONG, scored.method),
            scored.problem,
            scored.metric,
            styled(STRONG, number(mean)),
            scored.episodes,
        ));
    }
    Ok(ExitCode::SUCCESS)
}
