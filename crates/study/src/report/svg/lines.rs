//! Lines with bands, labelled at their ends.

use std::fmt::Write;

use super::labels::spread;
use super::scale::Scale;
use super::{at, color, dashes, text_width};
use crate::format;
use crate::report::escape;

/// Size of the text on axes and at line ends, in units of the drawing.
const TEXT: f64 = 12.5;

/// One line with its band.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Its label.
    pub name: String,
    /// Its place among the series of the study: its color.
    pub position: usize,
    /// Where, ascending.
    pub x: Vec<f64>,
    /// The line.
    pub y: Vec<f64>,
    /// The band's lower edge; as long as `y`.
    pub low: Vec<f64>,
    /// The band's upper edge; as long as `y`.
    pub high: Vec<f64>,
}

/// A plot of lines.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    /// The lines.
    pub series: &'a [Series],
    /// What is along the x axis.
    pub x_label: String,
    /// What is along the y axis.
    pub y_label: String,
    /// Width of the drawing.
    pub width: f64,
    /// Height of the drawing.
    pub height: f64,
    /// The ends of the x axis; the series' own if `None`.
    pub x_domain: Option<(f64, f64)>,
    /// The ends of the y axis; the series' own if `None`.
    pub y_domain: Option<(f64, f64)>,
    /// A value to mark with a dashed line, and its name.
    pub reference: Option<(f64, &'a str)>,
    /// A heading within the drawing, for a plot that stands alone.
    pub title: Option<&'a str>,
    /// Names the lines above the plot even if there is room at their ends: for lines that all end in one place.
    pub legend: bool,
}

/// Where things are.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// Labels stand at the line ends; otherwise there is a legend on top.
    ends: bool,
}

