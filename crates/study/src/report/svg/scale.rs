//! From values to places on paper, and the round values to mark.

use crate::format;

/// An axis: its range in values and in units of the drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// The values at its two ends, ascending.
    pub domain: (f64, f64),
    /// Where the two ends are drawn.
    pub range: (f64, f64),
    /// True if decades, not values, are evenly spaced.
    pub logarithmic: bool,
}

impl Scale {
    /// A scale that holds all finite `values`. The ends are moved to 0 if it is near, and a little beyond the
    /// values otherwise.
    pub fn linear(values: impl IntoIterator<Item = f64>, range: (f64, f64)) -> Self {
        let (mut low, mut high) = extent(values).unwrap_or((0.0, 1.0));
        let spread = high - low;
        if spread == 0.0 {
            let pad = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            return Scale { domain: (low - pad, high + pad), range, logarithmic: false };
        }
        let near_zero = |end: f64| end.abs() <= 0.35 * spread;
        low = if low >= 0.0 && near_zero(low) { 0.0 } else { low - 0.05 * spread };
        high = if high <= 0.0 && near_zero(high) { 0.0 } else { high + 0.05 * spread };
        Scale { domain: (low, high), range, logarithmic: false }
    }

    /// A scale from exactly `low` to `high`.
    pub fn exact(low: f64, high: f64, range: (f64, f64)) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Scale { domain: (low, high), range, logarithmic: false }
    }

    /// A scale of decades that holds all `values` above 0.
    pub fn logarithmic(values: impl IntoIterator<Item = f64>, range: (f64, f64)) -> Self {
        let (low, high) = extent(values.into_iter().filter(|value| *value > 0.0)).unwrap_or((0.1, 10.0));
        let pad = ((high / low).ln() * 0.05).max(0.05).exp();
        Scale { domain: (low / pad, high * pad), range, logarithmic: true }
    }

    /// A linear or, where all values are above 0 and span more than three decades, a logarithmic scale.
    pub fn fitting(values: &[f64], range: (f64, f64)) -> Self {
        match extent(values.iter().copied()) {
            Some((low, high)) if low > 0.0 && high / low > 1000.0 => {
                Scale::logarithmic(values.iter().copied(), range)
            }
            _ => Scale::linear(values.iter().copied(), range),
        }
    }

    /// Where a value is drawn; what lies outside, infinities too, is drawn at the nearer end.
    pub fn place(&self, value: f64) -> f64 {
        let (low, high) = self.domain;
        let value = value.clamp(low, high);
        let part = if self.logarithmic {
            (value / low).ln() / (high / low).ln()
        } else {
            (value - low) / (high - low)
        };
        self.range.0 + part * (self.range.1 - self.range.0)
    }

    /// Round values to mark, about `wanted` of them, with their labels. Logarithmic scales mark powers of ten,
    /// or 1, 2 and 5 of each if there are few.
    pub fn ticks(&self, wanted: usize) -> Vec<(f64, String)> {
        let wanted = wanted.max(2);
        if self.logarithmic { self.decades(wanted) } else { self.steps(wanted) }
    }

    fn steps(&self, wanted: usize) -> Vec<(f64, String)> {
        let (low, high) = self.domain;
        let rough = (high - low) / wanted as f64;
        let power = 10f64.powf(rough.log10().floor());
        let factor = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough * 0.999);
        let step = factor.unwrap_or(10.0) * power;
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let ticks: Vec<f64> = (first..=last).map(|k| k as f64 * step).collect();
        let labels = format::tick_labels(&ticks);
        ticks.into_iter().zip(labels).collect()
    }

    fn decades(&self, wanted: usize) -> Vec<(f64, String)> {
        let (low, high) = (self.domain.0.log10(), self.domain.1.log10());
        let (first, last) = ((low - 1e-9).ceil() as i32, (high + 1e-9).floor() as i32);
        let count = usize::try_from(last - first + 1).unwrap_or(0);
        if count >= 3 {
            let every = count.div_ceil(wanted) as i32;
            return (first..=last)
                .filter(|exponent| exponent.rem_euclid(every) == 0)
                .map(|exponent| (10f64.powi(exponent), decade_label(exponent)))
                .collect();
        }
        let inside = |tick: &f64| (self.domain.0..=self.domain.1).contains(tick);
        (first - 1..=last + 1)
            .flat_map(|exponent| [1.0, 2.0, 5.0].map(|factor| factor * 10f64.powi(exponent)))
            .filter(inside)
            .map(|tick| (tick, short_label(tick)))
            .collect()
    }
}

fn decade_label(exponent: i32) -> String {
    if (-2..=3).contains(&exponent) {
        short_label(10f64.powi(exponent))
    } else {
        format::scientific(10f64.powi(exponent), 1)
    }
}

fn short_label(value: f64) -> String {
    if !(1e-3..1e4).contains(&value) {
        return format::scientific(value, 1);
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.into_iter().filter(|value| value.is_finite());
    finite.fold(None, |extent, value| match extent {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale, wanted: usize) -> String {
        scale.ticks(wanted).into_iter().map(|(_, label)| label).collect::<Vec<String>>().join(" ")
    }

    #[test]
    fn ticks_are_round_and_few() {
        let scale = |low, high| Scale::exact(low, high, (0.0, 100.0));
        assert_eq!(labels(&scale(0.0, 50_000.0), 5), "0 10k 20k 30k 40k 50k");
        assert_eq!(labels(&scale(0.0, 1.0), 5), "0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(labels(&scale(-210.0, 15.0), 5), "−200 −150 −100 −50 0");
        assert_eq!(labels(&scale(0.0, 1_000_000.0), 4), "0 0.25M 0.5M 0.75M 1M");
    }

    #[test]
    fn decades_are_marked_and_placed_evenly() {
        let scale = Scale::logarithmic([1e-6, 1.0], (0.0, 100.0));
        assert_eq!(labels(&scale, 4), "10⁻⁶ 10⁻⁴ 0.01 1");
        let middle = scale.place(1e-3);
        assert!((middle - 50.0).abs() < 1e-9);
        assert_eq!(labels(&Scale::logarithmic([3.0, 40.0], (0.0, 1.0)), 5), "5 10 20");
    }

    #[test]
    fn the_ends_hold_the_values_and_zero_if_it_is_near() {
        assert_eq!(Scale::linear([20.0, 500.0], (0.0, 1.0)).domain.0, 0.0);
        assert!(Scale::linear([400.0, 500.0], (0.0, 1.0)).domain.0 < 400.0);
        assert_eq!(Scale::linear([-500.0, -20.0], (0.0, 1.0)).domain.1, 0.0);
        assert_eq!(Scale::linear([], (0.0, 1.0)).domain, (0.0, 1.05));
        let single = Scale::linear([5.0], (0.0, 10.0));
        assert_eq!(single.place(5.0), 5.0);
        assert_eq!(single.place(f64::INFINITY), 10.0);
        assert!(Scale::fitting(&[1e-8, 1.0], (0.0, 1.0)).logarithmic);
        assert!(!Scale::fitting(&[0.0, 1e9], (0.0, 1.0)).logarithmic);
    }
}
