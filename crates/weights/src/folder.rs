//! Model folders in Hugging Face's layout.

use std::path::Path;

use burn::tensor::Device;
use gptune_model::{Gpt2, Gpt2Config};
use serde_json::{Map, Value};

use crate::{SafetensorsFile, WeightsError, load_model, names};

/// A model on disk: its configuration and its checkpoint, both opened and checked.
#[derive(Debug)]
pub struct ModelFolder {
    /// The configuration.
    pub config: Gpt2Config,
    file: SafetensorsFile,
}

impl ModelFolder {
    /// Opens a folder with `config.json` and `model.safetensors`, or a `.safetensors` file with
    /// `config.json` beside it (without one, sizes are taken from the tensors and heads are 64
    /// wide, as in every released GPT-2).
    ///
    /// # Errors
    ///
    /// [`WeightsError`] if something is missing or damaged.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let not_a_model =
            |problem: &str| WeightsError::NotAModel { path: path.to_owned(), problem: problem.to_owned() };
        if path.is_dir() {
            let (config, weights) = (path.join("config.json"), path.join("model.safetensors"));
            if !config.is_file() {
                return Err(not_a_model("it has no config.json"));
            }
            if !weights.is_file() {
                return Err(not_a_model("it has no model.safetensors"));
            }
            let bytes = read(&config)?;
            return Self::new(&config, &bytes, SafetensorsFile::open(&weights)?);
        }
        if !path.is_file() {
            return Err(not_a_model("there is no such file or folder"));
        }
        let file = SafetensorsFile::open(path)?;
        let config = path.with_file_name("config.json");
        if config.is_file() {
            let bytes = read(&config)?;
            return Self::new(&config, &bytes, file);
        }
        let config = infer_config(&file)
            .ok_or_else(|| not_a_model("it has no config.json beside it and its tensors are not a GPT-2's"))?;
        Ok(Self { config, file })
    }

    /// A model in memory, such as one that is embedded in a program; `name` stands for its path in
    /// messages.
    ///
    /// # Errors
    ///
    /// As [`ModelFolder::open`].
    pub fn from_bytes(name: &str, config: &[u8], weights: &'static [u8]) -> Result<Self, WeightsError> {
        let place = |file: &str| format!("{name}/{file}");
        let file = SafetensorsFile::from_bytes(&place("model.safetensors"), weights)?;
        Self::new(Path::new(&place("config.json")), config, file)
    }

    fn new(config_path: &Path, config: &[u8], file: SafetensorsFile) -> Result<Self, WeightsError> {
        Ok(Self { config: read_config(config_path, config)?, file })
    }

    /// The same model with another dropout.
    #[must_use]
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.config.dropout = dropout;
        self
    }

    /// Loads the model onto a device.
    ///
    /// `tied` overrides whether the head is the token embedding; without it the folder's own
    /// configuration decides. Untying a tied head makes it a copy of the token embedding.
    ///
    /// # Errors
    ///
    /// As [`load_model`].
    pub fn load(mut self, tied: Option<bool>, device: &Device) -> Result<(Gpt2, Gpt2Config), WeightsError> {
        let own_head = !self.config.tie_word_embeddings;
        self.config.tie_word_embeddings = tied.unwrap_or(self.config.tie_word_embeddings);
        let model = load_model(&mut self.file, &self.config, own_head, device)?;
        Ok((model, self.config))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, WeightsError> {
    std::fs::read(path).map_err(|source| WeightsError::Read { path: path.to_owned(), source })
}

/// Parses Hugging Face's `config.json`; `path` names it in messages.
///
/// Dropout is 0 whatever the file says: the released files say 0.1, and the book says 0.
///
/// # Errors
///
/// [`WeightsError::Config`] for another architecture or a field that is missing or unsupported,
/// [`WeightsError::Impossible`] for sizes that contradict each other.
pub fn read_config(path: &Path, text: &[u8]) -> Result<Gpt2Config, WeightsError> {
    let fault = |problem: String| WeightsError::Config { path: path.to_owned(), problem };
    let fields: Map<String, Value> =
        serde_json::from_slice(text).map_err(|error| fault(format!("it is not a JSON object ({error})")))?;
    let model_type = fields.get("model_type").and_then(Value::as_str);
    if model_type.is_some_and(|name| name != "gpt2") {
        return Err(fault(format!(
            "its model_type is '{}'; gptune trains models of type 'gpt2'",
            model_type.unwrap_or_default()
        )));
    }
    let size = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| fields.get(*name))
            .ok_or_else(|| fault(format!("'{}' is missing", names[0])))?
            .as_u64()
            .and_then(|size| usize::try_from(size).ok())
            .ok_or_else(|| fault(format!("'{}' is not a whole number", names[0])))
    };
    // What changes the arithmetic has to be as in the released models.
    let supported = [
        ("activation_function", Value::from("gelu_new")),
        ("scale_attn_weights", Value::from(true)),
        ("scale_attn_by_inverse_layer_idx", Value::from(false)),
        ("add_cross_attention", Value::from(false)),
    ];
    for (field, wanted) in supported {
        let tanh_gelu = |value: &Value| field == "activation_function" && value == "gelu_pytorch_tanh";
        if let Some(value) = fields.get(field).filter(|&value| *value != wanted && !tanh_gelu(value)) {
            return Err(fault(format!("'{field}' is {value}; only {wanted} is supported")));
        }
    }
    let n_embd = size(&["n_embd"])?;
    if let Some(inner) = fields.get("n_inner").and_then(Value::as_u64).filter(|&inner| inner != 4 * n_embd as u64) {
        return Err(fault(format!("'n_inner' is {inner}; only 4 × n_embd is supported")));
    }
    let config = Gpt2Config {
        n_layer: size(&["n_layer"])?,
        n_head: size(&["n_head"])?,
        n_embd,
        n_positions: size(&["n_positions", "n_ctx"])?,
        vocab_size: size(&["vocab_size"])?,
        tie_word_embeddings: fields.get("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(true),
        layer_norm_epsilon: fields.get("layer_norm_epsilon").and_then(Value::as_f64).unwrap_or(1e-5),
        dropout: 0.0,
    };
    config.validate().map_err(|source| WeightsError::Impossible { path: path.to_owned(), source })?;
    Ok(config)
}

/// Sizes from the tensors alone.
fn infer_config(file: &SafetensorsFile) -> Option<Gpt2Config> {
    let by_name = |wanted: &str| file.names().find(|tensor| names::parameter(tensor) == Some(wanted));
    let shape = |wanted: &str| Some(file.shape(by_name(wanted)?)?.to_owned());
    let (tokens, positions) = (shape(names::TOKENS)?, shape("wpe.weight")?);
    let ([vocab_size, n_embd], [n_positions, _]) = (tokens[..].try_into().ok()?, positions[..].try_into().ok()?);
    let n_layer = names::blocks(file.names());
    let config = Gpt2Config {
        n_layer,
        n_head: (n_embd / 64).max(1),
        n_embd,
        n_positions,
        vocab_size,
        tie_word_embeddings: by_name(names::HEAD).is_none(),
        layer_norm_epsilon: 1e-5,
        dropout: 0.0,
    };
    config.validate().ok()?;
    Some(config)
}
