//! Rows of a user for logistic regression, in the format of LIBSVM and SVMlight.
//!
//! > label index:value index:value ...      # a note
//!
//! A row a line; indices begin at 1 and ascend, what is not named is zero. Labels are any two numbers, the larger of which counts as +1.
//! Logistic regression has no intercept here: who wants one adds a feature that is always 1. Neither of the libraries at hand reads the format with
//! errors that tell the place.

use std::fmt::Write;
use std::path::Path;

use quire_core::{Error, Result, files};

use super::components::Logistic;

/// The largest index: a vector of so many numbers takes half a gigabyte.
const MOST_FEATURES: usize = 1 << 26;

/// Labels and what is not zero in the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// One a row.
    pub labels: Vec<f64>,
    /// Where rows begin in `places` and `values`, and where the last one ends.
    pub starts: Vec<usize>,
    /// Indices less 1, ascending in a row.
    pub places: Vec<u32>,
    /// The values at them.
    pub values: Vec<f64>,
    /// The largest index.
    pub width: usize,
}

/// True if this is the name of such a file: it ends in `.libsvm`, `.svmlight` or `.svm`.
pub fn is_name(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    extension
        .is_some_and(|found| ["libsvm", "svmlight", "svm"].iter().any(|one| found.eq_ignore_ascii_case(one)))
}

/// Reads a file.
///
/// # Errors
/// An unreadable file, or a line that is no row: the message names file, line and column.
pub fn read(path: &Path) -> Result<Labelled> {
    parse(path, &files::read_text(path)?)
}

/// Reads the text of a file; `path` is named in errors.
///
/// # Errors
/// Those of [`read`].
pub fn parse(path: &Path, text: &str) -> Result<Labelled> {
    let mut rows =
        Labelled { labels: Vec::new(), starts: vec![0], places: Vec::new(), values: Vec::new(), width: 0 };
    for (index, whole) in text.lines().enumerate() {
        let line = whole.split_once('#').map_or(whole, |(line, _)| line);
        let wrong = |word: &str, problem: String| Error::Parse {
            path: path.to_owned(),
            line: index + 1,
            column: word.as_ptr() as usize - whole.as_ptr() as usize + 1,
            problem,
        };
        let number = |word: &str, what: &str| {
            let number = word.parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| wrong(word, format!("{what} `{word}` is not a finite number")))
        };
        let mut words = line.split_ascii_whitespace();
        let Some(label) = words.next() else { continue };
        rows.labels.push(number(label, "the label")?);
        let mut last = 0;
        for word in words {
            let Some((feature, value)) = word.split_once(':') else {
                return Err(wrong(word, format!("`{word}` is not of the form index:value")));
            };
            if feature == "qid" {
                return Err(wrong(word, "groups of a ranking (qid) are not read; remove them".into()));
            }
            let place = feature.parse::<usize>().ok().filter(|place| (1..=MOST_FEATURES).contains(place));
            let place = place.ok_or_else(|| {
                wrong(word, format!("index `{feature}` is not a whole number from 1 to {MOST_FEATURES}"))
            })?;
            if place <= last {
                return Err(wrong(
                    word,
                    format!("index {place} comes after {last}; indices of a row ascend"),
                ));
            }
            last = place;
            let value = number(value, "the value")?;
            if value != 0.0 {
                rows.places.push((place - 1) as u32);
                rows.values.push(value);
            }
        }
        rows.width = rows.width.max(last);
        rows.starts.push(rows.places.len());
    }
    Ok(rows)
}

/// As a file's text.
pub fn write(rows: &Labelled) -> String {
    let mut text = String::new();
    for (label, ends) in rows.labels.iter().zip(rows.starts.windows(2)) {
        let _ = write!(text, "{label}");
        for i in ends[0]..ends[1] {
            let _ = write!(text, " {}:{}", rows.places[i] + 1, rows.values[i]);
        }
        text.push('\n');
    }
    text
}

