//! Papers and verdicts as text: what `quire show <paper>` and `quire reproduce` print.

use anstyle::Style;
use quire_core::Result;
use quire_study::claims::{
    Archive, ClaimStanding, ClaimVerdict, Measured, Paper, PaperStanding, Standing, Verdict,
};
use quire_study::format::counted;

use crate::args::Global;
use crate::terminal::{BAD, FAINT, GOOD, STRONG, count, duration, number, print, styled};

/// Where a paper's claims stand, by the verdicts kept in the folder given with `--out`.
pub fn standing<'a>(paper: &'a Paper, global: &Global) -> Result<PaperStanding<'a>> {
    Ok(PaperStanding::new(paper, Archive::new(&global.out).read(&paper.slug)?))
}

/// Prints everything about a paper.
pub fn print_paper(paper: &PaperStanding<'_>) {
    print(format!("{}  {}", styled(STRONG, paper.title), styled(FAINT, paper.locator())));
    let methods = if paper.methods.is_empty() { "none yet".into() } else { paper.methods.join(", ") };
    print(format!(
        "{} {}   {} {}   {} {methods}",
        styled(STRONG, "Paper"),
        paper.slug,
        styled(STRONG, "Wing"),
        paper.wing,
        styled(STRONG, "Methods")
    ));
    print(format!("\n{}\n{}", styled(STRONG, "Protocol"), paper.protocol));
    print(format!("\n{}", styled(STRONG, "Claims")));
    paper.claims.iter().for_each(print_claim);
    print(styled(
        FAINT,
        format!("\nquire reproduce {} measures them; --claim ID only one of them.", paper.slug),
    ));
}

/// Prints what a paper claims and where that stands, a line each.
pub fn print_claims(paper: &PaperStanding<'_>) {
    print(format!("\n{} {}, {}", styled(STRONG, "Paper"), paper.title, paper.locator()));
    for claim in &paper.claims {
        let quick = if claim.quick { " (quick)" } else { "" };
        print(format!("  {}{quick}  {}", styled(style(claim.verdict), claim.verdict), claim.text));
    }
    print(styled(FAINT, format!("  quire show papers/{} tells everything about it.", paper.slug)));
}

fn print_claim(claim: &ClaimStanding<'_>) {
    print("");
    print_heading(claim.verdict, claim.quick, claim.id, claim.source);
    print(claim.text);
    print(styled(FAINT, format!("Scaled down: {}", claim.scaled_down)));
    match &claim.measurement {
        Some(verdict) => print_measurement(verdict),
        None => claim.expectations.iter().for_each(|expectation| print(format!("  {expectation}"))),
    }
    if claim.outdated {
        print("  It was measured when it was stated otherwise, which does not count now.");
    }
    let labels: Vec<&str> = claim.study.methods.iter().map(|method| method.label.as_str()).collect();
    let steps = claim.study.steps.map_or_else(String::new, |steps| format!(", {} steps", count(steps)));
    print(styled(
        FAINT,
        format!(
            "Study: {} on {}, {}{steps}",
            labels.join(", "),
            claim.study.problems.join(", "),
            counted(claim.study.seeds.len(), "seed")
        ),
    ));
}

/// Prints a claim with its verdict.
pub fn print_verdict(verdict: &ClaimVerdict) {
    print("");
    print_heading(Standing::Measured(verdict.verdict), verdict.quick, &verdict.id, &verdict.source);
    print(&verdict.text);
    print(styled(FAINT, format!("Scaled down: {}", verdict.scaled_down)));
    print_measurement(verdict);
}

fn print_heading(standing: Standing, quick: bool, id: &str, source: &str) {
    let quick = if quick { " (quick)" } else { "" };
    print(format!(
        "{}{quick}  {}  {}",
        styled(style(standing), standing),
        styled(STRONG, id),
        styled(FAINT, source)
    ));
}

fn style(standing: Standing) -> Style {
    match standing {
        Standing::Measured(Verdict::Holds) => GOOD,
        Standing::Measured(Verdict::Fails) => BAD,
        Standing::Measured(Verdict::NotShown) => STRONG,
        Standing::NotMeasured => FAINT,
    }
}

/// Prints the numbers behind a verdict and how they were come by.
fn print_measurement(verdict: &ClaimVerdict) {
    verdict.expectations.iter().for_each(print_expectation);
    let commit = verdict.commit.as_ref().map_or_else(String::new, |commit| format!(", commit {commit}"));
    let when = verdict.measured.as_ref().map_or_else(String::new, |time| format!(", {time}"));
    let length = if verdict.quick { "the quick study, " } else { "" };
    print(styled(
        FAINT,
        format!(
            "{length}{}, {}, {} of work, {}, Quire {}{commit}{when}, study {}",
            counted(verdict.seeds, "seed"),
            counted(verdict.runs, "run"),
            duration(verdict.wall_s),
            verdict.machines.join("; "),
            verdict.quire_version,
            verdict.study
        ),
    ));
}

fn print_expectation(measured: &Measured) {
    let values = &measured.values;
    let [low, high] = values.interval;
    let style = style(Standing::Measured(measured.verdict));
    print(format!("  {}  {}", styled(style, measured.verdict), measured.expression));
    print(format!(
        "      {} against {}: a difference of {} [{}, {}] on {}",
        number(values.left),
        number(values.right),
        number(values.difference),
        number(low),
        number(high),
        measured.problem
    ));
    for (position, reading) in values.readings.iter().enumerate() {
        // One that is read on both sides need not be told twice.
        if values.readings[..position].iter().any(|told| told.reading == reading.reading) {
            continue;
        }
        print(styled(
            FAINT,
            format!("      {} = {} ({})", reading.reading, number(reading.value), values.statistic),
        ));
    }
    if let Some(note) = &measured.note {
        print(format!("      {note}"));
    }
}
