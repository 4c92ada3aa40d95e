use pulp::{Arch, Simd, WithSimd};

/// Accumulators side by side, so that sums and maxima use full vector registers.
pub(super) const LANES: usize = 32;

/// Runs `work` compiled for the best vector instructions that this processor has.
///
/// Everything that `work` calls has to be inlined into it (`#[inline(always)]`), the closure itself
/// included: what is not inlined is compiled for the oldest processor, where a fused multiply-add
/// is a function call.
#[inline]
pub(super) fn vectorized<R>(work: impl FnMut() -> R) -> R {
    Arch::new().dispatch(Vectorized(work))
}

/// Asks the memory for a slice that will be read soon, one cache line after the other.
#[inline(always)]
pub(super) fn prefetch(slice: &[f32]) {
    for line in slice.chunks(16) {
        prefetch_line(line, 0);
    }
}

/// Asks the memory for the cache line of one element; nothing happens if there is none.
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn prefetch_line(slice: &[f32], index: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint that reads nothing, for any address; SSE is part of every x86_64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(slice.as_ptr().wrapping_add(index).cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (slice, index);
}

/// The dot product of two slices of one length, added up in so many lanes.
#[inline(always)]
pub(super) fn dot<const LANES: usize>(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            lanes[lane] = a[lane].mul_add(b[lane], lanes[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// Called as `FnMut`, because a closure called by value goes through a shim that is never inlined.
struct Vectorized<F>(F);

impl<R, F: FnMut() -> R> WithSimd for Vectorized<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}
