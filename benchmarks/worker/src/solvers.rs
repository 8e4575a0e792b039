//! Stiff equations, passes over finite sums, and sweeps that do the work of a loop.

use std::hint::black_box;

use quire_core::{Error, Result, Seeds};
use quire_solve::feedforward::{self, systems};
use quire_solve::finite_sum::components::{FiniteSum, Logistic};
use quire_solve::finite_sum::{self, Task};
use quire_solve::solver::solve;
use quire_solve::stiff::{self, equations};
use serde_json::{Value, json};

use crate::work::{Request, Work};

/// The works of this file.
pub fn works() -> Vec<Work> {
    vec![
        Work {
            name: "robertson",
            summary: "Robertson's reactions to time `end` by `method` of `order`, relative and absolute tolerance",
            run: robertson,
        },
        Work {
            name: "pass",
            summary: "a full gradient of logistic regression on 200,000 rows of 100 numbers: a byte of the rows",
            run: |request| pass(request, None, Rows::Dense),
        },
        Work {
            name: "pass sgd",
            summary: "the same by steps of 64 shuffled rows",
            run: |request| pass(request, Some("shuffling-sgd"), Rows::Dense),
        },
        Work {
            name: "pass svrg",
            summary: "the same by corrected steps, which need two gradients of every row that they read",
            run: |request| pass(request, Some("svrg"), Rows::Dense),
        },
        Work {
            name: "pass sparse",
            summary: "a full gradient on 200,000 rows of 10,000 numbers, 75 of them not 0: a byte of the rows",
            run: |request| pass(request, None, Rows::Sparse),
        },
        Work {
            name: "pass sparse sgd",
            summary: "the same by steps of 64 shuffled rows, each of which moves all 10,000 parameters",
            run: |request| pass(request, Some("shuffling-sgd"), Rows::Sparse),
        },
        Work {
            name: "feedforward",
            summary: "the gradient of a recurrent network over 784 steps by `method`",
            run: feedforward_gradient,
        },
    ]
}

fn unknown(name: &str) -> Error {
    Error::Usage(format!("there is no method `{name}` for this work"))
}

fn robertson(request: &Request) -> Result<Value> {
    let mut problem = equations::Kind::Robertson.with(1.0);
    problem.end = request.number("end", 40.0);
    let name = request.word("method", "rosenbrock");
    let entry = stiff::METHODS.iter().find(|entry| entry.name == name).ok_or_else(|| unknown(name))?;
    let adaptive =
        json!({ "relative": request.number("relative", 1e-3), "absolute": request.number("absolute", 1e-6) });
    let set = json!({ "order": request.number("order", 3.0) as u32, "adaptive": adaptive });
    let set = set.as_object().expect("a table");
    let run = || -> Result<_> {
        let mut solver = (entry.make)(&problem, set)?;
        let found = solve(&mut *solver, &problem, 1_000_000);
        if found.is_converged() {
            Ok((found, solver.told()))
        } else {
            Err(Error::Failed(found.reason.to_string()))
        }
    };
    let (found, told) = run()?;
    let mut reply = request.time(1, || {
        black_box(run()).ok();
    });
    reply["values"] = json!(found.values);
    reply["steps"] = json!(found.iterations);
    reply["told"] = told.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    Ok(reply)
}

/// How the rows of a sum are kept.
enum Rows {
    /// 100 numbers each.
    Dense,
    /// 75 of 10,000 numbers each, with their places.
    Sparse,
}

fn pass(request: &Request, method: Option<&str>, kept: Rows) -> Result<Value> {
    let rows = if request.repetitions.is_some() { 2_000 } else { 200_000 };
    let rng = &mut Seeds::new(1).stream("rows");
    let (sum, width, bytes) = match kept {
        Rows::Dense => (Logistic::draw([rows, 100], 0.1, 1e-3, rng), 100, rows * 100 * 8),
        Rows::Sparse => {
            (Logistic::draw_sparse([rows, 10_000], 0.0075, 1e-3, rng), 10_000, rows * 75 * (8 + 4))
        }
    };
    let Some(name) = method else {
        let (x, all) = (vec![0.01; width], (0..rows).collect::<Vec<_>>());
        let mut gradient = vec![0.0; width];
        return Ok(request.time(bytes, || sum.gradient(&x, &all, black_box(&mut gradient))));
    };
    let entry = finite_sum::METHODS.iter().find(|entry| entry.name == name).ok_or_else(|| unknown(name))?;
    let task = Task { sum: Box::new(sum), start: vec![0.0; width], seeds: Seeds::new(1) };
    let (set, gradients_of_a_row) = match name {
        "svrg" => (json!({ "batch_size": 64 }), 2),
        _ => (json!({ "batch_size": 64, "order": "random-reshuffling" }), 1),
    };
    let mut solver = (entry.make)(&task, set.as_object().expect("a table"))?;
    Ok(request.time(bytes / gradients_of_a_row, || {
        black_box(solver.iterate(&task)).ok();
    }))
}

fn feedforward_gradient(request: &Request) -> Result<Value> {
    let rng = &mut Seeds::new(1).stream("network");
    let pixels = systems::RnnBackpropagation::pixels(784, rng);
    let hidden = request.number("hidden", 100.0) as usize;
    let task = feedforward::Task::new(Box::new(systems::RnnBackpropagation::new(&pixels, hidden, rng)));
    let name = request.word("method", "sequential-feedforward");
    let entry = feedforward::METHODS.iter().find(|entry| entry.name == name).ok_or_else(|| unknown(name))?;
    let set = match name {
        "sequential-feedforward" => json!({}),
        _ => json!({ "tolerance": request.number("tolerance", 0.0) }),
    };
    let run = || -> Result<_> {
        let mut solver = (entry.make)(&task, set.as_object().expect("a table"))?;
        let found = solve(&mut *solver, &task, 1_000_000);
        if found.is_converged() { Ok(found) } else { Err(Error::Failed(found.reason.to_string())) }
    };
    let found = run()?;
    let mut reply = request.time(1, || {
        black_box(run()).ok();
    });
    reply["dependent steps"] = json!(found.work);
    Ok(reply)
}
