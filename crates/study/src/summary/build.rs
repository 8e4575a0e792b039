//! From a store to a summary.

use quire_core::{Direction, Error, Result};

use super::finding::{Scores, better_first, finding};
use super::scores::{Normalization, ended, score, upward, worst};
use super::{
    MethodCurve, MethodOptions, MethodSummary, MetricCurves, ProblemSummary, Profile, ProfileCurve,
    SeedResult, StudySummary,
};
use crate::format;
use crate::statistics::{
    Aggregate, Bootstrap, RunCurve, Tail, align, performance_profile, probability_of_improvement,
    sample_efficiency,
};
use crate::store::{MetricRecord, ProblemRecord, RunRecord, RunStatus, Store, StudyId};

/// Resampling of final scores.
const FINALS: Bootstrap = Bootstrap { resamples: 10_000, level: 0.95, seed: 0 };
/// Resampling of curves: each has hundreds of intervals, drawn and not quoted.
const CURVES: Bootstrap = Bootstrap { resamples: 1_000, level: 0.95, seed: 0 };
/// Resampling of the curves of metrics that methods are not compared by.
const OTHER_CURVES: Bootstrap = Bootstrap { resamples: 300, level: 0.95, seed: 0 };
/// Points of a curve.
const CURVE_POINTS: usize = 240;
/// Metrics of a problem whose curves are made.
const METRICS: usize = 24;

/// A label and the method behind it, in the order of the study.
struct Entry {
    label: String,
    method: String,
}

impl StudySummary {
    /// Reads a study and works out what it shows so far.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is no such study; [`Error::File`] if the store can't be read.
    pub fn from_store(store: &Store, study: StudyId) -> Result<StudySummary> {
        let record = store.study(study)?;
        let runs = store.runs(study)?;
        let entries = entries(&runs);
        let first = entries.first().ok_or_else(|| Error::Failed(format!("study {study} has no run")))?;
        let baseline = record.baseline.clone().unwrap_or_else(|| first.label.clone());
        let mut problems = Vec::new();
        for problem in store.problems(study)? {
            problems.push(problem_summary(store, study, problem, &runs, &entries, &baseline)?);
        }
        let mut machines: Vec<String> = runs.iter().filter_map(|run| run.machine.clone()).collect();
        machines.sort();
        machines.dedup();
        let names: Vec<&str> = problems.iter().map(|problem| problem.problem.as_str()).collect();
        let mut summary = StudySummary {
            study,
            name: record.name,
            problem: names.join(", "),
            metric: String::new(),
            metric_card: normalized_metric(),
            baseline,
            finding: String::new(),
            protocol: protocol(&problems, &entries),
            methods: Vec::new(),
            profile: None,
            options: options(&runs, &entries),
            created: record.created,
            status: record.status,
            runs: record.runs,
            runs_done: record.runs_done,
            runs_failed: record.runs_failed,
            wall_s: runs.iter().map(|run| run.wall_s).sum(),
            machines,
            quire_version: record.quire_version,
            commit: record.commit,
            command: record.command,
            report: None,
            problems,
        };
        match &summary.problems[..] {
            [only] => {
                summary.metric_card = only.metric_card.clone();
                summary.methods = only.methods.clone();
            }
            _ => over_all(&mut summary, &entries),
        }
        summary.metric = summary.metric_card.name.clone();
        let scores: Vec<Scores> = summary.methods.iter().map(|method| by_problem(method, &summary)).collect();
        summary.finding = finding(&summary, &scores, &FINALS)?;
        Ok(summary)
    }
}

fn normalized_metric() -> MetricRecord {
    MetricRecord {
        name: "normalized score".into(),
        unit: String::new(),
        direction: Direction::Higher,
        summary: "0 is the worst run of the study on a problem, 1 the optimum, or the best run where none is known."
            .into(),
    }
}

