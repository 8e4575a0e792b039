//! Runge-Kutta schemes that are explicit but for a filter on their slopes.
//!
//! With u = (I - h α J)⁻¹ and J any approximation of the Jacobian, stage i of s is
//!
//! > k_i = T_i h f( y + Σ_{j<i} a_ij k_j )      T_i = Σ_l β_il u^l      y⁺ = y + Σ_i b_i k_i
//!
//! T takes the stiffness out of the slopes (time-accurate and stable explicit operators, TASE). The classical form has one T for all
//! stages with p different α, and p factorizations a step; the singly form one α, T = I - (I - u)^p, and one factorization; the modified
//! form MSRKTASE, the paper's, has another T_i for each stage: only their weighted sums have to be accurate. With c = A e, Σ_l β_il = 1,
//! τ_i = α Σ l β_il and σ_i = α² Σ l(l+1)/2 β_il, the conditions for any J are
//!
//! > order 1: b·e = 1   order 2: b·c = 1/2, b·τ = 0   order 3: b·c² = 1/3, b·A c = 1/6, b·A τ = 0, b·(τ c) = 0, b·σ = 0
//!
//! With J = f', the exact one, less is needed: b·(c + τ) = 1/2, and b·c² = 1/3, b·(A c + A τ + τ c + σ) = 1/6.
//!
//! The paper's own coefficients could not be read. The two schemes here were derived for Quire from these conditions: order 2 in two
//! stages and three solves, L-stable; order 3 in three stages and nine solves, R(∞) = 0. Whoever has others gives them as `tableau`.
//!
//! Source: M. Calvo, J. I. Montijano & L. Rández, *Modified Singly-Runge-Kutta-TASE methods for the numerical solution of stiff
//! differential equations*, J. Sci. Comput. 2025, arXiv:2407.01785; classical: M. Bassenne, L. Fu & A. Mani, JCP 424, 2021, and M. Calvo et al.,
//! JCP 436, 2021.

use nalgebra::DVector;
use quire_core::{About, Error, Options, Paper, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Jacobian, Plan, Scheme, Stepper, Tolerance, Work, baseline};

/// The paper.
pub const PAPER: Paper = Paper {
    slug: "ms-rk-tase",
    title: "Modified Singly-Runge-Kutta-TASE Methods for the Numerical Solution of Stiff Differential Equations",
    arxiv: "2407.01785",
};

/// A scheme's coefficients.
#[derive(Debug, Clone, PartialEq)]
pub struct Tableau {
    /// a_ij, row i with i entries.
    pub a: Vec<Vec<f64>>,
    /// b_i.
    pub b: Vec<f64>,
    /// T_i, one a stage.
    pub filters: Vec<Filter>,
    /// The α of which factors are needed.
    pub alphas: Vec<f64>,
}

/// T of a stage.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Σ_l β_l u^l with the first α; l = 1, 2, ...
    Powers(Vec<f64>),
    /// Σ_l γ_l (I - h α_l J)⁻¹ with all α.
    Sum(Vec<f64>),
}

impl Tableau {
    /// `next <- y(t + h)`.
    ///
    /// # Errors
    /// A singular I - h α J.
    pub fn step(
        &self,
        at: &mut Stepper,
        y: &DVector<f64>,
        work: &mut Work,
        next: &mut DVector<f64>,
    ) -> Result<()> {
        let [w, power, slopes @ ..] = work.at_least(2 + self.b.len()) else { unreachable!("at least two") };
        for (i, (row, filter)) in self.a.iter().zip(&self.filters).enumerate() {
            let (slopes, later) = slopes.split_at_mut(i);
            let k = &mut later[0];
            next.copy_from(y);
            row.iter().zip(&*slopes).filter(|(a, _)| **a != 0.0).for_each(|(a, k)| next.axpy(*a, k, 1.0));
            at.slope(next, w);
            *w *= at.h;
            k.fill(0.0);
            match filter {
                Filter::Powers(betas) => {
                    for beta in betas {
                        at.solve(0, w)?;
                        k.axpy(*beta, w, 1.0);
                    }
                }
                Filter::Sum(gammas) => {
                    for (which, gamma) in gammas.iter().enumerate() {
                        power.copy_from(w);
                        at.solve(which, power)?;
                        k.axpy(*gamma, power, 1.0);
                    }
                }
            }
        }
        next.copy_from(y);
        self.b.iter().zip(&*slopes).for_each(|(b, k)| next.axpy(*b, k, 1.0));
        Ok(())
    }

