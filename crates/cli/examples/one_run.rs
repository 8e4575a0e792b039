//! One run, stepped by hand: what `quire train` does, without a store.
#![allow(clippy::print_stdout)]

use quire::core::{Progress, Result, RunSpec, Trace};

fn main() -> Result<()> {
    let registry = quire::registry();
    let problem = registry.problem("river-swim")?;
    let mut spec = RunSpec::new("river-swim", "psrl", 0);
    spec.budget = Some(500);

    let (mut run, mut trace) = (problem.start(&spec)?, Trace::new());
    let reason = loop {
        if let Progress::Done(reason) = run.step(&mut trace)? {
            break reason;
        }
    };
    println!("{reason}: regret {:.1} after 500 episodes", trace.last("regret").unwrap_or(f64::NAN));

    // The state is bytes: a run resumed from them goes on with the same bits.
    let resumed = problem.resume(&spec, &run.save())?;
    assert_eq!(resumed.save(), run.save());
    Ok(())
}