fn entries(runs: &[RunRecord]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for run in runs {
        if !entries.iter().any(|entry| entry.label == run.label) {
            entries.push(Entry { label: run.label.clone(), method: run.spec.method.clone() });
        }
    }
    entries
}

fn problem_summary(
    store: &Store,
    study: StudyId,
    problem: ProblemRecord,
    runs: &[RunRecord],
    entries: &[Entry],
    baseline: &str,
) -> Result<ProblemSummary> {
    let metric =
        problem.metrics.first().cloned().ok_or_else(|| {
            Error::Failed(format!("the problem {} has no metric to compare by", problem.name))
        })?;
    let mut methods = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let mut seeds = Vec::new();
        for run in runs.iter().filter(|run| run.label == entry.label && run.spec.problem == problem.name) {
            let last = store.last_point(run.id, &metric.name)?.map(|(_, value)| value);
            seeds.push(SeedResult {
                problem: problem.name.clone(),
                seed: run.spec.seed,
                score: score(run.status, last, metric.direction),
                status: run.status,
                reason: run.reason.clone(),
                steps: run.steps,
                wall_s: run.wall_s,
                artefact: run.artefact.clone(),
            });
        }
        if !seeds.is_empty() {
            methods.push(method_summary(entry, position, seeds, baseline));
        }
    }
    let scores: Vec<Scores> = methods.iter().map(|method| vec![ended(&method.seeds)]).collect();
    compare(&mut methods, &scores, metric.direction)?;
    let mut curves = Vec::new();
    for metric in problem.metrics.iter().take(METRICS) {
        let bootstrap = if curves.is_empty() { CURVES } else { OTHER_CURVES };
        let of_metric = metric_curves(store, study, &problem, metric, entries, &bootstrap)?;
        if of_metric.methods.iter().any(|method| !method.steps.is_empty()) {
            curves.push(of_metric);
        }
    }
    Ok(ProblemSummary {
        problem: problem.name,
        summary: problem.summary,
        metric: metric.name.clone(),
        metric_card: metric,
        optimum: problem.optimum,
        budget: problem.budget,
        budget_unit: problem.budget_unit,
        methods,
        curves,
    })
}

fn method_summary(entry: &Entry, position: usize, seeds: Vec<SeedResult>, baseline: &str) -> MethodSummary {
    let mut times: Vec<f64> = seeds.iter().filter(|seed| seed.wall_s > 0.0).map(|seed| seed.wall_s).collect();
    times.sort_unstable_by(f64::total_cmp);
    MethodSummary {
        name: entry.label.clone(),
        method: entry.method.clone(),
        position,
        is_baseline: entry.label == baseline,
        iqm: f64::NAN,
        ci: None,
        mean: f64::NAN,
        improvement: None,
        failed: seeds.iter().filter(|seed| seed.status == RunStatus::Failed).count(),
        seeds,
        wall_s: times.get(times.len() / 2).copied().unwrap_or(0.0),
    }
}

/// Fills in the statistics from each method's scores (tasks x runs) and sorts the best first.
fn compare(methods: &mut [MethodSummary], scores: &[Scores], direction: Direction) -> Result<()> {
    let measured = |scores: &Scores| !scores.is_empty() && scores.iter().all(|runs| !runs.is_empty());
    let up = |scores: &Scores| -> Scores { scores.iter().map(|runs| upward(runs, direction)).collect() };
    let baseline = methods.iter().position(|method| method.is_baseline).map(|at| &scores[at]);
    for (method, own) in methods.iter_mut().zip(scores) {
        if !measured(own) {
            continue;
        }
        let estimate = FINALS.estimate(own, Aggregate::Iqm);
        method.iqm = estimate.value;
        method.ci = own.iter().all(|runs| runs.len() > 1).then_some([estimate.low, estimate.high]);
        method.mean = Aggregate::Mean.of(own);
        if let Some(baseline) = baseline.filter(|scores| measured(scores) && !method.is_baseline) {
            let mut improvement = FINALS.improvement(&up(own), &up(baseline))?;
            // From one run of either nothing can be resampled.
            if own.iter().chain(baseline).any(|runs| runs.len() < 2) {
                improvement.value = probability_of_improvement(&up(own), &up(baseline))?;
                (improvement.low, improvement.high) = (f64::NAN, f64::NAN);
            }
            method.improvement = Some(improvement);
        }
    }
    methods.sort_by(|a, b| better_first(a.iqm, b.iqm, direction).then(a.position.cmp(&b.position)));
    Ok(())
}

