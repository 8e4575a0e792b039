//! A claim with its verdict, its numbers and how they were come by.

use std::fmt::Write;

use crate::claims::{ClaimStanding, ClaimVerdict, Contrast, Measured, Standing, Verdict};
use crate::format::{count, counted, decimals, duration, number};
use crate::report::escape;
use crate::report::svg::interval::interval;

/// The class of a verdict's color and the sign that stands for it.
fn looks(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Measured(Verdict::Holds) => ("holds", "✓"),
        Standing::Measured(Verdict::Fails) => ("fails", "✗"),
        Standing::Measured(Verdict::NotShown) => ("open", "?"),
        Standing::NotMeasured => ("unmeasured", "–"),
    }
}

/// A verdict as a label.
pub(super) fn badge(standing: Standing) -> String {
    let (class, sign) = looks(standing);
    format!(r#"<span class="verdict {class}"><span aria-hidden="true">{sign}</span> {standing}</span>"#)
}

/// A verdict as a sign that leads to its claim.
pub(super) fn mark(slug: &str, claim: &ClaimStanding<'_>) -> String {
    let (class, sign) = looks(claim.verdict);
    let quick = if claim.quick { " (quick)" } else { "" };
    let label = format!("{}: {}{quick}", claim.id, claim.verdict);
    let class = if claim.quick { format!("{class} quick") } else { class.to_owned() };
    format!(
        r##"<a class="mark {class}" href="#{}--{}" title="{label}" aria-label="{label}">{sign}</a>"##,
        escape(slug),
        escape(claim.id),
        label = escape(&label),
    )
}

/// Writes a claim under a heading of this kind.
pub(super) fn claim(out: &mut String, slug: &str, claim: &ClaimStanding<'_>, heading: &str) {
    let quick = if claim.quick { r#"<span class="verdict quickly">quick</span>"# } else { "" };
    let _ = write!(
        out,
        r#"<article class="claim" id="{}--{}" data-verdict="{}" data-quick="{}"><p class="badges">{}{quick}</p><{heading} class="text">{}</{heading}><p class="note"><span class="where">{}</span><code>{}</code></p>"#,
        escape(slug),
        escape(claim.id),
        claim.verdict,
        claim.quick,
        badge(claim.verdict),
        escape(claim.text),
        if claim.source.is_empty() { String::new() } else { format!("{} · ", escape(claim.source)) },
        escape(claim.id),
    );
    match &claim.measurement {
        Some(verdict) => {
            expectations(out, verdict);
            scaled_down(out, claim.scaled_down);
            facts(out, verdict);
        }
        None => {
            unmeasured(out, slug, claim);
            scaled_down(out, claim.scaled_down);
        }
    }
    out.push_str("</article>");
}

fn scaled_down(out: &mut String, text: &str) {
    if !text.is_empty() {
        let _ = write!(out, r#"<p class="note"><strong>Scaled down</strong> {}</p>"#, escape(text));
    }
}

/// The table of expectations, one row each and problem.
fn expectations(out: &mut String, verdict: &ClaimVerdict) {
    out.push_str(
        // On a phone the rows are no table to the eye; the roles keep it one to the ear.
        r#"<table class="expectations" role="table"><thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Expected</th><th role="columnheader" scope="col">Measured [95 % interval]</th><th role="columnheader" scope="col">Against the line</th><th role="columnheader" scope="col">Verdict</th></tr></thead><tbody role="rowgroup">"#,
    );
    let several = verdict.lengths.len() > 1;
    for measured in &verdict.expectations {
        let contrast = Contrast::of(measured);
        // An expectation that names its problem need not have it named again.
        let on = if several && !measured.expression.ends_with(&format!(" on {}", measured.problem)) {
            format!(r#"<br><span class="on">on {}</span>"#, escape(&measured.problem))
        } else {
            String::new()
        };
        let note = measured
            .note
            .as_ref()
            .map_or_else(String::new, |note| format!(r#"<p class="note caution">{}</p>"#, escape(note)));
        let picture =
            contrast.as_ref().map_or_else(String::new, |contrast| interval(contrast, &in_words(contrast)));
        let _ = write!(
            out,
            r#"<tr role="row"><td role="cell"><code>{}</code>{on}</td><td role="cell">{}{note}</td><td role="cell" class="picture">{picture}</td><td role="cell">{}</td></tr>"#,
            escape(&measured.expression),
            numbers(measured, contrast.as_ref()),
            badge(Standing::Measured(measured.verdict)),
        );
    }
    out.push_str("</tbody></table>");
}

/// Decimals that tell the ends of an interval, its middle and the line apart.
fn places(contrast: &Contrast) -> usize {
    decimals([contrast.value, contrast.low, contrast.high, contrast.line])
}

/// The number with its interval; below it what it is made of.
fn numbers(measured: &Measured, contrast: Option<&Contrast>) -> String {
    let Some(contrast) = contrast else { return r#"<span class="value">–</span>"#.to_owned() };
    let show = |value: f64| number(value, places(contrast));
    let what = if contrast.is_difference { r#"<span class="on">difference</span> "# } else { "" };
    let ends = if contrast.low.is_finite() && contrast.high.is_finite() {
        format!(r#" <span class="interval-text">[{}, {}]</span>"#, show(contrast.low), show(contrast.high))
    } else {
        String::new()
    };
    let mut out =
        format!(r#"{what}<span class="value">{}</span>{ends}<ul class="readings">"#, show(contrast.value));
    let readings = &measured.values.readings;
    for (position, reading) in readings.iter().enumerate() {
        // One that is read on both sides need not be told twice.
        if readings[..position].iter().any(|told| told.reading == reading.reading) {
            continue;
        }
        let value = number(reading.value, decimals([reading.value]));
        let _ = write!(out, "<li><code>{}</code> {value}</li>", escape(&reading.reading));
    }
    out.push_str("</ul>");
    out
}

/// What a picture shows, for those who cannot see it.
fn in_words(contrast: &Contrast) -> String {
    let show = |value: f64| number(value, places(contrast));
    let what = if contrast.is_difference { "difference" } else { "value" };
    let side = if contrast.relation.expects_less() { "below" } else { "above" };
    let ends = if contrast.low.is_finite() && contrast.high.is_finite() {
        format!(", 95 % interval {} to {}", show(contrast.low), show(contrast.high))
    } else {
        String::new()
    };
    format!(
        "{what} {}{ends}, expected {side} {}; {}",
        show(contrast.value),
        show(contrast.line),
        counted(contrast.seeds.len(), "seed")
    )
}

/// How the numbers were come by.
fn facts(out: &mut String, verdict: &ClaimVerdict) {
    let mut lengths: Vec<(u64, &str)> =
        verdict.lengths.iter().map(|length| (length.budget, length.unit.as_str())).collect();
    lengths.dedup();
    let length = match lengths[..] {
        [(budget, unit)] => format!(" of {} {unit}", count(budget)),
        _ => String::new(),
    };
    let work = format!(
        "{}, {}{length}, {} of work",
        counted(verdict.seeds, "seed"),
        counted(verdict.runs, "run"),
        duration(verdict.wall_s)
    );
    let version = match &verdict.commit {
        Some(commit) => format!("Quire {}, commit {commit}", verdict.quire_version),
        None => format!("Quire {}", verdict.quire_version),
    };
    let when = verdict
        .measured
        .as_deref()
        .map_or_else(String::new, |time| format!(" · {}", time.split('T').next().unwrap_or_default()));
    let report = verdict.report.as_ref().map_or_else(String::new, |report| {
        format!(
            r#"<p class="more"><a href="../{}">Study {}: curves, options, every run</a></p>"#,
            escape(report),
            verdict.study
        )
    });
    let _ = write!(
        out,
        r#"<p class="note facts-line">{} · {}<br>{}{}</p>{report}"#,
        escape(&work),
        escape(&verdict.machines.join("; ")),
        escape(&version),
        escape(&when),
    );
}

/// What would be measured, and how.
fn unmeasured(out: &mut String, slug: &str, claim: &ClaimStanding<'_>) {
    out.push_str(r#"<ul class="stated">"#);
    for expectation in &claim.expectations {
        let _ = write!(out, "<li><code>{}</code></li>", escape(expectation));
    }
    let length = match claim.study.steps {
        Some(steps) => format!(", {} steps a run", count(steps)),
        None => String::new(),
    };
    let once = if claim.outdated {
        "It was measured when it was stated otherwise, which does not count now. "
    } else {
        ""
    };
    let _ = write!(
        out,
        r#"</ul><p class="note">{once}On {}, {}{length}: <code>quire reproduce {} --claim {}</code></p>"#,
        escape(&claim.study.problems.join(", ")),
        counted(claim.study.seeds.len(), "seed"),
        escape(slug),
        escape(claim.id),
    );
}
