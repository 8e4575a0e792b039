//! The tape: operations run at once and are recorded for the way back.
//!
//! A [`Tape`] owns the memory and the threads; [`Tape::graph`] starts a step; a [`Tensor`] is a small copyable handle
//! to a value of that step. Only what depends on a parameter (or on a [`Graph::variable`]) is recorded: constants,
//! and everything inside [`Graph::no_grad`], leave no trace.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::fmt;

use crate::arena::Arena;
use crate::backward::{Pass, Slot};
use crate::pool::Pool;
use crate::{Float, Params, View};

/// The memory of training steps, and the threads they run on.
///
/// ```
/// use quire_nn::Tape;
/// let mut tape = Tape::<f32>::new(1);
/// let graph = tape.graph();
/// let x = graph.variable(&[3], &[1.0, 2.0, 3.0]);
/// let y = (x * x).sum();
/// assert_eq!(y.item(), 14.0);
/// assert_eq!(y.grad(&[x])[0].data(), [2.0, 4.0, 6.0]);
/// ```
pub struct Tape<F: Float> {
    core: Core<F>,
}

// SAFETY: the raw pointers in the nodes are only followed through tensors, which borrow the tape; a tape that can be
// moved to another thread is not borrowed.
unsafe impl<F: Float> Send for Tape<F> {}

impl<F: Float> Tape<F> {
    /// A tape whose operations run on this many threads. The bits of every result are the same for every count.
    pub fn new(threads: usize) -> Self {
        crate::gemm::prepare_thread();
        Tape {
            core: Core {
                arena: Arena::default(),
                nodes: UnsafeCell::new(Vec::new()),
                params: RefCell::new(Vec::new()),
                slots: Cell::new(Vec::new()),
                recording: Cell::new(true),
                pool: Pool::new(threads),
            },
        }
    }

    /// The threads it works on, for an optimizer that steps in turns with it.
    pub fn pool(&self) -> &Pool {
        &self.core.pool
    }

    /// Starts a step: the memory of the last one is used again.
    pub fn graph(&mut self) -> Graph<'_, F> {
        self.core.arena.reset();
        self.core.nodes.get_mut().clear();
        self.core.params.get_mut().clear();
        self.core.recording.set(true);
        Graph { core: &self.core }
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.core.pool.threads()
    }

    /// Bytes that the current step has used, and bytes that the tape holds.
    pub fn memory(&self) -> (usize, usize) {
        self.core.arena.usage()
    }
}

impl<F: Float> fmt::Debug for Tape<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, held) = self.memory();
        f.debug_struct("Tape")
            .field("threads", &self.threads())
            .field("used", &used)
            .field("held", &held)
            .finish()
    }
}

pub(crate) struct Core<F: Float> {
    pub(crate) arena: Arena,
    nodes: UnsafeCell<Vec<Node<F>>>,
    /// Every parameter on the tape.
    params: RefCell<Vec<Entered<F>>>,
    pub(crate) slots: Cell<Vec<Slot<F>>>,
    recording: Cell<bool>,
    pub(crate) pool: Pool,
}

/// An operation that was recorded: it knows its inputs and how to send a gradient back to them.
pub(crate) trait Operation<F: Float> {
    /// Adds to the gradient of each wanted input, given that of the output.
    fn backward<'g>(&self, pass: &mut Pass<'g, F>, output: Tensor<'g, F>, gradient: Tensor<'g, F>);
}

#[derive(Clone, Copy)]
pub(crate) struct Node<F> {
    pub(crate) value: Stored<F>,
    pub(crate) inputs: *const [u32],
    /// None for parameters and variables.
    pub(crate) operation: Option<*const dyn Operation<F>>,
    pub(crate) is_param: bool,
}

/// A parameter on the tape: where its numbers lie, and its node.
#[derive(Clone, Copy)]
pub(crate) struct Entered<F> {
    pub(crate) start: *const F,
    pub(crate) len: usize,
    pub(crate) id: u32,
}

/// The number of what is not recorded.
pub(crate) const UNRECORDED: u32 = u32::MAX;

impl<F: Float> Core<F> {
    pub(crate) fn node(&self, id: u32) -> Node<F> {
        // SAFETY: no reference into the vector outlives a call on this thread, and the type is not Sync.
        unsafe { (&*self.nodes.get())[id as usize] }
    }

