//! The sentence at the top of a report: what the study shows, and no more.

use quire_core::{Direction, Result};

use super::{MethodSummary, StudySummary};
use crate::format::{counted, decimals, number};
use crate::statistics::{Aggregate, Bootstrap, Estimate, Pairing};

/// The scores of one method as the bootstrap takes them (tasks x runs), in the summary's own unit.
pub(super) type Scores = Vec<Vec<f64>>;

/// Says which method is ahead, or that the seeds do not tell. `methods` are sorted, the best first, and `scores`
/// belong to them.
pub(super) fn finding(summary: &StudySummary, scores: &[Scores], bootstrap: &Bootstrap) -> Result<String> {
    let measured: Vec<(&MethodSummary, &Scores)> =
        summary.methods.iter().zip(scores).filter(|(method, _)| !method.iqm.is_nan()).collect();
    let unit = if summary.metric_card.unit.is_empty() {
        String::new()
    } else {
        format!(" {}", summary.metric_card.unit)
    };
    let metric = &summary.metric;
    let mut text = match measured[..] {
        [] => return Ok("No run has ended yet.".into()),
        [(only, _)] => {
            let value =
                number(only.iqm, decimals([only.iqm].into_iter().chain(only.ci.into_iter().flatten())));
            format!("{} reaches a {metric} of {value}{unit}{}.", only.name, interval_text(only.ci))
        }
        [(first, x), (second, y), ..] if second.iqm.is_finite() => {
            let between = bootstrap.difference(x, y, Aggregate::Iqm, Pairing::Unpaired)?;
            compare(first, second, between, metric, &unit, fewest(x).min(fewest(y)))
        }
        [(first, _), (second, _), ..] if first.iqm.is_finite() => {
            format!(
                "{} is the only method whose runs hold; too many runs of {} failed.",
                first.name, second.name
            )
        }
        _ => "Too many runs of every method failed to compare them.".to_owned(),
    };
    let finite = measured.iter().filter(|(method, _)| method.iqm.is_finite());
    let fewest_seeds = finite.map(|(_, scores)| fewest(scores)).min().unwrap_or(0);
    if (2..5).contains(&fewest_seeds) {
        text += &format!(
            " With {} a method, intervals are narrower than they ought to be; take 5 or more.",
            counted(fewest_seeds, "seed")
        );
    }
    Ok(text)
}

fn compare(
    first: &MethodSummary,
    second: &MethodSummary,
    between: Estimate,
    metric: &str,
    unit: &str,
    seeds: usize,
) -> String {
    let places = decimals([first.iqm, second.iqm, between.low, between.high]);
    let show = |value: f64| number(value, places);
    let values = format!("{} against {}{unit}", show(first.iqm), show(second.iqm));
    if seeds < 2 && first.iqm == second.iqm {
        return format!(
            "{} and {} scored the same ({metric} {values}), with a single seed each.",
            first.name, second.name
        );
    }
    if seeds < 2 {
        return format!(
            "{} scored better than {} ({metric} {values}), but with a single seed each that may be chance.",
            first.name, second.name
        );
    }
    let difference = format!("{} [{}, {}]", show(between.value), show(between.low), show(between.high));
    if between.is_above(0.0) || between.is_below(0.0) {
        format!(
            "{} is ahead of {}: {metric} {values}, a difference of {difference}.",
            first.name, second.name
        )
    } else {
        format!(
            "{} and {} are not told apart by these seeds: {metric} {values}, a difference of {difference}.",
            first.name, second.name
        )
    }
}

fn interval_text(ci: Option<[f64; 2]>) -> String {
    ci.map_or(String::new(), |[low, high]| {
        let places = decimals([low, high]);
        format!(" [{}, {}]", number(low, places), number(high, places))
    })
}

fn fewest(scores: &Scores) -> usize {
    scores.iter().map(Vec::len).min().unwrap_or(0)
}

/// True if `a` comes before `b` in a table that has the best first; what is not a number comes last.
pub(super) fn better_first(a: f64, b: f64, direction: Direction) -> std::cmp::Ordering {
    let up = |x: f64| match (x.is_nan(), direction) {
        (true, _) => f64::NEG_INFINITY,
        (false, Direction::Lower) => -x,
        (false, _) => x,
    };
    // Infinitely bad still comes before unknown.
    a.is_nan().cmp(&b.is_nan()).then(up(b).total_cmp(&up(a)))
}