/// The methods over all problems, by normalized scores, and their profiles. Only problems on which every method has
/// an ended run count: a method must not gain by leaving one out.
fn over_all(summary: &mut StudySummary, entries: &[Entry]) {
    let counts = |problem: &&ProblemSummary| {
        problem.methods.len() == entries.len()
            && problem.methods.iter().all(|method| !ended(&method.seeds).is_empty())
    };
    let common: Vec<&ProblemSummary> = summary.problems.iter().filter(counts).collect();
    let mut methods = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let mut seeds = Vec::new();
        for problem in &common {
            let all: Vec<f64> = problem.methods.iter().flat_map(|method| ended(&method.seeds)).collect();
            let scale = Normalization::of(&all, problem.metric_card.direction, problem.optimum);
            let own = problem.methods.iter().filter(|method| method.position == position);
            seeds.extend(
                own.flat_map(|method| &method.seeds)
                    .map(|seed| SeedResult { score: scale.apply(seed.score), ..seed.clone() }),
            );
        }
        methods.push(method_summary(entry, position, seeds, &summary.baseline));
    }
    if common.len() < summary.problems.len() {
        summary.protocol += &format!(
            " Over all problems, only the {} of {} on which every method has ended runs count.",
            common.len(),
            summary.problems.len()
        );
    }
    let thresholds: Vec<f64> = (0..=100).map(|k| f64::from(k) / 100.0).collect();
    let scores: Vec<Scores> = methods.iter().map(|method| by_problem(method, summary)).collect();
    if !common.is_empty() {
        let profiles = methods.iter().zip(&scores).map(|(method, scores)| ProfileCurve {
            name: method.name.clone(),
            position: method.position,
            fractions: performance_profile(scores, &thresholds, &CURVES),
        });
        summary.profile = Some(Profile { methods: profiles.collect(), thresholds });
    }
    compare(&mut methods, &scores, Direction::Higher).expect("every method has runs on the same problems");
    summary.methods = methods;
}

/// A method's scores, tasks x runs, in the order of the study's problems; problems without scores are left out.
fn by_problem(method: &MethodSummary, summary: &StudySummary) -> Scores {
    let of_problem = |problem: &ProblemSummary| {
        let seeds = method.seeds.iter().filter(|seed| seed.problem == problem.problem);
        seeds.map(|seed| seed.score).filter(|score| !score.is_nan()).collect::<Vec<f64>>()
    };
    summary.problems.iter().map(of_problem).filter(|runs| !runs.is_empty()).collect()
}

