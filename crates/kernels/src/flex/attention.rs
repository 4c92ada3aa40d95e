use std::sync::Arc;

use burn::tensor::Tensor;

use super::{Backward, Checkpointer, Flex, FlexTensor, Gradients, Input, Ops, elements, from_vec, output, upstream};
use crate::slices::{self, Layout};

/// [`crate::attention()`] on flex, or nothing for tensors elsewhere.
pub(crate) fn attention(qkv: &Tensor<2>, layout: &Arc<Layout>, heads: usize) -> Option<Tensor<2>> {
    let [n, three_c] = qkv.dims();
    let qkv = Input::new(qkv)?;
    let mut out = vec![0.0; n * three_c / 3];
    let log_sums = slices::attention(qkv.elements(), layout, heads, &mut out);
    let state = State { qkv: qkv.data, layout: Arc::clone(layout), heads, log_sums: log_sums.into() };
    Some(output(Attention, [qkv.node], from_vec(out, [n, three_c / 3]), || state))
}

#[derive(Debug)]
struct Attention;

#[derive(Debug, Clone)]
struct State {
    qkv: FlexTensor,
    layout: Arc<Layout>,
    heads: usize,
    log_sums: Arc<[f32]>,
}

impl Backward<Flex, 1> for Attention {
    type State = State;

    fn backward(self, ops: Ops<State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let d_out = upstream(grads, &ops);
        let [parent] = ops.parents;
        let State { qkv, layout, heads, log_sums } = ops.state;
        if let Some(parent) = parent {
            let qkv = elements(&qkv);
            let mut gradient = vec![0.0; qkv.len()];
            slices::attention_backward(qkv, &layout, heads, &log_sums, elements(&d_out), &mut gradient);
            let n = layout.rows();
            let columns = gradient.len() / n.max(1);
            grads.register::<Flex>(parent.id, from_vec(gradient, [n, columns]));
        }
    }
}
