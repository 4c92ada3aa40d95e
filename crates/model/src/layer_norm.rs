use burn::{
    module::{Initializer, Module, Param},
    tensor::{Device, Tensor},
};
use gptune_kernels::layer_norm;

/// Layer normalisation over the last dimension (Ba, Kiros and Hinton, 2016), with the biased
/// variance.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Scale, `[C]`
    pub weight: Param<Tensor<1>>,
    /// Shift, `[C]`
    pub bias: Param<Tensor<1>>,
    /// Added to the variance.
    pub epsilon: f64,
}

impl LayerNorm {
    /// A normalisation that starts as the plain one.
    #[must_use]
    pub fn init(width: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([width], device),
            bias: Initializer::Zeros.init([width], device),
            epsilon,
        }
    }

    /// `(x − mean) / √(variance + ε) × weight + bias`
    ///
    /// # Shapes
    ///
    /// - `x`: `[N, C]`
    /// - output: `[N, C]`
    #[must_use]
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        layer_norm(x, self.weight.val(), self.bias.val(), self.epsilon)
    }
}
