//! Expectations: a small language over the metrics of a study.
//!
//! ```text
//! expectation := sum ("<" | "<=" | ">" | ">=") sum [ "on" problem ]
//! sum         := product { ("+" | "-") product }
//! product     := factor { ("*" | "/") factor }
//! factor      := "-" factor | number | "(" sum ")" | "abs" "(" sum ")" | reading
//! reading     := metric "(" label ")" [ "at" number "%" ] | "auc" "(" metric "(" label ")" ")"
//! ```
//!
//! `return(dqn)` is the last recorded value, `return(dqn) at 50%` the last one recorded in the first half of the budget,
//! `auc(return(dqn))` the mean over the curve. Each stands for one number a seed, of which the interquartile mean is
//! taken; arithmetic is done on those means. Without `on`, an expectation is about every problem of its study.

mod parser;

use self::parser::Parser;

/// A statement about a study: `left relation right`, on one problem or on all.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// As it was written.
    pub text: String,
    /// The left side.
    pub left: Expression,
    /// How the sides are expected to relate.
    pub relation: Relation,
    /// The right side.
    pub right: Expression,
    /// What both sides read, in order of appearance; at least one.
    pub readings: Vec<Reading>,
    /// The problem it is about, with the byte in the text where its name begins; `None` is every problem of the study.
    pub problem: Option<(usize, String)>,
}

/// An arithmetic expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A number.
    Number(f64),
    /// A reading, by its place in [`Expectation::readings`].
    Reading(usize),
    /// The negative.
    Negative(Box<Expression>),
    /// The absolute value.
    Absolute(Box<Expression>),
    /// Two operands.
    Binary(Operator, Box<Expression>, Box<Expression>),
}

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

/// How two sides are expected to relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Relation {
    /// As it is written: `<`, `<=`, `>`, `>=`.
    pub fn symbol(self) -> &'static str {
        match self {
            Relation::Less => "<",
            Relation::AtMost => "<=",
            Relation::Greater => ">",
            Relation::AtLeast => ">=",
        }
    }

    /// True if the left side is expected to be the smaller one.
    pub fn expects_less(self) -> bool {
        matches!(self, Relation::Less | Relation::AtMost)
    }
}

/// One number of every run of a method.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The metric's name.
    pub metric: String,
    /// The label of the method in the study.
    pub label: String,
    /// Which of the recorded values.
    pub which: Which,
    /// The byte in the expectation's text where it begins.
    pub position: usize,
    /// The byte where the label begins.
    pub label_position: usize,
}

/// Which of a metric's recorded values is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Which {
    /// The last one recorded within this fraction of the budget; 1 is the end.
    At(f64),
    /// The mean over the curve, each point standing for the steps since the one before.
    Mean,
}

/// What is wrong with a text, and where: the byte from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The byte where it was noticed.
    pub position: usize,
    /// What is wrong and what is expected.
    pub problem: String,
}

impl Expression {
    /// True if nothing is measured in it.
    pub fn is_constant(&self) -> bool {
        match self {
            Expression::Number(_) => true,
            Expression::Reading(_) => false,
            Expression::Negative(inner) | Expression::Absolute(inner) => inner.is_constant(),
            Expression::Binary(_, left, right) => left.is_constant() && right.is_constant(),
        }
    }

    /// Its value, given those of the readings.
    pub fn value(&self, readings: &[f64]) -> f64 {
        match self {
            Expression::Number(number) => *number,
            Expression::Reading(index) => readings[*index],
            Expression::Negative(inner) => -inner.value(readings),
            Expression::Absolute(inner) => inner.value(readings).abs(),
            Expression::Binary(operator, left, right) => {
                let (left, right) = (left.value(readings), right.value(readings));
                match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / right,
                }
            }
        }
    }
}

impl Reading {
    /// The value of one run from its points (step ascending, value), or `None` if nothing was recorded that early.
    pub fn of(&self, points: &[(u64, f64)], budget: u64) -> Option<f64> {
        match self.which {
            Which::At(fraction) => {
                let until = fraction * budget as f64;
                points.iter().rev().find(|(step, _)| *step as f64 <= until).map(|(_, value)| *value)
            }
            Which::Mean => {
                let last = points.last()?.0;
                if last == 0 {
                    return Some(points.last()?.1);
                }
                let before = [0].into_iter().chain(points.iter().map(|point| point.0));
                let area: f64 = points
                    .iter()
                    .zip(before)
                    .map(|((step, value), before)| value * (step - before) as f64)
                    .sum();
                Some(area / last as f64)
            }
        }
    }
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Reading { metric, label, .. } = self;
        match self.which {
            Which::Mean => write!(f, "auc({metric}({label}))"),
            Which::At(1.0) => write!(f, "{metric}({label})"),
            Which::At(fraction) => write!(f, "{metric}({label}) at {}%", 100.0 * fraction),
        }
    }
}

impl Expectation {
    /// Reads an expectation.
    ///
    /// # Errors
    /// What is wrong, and where in `text`.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut parser = Parser::new(text);
        let left = parser.sum()?;
        let relation = parser.relation()?;
        let right = parser.sum()?;
        let problem = parser.problem()?;
        let readings = parser.readings;
        if readings.is_empty() {
            let problem = "nothing is measured here; write a metric of a method, as in return(dqn)".into();
            return Err(SyntaxError { position: 0, problem });
        }
        Ok(Expectation { text: text.trim().to_owned(), left, relation, right, readings, problem })
    }
}

#[cfg(test)]
mod tests;