    /// By how much the conditions of order 1, 2 and 3 are missed, for a J that is exact or any.
    ///
    /// # Panics
    /// If a filter is not of powers.
    pub fn misses(&self, jacobian: Jacobian) -> [Vec<f64>; 3] {
        let s = self.b.len();
        let alpha = self.alphas[0];
        // Σ_l weight(l) β_il of each stage.
        let moments = |weight: &dyn Fn(f64) -> f64| -> Vec<f64> {
            let moment = |filter: &Filter| match filter {
                Filter::Powers(betas) => (1..).zip(betas).map(|(l, beta)| weight(f64::from(l)) * beta).sum(),
                Filter::Sum(_) => panic!("these are the conditions of methods with one α"),
            };
            self.filters.iter().map(moment).collect()
        };
        let tau = moments(&|l| alpha * l);
        let sigma = moments(&|l| alpha * alpha * l * (l + 1.0) / 2.0);
        let c: Vec<f64> = self.a.iter().map(|row| row.iter().sum()).collect();
        let times_a = |v: &[f64]| -> Vec<f64> {
            self.a.iter().map(|row| row.iter().zip(v).map(|(a, v)| a * v).sum()).collect()
        };
        let (a_c, a_tau) = (times_a(&c), times_a(&tau));
        let sum = |v: &dyn Fn(usize) -> f64| -> f64 { (0..s).map(|i| self.b[i] * v(i)).sum() };

        let consistent = moments(&|_| 1.0).iter().map(|sum| sum - 1.0).chain([sum(&|_| 1.0) - 1.0]).collect();
        let third = sum(&|i| c[i] * c[i]) - 1.0 / 3.0;
        match jacobian {
            Jacobian::Exact => [
                consistent,
                vec![sum(&|i| c[i] + tau[i]) - 0.5],
                vec![third, sum(&|i| a_c[i] + a_tau[i] + tau[i] * c[i] + sigma[i]) - 1.0 / 6.0],
            ],
            Jacobian::Frozen => [
                consistent,
                vec![sum(&|i| c[i]) - 0.5, sum(&|i| tau[i])],
                vec![
                    third,
                    sum(&|i| a_c[i]) - 1.0 / 6.0,
                    sum(&|i| a_tau[i]),
                    sum(&|i| tau[i] * c[i]),
                    sum(&|i| sigma[i]),
                ],
            ],
        }
    }

    /// R(z): the step for y' = λ y with h λ = z and J = λ. With `at_infinity`, its limit for z to infinity.
    pub fn stability(&self, z: nalgebra::Complex<f64>, at_infinity: bool) -> nalgebra::Complex<f64> {
        let one = nalgebra::Complex::new(1.0, 0.0);
        let mut slopes: Vec<nalgebra::Complex<f64>> = Vec::new();
        for (row, filter) in self.a.iter().zip(&self.filters) {
            // z T(z), which tends to -β_1/α.
            let filtered = match filter {
                Filter::Powers(betas) => {
                    if at_infinity {
                        one * (-betas[0] / self.alphas[0])
                    } else {
                        let u = one / (one - z * self.alphas[0]);
                        let mut power = one;
                        let sum = betas.iter().map(|beta| {
                            power *= u;
                            power * *beta
                        });
                        z * sum.sum::<nalgebra::Complex<f64>>()
                    }
                }
                Filter::Sum(gammas) => {
                    let parts = gammas.iter().zip(&self.alphas);
                    if at_infinity {
                        one * parts.map(|(gamma, alpha)| -gamma / alpha).sum::<f64>()
                    } else {
                        z * parts
                            .map(|(gamma, alpha)| one * *gamma / (one - z * *alpha))
                            .sum::<nalgebra::Complex<f64>>()
                    }
                }
            };
            let stage = one + row.iter().zip(&slopes).map(|(a, k)| k * *a).sum::<nalgebra::Complex<f64>>();
            slopes.push(filtered * stage);
        }
        one + self.b.iter().zip(&slopes).map(|(b, k)| k * *b).sum::<nalgebra::Complex<f64>>()
    }
}

