//! `quire refine-schedule`: the schedule of the next run from the gradient norms of the last one.

use std::path::PathBuf;
use std::process::ExitCode;

use quire::core::files;
use quire::optim::refinement::{Power, ROWS, Refined, parse_norms, refine, resample, schedule_csv};
use quire_core::{Error, Result};
use serde::Serialize;

use crate::args::{Global, NormPower, RefineSchedule};
use crate::commands::has_extension;
use crate::terminal::{self, FAINT, STRONG, count, number, print, styled};

/// Characters of the picture.
const COLUMNS: usize = 60;

#[derive(Serialize)]
struct Told {
    power: Power,
    norms: usize,
    #[serde(flatten)]
    refined: Refined,
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &RefineSchedule, global: &Global) -> Result<ExitCode> {
    if let Some(output) = args.output.as_deref().filter(|output| !has_extension(output, "csv")) {
        return Err(Error::Usage(format!(
            "--output takes a file that ends in .csv; got {}",
            output.display()
        )));
    }
    let power = match args.power {
        NormPower::Sgd => Power::Sgd,
        NormPower::Adam => Power::Adam,
    };
    let norms = parse_norms(&args.norms, &files::read(&args.norms)?, power)?;
    let mut refined = refine(&norms, power, args.smoothing)?;
    let rows = args.steps.map_or(refined.factors.len().min(ROWS), |steps| steps as usize);
    if rows != refined.factors.len() {
        let mut factors = resample(&refined.factors, rows);
        let most = factors.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        factors.iter_mut().for_each(|factor| *factor /= most);
        refined.factors = factors;
    }
    if let Some(output) = &args.output {
        files::write_atomic(output, schedule_csv(&refined.factors).as_bytes())?;
    }
    let told = Told { power, norms: norms.len(), refined, output: args.output.clone() };
    if global.json {
        terminal::json(&told)?;
    } else {
        tell(&told);
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(told: &Told) {
    let Refined { factors, dropped, lifted, bound_share } = &told.refined;
    let what =
        format!("{} norms, a schedule of {} rows", count(told.norms as u64), count(factors.len() as u64));
    print(format!("{what}\n\n  {}\n", picture(factors)));
    let line = |name: &str, value: String, about: &str| {
        print(format!("  {} {value}  {}", styled(STRONG, format!("{name:<10}")), styled(FAINT, about)));
    };
    let peak = factors.iter().position(|factor| *factor == 1.0).unwrap_or(0);
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    line("peak", percent(peak as f64 / (factors.len() - 1) as f64), "of the run is warm-up");
    let mean = factors.iter().sum::<f64>() / factors.len() as f64;
    line("mean", number(mean), "of the factors; a straight line has 0.5");
    if let Some(share) = bound_share {
        line("bound", percent(*share), "of a straight line's, each at its best peak learning rate");
    }
    if *dropped > 0 {
        line("dropped", count(*dropped as u64), "norms that are not finite");
    }
    if *lifted > 0 {
        line("lifted", count(*lifted as u64), "norms to a thousandth of their median");
    }
    match &told.output {
        Some(path) => {
            let path = path.display();
            print(format!(
                "\n{}",
                styled(
                    FAINT,
                    format!("--set optimizer.schedule={path} uses it; tune the peak learning rate again.")
                )
            ));
        }
        None => print(format!("\n{}", styled(FAINT, "-o schedule.csv writes it."))),
    }
}

/// The factors as blocks of eight heights.
fn picture(factors: &[f64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    resample(factors, COLUMNS.min(factors.len()).max(2))
        .iter()
        .map(|factor| BLOCKS[((factor * 8.0) as usize).min(7)])
        .collect()
}
