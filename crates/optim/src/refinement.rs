//! Schedule refinement: the learning rates of the next run from the gradient norms of the last one.
//!
//! Bounds for the last iterate of SGD say how a learning rate should change over a run of T steps. Write it with weights w_t > 0 as
//!
//! > η_t = w_t Σ_{p>t} w_p / Σ_p w_p
//!
//! Then the last iterate is the mean, weighted by w, of z_{t+1} = z_t - w_t g_t. Without knowledge of the gradients the best w is constant, and η falls on a straight line: `linear` is the schedule to start
//! with. If the norms G_t are known, the bound ½ (D² + Σ w_t² G_t²) / Σ w_t is least for w_t ∝ G_t⁻². So: run once with
//! `linear`, smooth the norms that were recorded by a median filter, take
//!
//! > w_t = G_t⁻² for SGD with l2 norms, w_t = G_t⁻¹ for Adam and other methods by coordinates with l1 norms
//!
//! and divide η by its maximum; it then multiplies a peak learning rate, which is to be tuned again. Where norms fall after a rough start
//! the refined schedule warms up; where they grow in the end it anneals fast.
//!
//! The norms must come from the same model and batch size and the length of the run is fixed in advance. Where gradients vanish - a model that fits its data - G⁻²
//! explodes: norms are kept above a thousandth of their median, which is ours.
//!
//! Source: A. Defazio, A. Cutkosky, H. Mehta, K. Mishchenko, *When, Why and How Much? Adaptive Learning Rate Scheduling by
//! Refinement*, arXiv:2310.07831.

use std::path::Path;

use quire_core::{Error, Result, files};
use serde::Serialize;

use crate::{AdamOptions, Layout, OptimizerOptions, OptimizerSetting, Schedule};

/// Norms are kept above this share of their median. Ours.
const LEAST_SHARE: f64 = 1e-3;
/// The width of the median filter as a share of the run. The paper's code: 0.1.
pub const SMOOTHING: f64 = 0.1;
/// Rows of a schedule's file, at most, unless it is asked for more: smoothed norms do not need them.
pub const ROWS: usize = 1000;
/// Rows of a user's file, at most.
const MOST_ROWS: usize = 10_000_000;

/// Which norms, and what weights are made of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// l2 norms, w = G⁻²: for SGD.
    Sgd,
    /// l1 norms, w = G⁻¹: for Adam and other methods by coordinates.
    Adam,
}

impl Power {
    /// w of a norm.
    pub fn weight(self, norm: f64) -> f64 {
        match self {
            Power::Sgd => norm.powi(-2),
            Power::Adam => norm.recip(),
        }
    }

    /// The column of a file of norms.
    pub fn column(self) -> &'static str {
        match self {
            Power::Sgd => "l2",
            Power::Adam => "l1",
        }
    }
}

/// A refined schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refined {
    /// The factors on the peak learning rate, in `[0, 1]`, one a norm: the largest is 1, the last 0.
    pub factors: Vec<f64>,
    /// Norms that were not finite and left out.
    pub dropped: usize,
    /// Norms, smoothed, that were lifted to the least allowed.
    pub lifted: usize,
    /// The bound as a share of that of a straight line, each at its best peak; for SGD only, for which there is a bound.
    pub bound_share: Option<f64>,
}