    /// Every parameter on the tape.
    pub(crate) fn params(&self) -> std::cell::Ref<'_, [Entered<F>]> {
        std::cell::Ref::map(self.params.borrow(), |params| &**params)
    }

    fn push(&self, node: Node<F>) -> u32 {
        // SAFETY: as above.
        let nodes = unsafe { &mut *self.nodes.get() };
        nodes.push(node);
        (nodes.len() - 1) as u32
    }

    fn next_id(&self) -> u32 {
        // SAFETY: as above.
        let len = unsafe { (*self.nodes.get()).len() };
        assert!(len < UNRECORDED as usize, "a graph of {len} operations");
        len as u32
    }

    /// Fresh memory for the values of a result: the operation overwrites all of it.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn buffer(&self, len: usize) -> &mut [F] {
        self.arena.slice(len)
    }

    /// A result that nothing is recorded of.
    pub(crate) fn unrecorded<'g>(&'g self, data: &'g [F], shape: &[usize]) -> Tensor<'g, F> {
        debug_assert_eq!(data.len(), shape.iter().product::<usize>());
        Tensor { core: self, data, shape: self.arena.copy(shape), id: UNRECORDED }
    }

    /// A result, recorded if an input is.
    pub(crate) fn record<'g, O: Operation<F> + Copy + 'static>(
        &'g self,
        data: &'g [F],
        shape: &[usize],
        inputs: &[Tensor<'g, F>],
        operation: O,
    ) -> Tensor<'g, F> {
        self.record_value(self.unrecorded(data, shape), inputs, operation)
    }

    /// Records how a value came about, if an input is recorded.
    pub(crate) fn record_value<'g, O: Operation<F> + Copy + 'static>(
        &'g self,
        value: Tensor<'g, F>,
        inputs: &[Tensor<'g, F>],
        operation: O,
    ) -> Tensor<'g, F> {
        let mut tensor = value;
        if self.recording.get() && inputs.iter().any(|x| x.is_recorded()) {
            tensor.id = self.next_id();
            let ids = self.arena.bytes(size_of::<u32>() * inputs.len(), 8).cast::<u32>();
            for (i, input) in inputs.iter().enumerate() {
                // SAFETY: memory for as many numbers was just handed out.
                unsafe { ids.add(i).write(input.id) };
            }
            let operation: &dyn Operation<F> = self.arena.place(operation);
            self.push(Node {
                value: tensor.store(),
                inputs: std::ptr::slice_from_raw_parts(ids.as_ptr(), inputs.len()),
                operation: Some(operation),
                is_param: false,
            });
        }
        tensor
    }

    fn leaf<'g>(&'g self, data: &'g [F], shape: &[usize], is_param: bool) -> Tensor<'g, F> {
        let mut tensor = self.unrecorded(data, shape);
        if self.recording.get() {
            tensor.id = self.next_id();
            self.push(Node { value: tensor.store(), inputs: &[], operation: None, is_param });
        }
        tensor
    }

    /// Runs `f` with recording on or off.
    pub(crate) fn with_recording<R>(&self, on: bool, f: impl FnOnce() -> R) -> R {
        struct Restore<'a>(&'a Cell<bool>, bool);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let _restore = Restore(&self.recording, self.recording.replace(on));
        f()
    }
}

/// A step in progress: where tensors come from. A small copyable handle.
#[derive(Clone, Copy)]
pub struct Graph<'g, F: Float> {
    pub(crate) core: &'g Core<F>,
}

impl<F: Float> fmt::Debug for Graph<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").finish_non_exhaustive()
    }
}

impl<'g, F: Float> Graph<'g, F> {
    /// A parameter, without a copy. The same parameter entered twice is the same tensor.
    pub fn param(&self, params: &'g Params<F>, view: View) -> Tensor<'g, F> {
        let data = params.view(view);
        if !self.core.recording.get() || data.is_empty() {
            return self.core.unrecorded(data, &view.shape);
        }
        let same = |p: &&Entered<F>| p.start == data.as_ptr() && p.len == data.len();
        let known = self.core.params.borrow().iter().find(same).map(|p| p.id);
        if let Some(id) = known {
            let shape = self.core.arena.copy(&view.shape);
            return Tensor { core: self.core, data, shape, id };
        }
        let tensor = self.core.leaf(data, &view.shape, true);
        self.core.params.borrow_mut().push(Entered { start: data.as_ptr(), len: data.len(), id: tensor.id });
        tensor
    }

    /// A constant: copied in, without a gradient.
    ///
    /// # Panics
    /// If `data` does not have as many numbers as `shape` says.
    pub fn constant(&self, shape: &[usize], data: &[F]) -> Tensor<'g, F> {
        self.core.unrecorded(self.copy_in("constant", shape, data), shape)
    }

