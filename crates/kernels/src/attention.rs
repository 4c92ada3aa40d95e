//! Causal attention over packed rows.

use std::sync::Arc;

use burn::tensor::{Bool, Device, Tensor, TensorData, activation::softmax};

use crate::{embedding::indices, flex, precision::product, slices::Layout};

/// Multi-head causal self-attention within each sequence of `layout`.
///
/// # Shapes
///
/// - `qkv`: `[N, 3C]`: queries, keys and values side by side, `heads` of each
/// - output: `[N, C]`
///
/// # Panics
///
/// If `N` is not the layout's number of rows or `heads` does not divide `C`.
#[must_use]
pub fn attention(qkv: Tensor<2>, layout: &Arc<Layout>, heads: usize) -> Tensor<2> {
    let [n, c] = [qkv.dims()[0], qkv.dims()[1] / 3];
    assert!(n == layout.rows() && c.is_multiple_of(heads), "{n} rows of {} and {heads} heads of {c}", layout.rows());
    flex::attention(&qkv, layout, heads).unwrap_or_else(|| {
        portable!("attention");
        portable_attention(qkv, layout, heads, |weights| weights)
    })
}

/// [`attention()`] in ordinary Burn operations: rows are gathered into a rectangle, the prefix into
/// each of its rows, and back. `dropout` sees the weights `[B, heads, T, T]` on their way.
///
/// # Shapes
///
/// As [`attention()`].
#[must_use]
pub fn portable_attention(
    qkv: Tensor<2>,
    layout: &Layout,
    heads: usize,
    dropout: impl FnOnce(Tensor<4>) -> Tensor<4>,
) -> Tensor<2> {
    let device = qkv.device();
    let c = qkv.dims()[1] / 3;
    let (b, h, d) = (layout.sequences(), heads, c / heads);
    let (prefix, t) = (layout.prefix(), layout.longest());
    // Row of the packed matrix for each cell of the rectangle. Cells beyond the end of a sequence
    // hold any row: nothing sees them, and nothing is taken from them.
    let row = |row: usize| u32::try_from(row).unwrap_or(u32::MAX);
    let cells: Vec<u32> = layout
        .own()
        .flat_map(|own| {
            (0..t).map(move |position| match position.checked_sub(prefix) {
                None => row(position),
                Some(offset) if offset < own.len() => row(own.start + offset),
                Some(_) => 0,
            })
        })
        .collect();
    let qkv = qkv.select(0, indices(&cells, &device)).reshape([b, t, 3 * h, d]).swap_dims(1, 2); // [B, 3H, T, D]
    let part = |first: usize| qkv.clone().narrow(1, first, h); // [B, H, T, D]
    let scores = product(part(0), part(h).transpose()) / (d as f64).sqrt(); // [B, H, T, T]
    let future = future_mask(t, &device).unsqueeze::<4>().expand([b, h, t, t]);
    let weights = dropout(softmax(scores.mask_fill(future, f32::NEG_INFINITY), 3));
    let mixed = product(weights, part(2 * h)).swap_dims(1, 2).reshape([b * t, c]); // [B·T, C]
    // The prefix is taken from the first sequence: it is the same in all of them.
    let first = (0..prefix).map(row);
    let own = layout
        .own()
        .enumerate()
        .flat_map(|(sequence, own)| (0..own.len()).map(move |offset| row(sequence * t + prefix + offset)));
    let back: Vec<u32> = first.chain(own).collect();
    mixed.select(0, indices(&back, &device))
}

/// True where the key (column) is later than the query (row), `[T, T]`.
fn future_mask(t: usize, device: &Device) -> Tensor<2, Bool> {
    let later: Vec<bool> = (0..t * t).map(|i| i % t > i / t).collect();
    Tensor::from_data(TensorData::new(later, [t, t]), device)
}
