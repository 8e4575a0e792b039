//! Convolutions, pooling and upsampling of images, `[B, channels, height, width]`.

use crate::backward::Pass;
use crate::gemm::{Matrix, product};
use crate::loops;
use crate::pool::Parts;
use crate::tape::{Operation, Stored};
use crate::{Float, Tensor, compiled_once, multiversion};

/// Blocks of images that the gradient of a weight is summed in, whatever the threads.
const BLOCKS: usize = 8;

/// The geometry of a window that moves over images.
#[derive(Debug, Clone, Copy)]
struct Window {
    channels: usize,
    height: usize,
    width: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    out: [usize; 2],
}

impl Window {
    fn new(name: &str, shape: &[usize], kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Self {
        let &[_, channels, height, width] = shape else {
            panic!("{name}: an input of shape {shape:?}, not [B, channels, height, width]")
        };
        let out = |size: usize, i: usize| {
            let room = (size + 2 * padding[i]).checked_sub(kernel[i]);
            assert!(
                room.is_some() && stride[i] > 0 && kernel[i] > 0,
                "{name}: a kernel {kernel:?} with stride {stride:?} and padding {padding:?} for the shape {shape:?}"
            );
            room.unwrap_or(0) / stride[i] + 1
        };
        Window { channels, height, width, kernel, stride, padding, out: [out(height, 0), out(width, 1)] }
    }

    fn image(&self) -> usize {
        self.channels * self.height * self.width
    }

    fn positions(&self) -> usize {
        self.out[0] * self.out[1]
    }

    /// Numbers under the window.
    fn patch(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1]
    }

    /// Calls `f(patch row, output row, output columns, first input index)` for every run of outputs in a row whose
    /// input lies inside the image; the inputs of a run are `stride[1]` apart.
    #[inline(always)]
    fn runs(&self, mut f: impl FnMut(usize, usize, std::ops::Range<usize>, usize)) {
        let [kh, kw] = self.kernel;
        for c in 0..self.channels {
            for i in 0..kh {
                for j in 0..kw {
                    let row = (c * kh + i) * kw + j;
                    // Output columns x with 0 <= x * stride + j - padding < width.
                    let (stride, padding) = (self.stride[1], self.padding[1]);
                    let low = padding.saturating_sub(j).div_ceil(stride);
                    let high = (self.width + padding).saturating_sub(j).div_ceil(stride).min(self.out[1]);
                    for y in 0..self.out[0] {
                        let at = y * self.stride[0] + i;
                        if at < self.padding[0] || at - self.padding[0] >= self.height || low >= high {
                            continue;
                        }
                        let start = (c * self.height + at - self.padding[0]) * self.width + low * stride + j
                            - padding;
                        f(row, y, low..high, start);
                    }
                }
            }
        }
    }
}

multiversion! {
    /// Lays out the patches of an image as columns: `[patch, positions]`.
    fn unfold[F: Float](window: &Window, image: &[F], columns: &mut [F]) |simd| {
        if window.padding != [0, 0] {
            columns.fill(F::ZERO);
        }
        let positions = window.positions();
        let stride = window.stride[1];
        window.runs(|row, y, range, start| {
            let at = row * positions + y * window.out[1];
            let to = &mut columns[at + range.start..at + range.end];
            if stride == 1 {
                // Runs are short: eight numbers are a move or two, where a call to copy any number costs more than it copies.
                let from = &image[start..start + to.len()];
                let (mut to, mut from) = (to.chunks_exact_mut(8), from.chunks_exact(8));
                for (to, from) in to.by_ref().zip(from.by_ref()) {
                    to.copy_from_slice(from);
                }
                for (to, from) in to.into_remainder().iter_mut().zip(from.remainder()) {
                    *to = *from;
                }
            } else {
                for (to, from) in to.iter_mut().zip(image[start..].iter().step_by(stride)) {
                    *to = *from;
                }
            }
        });
    }

    /// Adds columns of patches up to an image: the transpose of `unfold`.
    fn fold[F: Float](window: &Window, columns: &[F], image: &mut [F]) |simd| {
        let positions = window.positions();
        let stride = window.stride[1];
        window.runs(|row, y, range, start| {
            let at = row * positions + y * window.out[1];
            let from = &columns[at + range.start..at + range.end];
            for (from, to) in from.iter().zip(image[start..].iter_mut().step_by(stride)) {
                *to += *from;
            }
        });
    }
}

#[derive(Clone, Copy)]
struct Conv2d<F> {
    x: Stored<F>,
    weight: Stored<F>,
    bias: Option<Stored<F>>,
    window: Window,
}