    /// An input that [`Tensor::grad`] can differentiate by: copied in.
    ///
    /// # Panics
    /// If `data` does not have as many numbers as `shape` says.
    pub fn variable(&self, shape: &[usize], data: &[F]) -> Tensor<'g, F> {
        self.core.leaf(self.copy_in("variable", shape, data), shape, false)
    }

    fn copy_in(&self, operation: &str, shape: &[usize], data: &[F]) -> &'g [F] {
        assert_eq!(
            data.len(),
            shape.iter().product::<usize>(),
            "{operation}: the number of values (left) is not that of the shape {shape:?} (right)"
        );
        let own = self.core.buffer(data.len());
        own.copy_from_slice(data);
        own
    }

    /// A constant with every number equal to `value`.
    pub fn full(&self, shape: &[usize], value: f64) -> Tensor<'g, F> {
        let data = self.core.buffer(shape.iter().product());
        data.fill(F::from_f64(value));
        self.core.unrecorded(data, shape)
    }

    /// A constant of zeros.
    pub fn zeros(&self, shape: &[usize]) -> Tensor<'g, F> {
        self.full(shape, 0.0)
    }

    /// A constant whose numbers are written by `fill`, which finds anything in the slice it is given and must
    /// overwrite all of it: for batches that are gathered from a replay buffer straight into place.
    pub fn constant_with(&self, shape: &[usize], fill: impl FnOnce(&mut [F])) -> Tensor<'g, F> {
        let data = self.core.buffer(shape.iter().product());
        fill(data);
        self.core.unrecorded(data, shape)
    }

    /// `count` indices in the memory of this step.
    pub(crate) fn indices(&self, count: usize, f: impl Fn(usize) -> usize) -> &'g [usize] {
        let list = self.core.arena.slice::<usize>(count);
        list.iter_mut().enumerate().for_each(|(i, to)| *to = f(i));
        list
    }

    /// Runs `f` without recording: for targets and for acting.
    pub fn no_grad<R>(&self, f: impl FnOnce() -> R) -> R {
        self.core.with_recording(false, f)
    }
}

/// A value of the current step: a small copyable handle. See the methods for the operations.
#[derive(Clone, Copy)]
pub struct Tensor<'g, F: Float> {
    pub(crate) core: &'g Core<F>,
    pub(crate) data: &'g [F],
    pub(crate) shape: &'g [usize],
    pub(crate) id: u32,
}

impl<'g, F: Float> Tensor<'g, F> {
    /// The numbers, row-major.
    #[inline]
    pub fn data(&self) -> &'g [F] {
        self.data
    }

    /// The shape.
    #[inline]
    pub fn shape(&self) -> &'g [usize] {
        self.shape
    }

    /// The size of one axis; a negative axis counts from the end.
    #[inline]
    pub fn size(&self, axis: isize) -> usize {
        self.shape[crate::shape::axis_of("size", self.shape, axis)]
    }

    /// The count of numbers.
    #[inline]
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// True if there is no number.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The only number.
    ///
    /// # Panics
    /// If there is not exactly one.
    #[inline]
    pub fn item(&self) -> F {
        assert_eq!(self.len(), 1, "item: a tensor of shape {:?}", self.shape);
        self.data[0]
    }

    /// The graph it belongs to.
    #[inline]
    pub fn graph(&self) -> Graph<'g, F> {
        Graph { core: self.core }
    }

    /// The same value, taken for a constant from here on.
    #[inline]
    pub fn detach(self) -> Self {
        Tensor { id: UNRECORDED, ..self }
    }

    /// True if a gradient can reach it.
    #[inline]
    pub fn is_recorded(&self) -> bool {
        self.id != UNRECORDED
    }

    /// The handle without its lifetime, for an operation to keep.
    #[inline]
    pub(crate) fn store(&self) -> Stored<F> {
        Stored { data: self.data, shape: self.shape, id: self.id }
    }
}

impl<F: Float> fmt::Debug for Tensor<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tensor")
            .field("shape", &self.shape)
            .field("recorded", &self.is_recorded())
            .field("data", &self.data)
            .finish()
    }
}

/// A [`Tensor`] as an operation keeps it on the tape.
///
/// Why following its pointers is sound: data lies in the arena or in parameters. A tensor computed from a parameter
/// has a lifetime no longer than the parameter's borrow, and an operation is only ever run for a tensor that depends
/// on it, so whoever starts a backward pass proves that everything below is still borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored<F> {
    data: *const [F],
    shape: *const [usize],
    pub(crate) id: u32,
}

impl<F: Float> Stored<F> {
    pub(crate) fn data_pointer(&self) -> *const F {
        self.data.cast()
    }

    /// The tensor again.
    ///
    /// # Safety
    /// See the type: only for inputs of an operation whose output is at hand.
    #[inline]
    pub(crate) unsafe fn load<'g>(&self, core: &'g Core<F>) -> Tensor<'g, F> {
        // SAFETY: the caller's duty.
        unsafe { Tensor { core, data: &*self.data, shape: &*self.shape, id: self.id } }
    }
}
