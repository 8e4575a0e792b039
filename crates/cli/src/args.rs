//! The command line, defined once: help, completions and the man page all come from here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Published learning and optimization methods that run: train, compare, reproduce.
#[derive(Debug, Parser)]
#[command(
    name = "quire",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 110
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Print JSON for machines instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
    /// Print results only, no progress
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Folder for the store, reports and artefacts
    #[arg(long, global = true, value_name = "FOLDER", default_value = "quire-out", env = "QUIRE_OUT")]
    pub out: PathBuf,
    /// Threads to use in all; results do not depend on it [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what there is: problems, methods, papers, studies
    List(List),
    /// Everything about one method, problem, paper or study
    Show(Show),
    /// Train one method on one problem and keep the artefact
    Train(Train),
    /// Score a trained artefact afresh
    Eval(Eval),
    /// Compare methods on a problem over several seeds
    Compare(Compare),
    /// Run a study from a TOML file
    Run(RunStudy),
    /// Go on with a study that was interrupted
    Resume(Resume),
    /// Measure what papers state, claim by claim
    Reproduce(Reproduce),
    /// Write the report of a study, or of all papers: a self-contained HTML page
    Report(Report),
    /// Export a study's numbers
    Export(Export),
    /// Solve your own finite MDP exactly
    SolveMdp(SolveMdp),
    /// Tell what a policy would earn, from your own log of what another policy did
    EvaluatePolicy(EvaluatePolicy),
    /// Solve your own sparse system of linear equations
    Solve(Solve),
    /// Rank players by the games they played, with standard errors
    Rank(Rank),
    /// Make the learning-rate schedule of the next run from the gradient norms of the last one
    RefineSchedule(RefineSchedule),
    /// Print a completion script for your shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff), as in `quire man | man -l -`
    Man,
}

/// What `quire list` lists.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    /// What can be solved and scored
    Problems,
    /// What can solve it
    Methods,
    /// What was published, and which of its claims can be measured
    Papers,
    /// What has been run
    Studies,
}

/// `quire list`
#[derive(Debug, Args)]
pub struct List {
    /// What to list
    #[arg(value_enum, default_value_t = Kind::Methods)]
    pub kind: Kind,
}

/// `quire show`
#[derive(Debug, Args)]
pub struct Show {
    /// A method, a problem, a paper (its name in `quire list papers` or its arXiv number) or a study
    pub name: String,
    /// Show a method's options as they are on this problem, tuned values included
    #[arg(long, value_name = "PROBLEM")]
    pub on: Option<String>,
}

