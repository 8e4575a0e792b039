//! Numbers that carry their gradient and their Hessian by N unknowns: a function written with them is
//! differentiated twice, exactly.
//!
//! ```
//! use quire_solve::constrained::jet::Jet;
//!
//! let [x, y] = Jet::unknowns(&[2.0, 3.0]);
//! let product = x * x * y;
//! assert_eq!(product.gradient, [12.0, 4.0]);
//! assert_eq!(product.hessian, [[6.0, 4.0], [4.0, 0.0]]);
//! ```

use std::ops::{Add, Mul, Neg, Sub};

use nalgebra::{DMatrix, DVector};

use super::Constrained;

/// A number, and how it depends on N unknowns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jet<const N: usize> {
    /// The number.
    pub value: f64,
    /// Its derivatives.
    pub gradient: [f64; N],
    /// Their derivatives.
    pub hessian: [[f64; N]; N],
}

impl<const N: usize> Jet<N> {
    /// A number that depends on nothing.
    pub fn constant(value: f64) -> Self {
        Jet { value, gradient: [0.0; N], hessian: [[0.0; N]; N] }
    }

    /// The unknowns themselves.
    pub fn unknowns(x: &[f64; N]) -> [Self; N] {
        std::array::from_fn(|i| {
            let mut unknown = Jet::constant(x[i]);
            unknown.gradient[i] = 1.0;
            unknown
        })
    }

    /// A function of the number, from its value and its first two derivatives there.
    fn through(self, value: f64, first: f64, second: f64) -> Self {
        let g = &self.gradient;
        Jet {
            value,
            gradient: g.map(|g| first * g),
            hessian: std::array::from_fn(|i| {
                std::array::from_fn(|j| first * self.hessian[i][j] + second * g[i] * g[j])
            }),
        }
    }

    /// The number to the power of `n`.
    pub fn powi(self, n: i32) -> Self {
        let (x, p) = (self.value, f64::from(n));
        self.through(x.powi(n), p * x.powi(n - 1), p * (p - 1.0) * x.powi(n - 2))
    }

    /// Its sine.
    pub fn sin(self) -> Self {
        let (sin, cos) = self.value.sin_cos();
        self.through(sin, cos, -sin)
    }

    /// Its natural logarithm.
    pub fn ln(self) -> Self {
        let x = self.value;
        self.through(x.ln(), 1.0 / x, -1.0 / (x * x))
    }
}

impl<const N: usize> Add for Jet<N> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Jet {
            value: self.value + other.value,
            gradient: std::array::from_fn(|i| self.gradient[i] + other.gradient[i]),
            hessian: std::array::from_fn(|i| {
                std::array::from_fn(|j| self.hessian[i][j] + other.hessian[i][j])
            }),
        }
    }
}

#[allow(clippy::suspicious_arithmetic_impl)] // the product rule adds
impl<const N: usize> Mul for Jet<N> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let (a, b) = (self.value, other.value);
        let (da, db) = (&self.gradient, &other.gradient);
        Jet {
            value: a * b,
            gradient: std::array::from_fn(|i| a * db[i] + b * da[i]),
            hessian: std::array::from_fn(|i| {
                std::array::from_fn(|j| {
                    a * other.hessian[i][j] + b * self.hessian[i][j] + da[i] * db[j] + db[i] * da[j]
                })
            }),
        }
    }
}

impl<const N: usize> Neg for Jet<N> {
    type Output = Self;

    fn neg(self) -> Self {
        self.through(-self.value, -1.0, 0.0)
    }
}

impl<const N: usize> Sub for Jet<N> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl<const N: usize> Add<f64> for Jet<N> {
    type Output = Self;

    fn add(self, other: f64) -> Self {
        Jet { value: self.value + other, ..self }
    }
}

impl<const N: usize> Sub<f64> for Jet<N> {
    type Output = Self;

    fn sub(self, other: f64) -> Self {
        self + -other
    }
}

impl<const N: usize> Sub<Jet<N>> for f64 {
    type Output = Jet<N>;

    fn sub(self, other: Jet<N>) -> Jet<N> {
        -other + self
    }
}

impl<const N: usize> Mul<Jet<N>> for f64 {
    type Output = Jet<N>;

    fn mul(self, other: Jet<N>) -> Jet<N> {
        other.through(self * other.value, self, 0.0)
    }
}

/// What a problem's formulas make of its unknowns: f and c.
pub type Formulas<const N: usize> = fn(&[Jet<N>; N]) -> (Jet<N>, Vec<Jet<N>>);

/// A problem as it is written down.
#[derive(Debug, Clone, Copy)]
pub struct Written<const N: usize> {
    formulas: Formulas<N>,
    constraints: usize,
}

impl<const N: usize> Written<N> {
    /// The problem of these formulas.
    pub fn new(formulas: Formulas<N>) -> Self {
        let constraints = formulas(&Jet::unknowns(&[1.0; N])).1.len();
        Written { formulas, constraints }
    }

    fn at(&self, x: &DVector<f64>) -> (Jet<N>, Vec<Jet<N>>) {
        (self.formulas)(&Jet::unknowns(&std::array::from_fn(|i| x[i])))
    }
}

impl<const N: usize> Constrained for Written<N> {
    fn unknowns(&self) -> usize {
        N
    }

    fn constraints(&self) -> usize {
        self.constraints
    }

    fn value(&self, x: &DVector<f64>) -> f64 {
        self.at(x).0.value
    }

    fn gradient(&self, x: &DVector<f64>) -> DVector<f64> {
        DVector::from_column_slice(&self.at(x).0.gradient)
    }

    fn constraint(&self, x: &DVector<f64>) -> DVector<f64> {
        DVector::from_iterator(self.constraints, self.at(x).1.iter().map(|c| c.value))
    }

    fn jacobian(&self, x: &DVector<f64>) -> DMatrix<f64> {
        let c = self.at(x).1;
        DMatrix::from_fn(self.constraints, N, |i, j| c[i].gradient[j])
    }

    fn hessian(&self, x: &DVector<f64>, multipliers: &DVector<f64>) -> DMatrix<f64> {
        let (f, c) = self.at(x);
        let lagrangian = c.iter().zip(multipliers.iter()).fold(f, |sum, (c, lambda)| sum + *lambda * *c);
        DMatrix::from_fn(N, N, |i, j| lagrangian.hessian[i][j])
    }
}
