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

/// Called as `FnMut`, because a closure called by value goes through a shim that is never inlined.
struct Vectorized<F>(F);

impl<R, F: FnMut() -> R> WithSimd for Vectorized<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}