impl<F: Float> Operation<F> for Conv2d<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        pass.first_order_only("conv2d");
        let (x, weight, bias) =
            (pass.input(self.x), pass.input(self.weight), self.bias.map(|b| pass.input(b)));
        let (core, w) = (x.core, self.window);
        let (image, positions, patch) = (w.image(), w.positions(), w.patch());
        let (batch, outputs) = (x.shape[0], weight.shape[0]);
        let blocks = BLOCKS.min(batch);
        let wants = [pass.wants(x), pass.wants(weight)];
        let sums = core.buffer(if wants[1] { blocks * outputs * patch } else { 0 });
        let sums_parts = Parts::new(sums);
        let room = patch * positions;
        let scratch = Parts::new(core.buffer(core.pool.threads() * room));
        let run = |dx: Option<(&mut [F], bool)>| {
            let add = dx.as_ref().is_some_and(|dx| dx.1);
            let dx = dx.map(|dx| Parts::new(dx.0));
            core.pool.run_with_thread(blocks, |block, thread| {
                // SAFETY: a thread's own scratch.
                let columns = unsafe { scratch.part(thread * room, room) };
                let range = block * batch / blocks..(block + 1) * batch / blocks;
                for b in range.clone() {
                    let dy = Matrix::new(&gradient.data[b * outputs * positions..], positions);
                    if wants[1] {
                        unfold(&w, &x.data[b * image..(b + 1) * image], columns);
                        // SAFETY: a block's own sum.
                        let dw = unsafe { sums_parts.part(block * outputs * patch, outputs * patch) };
                        let right = Matrix::new(columns, positions).transposed();
                        product([outputs, patch, positions], dw, patch, b > range.start, dy, right, nothing);
                    }
                    if let Some(dx) = &dx {
                        // SAFETY: an image is one block's.
                        let dx = unsafe { dx.part(b * image, image) };
                        if !add {
                            dx.fill(F::ZERO);
                        }
                        let left = Matrix::new(weight.data, patch).transposed();
                        product([patch, positions, outputs], columns, positions, false, left, dy, nothing);
                        fold(&w, columns, dx);
                    }
                }
            });
        };
        if wants[0] {
            pass.accumulate(x, |dx, add| run(Some((dx, add))));
        } else if wants[1] {
            run(None);
        }
        pass.accumulate(weight, |dw, add| loops::sum_columns(sums, dw, add));
        if let Some(bias) = bias {
            let rows = core.unrecorded(gradient.data, &[batch, outputs, positions]);
            pass.add(bias, rows.sum_axis(-1, false).sum_axis(0, false));
        }
    }
}

fn nothing<F>(_: &mut [F], _: usize, _: usize, _: usize, _: usize) {}

/// The largest or the mean number under a window.
#[derive(Clone, Copy)]
struct Pool2d<F> {
    x: Stored<F>,
    window: Window,
    /// Where the largest number was, for every output, within its channel; empty for a mean.
    at: *const [u32],
}

impl<F: Float> Operation<F> for Pool2d<F> {
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, _: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        pass.first_order_only("pooling");
        let (x, w) = (pass.input(self.x), self.window);
        // SAFETY: the indices lie in the arena of this step.
        let at = unsafe { &*self.at };
        let (plane, positions) = (w.height * w.width, w.positions());
        pass.accumulate(x, |dx, add| {
            if !add {
                dx.fill(F::ZERO);
            }
            for (p, (dx, g)) in
                dx.chunks_exact_mut(plane).zip(gradient.data.chunks_exact(positions)).enumerate()
            {
                if at.is_empty() {
                    let share = F::ONE / F::from_f64((w.kernel[0] * w.kernel[1]) as f64);
                    let one = Window { channels: 1, ..w };
                    one.runs(|_, y, range, start| {
                        let g = &g[y * w.out[1] + range.start..y * w.out[1] + range.end];
                        for (&g, dx) in g.iter().zip(dx[start..].iter_mut().step_by(w.stride[1])) {
                            *dx += g * share;
                        }
                    });
                } else {
                    for (&g, &at) in g.iter().zip(&at[p * positions..(p + 1) * positions]) {
                        dx[at as usize] += g;
                    }
                }
            }
        });
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// Convolution of images `[B, in, height, width]` with a weight `[out, in, kernel height, kernel width]` and a
    /// bias `[out]` (cross-correlation, as everywhere in the field): `[B, out, height', width']` with
    /// `height' = (height + 2 padding - kernel height) / stride + 1`. It has no second derivative.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn conv2d(self, weight: Self, bias: Option<Self>, stride: [usize; 2], padding: [usize; 2]) -> Self {
        conv2d(self, weight, bias, stride, padding)
    }

    /// The largest number under a window that moves over every channel. It has no second derivative.
    ///
    /// # Panics
    /// If the window does not fit.
    pub fn max_pool2d(self, kernel: [usize; 2], stride: [usize; 2]) -> Self {
        max_pool2d(self, kernel, stride)
    }

    /// The mean number under a window that moves over every channel. It has no second derivative.
    ///
    /// # Panics
    /// If the window does not fit.
    pub fn avg_pool2d(self, kernel: [usize; 2], stride: [usize; 2]) -> Self {
        avg_pool2d(self, kernel, stride)
    }

    /// Every pixel of images `[B, channels, height, width]` as a block of so many rows and columns of itself (nearest neighbor):
    /// `[B, channels, height * rows, width * columns]`.
    ///
    /// # Panics
    /// If these are no images.
    pub fn upsample2d(self, [rows, columns]: [usize; 2]) -> Self {
        let &[batch, channels, height, width] = self.shape else {
            panic!("upsample2d: an input of shape {:?}, not [B, channels, height, width]", self.shape)
        };
        self.reshape(&[batch, channels, height, 1, width, 1])
            .broadcast_to(&[batch, channels, height, rows, width, columns])
            .reshape(&[batch, channels, height * rows, width * columns])
    }
}

