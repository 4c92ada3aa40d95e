//! Large buffers that are used again from step to step.
//!
//! Memory fresh from the operating system costs a page fault and the clearing of every 4 KiB: for the
//! gradients of a 124M model, 163,000 faults a step.
//!
//! A buffer is an ordinary vector that carries a mark: a few elements of capacity beyond its length.
//! So nobody has to say that one was dropped, memory that somebody else is given at the same address
//! later is not mistaken for it, and no list of addresses can be out of date.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buffers that wait to be used again. Only what [`take`] has made comes back, so that all of one length
/// together are never more than were in use at once.
static WAITING: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Elements below which the allocator's own reuse is good enough: 256 KiB.
const SMALLEST: usize = 1 << 16;

/// The mark: elements of capacity beyond the length. Vectors that are made in one piece have none, and
/// vectors that grow have other numbers of them.
const SPARE: usize = 61;

/// A buffer of `length` elements, which hold anything: whoever takes it overwrites them.
///
/// # Panics
///
/// If no memory can be that large.
#[must_use]
pub fn take(length: usize) -> Vec<f32> {
    if length < SMALLEST {
        return vec![0.0; length];
    }
    let mut waiting = lock();
    let fits = waiting.iter().position(|buffer| buffer.len() == length);
    if let Some(index) = fits {
        return waiting.swap_remove(index);
    }
    drop(waiting);
    let mut buffer = large_zeros(length.saturating_add(SPARE));
    buffer.truncate(length);
    buffer
}

/// Whether a vector of this length and capacity is one that [`take`] has made, which [`give_back`] keeps.
#[must_use]
pub fn is_marked(length: usize, capacity: usize) -> bool {
    length >= SMALLEST && capacity.checked_sub(length) == Some(SPARE)
}

/// Keeps a buffer for the next one who takes one of its length; frees one that [`take`] has not made.
pub fn give_back(buffer: Vec<f32>) {
    if is_marked(buffer.len(), buffer.capacity()) {
        lock().push(buffer);
    }
}

/// Bytes of the buffers that wait to be used again.
#[must_use]
pub fn held_bytes() -> usize {
    lock().iter().map(|buffer| buffer.capacity() * size_of::<f32>()).sum()
}

/// Frees the buffers that wait to be used again, and hands what the allocator keeps of freed memory back
/// to the system: for the end of a training.
pub fn release() {
    let waiting = std::mem::take(&mut *lock());
    drop(waiting);
    #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
    // SAFETY: takes no pointer, and concerns only memory that nobody has.
    #[allow(unsafe_code)]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Zeros, on large pages where the system has them for those who ask: what is as large as a model is
/// read faster from them. Falls back to ordinary pages by itself.
#[must_use]
pub fn large_zeros(length: usize) -> Vec<f32> {
    let zeros = vec![0.0_f32; length];
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        const PAGE: usize = 1 << 21;
        let start = zeros.as_ptr().addr().next_multiple_of(PAGE);
        let end = (zeros.as_ptr().addr() + size_of_val(zeros.as_slice())) / PAGE * PAGE;
        if start < end {
            let address = zeros.as_ptr().with_addr(start).cast_mut().cast();
            // SAFETY: the range is within the vector's own memory, and the advice changes how it is
            // backed, not what it holds. A system that does not know it answers with an error, which
            // is no matter.
            #[allow(unsafe_code)]
            unsafe {
                libc::madvise(address, end - start, libc::MADV_HUGEPAGE);
            }
        }
    }
    zeros
}

fn lock() -> MutexGuard<'static, Vec<Vec<f32>>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For tests that count what is held: one at a time, beginning with nothing.
#[cfg(test)]
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    release();
    guard
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: usize = SMALLEST + 12_345;

    #[test]
    fn buffers_come_back_and_strangers_do_not() {
        let _alone = alone();
        let buffer = take(LENGTH);
        let address = buffer.as_ptr();
        give_back(buffer);
        give_back(vec![0.0; LENGTH]);
        give_back(take(8));
        assert_eq!(held_bytes(), (LENGTH + SPARE) * 4);
        let again = take(LENGTH);
        assert_eq!((again.as_ptr(), again.len()), (address, LENGTH));
        let other = take(LENGTH);
        assert_ne!(other.as_ptr(), address);
        assert_eq!(held_bytes(), 0);
    }

    #[test]
    fn a_strangers_memory_at_the_address_of_a_dropped_buffer_is_not_kept() {
        let _alone = alone();
        // The same memory without the mark, as the allocator would give it to somebody else.
        let stranger = take(LENGTH).into_boxed_slice().into_vec();
        give_back(stranger);
        drop(take(LENGTH));
        give_back(vec![0.0; LENGTH]);
        assert_eq!(held_bytes(), 0);
    }

    #[test]
    fn release_frees_what_waits_and_leaves_what_is_in_use() {
        let _alone = alone();
        let (mut used, waiting) = (take(LENGTH), take(LENGTH));
        give_back(waiting);
        assert!(held_bytes() > 0);
        release();
        assert_eq!(held_bytes(), 0);
        used.fill(1.0);
        give_back(used);
        assert!(held_bytes() > 0);
        release();
        assert_eq!(held_bytes(), 0);
    }

    #[test]
    #[should_panic(expected = "capacity overflow")]
    fn a_length_that_no_memory_has_panics() {
        let _ = take(usize::MAX - SPARE + 8);
    }
}
