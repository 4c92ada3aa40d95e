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
    assert!(out.len() == ids.len() * c && (c > 0 || ids.is_empty()), "{} rows in {} numbers", ids.len(), out.len());
    for (table, indices) in [(tokens, ids), (positions, at)] {
        assert_indices_below(indices, table.len() / c.max(1));
    }
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
    assert_eq!(gradient.len(), indices.len() * c, "rows of a gradient");
    assert_indices_below(indices, entries);
    let size = entries.checked_mul(c).unwrap_or_else(|| panic!("a table of {entries} x {c}"));
    // Zeros straight from the operating system: pages without a gradient are never touched.
    let mut table = vec![0.0; size];
    for (gradient, &index) in gradient.chunks_exact(c.max(1)).zip(indices) {
        for (entry, gradient) in table[index as usize * c..][..c].iter_mut().zip(gradient) {
            *entry += gradient;
        }
    }
    table
}

/// Checked before any is multiplied, since the product could wrap to the place of another row.
fn assert_indices_below(indices: &[u32], entries: usize) {
    assert!(indices.iter().all(|&index| (index as usize) < entries), "indices below {entries}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "indices below 2")]
    fn an_index_outside_its_table_panics() {
        embedding(&[0.0; 6], &[0.0; 6], &[0, 1], &[1, 2], &mut [0.0; 6]);
    }

    #[test]
    #[should_panic(expected = "2 rows in 7 numbers")]
    fn an_output_of_another_length_panics() {
        embedding(&[0.0; 6], &[0.0; 6], &[0, 1], &[1, 1], &mut [0.0; 7]);
    }

    #[test]
    #[should_panic(expected = "2 rows in 1 numbers")]
    fn an_output_without_columns_panics() {
        embedding(&[0.0; 6], &[0.0; 6], &[0, 1], &[1, 1], &mut [0.0]);
    }

    #[test]
    #[should_panic(expected = "one position for each id")]
    fn more_ids_than_positions_panic() {
        embedding(&[0.0; 6], &[0.0; 6], &[0, 1], &[1], &mut [0.0; 6]);
    }

    #[test]
    #[should_panic(expected = "indices below 2")]
    fn a_gradient_of_no_entry_panics() {
        let _ = embedding_backward(&[0.0; 6], &[0, 2], 2);
    }

    #[test]
    #[should_panic(expected = "rows of a gradient")]
    fn a_gradient_of_another_length_panics() {
        let _ = embedding_backward(&[0.0; 7], &[0, 1], 2);
    }

    #[test]
    #[should_panic(expected = "a table of ")]
    fn a_table_whose_size_wraps_panics() {
        let _ = embedding_backward(&[0.0; 4], &[0, 1], 1 << (usize::BITS - 1));
    }

    #[test]
    fn no_ids_give_nothing() {
        embedding(&[0.0; 6], &[0.0; 6], &[], &[], &mut []);
        assert!(embedding_backward(&[], &[], usize::MAX).is_empty());
    }
}
