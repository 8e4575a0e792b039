//! `quire reproduce`: what papers state, measured.

use std::process::ExitCode;

use quire_core::{Error, Registry, Result};
use quire_study::claims::{self, Claim, ClaimVerdict, Measured, Paper, PaperVerdict, Verdict};
use quire_study::format::counted;
use quire_study::machine;

use crate::args::{Global, Reproduce};
use crate::commands::compare;
use crate::terminal::{self, BAD, FAINT, GOOD, STRONG, duration, number, print, styled};

/// Runs the command. A claim that fails is a result, not a failure: the exit code is 0.
pub fn run(args: &Reproduce, global: &Global) -> Result<ExitCode> {
    let papers = if args.all {
        claims::papers()?
    } else {
        args.papers.iter().map(|slug| claims::paper(slug)).collect::<Result<_>>()?
    };
    let registry = quire::registry();
    // Whatever is wrong with any of the studies is found before the first runs.
    let mut chosen: Vec<(&Paper, Vec<&Claim>)> = Vec::new();
    for paper in &papers {
        let claims = match &args.claim {
            Some(id) => vec![paper.claim(id)?],
            None => paper.claims.iter().collect(),
        };
        for claim in &claims {
            plan(claim, args, &registry)?;
        }
        chosen.push((paper, claims));
    }
    let mut verdicts = Vec::new();
    for (paper, claims) in chosen {
        if !global.json {
            print(format!(
                "\n{}  {}",
                styled(STRONG, &paper.title),
                styled(FAINT, format!("arXiv:{}", paper.arxiv))
            ));
            print(&paper.protocol);
        }
        let mut judged = Vec::new();
        for claim in claims {
            let (store, study, ending) = compare::enter(&plan(claim, args, &registry)?, &registry, global)?;
            if let Some(code) = compare::incomplete(&study, ending) {
                return Ok(code);
            }
            let verdict = claims::evaluate(claim, &store, study.id)?;
            if !global.json {
                print_verdict(claim, &verdict, args.quick);
            }
            judged.push(verdict);
        }
        verdicts.push(PaperVerdict { paper: paper.slug.clone(), claims: judged });
    }
    if global.json {
        match verdicts.as_slice() {
            [only] if !args.all => terminal::json(only)?,
            several => terminal::json(&several)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn plan(claim: &Claim, args: &Reproduce, registry: &Registry) -> Result<quire_study::store::NewStudy> {
    let (command, commit) = (compare::command_line(), compare::commit());
    claim.plan(registry, args.quick, args.seeds, command, commit).map_err(|e| {
        Error::Failed(format!("the claim {} of {} cannot be measured: {e}", claim.id, claim.paper))
    })
}

fn print_verdict(claim: &Claim, verdict: &ClaimVerdict, quick: bool) {
    print(format!(
        "\n{}  {}  {}",
        badge(verdict.verdict),
        styled(STRONG, &claim.id),
        styled(FAINT, &claim.source)
    ));
    print(&claim.text);
    print(styled(FAINT, format!("Scaled down: {}", claim.scaled_down)));
    verdict.expectations.iter().for_each(print_expectation);
    let length = if quick { "the quick study, " } else { "" };
    let commit = compare::commit().map_or_else(String::new, |commit| format!(", commit {commit}"));
    print(styled(
        FAINT,
        format!(
            "{length}{}, {} of work, {}, Quire {}{commit}",
            counted(verdict.seeds, "seed"),
            duration(verdict.wall_s),
            machine::describe(),
            quire_core::VERSION
        ),
    ));
}

fn print_expectation(measured: &Measured) {
    let values = &measured.values;
    let [low, high] = values.interval;
    print(format!("  {}  {}", badge(measured.verdict), measured.expression));
    print(format!(
        "      {} against {}: a difference of {} [{}, {}] on {}",
        number(values.left),
        number(values.right),
        number(values.difference),
        number(low),
        number(high),
        measured.problem
    ));
    for reading in &values.readings {
        print(styled(
            FAINT,
            format!("      {} = {} ({})", reading.reading, number(reading.value), values.statistic),
        ));
    }
    if let Some(note) = &measured.note {
        print(format!("      {note}"));
    }
}

fn badge(verdict: Verdict) -> String {
    let style = match verdict {
        Verdict::Holds => GOOD,
        Verdict::Fails => BAD,
        Verdict::NotShown => STRONG,
    };
    styled(style, verdict.as_str())
}
