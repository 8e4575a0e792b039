//! `quire rank` on a user's own games, as a user meets it.

mod user;

use std::path::{Path, PathBuf};

use user::{fail, folder, json, succeed};

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The published test of another library: 16 games, ties as half a win.
const GAMES: &str = "winner,loser,tie
0,1,1\n2,0,0\n0,2,1\n0,4,1\n1,0,0\n1,2,1\n1,2,1\n1,3,1\n2,4,1\n3,0,0\n3,1,0\n3,2,0\n3,4,1\n3,4,1\n4,0,0\n4,3,0\n";

#[test]
fn a_published_ranking_comes_out_with_errors_and_pictures() {
    let out = folder();
    let path = write(out.path(), "games.csv", GAMES);
    let games = path.to_str().unwrap();
    let found = json(out.path(), &["rank", games]);
    let ranking = found["ranking"].as_array().unwrap();
    let published = [
        ("4", 0.349_475_27),
        ("3", 0.336_888_68),
        ("2", 0.131_685_68),
        ("1", 0.131_150_69),
        ("0", 0.050_799_67),
    ];
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let sum: f64 = ranking.iter().map(|place| number(&place["strength"]).exp()).sum();
    for (place, (player, share)) in ranking.iter().zip(published) {
        assert_eq!(place["player"], player);
        assert!((number(&place["strength"]).exp() / sum - share).abs() < 1e-7);
        assert!(number(&place["error"]) > 0.5 && place["ranks"].is_array());
    }
    assert_eq!((found["converged"].as_bool(), found["prior"].as_f64()), (Some(true), Some(0.0)));
    let (svg, html, csv) = (out.path().join("a.svg"), out.path().join("a.html"), out.path().join("a.csv"));
    let words =
        ["rank", games, "--points", "--top", "3", "--ties", "davidson", "--plot", svg.to_str().unwrap()];
    let printed = succeed(out.path(), &[&words[..], &["--csv", csv.to_str().unwrap()]].concat());
    for part in ["no prior: maximum likelihood", "ties, ν", "3.46", "ELO POINTS", "2 more players", "a.svg"]
    {
        assert!(printed.contains(part), "the output lacks {part}: {printed}");
    }
    let drawing = std::fs::read_to_string(svg).unwrap();
    assert!(drawing.starts_with("<svg xmlns") && drawing.matches("<circle").count() == 3);
    let rows = std::fs::read_to_string(csv).unwrap();
    assert_eq!((rows.lines().count(), rows.lines().nth(1).unwrap().split(',').count()), (6, 13));
    succeed(out.path(), &["rank", games, "--plot", html.to_str().unwrap()]);
    assert!(std::fs::read_to_string(html).unwrap().contains("<svg class=\"chart\""));
    // Another method finds the same.
    let newton = json(out.path(), &["rank", games, "--method", "bradley-terry-newton"]);
    let (a, b) = (number(&newton["ranking"][0]["strength"]), number(&ranking[0]["strength"]));
    assert!((a - b).abs() < 1e-7, "{a} {b}");
}

#[test]
fn what_games_cannot_tell_is_said() {
    let out = folder();
    let path = write(out.path(), "games.csv", "winner,loser\na,b\nb,a\nnew,a\nx,y\n");
    let games = path.to_str().unwrap();
    let printed = succeed(out.path(), &["rank", games]);
    for part in ["prior of 1", "warning: these games have no finite", "{x, y}", "new, x lost no point"] {
        assert!(printed.contains(part), "the output lacks {part}: {printed}");
    }
    let error = fail(out.path(), &["rank", games, "--prior", "0"], 1);
    assert!(error.contains("new, x lost no point") && error.contains("--prior"), "{error}");
}

#[test]
fn mistakes_are_named() {
    let out = folder();
    let games = write(out.path(), "games.csv", "winner,loser,weight\na,b,1\nb,a,none\n");
    let games = games.to_str().unwrap();
    let error = fail(out.path(), &["rank", games], 2);
    assert!(error.contains("games.csv:3:3: column 3 (`weight`): `none` is not a finite number"), "{error}");
    assert!(fail(out.path(), &["rank", "nowhere.csv"], 1).contains("nowhere.csv"));
    let good = write(out.path(), "good.csv", GAMES);
    let good = good.to_str().unwrap();
    assert!(fail(out.path(), &["rank", good, "--method", "elos"], 2).contains("did you mean `elo`"));
    assert!(fail(out.path(), &["rank", good, "--set", "tolerance=-1"], 2).contains("tolerance"));
    assert!(fail(out.path(), &["rank", good, "--prior", "-1"], 2).contains("prior"));
    assert!(fail(out.path(), &["rank", good, "--plot", "a.png"], 2).contains(".svg or .html"));
    assert!(
        fail(out.path(), &["rank", good, "--method", "elo", "--ties", "davidson"], 2).contains("half a win")
    );
}
