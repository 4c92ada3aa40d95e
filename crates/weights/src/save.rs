//! Writing model folders.

use std::{
    borrow::Cow,
    cell::Cell,
    collections::{BTreeMap, HashMap},
    path::Path,
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use gptune_files::NewFile;
use gptune_model::{Gpt2, Gpt2Config};
use half::{bf16, f16};
use safetensors::{Dtype, View};
use serde_json::{Map, json};

use crate::{
    GgufSizes, SpecialTokens, WeightsError,
    gguf::all_parameters,
    names,
    sharded::{self, INDEX},
};

/// The file of a model that is not in shards.
const SINGLE: &str = "model.safetensors";
/// From here on numbers are rounded to an infinite `f16`: halfway from its largest to the next power of two.
const F16_OVERFLOW: f32 = 65_520.0;
/// The same for `bf16`.
const BF16_OVERFLOW: f32 = f32::from_bits(0x7f7f_8000);
/// What `save_pretrained` puts into a file at most, in the releases that most tools were written for.
const SHARD_BYTES: usize = 5_000_000_000;

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

impl Precision {
    /// PyTorch's name of it.
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
        }
    }
}

/// How to save a model.
#[derive(Debug, Clone, Copy)]
pub struct SaveOptions {
    /// The type that weights are stored in.
    pub precision: Precision,
    /// Most bytes of numbers in a file; a model that has more is written in shards, with an index. A tensor
    /// that has more alone is a shard of its own.
    pub shard_bytes: usize,
    /// The tokens that the configuration names.
    pub special: SpecialTokens,
}

impl Default for SaveOptions {
    fn default() -> Self {
        Self { precision: Precision::F32, shard_bytes: SHARD_BYTES, special: SpecialTokens::all(50_256) }
    }
}

