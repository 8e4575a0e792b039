//! The memory of one step: bump allocation in chunks that never move, all given back at once.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

/// Every slice of numbers starts on a cache line.
pub(crate) const ALIGNMENT: usize = 64;
const FIRST_CHUNK: usize = 1 << 20;

/// Chunks of memory, filled from the first to the last.
///
/// [`Arena::reset`] starts again at the first byte and keeps the chunks: a step that asks for what an earlier step
/// asked for gets the same addresses and no system call.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    chunks: RefCell<Vec<Chunk>>,
    current: Cell<usize>,
    used: Cell<usize>,
}

#[derive(Debug)]
struct Chunk {
    start: NonNull<u8>,
    layout: Layout,
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: `start` came from `alloc_zeroed` with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

// SAFETY: a chunk is plain memory that the arena alone owns.
unsafe impl Send for Chunk {}

impl Arena {
    /// Gives everything back; nothing handed out before may be used again.
    pub(crate) fn reset(&mut self) {
        self.current.set(0);
        self.used.set(0);
    }

    /// Bytes in use and bytes held.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let chunks = self.chunks.borrow();
        let before: usize = chunks.iter().take(self.current.get()).map(|c| c.layout.size()).sum();
        (before + self.used.get(), chunks.iter().map(|c| c.layout.size()).sum())
    }

    /// `bytes` bytes, aligned to a cache line or, for small things, to 8.
    #[inline]
    pub(crate) fn bytes(&self, bytes: usize, alignment: usize) -> NonNull<u8> {
        debug_assert!(alignment.is_power_of_two() && alignment <= ALIGNMENT);
        let chunks = self.chunks.borrow();
        if let Some(chunk) = chunks.get(self.current.get()) {
            let start = self.used.get().next_multiple_of(alignment);
            if start + bytes <= chunk.layout.size() {
                self.used.set(start + bytes);
                // SAFETY: `start + bytes` lies within the chunk.
                return unsafe { chunk.start.add(start) };
            }
        }
        drop(chunks);
        self.next_chunk(bytes)
    }

    #[cold]
    fn next_chunk(&self, bytes: usize) -> NonNull<u8> {
        let mut chunks = self.chunks.borrow_mut();
        // A later chunk that is large enough, swapped forward, so that none is passed over for good.
        let next = if chunks.is_empty() { 0 } else { self.current.get() + 1 };
        let found = chunks.iter().skip(next).position(|c| c.layout.size() >= bytes).map(|i| i + next);
        match found {
            Some(found) => chunks.swap(next, found),
            None => {
                let held: usize = chunks.iter().map(|c| c.layout.size()).sum();
                let size = bytes.max(held).max(FIRST_CHUNK).next_multiple_of(ALIGNMENT);
                let layout =
                    Layout::from_size_align(size, ALIGNMENT).expect("a chunk fits the address space");
                // SAFETY: the size is not zero. Zeroed, so that no slice of it is ever uninitialized.
                let start = unsafe { alloc_zeroed(layout) };
                let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
                chunks.push(Chunk { start, layout });
                let last = chunks.len() - 1;
                chunks.swap(next, last);
            }
        }
        self.current.set(next);
        self.used.set(bytes);
        chunks[next].start
    }

    /// A slice of `len` numbers with whatever lay there before: the caller overwrites it.
    ///
    /// Every bit pattern is a value of `T` and the chunk was zeroed when it was made, so reading it is never
    /// undefined, only pointless.
    #[allow(clippy::mut_from_ref)]
    #[inline]
    pub(crate) fn slice<T: bytemuck::Pod>(&self, len: usize) -> &mut [T] {
        let start = self.bytes(len * size_of::<T>(), ALIGNMENT);
        // SAFETY: the range is fresh, aligned and handed out once.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr().cast(), len) }
    }

    /// Moves a value that needs no drop into the arena.
    #[allow(clippy::mut_from_ref)]
    #[inline]
    pub(crate) fn place<T: Copy>(&self, value: T) -> &mut T {
        let start: NonNull<T> = self.bytes(size_of::<T>(), align_of::<T>().max(8)).cast();
        // SAFETY: fresh memory of the right size and alignment.
        unsafe {
            start.write(value);
            &mut *start.as_ptr()
        }
    }

    /// `f` of every value, in the arena.
    pub(crate) fn map<T, U: Copy>(&self, values: &[T], f: impl Fn(&T) -> U) -> &[U] {
        let start: NonNull<U> = self.bytes(size_of::<U>() * values.len(), align_of::<U>().max(8)).cast();
        for (i, value) in values.iter().enumerate() {
            // SAFETY: memory for as many values was just handed out.
            unsafe { start.add(i).write(f(value)) };
        }
        // SAFETY: all of it has just been written.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), values.len()) }
    }

    /// Copies a slice of plain values into the arena.
    #[inline]
    pub(crate) fn copy<T: Copy>(&self, values: &[T]) -> &[T] {
        let start: NonNull<T> = self.bytes(size_of_val(values), align_of::<T>().max(8)).cast();
        // SAFETY: fresh memory of the right size and alignment, which cannot overlap `values`.
        unsafe {
            std::ptr::copy_nonoverlapping(values.as_ptr(), start.as_ptr(), values.len());
            std::slice::from_raw_parts(start.as_ptr(), values.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_aligned_distinct_and_stay() {
        let mut arena = Arena::default();
        let mut first = Vec::new();
        for round in 0..3 {
            let mut addresses = Vec::new();
            for len in [3usize, 100_000, 1, 700_000, 5, 2_000_000, 17] {
                let slice = arena.slice::<f32>(len);
                assert_eq!(slice.as_ptr() as usize % ALIGNMENT, 0);
                slice.fill(len as f32);
                addresses.push((slice.as_ptr() as usize, len));
                arena.place(7u64);
            }
            for &(address, len) in &addresses {
                // SAFETY: the arena has not been reset.
                let slice = unsafe { std::slice::from_raw_parts(address as *const f32, len) };
                assert!(slice.iter().all(|&x| x == len as f32));
            }
            let held = arena.usage().1;
            if round == 0 {
                first.push((addresses, held));
            } else {
                assert_eq!(first[0], (addresses, held));
            }
            arena.reset();
        }
    }
}
