//! What a policy would earn, by [`fle`](super::fle) on a user's own log.
//!
//! Ours on top of the method: rewards are divided by the root mean square of the logged returns and states standardized
//! (integer states one-hot) before the fit; every fit of an endless horizon uses all rows instead of a fold; the interval of
//! the mean comes from refitting on bootstrap resamples of the episodes.

use std::path::Path;
use std::sync::Arc;

use quire_core::{Error, OptionMap, Result, Rng, Seeds, options};
use rand::RngExt;
use rayon::prelude::*;
use serde::Serialize;

use super::fle::{Fle, FleOptions};
use super::log::{Episodes, GREATEST, Row, Table};
use super::{Estimator, Logged, Method, Policy, Setting};

/// Fewer logged rows than this make a pair (state, action) rare.
pub const RARE: usize = 10;
/// A greater share of visits that are unseen or rare is warned of.
pub const THRESHOLD: f64 = 0.05;
/// Fits of an endless horizon, at most.
const MOST_FITS: usize = 30;
/// The most numbers that the states of a log may make: half a gigabyte of them.
const MOST_NUMBERS: usize = 1 << 27;

/// Whose return it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// Every action alike.
    Uniform,
    /// The frequencies in the log; only for integer states.
    Logged,
    /// Always this action.
    Always(usize),
    /// Probabilities `[S][A]` of integer states; an empty row is a state that the file leaves out.
    Table(Vec<Vec<f64>>),
}

impl Target {
    /// `uniform`, `logged`, a number or the path of a CSV or Parquet file with columns `state`, `action` and perhaps
    /// `probability`.
    ///
    /// # Errors
    /// None of these, or a broken file.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "uniform" => return Ok(Target::Uniform),
            "logged" => return Ok(Target::Logged),
            _ => {}
        }
        if let Some(action) = text.parse::<usize>().ok().filter(|&action| action <= GREATEST) {
            return Ok(Target::Always(action));
        }
        let path = Path::new(text);
        if !Table::is_table(path) {
            return Err(Error::Usage(format!(
                "--policy must be uniform, logged, an action from 0 to {GREATEST} or a .csv or .parquet file; got `{text}`"
            )));
        }
        let table = Table::read(path)?;
        let (state, action, probability) =
            (table.column("state")?, table.column("action")?, table.find("probability"));
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for row in &table.rows {
            let (s, a) = (table.whole(row, state)?, table.whole(row, action)?);
            let p = probability.map_or(1.0, |column| row.1[column]);
            if let Some(column) = probability.filter(|_| !(0.0..=1.0).contains(&p)) {
                return Err(table.wrong(row.0, column, &format!("must lie in [0, 1]; got {p}")));
            }
            rows.resize(rows.len().max(s + 1), Vec::new());
            let length = rows[s].len().max(a + 1);
            rows[s].resize(length, 0.0);
            rows[s][a] += p;
        }
        for (state, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
            let sum: f64 = row.iter().sum();
            if (sum - 1.0).abs() > 1e-6 {
                return Err(Error::file(
                    path,
                    format!("the probabilities of state {state} sum to {sum}, not 1"),
                ));
            }
        }
        Ok(Target::Table(rows))
    }
}

/// How to evaluate.
#[derive(Debug, Clone)]
pub struct How {
    /// Discount factor of an endless horizon; without it the log's longest episode is the horizon.
    pub discount: Option<f64>,
    /// Where all chance comes from.
    pub seed: u64,
    /// Draws of the return.
    pub samples: usize,
    /// Refits on resampled episodes; 0 for no interval.
    pub resamples: usize,
    /// Options of `fle`, laid over [`defaults`].
    pub set: OptionMap,
}

/// What differs here from the options of `fle`: 2,000 gradient steps a fit, at a learning rate of 0.002.
pub fn defaults() -> FleOptions {
    FleOptions { steps: 2_000, learning_rate: 2e-3, ..FleOptions::default() }
}

