//! Numbers worked out independently: closed forms, a published vector, invariances.

use proptest::prelude::*;

use super::errors::{covariance, standard_errors};
use super::leagues::{Leagues, Schedule, log_likelihood};
use super::newton::{Newton, NewtonOptions};
use super::*;
use crate::problem::World;
use crate::solver::{Method, Solution, Solver, solve};

fn wins(counts: &[(u32, u32, u32)]) -> Vec<Game> {
    counts.iter().map(|&(a, b, count)| Game { weight: f64::from(count), ..Game::new(a, b) }).collect()
}

fn league(players: usize, games: Vec<Game>, prior: f64) -> League {
    League::new(players, games, Model { prior, ..Model::default() }).unwrap()
}

fn newman(league: &League, alpha: f64, tolerance: f64) -> Solution {
    let options = NewmanOptions { alpha, tolerance, ..NewmanOptions::default() };
    solve(&mut Newman::new(league, options).unwrap(), league, 100_000)
}

fn newton(league: &League) -> Vec<f64> {
    let options = NewtonOptions { tolerance: 1e-13, ..NewtonOptions::default() };
    let solution = solve(&mut Newton::new(league, options).unwrap(), league, 200);
    assert!(solution.is_converged(), "{}", solution.reason);
    solution.values
}

fn strengths(solution: &[f64]) -> Vec<f64> {
    solution.iter().map(|s| s.exp()).collect()
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance, "{found:?} is not {expected:?}");
    }
}

/// The 16 games of evalica's test: x, y and who won, D for a tie.
const EVALICA: &[(u32, u32, char)] = &[
    (0, 1, 'D'),
    (0, 2, 'Y'),
    (0, 2, 'D'),
    (0, 4, 'D'),
    (1, 0, 'X'),
    (1, 2, 'D'),
    (1, 2, 'D'),
    (1, 3, 'D'),
    (2, 4, 'D'),
    (3, 0, 'X'),
    (3, 1, 'X'),
    (3, 2, 'X'),
    (3, 4, 'D'),
    (3, 4, 'D'),
    (4, 0, 'X'),
    (4, 3, 'X'),
];

fn evalica(ties: Ties) -> League {
    let game = |&(x, y, result): &(u32, u32, char)| match result {
        'X' => Game::new(x, y),
        'Y' => Game::new(y, x),
        _ => Game::tie(x, y),
    };
    League::new(5, EVALICA.iter().map(game).collect(), Model { ties, ..Model::default() }).unwrap()
}

#[test]
fn two_players_take_one_sweep() {
    let games = wins(&[(0, 1, 3), (1, 0, 1)]);
    let free = league(2, games.clone(), 0.0);
    let first = solve(&mut Newman::new(&free, NewmanOptions::default()).unwrap(), &free, 1).values;
    assert!((first[0] - first[1] - 3.0_f64.ln()).abs() < 1e-15 && (first[0] + first[1]).abs() < 1e-15);
    let with_prior = league(2, games, 1.0);
    let expected = [1.521_379_71, 0.657_298_11];
    assert_near(&strengths(&newman(&with_prior, 0.0, 1e-14).values), &expected, 5e-9);
    assert_near(&strengths(&newton(&with_prior)), &expected, 5e-9);
}

#[test]
fn three_players_by_all_methods() {
    let games = wins(&[(0, 1, 2), (1, 0, 1), (0, 2, 1), (1, 2, 2), (2, 1, 1)]);
    // Player 2 has not beaten 0, yet 2 -> 1 -> 0 connects them.
    for (prior, expected, tolerance) in
        [(0.0, [2.485_584, 1.0, 0.402_320], 5e-7), (1.0, [1.826_005_18, 1.0, 0.547_643_57], 5e-9)]
    {
        let league = league(3, games.clone(), prior);
        let set = serde_json::json!({ "tolerance": 1e-13 });
        for method in METHODS.iter().filter(|method| method.name != "elo") {
            let mut solver = (method.make)(&league, set.as_object().unwrap()).unwrap();
            let solution = solve(&mut *solver, &league, 10_000);
            assert!(solution.is_converged(), "{}: {}", method.name, solution.reason);
            assert_near(&strengths(&solution.values), &expected, tolerance);
        }
    }
}

#[test]
fn the_published_vector_and_its_sweeps() {
    let league = evalica(Ties::HalfWin);
    let published = [0.050_799_67, 0.131_150_69, 0.131_685_68, 0.336_888_68, 0.349_475_27];
    let share = |values: &[f64]| {
        let pi = strengths(values);
        let sum: f64 = pi.iter().sum();
        pi.iter().map(|pi| pi / sum).collect::<Vec<f64>>()
    };
    let fast = newman(&league, 0.0, 1e-13);
    assert_near(&share(&fast.values), &published, 5e-9);
    assert_near(&share(&newton(&league)), &published, 5e-9);
    let slow = newman(&league, 1.0, 1e-13);
    assert_near(&share(&slow.values), &published, 5e-9);
    // An independent program takes 16 and 79 sweeps; without dividing by the geometric mean, which costs it the last one of the 79.
    assert_eq!((fast.iterations, slow.iterations), (16, 78));
    assert_eq!((newman(&league, 0.0, 1e-6).iterations, newman(&league, 1.0, 1e-6).iterations), (8, 32));
}