impl Labelled {
    /// The logistic regression on them, with ridge 1/n.
    ///
    /// # Errors
    /// No row, no feature, or other than two labels; `path` is named.
    pub fn logistic(self, path: &Path) -> Result<Logistic> {
        let mut kinds: Vec<f64> = Vec::new();
        for label in &self.labels {
            if !kinds.contains(label) {
                kinds.push(*label);
            }
            if kinds.len() > 2 {
                break;
            }
        }
        let problem = match kinds[..] {
            [] => Some("has no rows".to_owned()),
            [only] => Some(format!("has the label {only} alone; logistic regression needs two")),
            [_, _] if self.places.is_empty() => Some("has no features".to_owned()),
            [_, _] => None,
            [a, b, c, ..] => Some(format!(
                "has more than two labels, {a}, {b} and {c} among them; make it a question of yes and no"
            )),
        };
        if let Some(problem) = problem {
            return Err(Error::file(path, problem));
        }
        let above = kinds[0].max(kinds[1]);
        let Labelled { labels, starts, places, mut values, width } = self;
        for (label, ends) in labels.iter().zip(starts.windows(2)) {
            if *label != above {
                values[ends[0]..ends[1]].iter_mut().for_each(|value| *value = -*value);
            }
        }
        Ok(Logistic::sparse(starts, places, values, width, 1.0 / labels.len() as f64))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::FiniteSum;
    use super::*;

    fn text(text: &str) -> Result<Labelled> {
        parse(Path::new("a.libsvm"), text)
    }

    fn sum(file: &str) -> Result<Logistic> {
        text(file)?.logistic(Path::new("a.libsvm"))
    }

    #[test]
    fn rows_are_read() {
        let rows = text("# a note\n+1 1:0.5 3:-2e1 # another\n\n-1\n-1\t2:1  3:0\r\n").unwrap();
        assert_eq!(rows.labels, [1.0, -1.0, -1.0]);
        assert_eq!((&rows.starts[..], &rows.places[..], rows.width), (&[0, 2, 2, 3][..], &[0, 2, 1][..], 3));
        assert_eq!(rows.values, [0.5, -20.0, 1.0]);
        assert!(is_name("data/a9a.libsvm") && is_name("b.SVM") && !is_name("a9a") && !is_name("river.npz"));
    }

    #[test]
    fn its_logistic_regression_is_that_of_full_rows() {
        // Labels 0 and 1 are -1 and 1.
        let sparse = sum("1 1:0.5 3:-2\n0 2:1\n0 1:0.25 2:-1 3:3\n").unwrap();
        let full = Logistic::new(vec![0.5, 0.0, -2.0, 0.0, -1.0, 0.0, -0.25, 1.0, -3.0], 3, 1.0 / 3.0);
        let (x, v, batch) = ([0.3, -0.7, 0.2], [1.0, 0.5, -0.25], [0, 2]);
        assert!((FiniteSum::value(&sparse, &x) - FiniteSum::value(&full, &x)).abs() < 1e-15);
        assert!((sparse.least() - full.least()).abs() < 1e-15);
        assert!(
            (sparse.third_derivative(&x, &batch, &v) - full.third_derivative(&x, &batch, &v)).abs() < 1e-15
        );
        let (mut a, mut b) = ([0.0; 3], [0.0; 3]);
        FiniteSum::gradient(&sparse, &x, &batch, &mut a);
        FiniteSum::gradient(&full, &x, &batch, &mut b);
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-15));
        FiniteSum::hessian_product(&sparse, &x, &batch, &v, &mut a);
        FiniteSum::hessian_product(&full, &x, &batch, &v, &mut b);
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-15));
        // y a·x of the three rows is -0.25, 0.7 and -1.375.
        assert!((sparse.misclassified(&x) - 2.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn the_least_value_of_many_or_large_features() {
        // By symmetry one unknown w: ln(1 + e^{-w}) + w²/4, least where w/2 = 1/(1 + e^w): w = 0.674806...
        let at: f64 = (0..60).fold(0.7, |w: f64, _| w - (w / 2.0 - 1.0 / (1.0 + w.exp())) / 0.75);
        let least = (-at).exp().ln_1p() + 0.25 * at * at;
        assert!((sum("1 1:1\n-1 1:-1\n").unwrap().least() - least).abs() < 1e-14);
        // The same in the last of 600 features, by conjugate gradients.
        assert!((sum("1 600:1\n-1 600:-1\n").unwrap().least() - least).abs() < 1e-14);
        // Where features are in the thousands, nothing overshoots.
        let large = sum("1 1:3000 2:1\n-1 1:2000 2:-2\n-1 1:-100 2:5\n1 1:700\n").unwrap();
        let mut gradient = [0.0; 2];
        assert!(large.least().is_finite() && large.least() < 2.0_f64.ln());
        FiniteSum::gradient(&large, &[0.0; 2], &[0, 1, 2, 3], &mut gradient);
        assert!(gradient.iter().all(|g| g.is_finite()));
    }

    #[test]
    fn mistakes_are_named_with_line_and_column() {
        for (file, expected) in [
            ("1 1:1\nyes 1:1\n", "a.libsvm:2:1: the label `yes` is not a finite number"),
            ("nan 1:1\n", "a.libsvm:1:1: the label `nan`"),
            ("1 1:1 2\n", "a.libsvm:1:7: `2` is not of the form index:value"),
            ("1 0:1\n", "a.libsvm:1:3: index `0` is not a whole number from 1"),
            ("1 -1:1\n", "a.libsvm:1:3: index `-1` is not"),
            ("1 99999999999:1\n", "a.libsvm:1:3: index `99999999999` is not"),
            ("1 2:1 2:1\n", "a.libsvm:1:7: index 2 comes after 2; indices of a row ascend"),
            ("1 1:one\n", "a.libsvm:1:5: the value `one` is not a finite number"),
            ("1 1:inf\n", "a.libsvm:1:5: the value `inf`"),
            ("1 1:\n", "a.libsvm:1:5: the value `` is not"),
            ("1 qid:3 1:1\n", "a.libsvm:1:3: groups of a ranking (qid) are not read"),
            ("", "a.libsvm: has no rows"),
            ("1 1:1\n1 1:2\n", "a.libsvm: has the label 1 alone"),
            ("1\n2\n", "a.libsvm: has no features"),
            ("1 1:1\n2 1:1\n3 1:1\n", "a.libsvm: has more than two labels, 1, 2 and 3 among them"),
        ] {
            let error = sum(file).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    fn row() -> impl Strategy<Value = (f64, Vec<(u32, f64)>)> {
        let value = any::<f64>().prop_filter("finite, not zero", |v| v.is_finite() && *v != 0.0);
        let features = prop::collection::btree_map(0..50_u32, value, 0..6);
        (prop::sample::select(vec![-1.0, 0.0, 1.0, 2.5]), features.prop_map(|all| all.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn what_was_written_comes_back(drawn in prop::collection::vec(row(), 0..8)) {
            let mut rows =
                Labelled { labels: Vec::new(), starts: vec![0], places: Vec::new(), values: Vec::new(), width: 0 };
            for (label, features) in drawn {
                rows.labels.push(label);
                for (place, value) in features {
                    rows.places.push(place);
                    rows.values.push(value);
                    rows.width = rows.width.max(place as usize + 1);
                }
                rows.starts.push(rows.places.len());
            }
            prop_assert_eq!(text(&write(&rows)).unwrap(), rows);
        }

        #[test]
        fn no_text_makes_it_panic(noise in "[ -~\n\t]{0,80}", body in "[0-9 .:e\n#-]{0,60}") {
            for file in [noise, body] {
                if let Err(error) = sum(&file) {
                    prop_assert!(error.to_string().contains("a.libsvm"));
                }
            }
        }
    }
}
