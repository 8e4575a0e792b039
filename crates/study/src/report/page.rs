//! The page's sections.

use std::fmt::Write;

use quire_core::{Direction, OptionMap};
use serde_json::Value;

use super::figures::{CHART_STYLE, curves_figure, profile_figure};
use super::svg::strip::StripAxis;
use super::svg::{COLOR_COUNT, COLORS, color};
use super::{document, escape};
use crate::format::{counted, decimals, duration, number};
use crate::store::RunStatus;
use crate::summary::{MethodSummary, MetricCurves, ProblemSummary, StudySummary};

/// The page of a study, whole: nothing outside it is needed to read it.
pub fn html(summary: &StudySummary) -> String {
    let mut body = String::new();
    head(&mut body, summary);
    results(&mut body, summary);
    match &summary.problems[..] {
        [only] => {
            section(&mut body, "Curves", |out| one_problem(out, only));
        }
        several => {
            if let Some(profile) = &summary.profile {
                section(&mut body, "Performance profile", |out| out.push_str(&profile_figure(profile)));
            }
            for problem in several {
                section(&mut body, &problem.problem, |out| {
                    let _ = write!(out, r#"<p class="about">{}</p>"#, escape(&problem.summary));
                    table(out, summary, &problem.methods, problem.metric_card.direction, problem.optimum);
                    one_problem(out, problem);
                });
            }
        }
    }
    options(&mut body, summary);
    reproduce(&mut body, summary);
    let styles = [include_str!("style.css"), COLORS, CHART_STYLE];
    document(&summary.name, &summary.quire_version, &styles, &body, include_str!("script.js"))
}

fn section(out: &mut String, title: &str, fill: impl FnOnce(&mut String)) {
    let mut inner = String::new();
    fill(&mut inner);
    if !inner.is_empty() {
        let _ = writeln!(out, "<section>\n<h2>{}</h2>\n{inner}\n</section>", escape(title));
    }
}

fn head(out: &mut String, summary: &StudySummary) {
    let date = summary.created.split('T').next().unwrap_or_default();
    let _ = write!(
        out,
        r#"<header><p class="kicker">Quire study {} · {}</p><h1>{}</h1>"#,
        summary.study,
        escape(date),
        escape(&summary.name)
    );
    if let [only] = &summary.problems[..] {
        let _ = write!(
            out,
            r#"<p class="about"><strong>{}.</strong> {}</p>"#,
            escape(&only.problem),
            escape(&only.summary)
        );
    } else {
        let _ = write!(out, r#"<p class="about">On {}.</p>"#, escape(&summary.problem));
    }
    let _ = write!(
        out,
        r#"<p class="finding">{}</p><p class="protocol">{}"#,
        escape(&summary.finding),
        escape(&summary.protocol)
    );
    let open = summary.runs - summary.runs_done - summary.runs_failed;
    if open > 0 {
        let _ = write!(
            out,
            " <strong>This study is {}: {} of {} have ended, {open} have not.</strong>",
            summary.status,
            summary.runs - open,
            counted(summary.runs, "run")
        );
    }
    if summary.runs_failed > 0 {
        let counts = match (summary.runs_failed, summary.problems.len()) {
            (1, 1) => "counts as infinitely bad",
            (_, 1) => "count as infinitely bad",
            (1, _) => "counts as infinitely bad on its problem and as 0 over all",
            _ => "count as infinitely bad on their problem and as 0 over all",
        };
        let _ = write!(out, " {} failed and {counts}.", counted(summary.runs_failed, "run"));
    }
    out.push_str("</p></header>\n");
}

fn results(out: &mut String, summary: &StudySummary) {
    section(out, "Results", |out| {
        let optimum = match &summary.problems[..] {
            [only] => only.optimum,
            _ => Some(1.0),
        };
        table(out, summary, &summary.methods, summary.metric_card.direction, optimum);
        if !summary.metric_card.summary.is_empty() {
            let _ = write!(
                out,
                r#"<p class="note"><strong>{}</strong>: {}</p>"#,
                escape(&metric_name(&summary.metric, &summary.metric_card.unit)),
                escape(&summary.metric_card.summary)
            );
        }
    });
}

fn metric_name(name: &str, unit: &str) -> String {
    if unit.is_empty() { name.to_owned() } else { format!("{name} ({unit})") }
}

fn table(
    out: &mut String,
    summary: &StudySummary,
    methods: &[MethodSummary],
    direction: Direction,
    optimum: Option<f64>,
) {
    let scores = |method: &MethodSummary| method.seeds.iter().map(|seed| seed.score).collect::<Vec<f64>>();
    let ends = methods.iter().flat_map(|method| method.ci.into_iter().flatten());
    let mut values: Vec<f64> = methods.iter().flat_map(scores).chain(ends.clone()).collect();
    let places = decimals(methods.iter().map(|method| method.iqm).chain(ends));
    let (low, high) = values
        .iter()
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    // The optimum is shown unless it would squeeze the runs into a corner.
    values.extend(optimum.filter(|&o| o <= high + (high - low) && o >= low - (high - low)));
    let axis = StripAxis::new(&values, direction != Direction::Lower, optimum);
    let compared = methods.iter().any(|method| method.improvement.is_some());
    let better = match direction {
        Direction::Lower => "lower is better",
        Direction::Higher => "higher is better",
        Direction::Neutral => "",
    };
    let _ = write!(
        out,
        r#"<table class="results"><thead><tr><th>Method</th><th class="number">IQM [95 % interval]<br>{better}</th><th>Final scores, one dot a run</th>"#
    );
    if compared {
        let _ =
            write!(out, r#"<th class="number">Probability of beating<br>{}</th>"#, escape(&summary.baseline));
    }
    out.push_str(r#"<th class="number">Time a run</th></tr></thead><tbody>"#);
    for method in methods {
        row(out, method, &axis, places, compared);
    }
    let _ = write!(
        out,
        r#"</tbody><tfoot><tr><td></td><td></td><td class="strip-cell">{}</td>{}<td></td></tr></tfoot></table>"#,
        axis.numbers(),
        if compared { "<td></td>" } else { "" }
    );
}

fn row(out: &mut String, method: &MethodSummary, axis: &StripAxis, places: usize, compared: bool) {
    let show = |value: f64| number(value, places);
    // Where too many runs failed there is no mean to speak of; the note below the name says so.
    let iqm = if method.iqm.is_finite() { show(method.iqm) } else { "–".into() };
    let ci = method.ci.filter(|_| method.iqm.is_finite());
    let interval = ci.map(|[low, high]| format!("[{}, {}]", show(low), show(high))).unwrap_or_default();
    let baseline = if method.is_baseline && compared { r#"<span class="badge">baseline</span>"# } else { "" };
    let failed = match method.failed {
        0 => String::new(),
        failed => format!(
            r#"<span class="failed-text">{failed} of {} failed</span>"#,
            counted(method.seeds.len(), "run")
        ),
    };
    // The line of a repeated color is dashed in plots.
    let again = if method.position >= COLOR_COUNT { " again" } else { "" };
    let scores: Vec<f64> = method.seeds.iter().map(|seed| seed.score).collect();
    let label = format!("{}: interquartile mean {iqm} {interval}", method.name);
    let _ = write!(
        out,
        r#"<tr><td class="method {}"><span class="who"><span class="swatch{again}"></span><span class="label">{}</span>{baseline}</span>{failed}</td><td class="number score"><span class="value">{iqm}</span> <span class="interval-text">{interval}</span></td><td class="strip-cell">{}</td>"#,
        color(method.position),
        escape(&method.name),
        axis.row(method.position, &scores, method.iqm, ci, &label),
    );
    if compared {
        let none = if method.improvement.is_none() { " none" } else { "" };
        let text = method.improvement.map_or("–".into(), |improvement| {
            let percent = |part: f64| format!("{:.0}", part * 100.0);
            let interval = if improvement.low.is_nan() {
                String::new()
            } else {
                format!(
                    r#" <span class="interval-text">[{}, {}]</span>"#,
                    percent(improvement.low),
                    percent(improvement.high)
                )
            };
            format!("{} %{interval}", percent(improvement.value))
        });
        let _ = write!(out, r#"<td class="number extra{none}" data-name="beats baseline">{text}</td>"#);
    }
    let _ = write!(out, r#"<td class="number extra" data-name="time">{}</td></tr>"#, duration(method.wall_s));
}

fn one_problem(out: &mut String, problem: &ProblemSummary) {
    let Some((first, others)) = problem.curves.split_first() else { return };
    let is_compared = first.metric == problem.metric;
    out.push_str(&curves_figure(first, problem.optimum.filter(|_| is_compared), false));
    if !others.is_empty() {
        let _ =
            write!(out, "<details><summary>{}</summary><div class=\"small-plots\">", others_title(others));
        for curves in others {
            let _ = write!(out, "<div><h3>{}</h3>", escape(&curves.metric));
            if !curves.metric_card.summary.is_empty() {
                let _ = write!(out, r#"<p class="note">{}</p>"#, escape(&curves.metric_card.summary));
            }
            out.push_str(&curves_figure(curves, None, true));
            out.push_str("</div>");
        }
        out.push_str("</div></details>");
    }
}

fn others_title(others: &[MetricCurves]) -> String {
    let names: Vec<String> = others.iter().take(4).map(|curves| escape(&curves.metric)).collect();
    let more = if others.len() > 4 { format!(" and {} more", others.len() - 4) } else { String::new() };
    format!("Other metrics: {}{more}", names.join(", "))
}

fn options(out: &mut String, summary: &StudySummary) {
    let columns: Vec<Vec<(String, String)>> =
        summary.options.iter().map(|entry| flatten(&entry.options)).collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in columns.iter().flatten() {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return;
    }
    fn value<'a>(column: &'a [(String, String)], name: &str) -> Option<&'a str> {
        column.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
    let differs = |name: &str| {
        let mut present = columns.iter().filter_map(|column| value(column, name));
        let first = present.next();
        present.any(|other| Some(other) != first)
    };
    let (different, alike): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| differs(name));
    section(out, "Options", |out| {
        let text = if columns.len() < 2 {
            "All of them, defaults included."
        } else if different.is_empty() {
            "No option that methods share differs between them."
        } else {
            "What methods share but set differently is marked."
        };
        let _ = write!(
            out,
            r#"<p class="note">{text}</p><div class="scroll"><table class="options"><thead><tr><th>Option</th>"#
        );
        for entry in &summary.options {
            let split = summary.options.iter().filter(|other| other.name == entry.name).count() > 1;
            let on = if split { format!(" on {}", entry.problems.join(", ")) } else { String::new() };
            let _ = write!(out, "<th>{}{}</th>", escape(&entry.name), escape(&on));
        }
        out.push_str("</tr></thead><tbody>");
        for (rows, class) in [(different, r#" class="differs""#), (alike, "")] {
            for name in rows {
                let _ = write!(out, "<tr{class}><td><code>{}</code></td>", escape(name));
                for column in &columns {
                    match value(column, name) {
                        Some(value) => {
                            let _ = write!(out, "<td>{}</td>", escape(value));
                        }
                        None => out.push_str(r#"<td class="absent">·</td>"#),
                    }
                }
                out.push_str("</tr>");
            }
        }
        out.push_str("</tbody></table></div>");
    });
}

/// Options with dotted names and their values as text.
fn flatten(options: &OptionMap) -> Vec<(String, String)> {
    fn add(out: &mut Vec<(String, String)>, prefix: &str, options: &OptionMap) {
        for (name, value) in options {
            let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                Value::Object(inner) => add(out, &name, inner),
                Value::String(text) => out.push((name, text.clone())),
                Value::Null => out.push((name, "none".into())),
                other => out.push((name, other.to_string())),
            }
        }
    }
    let mut out = Vec::new();
    add(&mut out, "", options);
    out
}

fn reproduce(out: &mut String, summary: &StudySummary) {
    section(out, "Reproduce", |out| {
        if !summary.command.is_empty() {
            let _ = write!(out, "<pre><code>{}</code></pre>", escape(&summary.command));
        }
        let version = match &summary.commit {
            Some(commit) => format!("Quire {} (commit {commit})", summary.quire_version),
            None => format!("Quire {}", summary.quire_version),
        };
        let when = summary.created.replace('T', " ").replace('Z', " UTC");
        let mut facts = vec![
            ("Version", version),
            ("Added", when),
            ("Work", format!("{}, {} in all", counted(summary.runs, "run"), duration(summary.wall_s))),
        ];
        if !summary.machines.is_empty() {
            facts.push(("Machine", summary.machines.join("; ")));
        }
        out.push_str(r#"<dl class="facts">"#);
        for (name, value) in facts {
            let _ = write!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
        }
        out.push_str("</dl>");
        every_run(out, summary);
        out.push_str(HOW_TO_READ);
    });
}

fn every_run(out: &mut String, summary: &StudySummary) {
    out.push_str(
        r#"<details><summary>Every run</summary><div class="scroll"><table class="runs"><thead><tr><th>Problem</th><th>Method</th><th class="number">Seed</th><th class="number">Score</th><th class="number">Steps</th><th class="number">Time</th><th>How it ended</th></tr></thead><tbody>"#,
    );
    for problem in &summary.problems {
        let scores = problem.methods.iter().flat_map(|method| &method.seeds).map(|seed| seed.score);
        let places = decimals(scores);
        for (method, seed) in problem.methods.iter().flat_map(|m| m.seeds.iter().map(move |seed| (m, seed))) {
            let class = if seed.status == RunStatus::Failed { r#" class="reason-failed""# } else { "" };
            let reason = seed.reason.clone().unwrap_or_else(|| seed.status.to_string());
            let _ = write!(
                out,
                r#"<tr><td>{}</td><td>{}</td><td class="number">{}</td><td class="number">{}</td><td class="number">{}</td><td class="number">{}</td><td{class}>{}</td></tr>"#,
                escape(&problem.problem),
                escape(&method.name),
                seed.seed,
                if seed.score.is_finite() { number(seed.score, places) } else { "–".into() },
                crate::format::count(seed.steps),
                duration(seed.wall_s),
                escape(&reason)
            );
        }
    }
    out.push_str("</tbody></table></div></details>");
}

const HOW_TO_READ: &str = r#"<details><summary>How to read this page</summary><dl class="terms">
<dt>IQM, interquartile mean</dt><dd>The mean of the runs without the best and the worst quarter of them: it uses more runs than a median does, and one lucky or broken run moves it little.</dd>
<dt>95 % interval</dt><dd>How far the IQM would move if the study were repeated with other seeds, found by drawing the runs anew many times (a bootstrap, within each problem). Fewer than five runs make it too narrow.</dd>
<dt>Probability of beating the baseline</dt><dd>How often a run of the method scores better than a run of the baseline, ties counted half. 50 % says that there is nothing between them.</dd>
<dt>Dots, box and bar</dt><dd>Each dot is the final score of one run, the box is the interval, the bar the IQM. A × is a run that failed.</dd>
</dl><p class="note">After Agarwal et al., <em>Deep Reinforcement Learning at the Edge of the Statistical Precipice</em>, 2021.</p></details>"#;
