use burn::{
    module::{Module, ModuleMapper, Param, ParamId},
    tensor::{Tensor, TensorData},
};
use gptune_model::Gpt2;

/// Replaces a model's weights by numbers that a formula gives from their names and indices: the same
/// on every device and in every language, which random numbers are not.
///
/// Numbers are within ±1/8, around 1 for the scales of normalisations; an output head is a copy of the
/// token embedding. `tests/fixtures/reference.py` has the formula in Python.
#[must_use]
pub fn formula_weights(model: Gpt2) -> Gpt2 {
    model.map(&mut Formula { path: Vec::new() })
}

/// A step of `SplitMix64` (Steele, Lea and Flood, 2014): a number that tells nothing of `seed`.
pub(crate) fn split_mix_64(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct Formula {
    path: Vec<String>,
}

impl ModuleMapper for Formula {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let name = if name == "lm_head.weight" { "wte.weight" } else { &name };
        // FNV-1a of the name, and SplitMix64 from there.
        let seed = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let is_scale = name.ends_with(".weight") && name.rsplit('.').nth(1).is_some_and(|part| part.starts_with("ln_"));
        let value = |index: usize| {
            let bits = split_mix_64(seed.wrapping_add(index as u64)) >> 40;
            (bits as f32 - 8_388_608.0) / 67_108_864.0 + if is_scale { 1.0 } else { 0.0 }
        };
        let (shape, device) = (param.lazy_shape(), param.lazy_device());
        let values: Vec<f32> = (0..shape.num_elements()).map(value).collect();
        let tensor = Tensor::from_data(TensorData::new(values, shape), &device);
        Param::initialized(ParamId::new(), if device.is_autodiff() { tensor.require_grad() } else { tensor })
    }
}
