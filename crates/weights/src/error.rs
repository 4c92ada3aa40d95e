use std::path::PathBuf;

use gptune_model::ConfigError;

use crate::{BundleError, GgufError, PickleError};

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
    #[error("{path} has no tensor '{name}', which a GPT-2 with {layers} blocks needs; is config.json the file's own?")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Blocks of the model.
        layers: usize,
    },
    /// A tensor that no GPT-2 of this configuration has.
    #[error(
        "{path} has a tensor '{name}' that a GPT-2 of this configuration does not know; is config.json the file's own?"
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
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
