//! Rows of tables.

use rayon::prelude::*;

/// Rows that one task works on.
const ROWS: usize = 16;

/// `tokens[ids[i]] + positions[at[i]]` for each `i`, into `out` `[N, C]`.
///
/// # Panics
///
/// If the lengths do not fit or an index is outside its table.
pub fn embedding(tokens: &[f32], positions: &[f32], ids: &[u32], at: &[u32], out: &mut [f32]) {
    assert_eq!(ids.len(), at.len(), "one position for each id");
    let c = out.len() / ids.len().max(1);
    out.par_chunks_mut((ROWS * c).max(1)).zip(ids.par_chunks(ROWS)).zip(at.par_chunks(ROWS)).for_each(
        |((out, ids), at)| {
            for ((out, &id), &at) in out.chunks_exact_mut(c).zip(ids).zip(at) {
                let (token, position) = (&tokens[id as usize * c..][..c], &positions[at as usize * c..][..c]);
                for ((out, token), position) in out.iter_mut().zip(token).zip(position) {
                    *out = token + position;
                }
            }
        },
    );
}

/// The gradient of a table `[entries, C]` whose rows `indices` were taken: row `i` of `gradient`
/// is added to row `indices[i]`.
///
/// # Panics
///
/// If the lengths do not fit or an index is not below `entries`.
#[must_use]
pub fn embedding_backward(gradient: &[f32], indices: &[u32], entries: usize) -> Vec<f32> {
    let c = gradient.len() / indices.len().max(1);
    // Zeros straight from the operating system: pages without a gradient are never touched.
    let mut table = vec![0.0; entries * c];
    for (gradient, &index) in gradient.chunks_exact(c.max(1)).zip(indices) {
        for (entry, gradient) in table[index as usize * c..][..c].iter_mut().zip(gradient) {
            *entry += gradient;
        }
    }
    table
}
