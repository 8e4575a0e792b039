//! Quire's side of the benchmarks: every piece of work that `benchmarks/` times beside other libraries.
//!
//! - `cargo run --release -p quire-benchmarks`: lists the works
//! - `... -p quire-benchmarks -- W1 W2 --threads 2 --seconds 1`: times some on the terminal
//! - `... -p quire-benchmarks -- serve`: what `benchmarks/run` talks to: a JSON request a line in, a JSON reply a line out
//! - `... -p quire-benchmarks -- count W1 10`: does a work ten times, for a tool that counts instructions
//!
//! A request is `{"work": "W1", "threads": 1, "seconds": 0.5}`, a reply `{"seconds": ...}`: the median time of one unit of
//! the work. Replies of learners also hold how well they learned.
#![expect(clippy::print_stdout, reason = "a program that reports to a terminal or a script")]

mod environments;
mod learners;
mod networks;
mod optimizers;
mod rank;
mod replay;
mod solvers;
mod tables;
mod work;

use std::io::{BufRead, Write};
use std::process::ExitCode;

use quire_core::{Error, Result};
use serde_json::{Value, json};

use work::{Request, Work};

/// As in the binary `quire`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn works() -> Vec<Work> {
    [
        networks::works(),
        optimizers::works(),
        solvers::works(),
        environments::works(),
        replay::works(),
        tables::works(),
        rank::works(),
        learners::works(),
    ]
    .concat()
}

fn find(name: &str) -> Result<Work> {
    let names = works().into_iter().find(|work| work.name == name);
    names.ok_or_else(|| Error::Usage(format!("there is no work `{name}`; without arguments they are listed")))
}

fn answer(request: &Request) -> Result<Value> {
    (find(&request.work)?.run)(request)
}

/// Answers requests until the input ends.
fn serve() -> Result<()> {
    let stdout = &mut std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Error::Failed(format!("the input broke off: {error}")))?;
        let reply = serde_json::from_str(&line)
            .map_err(|error| Error::Usage(format!("this is no request: {error}")))
            .and_then(|request| answer(&request))
            .unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(stdout, "{reply}")
            .and_then(|()| stdout.flush())
            .map_err(|error| Error::Failed(format!("the reply could not be written: {error}")))?;
    }
    Ok(())
}

fn on_the_terminal(arguments: &[String]) -> Result<()> {
    let mut request = Request::default();
    let mut names = Vec::new();
    let mut words = arguments.iter();
    let bad = |word: &str| Error::Usage(format!("{word} takes a number"));
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|next| next.parse().ok()).ok_or_else(|| bad(word));
        match word.as_str() {
            "--threads" => request.threads = number()? as usize,
            "--seconds" => request.seconds = number()?,
            "--steps" => request.steps = number()? as u64,
            name => names.push(name),
        }
    }
    for name in names {
        request.work = name.to_owned();
        println!("{name:30} {}", answer(&request)?);
    }
    Ok(())
}

fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => works().iter().for_each(|work| println!("{:30} {}", work.name, work.summary)),
        [command] if command == "serve" => serve()?,
        [command, name, repetitions] if command == "count" => {
            let repetitions = repetitions
                .parse()
                .map_err(|_| Error::Usage("count takes a work and a number of repetitions".into()))?;
            answer(&Request {
                work: find(name)?.name.into(),
                repetitions: Some(repetitions),
                ..Request::default()
            })?;
        }
        _ => on_the_terminal(arguments)?,
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}