/// The schedule for a run whose norms were these, smoothed over a share of the run.
///
/// # Errors
/// [`Error::Usage`] if `smoothing` is not in (0, 1), fewer than two norms are finite, or one is negative.
pub fn refine(norms: &[f64], power: Power, smoothing: f64) -> Result<Refined> {
    if !(smoothing > 0.0 && smoothing < 1.0) {
        return Err(Error::Usage(format!("the smoothing is a share of the run in (0, 1); got {smoothing}")));
    }
    let finite: Vec<f64> = norms.iter().copied().filter(|norm| norm.is_finite()).collect();
    if finite.len() < 2 {
        return Err(Error::Usage(format!("a schedule needs at least 2 finite norms, not {}", finite.len())));
    }
    if let Some(negative) = finite.iter().find(|norm| **norm < 0.0) {
        return Err(Error::Usage(format!("a norm is at least 0; got {negative}")));
    }
    let mut smooth = median_filter(&finite, filter_width(finite.len(), smoothing));
    let lifted = lift(&mut smooth);
    let scale = smooth.iter().copied().fold(0.0, f64::max);
    if scale == 0.0 {
        return Err(Error::Usage("all norms are 0; there is nothing to schedule by".into()));
    }
    smooth.iter_mut().for_each(|norm| *norm /= scale);
    let weights: Vec<f64> = smooth.iter().map(|norm| power.weight(*norm)).collect();
    let bound_share = (power == Power::Sgd).then(|| {
        let squares: f64 = smooth.iter().map(|norm| norm * norm).sum();
        smooth.len() as f64 / (squares * weights.iter().sum::<f64>()).sqrt()
    });
    Ok(Refined { factors: multipliers(&weights), dropped: norms.len() - finite.len(), lifted, bound_share })
}

/// Lifts all norms to [`LEAST_SHARE`] of their median; returns how many were lower.
fn lift(norms: &mut [f64]) -> usize {
    let mut sorted = norms.to_vec();
    sorted.sort_by(f64::total_cmp);
    let least = LEAST_SHARE * sorted[sorted.len() / 2];
    let mut lifted = 0;
    for norm in norms.iter_mut().filter(|norm| **norm < least) {
        *norm = least;
        lifted += 1;
    }
    lifted
}

/// The width of the median filter for `count` norms: odd, about `smoothing` of them.
pub fn filter_width(count: usize, smoothing: f64) -> usize {
    2 * (smoothing * count as f64 / 2.0).floor() as usize + 1
}

/// η_t = w_t Σ_{p>t} w_p over its maximum; the last is 0.
pub fn multipliers(weights: &[f64]) -> Vec<f64> {
    let mut after = 0.0;
    let mut steps: Vec<f64> = weights
        .iter()
        .rev()
        .map(|weight| {
            let step = weight * after;
            after += weight;
            step
        })
        .collect();
    steps.reverse();
    let most = steps.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    steps.iter_mut().for_each(|step| *step /= most);
    steps
}

/// The median of a window of odd `width` around each value. Beyond the left end the first value stands, beyond the right end the values are reflected, the last one
/// not twice: what a schedule does in its last tenth is decided there.
///
/// # Panics
/// If `width` is even or more than twice as long as `values`.
pub fn median_filter(values: &[f64], width: usize) -> Vec<f64> {
    let half = width / 2;
    assert!(width % 2 == 1 && half < values.len().max(1), "an odd window that is not too wide");
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0; values.len()];
    order.iter().enumerate().for_each(|(rank, &i)| ranks[i] = rank);
    let last = values.len() as isize - 1;
    let rank_at = |i: isize| ranks[(if i > last { 2 * last - i } else { i.max(0) }) as usize];
    let mut window = Counts::new(values.len());
    let half = half as isize;
    (-half..half).for_each(|i| window.change(rank_at(i), 1));
    (0..=last)
        .map(|i| {
            window.change(rank_at(i + half), 1);
            let median = values[order[window.nth(half as usize)]];
            window.change(rank_at(i - half), -1);
            median
        })
        .collect()
}

/// How often each rank is in the window: sums over stretches of ranks, so that both a change and a quantile take log n steps.
struct Counts(Vec<i32>);

impl Counts {
    fn new(ranks: usize) -> Self {
        Counts(vec![0; ranks.next_power_of_two() + 1])
    }

    fn change(&mut self, rank: usize, by: i32) {
        let mut place = rank + 1;
        while place < self.0.len() {
            self.0[place] += by;
            place += place & place.wrapping_neg();
        }
    }

