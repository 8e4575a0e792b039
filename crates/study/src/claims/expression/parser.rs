//! The parser of expectations.

use super::{Expression, Operator, Reading, Relation, SyntaxError, Which};

/// Nesting beyond this is refused; nobody can read it either.
pub(super) const DEEPEST: usize = 50;

/// Reads an expectation from left to right, one function a rule of the grammar.
pub(super) struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// What was read so far, in order of appearance.
    pub(super) readings: Vec<Reading>,
}

type Parsed<T> = Result<T, SyntaxError>;

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Parser { text, at: 0, depth: 0, readings: Vec::new() }
    }

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

    pub(super) fn relation(&mut self) -> Parsed<Relation> {
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

    pub(super) fn sum(&mut self) -> Parsed<Expression> {
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
    pub(super) fn problem(&mut self) -> Parsed<Option<(usize, String)>> {
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
