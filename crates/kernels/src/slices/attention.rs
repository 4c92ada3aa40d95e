//! Causal attention over packed rows.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Layout, Matrix, MatrixMut, Onto, exp,
    layout::Span,
    matmul_serial,
    simd::{LANES, vectorized},
};

/// Query rows that are worked on at once: bounds the scores held, and what is computed above the
/// diagonal.
const QUERIES: usize = 96;

/// Multi-head causal attention within each sequence of `layout`.
///
/// `qkv` is `[N, 3C]`: queries, keys and values side by side, `heads` of each; `out` is `[N, C]`.
/// Returns the logarithm of each softmax's denominator, `[heads, N]`, which
/// [`attention_backward`] takes: weights are computed again from it, so that no `[T, T]` matrix
/// outlives a call.
///
/// # Panics
///
/// If the lengths do not fit, `heads` does not divide `C`, or there are rows and either is 0.
pub fn attention(qkv: &[f32], layout: &Layout, heads: usize, out: &mut [f32]) -> Vec<f32> {
    let (n, c, d) = shape(qkv, layout, heads, out.len());
    if n == 0 {
        return Vec::new();
    }
    let qkv = Matrix::new(qkv, n, 3 * c);
    let mut log_sums = vec![0.0; heads * n];
    let blocks = MatrixMut::new(out, n, c).split_columns(d);
    blocks.into_par_iter().zip(log_sums.par_chunks_mut(n.max(1))).enumerate().for_each(
        |(head, (mut out, log_sums))| {
            let [queries, keys, values] = head_columns(qkv, head, d, c);
            let mut scores = Vec::new();
            for chunk in chunks(layout) {
                let seen = chunk.seen + chunk.own_keys().len();
                scores.resize(chunk.rows.len() * seen, 0.0);
                chunk.scores(queries, keys, &mut scores);
                vectorized(
                    #[inline(always)]
                    || {
                        let rows = scores.chunks_exact_mut(seen).zip(&mut log_sums[chunk.rows.clone()]);
                        for (index, (row, log_sum)) in rows.enumerate() {
                            *log_sum = softmax(row, chunk.visible(index), scale(d));
                        }
                    },
                );
                let weights = Matrix::new(&scores, chunk.rows.len(), seen);
                for (index, (columns, rows)) in chunk.keys().into_iter().enumerate() {
                    let onto = if index == 0 { Onto::Zero } else { Onto::Output };
                    let weights = weights.block(0..chunk.rows.len(), columns);
                    matmul_serial(out.rows_mut(chunk.rows.clone()), weights, values.block(rows, 0..d), onto);
                }
            }
        },
    );
    log_sums
}