/// The law of one number of the return.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Law {
    /// Mean.
    pub mean: f64,
    /// 95 % interval of the mean: 1.96 standard deviations of the refitted means to both sides.
    pub interval: Option<[f64; 2]>,
    /// Standard deviation.
    pub deviation: f64,
    /// Quantiles 5, 25, 50, 75 and 95 %.
    pub quantiles: [f64; 5],
}

/// How well the log covers the policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coverage {
    /// `counts` of integer states, or `actions` of others: there only the policy's actions are looked at.
    pub by: &'static str,
    /// Share of the policy's visits at or after a pair that the log never has.
    pub never: f64,
    /// Share at pairs with fewer than [`RARE`] rows.
    pub rarely: f64,
    /// (Σw)² / Σw² of the episodes, w the product of π(a|s) / b(a|s).
    pub effective_episodes: f64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluated {
    /// Episodes of the log.
    pub episodes: usize,
    /// Transitions of the log.
    pub transitions: usize,
    /// Fits: stages of the finite horizon, or iterations of the endless one.
    pub fits: usize,
    /// Discount factor, if endless.
    pub discount: Option<f64>,
    /// Refits behind the interval.
    pub resamples: usize,
    /// One for each number of a reward.
    pub returns: Vec<Law>,
    /// Coverage.
    pub coverage: Coverage,
    /// What to beware of.
    pub warnings: Vec<String>,
}

/// States as inputs of a model, and the policy on them.
struct Encoding {
    /// S, if states are integers.
    states: Option<usize>,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    actions: usize,
    /// π, `[S or 1, A]`.
    policy: Arc<Vec<Vec<f64>>>,
    /// The log's own b, likewise.
    behaviour: Vec<Vec<f64>>,
    scale: f64,
}

impl Encoding {
    fn new(log: &Episodes, target: &Target) -> Result<Self> {
        let rows = || log.iter().flatten();
        let values = || rows().flat_map(|row| [Some(&row.state), row.next.as_ref()]).flatten();
        let width = log[0][0].state.len();
        let whole = |s: &Vec<f64>| s[0] >= 0.0 && s[0].fract() == 0.0 && s[0] <= GREATEST as f64;
        let integer = width == 1 && values().all(whole);
        let states = integer.then(|| values().map(|s| s[0] as usize + 1).max().unwrap_or(1));
        let actions = rows().map(|row| row.action + 1).max().unwrap_or(1).max(match target {
            Target::Always(action) => action + 1,
            Target::Table(rows) => rows.iter().map(Vec::len).max().unwrap_or(1),
            _ => 1,
        });
        let kinds = states.unwrap_or(1);
        let mut behaviour = vec![vec![0.0; actions]; kinds];
        rows().for_each(|row| behaviour[if integer { row.state[0] as usize } else { 0 }][row.action] += 1.0);
        for counts in &mut behaviour {
            let sum: f64 = counts.iter().sum();
            counts.iter_mut().for_each(|n| *n = if sum > 0.0 { *n / sum } else { 1.0 / actions as f64 });
        }
        if !integer && matches!(target, Target::Logged | Target::Table(_)) {
            return Err(Error::Usage(format!(
                "this policy needs integer states from 0 to {GREATEST} in one column; the log's are not; try --policy uniform or an action"
            )));
        }
        let policy = match target {
            Target::Uniform => vec![vec![1.0 / actions as f64; actions]; kinds],
            Target::Logged => behaviour.clone(),
            Target::Always(action) => {
                vec![(0..actions).map(|a| f64::from(u8::from(a == *action))).collect(); kinds]
            }
            Target::Table(table) => (0..kinds)
                .map(|state| match table.get(state).filter(|row| !row.is_empty()) {
                    Some(row) => {
                        Ok(row.iter().copied().chain(std::iter::repeat(0.0)).take(actions).collect())
                    }
                    None if !values().any(|s| s[0] as usize == state) => {
                        Ok(vec![1.0 / actions as f64; actions])
                    }
                    None => Err(Error::Usage(format!(
                        "the policy's file says nothing of state {state}, which the log has; add a row for it"
                    ))),
                })
                .collect::<Result<_>>()?,
        };
        let n = values().count() as f64;
        let mut mean = vec![0.0; width];
        let mut deviation = vec![0.0; width];
        values().for_each(|s| mean.iter_mut().zip(s).for_each(|(m, x)| *m += x / n));
        for s in values() {
            deviation.iter_mut().zip(s).zip(&mean).for_each(|((d, x), m)| *d += (x - m).powi(2) / n);
        }
        deviation.iter_mut().for_each(|d| *d = if *d > 0.0 { d.sqrt() } else { 1.0 });
        Ok(Encoding { states, mean, deviation, actions, policy: Arc::new(policy), behaviour, scale: 1.0 })
    }

