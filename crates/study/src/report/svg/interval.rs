//! One number with its interval, against a line that it is expected to stay on one side of.

use std::fmt::Write;

use super::at;
use super::scale::Scale;
use super::strip::stacked;
use crate::claims::Contrast;
use crate::report::escape;

const WIDTH: f64 = 340.0;
/// Where the drawing ends and the numbers along the axis begin.
const FLOOR: f64 = 54.0;
const HEIGHT: f64 = 72.0;
const MARGIN: f64 = 10.0;
/// The height at which the interval lies; above it there is room for a word.
const MIDDLE: f64 = 34.0;
/// How much of either side of the line is shown at least, as a part of the way to the farthest value.
const SIDE: f64 = 0.2;

/// Draws a contrast: the expected side shaded, the line, the interval as a box, the number as a bar, a dot a seed.
/// `label` says the same in words.
pub fn interval(contrast: &Contrast, label: &str) -> String {
    let Contrast { value, low, high, line, .. } = *contrast;
    let mut values = vec![value, low, high, line];
    values.extend(&contrast.seeds);
    // Both sides of the line are to be seen, also where everything lies on one.
    let reach = values.iter().filter(|value| value.is_finite()).map(|value| (value - line).abs());
    let reach = reach.fold(0.0, f64::max);
    values.extend([line - SIDE * reach, line + SIDE * reach]);
    let scale = Scale::linear(values, (MARGIN + 8.0, WIDTH - MARGIN - 8.0));
    let place = |value: f64| scale.place(value);
    let mut out = format!(
        r#"<svg class="contrast" viewBox="0 0 {} {}" role="img" aria-label="{}">"#,
        at(WIDTH),
        at(HEIGHT),
        escape(label)
    );
    let split = place(line);
    let (from, to, edge, anchor) = if contrast.relation.expects_less() {
        (MARGIN, split, MARGIN + 5.0, "start")
    } else {
        (split, WIDTH - MARGIN, WIDTH - MARGIN - 5.0, "end")
    };
    let _ = write!(
        out,
        r#"<rect class="expected" x="{}" y="4" width="{}" height="{}" rx="3"/>"#,
        at(from),
        at((to - from).max(0.0)),
        at(FLOOR - 4.0)
    );
    // The word goes where there is room for it.
    if to - from > 66.0 {
        let _ = write!(
            out,
            r#"<text class="side" x="{}" y="16" text-anchor="{anchor}">expected</text>"#,
            at(edge)
        );
    }
    let _ = write!(
        out,
        r#"<line class="axis" x1="{}" x2="{}" y1="{f}" y2="{f}"/>"#,
        at(MARGIN),
        at(WIDTH - MARGIN),
        f = at(FLOOR)
    );
    for (tick, text) in scale.ticks(4) {
        let _ = write!(
            out,
            r#"<line class="axis" x1="{p}" x2="{p}" y1="{f}" y2="{}"/><text class="tick" x="{p}" y="{}" text-anchor="middle">{text}</text>"#,
            at(FLOOR + 4.0),
            at(FLOOR + 17.0),
            p = at(place(tick)),
            f = at(FLOOR)
        );
    }
    if low.is_finite() && high.is_finite() {
        let (a, b) = (place(low), place(high));
        let _ = write!(
            out,
            r#"<rect class="interval" x="{}" y="{}" width="{}" height="20" rx="3"/>"#,
            at(a),
            at(MIDDLE - 10.0),
            at((b - a).max(1.0))
        );
    }
    let radius = if contrast.seeds.len() > 12 { 2.2 } else { 3.0 };
    let dots = contrast.seeds.iter().filter(|seed| seed.is_finite()).map(|&seed| place(seed));
    for (x, offset) in stacked(radius, dots) {
        let _ = write!(
            out,
            r#"<circle class="run" cx="{}" cy="{}" r="{radius}"/>"#,
            at(x),
            at((MIDDLE + offset).clamp(radius, FLOOR - radius))
        );
    }
    let _ =
        write!(out, r#"<line class="border" x1="{p}" x2="{p}" y1="2" y2="{}"/>"#, at(FLOOR), p = at(split));
    let _ = write!(
        out,
        r#"<line class="iqm" x1="{p}" x2="{p}" y1="{}" y2="{}"/></svg>"#,
        at(MIDDLE - 13.0),
        at(MIDDLE + 13.0),
        p = at(place(value))
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::expression::Relation;

    fn contrast(relation: Relation, seeds: Vec<f64>) -> Contrast {
        Contrast { value: 2.0, low: 1.0, high: 3.0, line: 5.0, relation, is_difference: false, seeds }
    }

    /// An attribute of the first element of a class.
    fn attribute(svg: &str, class: &str, name: &str) -> f64 {
        let element = svg.split(&format!("class=\"{class}\"")).nth(1).unwrap();
        element.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    }

    #[test]
    fn the_expected_side_is_the_one_that_the_relation_names() {
        let less = interval(&contrast(Relation::Less, vec![2.0]), "2 < 5");
        // The farthest value is 4 from the line, so the axis has to hold 1 to 5.8 and runs from 0 (near, so included) to
        // 5.8 + 0.05 * 4.8 = 6.04, on 18 to 322 units: 5 lies at 269.7, 2 at 118.7.
        assert_eq!(attribute(&less, "expected", "x"), 10.0);
        assert_eq!(attribute(&less, "expected", "width"), 259.7);
        assert_eq!(attribute(&less, "border", "x1"), 269.7);
        assert_eq!(attribute(&less, "iqm", "x1"), 118.7);
        let greater = interval(&contrast(Relation::AtLeast, vec![2.0]), "2 >= 5");
        assert_eq!(attribute(&greater, "expected", "x"), 269.7);
        assert!(greater.contains("2 &gt;= 5") && !greater.contains("class=\"side\""), "no room for the word");
    }

    #[test]
    fn what_is_not_known_is_not_drawn() {
        let mut one = contrast(Relation::Less, vec![f64::INFINITY, 2.0]);
        (one.low, one.high) = (f64::NAN, f64::NAN);
        let svg = interval(&one, "");
        assert!(!svg.contains("class=\"interval\"") && !svg.contains("NaN"));
        assert_eq!(svg.matches("<circle").count(), 1);
    }
}
