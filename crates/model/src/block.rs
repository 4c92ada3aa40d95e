use burn::{
    module::Module,
    tensor::{Bool, Device, Tensor},
};

use crate::{Attention, Gpt2Config, LayerNorm, Mlp, cache::LayerCache};

/// A transformer block with normalisation before each branch.
#[derive(Module, Debug)]
pub struct Block {
    /// Before attention.
    pub ln_1: LayerNorm,
    /// Attention.
    pub attn: Attention,
    /// Before the feed-forward network.
    pub ln_2: LayerNorm,
    /// The feed-forward network.
    pub mlp: Mlp,
}

impl Block {
    /// A block with GPT-2's initialisation.
    #[must_use]
    pub fn init(config: &Gpt2Config, device: &Device) -> Self {
        let norm = || LayerNorm::init(config.n_embd, config.layer_norm_epsilon, device);
        Self { ln_1: norm(), attn: Attention::init(config, device), ln_2: norm(), mlp: Mlp::init(config, device) }
    }

    /// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, T, C]`
    /// - `future`: as in [`Attention`]
    /// - output: `[B, T, C]`
    #[must_use]
    pub(crate) fn forward(
        &self,
        x: Tensor<3>,
        future: Option<&Tensor<2, Bool>>,
        cache: Option<&mut LayerCache>,
    ) -> Tensor<3> {
        let x = x.clone() + self.attn.forward(self.ln_1.forward(x), future, cache);
        x.clone() + self.mlp.forward(self.ln_2.forward(x))
    }
}
