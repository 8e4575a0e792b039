//! One row of dots a method: its runs, their interquartile mean and its interval.

use std::fmt::Write;

use super::scale::Scale;
use super::{at, color};

/// Width of a strip.
pub const WIDTH: f64 = 340.0;
/// Height of a strip.
const HEIGHT: f64 = 40.0;
const MARGIN: f64 = 14.0;

/// The axis that all rows of a table share.
#[derive(Debug, Clone)]
pub struct StripAxis {
    scale: Scale,
    ticks: Vec<(f64, String)>,
    /// True if worse is to the left.
    worse_left: bool,
    reference: Option<f64>,
}

impl StripAxis {
    /// An axis that holds all finite values. Runs that failed are marked on the worse side.
    pub fn new(values: &[f64], worse_left: bool, reference: Option<f64>) -> Self {
        let scale = Scale::fitting(values, (MARGIN + 8.0, WIDTH - MARGIN - 8.0));
        let any = values.iter().any(|value| value.is_finite());
        let ticks = if any { scale.ticks(4) } else { Vec::new() };
        let reference = reference.filter(|value| (scale.domain.0..=scale.domain.1).contains(value));
        StripAxis { scale, ticks, worse_left, reference }
    }

    /// The row of one method; `iqm` and `interval` may be missing or infinite.
    pub fn row(
        &self,
        position: usize,
        scores: &[f64],
        iqm: f64,
        interval: Option<[f64; 2]>,
        label: &str,
    ) -> String {
        let middle = HEIGHT / 2.0;
        let mut out = String::new();
        let _ = write!(
            out,
            r#"<svg class="strip {}" viewBox="0 0 {} {}" role="img" aria-label="{}">"#,
            color(position),
            at(WIDTH),
            at(HEIGHT),
            super::super::escape(label)
        );
        self.grid(&mut out, HEIGHT);
        let _ = write!(
            out,
            r#"<line class="grid" x1="{}" x2="{}" y1="{m}" y2="{m}"/>"#,
            at(MARGIN),
            at(WIDTH - MARGIN),
            m = at(middle)
        );
        if let Some([low, high]) = interval.filter(|ends| ends.iter().all(|end| !end.is_nan())) {
            let (a, b) = (self.scale.place(low), self.scale.place(high));
            let _ = write!(
                out,
                r#"<rect class="interval" x="{}" y="{}" width="{}" height="18" rx="3"/>"#,
                at(a.min(b)),
                at(middle - 9.0),
                at((b - a).abs().max(1.0))
            );
        }
        let radius = if scores.len() > 12 { 2.4 } else { 3.4 };
        let dots = scores.iter().filter(|score| score.is_finite()).map(|&score| self.scale.place(score));
        for (place, offset) in stacked(radius, dots) {
            let _ = write!(
                out,
                r#"<circle class="run" cx="{}" cy="{}" r="{radius}"/>"#,
                at(place),
                at(middle + offset)
            );
        }
        if iqm.is_finite() {
            let place = self.scale.place(iqm);
            let _ = write!(
                out,
                r#"<line class="iqm" x1="{p}" x2="{p}" y1="{}" y2="{}"/>"#,
                at(middle - 13.0),
                at(middle + 13.0),
                p = at(place)
            );
        }
        let failed = scores.iter().filter(|score| score.is_infinite()).count();
        if failed > 0 {
            let (x, anchor) = if self.worse_left { (1.0, "start") } else { (WIDTH - 1.0, "end") };
            let text = if failed == 1 { "×".to_owned() } else { format!("×{failed}") };
            let _ = write!(
                out,
                r#"<text class="failed" x="{}" y="{}" text-anchor="{anchor}">{text}</text>"#,
                at(x),
                at(middle + 4.5)
            );
        }
        out.push_str("</svg>");
        out
    }

    /// The numbers along the axis.
    pub fn numbers(&self) -> String {
        let mut out =
            format!(r#"<svg class="strip numbers" viewBox="0 0 {} 22" aria-hidden="true">"#, at(WIDTH));
        for (value, label) in &self.ticks {
            let place = self.scale.place(*value);
            let _ = write!(
                out,
                r#"<line class="axis" x1="{p}" x2="{p}" y1="0" y2="4"/><text class="tick" x="{p}" y="17" text-anchor="middle">{label}</text>"#,
                p = at(place)
            );
        }
        out.push_str("</svg>");
        out
    }

    fn grid(&self, out: &mut String, height: f64) {
        for (value, _) in &self.ticks {
            let place = at(self.scale.place(*value));
            let _ =
                write!(out, r#"<line class="grid" x1="{place}" x2="{place}" y1="0" y2="{}"/>"#, at(height));
        }
        if let Some(value) = self.reference {
            let place = at(self.scale.place(value));
            let _ = write!(
                out,
                r#"<line class="reference" x1="{place}" x2="{place}" y1="0" y2="{}"/>"#,
                at(height)
            );
        }
    }
}

/// Places along the row with an offset across it, so that dots which would cover each other stand side by side.
pub(super) fn stacked(radius: f64, places: impl Iterator<Item = f64>) -> Vec<(f64, f64)> {
    let mut places: Vec<f64> = places.collect();
    places.sort_by(f64::total_cmp);
    let mut out: Vec<(f64, f64)> = Vec::new();
    let apart = 1.8 * radius;
    for place in places {
        let taken = |offset: f64| {
            let near = |&(x, y): &(f64, f64)| (x - place).abs() < apart && (y - offset).abs() < apart / 2.0;
            out.iter().rev().take(24).any(near)
        };
        let offset =
            [0.0, -1.0, 1.0, -2.0, 2.0].map(|k| k * apart).into_iter().find(|&offset| !taken(offset));
        out.push((place, offset.unwrap_or(0.0)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_that_would_cover_each_other_are_stacked() {
        let places = stacked(2.0, [10.0, 10.0, 12.0, 50.0].into_iter());
        assert_eq!(places, [(10.0, 0.0), (10.0, -3.6), (12.0, 3.6), (50.0, 0.0)]);
    }

    #[test]
    fn a_row_shows_every_run() {
        let axis = StripAxis::new(&[1.0, 2.0, 3.0], true, None);
        let row =
            axis.row(1, &[1.0, 3.0, f64::NEG_INFINITY, f64::NEG_INFINITY], 2.0, Some([1.5, 2.5]), "a < b");
        assert_eq!(row.matches("<circle").count(), 2);
        assert!(row.contains("×2") && row.contains("class=\"interval\"") && row.contains("a &lt; b"));
    }
}
