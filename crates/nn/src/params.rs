//! Parameters: one flat buffer with named views.

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::pool::{Parts, Pool};
use crate::shape::Shape;
use crate::{Float, Init, multiversion};
use quire_core::{Error, Result, Rng};

/// Where one named parameter lies in the flat buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Index of the first number.
    pub offset: usize,
    /// The shape, row-major.
    pub shape: Shape,
}

impl View {
    /// The count of numbers.
    pub fn len(&self) -> usize {
        self.shape.elements()
    }

    /// True if the parameter has no number.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The view of one member along the first axis, which stays as 1: one network of an ensemble.
    ///
    /// # Panics
    /// If there is no such member.
    pub fn member(&self, member: usize) -> View {
        let members = self.shape.first().copied().unwrap_or(0);
        assert!(member < members, "member: {member} of a parameter of shape {:?}", self.shape);
        View { offset: self.offset + member * (self.len() / members), shape: self.shape.with(0, 1) }
    }

    /// The indices it takes up in the flat buffer.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// The parameters of a model: one flat buffer, cut into named tensors.
///
/// An optimizer, a Polyak average, a norm or a checkpoint is a loop over [`Params::data`]; what needs the matrices
/// walks over [`Params::iter`] or [`Params::layout`]. Gradients are flat buffers of the same length. Serialization
/// (serde) is exact to the bit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params<F> {
    names: Vec<String>,
    views: Vec<View>,
    data: Vec<F>,
}

impl<F: Float> Params<F> {
    /// No parameter yet.
    pub fn new() -> Self {
        Params { names: Vec::new(), views: Vec::new(), data: Vec::new() }
    }

    /// Registers a parameter and draws its first value.
    ///
    /// Customs that layers, initializers and optimizers rely on: weights `[E, in, out]`, biases `[E, out]`, dotted
    /// names such as `critic.0.weight`.
    ///
    /// # Panics
    /// If the name is taken.
    pub fn add(&mut self, name: impl Into<String>, shape: &[usize], init: Init, rng: &mut Rng) -> View {
        let name = name.into();
        assert!(self.get(&name).is_none(), "a parameter `{name}` exists already");
        let view = View { offset: self.data.len(), shape: Shape::new(shape) };
        self.data.resize(view.offset + view.len(), F::ZERO);
        init.fill(shape, &mut self.data[view.offset..], rng);
        self.names.push(name);
        self.views.push(view);
        view
    }

    /// All numbers, in the order of registration.
    pub fn data(&self) -> &[F] {
        &self.data
    }

    /// All numbers, for an optimizer to change.
    pub fn data_mut(&mut self) -> &mut [F] {
        &mut self.data
    }

    /// The numbers of one parameter.
    pub fn view(&self, view: View) -> &[F] {
        &self.data[view.range()]
    }

    /// The numbers of one parameter, to change.
    pub fn view_mut(&mut self, view: View) -> &mut [F] {
        &mut self.data[view.range()]
    }

    /// The view of the parameter with this name.
    pub fn get(&self, name: &str) -> Option<View> {
        self.names.iter().position(|n| n == name).map(|i| self.views[i])
    }

