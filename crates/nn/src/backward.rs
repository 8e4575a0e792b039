//! The way back: gradients with respect to parameters, and gradients that are tensors themselves.

use crate::loops;
use crate::params::Params;
use crate::pool::Parts;
use crate::tape::{Core, Entered, Stored, Tensor, UNRECORDED};
use crate::{Float, Graph, compiled_once};

/// What is known of a node's gradient during a pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot<F> {
    state: State,
    /// Where the gradient lies, or where it must be written first.
    pointer: *mut F,
    /// In a recorded pass: the gradient itself.
    tensor: Option<Stored<F>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Does not depend on anything that is asked for.
    Unwanted,
    /// Nothing has arrived yet.
    Empty,
    /// The numbers are somebody else's: read only.
    Borrowed,
    /// The numbers may be added to.
    Owned,
}

/// A pass from a loss back to what is asked for.
pub(crate) struct Pass<'g, F: Float> {
    core: &'g Core<F>,
    slots: Vec<Slot<F>>,
    recorded: bool,
}

impl<'g, F: Float> Pass<'g, F> {
    /// Finds out which nodes are wanted: those that depend on a leaf for which `is_target` gives a place to write to
    /// (which may be null).
    fn new(
        loss: Tensor<'g, F>,
        recorded: bool,
        mut target: impl FnMut(u32, &crate::tape::Node<F>) -> Option<*mut F>,
    ) -> Self {
        let core = loss.core;
        let mut slots = core.slots.take();
        slots.clear();
        if loss.id != UNRECORDED {
            for id in 0..=loss.id {
                let node = core.node(id);
                let mut slot = Slot { state: State::Unwanted, pointer: std::ptr::null_mut(), tensor: None };
                if let Some(pointer) = target(id, &node) {
                    slot.state = State::Empty;
                    slot.pointer = pointer;
                } else {
                    // SAFETY: the list lies in the arena of this step.
                    let inputs = unsafe { &*node.inputs };
                    let wanted = |&i: &u32| i != UNRECORDED && slots[i as usize].state != State::Unwanted;
                    if inputs.iter().any(wanted) {
                        slot.state = State::Empty;
                    }
                }
                slots.push(slot);
            }
        }
        Pass { core, slots, recorded }
    }

    /// Carries the gradient of `loss`, which is 1, back through every wanted node.
    fn run(&mut self, loss: Tensor<'g, F>, context: &str) {
        assert_eq!(loss.len(), 1, "{context}: a loss is one number, got a tensor of shape {:?}", loss.shape);
        assert!(
            loss.id != UNRECORDED && self.slots[loss.id as usize].state != State::Unwanted,
            "{context}: the loss depends on nothing that it should be differentiated by"
        );
        let one = Graph { core: self.core }.full(loss.shape, 1.0);
        self.add(loss, one);
        for id in (0..=loss.id).rev() {
            let slot = self.slots[id as usize];
            if !matches!(slot.state, State::Borrowed | State::Owned) {
                continue;
            }
            let node = self.core.node(id);
            let Some(operation) = node.operation else { continue };
            // SAFETY: the list lies in the arena of this step.
            let inputs = unsafe { &*node.inputs };
            if inputs.iter().all(|&i| i == UNRECORDED || self.slots[i as usize].state == State::Unwanted) {
                continue;
            }
            // SAFETY: `loss` depends on this node (see `Stored`), and operations lie in the arena of this step.
            let (output, operation) = unsafe { (node.value.load(self.core), &*operation) };
            let gradient = match slot.tensor {
                // SAFETY: made in this pass.
                Some(tensor) => unsafe { tensor.load(self.core) },
                None => {
                    // SAFETY: a gradient of this pass with as many numbers as the node; nobody writes to it any more.
                    let data = unsafe { std::slice::from_raw_parts(slot.pointer, output.len()) };
                    Tensor { core: self.core, data, shape: output.shape, id: UNRECORDED }
                }
            };
            operation.backward(self, output, gradient);
        }
    }

