//! Distances between laws of returns.

/// Equal cells on a line or a square, and one more for everything outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells {
    /// Cells along an axis.
    pub count: usize,
    /// Where they end; they begin at the negative.
    pub greatest: f64,
    /// 1 or 2.
    pub dimensions: usize,
}

impl Cells {
    /// Shares of `draws`, `[N, d]`, in the cells; the last is outside.
    pub fn histogram(&self, draws: &[f64]) -> Vec<f64> {
        let cells = self.count.pow(self.dimensions as u32);
        let mut shares = vec![0.0; cells + 1];
        let weight = self.dimensions as f64 / draws.len() as f64;
        for draw in draws.chunks_exact(self.dimensions) {
            let mut cell = 0;
            for x in draw {
                let place = (x + self.greatest) / (2.0 * self.greatest) * self.count as f64;
                if !(0.0..self.count as f64).contains(&place) {
                    cell = cells;
                    break;
                }
                cell = cell * self.count + place as usize;
            }
            shares[cell] += weight;
        }
        shares
    }
}

/// Total variation ½ Σ |p - q| between two laws on the same cells.
pub fn total_variation(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0
}

/// Wasserstein distance of order 1 between two samples of equal size on the line; both are sorted in place.
///
/// # Panics
/// If the sizes differ.
pub fn wasserstein(a: &mut [f64], b: &mut [f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "wasserstein: samples of different sizes");
    a.sort_unstable_by(f64::total_cmp);
    b.sort_unstable_by(f64::total_cmp);
    a.iter().zip(&*b).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.len() as f64
}