fn metric_curves(
    store: &Store,
    study: StudyId,
    problem: &ProblemRecord,
    metric: &MetricRecord,
    entries: &[Entry],
    bootstrap: &Bootstrap,
) -> Result<MetricCurves> {
    let over = |status: RunStatus| matches!(status, RunStatus::Done | RunStatus::Failed);
    let recorded = store.curves(study, &problem.name, &metric.name)?;
    let mut positions = Vec::new();
    let mut curves = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let own = || recorded.iter().filter(|run| run.label == entry.label);
        // A method's curve is made of its ended runs; before there are any, of what is under way.
        let any_over = own().any(|run| over(run.status));
        for run in own().filter(|run| if any_over { over(run.status) } else { !run.points.is_empty() }) {
            let bad = if metric.direction == Direction::Neutral { f64::NAN } else { worst(metric.direction) };
            let points =
                run.points.iter().map(|&(step, value)| (step, if value.is_nan() { bad } else { value }));
            let tail = match run.status {
                RunStatus::Done => Tail::Hold,
                RunStatus::Failed => Tail::Value(bad),
                RunStatus::Pending | RunStatus::Running => Tail::Value(f64::NAN),
            };
            positions.push(position);
            curves.push(RunCurve { points: points.filter(|point| !point.1.is_nan()).collect(), tail });
        }
    }
    let aligned = align(&curves, CURVE_POINTS);
    let method_curve = |(position, entry): (usize, &Entry)| {
        let own = positions.iter().zip(&aligned.values).filter(|(of, _)| **of == position);
        let values: Vec<Vec<f64>> = own.map(|(_, values)| values.clone()).collect();
        let mut curve = MethodCurve {
            name: entry.label.clone(),
            position,
            runs: values.len(),
            steps: Vec::new(),
            iqm: Vec::new(),
            low: Vec::new(),
            high: Vec::new(),
        };
        let estimates = sample_efficiency(&[values], Aggregate::Iqm, bootstrap);
        for (&step, estimate) in aligned.steps.iter().zip(estimates) {
            if estimate.value.is_finite() {
                curve.steps.push(step);
                curve.iqm.push(estimate.value);
                curve.low.push(estimate.low);
                curve.high.push(estimate.high);
            }
        }
        curve
    };
    Ok(MetricCurves {
        metric: metric.name.clone(),
        metric_card: metric.clone(),
        step_unit: problem.budget_unit.clone(),
        window: aligned.window,
        methods: entries.iter().enumerate().map(method_curve).collect(),
    })
}

fn options(runs: &[RunRecord], entries: &[Entry]) -> Vec<MethodOptions> {
    let mut all: Vec<MethodOptions> = Vec::new();
    for entry in entries {
        let from = all.len();
        for run in runs.iter().filter(|run| run.label == entry.label) {
            let problem = &run.spec.problem;
            match all[from..].iter_mut().find(|known| known.options == run.spec.options) {
                Some(known) if known.problems.contains(problem) => {}
                Some(known) => known.problems.push(problem.clone()),
                None => all.push(MethodOptions {
                    name: entry.label.clone(),
                    method: entry.method.clone(),
                    problems: vec![problem.clone()],
                    options: run.spec.options.clone(),
                }),
            }
        }
    }
    all
}

/// One line on how it was measured.
fn protocol(problems: &[ProblemSummary], entries: &[Entry]) -> String {
    let seeds: Vec<usize> =
        problems.iter().flat_map(|problem| &problem.methods).map(|method| method.seeds.len()).collect();
    let (fewest, most) = (seeds.iter().min().copied().unwrap_or(0), seeds.iter().max().copied().unwrap_or(0));
    let seeds = if fewest == most {
        format::counted(most, "seed")
    } else {
        format!("{fewest} to {}", format::counted(most, "seed"))
    };
    let mut budgets: Vec<String> = problems
        .iter()
        .map(|problem| format!("{} {}", format::count(problem.budget), problem.budget_unit))
        .collect();
    budgets.dedup();
    let [budget] = &budgets[..] else {
        return format!(
            "{} on {}, {seeds} each. {}",
            format::counted(entries.len(), "method"),
            format::counted(problems.len(), "problem"),
            intervals()
        );
    };
    format!(
        "{} on {}, {seeds} each, {budget} a run. {}",
        format::counted(entries.len(), "method"),
        format::counted(problems.len(), "problem"),
        intervals()
    )
}

fn intervals() -> String {
    format!(
        "Scores are a run's last value; brackets are {:.0} % intervals from {} stratified bootstrap resamples.",
        FINALS.level * 100.0,
        format::count(FINALS.resamples as u64)
    )
}