impl Lines<'_> {
    /// The drawing: an `<svg>` element without the styles.
    pub fn svg(&self) -> String {
        let frame = self.frame();
        let x = self.x_scale((frame.left, frame.right));
        let y = self.y_scale((frame.bottom, frame.top));
        let mut out = String::new();
        let _ = write!(
            out,
            r#"<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-label="{label}" data-frame="{l} {r} {t} {b}" data-x="{x0:e} {x1:e}" data-y="{y0:e} {y1:e} {log}">"#,
            w = at(self.width),
            h = at(self.height),
            label = escape(&format!("{} against {}", self.y_label, self.x_label)),
            l = at(frame.left),
            r = at(frame.right),
            t = at(frame.top),
            b = at(frame.bottom),
            x0 = x.domain.0,
            x1 = x.domain.1,
            y0 = y.domain.0,
            y1 = y.domain.1,
            log = u8::from(y.logarithmic),
        );
        if let Some(title) = self.title {
            let _ = write!(out, r#"<text class="title" x="2" y="20">{}</text>"#, escape(title));
        }
        self.axes(&mut out, &frame, &x, &y);
        self.draw_reference(&mut out, &frame, &y);
        for series in self.series {
            band(&mut out, series, &x, &y);
        }
        for series in self.series {
            line(&mut out, series, &x, &y);
        }
        if frame.ends {
            self.end_labels(&mut out, &frame, &x, &y);
        } else {
            self.legend(&mut out, &frame);
        }
        out.push_str("</svg>");
        out
    }

    fn frame(&self) -> Frame {
        // Line ends are set in bold.
        let widest =
            self.series.iter().map(|series| text_width(&series.name)).fold(0.0, f64::max) * TEXT * 1.1;
        let margin = widest + 26.0;
        let ends = !self.legend && margin <= 0.34 * self.width && self.series.len() <= 14;
        let title = if self.title.is_some() { 36.0 } else { 0.0 };
        let rows = if ends { 0 } else { self.legend_rows().len() };
        let top = title + 30.0 + if rows > 0 { rows as f64 * 19.0 + 8.0 } else { 0.0 };
        let bottom = self.height - 44.0;
        let y = self.y_scale((bottom, top));
        let labels = y.ticks(y_ticks(bottom - top));
        let left = labels.iter().map(|(_, label)| text_width(label)).fold(0.0, f64::max) * TEXT + 14.0;
        let right = self.width - if ends { margin } else { 14.0 };
        Frame { left: left.max(30.0), right, top, bottom, ends }
    }

    fn x_scale(&self, range: (f64, f64)) -> Scale {
        let (low, high) = self.x_domain.unwrap_or_else(|| {
            let last = self.series.iter().flat_map(|series| &series.x).copied().fold(0.0, f64::max);
            (0.0, last)
        });
        Scale::exact(low, high, range)
    }

    fn y_scale(&self, range: (f64, f64)) -> Scale {
        if let Some((low, high)) = self.y_domain {
            return Scale::exact(low, high, range);
        }
        let lines = self.series.iter().flat_map(|series| &series.y).copied();
        let bands = self.series.iter().flat_map(|series| series.low.iter().chain(&series.high)).copied();
        let mut values: Vec<f64> = lines.chain(bands).filter(|value| value.is_finite()).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // The optimum belongs in the picture unless it would squeeze the lines into a corner.
        if let Some((reference, _)) = self.reference
            && reference <= high + 0.6 * (high - low)
            && reference >= low - 0.6 * (high - low)
        {
            values.push(reference);
        }
        Scale::fitting(&values, range)
    }

    fn axes(&self, out: &mut String, frame: &Frame, x: &Scale, y: &Scale) {
        for (value, label) in y.ticks(y_ticks(frame.bottom - frame.top)) {
            let place = y.place(value);
            let _ = write!(
                out,
                r#"<line class="grid" x1="{}" x2="{}" y1="{p}" y2="{p}"/><text class="tick" x="{}" y="{}" text-anchor="end">{label}</text>"#,
                at(frame.left),
                at(frame.right),
                at(frame.left - 8.0),
                at(place + 4.3),
                p = at(place),
            );
        }
        let _ = write!(
            out,
            r#"<line class="axis" x1="{}" x2="{}" y1="{b}" y2="{b}"/>"#,
            at(frame.left),
            at(frame.right),
            b = at(frame.bottom)
        );
        let ticks = x.ticks(((frame.right - frame.left) / 95.0) as usize);
        for (value, label) in ticks {
            let place = x.place(value);
            let _ = write!(
                out,
                r#"<line class="axis" x1="{p}" x2="{p}" y1="{}" y2="{}"/><text class="tick" x="{p}" y="{}" text-anchor="middle">{label}</text>"#,
                at(frame.bottom),
                at(frame.bottom + 4.0),
                at(frame.bottom + 18.0),
                p = at(place),
            );
        }
        let _ = write!(
            out,
            r#"<text class="name" x="{}" y="{}" text-anchor="end">{}</text><text class="name" x="{}" y="{}">{}</text>"#,
            at(frame.right),
            at(frame.bottom + 36.0),
            escape(&self.x_label),
            at(2.0),
            at(frame.top - 13.0),
            escape(&self.y_label),
        );
    }

    fn draw_reference(&self, out: &mut String, frame: &Frame, y: &Scale) {
        let Some((value, name)) = self.reference else { return };
        if !(y.domain.0..=y.domain.1).contains(&value) {
            return;
        }
        let place = y.place(value);
        // Below the line where there is no room above it; on the side where the lines are farther away.
        let text = if place - 6.0 < frame.top + 8.0 { place + 14.0 } else { place - 6.0 };
        let nearest = |end: fn(&Vec<f64>) -> Option<&f64>| {
            let ends = self.series.iter().filter_map(|series| end(&series.y));
            ends.map(|&end| (y.place(end) - place).abs()).fold(f64::INFINITY, f64::min)
        };
        let (x, anchor) = if nearest(|y| y.first()) >= nearest(|y| y.last()) {
            (frame.left + 6.0, "start")
        } else {
            (frame.right - 6.0, "end")
        };
        let _ = write!(
            out,
            r#"<line class="reference" x1="{}" x2="{}" y1="{p}" y2="{p}"/><text class="tick" x="{}" y="{}" text-anchor="{anchor}">{}</text>"#,
            at(frame.left),
            at(frame.right),
            at(x),
            at(text),
            escape(name),
            p = at(place),
        );
    }

    fn end_labels(&self, out: &mut String, frame: &Frame, x: &Scale, y: &Scale) {
        let ends: Vec<(&Series, f64, f64)> = self
            .series
            .iter()
            .filter_map(|series| Some((series, x.place(*series.x.last()?), y.place(*series.y.last()?))))
            .collect();
        let wanted: Vec<f64> = ends.iter().map(|end| end.2).collect();
        let places = spread(&wanted, TEXT + 3.5, (frame.top - 4.0, frame.bottom));
        for ((series, end_x, end_y), place) in ends.into_iter().zip(places) {
            let _ = write!(
                out,
                r#"<g class="{}"><path class="leader" d="M{} {}L{} {}"/><circle class="dot" cx="{}" cy="{}" r="2.6"/><text class="end" x="{}" y="{}">{}</text></g>"#,
                color(series.position),
                at(end_x + 3.0),
                at(end_y),
                at(frame.right + 15.0),
                at(place),
                at(end_x),
                at(end_y),
                at(frame.right + 18.0),
                at(place + 4.3),
                escape(&series.name),
            );
        }
    }

    /// Series on the rows of a legend, with the place of each.
    fn legend_rows(&self) -> Vec<Vec<(usize, f64)>> {
        let mut rows: Vec<Vec<(usize, f64)>> = Vec::new();
        let mut next = f64::INFINITY;
        for (index, series) in self.series.iter().enumerate() {
            let width = text_width(&series.name) * TEXT * 1.1 + 40.0;
            if next + width > self.width {
                rows.push(Vec::new());
                next = 2.0;
            }
            if let Some(row) = rows.last_mut() {
                row.push((index, next));
            }
            next += width;
        }
        rows
    }

    fn legend(&self, out: &mut String, frame: &Frame) {
        let rows = self.legend_rows();
        let first = frame.top - 42.0 - (rows.len() as f64 - 1.0) * 19.0;
        for (row, entries) in rows.iter().enumerate() {
            let y = first + row as f64 * 19.0;
            for &(index, x) in entries {
                let series = &self.series[index];
                let _ = write!(
                    out,
                    r#"<g class="{}"><line class="line" x1="{}" x2="{}" y1="{y}" y2="{y}"{}/><text class="end" x="{}" y="{}">{}</text></g>"#,
                    color(series.position),
                    at(x),
                    at(x + 18.0),
                    dashes(series.position),
                    at(x + 24.0),
                    at(y + 4.3),
                    escape(&series.name),
                    y = at(y),
                );
            }
        }
    }
}