#[test]
fn davidsons_ties_on_the_same_games() {
    let league = evalica(Ties::Davidson);
    let expected = [0.017_973_6, 0.480_240, 0.481_419, 12.805_77, 13.036_74];
    for values in [newman(&league, 0.0, 1e-12).values, newman(&league, 1.0, 1e-12).values, newton(&league)] {
        let found = strengths(&values);
        assert!((found[5] - 3.461_00).abs() < 6e-6, "ν = {}", found[5]);
        // The expected strengths have another scale than geometric mean 1; 0.0179736 has six digits.
        for (a, b) in found[..5].iter().zip(expected) {
            assert!((a / found[4] / (b / expected[4]) - 1.0).abs() < 4e-6, "{found:?}");
        }
    }
}

#[test]
fn at_the_fixed_point_expected_wins_are_observed_wins() {
    let leagues = Leagues {
        players: 40,
        games: 1500,
        spread: 1.0,
        schedule: Schedule::Random,
        ties: false,
        prior: 1.0,
    };
    let (drawn, _) = leagues.draw(3).unwrap();
    let league = league(40, drawn.list, 0.0);
    let values = newman(&league, 0.0, 1e-13).values;
    for i in 0..40 {
        let row = league.games.row(i);
        let (mut observed, mut expected) = (0.0, 0.0);
        for k in 0..row.opponents.len() {
            observed += row.own[k];
            let d = values[row.opponents[k] as usize] - values[i];
            expected += (row.own[k] + row.other[k]) / (1.0 + d.exp());
        }
        assert!((observed - expected).abs() < 1e-8, "{observed} {expected}");
    }
    // The same likelihood from three roads.
    let set = serde_json::json!({ "tolerance": 1e-10 });
    let lbfgs = METHODS.iter().find(|method| method.name == "bradley-terry-lbfgs").unwrap();
    let mut lbfgs = (lbfgs.make)(&league, set.as_object().unwrap()).unwrap();
    let best = log_likelihood(&league, &values);
    for other in [solve(&mut *lbfgs, &league, 10_000).values, newton(&league)] {
        assert!((log_likelihood(&league, &other) - best).abs() < 1e-10 * best.abs());
    }
}

#[test]
fn minorization_never_lowers_the_likelihood() {
    let league = evalica(Ties::HalfWin);
    let mut mm = zermelo::Mm::new(&league, zermelo::ZermeloOptions::default()).unwrap();
    let mut before = f64::NEG_INFINITY;
    for _ in 0..100 {
        mm.iterate(&league).unwrap();
        let now = log_likelihood(&league, &mm.values());
        assert!(now >= before - 1e-12);
        before = now;
    }
}

#[test]
fn smaller_alpha_takes_fewer_sweeps_and_all_at_once_takes_more() {
    // α in {1, 0.5, 0} on a chain; synchronously the last takes longer.
    let chain =
        Leagues { players: 30, games: 600, spread: 0.5, schedule: Schedule::Chain, ties: false, prior: 1.0 };
    let (league, drawn) = chain.draw(0).unwrap();
    let sweeps = [1.0, 0.5, 0.0].map(|alpha| newman(&league, alpha, 1e-6).iterations);
    assert!(sweeps[0] > sweeps[1] && sweeps[1] > sweeps[2] && sweeps[0] > 2 * sweeps[2], "{sweeps:?}");
    let options = NewmanOptions { in_place: false, ..NewmanOptions::default() };
    let together = solve(&mut Newman::new(&league, options).unwrap(), &league, 100_000).iterations;
    assert!(together > 2 * sweeps[2], "{together} {sweeps:?}");
    for alpha in [0.0, 1.0] {
        assert_near(&newman(&league, alpha, 1e-13).values, &drawn.solution, 3e-10);
    }
}

#[test]
fn a_home_advantage_of_two_players_is_exact() {
    // At home 0 wins 4 of 5 and 1 wins 3 of 5: θ π = 4, θ/π = 3/2, so θ = sqrt(6), π = sqrt(8/3).
    let at = |winner, loser, home, weight| Game { home: Some(home), weight, ..Game::new(winner, loser) };
    let games = vec![
        at(0, 1, Home::Winner, 4.0),
        at(1, 0, Home::Loser, 1.0),
        at(1, 0, Home::Winner, 3.0),
        at(0, 1, Home::Loser, 2.0),
    ];
    let league = League::new(2, games, Model { home: true, ..Model::default() }).unwrap();
    for values in [newman(&league, 0.0, 1e-14).values, newton(&league)] {
        assert!((values[2] - 6.0_f64.sqrt().ln()).abs() < 1e-9, "{values:?}");
        assert!((values[0] - values[1] - (8.0_f64 / 3.0).sqrt().ln()).abs() < 1e-9, "{values:?}");
    }
}

