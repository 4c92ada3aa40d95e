use std::path::PathBuf;

/// What can be wrong with a GGUF file, or with a model that is to become one.
///
/// Every message is one sentence that names the file, the tensor or the byte, and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The file could not be opened or mapped.
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file could not be written.
    #[error("cannot write {path}: {source}; check the folder's permissions and the free space")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file does not start like a GGUF file of a known version.
    #[error("{path} is not a GGUF file of version 2 or 3: {problem}; fetch it again or give another file")]
    NotGguf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The metadata or the index of tensors contradicts itself or the file.
    #[error("{path} is damaged at byte {offset}: {problem}; fetch it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        offset: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The file is shorter than its index says.
    #[error("{path} is {actual} bytes long and its index promises {expected}: the file was cut; fetch it again")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that the index promises.
        expected: u64,
        /// Bytes there are.
        actual: u64,
    },
    /// The file describes another model, or none.
    #[error("{path} does not describe a GPT-2: {problem}; give a file of the architecture 'gpt2'")]
    NotGpt2 {
        /// The file.
        path: PathBuf,
        /// What is missing or wrong.
        problem: String,
    },
    /// A tensor that is not there.
    #[error("{path} has no tensor '{name}'; is it a file of this model?")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
    },
    /// A tensor of a type that cannot be read as weights.
    #[error("{path}: tensor '{name}' holds {dtype}; weights have to be F32, F16, BF16, F64 or Q8_0")]
    DType {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Type in the file.
        dtype: &'static str,
    },
    /// A model that cannot be written.
    #[error("cannot write {path}: {problem}")]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with the model, and what to do.
        problem: String,
    },
    /// A parameter of another length than the sizes of its model give it.
    #[error("cannot write {path}: parameter '{name}' has {actual} numbers and the model's sizes ask for {expected}")]
    Length {
        /// The file.
        path: PathBuf,
        /// Name of the parameter.
        name: String,
        /// Numbers that the sizes ask for.
        expected: usize,
        /// Numbers there are.
        actual: usize,
    },
    /// A number that would come back as infinity or as no number at all.
    #[error("cannot write {path}: parameter '{name}' holds {value}, which {dtype} cannot hold; write the model as F32")]
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
    /// The tokenizer in a file cannot be used.
    #[error("{path} cannot be used with its own tokenizer: {problem}; export it from a model folder again")]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What about it.
        problem: String,
    },
}
