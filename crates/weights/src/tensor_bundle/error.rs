use std::path::PathBuf;

/// What can be wrong with a TensorFlow checkpoint.
///
/// Every message is one sentence that names the file, the tensor and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file could not be opened or read.
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file does not end like the index of a bundle.
    #[error(
        "{path} is not a checkpoint's index, or was cut: it does not end with the footer of a table; fetch it again"
    )]
    NotAnIndex {
        /// The file.
        path: PathBuf,
    },
    /// The index contradicts itself or its checksums.
    #[error("{path} is damaged in the block at byte {offset}: {problem}; fetch it again")]
    Damaged {
        /// The index.
        path: PathBuf,
        /// Where the block starts.
        offset: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A bundle that TensorFlow reads and this program does not.
    #[error("{path} cannot be read: {problem}; save the checkpoint again with TensorFlow 2 on a little-endian machine")]
    Unsupported {
        /// The index.
        path: PathBuf,
        /// What is not understood.
        problem: String,
    },
    /// A data file that the index counts is not there.
    #[error("{path} is missing: the checkpoint has {shards} data files, and all have to lie beside its index")]
    MissingShard {
        /// The data file.
        path: PathBuf,
        /// How many there have to be.
        shards: usize,
    },
    /// A data file ends before a tensor does.
    #[error(
        "{path} is {actual} bytes long and tensor '{name}' ends at byte {expected}: the file was cut; fetch it again"
    )]
    Truncated {
        /// The data file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Bytes up to the tensor's end.
        expected: usize,
        /// Bytes there are.
        actual: usize,
    },
    /// The bytes of a tensor are not those that were saved.
    #[error(
        "{path}: tensor '{name}' at byte {offset} has the checksum {actual:08x} and its index says {expected:08x}: \
         the file is damaged; fetch it again"
    )]
    Checksum {
        /// The data file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Where the tensor starts.
        offset: usize,
        /// CRC32C in the index.
        expected: u32,
        /// CRC32C of the bytes.
        actual: u32,
    },
    /// There is no tensor of this name.
    #[error("{path} has no tensor '{name}'; is it the checkpoint of another model?")]
    Missing {
        /// The checkpoint.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
    },
    /// A tensor that is stored in parts.
    #[error("{path}: tensor '{name}' is stored in slices; save the checkpoint again without a partitioner")]
    Sliced {
        /// The checkpoint.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
    },
    /// A tensor of numbers that are no weights.
    #[error("{path}: tensor '{name}' holds {dtype}; weights have to be float32, float16, bfloat16 or float64")]
    DType {
        /// The checkpoint.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Type in the index.
        dtype: String,
    },
    /// `hparams.json` does not give the sizes of a model.
    #[error("{path} does not hold the sizes of a GPT-2 ({source}); fetch it again")]
    Hparams {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}