    /// The rank of the element that has `n` others before it.
    fn nth(&self, n: usize) -> usize {
        let (mut place, mut left, mut stretch) = (0, n as i32, self.0.len() - 1);
        while stretch > 0 {
            if place + stretch < self.0.len() && self.0[place + stretch] <= left {
                place += stretch;
                left -= self.0[place];
            }
            stretch /= 2;
        }
        place
    }
}

/// The value at a share in `[0, 1]` of the way along `values`, on straight lines between them; 1 if there are none.
pub fn interpolate(values: &[f64], share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return 1.0 };
    let at = share * last as f64;
    let left = (at as usize).min(last);
    let right = (left + 1).min(last);
    values[left] + (at - left as f64) * (values[right] - values[left])
}

/// `values` at `count` evenly spaced places.
pub fn resample(values: &[f64], count: usize) -> Vec<f64> {
    let last = count.saturating_sub(1).max(1) as f64;
    (0..count).map(|i| interpolate(values, i as f64 / last)).collect()
}

/// The bound on f(x_T) - f* for SGD at the step sizes λ_t, with D the distance at the start:
///
/// > ½ D²/S_1 + ½ Σ_t G_t² λ_t²/S_1 + ½ Σ_{k<T} λ_k/(S_{k+1} S_k) Σ_{t≥k} G_t² λ_t², S_k = Σ_{t≥k} λ_t
///
/// and its gradient. Because λ_k/(S_{k+1} S_k) = 1/S_{k+1} - 1/S_k, it is ½ (D²/S_1 + Σ_{k<T} G_k² λ_k²/S_{k+1} + G_T² λ_T).
///
/// # Panics
/// If the slices differ in length.
pub fn last_iterate_bound(norms: &[f64], steps: &[f64], distance: f64, gradient: &mut [f64]) -> f64 {
    let n = steps.len();
    assert!(norms.len() == n && gradient.len() == n && n > 0, "one norm and one slope a step");
    let mut after = vec![0.0; n + 1];
    (0..n).rev().for_each(|k| after[k] = after[k + 1] + steps[k]);
    let mut bound = distance * distance / after[0] + norms[n - 1].powi(2) * steps[n - 1];
    // What all steps from here on lower by being longer.
    let mut relief = (distance / after[0]).powi(2);
    for k in 0..n {
        let square = norms[k].powi(2);
        gradient[k] =
            -0.5 * relief + if k + 1 == n { 0.5 * square } else { square * steps[k] / after[k + 1] };
        if k + 1 < n {
            bound += square * steps[k].powi(2) / after[k + 1];
            relief += square * (steps[k] / after[k + 1]).powi(2);
        }
    }
    0.5 * bound
}

/// The step sizes with the least [`last_iterate_bound`], found by Adam on their logarithms: a cross-check of the closed form, for some hundred
/// steps.
///
/// # Errors
/// [`Error::Usage`] unless all norms are finite and above 0.
pub fn numeric_steps(norms: &[f64], distance: f64) -> Result<Vec<f64>> {
    if norms.is_empty() || !norms.iter().all(|norm| *norm > 0.0 && norm.is_finite()) {
        return Err(Error::Usage("the numeric refinement needs norms that are finite and above 0".into()));
    }
    let rounds = 20_000;
    let mean = (norms.iter().map(|norm| norm * norm).sum::<f64>() / norms.len() as f64).sqrt();
    let mut logs = vec![(distance / (mean * (norms.len() as f64).sqrt())).ln(); norms.len()];
    let adam = AdamOptions {
        learning_rate: 0.02,
        schedule: Schedule::Cosine(Default::default()),
        ..AdamOptions::default()
    };
    let setting = OptimizerSetting::without_noise().with_steps(rounds);
    let mut adam = OptimizerOptions::Adam(adam).build_for::<f64>(&Layout::flat(norms.len()), &setting)?;
    let mut gradient = vec![0.0; norms.len()];
    let exponentials = |logs: &[f64]| logs.iter().map(|log| log.exp()).collect::<Vec<f64>>();
    for _ in 0..rounds {
        let steps = exponentials(&logs);
        last_iterate_bound(norms, &steps, distance, &mut gradient);
        gradient.iter_mut().zip(&steps).for_each(|(slope, step)| *slope *= step);
        adam.step(&mut logs, &mut gradient);
    }
    Ok(exponentials(&logs))
}