/// The two-stage scheme of order 2 for any J; order 3 on linear problems with the exact one; L-stable.
pub fn ms2() -> Tableau {
    let alpha = 0.435_866_521_508_459_67; // a root of α³ - 3 α² + 3/2 α - 1/6
    let b2 = 1.0 / (4.0 * alpha - 2.0 * alpha * alpha - 1.0);
    let b1 = 1.0 - b2;
    let beta = -1.0 - b1 / b2;
    Tableau {
        a: vec![vec![], vec![0.5 / b2]],
        b: vec![b1, b2],
        filters: vec![Filter::Powers(vec![1.0]), Filter::Powers(vec![1.0 - beta, beta])],
        alphas: vec![alpha],
    }
}

/// The three-stage scheme of order 3 for any J.
pub fn ms3() -> Tableau {
    let alpha = 0.612_539_202_121_408_4; // the real root of α³ - 3 α² + 77/24 α - 77/72: R(∞) = 0
    // T = I - A (I - u)² + (A - 1) (I - u)³.
    let filter = |a: f64| Filter::Powers(vec![3.0 - a, 2.0 * a - 3.0, 1.0 - a]);
    Tableau {
        a: vec![vec![], vec![1.0 / 3.0], vec![0.0, 2.0 / 3.0]],
        b: vec![0.25, 0.0, 0.75],
        filters: [2.0, 1.25, -2.0 / 3.0].map(filter).to_vec(),
        alphas: vec![alpha],
    }
}

/// T = I - (I - u)^p in all stages of the explicit scheme of order p.
///
/// # Errors
/// An order other than 2, 3 or 4.
pub fn singly(order: u32, alpha: f64) -> Result<Tableau> {
    let (a, b) = explicit(order)?;
    let betas = match order {
        2 => vec![2.0, -1.0],
        3 => vec![3.0, -3.0, 1.0],
        _ => vec![4.0, -6.0, 4.0, -1.0],
    };
    Ok(Tableau { filters: vec![Filter::Powers(betas); b.len()], a, b, alphas: vec![alpha] })
}

/// T = Σ γ_l (I - h α_l J)⁻¹ with the published α, in all stages.
///
/// # Errors
/// An order other than 2, 3 or 4.
pub fn classical(order: u32) -> Result<Tableau> {
    let (a, b) = explicit(order)?;
    let alphas = match order {
        2 => vec![3.0, 1.5],
        3 => vec![2.314_69, 1.879_61, 1.582_22],
        _ => vec![3.939_556, 2.450_558, 2.227_083, 2.061_235],
    };
    let gammas = weights(&alphas);
    Ok(Tableau { filters: vec![Filter::Sum(gammas); b.len()], a, b, alphas })
}

/// γ_l = x_l^{p-1}/Π_{j≠l} (x_l - x_j) with x = 1/α.
pub fn weights(alphas: &[f64]) -> Vec<f64> {
    let x: Vec<f64> = alphas.iter().map(|alpha| 1.0 / alpha).collect();
    let weight = |l: usize| {
        let others = (0..x.len()).filter(|&j| j != l);
        others.map(|j| x[l] / (x[l] - x[j])).product()
    };
    (0..x.len()).map(weight).collect()
}

/// a and b of an explicit scheme: the midpoint rule, Ralston's third-order scheme, the classical fourth-order one.
fn explicit(order: u32) -> Result<(Vec<Vec<f64>>, Vec<f64>)> {
    Ok(match order {
        2 => (vec![vec![], vec![0.5]], vec![0.0, 1.0]),
        3 => (vec![vec![], vec![0.5], vec![0.0, 0.75]], vec![2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0]),
        4 => (
            vec![vec![], vec![0.5], vec![0.0, 0.5], vec![0.0, 0.0, 1.0]],
            vec![1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
        ),
        _ => return Err(Error::option("order", format!("must be 2, 3 or 4; got {order}"))),
    })
}

/// The coefficients of a scheme of the modified form with s stages and one α; none of them has a default that would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Coefficients {
    /// a_ij: s rows, the first without an entry, the next with one, and so on.
    pub a: Vec<Vec<f64>>,
    /// b_i; their sum is 1.
    pub b: Vec<f64>,
    /// α, > 0.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub alpha: f64,
    /// β_il: s rows, each with the weights of u, u² and so on, whose sum is 1.
    pub beta: Vec<Vec<f64>>,
}

