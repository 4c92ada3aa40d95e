//! Model folders in Hugging Face's layout.

use std::{fs::File, io::Read, path::Path};

use burn::tensor::Device;
use gptune_model::{Gpt2, Gpt2Config};
use serde_json::{Map, Value};

use crate::{
    Checkpoint, GgufFile, GgufGpt2, Hparams, PickleFile, SafetensorsFile, ShardedSafetensors, WeightsError,
    checkpoint::{OpenAiCheckpoint, under_common_names},
    load_model, names,
    sharded::INDEX,
};

/// A model on disk: its configuration and its checkpoint, both opened and checked.
#[derive(Debug)]
pub struct ModelFolder {
    /// The configuration.
    pub config: Gpt2Config,
    file: Box<dyn Checkpoint>,
}

/// Files of weights that a folder with `config.json` may hold, the best first.
pub const WEIGHT_FILES: [&str; 3] = ["model.safetensors", INDEX, "pytorch_model.bin"];

/// Widths of the released models.
const RELEASED_WIDTHS: [usize; 4] = [768, 1024, 1280, 1600];

impl ModelFolder {
    /// Opens a model of any known format:
    ///
    /// - a folder in Hugging Face's layout: `config.json` and `model.safetensors`, or shards with their
    ///   index, or `pytorch_model.bin`;
    /// - a folder of OpenAI's original release: `hparams.json` and `model.ckpt.*`;
    /// - a file of weights: `.safetensors`, an index of shards, or what `torch.save` wrote (`.pth`, `.pt`,
    ///   `.bin`), under Hugging Face's names or those of the book's `GPTModel`. With `config.json` beside it
    ///   that is the configuration; without, sizes are taken from the tensors, if they are those of a released
    ///   GPT-2, whose heads are 64 wide;
    /// - a `.gguf` file of llama.cpp, which holds its configuration.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] if something is missing or damaged.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let not_a_model =
            |problem: &str| WeightsError::NotAModel { path: path.to_owned(), problem: problem.to_owned() };
        if path.is_dir() {
            let config = path.join("config.json");
            if !config.is_file() {
                if path.join("hparams.json").is_file() {
                    return Self::open_openai(path);
                }
                return Err(not_a_model("it has no config.json"));
            }
            let weights = WEIGHT_FILES.iter().map(|name| path.join(name)).find(|file| file.is_file());
            let weights = weights.ok_or_else(|| not_a_model(&format!("it has none of {}", WEIGHT_FILES.join(", "))))?;
            let bytes = read(&config)?;
            return Self::new(&config, &bytes, open_file(&weights)?);
        }
        if !path.is_file() {
            return Err(not_a_model("there is no such file or folder"));
        }
        if Format::of(path)? == Format::Gguf {
            return Self::open_gguf(path);
        }
        let file = open_file(path)?;
        let config = path.with_file_name("config.json");
        if config.is_file() {
            let bytes = read(&config)?;
            return Self::new(&config, &bytes, file);
        }
        let config = infer_config(file.as_ref())
            .ok_or_else(|| not_a_model("it has no config.json beside it and its tensors are not a GPT-2's"))?;
        // Nothing in the tensors tells the number of heads.
        if !RELEASED_WIDTHS.contains(&config.n_embd) {
            let problem = format!(
                "it has no config.json beside it, and a GPT-2 that is {} wide may have any number of heads; put one there",
                config.n_embd
            );
            return Err(not_a_model(&problem));
        }
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
        Self::new(Path::new(&place("config.json")), config, Box::new(file))
    }

    /// OpenAI's original release: `hparams.json` and the TensorFlow checkpoint `model.ckpt`.
    fn open_openai(folder: &Path) -> Result<Self, WeightsError> {
        let path = folder.join("hparams.json");
        let Hparams { n_vocab, n_ctx, n_embd, n_head, n_layer } = Hparams::read(&path)?;
        let config = Gpt2Config {
            n_layer,
            n_head,
            n_embd,
            n_positions: n_ctx,
            vocab_size: n_vocab,
            tie_word_embeddings: true,
            layer_norm_epsilon: 1e-5,
            dropout: 0.0,
        };
        config.validate().map_err(|source| WeightsError::Impossible { path, source })?;
        Ok(Self { config, file: Box::new(OpenAiCheckpoint::open(&folder.join("model.ckpt"))?) })
    }

    /// llama.cpp's format.
    fn open_gguf(path: &Path) -> Result<Self, WeightsError> {
        let file = GgufGpt2::new(GgufFile::open(path)?)?;
        let config = Gpt2Config::from(file.sizes());
        config.validate().map_err(|source| WeightsError::Impossible { path: path.to_owned(), source })?;
        Ok(Self { config, file: Box::new(file) })
    }

    fn new(config_path: &Path, config: &[u8], file: Box<dyn Checkpoint>) -> Result<Self, WeightsError> {
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
        let model = load_model(self.file.as_ref(), &self.config, own_head, device)?;
        Ok((model, self.config))
    }
}

