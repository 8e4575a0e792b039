//! A user's own games, read from CSV.
//!
//! The header names the columns: `winner` and `loser`, and perhaps `weight` (how many games a row counts for), `tie` (1 or true: nobody
//! won) and `home` (the name of the player at home, or `winner` or `loser`; empty: nobody). Other columns are left alone.

use std::collections::HashMap;
use std::path::Path;

use csv::StringRecord;
use quire_core::{Error, Result, files};

use super::games::{Game, Home};

/// Games between named players.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Played {
    /// The players' names, in the order they appear.
    pub names: Vec<String>,
    /// The games, in the order of the file.
    pub games: Vec<Game>,
}

/// Reads a `.csv` file of games.
///
/// # Errors
/// An unreadable or empty file, a missing column, a value that makes no sense: the message names file, line and column.
pub fn read(path: &Path) -> Result<Played> {
    parse(path, &files::read(path)?)
}

/// Where the columns are.
struct Columns {
    winner: usize,
    loser: usize,
    weight: Option<usize>,
    tie: Option<usize>,
    home: Option<usize>,
}

/// Reads the bytes of a file; `path` is named in errors.
///
/// # Errors
/// Those of [`read`].
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Played> {
    let broken = |error: csv::Error| match error.kind() {
        csv::ErrorKind::UnequalLengths { pos: Some(pos), expected_len, len } => Error::Parse {
            path: path.to_owned(),
            line: pos.line() as usize,
            column: 1,
            problem: format!("the row has {len} fields where the header has {expected_len}"),
        },
        csv::ErrorKind::Utf8 { pos: Some(pos), .. } => Error::Parse {
            path: path.to_owned(),
            line: pos.line() as usize,
            column: 1,
            problem: "not UTF-8 text; save the file as UTF-8".into(),
        },
        _ => Error::file(path, format!("is not a readable CSV file: {error}")),
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let header: Vec<String> =
        reader.headers().map_err(broken)?.iter().map(|name| name.to_ascii_lowercase()).collect();
    let find = |name: &str| header.iter().position(|column| column == name);
    let column = |name: &str| {
        find(name).ok_or_else(|| {
            let problem = format!(
                "misses the column `{name}`; its first line has {}, where winner, loser and perhaps weight, tie, home are expected",
                if header.is_empty() { "nothing".into() } else { header.join(", ") }
            );
            Error::file(path, problem)
        })
    };
    let columns = Columns {
        winner: column("winner")?,
        loser: column("loser")?,
        weight: find("weight"),
        tie: find("tie"),
        home: find("home"),
    };
    let mut played = Played::default();
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(broken)? {
        let game =
            game(&record, &columns, &mut numbers, &mut played.names).map_err(|(column, problem)| {
                Error::Parse {
                    path: path.to_owned(),
                    line: record.position().map_or(0, |position| position.line() as usize),
                    column: column + 1,
                    problem: format!("column {} (`{}`): {problem}", column + 1, header[column]),
                }
            })?;
        played.games.push(game);
    }
    if played.games.is_empty() {
        return Err(Error::file(path, "holds no game"));
    }
    Ok(played)
}

/// The game of a row, or the column that makes none and why.
fn game(
    record: &StringRecord,
    columns: &Columns,
    numbers: &mut HashMap<String, u32>,
    names: &mut Vec<String>,
) -> Result<Game, (usize, String)> {
    let field = |column: usize| record.get(column).unwrap_or_default();
    let mut number = |column: usize| match (field(column), numbers.get(field(column))) {
        ("", _) => Err((column, "a player needs a name".to_owned())),
        (_, Some(&number)) => Ok(number),
        (name, None) => {
            let new = u32::try_from(names.len()).map_err(|_| (column, "too many players".to_owned()))?;
            names.push(name.to_owned());
            numbers.insert(name.to_owned(), new);
            Ok(new)
        }
    };
    let (winner, loser) = (number(columns.winner)?, number(columns.loser)?);
    if winner == loser {
        return Err((columns.loser, format!("`{}` plays against itself", field(columns.loser))));
    }
    let weight = match columns.weight.map(|column| (column, field(column))) {
        None | Some((_, "")) => 1.0,
        Some((column, text)) => {
            let weight = text.parse::<f64>().ok().filter(|weight| *weight > 0.0 && weight.is_finite());
            weight.ok_or_else(|| (column, format!("`{text}` is not a finite number above 0")))?
        }
    };
    let is_tie = match columns.tie.map(|column| (column, field(column))) {
        None => false,
        Some((column, text)) => match text.to_ascii_lowercase().as_str() {
            "" | "0" | "false" | "no" => false,
            "1" | "true" | "yes" => true,
            _ => return Err((column, format!("`{text}` is none of 0, 1, true, false, yes, no"))),
        },
    };
    let home = match columns.home.map(|column| (column, field(column))) {
        None | Some((_, "")) => None,
        Some((_, text)) if text == field(columns.winner) => Some(Home::Winner),
        Some((_, text)) if text == field(columns.loser) => Some(Home::Loser),
        Some((column, text)) => match text.to_ascii_lowercase().as_str() {
            "winner" => Some(Home::Winner),
            "loser" => Some(Home::Loser),
            "none" | "neutral" => None,
            _ => {
                let problem =
                    format!("`{text}` is neither of the two players, nor `winner`, `loser` or empty");
                return Err((column, problem));
            }
        },
    };
    Ok(Game { winner, loser, weight, is_tie, home })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Result<Played> {
        parse(Path::new("games.csv"), text.as_bytes())
    }

    #[test]
    fn columns_come_in_any_order_and_others_are_left_alone() {
        let found =
            text("Date,home,loser,winner,tie,weight\n1,Ann,Bob,Ann,,2\n2,loser,Ann,\"Bo, b\",1,\n").unwrap();
        assert_eq!(found.names, ["Ann", "Bob", "Bo, b"]);
        assert_eq!(found.games[0], Game { weight: 2.0, home: Some(Home::Winner), ..Game::new(0, 1) });
        assert_eq!(found.games[1], Game { home: Some(Home::Loser), ..Game::tie(2, 0) });
    }

    #[test]
    fn mistakes_are_named_with_line_and_column() {
        for (rows, expected) in [
            ("a,b,1,0,\na,a,1,0,\n", "games.csv:3:2: column 2 (`loser`): `a` plays against itself"),
            ("a,,1,0,\n", "games.csv:2:2: column 2 (`loser`): a player needs a name"),
            ("a,b,-1,0,\n", "games.csv:2:3: column 3 (`weight`): `-1` is not a finite number above 0"),
            ("a,b,inf,0,\n", "games.csv:2:3"),
            ("a,b,1,maybe,\n", "games.csv:2:4: column 4 (`tie`): `maybe` is none of"),
            ("a,b,1,0,c\n", "games.csv:2:5: column 5 (`home`): `c` is neither of the two players"),
            ("a,b\n", "games.csv:2:1: the row has 2 fields where the header has 5"),
            ("", "games.csv: holds no game"),
        ] {
            let error = text(&format!("winner,loser,weight,tie,home\n{rows}")).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = text("player,opponent\na,b\n").unwrap_err().to_string();
        assert!(error.contains("misses the column `winner`; its first line has player, opponent"), "{error}");
        assert!(text("").unwrap_err().to_string().contains("has nothing"));
        let error = parse(Path::new("games.csv"), b"winner,loser\na,\xff\n").unwrap_err().to_string();
        assert!(error.starts_with("games.csv:2:1: not UTF-8"), "{error}");
    }

    proptest! {
        #[test]
        fn what_was_written_comes_back(
            rows in prop::collection::vec(
                ("[a-z,\" \u{e9}]{1,6}", "[A-Z]{1,3}", 0.1..9.0_f64, any::<bool>(), 0..3_usize), 1..30
            )
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["winner", "loser", "weight", "tie", "home"]).unwrap();
            let rows: Vec<_> = rows.into_iter().filter(|row| !row.0.trim().is_empty()).collect();
            prop_assume!(!rows.is_empty());
            for (winner, loser, weight, tie, home) in &rows {
                let home = ["", winner, loser][*home];
                let tie = if *tie { "true" } else { "" };
                writer.write_record([winner, loser, &weight.to_string(), tie, home]).unwrap();
            }
            let found = parse(Path::new("x"), &writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(found.games.len(), rows.len());
            for (game, (winner, loser, weight, tie, home)) in found.games.iter().zip(&rows) {
                prop_assert_eq!(&found.names[game.winner as usize], winner.trim());
                prop_assert_eq!(&found.names[game.loser as usize], loser);
                prop_assert_eq!((game.weight, game.is_tie), (*weight, *tie));
                prop_assert_eq!(game.home, [None, Some(Home::Winner), Some(Home::Loser)][*home]);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let with_header = [b"winner,loser,weight,tie,home\n".as_slice(), &bytes].concat();
            for bytes in [bytes, with_header] {
                if let Err(error) = parse(Path::new("games.csv"), &bytes) {
                    prop_assert!(error.to_string().contains("games.csv"));
                }
            }
        }
    }
}