    fn width(&self) -> usize {
        self.states.unwrap_or(self.mean.len())
    }

    fn state(&self, state: &[f64], into: &mut Vec<f32>) {
        match self.states {
            Some(states) => into.extend((0..states).map(|s| f32::from(u8::from(s == state[0] as usize)))),
            None => into.extend(
                state.iter().zip(&self.mean).zip(&self.deviation).map(|((x, m), d)| ((x - m) / d) as f32),
            ),
        }
    }

    fn kind(&self, state: &[f64]) -> usize {
        if self.states.is_some() { state[0] as usize } else { 0 }
    }

    fn logged<'a>(&self, rows: impl Iterator<Item = &'a Row>) -> Logged {
        let mut logged = Logged::default();
        for row in rows {
            self.state(&row.state, &mut logged.states);
            self.state(row.next.as_ref().unwrap_or(&row.state), &mut logged.next);
            logged.actions.push(row.action);
            logged.rewards.extend(row.reward.iter().map(|r| (r / self.scale) as f32));
            logged.done.push(row.done || row.next.is_none());
        }
        logged
    }

    fn function(&self) -> Policy {
        let (policy, integer) = (self.policy.clone(), self.states.is_some());
        Arc::new(move |state, probabilities| {
            let kind = if integer { state.iter().position(|&x| x > 0.5).unwrap_or(0) } else { 0 };
            probabilities.copy_from_slice(&policy[kind]);
        })
    }
}

/// Draws of the return from the first states of `episodes`, `[samples, d]`.
fn draws(episodes: &[&Vec<Row>], code: &Encoding, how: &How, fits: usize, seeds: Seeds) -> Result<Vec<f64>> {
    let data = match how.discount {
        Some(_) => {
            // A row whose follower is unknown says nothing of an endless horizon.
            let rows =
                episodes.iter().flat_map(|rows| rows.iter()).filter(|row| row.done || row.next.is_some());
            let shared = Arc::new(code.logged(rows));
            (0..fits).map(|_| Arc::clone(&shared)).collect::<Vec<_>>()
        }
        None => {
            let longest = episodes.iter().map(|rows| rows.len()).max().unwrap_or(0);
            (0..longest)
                .rev()
                .map(|h| {
                    let mut logged = code.logged(episodes.iter().filter_map(|rows| rows.get(h)));
                    // Where an episode was cut nothing follows.
                    let lengths = episodes.iter().map(|rows| rows.len()).filter(|&length| length > h);
                    logged.done.iter_mut().zip(lengths).for_each(|(done, length)| *done |= length == h + 1);
                    Arc::new(logged)
                })
                .collect()
        }
    };
    let dimensions = episodes[0][0].reward.len();
    if data.iter().any(|logged| logged.is_empty()) {
        return Err(Error::Usage(
            "the log has no transition whose next state is known or that ends its episode".into(),
        ));
    }
    let fits = data.len();
    let setting = Setting {
        width: code.width(),
        actions: code.actions,
        dimensions,
        discount: how.discount.unwrap_or(1.0),
        data,
        policy: code.function(),
        seeds,
    };
    let base = serde_json::to_value(defaults()).ok().and_then(|value| value.as_object().cloned());
    let mut fle = Fle::new(setting, options::resolve(&[&base.unwrap_or_default(), &how.set])?)?;
    for _ in 0..fits {
        fle.begin()?;
        while fle.step() {}
    }
    let mut rng: Rng = seeds.stream("returns");
    let mut inputs = Vec::with_capacity(how.samples * (code.width() + 1));
    for _ in 0..how.samples {
        let first = &episodes[rng.random_range(0..episodes.len())][0].state;
        code.state(first, &mut inputs);
        inputs.push(crate::policy::draw(&code.policy[code.kind(first)], &mut rng) as f32);
    }
    let mut draws = Vec::with_capacity(how.samples * dimensions);
    fle.sample(fits - 1, &inputs, &mut rng, &mut draws);
    draws.iter_mut().for_each(|z| *z *= code.scale);
    Ok(draws)
}

