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

/// Nesting beyond this is refused; nobody can read it either.
const DEEPEST: usize = 50;

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
        let mut parser = Parser { text, at: 0, depth: 0, readings: Vec::new() };
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

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    readings: Vec<Reading>,
}

type Parsed<T> = Result<T, SyntaxError>;

impl<'a> Parser<'a> {
    /// What is left, without the blanks before it.
    fn rest(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn error<T>(&mut self, problem: impl Into<String>) -> Parsed<T> {
        self.rest();
        Err(SyntaxError { position: self.at, problem: problem.into() })
    }

    /// An error that says what was expected and what stands there.
    fn expected<T>(&mut self, what: &str) -> Parsed<T> {
        let found = match self.rest().chars().next() {
            Some(found) => format!("found `{found}`"),
            None => "the expectation ends here".to_owned(),
        };
        self.error(format!("expected {what}; {found}"))
    }

    /// Takes `symbol` if it comes next.
    fn take(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    /// Takes `symbol` or says that it was expected.
    fn need(&mut self, symbol: &str) -> Parsed<()> {
        if self.take(symbol) { Ok(()) } else { self.expected(&format!("`{symbol}`")) }
    }

    /// The word that comes next, not taken yet; empty if there is none.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if rest.starts_with(|c: char| c.is_alphabetic() || c == '_') { &rest[..end] } else { "" }
    }

    fn relation(&mut self) -> Parsed<Relation> {
        let symbols = [
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            ("<", Relation::Less),
            (">", Relation::Greater),
        ];
        for (symbol, relation) in symbols {
            if self.take(symbol) {
                return Ok(relation);
            }
        }
        self.expected("one of < <= > >=")
    }

    fn sum(&mut self) -> Parsed<Expression> {
        self.operands(Self::product, &[("+", Operator::Add), ("-", Operator::Subtract)])
    }

    fn product(&mut self) -> Parsed<Expression> {
        self.operands(Self::factor, &[("*", Operator::Multiply), ("/", Operator::Divide)])
    }

    /// Operands with operators of one rank between them, from left to right.
    fn operands(
        &mut self,
        operand: fn(&mut Self) -> Parsed<Expression>,
        operators: &[(&str, Operator)],
    ) -> Parsed<Expression> {
        let mut left = operand(self)?;
        let mut count = 0;
        while let Some((_, operator)) = operators.iter().find(|(symbol, _)| self.take(symbol)) {
            // A chain nests to the left, and what is nested is walked recursively.
            count += 1;
            if count > DEEPEST {
                return self.error("this expectation is too long");
            }
            left = Expression::Binary(*operator, Box::new(left), Box::new(operand(self)?));
        }
        Ok(left)
    }

    fn factor(&mut self) -> Parsed<Expression> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.error("parentheses and signs are nested too deeply here");
        }
        let factor = self.factor_inside();
        self.depth -= 1;
        factor
    }

    fn factor_inside(&mut self) -> Parsed<Expression> {
        if self.take("-") {
            return Ok(Expression::Negative(Box::new(self.factor()?)));
        }
        if self.take("(") {
            let inner = self.sum()?;
            self.need(")")?;
            return Ok(inner);
        }
        if self.rest().starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Ok(Expression::Number(self.number()?));
        }
        match self.word() {
            "" => self.expected("a metric, as in return(dqn), a number or `(`"),
            "abs" => {
                self.at += "abs".len();
                self.need("(")?;
                let inner = self.sum()?;
                self.need(")")?;
                Ok(Expression::Absolute(Box::new(inner)))
            }
            "auc" => {
                self.at += "auc".len();
                self.need("(")?;
                if self.word().is_empty() {
                    return self.expected("a metric, as in auc(return(dqn))");
                }
                let mut reading = self.metric()?;
                self.need(")")?;
                reading.which = Which::Mean;
                Ok(self.reading(reading))
            }
            _ => {
                let mut reading = self.metric()?;
                if self.word() == "at" {
                    self.at += "at".len();
                    reading.which = Which::At(self.percentage()?);
                }
                Ok(self.reading(reading))
            }
        }
    }

    fn reading(&mut self, reading: Reading) -> Expression {
        self.readings.push(reading);
        Expression::Reading(self.readings.len() - 1)
    }

    /// `metric(label)`; the word that comes next is the metric's name.
    fn metric(&mut self) -> Parsed<Reading> {
        let metric = self.word();
        let position = self.at;
        self.at += metric.len();
        if !self.take("(") {
            return self.expected(&format!("`(` and a method, as in {metric}(dqn)"));
        }
        let rest = self.rest();
        let Some(end) = rest.find(')') else { return self.error("the `)` after this method is missing") };
        let label = rest[..end].trim_end();
        if label.is_empty() {
            return self.expected("a method, as in return(dqn)");
        }
        let label_position = self.at;
        self.at += end + 1;
        Ok(Reading {
            metric: metric.to_owned(),
            label: label.to_owned(),
            which: Which::At(1.0),
            position,
            label_position,
        })
    }

    fn percentage(&mut self) -> Parsed<f64> {
        if !self.rest().starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return self.expected("a percentage of the budget, as in `at 50%`");
        }
        let begin = self.at;
        let number = self.number()?;
        self.need("%")?;
        if !(0.0..=100.0).contains(&number) || number == 0.0 {
            self.at = begin;
            return self.error(format!("a run has parts above 0% and up to 100%, not {number}%"));
        }
        Ok(number / 100.0)
    }

    /// A number without a sign, as `0.5`, `20` or `1e-3`.
    fn number(&mut self) -> Parsed<f64> {
        let rest = self.rest();
        let digits = |from: usize| {
            rest[from..]
                .find(|c: char| !(c.is_ascii_digit() || c == '.'))
                .map_or(rest.len(), |end| from + end)
        };
        let mut end = digits(0);
        if let Some(exponent) = rest[end..].strip_prefix(['e', 'E']) {
            let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if unsigned.starts_with(|c: char| c.is_ascii_digit()) {
                end = digits(rest.len() - unsigned.len());
            }
        }
        match rest[..end].parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.at += end;
                Ok(number)
            }
            _ => self.error(format!("`{}` is not a number", &rest[..end])),
        }
    }

    /// `on problem`, or the end.
    fn problem(&mut self) -> Parsed<Option<(usize, String)>> {
        if self.word() != "on" {
            return if self.rest().is_empty() {
                Ok(None)
            } else {
                self.expected("an operator, `on <problem>` or the end")
            };
        }
        self.at += "on".len();
        let name = self.rest().trim_end();
        if name.is_empty() {
            return self.expected("the name of a problem after `on`");
        }
        Ok(Some((self.at, name.to_owned())))
    }
}

#[cfg(test)]
mod tests;
