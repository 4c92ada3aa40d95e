//! Model folders in Hugging Face's layout.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use burn::tensor::Device;
use gptune_model::{Gpt2, Gpt2Config};
use serde_json::{Map, Value};

use crate::{
    Checkpoint, GgufFile, GgufGpt2, Hparams, LoadOptions, PickleFile, SafetensorsFile, Sharded, WeightsError,
    checkpoint::{OpenAiCheckpoint, under_common_names},
    load_model, names,
    sharded::{INDEX, PICKLE_INDEX},
    wrong_kind,
};

/// A model on disk: its configuration and its checkpoint, both opened and checked.
#[derive(Debug)]
pub struct ModelFolder {
    /// The configuration.
    pub config: Gpt2Config,
    file: Box<dyn Checkpoint>,
    notes: Vec<String>,
    allow_nonfinite: bool,
}

/// Files of weights that a folder with `config.json` may hold, the best first.
pub const WEIGHT_FILES: [&str; 4] = ["model.safetensors", INDEX, "pytorch_model.bin", PICKLE_INDEX];

/// Widths of the released models.
const RELEASED_WIDTHS: [usize; 4] = [768, 1024, 1280, 1600];

impl ModelFolder {
    /// Opens a model of any known format:
    ///
    /// - a folder in Hugging Face's layout: `config.json` and `model.safetensors`, or shards with their
    ///   index, or `pytorch_model.bin`, or its shards;
    /// - a folder of a run, whose `model` is taken;
    /// - a folder of OpenAI's original release: `hparams.json` and a TensorFlow checkpoint, the one that the file
    ///   `checkpoint` names, or its `.index`;
    /// - a file of weights: `.safetensors`, an index of shards, or what `torch.save` wrote (`.pth`, `.pt`,
    ///   `.bin`), under Hugging Face's names, nanoGPT's or those of the book's `GPTModel`. With `config.json` beside it
    ///   that is the configuration; without, sizes are those that nanoGPT keeps, or are taken from the tensors, if they
    ///   are those of a released GPT-2, whose heads are 64 wide;
    /// - a `.gguf` file of llama.cpp, which holds its configuration.
    ///
    /// An output head in the file that differs from the token embedding is the model's, whatever the configuration says
    /// or leaves out; [`ModelFolder::notes`] then says so.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] if something is missing or damaged, or the path leads to something else.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let not_a_model =
            |problem: &str| WeightsError::NotAModel { path: path.to_owned(), problem: problem.to_owned() };
        if path.is_dir() {
            return Self::open_folder(path);
        }
        if !path.is_file() {
            return Err(not_a_model("there is no such file or folder"));
        }
        if let Some(what) = wrong_kind::of_name(path).or_else(|| wrong_kind::of_contents(path)) {
            return Err(WeightsError::WrongKind { path: path.to_owned(), what });
        }
        let format = Format::of(path)?;
        tracing::debug!(path = %path.display(), ?format, "the format of the weights");
        match format {
            Format::Gguf => return Self::open_gguf(path),
            Format::Bundle => {
                let folder = path.parent().unwrap_or(Path::new(""));
                return Self::open_openai(folder, &path.with_extension(""));
            }
            _ => {}
        }
        let (file, sizes) = open_file(path)?;
        let config = path.with_file_name("config.json");
        if config.is_file() {
            let bytes = read(&config)?;
            return Self::new(&config, &bytes, file);
        }
        let config = infer_config(file.as_ref(), &sizes)?
            .ok_or_else(|| not_a_model("it has no config.json beside it and its tensors are not a GPT-2's"))?;
        // Nothing in the tensors tells the number of heads.
        if !sizes.contains_key("n_head") && !RELEASED_WIDTHS.contains(&config.n_embd) {
            let problem = format!(
                "it has no config.json beside it, and a GPT-2 that is {} wide may have any number of heads; put one there",
                config.n_embd
            );
            return Err(not_a_model(&problem));
        }
        config.validate().map_err(|source| WeightsError::Impossible { path: path.to_owned(), source })?;
        Self::checked(config, file, TiedBy::Tensors)
    }

    fn open_folder(path: &Path) -> Result<Self, WeightsError> {
        let not_a_model =
            |problem: &str| WeightsError::NotAModel { path: path.to_owned(), problem: problem.to_owned() };
        let config = path.join("config.json");
        if !config.is_file() {
            if path.join("hparams.json").is_file() {
                return Self::open_openai(path, &newest_bundle(path)?);
            }
            let model = path.join("model");
            if path.join("config.toml").is_file() && model.join("config.json").is_file() {
                let mut opened = Self::open_folder(&model)?;
                opened.notes.insert(0, format!("{} is a run; its model is {}", path.display(), model.display()));
                return Ok(opened);
            }
            let adapter = path.join("adapter_config.json").is_file();
            return Err(not_a_model(if adapter {
                "it holds an adapter; merge that into its model with PEFT's `merge_and_unload()`, and give the result"
            } else {
                "it has no config.json"
            }));
        }
        if let Some(what) = wrong_kind::of_contents(&config) {
            return Err(WeightsError::WrongKind { path: config, what });
        }
        let weights = WEIGHT_FILES.iter().map(|name| path.join(name)).find(|file| file.is_file());
        let weights = weights.ok_or_else(|| not_a_model(&format!("it has none of {}", WEIGHT_FILES.join(", "))))?;
        if let Some(what) = wrong_kind::of_contents(&weights) {
            return Err(WeightsError::WrongKind { path: weights, what });
        }
        let bytes = read(&config)?;
        let mut opened = Self::new(&config, &bytes, open_file(&weights)?.0)?;
        if path.join("adapter_config.json").is_file() {
            opened
                .notes
                .push(format!("{} holds an adapter too (adapter_config.json), which is not applied", path.display()));
        }
        Ok(opened)
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

    /// OpenAI's original release: `hparams.json` and the TensorFlow checkpoint at `prefix`.
    fn open_openai(folder: &Path, prefix: &Path) -> Result<Self, WeightsError> {
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
        Self::checked(config, Box::new(OpenAiCheckpoint::open(prefix)?), TiedBy::Tensors)
    }

    /// llama.cpp's format.
    fn open_gguf(path: &Path) -> Result<Self, WeightsError> {
        let file = GgufGpt2::new(GgufFile::open(path)?)?;
        let mut config = Gpt2Config::from(file.sizes());
        config.validate().map_err(|source| WeightsError::Impossible { path: path.to_owned(), source })?;
        // Some converters write the embedding a second time as the head.
        config.tie_word_embeddings = own_head(&file)? != Some(true);
        Self::checked(config, Box::new(file), TiedBy::Tensors)
    }

    fn new(config_path: &Path, config: &[u8], file: Box<dyn Checkpoint>) -> Result<Self, WeightsError> {
        Self::checked(read_config(config_path, config)?, file, TiedBy::File)
    }

    /// A model of these sizes. Where the configuration is a file's word, the head is compared with the embedding before
    /// it may say that they are one.
    fn checked(mut config: Gpt2Config, file: Box<dyn Checkpoint>, tied_by: TiedBy) -> Result<Self, WeightsError> {
        let mut notes: Vec<String> = file.note().into_iter().collect();
        let stored = file.names();
        let tokens = stored.iter().find(|tensor| names::parameter(tensor) == Some(names::TOKENS));
        if let Some((name, actual)) = tokens.and_then(|name| Some((name, file.shape(name)?))) {
            // Before a tokenizer is blamed for a vocabulary that only the configuration names.
            let expected = vec![config.vocab_size, config.n_embd];
            if actual != expected {
                let (path, name) = (file.path().to_owned(), file.own_name(name));
                return Err(WeightsError::Shape { path, name, expected, actual });
            }
        }
        if tied_by == TiedBy::File && config.tie_word_embeddings && own_head(file.as_ref())? == Some(true) {
            config.tie_word_embeddings = false;
            notes.push(format!(
                "{} has an output head, '{}', that differs from its token embedding; it is used, although the configuration \
                 does not say that the model has one of its own ('tie_word_embeddings')",
                file.path().display(),
                file.own_name(names::HEAD)
            ));
        }
        tracing::info!(
            path = %file.path().display(),
            blocks = config.n_layer,
            width = config.n_embd,
            tied_head = config.tie_word_embeddings,
            head_by = ?tied_by,
            tensors = stored.len(),
            "opened a model"
        );
        Ok(Self { config, file, notes, allow_nonfinite: false })
    }

    /// What a user should know about how the model was read: sentences.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Has [`ModelFolder::load`] take numbers that are not finite, for conversion alone.
    #[must_use]
    pub fn allowing_nonfinite(mut self, allow: bool) -> Self {
        self.allow_nonfinite = allow;
        self
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
        let options = LoadOptions { own_head, allow_nonfinite: self.allow_nonfinite };
        let model = load_model(self.file.as_ref(), &self.config, options, device)?;
        Ok((model, self.config))
    }
}