/// Reads the norms of a run from the bytes of a CSV file with a header: the column that `power` needs, or one called `norm`.
///
/// # Errors
/// A missing column or a value that is no number or negative: the message names file, line and column.
pub fn parse_norms(path: &Path, bytes: &[u8], power: Power) -> Result<Vec<f64>> {
    column(path, bytes, &[power.column(), "norm"], "a number of at least 0", |norm| {
        norm >= 0.0 || norm.is_nan()
    })
}

/// Reads a schedule from a CSV file.
///
/// # Errors
/// An unreadable file, and those of [`parse_schedule`].
pub fn read_schedule(path: &Path) -> Result<Vec<f64>> {
    parse_schedule(path, &files::read(path)?)
}

/// Reads a schedule from the bytes of a CSV file with a header and a column `factor`, whose rows are spread evenly over the run.
///
/// # Errors
/// A missing column or a value that is not in `[0, 1]`: the message names file, line and column.
pub fn parse_schedule(path: &Path, bytes: &[u8]) -> Result<Vec<f64>> {
    column(path, bytes, &["factor"], "a number in [0, 1]", |factor| (0.0..=1.0).contains(&factor))
}

/// A schedule as a CSV file: `step`, `factor`.
pub fn schedule_csv(factors: &[f64]) -> String {
    let mut text = String::from("step,factor\n");
    factors.iter().enumerate().for_each(|(i, factor)| text.push_str(&format!("{},{factor}\n", i + 1)));
    text
}

