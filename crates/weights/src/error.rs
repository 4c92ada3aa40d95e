use std::path::PathBuf;

use gptune_model::ConfigError;

use crate::{BundleError, Checkpoint, GgufError, PickleError};

/// What can be wrong with a checkpoint.
///
/// Every message is one sentence that names the file, the tensor and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// A file could not be opened or read.
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}; check the folder's permissions and the free space")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The path holds no model.
    #[error(
        "{path} is not a model: {problem}; give a folder with config.json and model.safetensors, OpenAI's folder with hparams.json, or a file of weights (.safetensors, .pth, .bin, .gguf)"
    )]
    NotAModel {
        /// The path.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// `config.json` does not describe a GPT-2.
    #[error("{path} does not describe a GPT-2: {problem}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// `config.json` describes a GPT-2 that cannot exist.
    #[error("{path}: {source}")]
    Impossible {
        /// The file.
        path: PathBuf,
        /// Which sizes contradict each other.
        source: ConfigError,
    },
    /// The file does not start like safetensors.
    #[error("{path} is not a safetensors file: {problem}; fetch it again or give another file")]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The index of a model in parts does not lead to them.
    #[error("{path} cannot be followed: {problem}")]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The file is shorter or longer than its header says.
    #[error(
        "{path} is {actual} bytes long and its header promises {expected}: the file was cut or damaged; fetch it again"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that the header promises.
        expected: u64,
        /// Bytes there are.
        actual: u64,
    },
    /// A tensor that the model needs is not there.
    #[error("{path} has no tensor '{name}', which {needs}; it has {found}{hint}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Name of the tensor, as the file would have it.
        name: String,
        /// What needs it.
        needs: String,
        /// Some of the tensors that are there.
        found: String,
        /// What to look at, where something can be the cause.
        hint: &'static str,
    },
    /// A tensor that no GPT-2 of this configuration has.
    #[error("{path} has a tensor '{name}' that a GPT-2 {of} does not have{hint}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Name of the tensor, as the file has it.
        name: String,
        /// Of which configuration.
        of: String,
        /// What to look at, where something can be the cause.
        hint: &'static str,
    },
    /// Numbers that are not finite.
    #[error(
        "{path}: tensor '{name}' holds numbers that are not finite ({count} of {total}); the model is damaged, give another \
         one"
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Name of the tensor, as the file has it.
        name: String,
        /// How many of its numbers.
        count: usize,
        /// How many it has.
        total: usize,
    },
    /// The file is something else than weights.
    #[error("{path} is {what}")]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// What it is, and what to give.
        what: String,
    },
    /// A model and a configuration that do not belong together.
    #[error("cannot write {path}: the model and its configuration contradict each other: {problem}")]
    Contradiction {
        /// The folder.
        path: PathBuf,
        /// In what.
        problem: String,
    },
    /// A tensor of another shape.
    #[error("{path}: tensor '{name}' has shape {actual:?} and the configuration asks for {expected:?}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Shape that the configuration asks for.
        expected: Vec<usize>,
        /// Shape in the file.
        actual: Vec<usize>,
    },
    /// A tensor of numbers that are no weights.
    #[error("{path}: tensor '{name}' holds {dtype}; weights have to be floats")]
    DType {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Type in the file.
        dtype: String,
    },
    /// A checkpoint of `torch.save` is damaged or asks for what it should not.
    #[error(transparent)]
    Pickle(#[from] PickleError),
    /// A TensorFlow checkpoint is damaged.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A GGUF file is damaged, or a model does not fit into one.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// Two tensors that are the same parameter.
    #[error("{path} has the tensors '{first}' and '{second}' for one parameter; remove one of them")]
    Twice {
        /// The file.
        path: PathBuf,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A number that would come back as infinity.
    #[error("cannot write {path}: parameter '{name}' holds {value}, which {dtype} cannot hold; write the model as f32")]
    Range {
        /// The file.
        path: PathBuf,
        /// Name of the parameter.
        name: String,
        /// The number.
        value: f32,
        /// The type it was to be stored in.
        dtype: &'static str,
    },
}

impl WeightsError {
    /// A tensor that is asked for and is not there.
    pub(crate) fn missing(file: &dyn Checkpoint, name: &str) -> Self {
        Self::Missing {
            path: file.path().to_owned(),
            name: file.own_name(name),
            needs: "was asked for".to_owned(),
            found: found(file),
            hint: "",
        }
    }
}

/// Some of the tensors of a file by their own names, for messages.
pub(crate) fn found(file: &dyn Checkpoint) -> String {
    let names = file.names();
    let mut shown: Vec<String> =
        names.iter().take(4).map(|name| format!("'{}'", file.own_name(name).escape_debug())).collect();
    match names.len() {
        0 => "none at all".to_owned(),
        count if count > 4 => {
            shown.push(format!("and {} more", count - 4));
            shown.join(", ")
        }
        _ => shown.join(", "),
    }
}
