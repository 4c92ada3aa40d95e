//! Large buffers that are used again from step to step.
//!
//! Memory fresh from the operating system costs a page fault and the clearing of every 4 KiB: for the
//! gradients of a 124M model, 163,000 faults a step.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Buffers that wait to be used again, and the addresses of those in use. Only what [`take`] has made
/// comes back, so that all of them together are never more than were in use at once.
#[derive(Default)]
struct Buffers {
    free: Vec<Vec<f32>>,
    used: HashSet<usize>,
}

static BUFFERS: Mutex<Option<Buffers>> = Mutex::new(None);

/// Elements below which the allocator's own reuse is good enough: 256 KiB.
const SMALLEST: usize = 1 << 16;

/// A buffer of `length` elements, which hold anything: whoever takes it overwrites them.
#[must_use]
pub fn take(length: usize) -> Vec<f32> {
    if length < SMALLEST {
        return vec![0.0; length];
    }
    let mut buffers = lock();
    let buffers = buffers.get_or_insert_default();
    let fits = buffers.free.iter().position(|buffer| buffer.len() == length);
    let buffer = fits.map_or_else(|| large_zeros(length), |index| buffers.free.swap_remove(index));
    buffers.used.insert(buffer.as_ptr().addr());
    buffer
}

/// Whether a slice is the whole of a buffer in use, which [`give_back`] would keep.
#[must_use]
pub fn is_taken(elements: &[f32]) -> bool {
    elements.len() >= SMALLEST
        && lock().as_ref().is_some_and(|buffers| buffers.used.contains(&elements.as_ptr().addr()))
}

/// Keeps a buffer for the next one who takes one of its length; frees one that [`take`] has not made.
pub fn give_back(buffer: Vec<f32>) {
    if let Some(buffers) = lock().as_mut()
        && buffers.used.remove(&buffer.as_ptr().addr())
    {
        buffers.free.push(buffer);
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

fn lock() -> MutexGuard<'static, Option<Buffers>> {
    BUFFERS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_and_strangers_do_not() {
        let length = SMALLEST + 12_345;
        let buffer = take(length);
        let address = buffer.as_ptr();
        assert!(is_taken(&buffer));
        give_back(buffer);
        give_back(vec![0.0; length]);
        let again = take(length);
        assert_eq!(again.as_ptr(), address);
        let other = take(length);
        assert_ne!(other.as_ptr(), address);
        assert!(!is_taken(&take(8)));
    }
}
