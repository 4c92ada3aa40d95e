use burn::{
    module::{Initializer, Module, Param},
    tensor::{Device, Tensor},
};
use gptune_kernels::linear;

/// A linear layer whose weight is stored `[d_in, d_out]`, under the name that OpenAI's code and
/// Hugging Face's checkpoint use for it.
///
/// Not Burn's `Linear`: its store adapters would transpose the square `attn.c_proj` silently.
#[derive(Module, Debug)]
pub struct Conv1D {
    /// `[d_in, d_out]`
    pub weight: Param<Tensor<2>>,
    /// `[d_out]`
    pub bias: Param<Tensor<1>>,
}

impl Conv1D {
    /// A layer with weights from `N(0, std)` and zero bias.
    #[must_use]
    pub fn init(d_in: usize, d_out: usize, std: f64, device: &Device) -> Self {
        Self {
            weight: Initializer::Normal { mean: 0.0, std }.init([d_in, d_out], device),
            bias: Initializer::Zeros.init([d_out], device),
        }
    }

    /// `x × weight + bias`
    ///
    /// # Shapes
    ///
    /// - `x`: `[N, d_in]`
    /// - output: `[N, d_out]`
    #[must_use]
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        linear(x, self.weight.val(), self.bias.val())
    }
}
