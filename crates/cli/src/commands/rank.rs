//! `quire rank`: players in the order of their strength, from a user's own games.

use std::path::Path;
use std::process::ExitCode;

use quire::core::{files, options};
use quire::solve::ranking::elo::POINT;
use quire::solve::ranking::own::{Errors, Estimate, How, Place, Ranked, rank};
use quire::solve::ranking::{Ties, file};
use quire_core::{Error, Result};
use quire_study::report::{Forest, ForestRow, forest_html, forest_svg};

use crate::args::{Global, Rank, TieModel};
use crate::commands::has_extension;
use crate::terminal::{self, FAINT, STRONG, count, print, styled, table};

/// Players in a plot, at most.
const DRAWN: usize = 200;

/// Runs the command.
pub fn run(args: &Rank, global: &Global) -> Result<ExitCode> {
    let plot = args.plot.as_deref().map(Plot::new).transpose()?;
    if let Some(csv) = args.csv.as_deref().filter(|csv| !has_extension(csv, "csv")) {
        return Err(Error::Usage(format!("--csv takes a file that ends in .csv; got {}", csv.display())));
    }
    let how = How {
        method: args.method.clone(),
        set: options::parse_assignments(&args.set)?,
        ties: if args.ties == TieModel::Davidson { Ties::Davidson } else { Ties::HalfWin },
        home: !args.no_home,
        prior: args.prior,
        iterations: args.iterations,
        errors: if args.all_errors { Errors::All } else { Errors::First(args.top as usize) },
    };
    let found = rank(&file::read(&args.games)?, &how)?;
    let scale = if args.points { Scale::POINTS } else { Scale::LOGS };
    if let Some(plot) = plot {
        plot.write(&found, scale, args)?;
    }
    if let Some(path) = &args.csv {
        files::write_atomic(path, found.to_csv().as_bytes())?;
    }
    if global.json {
        terminal::json(&found)?;
    } else {
        tell(&found, scale, args);
    }
    Ok(ExitCode::SUCCESS)
}

/// What strengths are printed in.
#[derive(Clone, Copy)]
struct Scale {
    /// One unit, in log strength.
    unit: f64,
    decimals: usize,
    name: &'static str,
}

impl Scale {
    const LOGS: Scale = Scale { unit: 1.0, decimals: 3, name: "ln π" };
    const POINTS: Scale = Scale { unit: POINT, decimals: 0, name: "Elo points" };

    fn of(self, strength: f64) -> String {
        quire_study::format::number(strength / self.unit, self.decimals)
    }

    fn error(self, error: Option<f64>) -> String {
        error.map_or("–".into(), |error| self.of(error))
    }
}

/// The ranks that a place leaves open.
fn ranks(place: &Place) -> String {
    match place.ranks {
        Some([best, worst]) if best == worst => best.to_string(),
        Some([best, worst]) => format!("{best}–{worst}"),
        None => "–".into(),
    }
}

/// Games by weight: whole numbers without decimals.
fn games(weight: f64) -> String {
    if weight.fract() == 0.0 && weight < 1e15 { count(weight as u64) } else { terminal::number(weight) }
}

fn tell(found: &Ranked, scale: Scale, args: &Rank) {
    print(format!(
        "{} players, {} games, {}",
        count(found.players as u64),
        games(found.games),
        if found.prior > 0.0 {
            format!(
                "prior: {} fictitious wins and as many losses of each against an average player",
                found.prior
            )
        } else {
            "no prior: maximum likelihood".into()
        }
    ));
    let line = |name: &str, value: &str, about: &str| {
        print(format!("  {} {}  {}", styled(STRONG, format!("{name:<16}")), value, styled(FAINT, about)));
    };
    let about = format!("{} after {} iterations", found.reason, count(found.iterations));
    line("method", &found.method, &about);
    line(
        "log-likelihood",
        &terminal::number(found.log_likelihood),
        "natural logarithm, with the prior's part",
    );
    line("strengths", scale.name, "0 is average");
    let estimate = |estimate: &Estimate, shown: fn(f64) -> f64| {
        let error = estimate.error.map_or(String::new(), |error| format!(" ± {}", terminal::number(error)));
        (format!("{}{error}", terminal::number(estimate.value)), terminal::number(shown(estimate.value)))
    };
    if let Some(ties) = &found.ties {
        let (value, equal) = estimate(ties, |nu| nu / (1.0 + nu));
        line("ties, ν", &value, &format!("equals tie with probability {equal}"));
    }
    if let Some(home) = &found.home {
        let (value, equal) = estimate(home, |h| 1.0 / (1.0 + (-h).exp()));
        line("home, ln θ", &value, &format!("at home, equals score {equal} on average"));
    }
    let shown = found.ranking.len().min(args.top as usize);
    let with_ties = found.ranking.iter().any(|place| place.ties > 0.0);
    let mut header = vec![
        "rank",
        "player",
        "strength",
        "± error",
        "95 % interval",
        "ranks",
        "beats average",
        "games",
        "won",
    ];
    if with_ties {
        header.push("tied");
    }
    let rows = found.ranking[..shown].iter().map(|place| {
        let interval = match place.interval {
            Some([low, high]) => format!("{} to {}", scale.of(low), scale.of(high)),
            None => "–".into(),
        };
        let mut row = vec![
            place.rank.to_string(),
            place.player.clone(),
            scale.of(place.strength),
            scale.error(place.error),
            interval,
            ranks(place),
            format!("{:.1} %", 100.0 * place.beats_average),
            games(place.games),
            games(place.wins),
        ];
        if with_ties {
            row.push(games(place.ties));
        }
        row
    });
    let right: Vec<usize> = [0].into_iter().chain(2..header.len()).collect();
    print(format!("\n{}", table(&header, &right, rows.collect())));
    if shown < found.ranking.len() {
        let rest = count((found.ranking.len() - shown) as u64);
        print(styled(FAINT, format!("{rest} more players with --top, --csv or --json")));
    }
    for warning in &found.warnings {
        print(format!("{} {warning}", styled(STRONG, "warning:")));
    }
    for path in args.plot.iter().chain(&args.csv) {
        print(styled(FAINT, format!("written: {}", path.display())));
    }
}

/// Where the plot goes, and in which form.
struct Plot<'a> {
    path: &'a Path,
    draw: fn(&Forest) -> String,
}

impl<'a> Plot<'a> {
    fn new(path: &'a Path) -> Result<Self> {
        if has_extension(path, "svg") {
            Ok(Plot { path, draw: forest_svg })
        } else if has_extension(path, "html") {
            Ok(Plot { path, draw: forest_html })
        } else {
            Err(Error::Usage(format!(
                "--plot takes a file that ends in .svg or .html; got {}",
                path.display()
            )))
        }
    }

    fn write(&self, found: &Ranked, scale: Scale, args: &Rank) -> Result<()> {
        let shown = found.ranking.len().min(args.top as usize).min(DRAWN);
        let rows: Vec<ForestRow> = found.ranking[..shown]
            .iter()
            .map(|place| ForestRow {
                name: place.player.clone(),
                value: place.strength / scale.unit,
                interval: place.interval.map(|ends| ends.map(|end| end / scale.unit)),
                note: ranks(place),
            })
            .collect();
        let name = args.games.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let forest = Forest {
            rows: &rows,
            title: &format!("Strengths from {name}, with 95 % intervals"),
            x_label: &format!("strength ({}), 0 is average", scale.name),
            note_label: "ranks left open",
            reference: Some(0.0),
            width: 720.0,
        };
        files::write_atomic(self.path, (self.draw)(&forest).as_bytes())
    }
}
