use std::path::PathBuf;

/// What can be wrong with a checkpoint of `torch.save`.
///
/// Every message is one sentence that names the file, the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum PickleError {
    /// The file could not be opened or read.
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("{path} is not a checkpoint of torch.save: {problem}; give a .pth, .pt or pytorch_model.bin file")]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// The file was cut or changed.
    #[error("{path} is damaged at byte {offset}: {problem}; fetch or save it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, in bytes from the file's start.
        offset: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The pickle asks for a class or function that a table of weights does not need.
    #[error(
        "{path} asks for class `{class}` at byte {offset}, which weights do not need and which was not run; \
         save the model's state_dict() alone, and be wary of the file if it is not your own"
    )]
    Class {
        /// The file.
        path: PathBuf,
        /// Where, in bytes from the file's start.
        offset: usize,
        /// Its full name.
        class: String,
    },
    /// A sound file of a kind that is not read.
    #[error("{path} {problem}; save it again with torch.save and its defaults")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What is unusual about it.
        problem: String,
    },
    /// A checkpoint of something else than tensors by name.
    #[error(
        "{path} holds no state dict: {problem}; a dictionary of tensors is understood, by itself or under the key \
         'model_state_dict', 'state_dict' or 'model'"
    )]
    NoStateDict {
        /// The file.
        path: PathBuf,
        /// What it holds instead.
        problem: String,
    },
    /// There is no tensor of that name.
    #[error("{path} has no tensor '{name}'")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
    },
    /// A tensor that does not fit the numbers in the file.
    #[error("{path}: tensor '{name}' {problem}")]
    Tensor {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A tensor of numbers that are no weights.
    #[error("{path}: tensor '{name}' holds {dtype}; weights have to be float32, float16, bfloat16 or float64")]
    DType {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// PyTorch's name of the type in the file.
        dtype: &'static str,
    },
}