impl Coefficients {
    /// How far a condition may be missed: coefficients are often printed to ten digits.
    const ROUNDING: f64 = 1e-8;

    /// The tableau and its order with such a J, of which no more than 3 is looked for.
    ///
    /// # Errors
    /// The first coefficient that does not fit, or a scheme that is not consistent.
    pub fn tableau(&self, jacobian: Jacobian) -> Result<(Tableau, u32)> {
        let s = self.b.len();
        if s == 0 {
            return Err(Error::option("tableau.b", "has no entry: give one for each stage"));
        }
        for (name, rows) in [("a", self.a.len()), ("beta", self.beta.len())] {
            if rows != s {
                let text = format!("has {rows} rows where b has {s} entries: one for each stage");
                return Err(Error::option(format!("tableau.{name}"), text));
            }
        }
        for (i, row) in self.a.iter().enumerate() {
            if row.len() != i {
                let text =
                    format!("row {} has {} entries; an explicit scheme has {i} there", i + 1, row.len());
                return Err(Error::option("tableau.a", text));
            }
        }
        if !(self.alpha > 0.0 && self.alpha.is_finite()) {
            return Err(Error::option("tableau.alpha", format!("must be above 0; got {}", self.alpha)));
        }
        for (name, rows) in
            [("a", &self.a[..]), ("b", std::slice::from_ref(&self.b)), ("beta", &self.beta[..])]
        {
            if let Some(x) = rows.iter().flatten().find(|x| !x.is_finite()) {
                return Err(Error::option(format!("tableau.{name}"), format!("must be numbers; got {x}")));
            }
        }
        let tableau = Tableau {
            a: self.a.clone(),
            b: self.b.clone(),
            filters: self.beta.iter().cloned().map(Filter::Powers).collect(),
            alphas: vec![self.alpha],
        };
        let misses = tableau.misses(jacobian);
        if let Some((i, off)) = misses[0].iter().enumerate().find(|(_, off)| off.abs() > Self::ROUNDING) {
            let (name, what) = if i < s {
                ("tableau.beta", format!("row {}", i + 1))
            } else {
                ("tableau.b", "the row".into())
            };
            let text = format!("{what} has the sum {}; without 1 the scheme is not consistent", 1.0 + off);
            return Err(Error::option(name, text));
        }
        let met = misses.iter().take_while(|misses| misses.iter().all(|off| off.abs() <= Self::ROUNDING));
        let order = met.count() as u32;
        Ok((tableau, order))
    }
}

/// Options of `ms-rk-tase`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MsRkTaseOptions {
    /// The order: 2 with three solves a step, 3 with nine.
    #[schemars(range(min = 2, max = 3))]
    pub order: u32,
    /// Coefficients of another scheme, `order` being ignored; none by default.
    pub tableau: Option<Coefficients>,
    /// Steps from the start to the end.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub steps: u64,
    /// Tolerances to which steps are chosen, `steps` being ignored; none by default. The error is that of a step done again as two halves.
    pub adaptive: Option<Tolerance>,
    /// J.
    pub jacobian: Jacobian,
}

impl Default for MsRkTaseOptions {
    fn default() -> Self {
        MsRkTaseOptions { order: 3, tableau: None, steps: 256, adaptive: None, jacobian: Jacobian::Exact }
    }
}

impl Options for MsRkTaseOptions {}

