//! A small thread pool: one job at a time, cut into numbered blocks.
//!
//! The caller works along and returns when every block is done; a worker that sleeps through a job delays nobody.
//! Whoever works in turns with somebody else shares its pool (a [`Pool`] is cloned for that): workers of two pools that wait for
//! their next jobs would be in each other's way.
//! Every thread begins with its own share of the blocks, so that what a job leaves in its cache is there for the next one, and
//! then helps with the others'. Which thread does a block is left to chance, so a block must depend on its number alone.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};

/// Rounds a worker looks for the next job before it goes to sleep (about 30 microseconds).
const SPINS: u32 = 1500;
const INDEX_BITS: u32 = 24;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;

/// An index that no block has: no job is open.
const CLOSED: u64 = INDEX_MASK;

/// The calling thread and workers beside it; none for a pool of one thread. Clones are the same workers.
///
/// There is one job at a time: what is asked for meanwhile, by another thread or by a block, its caller does alone.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Team>);

/// The workers of a pool and all its clones.
#[derive(Debug)]
struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// A job is open.
    busy: AtomicBool,
}

/// What does a block: is told where the job's closure lies, the block's number and the thread's.
type Call = fn(usize, usize, usize);

/// A thread's share of the blocks: the job's number, then the next block to claim, or [`CLOSED`]. In a cache line of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Share(AtomicU64);

#[derive(Debug)]
struct Shared {
    /// One of every thread. The fields below change only while all are closed, so a claim (which needs the very state that was
    /// read before the fields) succeeds only for the job they belong to.
    shares: Vec<Share>,
    blocks: AtomicUsize,
    data: AtomicUsize,
    call: AtomicUsize,
    done: AtomicUsize,
    panicked: AtomicBool,
    stop: AtomicBool,
    sleeping: Vec<AtomicBool>,
    /// Workers that have made all the memory they will ever need.
    ready: AtomicUsize,
}

impl Pool {
    /// The fewest numbers that are a thread's part: fewer are done before another thread has begun.
    pub const LEAST_PART: usize = 1 << 12;

    /// A pool that uses `threads` threads, the caller's included.
    pub fn new(threads: usize) -> Self {
        let extra = threads.max(1) - 1;
        let shared = Arc::new(Shared {
            shares: (0..=extra).map(|_| Share(AtomicU64::new(CLOSED))).collect(),
            blocks: AtomicUsize::new(0),
            data: AtomicUsize::new(0),
            call: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            sleeping: (0..extra).map(|_| AtomicBool::new(false)).collect(),
            ready: AtomicUsize::new(0),
        });
        let workers = (0..extra)
            .map(|number| {
                let shared = shared.clone();
                std::thread::Builder::new()
                    .name(format!("quire-{number}"))
                    .spawn(move || shared.work(number))
                    .expect("the operating system starts a thread")
            })
            .collect();
        while shared.ready.load(Ordering::Acquire) < extra {
            std::thread::yield_now();
        }
        Pool(Arc::new(Team { shared, workers, busy: AtomicBool::new(false) }))
    }

    /// The number of threads, the caller's included.
    pub fn threads(&self) -> usize {
        self.0.workers.len() + 1
    }

    /// Calls `block(0) ... block(blocks - 1)`, each once, in any order, on any thread.
    #[inline]
    pub fn run<B: Fn(usize) + Sync>(&self, blocks: usize, block: B) {
        self.run_with_thread(blocks, |index, _| block(index));
    }

    /// As [`Pool::run`]; the block is also told the number of its thread, for memory that a thread works in.
    #[inline]
    pub fn run_with_thread<B: Fn(usize, usize) + Sync>(&self, blocks: usize, block: B) {
        /// Calls block `index` of the job whose closure lies at `data`.
        fn call<B: Fn(usize, usize)>(data: usize, index: usize, thread: usize) {
            // SAFETY: `share` keeps the closure until every block is done.
            unsafe { (*(data as *const B))(index, thread) }
        }
        let team = &*self.0;
        if team.workers.is_empty() || blocks <= 1 || team.busy.swap(true, Ordering::Acquire) {
            (0..blocks).for_each(|index| block(index, 0));
        } else {
            // SAFETY: `call` is for closures of this type, and any thread may call the closure.
            unsafe { team.share(blocks, std::ptr::from_ref(&block) as usize, call::<B>) };
        }
    }

