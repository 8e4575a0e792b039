//! The two sides of an expectation as one number against a line, so that a picture or a sentence can show how far apart
//! they are.

use super::expression::{Expectation, Relation};
use super::verdict::Measured;

/// What was measured of an expectation, against the line that it must not cross.
///
/// Where the right side is a constant, as in `regret(a) / regret(b) < 1.42`, the number is the left side and the line that
/// constant. Otherwise the number is the difference left - right and the line 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrast {
    /// The number.
    pub value: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The line.
    pub line: f64,
    /// On which side of the line the number is expected.
    pub relation: Relation,
    /// True if the number is a difference, false if it is the left side.
    pub is_difference: bool,
    /// The number computed from each seed's readings alone.
    pub seeds: Vec<f64>,
}

impl Contrast {
    /// The contrast behind a verdict; `None` if nothing could be measured.
    pub fn of(measured: &Measured) -> Option<Self> {
        let expectation = Expectation::parse(&measured.expression).ok()?;
        let values = &measured.values;
        if values.readings.len() != expectation.readings.len() || !values.difference.is_finite() {
            return None;
        }
        let is_difference = !expectation.right.is_constant();
        let line = if is_difference { 0.0 } else { values.right };
        let [low, high] = values.interval;
        let of_seed = |seed: usize| {
            let readings: Option<Vec<f64>> =
                values.readings.iter().map(|reading| reading.runs.get(seed).copied()).collect();
            let readings = readings?;
            let left = expectation.left.value(&readings);
            Some(if is_difference { left - expectation.right.value(&readings) } else { left })
        };
        Some(Contrast {
            value: values.difference + line,
            low: low + line,
            high: high + line,
            line,
            relation: expectation.relation,
            is_difference,
            seeds: (0..values.seeds).filter_map(of_seed).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::verdict::{ReadingValue, Statistic, Values, Verdict};

    fn measured(expression: &str, left: f64, right: f64, runs: [[f64; 2]; 2]) -> Measured {
        let reading =
            |runs: [f64; 2]| ReadingValue { reading: String::new(), value: 0.0, runs: runs.to_vec() };
        Measured {
            expression: expression.into(),
            problem: "p".into(),
            verdict: Verdict::NotShown,
            values: Values {
                left,
                right,
                difference: left - right,
                interval: [left - right - 0.25, left - right + 0.5],
                statistic: Statistic::Mean,
                seeds: 2,
                readings: runs.map(reading).to_vec(),
            },
            note: None,
        }
    }

    #[test]
    fn a_constant_is_the_line_itself() {
        let contrast =
            Contrast::of(&measured("m(a) / m(b) < 1 + 0.5", 1.25, 1.5, [[2.0, 9.0], [4.0, 6.0]])).unwrap();
        assert_eq!((contrast.value, contrast.low, contrast.high), (1.25, 1.0, 1.75));
        assert_eq!((contrast.line, contrast.is_difference), (1.5, false));
        assert_eq!(contrast.seeds, [0.5, 1.5]);
    }

    #[test]
    fn measured_sides_are_subtracted() {
        let contrast =
            Contrast::of(&measured("m(a) >= 2 * m(b)", 5.0, 4.0, [[5.0, 7.0], [1.0, 3.0]])).unwrap();
        assert_eq!((contrast.value, contrast.low, contrast.high), (1.0, 0.75, 1.5));
        assert_eq!((contrast.line, contrast.is_difference), (0.0, true));
        assert_eq!(contrast.seeds, [3.0, 1.0]);
        assert_eq!((contrast.relation.symbol(), contrast.relation.expects_less()), (">=", false));
    }

    #[test]
    fn nothing_measured_has_no_contrast() {
        assert_eq!(Contrast::of(&measured("m(a) > m(b)", f64::NAN, 1.0, [[1.0, 1.0]; 2])), None);
        assert_eq!(Contrast::of(&measured("no longer a sentence", 1.0, 1.0, [[1.0, 1.0]; 2])), None);
        assert_eq!(
            Contrast::of(&measured("m(a) > 0", 1.0, 0.0, [[1.0, 1.0]; 2])),
            None,
            "readings do not fit"
        );
    }
}