    /// Name, shape and numbers of every parameter, in the order of registration.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[usize], &[F])> {
        self.names.iter().zip(&self.views).map(|(name, view)| (&**name, &*view.shape, self.view(*view)))
    }

    /// Name and view of every parameter, in the order of registration: for optimizers that treat matrices and
    /// vectors apart.
    pub fn layout(&self) -> impl ExactSizeIterator<Item = (&str, View)> {
        self.names.iter().zip(&self.views).map(|(name, view)| (&**name, *view))
    }

    pub(crate) fn views(&self) -> &[View] {
        &self.views
    }

    /// The count of all numbers.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// True if there is no number.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// A copy with every number 0: for moments and accumulators that keep the names.
    pub fn zeros_like(&self) -> Self {
        Params { names: self.names.clone(), views: self.views.clone(), data: vec![F::ZERO; self.len()] }
    }

    /// Takes over the numbers of `other`.
    ///
    /// # Panics
    /// If the layouts differ.
    pub fn copy_from(&mut self, other: &Self) {
        assert_eq!(self.views, other.views, "copy_from: the two sets of parameters have different layouts");
        self.data.copy_from_slice(&other.data);
    }

    /// `self <- (1 - tau) self + tau other`: the Polyak average of a target network, in one pass on the threads of `pool`.
    ///
    /// # Panics
    /// If the layouts differ.
    pub fn polyak(&mut self, other: &Self, tau: f64, pool: &Pool) {
        assert_eq!(self.views, other.views, "polyak: the two sets of parameters have different layouts");
        let (tau, targets) = (F::from_f64(tau), Parts::new(&mut self.data));
        pool.parts(other.data.len(), |start, len| {
            // SAFETY: parts do not overlap.
            polyak(unsafe { targets.part(start, len) }, &other.data[start..start + len], tau);
        });
    }

    /// A copy in the other precision.
    pub fn cast<G: Float>(&self) -> Params<G> {
        Params {
            names: self.names.clone(),
            views: self.views.clone(),
            data: self.data.iter().map(|x| G::from_f64(x.to_f64())).collect(),
        }
    }

    /// The parameters as a safetensors file.
    pub fn to_safetensors(&self) -> Vec<u8> {
        let tensors = self.iter().map(|(name, shape, values)| {
            let bytes = bytemuck::cast_slice(values);
            let tensor =
                TensorView::new(own_dtype::<F>(), shape.to_vec(), bytes).expect("shape and bytes agree");
            (name, tensor)
        });
        safetensors::serialize(tensors, None).expect("names are distinct and the file is in memory")
    }

    /// Takes over the numbers of a safetensors file, by name. Tensors of the file that are not parameters here are
    /// passed over, so that one file can hold several models.
    ///
    /// F16 and BF16 widen to F32 and F64, F32 to F64; nothing is ever rounded.
    ///
    /// # Errors
    /// If the file is damaged, or a tensor is missing or has another shape or type; then nothing is changed.
    pub fn load_safetensors(&mut self, bytes: &[u8]) -> Result<()> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| Error::Failed(format!("not a readable safetensors file: {error}")))?;
        let mut data = Vec::with_capacity(self.len());
        for (name, view) in self.layout() {
            let tensor = file.tensor(name).map_err(|_| {
                Error::Failed(format!("the file has no tensor `{name}` (expected shape {:?})", view.shape))
            })?;
            if tensor.shape() != &*view.shape {
                return Err(Error::Failed(format!(
                    "tensor `{name}`: expected shape {:?}, found {:?}",
                    view.shape,
                    tensor.shape()
                )));
            }
            widen(tensor.data(), tensor.dtype(), &mut data).ok_or_else(|| {
                Error::Failed(format!(
                    "tensor `{name}`: expected type {:?} or one that widens to it, found {:?}",
                    own_dtype::<F>(),
                    tensor.dtype()
                ))
            })?;
        }
        self.data = data;
        Ok(())
    }
}

/// Appends little-endian numbers of a type that `F` holds exactly; `None` for any other type.
fn widen<F: Float>(bytes: &[u8], dtype: Dtype, out: &mut Vec<F>) -> Option<()> {
    match dtype {
        Dtype::BF16 => out.extend(bytes.chunks_exact(2).map(|b| {
            F::from_f64(f64::from(f32::from_bits(u32::from(u16::from_le_bytes([b[0], b[1]])) << 16)))
        })),
        Dtype::F16 => out.extend(
            bytes.chunks_exact(2).map(|b| F::from_f64(half_to_double(u16::from_le_bytes([b[0], b[1]])))),
        ),
        Dtype::F32 => out.extend(
            bytes
                .chunks_exact(4)
                .map(|b| F::from_f64(f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])))),
        ),
        Dtype::F64 if own_dtype::<F>() == Dtype::F64 => out.extend(
            bytes
                .chunks_exact(8)
                .map(|b| F::from_f64(f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))),
        ),
        _ => return None,
    }
    Some(())
}

/// IEEE 754 binary16.
fn half_to_double(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    match exponent {
        0 => sign * fraction * (-14f64).exp2(),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1.0 + fraction) * f64::from(exponent - 15).exp2(),
    }
}

multiversion! {
    fn polyak[F: Float](target: &mut [F], source: &[F], tau: F) |simd| {
        let keep = F::ONE - tau;
        for (t, &s) in target.iter_mut().zip(source) {
            *t = keep * *t + tau * s;
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    names: Vec<String>,
    shapes: Vec<Vec<usize>>,
    #[serde(with = "serde_bytes")]
    data: Vec<u8>,
}

impl<F: Float> Serialize for Params<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Borrowed<'a> {
            names: &'a [String],
            shapes: Vec<&'a [usize]>,
            #[serde(with = "serde_bytes")]
            data: &'a [u8],
        }
        let shapes = self.views.iter().map(|view| &*view.shape).collect();
        Borrowed { names: &self.names, shapes, data: bytemuck::cast_slice(&self.data) }.serialize(serializer)
    }
}