fn y_ticks(height: f64) -> usize {
    (height / 46.0) as usize
}

fn line(out: &mut String, series: &Series, x: &Scale, y: &Scale) {
    let places = series.x.iter().zip(&series.y).map(|(&a, &b)| (x.place(a), y.place(b)));
    let path = path_of(places);
    if !path.is_empty() {
        let class = color(series.position);
        let _ = write!(out, r#"<path class="line {class}" d="{path}"{}/>"#, dashes(series.position));
    }
}

fn band(out: &mut String, series: &Series, x: &Scale, y: &Scale) {
    let edge = |values: &[f64]| -> Vec<(f64, f64)> {
        series.x.iter().zip(values).map(|(&a, &b)| (x.place(a), y.place(b))).collect()
    };
    let known =
        series.low.len() == series.x.len() && series.low.iter().chain(&series.high).all(|v| !v.is_nan());
    if !known || series.x.len() < 2 {
        return;
    }
    // An end made infinite by failed runs has no place on the paper; the caption says that it is left out.
    let bounded = |edge: &[f64]| -> Vec<f64> {
        edge.iter().zip(&series.y).map(|(&end, &line)| if end.is_finite() { end } else { line }).collect()
    };
    let (mut outline, mut back) = (edge(&bounded(&series.high)), edge(&bounded(&series.low)));
    if outline.iter().zip(&back).all(|(high, low)| (high.1 - low.1).abs() < 0.05) {
        return; // a single run has no width
    }
    back.reverse();
    outline.append(&mut back);
    let class = color(series.position);
    let _ = write!(out, r#"<path class="band {class}" d="{}Z"/>"#, path_of(outline.into_iter()));
}

fn path_of(places: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in places {
        let _ = write!(path, "{}{} {}", if path.is_empty() { "M" } else { "L" }, at(x), at(y));
    }
    path
}

/// What the read-out needs: the series' values at the steps of the longest one, as JSON.
pub fn data(series: &[Series]) -> String {
    let mut steps: Vec<f64> = series.iter().flat_map(|series| series.x.iter().copied()).collect();
    steps.sort_by(f64::total_cmp);
    steps.dedup();
    let rows: Vec<serde_json::Value> = series
        .iter()
        .map(|series| {
            let find = |values: &[f64]| -> Vec<Option<f64>> {
                steps
                    .iter()
                    .map(|&step| {
                        let index = series.x.binary_search_by(|x| x.total_cmp(&step)).ok()?;
                        values.get(index).copied().filter(|value| value.is_finite()).map(five_digits)
                    })
                    .collect()
            };
            serde_json::json!({
                "n": series.name,
                "c": color(series.position),
                "y": find(&series.y),
                "l": find(&series.low),
                "h": find(&series.high),
            })
        })
        .collect();
    let values = series.iter().flat_map(|series| series.y.iter().copied());
    let decimals = format::decimals(values);
    // `</script>` can't occur: JSON strings keep `<` as it is, so it is written as an escape.
    serde_json::json!({ "x": steps, "s": rows, "d": decimals }).to_string().replace('<', "\\u003c")
}

fn five_digits(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}
