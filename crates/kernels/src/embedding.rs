use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::{flex, operands::assert_one_kind};

/// `tokens[ids[i]] + positions[at[i]]` for each row `i`.
///
/// # Shapes
///
/// - `tokens`: `[V, C]`; `positions`: `[L, C]`
/// - `ids`, `at`: `N` each
/// - output: `[N, C]`
///
/// # Panics
///
/// If the shapes do not fit, an id is not below `V`, a position not below `L`, or one table is under autodiff
/// and the other is not.
#[must_use]
pub fn embedding(tokens: Tensor<2>, positions: Tensor<2>, ids: &[u32], at: &[u32]) -> Tensor<2> {
    let [[v, c], [l, c_positions]] = [tokens.dims(), positions.dims()];
    assert_one_kind("embedding", &[("tokens", tokens.device()), ("positions", positions.device())]);
    assert!(ids.len() == at.len() && c == c_positions, "{} ids at {} positions", ids.len(), at.len());
    assert!(ids.iter().all(|&id| (id as usize) < v), "ids below {v}");
    assert!(at.iter().all(|&at| (at as usize) < l), "positions below {l}");
    flex::embedding(&tokens, &positions, ids, at).unwrap_or_else(|| {
        portable!("embedding");
        portable_embedding(tokens, positions, ids, at)
    })
}

/// [`embedding()`] in ordinary Burn operations.
///
/// # Shapes
///
/// As [`embedding()`].
#[must_use]
pub fn portable_embedding(tokens: Tensor<2>, positions: Tensor<2>, ids: &[u32], at: &[u32]) -> Tensor<2> {
    let device = tokens.device();
    tokens.select(0, indices(ids, &device)) + positions.select(0, indices(at, &device))
}

/// Indices as a tensor.
///
/// # Shapes
///
/// - output: as many as there are
pub(crate) fn indices(indices: &[u32], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = indices.iter().map(|&index| i64::from(index)).collect();
    Tensor::from_data(TensorData::new(values, [indices.len()]), device)
}