/// Evaluates a policy on a log.
///
/// # Errors
/// Numbers of `how` out of range, rewards of more than two numbers, a policy that does not fit the states.
pub fn evaluate(log: &Episodes, target: &Target, how: &How) -> Result<Evaluated> {
    let dimensions = log[0][0].reward.len();
    if dimensions > Fle::DIMENSIONS {
        return Err(Error::Usage(format!("rewards of {dimensions} numbers; fle takes 1 or 2")));
    }
    if let Some(discount) = how.discount.filter(|discount| !(0.0..1.0).contains(discount)) {
        return Err(Error::Usage(format!("--discount must lie in [0, 1); got {discount}")));
    }
    let mut code = Encoding::new(log, target)?;
    let numbers = log.iter().map(Vec::len).sum::<usize>().saturating_mul(code.width());
    if numbers > MOST_NUMBERS {
        return Err(Error::Usage(format!(
            "the log makes {numbers} numbers of its states, an integer state being one of {} indicators; at most {MOST_NUMBERS} \
             are supported: take fewer episodes",
            code.width()
        )));
    }
    let gamma = how.discount.unwrap_or(1.0);
    let squares = log.iter().map(|rows| {
        let back = |i: usize| rows.iter().rev().fold(0.0, |sum, row| row.reward[i] + gamma * sum);
        (0..dimensions).map(|i| f64::powi(back(i), 2)).sum::<f64>()
    });
    let scale = (squares.sum::<f64>() / (log.len() * dimensions) as f64).sqrt();
    code.scale = if scale > 0.0 { scale } else { 1.0 };
    let mut warnings = Vec::new();
    let fits = match how.discount {
        None => log.iter().map(Vec::len).max().unwrap_or(0),
        Some(discount) => {
            let wanted = if discount > 0.0 { (0.05_f64.ln() / discount.ln()).ceil() as usize } else { 1 };
            if wanted > MOST_FITS {
                warnings.push(format!(
                    "only {MOST_FITS} steps are looked ahead; what comes later weighs {:.2} and is left out",
                    discount.powi(MOST_FITS as i32)
                ));
            }
            wanted.clamp(1, MOST_FITS)
        }
    };
    let seeds = Seeds::new(how.seed);
    let all: Vec<&Vec<Row>> = log.iter().collect();
    let sample = draws(&all, &code, how, fits, seeds)?;
    let means = |draws: &[f64]| -> Vec<f64> {
        let n = (draws.len() / dimensions) as f64;
        (0..dimensions).map(|i| draws.iter().skip(i).step_by(dimensions).sum::<f64>() / n).collect()
    };
    let refitted = (0..how.resamples).into_par_iter().map(|index| {
        let seeds = seeds.nth("resample", index as u64);
        let mut rng = seeds.stream("episodes");
        let chosen: Vec<&Vec<Row>> = (0..log.len()).map(|_| &log[rng.random_range(0..log.len())]).collect();
        Ok(means(&draws(&chosen, &code, how, fits, seeds)?))
    });
    let refitted = refitted.collect::<Result<Vec<Vec<f64>>>>()?;
    let returns = (0..dimensions).map(|i| {
        let mut z: Vec<f64> = sample.iter().skip(i).step_by(dimensions).copied().collect();
        z.sort_unstable_by(f64::total_cmp);
        let (mean, deviation) = moments(&z);
        let half = 1.96 * moments(&refitted.iter().map(|means| means[i]).collect::<Vec<_>>()).1;
        let quantile = |q: f64| z[((q * z.len() as f64) as usize).min(z.len() - 1)];
        Law {
            mean,
            interval: (how.resamples > 1).then_some([mean - half, mean + half]),
            deviation,
            quantiles: [0.05, 0.25, 0.5, 0.75, 0.95].map(quantile),
        }
    });
    let returns: Vec<Law> = returns.collect();
    let coverage = coverage(log, &code, how.discount, fits);
    let outside = coverage.never + coverage.rarely;
    if outside > THRESHOLD {
        warnings.push(format!(
            "{:.0} % of the policy's visits are at or after (state, action) that the log never has, {:.0} % at ones with fewer \
             than {RARE} rows: there the estimate is a guess; log more of what the policy does",
            100.0 * coverage.never,
            100.0 * coverage.rarely
        ));
    }
    if coverage.effective_episodes < RARE as f64 {
        warnings.push(format!(
            "the log is worth {:.1} episodes of the policy: its long-run behaviour is pieced together",
            coverage.effective_episodes
        ));
    }
    Ok(Evaluated {
        episodes: log.len(),
        transitions: log.iter().map(Vec::len).sum(),
        fits,
        discount: how.discount,
        resamples: how.resamples,
        returns,
        coverage,
        warnings,
    })
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}