/// How long, how many, with which options: shared by `train` and `compare`.
#[derive(Debug, Clone, Args)]
pub struct RunFlags {
    /// The problem, such as CartPole-v1
    #[arg(long, value_name = "PROBLEM")]
    pub on: String,
    /// Length of a run in the problem's unit of work [default: the problem's own budget]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// Set an option, as in --set discount=0.9 or, for one method, --set dqn:discount=0.9
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Start from the papers' defaults, not from the options tuned for the problem
    #[arg(long)]
    pub defaults: bool,
    /// Name of the study [default: made from the methods and the problem]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// `quire train`
#[derive(Debug, Args)]
pub struct Train {
    /// The method, such as double-dqn
    pub method: String,
    /// The run.
    #[command(flatten)]
    pub run: RunFlags,
    /// The seed that every random stream is split from
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// `quire eval`
#[derive(Debug, Args)]
pub struct Eval {
    /// The artefact's folder
    pub artefact: PathBuf,
    /// Episodes (or other repetitions) to score
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub episodes: u64,
    /// The seed of the evaluation
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// `quire compare`
#[derive(Debug, Args)]
pub struct Compare {
    /// The methods, such as dqn double-dqn; the first is the one the others are held against
    #[arg(required = true)]
    pub methods: Vec<String>,
    /// The runs.
    #[command(flatten)]
    pub run: RunFlags,
    /// How many seeds each method gets: 0, 1, ...
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub seeds: u64,
}

/// `quire run`
#[derive(Debug, Args)]
pub struct RunStudy {
    /// The study's file
    pub file: PathBuf,
}

/// `quire resume`
#[derive(Debug, Args)]
pub struct Resume {
    /// The study [default: the last one that is not finished]
    pub study: Option<String>,
}

/// `quire reproduce`
#[derive(Debug, Args)]
pub struct Reproduce {
    /// The papers, by the names that `quire list papers` gives
    #[arg(required_unless_present = "all")]
    pub papers: Vec<String>,
    /// All papers
    #[arg(long, conflicts_with = "papers")]
    pub all: bool,
    /// Only the claim with this id
    #[arg(long, value_name = "ID")]
    pub claim: Option<String>,
    /// Seeds 0, 1, ... in place of the claim's own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub seeds: Option<u64>,
    /// The shorter form of each study: less work, wider intervals
    #[arg(long)]
    pub quick: bool,
}

/// `quire report`
#[derive(Debug, Args)]
pub struct Report {
    /// The study, or `papers` for what all papers claim and what was measured of it [default: the last study]
    pub study: Option<String>,
}

/// `quire export`
#[derive(Debug, Args)]
pub struct Export {
    /// The study [default: the last one]
    pub study: Option<String>,
    /// The format
    #[arg(long, value_enum)]
    pub format: Format,
    /// Where to: a file, or a folder for tensorboard and svg [default: beside the report]
    #[arg(long, value_name = "PATH")]
    pub to: Option<PathBuf>,
}

/// `quire solve-mdp`
#[derive(Debug, Args)]
pub struct SolveMdp {
    /// The model, a .json or .npz file with `transitions` and `rewards`
    pub model: PathBuf,
    /// Discount factor per step, below 1 [default: the file's, or 0.99]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub discount: Option<f64>,
    /// Steps of an episode, for the effective horizon [default: the file's]
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub horizon: Option<u32>,
    /// Caution against errors of the model, in units of 1/value: solve for the entropic risk measure too
    #[arg(long, value_name = "BETA", allow_negative_numbers = true)]
    pub risk: Option<f64>,
    /// Solve it with sticky actions: the action executed last is repeated with this probability
    #[arg(long, value_name = "PROBABILITY", allow_negative_numbers = true)]
    pub sticky: Option<f64>,
}

/// `quire evaluate-policy`
#[derive(Debug, Args)]
pub struct EvaluatePolicy {
    /// The log, a .csv, .parquet or .npz file of transitions
    pub log: PathBuf,
    /// The policy: uniform, logged, an action's number, or a .csv or .parquet file with columns state, action, probability
    #[arg(long, value_name = "POLICY")]
    pub policy: String,
    /// Discount factor per step, below 1, of an endless horizon [default: the log's longest episode is the horizon]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub discount: Option<f64>,
    /// The seed that every random stream is split from
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Draws of the return
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub samples: u64,
    /// Refits on resampled episodes behind the interval of the mean
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=1000))]
    pub resamples: u64,
    /// Set an option of fle, as in --set steps=5000 (here 2000 and learning_rate=0.002 unless set)
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

/// `quire solve`
#[derive(Debug, Args)]
pub struct Solve {
    /// The matrix, a Matrix Market file
    pub matrix: PathBuf,
    /// The right side, a Matrix Market file of one column [default: the matrix times ones, whose solution is known]
    pub right: Option<PathBuf>,
    /// The method; without one those that suit the matrix are tried
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,
    /// Iterations, at most
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: u64,
    /// Set an option of the method, as in --set relaxation=1.9; without a method only tolerance
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Write the solution as a Matrix Market file
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

/// `quire rank`
#[derive(Debug, Args)]
pub struct Rank {
    /// The games, a .csv file with columns winner, loser and perhaps weight, tie, home
    pub games: PathBuf,
    /// The method, one of those that `quire show league` lists
    #[arg(long, default_value = "newman", value_name = "METHOD")]
    pub method: String,
    /// How ties count
    #[arg(long, value_enum, default_value_t = TieModel::HalfWin)]
    pub ties: TieModel,
    /// Leave out who was at home
    #[arg(long)]
    pub no_home: bool,
    /// Fictitious wins and losses of each player against an average one [default: 0 where the games suffice, else 1]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub prior: Option<f64>,
    /// Players to print; --json and --csv have all
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub top: u64,
    /// Standard errors of all players, however many: a linear system each beyond 1000
    #[arg(long)]
    pub all_errors: bool,
    /// Print strengths in Elo points, of which 400 are odds of 10 to 1
    #[arg(long)]
    pub points: bool,
    /// Iterations, at most
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: u64,
    /// Set an option of the method, as in --set tolerance=1e-12 (here 1e-9 unless set)
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Draw the players printed, with their intervals, into an .svg or .html file
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Write the whole ranking as a .csv file
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

/// How ties count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TieModel {
    /// As half a win of either
    HalfWin,
    /// By Davidson's model, which estimates how likely they are
    Davidson,
}

/// `quire refine-schedule`
#[derive(Debug, Args)]
pub struct RefineSchedule {
    /// The norms, a .csv file with columns l1 and l2 (or one called norm): gradient-norms.csv of the artefact of a run with --set
    /// optimizer.record_norms=true
    pub norms: PathBuf,
    /// What the schedule is for: SGD (l2 norms, power -2), or Adam and other methods by coordinates (l1 norms, power -1)
    #[arg(long, value_enum, value_name = "FOR")]
    pub power: NormPower,
    /// Width of the median filter over the norms, as a share of the run in (0, 1)
    #[arg(long, default_value_t = 0.1, value_name = "SHARE", allow_negative_numbers = true)]
    pub smoothing: f64,
    /// Rows of the schedule [default: as many as norms, at most 1000]; a run of any length spreads them over its steps
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    pub steps: Option<u32>,
    /// Where to write the schedule, a .csv file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Which norms, and what weights are made of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NormPower {
    /// l2 norms, power -2
    Sgd,
    /// l1 norms, power -1
    Adam,
}

/// Formats of `quire export`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    /// One JSON object a line, one line a number
    Jsonl,
    /// One row a number
    Csv,
    /// TensorBoard event files, one folder a run
    Tensorboard,
    /// The learning curves as an SVG picture, one a problem
    Svg,
}