    /// Calls `f(start, len)` for consecutive parts of `0 .. len`, one a thread, but none shorter than [`Pool::LEAST_PART`]. For
    /// a few operations on every number, whose result does not depend on where they are cut.
    #[inline]
    pub fn parts(&self, len: usize, f: impl Fn(usize, usize) + Sync) {
        /// Parts begin at cache lines, whatever the numbers in them.
        const UNIT: usize = 64;
        let parts = self.threads().min(len / Self::LEAST_PART);
        if parts <= 1 {
            return f(0, len);
        }
        let part = len.div_ceil(parts).next_multiple_of(UNIT);
        self.run(len.div_ceil(part), |i| f(i * part, part.min(len - i * part)));
    }
}

impl Team {
    /// Calls `call(data, block, thread)` for every block; the pool's only job until it is done, and `busy` says so.
    ///
    /// # Safety
    /// `call` may be called with `data` by any thread until this function returns.
    unsafe fn share(&self, blocks: usize, data: usize, call: Call) {
        assert!((blocks as u64) < CLOSED, "a job of {blocks} blocks");
        let shared = &*self.shared;
        let job = (shared.shares[0].0.load(Ordering::Relaxed) >> INDEX_BITS) + 1;
        shared.data.store(data, Ordering::Relaxed);
        shared.call.store(call as usize, Ordering::Relaxed);
        shared.blocks.store(blocks, Ordering::Relaxed);
        shared.done.store(0, Ordering::Relaxed);
        for (thread, share) in shared.shares.iter().enumerate() {
            share.0.store(job << INDEX_BITS | shared.share_of(thread, blocks).start as u64, Ordering::SeqCst);
        }
        for (worker, sleeping) in self.workers.iter().zip(&shared.sleeping) {
            if sleeping.load(Ordering::SeqCst) {
                wake(worker.thread());
            }
        }
        shared.help(0);
        let mut spins = 0u32;
        while shared.done.load(Ordering::Acquire) < blocks {
            spins += 1;
            if spins < 4096 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        for share in &shared.shares {
            share.0.store(job << INDEX_BITS | CLOSED, Ordering::SeqCst);
        }
        let panicked = shared.panicked.swap(false, Ordering::Relaxed);
        self.busy.store(false, Ordering::Release);
        assert!(!panicked, "a parallel block panicked");
    }
}

fn wake(thread: &Thread) {
    thread.unpark();
}

impl Shared {
    /// The blocks that are a thread's own.
    fn share_of(&self, thread: usize, blocks: usize) -> Range<usize> {
        let threads = self.shares.len();
        thread * blocks / threads..(thread + 1) * blocks / threads
    }

    /// Claims and runs blocks of the present job until none is left; true if it ran any.
    fn help(&self, thread: usize) -> bool {
        let threads = self.shares.len();
        let mut any = false;
        for offset in 0..threads {
            any |= self.help_with((thread + offset) % threads, thread);
        }
        any
    }

    /// As [`Shared::help`], with the blocks of one thread.
    fn help_with(&self, owner: usize, thread: usize) -> bool {
        let share = &self.shares[owner].0;
        let mut any = false;
        loop {
            let state = share.load(Ordering::SeqCst);
            if state & INDEX_MASK == CLOSED {
                return any;
            }
            let index = (state & INDEX_MASK) as usize;
            let blocks = self.blocks.load(Ordering::Acquire);
            let data = self.data.load(Ordering::Acquire);
            let call = self.call.load(Ordering::Acquire);
            if index >= self.share_of(owner, blocks).end {
                return any;
            }
            if share.compare_exchange_weak(state, state + 1, Ordering::SeqCst, Ordering::Relaxed).is_err() {
                continue;
            }
            // The claim succeeded, so the job was still open and the fields are its own; they stay until this block
            // is done, because the caller waits for it.
            // SAFETY: `call` was stored from a function of this type.
            let call: Call = unsafe { std::mem::transmute(call) };
            let outcome =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call(data, index, thread)));
            if outcome.is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            any = true;
            self.done.fetch_add(1, Ordering::Release);
        }
    }

    fn work(&self, number: usize) {
        crate::gemm::prepare_thread();
        // A thread makes its handle when it first asks for it.
        let _ = std::thread::current();
        self.ready.fetch_add(1, Ordering::Release);
        let mut idle = 0;
        while !self.stop.load(Ordering::Relaxed) {
            if self.help(number + 1) {
                idle = 0;
                continue;
            }
            idle += 1;
            if idle < SPINS {
                std::hint::spin_loop();
                continue;
            }
            let share = &self.shares[number + 1].0;
            let before = share.load(Ordering::SeqCst);
            self.sleeping[number].store(true, Ordering::SeqCst);
            // A job published after `before` was read either shows here or sees the flag and unparks.
            if share.load(Ordering::SeqCst) == before && !self.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            self.sleeping[number].store(false, Ordering::SeqCst);
            idle = 0;
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches the panics of its blocks, so it always ends well.
            let _ = worker.join();
        }
    }
}