impl<'de, F: Float> Deserialize<'de> for Params<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let mut views = Vec::with_capacity(stored.shapes.len());
        let mut offset = 0usize;
        for shape in &stored.shapes {
            if shape.len() > crate::shape::MAX_RANK {
                return Err(D::Error::custom(format!("a parameter of shape {shape:?} has too many axes")));
            }
            let view = View { offset, shape: Shape::new(shape) };
            offset = shape
                .iter()
                .try_fold(1usize, |len, &size| len.checked_mul(size))
                .and_then(|len| offset.checked_add(len))
                .ok_or_else(|| D::Error::custom(format!("a parameter of shape {shape:?} is too large")))?;
            views.push(view);
        }
        if stored.names.len() != views.len() || offset.checked_mul(size_of::<F>()) != Some(stored.data.len())
        {
            return Err(D::Error::custom(format!(
                "parameters do not fit together: {} names, {} shapes with {offset} numbers, {} bytes",
                stored.names.len(),
                views.len(),
                stored.data.len()
            )));
        }
        Ok(Params { names: stored.names, views, data: bytemuck::pod_collect_to_vec(&stored.data) })
    }
}

/// How a safetensors file calls the type of the parameters.
fn own_dtype<F: Float>() -> Dtype {
    if size_of::<F>() == size_of::<f32>() { Dtype::F32 } else { Dtype::F64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;

    fn sample() -> Params<f32> {
        let mut rng = Seeds::new(5).stream("init");
        let mut params = Params::new();
        params.add("a.weight", &[1, 3, 4], Init::KaimingUniform, &mut rng);
        params.add("a.bias", &[1, 4], Init::Normal { std: 1.0 }, &mut rng);
        params
    }

    #[test]
    fn views_tile_the_buffer() {
        let params = sample();
        assert_eq!(params.len(), 16);
        let bias = params.get("a.bias").unwrap();
        assert_eq!(bias.range(), 12..16);
        assert_eq!(params.view(bias), &params.data()[12..]);
        assert!(params.get("a").is_none());
        assert_eq!(params.iter().map(|(_, _, values)| values.len()).sum::<usize>(), 16);
    }

    #[test]
    fn polyak_averages() {
        let mut target = sample().zeros_like();
        let source = sample();
        target.polyak(&source, 0.25, &Pool::new(1));
        for (t, s) in target.data().iter().zip(source.data()) {
            assert_eq!(*t, 0.25 * s);
        }
        target.copy_from(&source);
        assert_eq!(target, source);
    }

    #[test]
    fn both_formats_are_exact() {
        let params = sample();
        let bytes = postcard::to_allocvec(&params).unwrap();
        assert_eq!(postcard::from_bytes::<Params<f32>>(&bytes).unwrap(), params);
        let text = serde_json::to_string(&params).unwrap();
        assert_eq!(serde_json::from_str::<Params<f32>>(&text).unwrap(), params);

        let mut other = params.zeros_like();
        other.load_safetensors(&params.to_safetensors()).unwrap();
        assert_eq!(other, params);
        let mut wide = params.zeros_like().cast::<f64>();
        wide.load_safetensors(&params.to_safetensors()).unwrap();
        assert_eq!(wide.cast::<f32>(), params);
    }

    #[test]
    fn files_that_do_not_fit_say_why() {
        let params = sample();
        let mut rng = Seeds::new(5).stream("init");
        let mut other = Params::<f32>::new();
        other.add("a.weight", &[1, 3, 5], Init::Zeros, &mut rng);
        let message = other.load_safetensors(&params.to_safetensors()).unwrap_err().to_string();
        assert_eq!(message, "tensor `a.weight`: expected shape [1, 3, 5], found [1, 3, 4]");
        let mut other = Params::<f32>::new();
        other.add("b", &[2], Init::Zeros, &mut rng);
        let message = other.load_safetensors(&params.to_safetensors()).unwrap_err().to_string();
        assert_eq!(message, "the file has no tensor `b` (expected shape [2])");
        let message =
            sample().load_safetensors(&params.cast::<f64>().to_safetensors()).unwrap_err().to_string();
        assert_eq!(message, "tensor `a.weight`: expected type F32 or one that widens to it, found F64");
        assert!(sample().load_safetensors(b"nonsense").unwrap_err().to_string().contains("safetensors"));

        let mut bytes = postcard::to_allocvec(&params).unwrap();
        let last = bytes.len() - 64 - 1;
        bytes[last] -= 4;
        bytes.truncate(bytes.len() - 4);
        assert!(postcard::from_bytes::<Params<f32>>(&bytes).is_err());
    }

    #[test]
    fn half_precision_widens_exactly() {
        assert_eq!(half_to_double(0x3c00), 1.0);
        assert_eq!(half_to_double(0xc000), -2.0);
        assert_eq!(half_to_double(0x0001), (-24f64).exp2());
        assert_eq!(half_to_double(0x7bff), 65504.0);
        assert_eq!(half_to_double(0xfc00), f64::NEG_INFINITY);
    }
}
