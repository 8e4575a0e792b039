//! `quire solve-mdp`: exact solutions of a user's own finite MDP.

use std::process::ExitCode;

use quire::mdp::file;
use quire::mdp::finite::FiniteMdp;
use quire::mdp::solve::{
    CoveringLength, EffectiveHorizon, covering_length, effective_horizon, relative_value_iteration,
    risk_sensitive_value_iteration, value_iteration,
};
use quire::mdp::worlds::sticky;
use quire_core::{Error, Result};
use serde::Serialize;

use crate::args::{Global, SolveMdp};
use crate::terminal::{self, FAINT, STRONG, count, number, print, styled, table};

/// Values are exact to this part of the greatest value there can be.
const TOLERANCE: f64 = 1e-9;
/// Sweeps of an iteration, at most.
const SWEEPS: u64 = 1_000_000;
/// States that are printed; `--json` has all.
const SHOWN: usize = 20;

#[derive(Serialize)]
struct Solved {
    states: usize,
    actions: usize,
    transitions: usize,
    /// With sticky actions: state and last executed action of each state below.
    #[serde(skip_serializing_if = "Option::is_none")]
    sticky_states: Option<Vec<(usize, Option<usize>)>>,
    discounted: Discounted,
    #[serde(skip_serializing_if = "Option::is_none")]
    cautious: Option<Discounted>,
    average: Average,
    #[serde(skip_serializing_if = "Option::is_none")]
    episodic: Option<Episodic>,
}

#[derive(Serialize)]
struct Discounted {
    discount: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<f64>,
    /// Expected over the first state.
    value: f64,
    error_at_most: f64,
    values: Vec<f64>,
    policy: Vec<usize>,
}

/// Gain and bias, or why there are none.
#[derive(Serialize)]
#[serde(untagged)]
enum Average {
    Found { gain: f64, error_at_most: f64, bias: Vec<f64>, policy: Vec<usize> },
    Undetermined { reason: String },
}

#[derive(Serialize)]
struct Episodic {
    horizon: usize,
    optimal_return: f64,
    random_return: f64,
    worst_return: f64,
    /// Of the worst policy that is greedy in the k-th action values of the random policy, k = 1, 2, ...
    greedy_returns: Vec<f64>,
    solvable_at: usize,
    effective_horizon: Option<f64>,
    planning_window: usize,
    covering_length: Covering,
}

/// Episodes of random actions until everything that they can reach has been tried, with probability 1/2.
#[derive(Serialize)]
struct Covering {
    at_least: f64,
    at_most: f64,
    /// The bound of arXiv:2304.09853.
    simple_bound: f64,
    pairs: usize,
    least_occupancy: f64,
    least_visits: f64,
}

/// Runs the command.
pub fn run(args: &SolveMdp, global: &Global) -> Result<ExitCode> {
    let mut model = file::read(&args.model)?;
    let mut pairs = None;
    if let Some(probability) = args.sticky {
        let doubled = sticky(&model.mdp, probability).map_err(|_| {
            Error::Usage(format!("--sticky must be a probability from 0 to 1; got {probability}"))
        })?;
        model.mdp = doubled.mdp;
        pairs = Some(doubled.pairs);
    }
    let mdp = &model.mdp;
    let discount = match (args.discount, model.discount) {
        (Some(discount), _) => discount,
        (None, Some(discount)) if discount < 1.0 => discount,
        // A discount of 1 is for episodes.
        (None, _) => 0.99,
    };
    if !(0.0..1.0).contains(&discount) {
        return Err(Error::Usage(format!("--discount must lie in [0, 1); got {discount}")));
    }
    if let Some(risk) = args.risk.filter(|risk| !(*risk >= 0.0 && risk.is_finite())) {
        return Err(Error::Usage(format!("--risk must be a number from 0 on; got {risk}")));
    }
    let greatest =
        mdp.rewards().iter().fold(0.0_f64, |greatest, reward| greatest.max(reward.abs())).max(1e-300);
    let tolerance = TOLERANCE * greatest / (1.0 - discount);
    let plain = value_iteration(mdp, discount, tolerance, SWEEPS)?;
    let discounted = |risk, solution: quire::mdp::solve::Solution| Discounted {
        discount,
        risk,
        value: expected(mdp, &solution.values),
        error_at_most: solution.bound,
        values: solution.values,
        policy: solution.policy,
    };
    let cautious = args.risk.map(|risk| {
        let solution = risk_sensitive_value_iteration(mdp, discount, risk, tolerance, SWEEPS)?;
        Ok::<_, Error>(discounted(Some(risk), solution))
    });
    let average = match relative_value_iteration(mdp, TOLERANCE * greatest, 100_000) {
        Ok(found) => Average::Found {
            gain: found.gain,
            error_at_most: found.bound,
            bias: found.bias,
            policy: found.policy,
        },
        Err(Error::Failed(reason)) => Average::Undetermined { reason },
        Err(other) => return Err(other),
    };
    let horizon = args.horizon.map(|horizon| horizon as usize).or(model.horizon);
    let solved = Solved {
        states: mdp.states(),
        actions: mdp.actions(),
        transitions: mdp.transitions(),
        sticky_states: pairs,
        discounted: discounted(None, plain),
        cautious: cautious.transpose()?,
        average,
        episodic: horizon
            .map(|horizon| episodic(horizon, effective_horizon(mdp, horizon), covering_length(mdp, horizon))),
    };
    if global.json {
        terminal::json(&solved)?;
    } else {
        tell(&solved);
    }
    Ok(ExitCode::SUCCESS)
}

