#![doc = include_str!("../README.md")]
//!
//! # The parts
//!
//! - [`ModelFolder`]: a model on disk in any known format, its configuration read and checked;
//! - [`Checkpoint`]: named tensors, read one at a time: [`SafetensorsFile`], [`Sharded`],
//!   [`PickleFile`] (PyTorch), [`BundleFile`] (TensorFlow), [`GgufGpt2`] (llama.cpp);
//! - [`load_model`]: names and shapes checked, every tensor accounted for;
//! - [`save_model`]: a finished folder that `transformers` loads without a warning; [`save_book`]: a file for
//!   the book's own model; [`save_gguf`]: one for llama.cpp.
//!
//! The names of tensors are decided in the modules `names`, `book`, `openai` and `gguf::names`. Files are mapped
//! into memory and must not change while they are open.

mod book;
mod checkpoint;
mod contents;
mod error;
mod export;
mod folder;
mod gguf;
mod load;
mod names;
mod nano_gpt;
mod openai;
mod pickle;
mod safetensors_file;
mod save;
mod sharded;
mod special;
mod tensor_bundle;
mod unwrapped;
mod wrong_kind;

pub use checkpoint::Checkpoint;
pub use error::WeightsError;
pub use export::{save_book, save_gguf};
pub use folder::{ModelFolder, WEIGHT_FILES, check_config, read_config};
pub use gguf::{
    GgufArray, GgufError, GgufFile, GgufGpt2, GgufModel, GgufPrecision, GgufSizes, GgufTokenizer, GgufValue,
    open_if_gguf, write_gguf,
};
pub use load::{LoadOptions, load_model};
pub use openai::{Hparams, hugging_face};
pub use pickle::{PickleError, PickleFile, PthWriter, write_pth};
pub use safetensors_file::SafetensorsFile;
pub use save::{Precision, SaveOptions, save_model};
pub use sharded::{Sharded, shards};
pub use special::SpecialTokens;
pub use tensor_bundle::{BundleError, BundleFile};
