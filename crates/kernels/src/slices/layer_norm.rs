//! Layer normalisation of rows.

use rayon::prelude::*;

use super::simd::{LANES, vectorized};

/// Rows that one task works on.
const ROWS: usize = 8;
/// Columns that one task sums over the rows.
const COLUMNS: usize = 256;

/// Mean and reciprocal standard deviation of a row.
pub type Moments = [f32; 2];

/// `(x − mean) / √(variance + ε) × scale + shift` for each row of `x` `[N, C]`, with the biased
/// variance, into `out`; returns each row's moments, which [`layer_norm_backward`] takes.
///
/// # Panics
///
/// If the lengths do not fit or there are no columns.
pub fn layer_norm(x: &[f32], scale: &[f32], shift: &[f32], epsilon: f32, out: &mut [f32]) -> Vec<Moments> {
    let c = scale.len();
    let fits = shift.len() == c && x.len() == out.len() && x.len().is_multiple_of(c);
    assert!(c > 0 && fits, "rows of {c} columns");
    let mut moments = vec![[0.0; 2]; x.len() / c];
    out.par_chunks_mut(ROWS * c).zip(x.par_chunks(ROWS * c)).zip(moments.par_chunks_mut(ROWS)).for_each(
        |((out, x), moments)| {
            vectorized(
                #[inline(always)]
                || {
                    for ((out, x), moments) in out.chunks_exact_mut(c).zip(x.chunks_exact(c)).zip(moments.iter_mut()) {
                        let mean = sum(x, |x| x) / c as f32;
                        let variance = sum(x, |x| (x - mean) * (x - mean)) / c as f32;
                        let rstd = 1.0 / (variance + epsilon).sqrt();
                        *moments = [mean, rstd];
                        for (((out, &x), &scale), &shift) in out.iter_mut().zip(x).zip(scale).zip(shift) {
                            *out = ((x - mean) * rstd).mul_add(scale, shift);
                        }
                    }
                },
            );
        },
    );
    moments
}

/// Gradients of a normalisation with respect to its scale and its shift, `[C]` each.
#[derive(Debug, Clone)]
pub struct LayerNormGradients {
    /// Of the scale.
    pub scale: Vec<f32>,
    /// Of the shift.
    pub shift: Vec<f32>,
}

/// Turns the gradient of [`layer_norm`]'s output, in `gradient`, into that of its input.
///
/// # Panics
///
/// If the lengths do not fit or there are no columns.
pub fn layer_norm_backward(x: &[f32], scale: &[f32], moments: &[Moments], gradient: &mut [f32]) {
    let c = scale.len();
    let fits = x.len() == gradient.len() && moments.len().checked_mul(c) == Some(x.len());
    assert!(c > 0 && fits, "rows of {c} columns");
    gradient.par_chunks_mut(ROWS * c).zip(x.par_chunks(ROWS * c)).zip(moments.par_chunks(ROWS)).for_each(
        |((gradient, x), moments)| {
            vectorized(
                #[inline(always)]
                || {
                    for ((d, x), &[mean, rstd]) in gradient.chunks_exact_mut(c).zip(x.chunks_exact(c)).zip(moments) {
                        // With n = (x − mean)·rstd and g = d·scale:
                        // dx = rstd · (g − mean(g) − n · mean(g·n))
                        let (mut sum_g, mut sum_gn) = ([0.0_f32; LANES], [0.0_f32; LANES]);
                        let mut add = |lane: usize, d: f32, x: f32, scale: f32| {
                            let g = d * scale;
                            sum_g[lane] += g;
                            sum_gn[lane] = g.mul_add((x - mean) * rstd, sum_gn[lane]);
                        };
                        let ((ds, d_rest), (xs, x_rest)) = (d.as_chunks::<LANES>(), x.as_chunks::<LANES>());
                        let (scales, scale_rest) = scale.as_chunks::<LANES>();
                        for ((d, x), scale) in ds.iter().zip(xs).zip(scales) {
                            for lane in 0..LANES {
                                add(lane, d[lane], x[lane], scale[lane]);
                            }
                        }
                        for ((&d, &x), &scale) in d_rest.iter().zip(x_rest).zip(scale_rest) {
                            add(0, d, x, scale);
                        }
                        let mean_g = sum_g.iter().sum::<f32>() / c as f32;
                        let mean_gn = sum_gn.iter().sum::<f32>() / c as f32;
                        for ((d, &x), &scale) in d.iter_mut().zip(x).zip(scale) {
                            let n = (x - mean) * rstd;
                            *d = rstd * (d.mul_add(scale, -mean_g) - n * mean_gn);
                        }
                    }
                },
            );
        },
    );
}

/// The gradients of scale and shift, from the gradient of [`layer_norm`]'s output.
///
/// # Panics
///
/// If the lengths do not fit.
#[must_use]
pub fn layer_norm_parameters_backward(x: &[f32], moments: &[Moments], gradient: &[f32]) -> LayerNormGradients {
    assert_eq!(x.len(), gradient.len(), "gradient of a normalisation");
    let c = x.len() / moments.len().max(1);
    assert_eq!(x.len(), moments.len() * c, "rows of a normalisation");
    let mut result = LayerNormGradients { scale: vec![0.0; c], shift: vec![0.0; c] };
    result.scale.par_chunks_mut(COLUMNS).zip(result.shift.par_chunks_mut(COLUMNS)).enumerate().for_each(
        |(block, (scale, shift))| {
            let start = block * COLUMNS;
            vectorized(
                #[inline(always)]
                || {
                    for ((d, x), &[mean, rstd]) in gradient.chunks_exact(c).zip(x.chunks_exact(c)).zip(moments) {
                        let columns = d[start..].iter().zip(&x[start..]);
                        for ((scale, shift), (&d, &x)) in scale.iter_mut().zip(shift.iter_mut()).zip(columns) {
                            *scale = d.mul_add((x - mean) * rstd, *scale);
                            *shift += d;
                        }
                    }
                },
            );
        },
    );
    result
}

#[inline(always)]
fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|&x| f(x)).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "rows of 0 columns")]
    fn no_columns_panic() {
        let _ = layer_norm(&[], &[], &[], 1e-5, &mut []);
    }

    #[test]
    #[should_panic(expected = "rows of 3 columns")]
    fn rows_that_are_not_whole_panic() {
        let _ = layer_norm(&[0.0; 7], &[0.0; 3], &[0.0; 3], 1e-5, &mut [0.0; 7]);
    }

    #[test]
    #[should_panic(expected = "rows of 0 columns")]
    fn no_columns_of_a_gradient_panic() {
        layer_norm_backward(&[], &[], &[[0.0; 2]], &mut []);
    }

    #[test]
    #[should_panic(expected = "rows of 3 columns")]
    fn moments_of_other_rows_panic() {
        layer_norm_backward(&[0.0; 6], &[0.0; 3], &[[0.0; 2]; 3], &mut [0.0; 6]);
    }

    #[test]
    #[should_panic(expected = "rows of a normalisation")]
    fn moments_of_rows_that_are_not_whole_panic() {
        let _ = layer_norm_parameters_backward(&[0.0; 7], &[[0.0; 2]; 2], &[0.0; 7]);
    }

    #[test]
    #[should_panic(expected = "rows of a normalisation")]
    fn no_moments_panic() {
        let _ = layer_norm_parameters_backward(&[0.0; 7], &[], &[0.0; 7]);
    }
}