/// Options of `singly-rk-tase`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SinglyOptions {
    /// The order, which is also the number of solves a stage.
    #[schemars(range(min = 2, max = 4))]
    pub order: u32,
    /// α; without it 1 for order 2, where that is the least that is A-stable, 1.8 for order 3, 2 for order 4 (ours).
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub alpha: Option<f64>,
    /// Steps from the start to the end.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub steps: u64,
    /// Tolerances to which steps are chosen, `steps` being ignored; none by default. The error is that of a step done again as two halves.
    pub adaptive: Option<Tolerance>,
    /// J.
    pub jacobian: Jacobian,
}

impl Default for SinglyOptions {
    fn default() -> Self {
        SinglyOptions { order: 3, alpha: None, steps: 256, adaptive: None, jacobian: Jacobian::Exact }
    }
}

impl Options for SinglyOptions {}

/// Options of `rk-tase`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClassicalOptions {
    /// The order, which is also the number of factorizations a step and of solves a stage.
    #[schemars(range(min = 2, max = 4))]
    pub order: u32,
    /// Steps from the start to the end.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub steps: u64,
    /// Tolerances to which steps are chosen, `steps` being ignored; none by default. The error is that of a step done again as two halves.
    pub adaptive: Option<Tolerance>,
    /// J.
    pub jacobian: Jacobian,
}

impl Default for ClassicalOptions {
    fn default() -> Self {
        ClassicalOptions { order: 3, steps: 256, adaptive: None, jacobian: Jacobian::Exact }
    }
}

impl Options for ClassicalOptions {}

/// The modified form.
pub struct MsRkTase {
    tableau: Tableau,
    order: u32,
}

/// The singly form.
pub struct SinglyRkTase {
    tableau: Tableau,
    order: u32,
}

/// The classical form.
pub struct RkTase {
    tableau: Tableau,
    order: u32,
}

macro_rules! scheme {
    ($scheme:ident, $options:ident, $about:expr, |$set:ident| $tableau_and_order:expr) => {
        impl Scheme for $scheme {
            type Options = $options;

            const ABOUT: About = $about;

            fn plan(options: &$options) -> Plan {
                Plan { steps: options.steps, adaptive: options.adaptive, jacobian: options.jacobian }
            }

            fn new($set: &$options) -> Result<Self> {
                let (tableau, order) = $tableau_and_order;
                Ok($scheme { tableau, order })
            }

            fn shifts(&self) -> Vec<f64> {
                self.tableau.alphas.clone()
            }

            fn order(&self) -> u32 {
                self.order
            }

            fn step(
                &self,
                at: &mut Stepper,
                y: &DVector<f64>,
                work: &mut Work,
                next: &mut DVector<f64>,
            ) -> Result<()> {
                self.tableau.step(at, y, work, next)
            }
        }
    };
}

scheme!(
    MsRkTase,
    MsRkTaseOptions,
    About {
        paper: Some(PAPER),
        is_baseline: false,
        ..baseline(
            "ms-rk-tase",
            "Explicit Runge-Kutta with a filter on the slopes that differs from stage to stage, one factorization a step",
            "For stiff equations where Newton iterations are unwelcome and the Jacobian may be rough: the order holds for any J. On very stiff \
             nonlinear equations its order drops, as that of every method of stage order 1, and where equal steps leave a fast transient \
             unresolved the solution is lost: rosenbrock.",
        )
    },
    |options| match &options.tableau {
        Some(coefficients) => coefficients.tableau(options.jacobian)?,
        None if options.order == 2 => (ms2(), 2),
        None => (ms3(), 3),
    }
);
scheme!(
    SinglyRkTase,
    SinglyOptions,
    baseline(
        "singly-rk-tase",
        "Explicit Runge-Kutta with one filter on all slopes, one factorization a step",
        "The baseline of ms-rk-tase."
    ),
    |options| {
        let usual = match options.order {
            2 => 1.0,
            3 => 1.8,
            _ => 2.0,
        };
        (singly(options.order, options.alpha.unwrap_or(usual))?, options.order)
    }
);
scheme!(
    RkTase,
    ClassicalOptions,
    baseline(
        "rk-tase",
        "Explicit Runge-Kutta with the classical filter, as many factorizations a step as its order",
        "The first TASE methods; a baseline of ms-rk-tase."
    ),
    |options| (classical(options.order)?, options.order)
);