/// The gradient of [`attention`]'s input, into `d_qkv` `[N, 3C]`, from that of its output, `d_out`
/// `[N, C]`. Gradients of the prefix's keys and values add up over the sequences.
///
/// # Panics
///
/// As [`attention`].
pub fn attention_backward(
    qkv: &[f32],
    layout: &Layout,
    heads: usize,
    log_sums: &[f32],
    d_out: &[f32],
    d_qkv: &mut [f32],
) {
    let (n, c, d) = shape(qkv, layout, heads, d_out.len());
    assert!(log_sums.len() == heads * n && d_qkv.len() == qkv.len(), "{heads} x {n} logarithms, {n} gradients");
    if n == 0 {
        return;
    }
    let qkv = Matrix::new(qkv, n, 3 * c);
    let d_out = Matrix::new(d_out, n, c);
    let mut blocks = MatrixMut::new(d_qkv, n, 3 * c).split_columns(d).into_iter();
    let mut heads_of = || blocks.by_ref().take(heads).collect::<Vec<_>>();
    let (d_queries, d_keys, d_values) = (heads_of(), heads_of(), heads_of());
    d_queries.into_par_iter().zip(d_keys).zip(d_values).enumerate().for_each(
        |(head, ((mut d_queries, mut d_keys), mut d_values))| {
            let [queries, keys, values] = head_columns(qkv, head, d, c);
            let d_out = d_out.block(0..n, head * d..(head + 1) * d);
            let log_sums = &log_sums[head * n..(head + 1) * n];
            for row in 0..n {
                d_keys.row(row).fill(0.0);
                d_values.row(row).fill(0.0);
            }
            let (mut weights, mut d_weights) = (Vec::new(), Vec::new());
            for chunk in chunks(layout) {
                let count = chunk.rows.len();
                let seen = chunk.seen + chunk.own_keys().len();
                let d_out = d_out.block(chunk.rows.clone(), 0..d);
                weights.resize(count * seen, 0.0);
                d_weights.resize(count * seen, 0.0);
                chunk.scores(queries, keys, &mut weights);
                for (columns, rows) in chunk.keys() {
                    let mut out = MatrixMut::new(&mut d_weights, count, seen);
                    let values = values.block(rows, 0..d).transposed();
                    matmul_serial(out.block(0..count, columns), d_out, values, Onto::Zero);
                }
                vectorized(
                    #[inline(always)]
                    || {
                        let rows = weights.chunks_exact_mut(seen).zip(d_weights.chunks_exact_mut(seen));
                        for (index, ((weights, d_weights), &log_sum)) in
                            rows.zip(&log_sums[chunk.rows.clone()]).enumerate()
                        {
                            softmax_backward(weights, d_weights, chunk.visible(index), scale(d), log_sum);
                        }
                    },
                );
                let (weights, d_scores) = (Matrix::new(&weights, count, seen), Matrix::new(&d_weights, count, seen));
                for (index, (columns, rows)) in chunk.keys().into_iter().enumerate() {
                    let weights = weights.block(0..count, columns.clone());
                    let d_scores = d_scores.block(0..count, columns);
                    let onto = if index == 0 { Onto::Zero } else { Onto::Output };
                    let queries = queries.block(chunk.rows.clone(), 0..d);
                    let keys = keys.block(rows.clone(), 0..d);
                    matmul_serial(d_queries.rows_mut(chunk.rows.clone()), d_scores, keys, onto);
                    matmul_serial(d_keys.rows_mut(rows.clone()), d_scores.transposed(), queries, Onto::Output);
                    matmul_serial(d_values.rows_mut(rows), weights.transposed(), d_out, Onto::Output);
                }
            }
        },
    );
}

/// Rows, width and width of a head. `mixed` is the length of what has a third of the input's columns.
fn shape(qkv: &[f32], layout: &Layout, heads: usize, mixed: usize) -> (usize, usize, usize) {
    let n = layout.rows();
    let c = qkv.len() / n.max(1) / 3;
    // A layout has no memory behind its rows, so that products with their number can wrap.
    let fits = n.checked_mul(3 * c) == Some(qkv.len()) && n.checked_mul(c) == Some(mixed);
    let divides = n == 0 || c > 0 && heads > 0 && c.is_multiple_of(heads);
    assert!(fits && divides, "{n} rows of 3 x {c} columns, {heads} heads");
    (n, c, c.checked_div(heads).unwrap_or(0))
}

/// What scores are multiplied by.
#[inline(always)]
fn scale(head_width: usize) -> f32 {
    1.0 / (head_width as f32).sqrt()
}

/// Queries, keys and values of one head, `[N, D]` each.
fn head_columns(qkv: Matrix<'_>, head: usize, d: usize, c: usize) -> [Matrix<'_>; 3] {
    [0, 1, 2].map(|part| qkv.block(0..qkv.rows(), part * c + head * d..part * c + (head + 1) * d))
}

/// Some query rows of a span.
struct Chunk {
    /// First row of the span.
    start: usize,
    /// The query rows.
    rows: Range<usize>,
    /// Rows at the start of the matrix that they see besides.
    seen: usize,
}

/// The query rows of a layout, in order.
fn chunks(layout: &Layout) -> impl Iterator<Item = Chunk> + '_ {
    layout.spans().flat_map(|Span { rows, seen }| {
        let Range { start, end } = rows;
        (start..end).step_by(QUERIES).map(move |first| Chunk { start, rows: first..end.min(first + QUERIES), seen })
    })
}

impl Chunk {
    /// Rows of the span that some query of the chunk sees.
    fn own_keys(&self) -> Range<usize> {
        self.start..self.rows.end
    }

    /// Scores that the query with this index within the chunk sees.
    #[inline(always)]
    fn visible(&self, index: usize) -> usize {
        self.seen + self.rows.start - self.start + index + 1
    }