/// The numbers of the first of `names` that is a column.
fn column(
    path: &Path,
    bytes: &[u8],
    names: &[&str],
    kind: &str,
    is_allowed: fn(f64) -> bool,
) -> Result<Vec<f64>> {
    let at = |line: usize, column: usize, problem: String| Error::Parse {
        path: path.to_owned(),
        line,
        column,
        problem,
    };
    let broken = |error: csv::Error| match error.kind() {
        csv::ErrorKind::UnequalLengths { pos: Some(pos), expected_len, len } => at(
            pos.line() as usize,
            1,
            format!("the row has {len} fields where the header has {expected_len}"),
        ),
        csv::ErrorKind::Utf8 { pos: Some(pos), .. } => {
            at(pos.line() as usize, 1, "not UTF-8 text; save the file as UTF-8".into())
        }
        _ => Error::file(path, format!("is not a readable CSV file: {error}")),
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let header: Vec<String> = reader
        .headers()
        .map_err(broken)?
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').to_ascii_lowercase())
        .collect();
    let Some(place) = names.iter().find_map(|name| header.iter().position(|column| column == name)) else {
        let wanted = names.join("` or `");
        let found = if header.is_empty() { "nothing".into() } else { header.join(", ") };
        return Err(Error::file(path, format!("misses the column `{wanted}`; its first line has {found}")));
    };
    let (mut values, mut record) = (Vec::new(), csv::StringRecord::new());
    while reader.read_record(&mut record).map_err(broken)? {
        let line = record.position().map_or(0, |position| position.line() as usize);
        let text = record.get(place).unwrap_or_default();
        let value = text.parse::<f64>().ok().filter(|value| is_allowed(*value)).ok_or_else(|| {
            at(line, place + 1, format!("column {} (`{}`): `{text}` is not {kind}", place + 1, header[place]))
        })?;
        if values.len() == MOST_ROWS {
            return Err(at(line, 1, format!("more than {MOST_ROWS} rows; thin them out")));
        }
        values.push(value);
    }
    if values.is_empty() {
        return Err(Error::file(path, "holds no row below its header"));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_close(got: &[f64], wanted: &[f64]) {
        assert_eq!(got.len(), wanted.len());
        for (got, wanted) in got.iter().zip(wanted) {
            assert!((got - wanted).abs() < 5e-9, "{got}, not {wanted}");
        }
    }

    #[test]
    fn constant_norms_give_a_straight_line() {
        assert_close(&multipliers(&[3.0; 6]), &[1.0, 0.8, 0.6, 0.4, 0.2, 0.0]);
        let refined = refine(&[7.0; 6], Power::Adam, 0.1).unwrap();
        assert_close(&refined.factors, &[1.0, 0.8, 0.6, 0.4, 0.2, 0.0]);
        assert_eq!(refine(&[7.0; 6], Power::Sgd, 0.1).unwrap().bound_share, Some(1.0));
    }

    #[test]
    fn large_norms_at_the_start_make_a_warm_up() {
        let norms = [4.0, 2.0, 1.0, 1.0, 1.0, 1.0];
        // w = 1/16, 1/4, 1, 1, 1, 1 with sum 69/16; w_t (rest) / sum.
        let weights: Vec<f64> = norms.iter().map(|norm| Power::Sgd.weight(*norm)).collect();
        let factors = multipliers(&weights);
        assert_close(&factors, &[0.08854167, 1.0 / 3.0, 1.0, 2.0 / 3.0, 1.0 / 3.0, 0.0].map(|x: f64| x));
        let sum: f64 = weights.iter().sum();
        let raw: Vec<f64> = (0..6).map(|t| weights[t] * weights[t + 1..].iter().sum::<f64>() / sum).collect();
        assert_close(&raw, &[0.06159420, 0.23188406, 0.69565217, 0.46376812, 0.23188406, 0.0]);
        let weights: Vec<f64> = norms.iter().map(|norm| Power::Adam.weight(*norm)).collect();
        let sum: f64 = weights.iter().sum();
        let raw: Vec<f64> = (0..6).map(|t| weights[t] * weights[t + 1..].iter().sum::<f64>() / sum).collect();
        assert_close(&raw, &[0.23684211, 0.42105263, 0.63157895, 0.42105263, 0.21052632, 0.0]);
        assert_close(&multipliers(&weights), &raw.iter().map(|x| x / 0.631578947368421).collect::<Vec<_>>());
    }

    #[test]
    fn the_scale_of_norms_does_not_matter_and_their_trend_does() {
        let run = |end: f64, scale: f64| {
            let norms: Vec<f64> =
                (0..200).map(|t| scale * (1.0 + (end - 1.0) * f64::from(t) / 199.0)).collect();
            refine(&norms, Power::Sgd, 0.1).unwrap().factors
        };
        for scale in [1e-30, 0.5, 1e30] {
            assert_close(&run(2.0, scale), &run(2.0, 1.0));
        }
        // At nine tenths a straight line has come to a tenth.
        assert!(run(2.0, 1.0)[180] < 0.09 && run(0.5, 1.0)[180] > 0.11);
    }

    #[test]
    fn the_filter_takes_spikes_away_and_pads_as_the_papers_code() {
        let mut norms = vec![1.0; 50];
        norms[20] = 9.0;
        norms[21] = 7.0;
        assert_eq!(median_filter(&norms, filter_width(50, 0.1)), vec![1.0; 50]);
        assert_eq!(filter_width(50, 0.1), 5);
        assert_eq!(median_filter(&[3.0; 7], 5), [3.0; 7]);
        // Left: 1 1 1 2 5, and 1 1 2 5 4; right: 2 5 4 3 4 and 5 4 3 4 5.
        assert_eq!(median_filter(&[1.0, 2.0, 5.0, 4.0, 3.0], 5), [1.0, 2.0, 3.0, 4.0, 4.0]);
        assert_eq!(median_filter(&[2.0, 1.0], 1), [2.0, 1.0]);
    }

    #[test]
    fn vanishing_norms_do_not_take_the_whole_schedule() {
        let mut norms = vec![1.0; 100];
        norms[60..].fill(0.0);
        let refined = refine(&norms, Power::Sgd, 0.1).unwrap();
        assert!(refined.lifted >= 35 && refined.factors.iter().all(|factor| factor.is_finite()));
        assert!(refine(&[0.0; 4], Power::Sgd, 0.1).is_err());
        assert_eq!(refine(&[1.0, f64::NAN, 1.0, 1.0], Power::Sgd, 0.1).unwrap().dropped, 1);
        for (norms, smoothing) in
            [(&[1.0, 2.0][..], 0.0), (&[1.0, 2.0], 1.0), (&[1.0], 0.1), (&[1.0, -1.0], 0.1)]
        {
            assert!(refine(norms, Power::Sgd, smoothing).is_err());
        }
    }

    /// Summed by parts, the last iterate of SGD at η_t = w_t Σ_{p>t} w_p / Σ w is the mean, weighted by w, of the iterates
    /// z_{t+1} = z_t - w_t g_t: what the bound is proved by.
    #[test]
    fn the_last_iterate_at_these_steps_is_the_mean_of_a_sequence_with_the_weights_as_steps() {
        let weights = [0.3, 0.1, 0.4, 0.2, 0.5];
        let sum: f64 = weights.iter().sum();
        let slope = |x: f64| (x - 1.0) + 0.3 * x.sin();
        let factors = multipliers(&weights);
        let peak =
            (0..5).map(|t| weights[t] * weights[t + 1..].iter().sum::<f64>() / sum).fold(0.0, f64::max);
        let (mut x, mut z, mut mean) = (2.0, 2.0, 0.0);
        for (w, factor) in weights.iter().zip(&factors) {
            mean += w / sum * z;
            let g = slope(x);
            z -= w * g;
            x -= peak * factor * g;
        }
        assert!((x - mean).abs() < 1e-15, "{x} {mean}");
    }

    #[test]
    fn the_straight_line_meets_its_bound_on_the_absolute_value() {
        for total in [4_u32, 25, 1000] {
            let (distance, rate) = (1.7, 1.7 / f64::from(total).sqrt());
            let mut x: f64 = distance;
            for t in 1..=total {
                x -= rate * (1.0 - f64::from(t) / f64::from(total)) * x.signum();
            }
            assert!(x.abs() <= distance / f64::from(total).sqrt() + 1e-12, "{x}");
        }
    }

    #[test]
    fn the_bound_is_the_papers_and_its_slope_that_of_differences() {
        let (norms, steps, distance) = ([2.0, 1.0, 3.0, 0.5], [0.3, 0.4, 0.1, 0.2], 1.5);
        let mut slope = [0.0; 4];
        let bound = last_iterate_bound(&norms, &steps, distance, &mut slope);
        let from = |k: usize| steps[k..].iter().sum::<f64>();
        let squares = |k: usize| (k..4).map(|t| (norms[t] * steps[t]).powi(2)).sum::<f64>();
        let mut direct = 0.5 * (distance * distance + squares(0)) / from(0);
        for (k, step) in steps[..3].iter().enumerate() {
            direct += 0.5 * step / (from(k + 1) * from(k)) * squares(k);
        }
        assert!((bound - direct).abs() < 1e-12, "{bound} {direct}");
        for k in 0..4 {
            let moved = |by: f64| {
                let mut other = steps;
                other[k] += by;
                last_iterate_bound(&norms, &other, distance, &mut [0.0; 4])
            };
            let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((difference - slope[k]).abs() < 1e-6, "{difference} {}", slope[k]);
        }
    }

    #[test]
    fn the_numeric_refinement_agrees_in_shape_and_has_the_lesser_bound() {
        let norms: Vec<f64> = (0..60).map(|t| 1.0 + 3.0 * (-f64::from(t) / 5.0).exp()).collect();
        let numeric = numeric_steps(&norms, 1.0).unwrap();
        let weights: Vec<f64> = norms.iter().map(|norm| Power::Sgd.weight(*norm)).collect();
        let closed = multipliers(&weights);
        let mut slope = vec![0.0; 60];
        let mut bound = |steps: &[f64]| last_iterate_bound(&norms, steps, 1.0, &mut slope);
        // The closed form at its best peak; its last step, 0 by construction, is a small one here.
        let best = (1..400)
            .map(|i| {
                let peak = f64::from(i) * 0.002;
                bound(&closed.iter().map(|x| (x * peak).max(1e-3)).collect::<Vec<_>>())
            })
            .fold(f64::MAX, f64::min);
        let least = bound(&numeric);
        assert!(least < best && best < 1.3 * least, "{least} {best}");
        let most = numeric.iter().copied().fold(0.0, f64::max);
        let peak = |steps: &[f64]| (0..60).max_by(|&a, &b| steps[a].total_cmp(&steps[b])).unwrap();
        assert!(peak(&numeric).abs_diff(peak(&closed)) < 10, "{} {}", peak(&numeric), peak(&closed));
        assert!(numeric[0] / most < 0.5 && numeric[59] / most < 0.3, "{numeric:?}");
    }

    #[test]
    fn a_file_with_a_mistake_says_where() {
        let path = Path::new("norms.csv");
        let norms = |text: &str, power| parse_norms(path, text.as_bytes(), power);
        assert_eq!(norms("step,l1,l2\n1,2,3\n2,4,5\n", Power::Sgd).unwrap(), [3.0, 5.0]);
        assert_eq!(norms("Step, L1\n1, 2\n", Power::Adam).unwrap(), [2.0]);
        assert!(norms("norm\ninf\nNaN\n1e-3\n", Power::Adam).unwrap()[2] == 1e-3);
        for (text, part) in [
            ("step,l1\n1,2\n", "misses the column `l2` or `norm`"),
            ("l2\n1\nx\n", "norms.csv:3:1"),
            ("l2\n-1\n", "is not a number of at least 0"),
            ("step,l2\n1\n", "norms.csv:2:1"),
            ("l2\n", "holds no row"),
            ("", "first line has nothing"),
        ] {
            let error = norms(text, Power::Sgd).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("norms.csv"), "{text:?}: {error}");
        }
        assert!(parse_schedule(path, b"factor\n1.5\n").unwrap_err().to_string().contains("in [0, 1]"));
    }

    proptest! {
        #[test]
        fn schedules_come_back_and_no_bytes_panic(factors in prop::collection::vec(0.0..=1.0f64, 1..50), bytes: Vec<u8>) {
            let text = schedule_csv(&factors);
            prop_assert_eq!(parse_schedule(Path::new("s.csv"), text.as_bytes()).unwrap(), factors);
            let _ = parse_schedule(Path::new("s.csv"), &bytes);
            let _ = parse_norms(Path::new("s.csv"), &[b"l2\n", &bytes[..]].concat(), Power::Sgd);
        }

        #[test]
        fn the_filter_is_the_median_of_each_window(values in prop::collection::vec(0u8..9, 3..40), width in 0usize..9) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let half = width.min(values.len() - 1);
            let last = values.len() as isize - 1;
            let at = |i: isize| values[(if i > last { 2 * last - i } else { i.max(0) }) as usize];
            let direct: Vec<f64> = (0..=last).map(|i| {
                let mut window: Vec<f64> = (i - half as isize..=i + half as isize).map(at).collect();
                window.sort_by(f64::total_cmp);
                window[half]
            }).collect();
            prop_assert_eq!(median_filter(&values, 2 * half + 1), direct);
        }

        #[test]
        fn a_refined_schedule_is_one(norms in prop::collection::vec(1e-6..1e6f64, 2..200), smoothing in 0.01..0.99f64) {
            for power in [Power::Sgd, Power::Adam] {
                let refined = refine(&norms, power, smoothing).unwrap();
                prop_assert!(refined.factors.iter().all(|factor| (0.0..=1.0).contains(factor)));
                prop_assert_eq!(refined.factors.iter().copied().fold(0.0, f64::max), 1.0);
                prop_assert_eq!(*refined.factors.last().unwrap(), 0.0);
            }
        }
    }
}