    /// An input of the operation at hand.
    pub(crate) fn input(&self, stored: Stored<F>) -> Tensor<'g, F> {
        // SAFETY: operations call this with their own inputs while their output is at hand.
        unsafe { stored.load(self.core) }
    }

    /// True if the gradient of this input is asked for.
    pub(crate) fn wants(&self, input: Tensor<'g, F>) -> bool {
        input.id != UNRECORDED && self.slots[input.id as usize].state != State::Unwanted
    }

    /// True if the pass must itself be made of recorded operations.
    pub(crate) fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// Says by name that an operation has no second derivative.
    pub(crate) fn first_order_only(&self, operation: &str) {
        assert!(!self.recorded, "{operation} has no second derivative: its gradient cannot be recorded");
    }

    /// The gradient of a parameter is added to what its buffer holds.
    fn start_from_zero(&mut self, id: u32) {
        if let Some(slot) = self.slots.get_mut(id as usize)
            && slot.state == State::Empty
        {
            slot.state = State::Owned;
        }
    }

    /// True if the buffer of a parameter's gradient has been written to.
    fn is_written(&self, id: u32) -> bool {
        self.slots.get(id as usize).is_some_and(|slot| slot.state == State::Owned)
    }

    /// Adds a gradient that is a tensor.
    pub(crate) fn add(&mut self, input: Tensor<'g, F>, gradient: Tensor<'g, F>) {
        if !self.wants(input) {
            return;
        }
        debug_assert_eq!(input.shape, gradient.shape, "a gradient has the shape of its input");
        let slot = &mut self.slots[input.id as usize];
        if self.recorded {
            let sum = match slot.tensor {
                // SAFETY: made in this pass.
                Some(before) => (unsafe { before.load(self.core) }) + gradient,
                None => gradient,
            };
            slot.tensor = Some(sum.store());
            slot.state = State::Borrowed;
        } else if slot.state == State::Empty && slot.pointer.is_null() {
            slot.state = State::Borrowed;
            slot.pointer = gradient.data.as_ptr().cast_mut();
        } else {
            self.accumulate(input, |sum, add| {
                if add { loops::add_to(gradient.data, sum) } else { sum.copy_from_slice(gradient.data) }
            });
        }
    }

    /// Adds a gradient that is computed in place: `write(slice, add)` overwrites the slice, or adds to it if `add`.
    pub(crate) fn accumulate(&mut self, input: Tensor<'g, F>, write: impl FnOnce(&mut [F], bool)) {
        if let Some(place) = self.place(input) {
            // SAFETY: the slot's own memory, which nobody else has at hand.
            write(unsafe { place.parts.part(0, input.len()) }, place.add);
        }
    }

    /// Where the gradient of an input goes, for an operation that computes several side by side; none if it is not
    /// asked for. What is asked for again must be written after what was asked for before.
    pub(crate) fn place(&mut self, input: Tensor<'g, F>) -> Option<Place<F>> {
        debug_assert!(!self.recorded);
        if !self.wants(input) {
            return None;
        }
        let slot = &mut self.slots[input.id as usize];
        let add = slot.state != State::Empty;
        if slot.state == State::Borrowed {
            let own = self.core.buffer(input.len());
            // SAFETY: a gradient of this pass with as many numbers.
            own.copy_from_slice(unsafe { std::slice::from_raw_parts(slot.pointer, input.len()) });
            slot.pointer = own.as_mut_ptr();
        } else if slot.pointer.is_null() {
            slot.pointer = self.core.buffer(input.len()).as_mut_ptr();
        }
        slot.state = State::Owned;
        // SAFETY: the slot's own memory: from the arena, or the caller's gradient buffer.
        let parts = Parts::new(unsafe { std::slice::from_raw_parts_mut(slot.pointer, input.len()) });
        Some(Place { parts, add })
    }
}