/// What says whether a head is the token embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TiedBy {
    /// A file of configuration, which may be wrong.
    File,
    /// The tensors themselves, which were compared, or of which there is no head.
    Tensors,
}

/// The format of a file of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Safetensors,
    /// The index of a model in parts.
    Index,
    Pickle,
    Gguf,
    /// The index of a TensorFlow checkpoint.
    Bundle,
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
            Some("index") => return Ok(Self::Bundle),
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

/// Sizes that a file holds beside its tensors.
type Sizes = BTreeMap<String, usize>;

fn open_file(path: &Path) -> Result<(Box<dyn Checkpoint>, Sizes), WeightsError> {
    let mut sizes = Sizes::new();
    let file = match Format::of(path)? {
        Format::Safetensors => under_common_names(SafetensorsFile::open(path)?)?,
        Format::Index => under_common_names(Sharded::open(path)?)?,
        Format::Pickle => {
            let file = PickleFile::open(path)?;
            sizes.clone_from(file.sizes());
            under_common_names(file)?
        }
        Format::Gguf | Format::Bundle => unreachable!("they bring their sizes, and are opened with them"),
    };
    Ok((file, sizes))
}

/// The TensorFlow checkpoint of a folder: the one that its file `checkpoint` names, or the only one.
fn newest_bundle(folder: &Path) -> Result<PathBuf, WeightsError> {
    let is_there = |prefix: &Path| {
        let mut index = prefix.as_os_str().to_owned();
        index.push(".index");
        Path::new(&index).is_file()
    };
    let text = std::fs::read_to_string(folder.join("checkpoint")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("model_checkpoint_path:"));
    if let Some(name) = line.map(|line| line.trim().trim_matches('"')) {
        // The path may be that of another machine; the file lies beside.
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let prefix = folder.join(name);
        if !is_there(&prefix) {
            let problem =
                format!("its file 'checkpoint' names {name}, and there is no {name}.index; copy that file too");
            return Err(WeightsError::NotAModel { path: folder.to_owned(), problem });
        }
        return Ok(prefix);
    }
    let usual = folder.join("model.ckpt");
    if is_there(&usual) {
        return Ok(usual);
    }
    let entries = std::fs::read_dir(folder).map_err(|source| WeightsError::Read { path: folder.to_owned(), source })?;
    let paths = entries.flatten().map(|entry| entry.path());
    let found: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|ending| ending == "index")).collect();
    match &found[..] {
        [only] => Ok(only.with_extension("")),
        _ => Ok(usual),
    }
}

