//! `quire evaluate-policy`: what a policy would earn, from a user's own log.

use std::process::ExitCode;

use quire::core::options;
use quire::mdp::evaluation::log;
use quire::mdp::evaluation::own::{Evaluated, How, Target, evaluate};
use quire_core::Result;

use crate::args::{EvaluatePolicy, Global};
use crate::terminal::{self, FAINT, STRONG, count, number, print, styled};

/// Runs the command.
pub fn run(args: &EvaluatePolicy, global: &Global) -> Result<ExitCode> {
    let target = Target::parse(&args.policy)?;
    let how = How {
        discount: args.discount,
        seed: args.seed,
        samples: args.samples as usize,
        resamples: args.resamples as usize,
        set: options::parse_assignments(&args.set)?,
    };
    let found = evaluate(&log::read(&args.log)?, &target, &how)?;
    if global.json {
        terminal::json(&found)?;
    } else {
        tell(&found);
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(found: &Evaluated) {
    let horizon = match found.discount {
        Some(discount) => format!("endless horizon, discount {discount}, {} fits", found.fits),
        None => format!("horizon {}", found.fits),
    };
    print(format!(
        "{} episodes, {} transitions, {horizon}",
        count(found.episodes as u64),
        count(found.transitions as u64)
    ));
    let line = |name: &str, value: &str, about: &str| {
        print(format!("  {} {}  {}", styled(STRONG, format!("{name:<22}")), value, styled(FAINT, about)));
    };
    for (index, law) in found.returns.iter().enumerate() {
        if found.returns.len() > 1 {
            print(format!("reward {index}"));
        }
        let about = match law.interval {
            Some([from, to]) => format!(
                "95 % interval {} to {}, from {} resamples of the episodes",
                number(from),
                number(to),
                found.resamples
            ),
            None => "no interval without at least two resamples".to_owned(),
        };
        line("mean return", &number(law.mean), &about);
        line("standard deviation", &number(law.deviation), "of the return, from the log's first states");
        let quantiles = law.quantiles.map(number).join("  ");
        line("quantiles", &quantiles, "5, 25, 50, 75, 95 %");
    }
    let coverage = &found.coverage;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let by = if coverage.by == "counts" {
        "of the policy's visits"
    } else {
        "of the policy's actions, whatever the state"
    };
    line("never logged", &percent(coverage.never), by);
    line("rarely logged", &percent(coverage.rarely), "in fewer than 10 rows");
    line(
        "effective episodes",
        &number(coverage.effective_episodes),
        "the log's worth, by importance weights",
    );
    for warning in &found.warnings {
        print(format!("{} {warning}", styled(STRONG, "warning:")));
    }
}
