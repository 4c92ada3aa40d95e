use std::sync::Arc;

use burn::tensor::Tensor;

use super::{Backward, Checkpointer, Flex, Gradients, Input, Ops, elements, from_vec, output, upstream};
use crate::slices;

/// [`crate::embedding()`] on flex, or nothing for tensors elsewhere.
pub(crate) fn embedding(tokens: &Tensor<2>, positions: &Tensor<2>, ids: &[u32], at: &[u32]) -> Option<Tensor<2>> {
    let [[token_entries, c], [position_entries, _]] = [tokens.dims(), positions.dims()];
    let (tokens, positions) = (Input::new(tokens)?, Input::new(positions)?);
    let mut out = vec![0.0; ids.len() * c];
    slices::embedding(tokens.elements(), positions.elements(), ids, at, &mut out);
    let state = || [(ids.into(), token_entries), (at.into(), position_entries)];
    Some(output(Embedding, [tokens.node, positions.node], from_vec(out, [ids.len(), c]), state))
}

#[derive(Debug)]
struct Embedding;

impl Backward<Flex, 2> for Embedding {
    /// The rows taken from each table, and its number of entries.
    type State = [(Arc<[u32]>, usize); 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = upstream(grads, &ops);
        for (parent, (indices, entries)) in ops.parents.into_iter().zip(ops.state) {
            if let Some(parent) = parent {
                let table = slices::embedding_backward(elements(&gradient), &indices, entries);
                let c = table.len() / entries.max(1);
                grads.register::<Flex>(parent.id, from_vec(table, [entries, c]));
            }
        }
    }
}
