use proptest::prelude::*;

use super::parser::DEEPEST;
use super::*;

fn sides(text: &str, readings: &[f64]) -> (f64, f64) {
    let expectation = Expectation::parse(text).unwrap();
    (expectation.left.value(readings), expectation.right.value(readings))
}

fn refused(text: &str) -> (usize, String) {
    let error = Expectation::parse(text).unwrap_err();
    (error.position, error.problem)
}

#[test]
fn arithmetic_has_the_usual_ranks() {
    assert_eq!(sides("m(a) - 2 - 3 * 4 < -(m(b) + 1) / 2", &[20.0, 5.0]), (6.0, -3.0));
    assert_eq!(sides("abs(m(a) - m(b)) >= 1.5e1 - -.5", &[2.0, 5.0]), (3.0, 15.5));
    assert_eq!(sides("12 / m(a) / 2 > 2e-1", &[3.0]), (2.0, 0.2));
}

#[test]
fn readings_are_told_apart() {
    let text = "return(double-dqn) at 50% >= auc(return( a b )) on MinAtar/Breakout-v1 ";
    let expectation = Expectation::parse(text).unwrap();
    assert_eq!(expectation.relation, Relation::AtLeast);
    assert_eq!(expectation.problem, Some((51, "MinAtar/Breakout-v1".to_owned())));
    let [first, second] = &expectation.readings[..] else { panic!("two readings") };
    assert_eq!((first.label.as_str(), first.which), ("double-dqn", Which::At(0.5)));
    assert_eq!((second.label.as_str(), second.which, second.label_position), ("a b", Which::Mean, 41));
    assert_eq!(first.to_string(), "return(double-dqn) at 50%");
    assert_eq!(second.to_string(), "auc(return(a b))");
}

#[test]
fn values_are_read_from_curves() {
    let read = |text: &str, points: &[(u64, f64)]| {
        Expectation::parse(&format!("{text} > 0")).unwrap().readings[0].of(points, 100)
    };
    let points = [(20, 1.0), (50, 2.0), (100, 5.0)];
    assert_eq!(read("m(a)", &points), Some(5.0));
    assert_eq!(read("m(a) at 50%", &points), Some(2.0));
    assert_eq!(read("m(a) at 49.9%", &points), Some(1.0));
    assert_eq!(read("m(a) at 19%", &points), None);
    // 20 steps of 1, 30 of 2, 50 of 5.
    assert_eq!(read("auc(m(a))", &points), Some(3.3));
    assert_eq!(read("auc(m(a))", &[]), None);
    assert_eq!(read("auc(m(a))", &[(0, 7.0)]), Some(7.0));
}

#[test]
fn errors_say_where_and_what() {
    let expect = |text: &str, position: usize, what: &str| {
        let (at, problem) = refused(text);
        assert!(at == position && problem.contains(what), "{text}: {at}: {problem}");
    };
    expect("", 0, "expected a metric");
    expect("m(a)", 4, "expected one of < <= > >=; the expectation ends here");
    expect("m(a) = 1", 5, "found `=`");
    expect("m(a) < 1 2", 9, "expected an operator");
    expect("m a < 1", 2, "`(` and a method, as in m(dqn)");
    expect("m(a < 1", 2, "`)` after this method");
    expect("m() < 1", 2, "a method");
    expect("m(a) at 0% < 1", 8, "above 0%");
    expect("m(a) at 120% < 1", 8, "not 120%");
    expect("m(a) at < 1", 8, "a percentage");
    expect("m(a) < 1..2", 7, "`1..2` is not a number");
    expect("m(a) < 1e999", 7, "is not a number");
    expect("auc(3) < 1", 4, "auc(return(dqn))");
    expect("m(a) < 1 on ", 12, "name of a problem");
    expect("1 < 2", 0, "nothing is measured");
    expect("(m(a) < 1", 6, "expected `)`");
    expect(&"(".repeat(100_000), DEEPEST, "nested too deeply");
    expect(&format!("m(a){} < 1", "+1".repeat(100_000)), 4 + 2 * DEEPEST + 1, "too long");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*") {
        let _ = Expectation::parse(&text);
    }

    #[test]
    fn no_soup_of_tokens_makes_the_parser_panic(
        tokens in prop::collection::vec(
            prop::sample::select(&["m(a)", "auc(", "abs(", "(", ")", "-", "+", "/", "<", ">=", "1", ".", "e9",
                " at ", "50%", "%", " on ", "é", "x", " "][..]),
            0..30,
        )
    ) {
        let text = tokens.concat();
        match Expectation::parse(&text) {
            Ok(expectation) => prop_assert!(!expectation.readings.is_empty()),
            Err(error) => prop_assert!(text.is_char_boundary(error.position)),
        }
    }

    #[test]
    fn sums_of_products_come_out_as_rust_computes_them(a in -9.0..9.0_f64, b in 0.5..9.0_f64, c in 0.0..9.0_f64) {
        let text = format!("m(x) * {b} - {c} / m(y) + {c} > (m(x) - {b}) * -{c}");
        prop_assert_eq!(sides(&text, &[a, b, a]), (a * b - c / b + c, (a - b) * -c));
    }
}