    /// Columns of the scores, and the rows of their keys: the own part, and the prefix if there is one.
    fn keys(&self) -> Vec<(Range<usize>, Range<usize>)> {
        let own = (self.seen..self.seen + self.own_keys().len(), self.own_keys());
        if self.seen == 0 { vec![own] } else { vec![own, (0..self.seen, 0..self.seen)] }
    }

    /// `queries × keysᵀ` of the chunk, `[rows, seen + own]`.
    fn scores(&self, queries: Matrix<'_>, keys: Matrix<'_>, out: &mut [f32]) {
        let (count, d) = (self.rows.len(), queries.columns());
        let mut out = MatrixMut::new(out, count, self.seen + self.own_keys().len());
        let queries = queries.block(self.rows.clone(), 0..d);
        for (columns, rows) in self.keys() {
            let keys = keys.block(rows, 0..d).transposed();
            matmul_serial(out.block(0..count, columns), queries, keys, Onto::Zero);
        }
    }
}

/// Turns the first `visible` scores into weights and the others into 0; returns the logarithm of the
/// sum of `e^(scale × score)`.
#[inline(always)]
pub(super) fn softmax(scores: &mut [f32], visible: usize, scale: f32) -> f32 {
    let (scores, hidden) = scores.split_at_mut(visible);
    hidden.fill(0.0);
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in scores.chunks(LANES) {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    let max = lanes.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0_f32; LANES];
    for chunk in scores.chunks_mut(LANES) {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *x = exp((*x - max) * scale);
            *sum += *x;
        }
    }
    let sum: f32 = sums.iter().sum();
    let factor = 1.0 / sum;
    for x in scores.iter_mut() {
        *x *= factor;
    }
    max.mul_add(scale, sum.ln())
}

/// Turns scores into weights, and the weights' gradient into that of the scores.
#[inline(always)]
fn softmax_backward(scores: &mut [f32], gradient: &mut [f32], visible: usize, scale: f32, log_sum: f32) {
    let (scores, hidden) = scores.split_at_mut(visible);
    hidden.fill(0.0);
    let (gradient, hidden) = gradient.split_at_mut(visible);
    hidden.fill(0.0);
    let mut sums = [0.0_f32; LANES];
    for (x, d) in scores.chunks_mut(LANES).zip(gradient.chunks(LANES)) {
        for (sum, (x, &d)) in sums.iter_mut().zip(x.iter_mut().zip(d)) {
            *x = exp(x.mul_add(scale, -log_sum));
            *sum = x.mul_add(d, *sum);
        }
    }
    let mean: f32 = sums.iter().sum();
    for (d, &weight) in gradient.iter_mut().zip(scores.iter()) {
        *d = weight * (*d - mean) * scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "rows of 3 x 0 columns, 3 heads")]
    fn rows_whose_product_wraps_panic() {
        // Three times as many rows are 2 where that wraps, so that 6 numbers and 2 would seem to fit.
        let layout = Layout::new(usize::MAX / 3 + 1, []);
        let _ = attention(&[0.0; 6], &layout, 3, &mut [0.0; 2]);
    }

    #[test]
    #[should_panic(expected = "2 rows of 3 x 4 columns, 0 heads")]
    fn no_heads_panic() {
        let _ = attention(&[0.0; 24], &Layout::new(0, [2]), 0, &mut [0.0; 8]);
    }

    #[test]
    #[should_panic(expected = "2 rows of 3 x 0 columns, 1 heads")]
    fn no_columns_panic() {
        let _ = attention(&[], &Layout::new(0, [2]), 1, &mut []);
    }

    #[test]
    #[should_panic(expected = "2 rows of 3 x 4 columns")]
    fn an_output_of_another_length_panics() {
        let _ = attention(&[0.0; 24], &Layout::new(0, [2]), 2, &mut [0.0; 9]);
    }

    #[test]
    #[should_panic(expected = "2 x 2 logarithms")]
    fn logarithms_of_another_length_panic() {
        let (qkv, layout) = ([0.0; 24], Layout::new(0, [2]));
        attention_backward(&qkv, &layout, 2, &[0.0; 5], &[0.0; 8], &mut [0.0; 24]);
    }

    #[test]
    fn no_rows_give_nothing() {
        let layout = Layout::new(0, [0]);
        assert!(attention(&[], &layout, 2, &mut []).is_empty());
        attention_backward(&[], &layout, 2, &[], &[], &mut []);
    }
}