#[test]
fn a_home_advantage_without_end_is_a_reason_not_a_number() {
    let at_home = |a, b| Game { home: Some(Home::Winner), ..Game::new(a, b) };
    let league =
        League::new(2, vec![at_home(0, 1), at_home(1, 0)], Model { home: true, ..Model::default() }).unwrap();
    let solution = newman(&league, 0.0, 0.0);
    assert!(solution.reason.to_string().contains("home advantage grows without end"), "{}", solution.reason);
}

#[test]
fn models_without_a_greatest_point_are_refused() {
    let refuse = |games: Vec<Game>, model: Model| League::new(3, games, model).unwrap_err().to_string();
    let chain = wins(&[(0, 1, 1), (1, 2, 1)]);
    let error = refuse(chain.clone(), Model::default());
    assert!(error.contains("no finite strengths") && error.contains("lost no point"), "{error}");
    let davidson = Model { prior: 1.0, ties: Ties::Davidson, home: false };
    assert!(refuse(chain.clone(), davidson).contains("needs a tie"));
    assert!(refuse(chain.clone(), Model { prior: 1.0, home: true, ..Model::default() }).contains("at home"));
    assert!(refuse(chain.clone(), Model { prior: -1.0, ..Model::default() }).contains("prior"));
    assert!(League::new(3, chain, Model { prior: 0.1, ..Model::default() }).is_ok());
}