/// The value, but 0 where it is not told from 0.
fn settled(value: f64, error: f64) -> f64 {
    if value.abs() <= error { 0.0 } else { value }
}

fn expected(mdp: &FiniteMdp, values: &[f64]) -> f64 {
    mdp.start().iter().zip(values).map(|(p, value)| p * value).sum()
}

fn episodic(horizon: usize, found: EffectiveHorizon, covering: CoveringLength) -> Episodic {
    Episodic {
        horizon,
        optimal_return: found.optimal_return,
        random_return: found.random_return,
        worst_return: found.worst_return,
        greedy_returns: found.greedy_returns,
        solvable_at: found.solvable_at,
        effective_horizon: Some(found.effective_horizon).filter(|horizon| horizon.is_finite()),
        planning_window: found.planning_window,
        covering_length: Covering {
            at_least: covering.at_least,
            at_most: covering.at_most,
            simple_bound: covering.simple_bound,
            pairs: covering.pairs,
            least_occupancy: covering.least_occupancy,
            least_visits: covering.least_visits,
        },
    }
}

fn tell(solved: &Solved) {
    print(format!(
        "{} states, {} actions, {} transitions",
        count(solved.states as u64),
        count(solved.actions as u64),
        count(solved.transitions as u64)
    ));
    let line = |name: &str, value: &str, about: &str| {
        print(format!("  {} {}  {}", styled(STRONG, format!("{name:<22}")), value, styled(FAINT, about)));
    };
    let plain = &solved.discounted;
    line(
        "optimal value",
        &number(plain.value),
        &format!("expected at the start, discount {}", plain.discount),
    );
    if let Some(cautious) = &solved.cautious {
        let about = format!("the same at risk level {}", cautious.risk.unwrap_or_default());
        line("robust value", &number(cautious.value), &about);
    }
    match &solved.average {
        Average::Found { gain, error_at_most, .. } => {
            line("gain", &number(settled(*gain, *error_at_most)), "optimal average reward a step");
        }
        Average::Undetermined { reason } => line("gain", "–", reason),
    }
    if let Some(episodic) = &solved.episodic {
        let about = format!("in episodes of {} steps", episodic.horizon);
        line("optimal return", &number(episodic.optimal_return), &about);
        line("random return", &number(episodic.random_return), "of uniformly random actions");
        let shown = episodic.effective_horizon.map_or("infinite".into(), number);
        let about = format!(
            "greed in the random policy's values is optimal from {} on",
            match episodic.solvable_at {
                1 => "the first look".to_owned(),
                k => format!("{k} looks ahead"),
            }
        );
        line("effective horizon", &shown, &about);
        line(
            "planning window",
            &episodic.planning_window.to_string(),
            "rewards that a planner has to look ahead",
        );
        let covering = &episodic.covering_length;
        let whole = |episodes: f64| if episodes < 1e15 { count(episodes as u64) } else { number(episodes) };
        let shown = match (covering.at_least, covering.at_most) {
            (low, high) if low == high => whole(low),
            (low, high) => format!("{} to {}", whole(low), whole(high)),
        };
        let about = format!(
            "random episodes until all {} choices within reach have been tried, with probability 1/2",
            count(covering.pairs as u64)
        );
        line("covering length", &shown, &about);
    }
    let mut header = vec!["state", "action", "value"];
    if solved.cautious.is_some() {
        header.extend(["robust action", "robust value"]);
    }
    if matches!(solved.average, Average::Found { .. }) {
        header.push("bias");
    }
    let rows = (0..solved.states.min(SHOWN)).map(|state| {
        let name = match &solved.sticky_states {
            None => state.to_string(),
            Some(pairs) => match pairs[state] {
                (state, Some(last)) => format!("{state} after action {last}"),
                (state, None) => state.to_string(),
            },
        };
        let mut row = vec![name, plain.policy[state].to_string(), number(plain.values[state])];
        if let Some(cautious) = &solved.cautious {
            row.extend([cautious.policy[state].to_string(), number(cautious.values[state])]);
        }
        if let Average::Found { bias, error_at_most, .. } = &solved.average {
            row.push(number(settled(bias[state], 10.0 * error_at_most)));
        }
        row
    });
    let right: Vec<usize> = (1..header.len()).collect();
    print(format!("\n{}", table(&header, &right, rows.collect())));
    if solved.states > SHOWN {
        print(styled(FAINT, format!("{} more states with --json", count((solved.states - SHOWN) as u64))));
    }
}