/// Whether a file's output head differs from its token embedding; none if it has no head, or no embedding but that.
fn own_head(file: &dyn Checkpoint) -> Result<Option<bool>, WeightsError> {
    let stored = file.names();
    let find = |wanted: &str| stored.iter().find(|tensor| names::parameter(tensor) == Some(wanted));
    let (Some(head), Some(tokens)) = (find(names::HEAD), find(names::TOKENS)) else { return Ok(None) };
    if file.shape(head) != file.shape(tokens) {
        return Ok(Some(true));
    }
    let (head, tokens) = (file.read(head)?, file.read(tokens)?);
    // By their bits, so that what is no number equals itself.
    Ok(Some(bytemuck::cast_slice::<f32, u32>(&head) != bytemuck::cast_slice::<f32, u32>(&tokens)))
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

/// Sizes from the tensors alone, and from what stands beside them.
fn infer_config(file: &dyn Checkpoint, sizes: &Sizes) -> Result<Option<Gpt2Config>, WeightsError> {
    let stored = file.names();
    let by_name = |wanted: &str| stored.iter().find(|tensor| names::parameter(tensor) == Some(wanted));
    let matrix = |wanted: &str| file.shape(by_name(wanted)?)?.try_into().ok();
    // A tied matrix may stand under either name.
    let (Some([vocab_size, n_embd]), Some([n_positions, _])): (Option<[usize; 2]>, Option<[usize; 2]>) =
        (matrix(names::TOKENS).or_else(|| matrix(names::HEAD)), matrix("wpe.weight"))
    else {
        return Ok(None);
    };
    Ok(Some(Gpt2Config {
        n_layer: names::blocks(stored.iter().map(String::as_str)),
        n_head: sizes.get("n_head").copied().unwrap_or((n_embd / 64).max(1)),
        n_embd,
        n_positions,
        vocab_size,
        tie_word_embeddings: own_head(file)? != Some(true),
        layer_norm_epsilon: 1e-5,
        dropout: 0.0,
    }))
}