#[test]
fn standard_errors_of_two_players_by_hand() {
    // n p (1-p) = 4 * 3/16 = 3/4 is the information on the difference; relative to the mean each has half of it.
    let free = league(2, wins(&[(0, 1, 3), (1, 0, 1)]), 0.0);
    let values = newton(&free);
    let found = covariance(&free, &values).unwrap();
    let difference = found[(0, 0)] + found[(1, 1)] - 2.0 * found[(0, 1)];
    assert!((difference - 4.0 / 3.0).abs() < 1e-9, "{found}");
    assert!((found[(0, 0)] - 1.0 / 3.0).abs() < 1e-9 && (found[(0, 0)] + found[(0, 1)]).abs() < 1e-12);
    // The posterior of one player against the prior only: information 2 p (1 - p) with p = 1/2.
    let alone = league(1, Vec::new(), 1.0);
    assert!((standard_errors(&alone, &[0.0], &[0]).unwrap()[0] - 2.0_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn errors_by_conjugate_gradients_are_those_of_the_dense_inverse() {
    for (ties, prior) in [(Ties::HalfWin, 0.0), (Ties::Davidson, 1.0), (Ties::Davidson, 0.0)] {
        let leagues = Leagues {
            players: 60,
            games: 3000,
            spread: 0.8,
            schedule: Schedule::Random,
            ties: true,
            prior: 1.0,
        };
        let (drawn, _) = leagues.draw(1).unwrap();
        let league = League::new(60, drawn.list, Model { prior, ties, home: true }).unwrap();
        let values = newton(&league);
        let dense = covariance(&league, &values).unwrap();
        let mut likelihood = likelihood::Likelihood::new(&league);
        likelihood.linearize(&values);
        for place in [0, 17, 59, 60, values.len() - 1] {
            let mut right = vec![0.0; values.len()];
            right[place] = 1.0;
            if prior == 0.0 && place < 60 {
                right[..60].iter_mut().for_each(|r| *r -= 1.0 / 60.0);
            }
            let mut x = vec![0.0; values.len()];
            likelihood::conjugate_gradients(&likelihood, &right, 1e-10, 1000, &mut x);
            let exact = dense[(place, place)];
            assert!((x[place] / exact - 1.0).abs() < 1e-6, "{place}: {} {exact}", x[place]);
        }
    }
}

#[test]
fn standard_errors_are_the_spread_over_drawn_leagues() {
    let leagues = Leagues {
        players: 10,
        games: 2000,
        spread: 0.5,
        schedule: Schedule::Random,
        ties: false,
        prior: 1.0,
    };
    let (mut inside, mut all) = (0, 0);
    for seed in 0..60 {
        let (drawn, fresh) = leagues.draw(100 + seed).unwrap();
        let league = league(10, drawn.list, 0.0);
        let values = newton(&league);
        let errors = standard_errors(&league, &values, &(0..10).collect::<Vec<_>>()).unwrap();
        let mut true_strengths = fresh.strengths;
        center(&mut true_strengths);
        for i in 0..10 {
            inside += usize::from((values[i] - true_strengths[i]).abs() < 1.96 * errors[i]);
            all += 1;
        }
    }
    // 95 % of 600, give or take three standard deviations of a binomial number.
    assert!((553..=587).contains(&inside), "{inside} of {all} intervals hold the truth");
}

#[test]
fn derivatives_of_the_likelihood_agree_with_differences() {
    let leagues =
        Leagues { players: 8, games: 120, spread: 1.0, schedule: Schedule::Random, ties: true, prior: 1.0 };
    let (league, drawn) = leagues.draw(2).unwrap();
    let mut likelihood = likelihood::Likelihood::new(&league);
    let values: Vec<f64> =
        drawn.solution.iter().enumerate().map(|(k, v)| v + 0.1 * (k as f64).sin()).collect();
    let mut gradient = vec![0.0; values.len()];
    likelihood.value_and_gradient(&values, &mut gradient);
    likelihood.linearize(&values);
    let dense = likelihood.dense();
    let h = 1e-5;
    for k in 0..values.len() {
        let at = |step: f64| {
            let mut moved = values.clone();
            moved[k] += step;
            let mut gradient = vec![0.0; values.len()];
            (likelihood.value_and_gradient(&moved, &mut gradient), gradient)
        };
        let ((up, up_gradient), (down, down_gradient)) = (at(h), at(-h));
        assert!(((up - down) / (2.0 * h) - gradient[k]).abs() < 1e-5);
        let mut unit = vec![0.0; values.len()];
        unit[k] = 1.0;
        let mut column = vec![0.0; values.len()];
        likelihood.product(&unit, &mut column);
        for j in 0..values.len() {
            let slope = (down_gradient[j] - up_gradient[j]) / (2.0 * h);
            assert!((slope - column[j]).abs() < 1e-5 && (dense[(j, k)] - column[j]).abs() < 1e-12, "{j} {k}");
        }
        assert!((likelihood.diagonal()[k] - dense[(k, k)]).abs() < 1e-12);
    }
}

fn games(players: u32) -> impl Strategy<Value = Vec<Game>> {
    let game = (0..players, 1..players, any::<bool>())
        .prop_map(move |(a, step, is_tie)| Game { is_tie, ..Game::new(a, (a + step) % players) });
    prop::collection::vec(game, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn relabelling_permutes_swapping_inverts_and_weights_only_matter_with_a_prior(games in games(6)) {
        // A circle of wins makes every draw strongly connected.
        let games: Vec<Game> = games.into_iter().chain((0..6).map(|i| Game::new(i, (i + 1) % 6))).collect();
        for prior in [0.0, 1.0] {
            let values = newton(&league(6, games.clone(), prior));
            let relabelled = games
                .iter()
                .map(|game| Game { winner: (game.winner + 2) % 6, loser: (game.loser + 2) % 6, ..*game })
                .collect();
            let other = newton(&league(6, relabelled, prior));
            (0..6).for_each(|i| assert!((other[(i + 2) % 6] - values[i]).abs() < 1e-7));
            let swapped =
                games.iter().map(|game| Game { winner: game.loser, loser: game.winner, ..*game }).collect();
            let inverse = newton(&league(6, swapped, prior));
            (0..6).for_each(|i| assert!((inverse[i] + values[i]).abs() < 1e-7));
            let heavier = games.iter().map(|game| Game { weight: 3.0, ..*game }).collect();
            let heavy = newton(&league(6, heavier, prior));
            let moved = (0..6).any(|i| (heavy[i] - values[i]).abs() > 1e-7);
            let level = values.iter().all(|s| s.abs() < 1e-6);
            prop_assert_eq!(moved, prior > 0.0 && !level);
        }
    }

    #[test]
    fn newman_and_newton_agree(games in games(7), alpha in 0.0..2.0_f64) {
        let league = league(7, games, 1.0);
        let slow = newman(&league, alpha, 1e-13);
        prop_assert!(slow.is_converged());
        newton(&league).iter().zip(&slow.values).for_each(|(a, b)| assert!((a - b).abs() < 1e-9));
    }
}

#[test]
fn a_star_is_one_sweep_of_newmans_iteration() {
    let star =
        Leagues { players: 12, games: 600, spread: 2.0, schedule: Schedule::Star, ties: false, prior: 0.0 };
    let (league, truth) = star.draw(3).unwrap();
    let newman = solve(&mut Newman::new(&league, NewmanOptions::default()).unwrap(), &league, 100);
    // The second sweep sees that nothing changes any more.
    assert!(newman.is_converged() && newman.iterations <= 3, "{}", newman.iterations);
    for (found, exact) in newman.values.iter().zip(&truth.solution) {
        assert!((found - exact).abs() < 1e-8, "{found} {exact}");
    }
}
