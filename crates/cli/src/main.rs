//! The command line of Quire.

mod args;
mod commands;
mod progress;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Many short-lived vectors of many sizes pass between threads; mimalloc serves that noticeably faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let global = &cli.global;
    let result = match &cli.command {
        Command::List(args) => commands::list::run(args, global),
        Command::Show(args) => commands::show::run(args, global),
        Command::Train(args) => commands::train::run(args, global),
        Command::Eval(args) => commands::eval::run(args, global),
        Command::Compare(args) => commands::compare::run(args, global),
        Command::Run(args) => commands::compare::run_file(args, global),
        Command::Resume(args) => commands::compare::resume(args, global),
        Command::Reproduce(args) => commands::reproduce::run(args, global),
        Command::Report(args) => commands::report::run(args, global),
        Command::Export(args) => commands::export::run(args, global),
        Command::EvaluatePolicy(args) => commands::evaluate_policy::run(args, global),
        Command::SolveMdp(args) => commands::solve_mdp::run(args, global),
        Command::Solve(args) => commands::solve::run(args, global),
        Command::Rank(args) => commands::rank::run(args, global),
        Command::RefineSchedule(args) => commands::refine_schedule::run(args, global),
        Command::Completions { shell } => commands::completions::completions(*shell),
        Command::Man => commands::completions::man(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            terminal::error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
