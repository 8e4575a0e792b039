//! `quire reproduce`: what papers state, measured, printed and kept.

use std::process::ExitCode;

use quire_core::{Error, Registry, Result};
use quire_study::claims::{
    self, Archive, Claim, ClaimVerdict, Kept, Paper, PaperStanding, PaperVerdict, Sitting,
};
use quire_study::format::counted;
use quire_study::report::bibliography;
use quire_study::store::NewStudy;

use crate::args::{Global, Reproduce};
use crate::commands::compare::{self, INTERRUPTED};
use crate::commands::paper::print_verdict;
use crate::commands::{open_store, report};
use crate::terminal::{self, FAINT, STRONG, notice, print, styled};

/// A paper and those of its claims that were asked for.
type Asked<'a> = (&'a Paper, Vec<&'a Claim>);

/// Runs the command. A claim that fails is a result, not a failure: the exit code is 0 unless runs failed.
pub fn run(args: &Reproduce, global: &Global) -> Result<ExitCode> {
    let papers = papers(args)?;
    let registry = quire::registry();
    let asked = claims(&papers, args.claim.as_deref())?;
    // Whatever is wrong with any of the studies is found before the first runs.
    for claim in asked.iter().flat_map(|(_, claims)| claims) {
        plan(claim, args, &registry)?;
    }
    let archive = Archive::new(&global.out);
    let sitting = Sitting::new(&archive);
    let mut verdicts = Vec::new();
    let mut failed = 0;
    for (paper, claims) in &asked {
        if !global.json {
            print(format!(
                "\n{}  {}",
                styled(STRONG, &paper.title),
                styled(FAINT, PaperStanding::new(paper, Vec::new()).locator())
            ));
            print(&paper.protocol);
        }
        let mut judged = Vec::new();
        for claim in claims {
            let Some((verdict, broken)) = measure(claim, args, &sitting, &registry, global)? else {
                return Ok(ExitCode::from(INTERRUPTED));
            };
            failed += broken;
            if !global.json {
                print_verdict(&verdict);
            }
            keep(paper, &verdict, &archive)?;
            judged.push(verdict);
        }
        if !global.json {
            print(format!("\n{} {}", styled(STRONG, "Page"), archive.page(&paper.slug).display()));
        }
        verdicts.push(PaperVerdict::of(paper, judged));
    }
    sitting.end(asked.iter().flat_map(|(_, claims)| claims.iter().copied()))?;
    if global.json {
        match verdicts.as_slice() {
            // One paper was named, so one is given; several or all are a list, whatever was found in it.
            [only] if papers.len() == 1 && !args.all => terminal::json(only)?,
            several => terminal::json(&several)?,
        }
    } else {
        print(styled(FAINT, "quire report papers shows all papers on one page."));
    }
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The papers that were asked for, each once.
fn papers(args: &Reproduce) -> Result<Vec<Paper>> {
    if args.all {
        return claims::papers();
    }
    let mut papers: Vec<Paper> = Vec::new();
    for name in &args.papers {
        let paper = claims::paper(name)?;
        if !papers.contains(&paper) {
            papers.push(paper);
        }
    }
    Ok(papers)
}

/// All claims of the papers or, of those that have it, the one with this id.
fn claims<'a>(papers: &'a [Paper], id: Option<&str>) -> Result<Vec<Asked<'a>>> {
    let Some(id) = id else {
        return Ok(papers.iter().map(|paper| (paper, paper.claims.iter().collect())).collect());
    };
    if let [paper] = papers {
        return Ok(vec![(paper, vec![paper.claim(id)?])]);
    }
    let asked: Vec<Asked<'a>> =
        papers.iter().filter_map(|paper| paper.claim(id).ok().map(|claim| (paper, vec![claim]))).collect();
    if asked.is_empty() {
        let known = papers.iter().flat_map(|paper| paper.claims.iter().map(|claim| claim.id.as_str()));
        return Err(Error::unknown("claim of these papers", id, known, "quire list papers"));
    }
    Ok(asked)
}

fn plan(claim: &Claim, args: &Reproduce, registry: &Registry) -> Result<NewStudy> {
    let (command, commit) = (compare::command_line(), compare::commit());
    claim.plan(registry, args.quick, args.seeds, command, commit).map_err(|e| {
        Error::Failed(format!("the claim {} of {} cannot be measured: {e}", claim.id, claim.paper))
    })
}

/// Measures a claim, going on with a study that was interrupted and sharing runs with the other claims: the verdict and how many runs failed, or `None` if the
/// user stopped it.
fn measure(
    claim: &Claim,
    args: &Reproduce,
    sitting: &Sitting<'_>,
    registry: &Registry,
    global: &Global,
) -> Result<Option<(ClaimVerdict, usize)>> {
    let plan = plan(claim, args, registry)?;
    let mut store = open_store(global)?;
    let study = match sitting.study(claim, &plan, &store)? {
        Some(begun) => begun,
        None => {
            let id = store.add_study(&plan)?;
            let mut shared = 0;
            for other in sitting.others(claim, &plan, &store)? {
                shared += store.take_over(id, other)?;
            }
            sitting.begin(claim, id)?;
            if shared > 0 && !global.quiet {
                notice(format!(
                    "{}: {} stand in the study of another claim",
                    plan.name,
                    counted(shared, "run")
                ));
            }
            store.study(id)?
        }
    };
    if study.runs_done + study.runs_failed < study.runs {
        let ending = compare::drive(&mut store, &study, registry, global)?;
        if ending.unfinished > 0 {
            notice(format!(
                "Stopped; {} of {} are left. {} goes on.",
                counted(ending.unfinished, "run"),
                study.name,
                styled(STRONG, compare::command_line())
            ));
            return Ok(None);
        }
    } else if !global.quiet {
        notice(format!("{}: every run stands already", styled(STRONG, &study.name)));
    }
    let study = store.study(study.id)?;
    let mut verdict = claims::evaluate(claim, &store, study.id)?;
    verdict.report = report::write_report(&store, &study, global)?.report.and_then(|path| {
        let inside = std::path::Path::new(&path).strip_prefix(&global.out).ok()?;
        Some(inside.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/"))
    });
    Ok(Some((verdict, study.runs_failed)))
}

/// Keeps a verdict and brings the paper's page up to date.
fn keep(paper: &Paper, verdict: &ClaimVerdict, archive: &Archive) -> Result<()> {
    if let Kept::FullLengthStays(stays) = archive.keep(paper, verdict)? {
        let when = stays.measured.as_ref().map_or_else(String::new, |time| format!(" of {time}"));
        notice(format!(
            "The measurement at full length{when} ({}, {}) is kept; a quick one does not replace it.",
            stays.verdict,
            counted(stays.seeds, "seed")
        ));
    }
    bibliography::write_paper(&PaperStanding::new(paper, archive.read(&paper.slug)?), archive)
}