/// Memory that a gradient is written to, or added to if `add`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<F> {
    pub(crate) parts: Parts<F>,
    pub(crate) add: bool,
}

impl<F: Float> Entered<F> {
    fn lies_in(&self, view: &[F]) -> bool {
        view.as_ptr_range().contains(&self.start)
    }
}

impl<F: Float> Drop for Pass<'_, F> {
    fn drop(&mut self) {
        self.core.slots.set(std::mem::take(&mut self.slots));
    }
}

impl<'g, F: Float> Tensor<'g, F> {
    /// Writes the gradient of this loss with respect to one set of parameters, flat, in the order of the set.
    ///
    /// Parameters the loss does not depend on get 0. Only what lies between the loss and these parameters is visited:
    /// an actor's gradient through a critic costs no gradient of the critic's weights.
    ///
    /// # Panics
    /// If this is not one number, if it depends on none of the parameters, or if `gradient` has another length.
    pub fn gradient(self, params: &Params<F>, gradient: &mut [F]) {
        self.gradients(&mut [(params, gradient)]);
    }

    /// As [`Tensor::gradient`], for several sets of parameters in one pass.
    pub fn gradients(self, sets: &mut [(&Params<F>, &mut [F])]) {
        gradients(self, sets);
    }

    /// The gradients of this loss with respect to tensors of its graph (parameters, [`Graph::variable`]s or results),
    /// as tensors that can be differentiated again.
    ///
    /// # Panics
    /// If this is not one number, if it depends on none of `inputs`, or if an operation on the way is fused and has
    /// no second derivative.
    pub fn grad<const N: usize>(self, inputs: &[Tensor<'g, F>; N]) -> [Tensor<'g, F>; N] {
        let mut pass =
            Pass::new(self, true, |id, _| inputs.iter().any(|x| x.id == id).then_some(std::ptr::null_mut()));
        pass.run(self, "grad");
        inputs.map(|x| match pass.slots.get(x.id as usize).and_then(|slot| slot.tensor) {
            // SAFETY: made in this pass.
            Some(tensor) => unsafe { tensor.load(self.core) },
            None => x.graph().zeros(x.shape),
        })
    }
}

compiled_once! {
    fn gradients<'g, F>(loss: Tensor<'g, F>, sets: &mut [(&Params<F>, &mut [F])]) {
        for (params, gradient) in sets.iter() {
            assert_eq!(
                gradient.len(),
                params.len(),
                "gradient: the buffer's length (left) is not that of the parameters (right)"
            );
        }
        let mut pass = Pass::new(loss, false, |_, node| {
            if !node.is_param {
                return None;
            }
            let address = node.value.data_pointer() as usize;
            sets.iter_mut().find_map(|(params, gradient)| {
                let offset = address.checked_sub(params.data().as_ptr() as usize)? / size_of::<F>();
                // SAFETY: the offset of a view within the buffer.
                (offset < params.len()).then(|| unsafe { gradient.as_mut_ptr().add(offset) })
            })
        });
        // A view of which single members were entered too is added up from 0.
        for (params, gradient) in sets.iter_mut() {
            for view in params.views() {
                let part = |p: &Entered<F>| p.lies_in(params.view(*view)) && p.len != view.len();
                if loss.core.params().iter().any(part) {
                    gradient[view.range()].fill(F::ZERO);
                    for p in loss.core.params().iter().filter(|p| p.lies_in(params.view(*view))) {
                        pass.start_from_zero(p.id);
                    }
                }
            }
        }
        loss.core.with_recording(false, || pass.run(loss, "gradient"));
        // What the pass did not reach is 0.
        for (params, gradient) in sets.iter_mut() {
            for view in params.views() {
                let reached = |p: &Entered<F>| p.lies_in(params.view(*view)) && pass.is_written(p.id);
                if !loss.core.params().iter().any(reached) {
                    gradient[view.range()].fill(F::ZERO);
                }
            }
        }
    }
}
