//! `quire report`: the page of a study or of all papers; and the summary that ends a study.

use std::process::ExitCode;

use quire_core::{Direction, Result};
use quire_study::claims::{self, Archive, PaperStanding};
use quire_study::format::{decimals, duration, number};
use quire_study::report::bibliography;
use quire_study::statistics::Estimate;
use quire_study::{MethodSummary, ProblemSummary, Store, StudyRecord, StudySummary, report};
use serde_json::json;

use crate::args::{Global, Report};
use crate::commands::{find_study, paper, study_folder};
use crate::terminal::{self, FAINT, STRONG, print, styled, table};

/// The word that asks for all papers in place of a study.
const PAPERS: &str = "papers";

/// Runs the command.
pub fn run(args: &Report, global: &Global) -> Result<ExitCode> {
    if args.study.as_deref() == Some(PAPERS) {
        return papers(global);
    }
    let (store, study) = find_study(global, args.study.as_deref())?;
    let summary = write_report(&store, &study, global)?;
    let path = summary.report.as_deref().unwrap_or_default();
    if global.json {
        terminal::json(&json!({ "study": study.name, "report": path }))?;
    } else {
        print(path);
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the page about all papers, measured or not.
fn papers(global: &Global) -> Result<ExitCode> {
    let papers = claims::papers()?;
    let standings: Vec<PaperStanding<'_>> =
        papers.iter().map(|paper| paper::standing(paper, global)).collect::<Result<_>>()?;
    let archive = Archive::new(&global.out);
    let path = archive.index();
    bibliography::write_index(&standings, &path)?;
    // A page about a paper is brought up to date with it: the claims may have been stated anew.
    for standing in standings.iter().filter(|standing| archive.page(standing.slug).exists()) {
        bibliography::write_paper(standing, &archive)?;
    }
    if global.json {
        terminal::json(&json!({ "report": path.display().to_string(), "papers": standings }))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(path.display());
    print(bibliography::finding(&standings));
    Ok(ExitCode::SUCCESS)
}

/// Writes a study's report and prints what it found.
pub fn print_summary(store: &Store, study: &StudyRecord, global: &Global) -> Result<()> {
    let summary = write_report(store, study, global)?;
    if global.json {
        return terminal::json(&summary);
    }
    for problem in &summary.problems {
        print_problem(problem, &summary);
    }
    if summary.problems.len() > 1 {
        print(format!("\n{}", styled(STRONG, "All problems, by normalized score")));
        print(methods_table(&summary.methods, "score"));
    }
    print(format!("\n{}", summary.finding));
    print(styled(FAINT, &summary.protocol));
    if let Some(path) = &summary.report {
        print(format!("\n{} {path}", styled(STRONG, "Report")));
    }
    Ok(())
}

/// Writes a study's report; the summary says where.
pub fn write_report(store: &Store, study: &StudyRecord, global: &Global) -> Result<StudySummary> {
    let mut summary = StudySummary::from_store(store, study.id)?;
    let path = study_folder(global, study).join("report.html");
    report::write_html(&summary, &path)?;
    summary.report = Some(path.display().to_string());
    Ok(summary)
}

fn print_problem(problem: &ProblemSummary, summary: &StudySummary) {
    let metric = &problem.metric_card;
    let better = match metric.direction {
        Direction::Higher => "higher is better",
        Direction::Lower => "lower is better",
        Direction::Neutral => "neither way is better",
    };
    let title = format!(
        "{} after {} {}",
        problem.problem,
        quire_study::format::count(problem.budget),
        problem.budget_unit
    );
    let unit = if metric.unit.is_empty() { String::new() } else { format!(" in {}", metric.unit) };
    print(format!(
        "\n{}  {}",
        styled(STRONG, title),
        styled(FAINT, format!("{}{unit}, {better}", metric.name))
    ));
    if summary.runs_done + summary.runs_failed < summary.runs {
        print(styled(FAINT, "Some runs have not ended; the table shows those that have."));
    }
    print(methods_table(&problem.methods, &metric.name));
}

fn methods_table(methods: &[MethodSummary], metric: &str) -> comfy_table::Table {
    let ends = methods.iter().flat_map(|method| method.ci.unwrap_or([method.iqm; 2]));
    let digits = decimals(ends.chain(methods.iter().map(|method| method.iqm)));
    let row = |method: &MethodSummary| {
        let interval = method.ci.map_or_else(
            || "–".into(),
            |[low, high]| format!("{} to {}", number(low, digits), number(high, digits)),
        );
        let failed = if method.failed > 0 { format!(" ({} failed)", method.failed) } else { String::new() };
        vec![
            method.name.clone(),
            number(method.iqm, digits),
            interval,
            method.improvement.map_or_else(|| "baseline".into(), improvement),
            format!("{}{failed}", method.seeds.len()),
            duration(method.wall_s),
        ]
    };
    let iqm = format!("{metric} (iqm)");
    let header = ["method", &iqm, "95 % interval", "beats baseline", "runs", "median wall"];
    table(&header, &[1, 2, 3, 4, 5], methods.iter().map(row).collect())
}

/// A probability of improvement with its interval, if there are runs enough for one, in percent.
fn improvement(estimate: Estimate) -> String {
    let percent = |p: f64| format!("{:.0}", 100.0 * p);
    if estimate.low.is_nan() {
        return format!("{} %", percent(estimate.value));
    }
    format!("{} % ({}–{})", percent(estimate.value), percent(estimate.low), percent(estimate.high))
}