compiled_once! {
    fn conv2d<'g, F>(
        x: Tensor<'g, F>, weight: Tensor<'g, F>, bias: Option<Tensor<'g, F>>, stride: [usize; 2], padding: [usize; 2],
    ) -> Tensor<'g, F> {
        let &[outputs, inputs, kh, kw] = weight.shape else {
            panic!("conv2d: a weight of shape {:?}, not [out, in, height, width]", weight.shape)
        };
        let w = Window::new("conv2d", x.shape, [kh, kw], stride, padding);
        assert_eq!(
            inputs, w.channels,
            "conv2d: the weight {:?} (left) does not fit the input {:?} (right)",
            weight.shape, x.shape
        );
        if let Some(bias) = bias {
            assert_eq!(
                bias.shape,
                [outputs],
                "conv2d: the bias (left) of a weight {:?} (right)",
                weight.shape
            );
        }
        let (core, batch) = (x.core, x.shape[0]);
        let (image, positions, patch) = (w.image(), w.positions(), w.patch());
        let out = core.buffer(batch * outputs * positions);
        let parts = Parts::new(out);
        let room = patch * positions;
        let scratch = Parts::new(core.buffer(core.pool.threads() * room));
        let bias_data = bias.map(|bias| bias.data);
        core.pool.run_with_thread(batch, |b, thread| {
            // SAFETY: a thread's own scratch, and an image's own outputs.
            let (columns, y) = unsafe {
                (scratch.part(thread * room, room), parts.part(b * outputs * positions, outputs * positions))
            };
            unfold(&w, &x.data[b * image..(b + 1) * image], columns);
            let (left, right) = (Matrix::new(weight.data, patch), Matrix::new(columns, positions));
            product(
                [outputs, positions, patch],
                y,
                positions,
                false,
                left,
                right,
                |y, i, rows, j, columns| {
                    let Some(bias) = bias_data else { return };
                    for i in i..i + rows {
                        let b = bias[i];
                        y[i * positions + j..i * positions + j + columns].iter_mut().for_each(|y| *y += b);
                    }
                },
            );
        });
        let operation =
            Conv2d { x: x.store(), weight: weight.store(), bias: bias.map(|b| b.store()), window: w };
        let shape = [batch, outputs, w.out[0], w.out[1]];
        match bias {
            Some(bias) => core.record(out, &shape, &[x, weight, bias], operation),
            None => core.record(out, &shape, &[x, weight], operation),
        }
    }

    fn max_pool2d<'g, F>(x: Tensor<'g, F>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<'g, F> {
        let w = Window::new("max_pool2d", x.shape, kernel, stride, [0, 0]);
        let (plane, positions) = (w.height * w.width, w.positions());
        let planes = x.shape[0] * w.channels;
        let out = x.core.buffer(planes * positions);
        let at = x.core.arena.slice::<u32>(planes * positions);
        for p in 0..planes {
            let data = &x.data[p * plane..(p + 1) * plane];
            for o in 0..positions {
                let (y, z) = (o / w.out[1] * stride[0], o % w.out[1] * stride[1]);
                let mut best = y * w.width + z;
                for i in y..y + kernel[0] {
                    for j in z..z + kernel[1] {
                        let here = i * w.width + j;
                        if data[here] > data[best] || (data[here].is_nan() && !data[best].is_nan()) {
                            best = here;
                        }
                    }
                }
                out[p * positions + o] = data[best];
                at[p * positions + o] = best as u32;
            }
        }
        let shape = [x.shape[0], w.channels, w.out[0], w.out[1]];
        x.core.record(out, &shape, &[x], Pool2d { x: x.store(), window: w, at })
    }

    fn avg_pool2d<'g, F>(x: Tensor<'g, F>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<'g, F> {
        let w = Window::new("avg_pool2d", x.shape, kernel, stride, [0, 0]);
        let (plane, positions) = (w.height * w.width, w.positions());
        let out = x.core.buffer(x.shape[0] * w.channels * positions);
        let share = F::ONE / F::from_f64((kernel[0] * kernel[1]) as f64);
        let one = Window { channels: 1, ..w };
        for (data, out) in x.data.chunks_exact(plane).zip(out.chunks_exact_mut(positions)) {
            out.fill(F::ZERO);
            one.runs(|_, y, range, start| {
                let out = &mut out[y * w.out[1] + range.start..y * w.out[1] + range.end];
                for (out, &x) in out.iter_mut().zip(data[start..].iter().step_by(stride[1])) {
                    *out += x * share;
                }
            });
        }
        let shape = [x.shape[0], w.channels, w.out[0], w.out[1]];
        let at: &[u32] = &[];
        x.core.record(out, &shape, &[x], Pool2d { x: x.store(), window: w, at })
    }
}
