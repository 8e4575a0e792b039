//! From a summary to plots.

use std::fmt::Write;

use super::svg::COLORS;
use super::svg::forest::Forest;
use super::svg::lines::{Lines, Series, data};
use crate::format;
use crate::statistics::Estimate;
use crate::summary::{MetricCurves, Profile};

/// The looks of plots, wherever they stand.
pub(super) const CHART_STYLE: &str = include_str!("svg/chart.css");

/// How a plot of curves that stands alone is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveSvg {
    /// A heading, if wanted.
    pub title: Option<String>,
    /// Width in pixels; text has its natural size at this width.
    pub width: f64,
    /// Height in pixels.
    pub height: f64,
    /// A value of the metric to mark as the optimum.
    pub optimum: Option<f64>,
}

impl Default for CurveSvg {
    fn default() -> Self {
        CurveSvg { title: None, width: 820.0, height: 420.0, optimum: None }
    }
}

/// Learning curves as an SVG file of its own, with a transparent background and colors that follow the reader's
/// light or dark scheme.
pub fn curve_svg(curves: &MetricCurves, options: &CurveSvg) -> String {
    let series = series_of(curves);
    let plot = Lines {
        title: options.title.as_deref(),
        reference: options.optimum.map(|optimum| (optimum, "optimum")),
        ..lines(curves, &series, options.width, options.height)
    };
    standalone(&plot.svg(), (options.width, options.height))
}

/// A drawing as a file of its own: with styles that follow the reader's light or dark scheme.
fn standalone(drawing: &str, (width, height): (f64, f64)) -> String {
    let light = "svg{--ink:#1b1d22;--muted:#61656f;--grid:#e6e4de;--axis:#b5b3ac}";
    let dark = "@media (prefers-color-scheme:dark){svg{--ink:#ecebe7;--muted:#a2a6b0;--grid:#30343c;--axis:#5a5f69}}";
    let head = format!(r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" "#);
    let style = format!("<style>{light}{dark}{COLORS}{CHART_STYLE}</style>");
    let drawing = drawing.replacen("<svg ", &head, 1);
    match drawing.find('>') {
        Some(end) => format!("{}{style}{}\n", &drawing[..=end], &drawing[end + 1..]),
        None => drawing,
    }
}

/// Numbers with intervals as an SVG file of its own, in the same manner as [`curve_svg`].
pub fn forest_svg(forest: &Forest) -> String {
    standalone(&forest.svg(), (forest.width, forest.height()))
}

/// The same on an HTML page that needs nothing else.
pub fn forest_html(forest: &Forest) -> String {
    let body = format!("<figure class=\"plot\">{}</figure>\n", forest.svg());
    let style = [include_str!("style.css"), COLORS, CHART_STYLE];
    super::document(forest.title, quire_core::VERSION, &style, &body, "")
}

/// Learning curves as a figure of the page: drawn once for wide screens and once for narrow ones.
pub(super) fn curves_figure(curves: &MetricCurves, optimum: Option<f64>, small: bool) -> String {
    let series = series_of(curves);
    let draw = |width: f64, height: f64| {
        let reference = optimum.map(|optimum| (optimum, "optimum"));
        Lines { reference, ..lines(curves, &series, width, height) }.svg()
    };
    let (wide, narrow) =
        if small { ((460.0, 280.0), (360.0, 250.0)) } else { ((900.0, 420.0), (360.0, 300.0)) };
    let runs: Vec<usize> = curves.methods.iter().map(|method| method.runs).filter(|&runs| runs > 0).collect();
    let (fewest, most) = (runs.iter().min().copied().unwrap_or(0), runs.iter().max().copied().unwrap_or(0));
    let runs = if fewest == most { format::counted(most, "run") } else { format!("{fewest} to {most} runs") };
    let mut caption = if most < 2 {
        "One run a method.".to_owned()
    } else {
        format!("Interquartile mean over {runs}; the band is its 95 % interval at each step.")
    };
    if curves.methods.iter().any(|method| method.low.iter().chain(&method.high).any(|end| end.is_infinite()))
    {
        caption += " Where failed runs make an end of the interval infinite, that side is not drawn.";
    }
    if let Some(window) = curves.window.filter(|&window| window > 1) {
        let _ =
            write!(caption, " Each point is the mean over {} {}.", format::count(window), curves.step_unit);
    }
    figure(&draw(wide.0, wide.1), &draw(narrow.0, narrow.1), &series, &caption, &curves.step_unit)
}

/// The performance profile as a figure of the page.
pub(super) fn profile_figure(profile: &Profile) -> String {
    let pick =
        |fractions: &[Estimate], part: fn(&Estimate) -> f64| fractions.iter().map(part).collect::<Vec<f64>>();
    let series: Vec<Series> = profile
        .methods
        .iter()
        .map(|method| Series {
            name: method.name.clone(),
            position: method.position,
            x: profile.thresholds.clone(),
            y: pick(&method.fractions, |estimate| estimate.value),
            low: pick(&method.fractions, |estimate| estimate.low),
            high: pick(&method.fractions, |estimate| estimate.high),
        })
        .collect();
    let draw = |width: f64, height: f64| {
        Lines {
            series: &series,
            x_label: "normalized score τ".into(),
            y_label: "fraction of runs with a score above τ".into(),
            width,
            height,
            x_domain: Some((0.0, 1.0)),
            y_domain: Some((0.0, 1.0)),
            reference: None,
            title: None,
            legend: true,
        }
        .svg()
    };
    let caption = "The higher a line, the better; where two cross, one method has more good runs and the other \
                   fewer bad ones. Bands are 95 % intervals at each score.";
    figure(&draw(900.0, 400.0), &draw(360.0, 290.0), &series, caption, "τ")
}

fn figure(wide: &str, narrow: &str, series: &[Series], caption: &str, x_name: &str) -> String {
    format!(
        r#"<figure class="plot" data-x-name="{}"><div class="wide">{wide}</div><div class="narrow">{narrow}</div><script type="application/json">{}</script><figcaption>{}</figcaption></figure>"#,
        super::escape(x_name),
        data(series),
        super::escape(caption)
    )
}

fn series_of(curves: &MetricCurves) -> Vec<Series> {
    let drawn = curves.methods.iter().filter(|method| !method.steps.is_empty());
    drawn
        .map(|method| Series {
            name: method.name.clone(),
            position: method.position,
            x: method.steps.iter().map(|&step| step as f64).collect(),
            y: method.iqm.clone(),
            low: method.low.clone(),
            high: method.high.clone(),
        })
        .collect()
}

fn lines<'a>(curves: &MetricCurves, series: &'a [Series], width: f64, height: f64) -> Lines<'a> {
    let metric = &curves.metric_card;
    let y_label = if metric.unit.is_empty() {
        metric.name.clone()
    } else {
        format!("{} ({})", metric.name, metric.unit)
    };
    Lines {
        series,
        x_label: curves.step_unit.clone(),
        y_label,
        width,
        height,
        x_domain: None,
        y_domain: None,
        reference: None,
        title: None,
        legend: false,
    }
}