/// Writes `config.json`, `generation_config.json` and `model.safetensors` into `folder`, which is
/// created if need be; a large model in shards, as [`SaveOptions::shard_bytes`] says. Each file appears
/// under its name only when it is complete, and `config.json` last.
///
/// `transformers`' `GPT2LMHeadModel.from_pretrained` loads the folder with no missing or unexpected
/// key: a head of its own is written with `"tie_word_embeddings": false`, a tied one is not written.
///
/// # Errors
///
/// [`WeightsError::Write`] naming the file, [`WeightsError::Contradiction`] if `config` is not the model's, or [`WeightsError::Range`] naming the parameter that has a number which
/// [`SaveOptions::precision`] cannot hold.
pub fn save_model(model: &Gpt2, config: &Gpt2Config, folder: &Path, options: SaveOptions) -> Result<(), WeightsError> {
    // This is where a new model's numbers are drawn, for which there may be too little memory.
    let parameters = parameters(model);
    check(&parameters, config).map_err(|problem| WeightsError::Contradiction { path: folder.to_owned(), problem })?;
    std::fs::create_dir_all(folder).map_err(|source| WeightsError::Write { path: folder.to_owned(), source })?;
    let too_large = Cell::new(None);
    let stored = |(path, parameter): (String, Parameter)| {
        (names::tensor(&path), Stored { path, parameter, precision: options.precision, too_large: &too_large })
    };
    let (tied_head, precision) = (config.tie_word_embeddings, options.precision);
    tracing::debug!(folder = %folder.display(), ?precision, tied_head, "writing a model");
    let tensors = parameters.into_iter().map(stored);
    save_weights(tensors, &too_large, folder, options)?;
    let SpecialTokens { bos, eos, pad } = options.special;
    let generation = json!({"bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad.or(eos)});
    write_json(&folder.join("generation_config.json"), &generation)?;
    write_json(&folder.join("config.json"), &config_json(config, options))
}

/// Makes sure that a model is one of this configuration, which a reader would believe.
fn check(parameters: &[(String, Parameter)], config: &Gpt2Config) -> Result<(), String> {
    let mut expected: BTreeMap<String, Vec<usize>> = all_parameters(&GgufSizes::from(config)).into_iter().collect();
    for (name, parameter) in parameters {
        match expected.remove(name) {
            Some(shape) if shape == parameter.shape => {}
            Some(shape) => {
                return Err(format!(
                    "'{name}' has shape {:?}, and the configuration asks for {shape:?}",
                    parameter.shape
                ));
            }
            None if name == names::HEAD => {
                return Err(
                    "the model has a head of its own, and 'tie_word_embeddings' says that it has none".to_owned()
                );
            }
            None => return Err(format!("the model has '{name}', and with n_layer = {} there is none", config.n_layer)),
        }
    }
    match expected.into_keys().next() {
        None => Ok(()),
        Some(name) if name == names::HEAD => {
            Err("the model has no head of its own, and 'tie_word_embeddings' says that it has one".to_owned())
        }
        Some(name) => Err(format!("the model has no '{name}', and the configuration asks for one")),
    }
}

/// Writes `model.safetensors`, or its shards and their index.
fn save_weights<'a>(
    tensors: impl Iterator<Item = (String, Stored<'a>)>,
    too_large: &Cell<Option<(String, f32)>>,
    folder: &Path,
    SaveOptions { precision, shard_bytes, .. }: SaveOptions,
) -> Result<(), WeightsError> {
    let write = |shard: Vec<(String, Stored)>, path: &Path| {
        let written = temporary_safetensors(shard, path)?;
        match too_large.take() {
            None => Ok(written),
            Some((name, value)) => {
                Err(WeightsError::Range { path: path.to_owned(), name, value, dtype: precision.name() })
            }
        }
    };
    let mut shards: Vec<Vec<(String, Stored)>> = Vec::new();
    let (mut total, mut filled) = (0, 0);
    for (name, tensor) in tensors {
        let length = tensor.data_len();
        total += length;
        match shards.last_mut() {
            Some(shard) if filled + length <= shard_bytes => {
                shard.push((name, tensor));
                filled += length;
            }
            _ => {
                shards.push(vec![(name, tensor)]);
                filled = length;
            }
        }
    }
    let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
    let count = shards.len();
    // What an earlier model leaves behind: shards, and nothing else that an index may name.
    let mut before = sharded::shards(&index).unwrap_or_default();
    before.retain(|name| name != SINGLE && name.ends_with(".safetensors"));
    if count == 1 {
        commit(write(shards.remove(0), &single)?, &single)?;
        remove(&index)?;
        return before.iter().try_for_each(|name| remove(&folder.join(name)));
    }
    let mut places = Map::new();
    let mut written = Vec::new();
    for (number, shard) in (1..).zip(shards) {
        let name = format!("model-{number:05}-of-{count:05}.safetensors");
        places.extend(shard.iter().map(|(tensor, _)| (tensor.clone(), name.clone().into())));
        written.push((write(shard, &folder.join(&name))?, name));
    }
    // All of them are whole before the first one replaces one of an earlier model.
    let names: Vec<String> = written.iter().map(|(_, name)| name.clone()).collect();
    for (file, name) in written {
        commit(file, &folder.join(name))?;
    }
    places.sort_keys();
    write_json(&index, &json!({"metadata": {"total_size": total}, "weight_map": places}))?;
    before.iter().filter(|name| !names.contains(name)).try_for_each(|name| remove(&folder.join(name)))?;
    remove(&single)
}

/// Writes what will be the file at `path`.
fn temporary_safetensors(tensors: Vec<(String, Stored)>, path: &Path) -> Result<NewFile, WeightsError> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    temporary(path, |temporary| {
        safetensors::serialize_to_file(tensors, Some(metadata), temporary).map_err(std::io::Error::other)
    })
}

/// Removes what an earlier model left in the other layout, which a reader would take for this one.
fn remove(path: &Path) -> Result<(), WeightsError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(WeightsError::Write { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn config_json(config: &Gpt2Config, SaveOptions { precision, special, .. }: SaveOptions) -> serde_json::Value {
    let mut json = json!({
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": config.dropout,
        "bos_token_id": special.bos,
        "embd_pdrop": config.dropout,
        "eos_token_id": special.eos,
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
        "torch_dtype": precision.name(),
        "vocab_size": config.vocab_size,
    });
    // GPT-2's own configuration names no padding.
    if let Some(pad) = special.pad.filter(|_| special.pad != special.eos) {
        json["pad_token_id"] = pad.into();
    }
    json
}

fn write_json(path: &Path, value: &serde_json::Value) -> Result<(), WeightsError> {
    atomically(path, |temporary| std::fs::write(temporary, format!("{value:#}\n")))
}

/// Has `write` fill a file of another name in the same folder, and renames it when it is complete.
pub(crate) fn atomically(path: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), WeightsError> {
    commit(temporary(path, write)?, path)
}

/// Has `write` fill a file of another name in the folder of `path`. It is removed with the value.
fn temporary(path: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<NewFile, WeightsError> {
    let fault = |source| WeightsError::Write { path: path.to_owned(), source };
    let file = NewFile::create(path).map_err(fault)?;
    write(file.temporary()).map_err(fault)?;
    Ok(file)
}

/// Gives a finished file its name.
fn commit(file: NewFile, path: &Path) -> Result<(), WeightsError> {
    file.commit().map_err(|source| WeightsError::Write { path: path.to_owned(), source })
}

/// Every parameter by its path in the model.
pub(crate) fn parameters(model: &Gpt2) -> Vec<(String, Parameter)> {
    let mut collector = Collector::default();
    model.visit(&mut collector);
    collector.found
}

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    found: Vec<(String, Parameter)>,
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
        self.found.push((self.path.join("."), Parameter { flat: value.reshape([-1]), shape }));
    }
}

/// A parameter whose numbers stay on the device until they are written.
pub(crate) struct Parameter {
    flat: Tensor<1>,
    shape: Vec<usize>,
}

impl Parameter {
    /// The numbers, row by row.
    pub(crate) fn numbers(&self) -> Vec<f32> {
        numbers(self.flat.clone())
    }
}

/// The numbers of a tensor, row by row.
pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// A parameter as it is stored.
struct Stored<'a> {
    /// Its place in the model.
    path: String,
    parameter: Parameter,
    precision: Precision,
    /// Told of a number that would become infinite: the trait has no way to fail.
    too_large: &'a Cell<Option<(String, f32)>>,
}

impl Stored<'_> {
    fn encode<const N: usize>(&self, values: &[f32], bytes: impl Fn(f32) -> [u8; N], largest: f32) -> Vec<u8> {
        if let Some(&value) = values.iter().find(|value| value.is_finite() && value.abs() >= largest) {
            self.too_large.set(Some((self.path.clone(), value)));
        }
        encode(values, bytes)
    }
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        match self.precision {
            Precision::F32 => Dtype::F32,
            Precision::F16 => Dtype::F16,
            Precision::BF16 => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.parameter.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.parameter.numbers();
        Cow::Owned(match self.precision {
            Precision::F32 => encode(&values, f32::to_le_bytes),
            Precision::F16 => self.encode(&values, |x| f16::from_f32(x).to_le_bytes(), F16_OVERFLOW),
            Precision::BF16 => self.encode(&values, |x| bf16::from_f32(x).to_le_bytes(), BF16_OVERFLOW),
        })
    }

    fn data_len(&self) -> usize {
        let size = if self.precision == Precision::F32 { 4 } else { 2 };
        self.parameter.shape.iter().product::<usize>() * size
    }
}

fn encode<const N: usize>(values: &[f32], bytes: impl Fn(f32) -> [u8; N]) -> Vec<u8> {
    let mut encoded = vec![0; values.len() * N];
    for (place, &value) in encoded.as_chunks_mut().0.iter_mut().zip(values) {
        *place = bytes(value);
    }
    encoded
}
