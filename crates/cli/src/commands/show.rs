//! `quire show`: everything about one method, problem, paper or study.

use std::process::ExitCode;

use quire_core::options::OptionField;
use quire_core::{Error, MethodCard, OptionMap, Problem, ProblemCard, Registry, Result};
use quire_study::claims;
use serde::Serialize;
use serde_json::Value;

use crate::args::{Global, Show};
use crate::commands::open_existing_store;
use crate::commands::paper::{print_claims, print_paper, standing};
use crate::commands::report::print_summary;
use crate::terminal::{self, FAINT, STRONG, count, number, print, styled, table};

#[derive(Serialize)]
struct ShownMethod<'a> {
    #[serde(flatten)]
    card: &'a MethodCard,
    problems: Vec<&'a str>,
    fields: Vec<OptionField>,
    /// The options on the problem given with `--on`, tuned values included.
    on: Option<OptionMap>,
}

#[derive(Serialize)]
struct ShownProblem<'a> {
    #[serde(flatten)]
    card: &'a ProblemCard,
    methods: Vec<&'a str>,
}

/// Runs the command.
pub fn run(args: &Show, global: &Global) -> Result<ExitCode> {
    let registry = quire::registry();
    if let Ok((card, problems)) = registry.method(&args.name) {
        show_method(card, problems, args.on.as_deref(), &registry, global)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.on.is_some() {
        registry.method(&args.name)?;
    }
    match registry.problem(&args.name) {
        Ok(problem) => {
            show_problem(problem.as_ref(), global)?;
            return Ok(ExitCode::SUCCESS);
        }
        // Something else may have the name.
        Err(Error::Unknown { .. }) => {}
        // A member of a family that there is not, or a file that holds no model.
        Err(error) => return Err(error),
    }
    let paper = claims::paper(&args.name);
    if paper.is_ok() || args.name.starts_with("papers/") || args.name.starts_with("arXiv:") {
        let paper = paper?;
        let standing = standing(&paper, global)?;
        if global.json {
            terminal::json(&standing)?;
        } else {
            print_paper(&standing);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let store = open_existing_store(global)?;
    if let Some(store) = &store
        && let Ok(study) = store.find_study(&args.name)
    {
        print_summary(store, &study, global)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (methods, papers) = (registry.methods(), claims::papers()?);
    let studies = store.map_or_else(|| Ok(Vec::new()), |store| store.studies())?;
    let known = methods.iter().map(|(card, _)| card.name);
    let known = known.chain(registry.problems().map(|problem| problem.card().name.as_str()));
    let known = known.chain(papers.iter().map(|paper| paper.slug.as_str()));
    let known = known.chain(studies.iter().map(|study| study.name.as_str()));
    let list_with = "quire list methods|problems|papers|studies";
    Err(Error::unknown("method, problem, paper or study", &args.name, known, list_with))
}

fn show_method(
    card: &MethodCard,
    problems: Vec<&str>,
    on: Option<&str>,
    registry: &Registry,
    global: &Global,
) -> Result<()> {
    let on = match on {
        Some(name) => {
            let problem = registry.problem(name)?;
            problem.method(card.name)?;
            Some(card.options.with(&[&card.tuned_for(&problem.card().name)])?)
        }
        None => None,
    };
    let fields = card.options.fields_of(on.as_ref().unwrap_or(card.options.defaults()));
    // Methods are often named as their papers are: whoever asks for one may mean the other.
    let slug = card.paper.map_or(card.name, |paper| paper.slug);
    let paper = claims::papers()?.into_iter().find(|paper| paper.slug == slug);
    let paper = paper.as_ref().map(|paper| standing(paper, global)).transpose()?;
    if global.json {
        let mut shown = terminal::value(&ShownMethod { card, problems, fields, on })?;
        if let Some(paper) = &paper {
            shown["paper"] = terminal::value(paper)?;
        }
        return terminal::json(&shown);
    }
    print(format!(
        "{}  {}",
        styled(STRONG, card.name),
        styled(FAINT, format!("{}/{}", card.wing, card.family))
    ));
    print(card.summary);
    match (&paper, &card.paper) {
        (Some(paper), _) => print_claims(paper),
        (None, Some(paper)) => {
            print(format!("\n{} {}, arXiv:{}", styled(STRONG, "Paper"), paper.title, paper.arxiv));
        }
        (None, None) => {}
    }
    print(format!("\n{}\n{}", styled(STRONG, "When to pick it"), card.when));
    print(format!("\n{}\n{}", styled(STRONG, "Problems"), problems.join(", ")));
    let tuned: Vec<&str> = card.tuned.iter().map(|(problem, _)| problem.as_str()).collect();
    if !tuned.is_empty() {
        print(format!(
            "\n{}\n{} (see them with --on PROBLEM)",
            styled(STRONG, "Tuned for"),
            tuned.join(", ")
        ));
    }
    let line = |field: &OptionField| {
        vec![field.name.clone(), show_value(&field.value), field.kind.clone(), field.description.clone()]
    };
    print("");
    print(table(&["option", "value", "takes", "meaning"], &[], fields.iter().map(line).collect()));
    Ok(())
}

fn show_problem(problem: &dyn Problem, global: &Global) -> Result<()> {
    let card = problem.card();
    let methods: Vec<&str> = problem.methods().iter().map(|method| method.name).collect();
    if global.json {
        return terminal::json(&ShownProblem { card, methods });
    }
    print(format!("{}  {}", styled(STRONG, &card.name), styled(FAINT, card.wing)));
    print(&card.summary);
    print(format!("\n{} {} {}", styled(STRONG, "Budget"), count(card.budget), card.budget_unit));
    if let Some(optimum) = card.optimum {
        print(format!("{} {} of {}", styled(STRONG, "Optimum"), card.metric().name, number(optimum)));
    }
    print(format!("{} {}", styled(STRONG, "Source"), card.source));
    print(format!(
        "{} {}",
        styled(STRONG, "Methods"),
        if methods.is_empty() { "none yet".into() } else { methods.join(", ") }
    ));
    print("");
    let line = |metric: &quire_core::Metric| {
        let better = match metric.direction {
            quire_core::Direction::Higher => "higher is better",
            quire_core::Direction::Lower => "lower is better",
            quire_core::Direction::Neutral => "",
        };
        vec![metric.name.to_owned(), metric.unit.to_owned(), better.to_owned(), metric.summary.to_owned()]
    };
    print(table(&["metric", "unit", "", "meaning"], &[], card.metrics.iter().map(line).collect()));
    Ok(())
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