/// The format of a file of weights.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Safetensors,
    Index,
    Pickle,
    Gguf,
}

impl Format {
    /// By the ending of the name, or where that says nothing, by what the file starts with.
    fn of(path: &Path) -> Result<Self, WeightsError> {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().to_lowercase());
        if name.ends_with(".index.json") {
            return Ok(Self::Index);
        }
        match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("safetensors") => return Ok(Self::Safetensors),
            Some("pth" | "pt" | "bin" | "ckpt" | "pkl") => return Ok(Self::Pickle),
            Some("gguf") => return Ok(Self::Gguf),
            _ => {}
        }
        let mut start = Vec::new();
        File::open(path)
            .and_then(|file| file.take(4).read_to_end(&mut start))
            .map_err(|source| WeightsError::Read { path: path.to_owned(), source })?;
        Ok(match start[..] {
            [b'G', b'G', b'U', b'F'] => Self::Gguf,
            [b'P', b'K', 3, 4] | [0x80, 2..=5, ..] => Self::Pickle,
            _ => Self::Safetensors,
        })
    }
}

fn open_file(path: &Path) -> Result<Box<dyn Checkpoint>, WeightsError> {
    Ok(match Format::of(path)? {
        Format::Safetensors => under_common_names(SafetensorsFile::open(path)?),
        Format::Index => under_common_names(ShardedSafetensors::open(path)?),
        Format::Pickle => under_common_names(PickleFile::open(path)?),
        Format::Gguf => Box::new(GgufGpt2::new(GgufFile::open(path)?)?),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, WeightsError> {
    std::fs::read(path).map_err(|source| WeightsError::Read { path: path.to_owned(), source })
}

/// Makes sure that a file is the `config.json` of a GPT-2, before its weights are fetched.
///
/// # Errors
///
/// As [`read_config`], or if it cannot be read.
pub fn check_config(path: &Path) -> Result<(), WeightsError> {
    read_config(path, &read(path)?).map(|_| ())
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
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let n_embd = size(&["n_embd"])?;
    if let Some(inner) =
        fields.get("n_inner").and_then(Value::as_u64).filter(|&inner| Some(inner) != (n_embd as u64).checked_mul(4))
    {
        return Err(fault(format!("'n_inner' is {inner}; only 4 × n_embd is supported")));
    }
    let config = Gpt2Config {
        n_layer: size(&["n_layer"])?,
        n_head: size(&["n_head"])?,
        n_embd,
        n_positions: size(&["n_positions", "n_ctx"])?,
        vocab_size: size(&["vocab_size"])?,
        tie_word_embeddings: match given("tie_word_embeddings") {
            None => true,
            Some(value) => {
                value.as_bool().ok_or_else(|| fault("'tie_word_embeddings' is not a truth value".to_owned()))?
            }
        },
        layer_norm_epsilon: match given("layer_norm_epsilon") {
            None => 1e-5,
            Some(value) => value.as_f64().ok_or_else(|| fault("'layer_norm_epsilon' is not a number".to_owned()))?,
        },
        dropout: 0.0,
    };
    config.validate().map_err(|source| WeightsError::Impossible { path: path.to_owned(), source })?;
    Ok(config)
}

/// Sizes from the tensors alone.
fn infer_config(file: &dyn Checkpoint) -> Option<Gpt2Config> {
    let stored = file.names();
    let by_name = |wanted: &str| stored.iter().find(|tensor| names::parameter(tensor) == Some(wanted));
    let shape = |wanted: &str| file.shape(by_name(wanted)?);
    let (tokens, positions) = (shape(names::TOKENS)?, shape("wpe.weight")?);
    let ([vocab_size, n_embd], [n_positions, _]) = (tokens[..].try_into().ok()?, positions[..].try_into().ok()?);
    let n_layer = names::blocks(stored.iter().map(String::as_str));
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
