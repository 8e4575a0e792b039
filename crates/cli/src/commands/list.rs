//! `quire list`: what there is.

use std::process::ExitCode;

use quire_core::Result;
use quire_study::claims;
use serde::Serialize;

use crate::args::{Global, Kind, List};
use crate::commands::open_existing_store;
use crate::terminal::{self, FAINT, count, styled, table};

#[derive(Serialize)]
struct MethodRow<'a> {
    name: &'a str,
    wing: &'a str,
    family: &'a str,
    paper: Option<&'a quire_core::Paper>,
    baseline: bool,
    summary: &'a str,
    problems: Vec<&'a str>,
}

#[derive(Serialize)]
struct ProblemRow<'a> {
    name: &'a str,
    wing: &'a str,
    summary: &'a str,
    metric: &'a str,
    budget: u64,
    budget_unit: &'a str,
    optimum: Option<f64>,
    methods: Vec<&'a str>,
}

/// Runs the command.
pub fn run(args: &List, global: &Global) -> Result<ExitCode> {
    match args.kind {
        Kind::Methods => methods(global),
        Kind::Problems => problems(global),
        Kind::Papers => papers(global),
        Kind::Studies => studies(global),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn methods(global: &Global) -> Result<()> {
    let registry = quire::registry();
    let rows: Vec<MethodRow> = registry
        .methods()
        .into_iter()
        .map(|(card, problems)| MethodRow {
            name: card.name,
            wing: card.wing,
            family: card.family,
            paper: card.paper.as_ref(),
            baseline: card.is_baseline,
            summary: card.summary,
            problems,
        })
        .collect();
    if global.json {
        return terminal::json(&rows);
    }
    let line = |row: &MethodRow| {
        let paper = row.paper.map_or_else(|| "baseline".to_owned(), |paper| format!("arXiv:{}", paper.arxiv));
        vec![row.name.to_owned(), format!("{}/{}", row.wing, row.family), paper, row.summary.to_owned()]
    };
    terminal::print(table(&["method", "wing", "paper", "summary"], &[], rows.iter().map(line).collect()));
    terminal::print(styled(
        FAINT,
        "\nquire show <method> tells everything about one, options with defaults.",
    ));
    Ok(())
}

fn problems(global: &Global) -> Result<()> {
    let registry = quire::registry();
    let rows: Vec<ProblemRow> = registry
        .problems()
        .map(|problem| {
            let card = problem.card();
            ProblemRow {
                name: &card.name,
                wing: card.wing,
                summary: &card.summary,
                metric: card.metric().name,
                budget: card.budget,
                budget_unit: card.budget_unit,
                optimum: card.optimum,
                methods: problem.methods().iter().map(|method| method.name).collect(),
            }
        })
        .collect();
    if global.json {
        return terminal::json(&rows);
    }
    let line = |row: &ProblemRow| {
        let methods = if row.methods.is_empty() { "none yet".to_owned() } else { row.methods.join(", ") };
        vec![row.name.to_owned(), row.wing.to_owned(), count(row.budget), methods, row.summary.to_owned()]
    };
    let header = ["problem", "wing", "budget", "methods", "summary"];
    terminal::print(table(&header, &[2], rows.iter().map(line).collect()));
    terminal::print(styled(FAINT, "\nquire show <problem> tells everything about one."));
    Ok(())
}

fn papers(global: &Global) -> Result<()> {
    let papers = claims::papers()?;
    if global.json {
        return terminal::json(&papers.iter().map(|paper| paper.listing()).collect::<Vec<_>>());
    }
    let line = |paper: &claims::Paper| {
        let locator = claims::PaperStanding::new(paper, Vec::new()).locator();
        let claims: Vec<&str> = paper.claims.iter().map(|claim| claim.id.as_str()).collect();
        vec![paper.slug.clone(), locator, paper.title.clone(), claims.join(", ")]
    };
    terminal::print(table(&["paper", "source", "title", "claims"], &[], papers.iter().map(line).collect()));
    terminal::print(styled(
        FAINT,
        "\nquire reproduce <paper> measures its claims; --quick for a first look.",
    ));
    Ok(())
}

fn studies(global: &Global) -> Result<()> {
    let Some(store) = open_existing_store(global)? else {
        if global.json {
            return terminal::json(&Vec::<()>::new());
        }
        terminal::print(format!("No study has been run in {}.", global.out.display()));
        return Ok(());
    };
    let studies = store.studies()?;
    if global.json {
        return terminal::json(&studies);
    }
    let line = |study: &quire_study::StudyRecord| {
        let runs = format!("{}/{}", study.runs_done, study.runs);
        vec![study.name.clone(), study.id.to_string(), study.status.to_string(), runs, study.created.clone()]
    };
    let header = ["study", "no.", "status", "done", "created"];
    terminal::print(table(&header, &[1, 3], studies.iter().map(line).collect()));
    Ok(())
}
