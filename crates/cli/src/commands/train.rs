//! `quire train`: one run, kept as an artefact.

use std::process::ExitCode;

use quire_core::Result;
use serde::Serialize;

use crate::args::{Global, Train};
use crate::commands::compare;
use crate::terminal::{self, FAINT, STRONG, duration, number, print, styled};

#[derive(Serialize)]
struct Trained {
    study: String,
    problem: String,
    method: String,
    seed: u64,
    metric: &'static str,
    score: Option<f64>,
    reason: Option<String>,
    wall_s: f64,
    artefact: Option<String>,
}

/// Runs the command.
pub fn run(args: &Train, global: &Global) -> Result<ExitCode> {
    let methods = [args.method.clone()];
    let mut spec = compare::spec(&methods, &args.run, vec![args.seed], "")?;
    if args.run.name.is_none() {
        spec.name = format!("train-{}-seed{}", spec.name, args.seed);
    }
    let registry = quire::registry();
    let (store, study, ending) = compare::start(&spec, &registry, global)?;
    if let Some(code) = compare::incomplete(&study, ending) {
        return Ok(code);
    }
    let run = store.runs(study.id)?.remove(0);
    let metric = registry.problem(&run.spec.problem)?.card().metric().name;
    let trained = Trained {
        score: store.last_point(run.id, metric)?.map(|(_, value)| value),
        study: study.name,
        problem: run.spec.problem,
        method: run.spec.method,
        seed: run.spec.seed,
        metric,
        reason: run.reason,
        wall_s: run.wall_s,
        artefact: run.artefact,
    };
    if global.json {
        terminal::json(&trained)?;
        return Ok(ExitCode::SUCCESS);
    }
    let score = trained.score.map_or_else(|| "none".to_owned(), number);
    print(format!(
        "{} on {}, seed {}: {metric} {} in {} ({})",
        styled(STRONG, &trained.method),
        trained.problem,
        trained.seed,
        styled(STRONG, score),
        duration(trained.wall_s),
        trained.reason.as_deref().unwrap_or("no reason recorded"),
    ));
    if let Some(path) = &trained.artefact {
        print(format!(
            "{}\n{}",
            styled(STRONG, path),
            styled(FAINT, format!("quire eval '{path}' scores it afresh."))
        ));
    }
    Ok(ExitCode::SUCCESS)
}