/// A pointer that blocks of a job may write through, each to its own part.
#[derive(Debug, Clone, Copy)]
pub struct Parts<T>(*mut T, usize);

// SAFETY: access is unsafe and the caller keeps the parts apart.
unsafe impl<T: Send> Send for Parts<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Parts<T> {}

impl<T> Parts<T> {
    /// Of a slice, which must not be used otherwise until the job is done.
    pub fn new(slice: &mut [T]) -> Self {
        Parts(slice.as_mut_ptr(), slice.len())
    }

    /// All elements, once the job is done.
    ///
    /// # Safety
    /// The slice must live as long as the result, and nobody may write to it meanwhile.
    pub unsafe fn whole<'a>(self) -> &'a [T] {
        // SAFETY: the caller's duty.
        unsafe { std::slice::from_raw_parts(self.0, self.1) }
    }

    /// The address of an element.
    #[inline]
    pub fn at(&self, start: usize) -> *mut T {
        assert!(start <= self.1);
        self.0.wrapping_add(start)
    }

    /// The elements `start .. start + len`.
    ///
    /// # Safety
    /// Parts in use at the same time must not overlap.
    #[allow(clippy::mut_from_ref)]
    #[inline]
    pub unsafe fn part(&self, start: usize, len: usize) -> &mut [T] {
        assert!(start + len <= self.1);
        // SAFETY: within the slice; apart by the caller's word.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_runs_exactly_once() {
        for threads in [1, 2, 3, 5] {
            let pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads);
            for round in 0..2000 {
                let blocks = round % 17;
                let mut counts = vec![0u32; blocks];
                let shared = Parts::new(&mut counts);
                // SAFETY: block i touches element i alone.
                pool.run(blocks, |i| unsafe { shared.part(i, 1)[0] += 1 });
                assert!(counts.iter().all(|&c| c == 1), "{threads} threads, round {round}: {counts:?}");
                if round % 500 == 0 {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            }
        }
    }

    #[test]
    fn parts_cover_everything_once() {
        for threads in [1, 2, 3] {
            let pool = Pool::new(threads);
            let part = Pool::LEAST_PART;
            for len in [0, 1, part - 1, part, 2 * part, 2 * part + 1, 10 * part - 63] {
                let mut counts = vec![0u32; len];
                let shared = Parts::new(&mut counts);
                // SAFETY: parts do not overlap.
                let count = |start, len| unsafe { shared.part(start, len) }.iter_mut().for_each(|c| *c += 1);
                pool.parts(len, count);
                assert!(counts.iter().all(|&c| c == 1), "{threads} threads, {len}");
            }
        }
    }

    /// Two threads with clones of one pool, and blocks that ask for jobs themselves.
    #[test]
    fn jobs_that_meet_are_all_done() {
        let pool = Pool::new(3);
        let total = AtomicUsize::new(0);
        let work = |pool: Pool| {
            for _ in 0..500 {
                pool.run(4, |_| {
                    pool.run(5, |_| {
                        total.fetch_add(1, Ordering::Relaxed);
                    });
                });
            }
        };
        std::thread::scope(|scope| {
            (0..2).for_each(|_| drop(scope.spawn(|| work(pool.clone()))));
        });
        assert_eq!(total.load(Ordering::Relaxed), 2 * 500 * 4 * 5);
    }

    #[test]
    #[should_panic(expected = "a parallel block panicked")]
    fn a_panic_in_a_block_reaches_the_caller() {
        let pool = Pool::new(2);
        pool.run(8, |i| assert!(i != 5, "block 5"));
    }
}