fn coverage(log: &Episodes, code: &Encoding, discount: Option<f64>, fits: usize) -> Coverage {
    let weights: Vec<f64> = log
        .iter()
        .map(|rows| {
            let ratio = |row: &Row| {
                let kind = code.kind(&row.state);
                code.policy[kind][row.action] / code.behaviour[kind][row.action]
            };
            rows.iter().map(ratio).product()
        })
        .collect();
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    let effective = if squares > 0.0 { weights.iter().sum::<f64>().powi(2) / squares } else { 0.0 };
    let (states, actions) = (code.states.unwrap_or(1), code.actions);
    let (mut never, mut rarely, mut total) = (0.0, 0.0, 0.0);
    let mut mass = vec![0.0; states];
    log.iter().for_each(|rows| mass[code.kind(&rows[0].state)] += 1.0 / log.len() as f64);
    // What followed each state and action: at one stage, or, without a horizon, at any.
    let mut table: Vec<Vec<Option<usize>>> = vec![Vec::new(); states * actions];
    for h in 0..fits {
        if discount.is_none() || h == 0 {
            table.iter_mut().for_each(Vec::clear);
            for rows in log {
                let range = if discount.is_some() { 0..rows.len() } else { h..(h + 1).min(rows.len()) };
                for row in rows.get(range).unwrap_or_default() {
                    let next = row.next.as_ref().filter(|_| !row.done).map(|next| code.kind(next));
                    table[code.kind(&row.state) * actions + row.action].push(next);
                }
            }
        }
        let weight = discount.unwrap_or(1.0).powi(h as i32);
        let left: f64 = (h..fits).map(|h| discount.unwrap_or(1.0).powi(h as i32)).sum();
        let mut next_mass = vec![0.0; states];
        for pair in 0..states * actions {
            let m = mass[pair / actions] * code.policy[pair / actions][pair % actions];
            let seen = &table[pair];
            if seen.is_empty() {
                // Without states nothing is known of what follows: the next stage counts for itself.
                let rest = if code.states.is_some() { left } else { weight };
                never += m * rest;
                total += m * rest;
                continue;
            }
            rarely += if seen.len() < RARE { m * weight } else { 0.0 };
            total += m * weight;
            seen.iter().flatten().for_each(|&next| next_mass[next] += m / seen.len() as f64);
        }
        mass = if code.states.is_some() { next_mass } else { mass };
    }
    Coverage {
        by: if code.states.is_some() { "counts" } else { "actions" },
        never: never / total,
        rarely: rarely / total,
        effective_episodes: effective,
    }
}

#[cfg(test)]
mod tests;
