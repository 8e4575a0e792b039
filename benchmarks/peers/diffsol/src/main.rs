//! Robertson's reactions by the crate diffsol: a JSON request a line in, a JSON reply a line out.

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use diffsol::{
    NalgebraLU, NalgebraMat, OdeBuilder, OdeEquationsImplicit, OdeSolverMethod, OdeSolverProblem,
    OdeSolverStopReason, VectorCommon,
};
use serde_json::{Value, json};

/// As in Quire's side.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type M = NalgebraMat<f64>;
type LS = NalgebraLU<f64>;

fn problem(
    relative: f64,
    absolute: f64,
) -> Result<
    OdeSolverProblem<
        impl OdeEquationsImplicit<
            M = M,
            V = <M as diffsol::MatrixCommon>::V,
            T = f64,
            C = <M as diffsol::MatrixCommon>::C,
        >,
    >,
    Box<dyn Error>,
> {
    let slope = |y: &[f64], _p: &[f64], _t: f64, out: &mut [f64]| {
        let (slow, fast, fastest) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
        (out[0], out[1], out[2]) = (fast - slow, slow - fast - fastest, fastest);
    };
    let jacobian = |y: &[f64], _p: &[f64], _t: f64, v: &[f64], out: &mut [f64]| {
        let (slow, fast, fastest) = (0.04 * v[0], 1e4 * (v[1] * y[2] + y[1] * v[2]), 6e7 * y[1] * v[1]);
        (out[0], out[1], out[2]) = (fast - slow, slow - fast - fastest, fastest);
    };
    let start = |_p: &[f64], _t: f64, y: &mut [f64]| y.copy_from_slice(&[1.0, 0.0, 0.0]);
    Ok(OdeBuilder::<M>::new()
        .rtol(relative)
        .atol([absolute])
        .rhs_implicit(slope, jacobian)
        .init(start, 3)
        .build()?)
}

/// The state at the end and the number of steps.
fn run(method: &str, relative: f64, absolute: f64, end: f64) -> Result<(Vec<f64>, u64), Box<dyn Error>> {
    let problem = problem(relative, absolute)?;
    fn to_the_end<'a, Eqn, S>(mut solver: S, end: f64) -> Result<(Vec<f64>, u64), Box<dyn Error>>
    where
        Eqn: OdeEquationsImplicit<
                M = M,
                V = <M as diffsol::MatrixCommon>::V,
                T = f64,
                C = <M as diffsol::MatrixCommon>::C,
            > + 'a,
        S: OdeSolverMethod<'a, Eqn>,
    {
        solver.set_stop_time(end)?;
        let mut steps = 0;
        loop {
            steps += 1;
            if let OdeSolverStopReason::TstopReached = solver.step()? {
                return Ok((solver.state().y.inner().as_slice().to_vec(), steps));
            }
        }
    }
    match method {
        "bdf" => to_the_end(problem.bdf::<LS>()?, end),
        "tr_bdf2" => to_the_end(problem.tr_bdf2::<LS>()?, end),
        "esdirk34" => to_the_end(problem.esdirk34::<LS>()?, end),
        other => Err(format!("there is no method {other}").into()),
    }
}

fn answer(request: &Value) -> Result<Value, Box<dyn Error>> {
    let number = |name: &str| request[name].as_f64().ok_or_else(|| format!("{name} is missing"));
    let method = request["method"].as_str().ok_or("method is missing")?;
    let (relative, absolute, end) = (number("relative")?, number("absolute")?, number("end")?);
    let (values, steps) = run(method, relative, absolute, end)?;
    (0..3).try_for_each(|_| run(method, relative, absolute, end).map(drop))?;
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 3 || start.elapsed().as_secs_f64() < number("seconds")? {
        let at = Instant::now();
        run(method, relative, absolute, end)?;
        times.push(at.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(json!({ "seconds": times[times.len() / 2], "values": values, "steps": steps, "samples": times.len() }))
}

fn main() -> Result<(), Box<dyn Error>> {
    for line in std::io::stdin().lock().lines() {
        let request = serde_json::from_str(&line?)?;
        let reply = answer(&request).unwrap_or_else(|error| json!({ "error": error.to_string() }));
        let mut out = std::io::stdout();
        writeln!(out, "{reply}")?;
        out.flush()?;
    }
    Ok(())
}
