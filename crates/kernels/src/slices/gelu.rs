//! The tanh-approximated GELU (Hendrycks and Gimpel, 2016).
//!
//! `½·x·(1 + tanh(u))` is `x·σ(2u)`, which needs one exponential:
//! `2u = √(8/π) · (x + 0.044715·x³)`.

use rayon::prelude::*;

use super::{exp, simd::vectorized};

/// Elements that one task works on.
const BLOCK: usize = 1 << 14;
/// √(8/π)
const LINEAR: f32 = 1.595_769;
/// √(8/π) · 0.044715
const CUBIC: f32 = 0.071_354_814;

/// Applies the function to each element of `x`, into `out`.
///
/// # Panics
///
/// If the lengths differ.
pub fn gelu(x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "output of a GELU");
    out.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).for_each(|(out, x)| {
        vectorized(
            #[inline(always)]
            || {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = x * sigmoid(x * (x * x).mul_add(CUBIC, LINEAR));
                }
            },
        );
    });
}

/// Turns the gradient of the output, in `gradient`, into that of the input `x`.
///
/// # Panics
///
/// If the lengths differ.
pub fn gelu_backward(x: &[f32], gradient: &mut [f32]) {
    assert_eq!(x.len(), gradient.len(), "gradient of a GELU");
    gradient.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).for_each(|(gradient, x)| {
        vectorized(
            #[inline(always)]
            || {
                for (d, &x) in gradient.iter_mut().zip(x) {
                    let square = x * x;
                    let s = sigmoid(x * square.mul_add(CUBIC, LINEAR));
                    // d(x·σ(v))/dx = σ + x·σ·(1 − σ)·dv/dx
                    let slope = square.mul_add(3.0 * CUBIC, LINEAR);
                    *d *= (x * s * (1.0 - s)).mul_add(slope, s);
                }
            },
        );
    });
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "output of a GELU")]
    fn an_output_of_another_length_panics() {
        gelu(&[0.0; 3], &mut [0.0; 2]);
    }

    #[test]
    #[should_panic(expected = "gradient of a GELU")]
    fn a_gradient_of_another_length_panics() {
        gelu_backward(&[0.0; 3], &mut [0.0; 4]);
    }
}
