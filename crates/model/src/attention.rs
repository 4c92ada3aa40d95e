use burn::{
    module::Module,
    nn::Dropout,
    tensor::{Bool, Device, Tensor, activation::softmax},
};

use crate::{Conv1D, Gpt2Config, cache::LayerCache, gpt2::dropout, gpt2::residual_std};

/// Causal multi-head self-attention.
#[derive(Module, Debug)]
pub struct Attention {
    /// Queries, keys and values side by side, `[C, 3C]`
    pub c_attn: Conv1D,
    /// `[C, C]`
    pub c_proj: Conv1D,
    /// Dropout on the attention weights.
    pub attn_dropout: Dropout,
    /// Dropout on the output.
    pub resid_dropout: Dropout,
    /// Number of heads `H`.
    pub n_head: usize,
}

impl Attention {
    /// Attention with GPT-2's initialisation.
    #[must_use]
    pub fn init(config: &Gpt2Config, device: &Device) -> Self {
        let c = config.n_embd;
        Self {
            c_attn: Conv1D::init(c, 3 * c, 0.02, device),
            c_proj: Conv1D::init(c, c, residual_std(config), device),
            attn_dropout: dropout(config),
            resid_dropout: dropout(config),
            n_head: config.n_head,
        }
    }

    /// Attends from each position of `x` to itself and to what is before it: to the positions in
    /// `cache`, which is extended, and to the earlier ones of `x`.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, T, C]`
    /// - `future`: `[T, T]`, true where the key is later than the query; none if `T` is 1
    /// - output: `[B, T, C]`
    #[must_use]
    pub(crate) fn forward(
        &self,
        x: Tensor<3>,
        future: Option<&Tensor<2, Bool>>,
        cache: Option<&mut LayerCache>,
    ) -> Tensor<3> {
        let [b, t, c] = x.dims();
        let (h, d) = (self.n_head, c / self.n_head);
        let qkv = self.c_attn.forward(x).reshape([b, t, 3 * h, d]).swap_dims(1, 2); // [B, 3H, T, D]
        let heads = |first: usize| qkv.clone().narrow(1, first, h); // [B, H, T, D]
        let (q, mut k, mut v) = (heads(0), heads(h), heads(2 * h));
        if let Some(cache) = cache {
            (k, v) = cache.extend(k, v);
        }
        let scale = 1.0 / (d as f64).sqrt();
        let scores = q.matmul(k.transpose()) * scale; // [B, H, T, S]
        let scores = match future {
            Some(future) => {
                let mask = future.clone().unsqueeze::<4>().expand([b, h, t, t]);
                scores.mask_fill(mask, f32::NEG_INFINITY)
            }
            None => scores,
        };
        let weights = self.attn_dropout.forward(softmax(scores, 3));
        let mixed = weights.matmul(v).swap_dims(1, 2).reshape([b, t, c]); // [B, T, C]
        self.resid_dropout.forward(self.c_proj.forward(mixed))
    }
}
