//! The BFGS update of the inverse Hessian: the nearest P that maps h to v.
//!
//! With h turned so that v·h > 0: P ← P + (v·h + hᵀ P h) v vᵀ/(v·h)² - (P h vᵀ + v hᵀ P)/(v·h).

use nalgebra::{DMatrix, DVector};
use quire_core::{About, Options, Result, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::streams::Pairs;
use super::{MISFIT, Stream, square, values};
use crate::solver::{Method, Solver, Step};

/// Options of `bfgs-fit`: none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BfgsFitOptions {}

impl Options for BfgsFitOptions {}

/// The method.
pub struct BfgsFit {
    p: DMatrix<f64>,
    pairs: Pairs,
}

/// One update; a pair without curvature changes nothing.
pub fn update(p: &mut DMatrix<f64>, v: &DVector<f64>, h: &DVector<f64>) {
    let product = v.dot(h);
    if product == 0.0 {
        return;
    }
    let h = h * product.signum();
    let product = product.abs();
    let ph = &*p * &h;
    let factor = (product + h.dot(&ph)) / (product * product);
    p.ger(factor, v, v, 1.0);
    p.ger(-1.0 / product, &ph, v, 1.0);
    p.ger(-1.0 / product, v, &ph, 1.0);
}

impl Method<Stream> for BfgsFit {
    type Options = BfgsFitOptions;

    const ABOUT: About = About {
        name: "bfgs-fit",
        summary: "the BFGS update of the inverse Hessian, pair after pair",
        when: "A rival of hessian-fitting: exact pairs of a constant positive definite Hessian.",
        wing: "solve",
        family: "hessian",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(stream: &Stream, _: BfgsFitOptions) -> Result<Self> {
        let n = stream.dimension();
        Ok(BfgsFit { p: DMatrix::identity(n, n), pairs: Pairs::of(stream) })
    }
}

impl Solver<Stream> for BfgsFit {
    fn iterate(&mut self, stream: &Stream) -> Result<Step> {
        let (v, h) = self.pairs.next(stream);
        let before = (&self.p * &h - &v).norm();
        update(&mut self.p, &v, &h);
        Ok(Step::going_on(before, MISFIT))
    }

    fn values(&self) -> Vec<f64> {
        values(&self.p, self.pairs.seen())
    }

    fn work(&self) -> f64 {
        self.pairs.seen() as f64
    }

    fn save(&self) -> Vec<u8> {
        state::encode("bfgs-fit", &(self.p.as_slice(), &self.pairs))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (p, pairs): (Vec<f64>, Pairs) = state::decode("bfgs-fit", saved)?;
        self.p = square(self.p.nrows(), &p)?;
        self.pairs = pairs;
        Ok(())
    }
}
