//! Writing model folders.

use std::{
    borrow::Cow,
    collections::HashMap,
    path::{Path, PathBuf},
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use gptune_model::{Gpt2, Gpt2Config};
use half::{bf16, f16};
use safetensors::{Dtype, View};
use serde_json::json;

use crate::{WeightsError, names};

/// The type that weights are stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32-bit floats: exactly what was trained.
    #[default]
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// 16-bit floats with the range of 32-bit ones.
    BF16,
}

/// How to save a model.
#[derive(Debug, Clone, Copy, Default)]
pub struct SaveOptions {
    /// The type that weights are stored in.
    pub precision: Precision,
}

/// Writes `config.json`, `generation_config.json` and `model.safetensors` into `folder`, which is
/// created if need be. Each file appears under its name only when it is complete.
///
/// `transformers`' `GPT2LMHeadModel.from_pretrained` loads the folder with no missing or unexpected
/// key: a head of its own is written with `"tie_word_embeddings": false`, a tied one is not written.
///
/// # Errors
///
/// [`WeightsError::Write`] naming the file.
pub fn save_model(model: &Gpt2, config: &Gpt2Config, folder: &Path, options: SaveOptions) -> Result<(), WeightsError> {
    std::fs::create_dir_all(folder).map_err(|source| WeightsError::Write { path: folder.to_owned(), source })?;
    let mut views = Collector { precision: options.precision, path: Vec::new(), tensors: Vec::new() };
    model.visit(&mut views);
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    atomically(&folder.join("model.safetensors"), |path| {
        safetensors::serialize_to_file(views.tensors, Some(metadata), path).map_err(std::io::Error::other)
    })?;
    let generation = json!({"bos_token_id": 50_256, "eos_token_id": 50_256, "pad_token_id": 50_256});
    write_json(&folder.join("generation_config.json"), &generation)?;
    write_json(&folder.join("config.json"), &config_json(config, options.precision))
}

fn config_json(config: &Gpt2Config, precision: Precision) -> serde_json::Value {
    json!({
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": config.dropout,
        "bos_token_id": 50_256,
        "embd_pdrop": config.dropout,
        "eos_token_id": 50_256,
        "initializer_range": 0.02,
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "model_type": "gpt2",
        "n_ctx": config.n_positions,
        "n_embd": config.n_embd,
        "n_head": config.n_head,
        "n_inner": null,
        "n_layer": config.n_layer,
        "n_positions": config.n_positions,
        "resid_pdrop": config.dropout,
        "tie_word_embeddings": config.tie_word_embeddings,
        "torch_dtype": match precision {
            Precision::F32 => "float32",
            Precision::F16 => "float16",
            Precision::BF16 => "bfloat16",
        },
        "vocab_size": config.vocab_size,
    })
}

fn write_json(path: &Path, value: &serde_json::Value) -> Result<(), WeightsError> {
    atomically(path, |temporary| std::fs::write(temporary, format!("{value:#}\n")))
}

/// Has `write` fill a file of another name in the same folder, and renames it when it is complete.
fn atomically(path: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), WeightsError> {
    let fault = |source| WeightsError::Write { path: path.to_owned(), source };
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    // A guard that removes the temporary file whatever happens before the rename.
    let temporary = tempfile::Builder::new().prefix(".writing-").tempfile_in(&folder).map_err(fault)?.into_temp_path();
    write(&temporary).map_err(fault)?;
    // Temporary files are private; a model folder is for everyone whom the folder lets in.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o644)).map_err(fault)?;
    }
    temporary.persist(path).map_err(|error| fault(error.error))
}

/// Collects a view of every parameter; its numbers are fetched when they are written.
struct Collector {
    precision: Precision,
    path: Vec<String>,
    tensors: Vec<(String, Parameter)>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let shape = value.dims().to_vec();
        let flat = value.reshape([-1]);
        let parameter = Parameter { flat, shape, precision: self.precision };
        self.tensors.push((names::tensor(&self.path.join(".")), parameter));
    }
}

struct Parameter {
    flat: Tensor<1>,
    shape: Vec<usize>,
    precision: Precision,
}

impl View for Parameter {
    fn dtype(&self) -> Dtype {
        match self.precision {
            Precision::F32 => Dtype::F32,
            Precision::F16 => Dtype::F16,
            Precision::BF16 => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.flat.clone().into_data().iter::<f32>().collect::<Vec<_>>();
        let bytes = match self.precision {
            Precision::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Precision::F16 => values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
            Precision::BF16 => values.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect(),
        };
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * if self.precision == Precision::F32 { 4 } else { 2 }
    }
}
