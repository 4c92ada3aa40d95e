//! GGUF, the format of llama.cpp.
//!
//! - [`GgufFile`]: any GGUF file of version 2 or 3, its metadata, and tensors read one at a time;
//! - [`GgufGpt2`]: a GPT-2 in such a file under Hugging Face's names and in its layouts;
//! - [`write_gguf`]: a GPT-2 for llama.cpp, written one tensor at a time.
//!
//! A file is a header, metadata (pairs of a key and a value with its type), an index of tensors, and
//! the tensors, each on a multiple of an alignment. All numbers are little-endian.

mod cursor;
mod error;
mod gpt2;
mod index;
mod metadata;
mod names;
mod precision;
mod read;
mod tensor_type;
mod tokenizer;
mod value;
mod write;

pub(crate) use names::parameters as all_parameters;

pub use error::GgufError;
pub use gpt2::{GgufGpt2, GgufSizes};
pub use precision::GgufPrecision;
pub use read::GgufFile;
pub use tokenizer::{GgufTokenizer, open_if_gguf};
pub use value::{GgufArray, GgufValue};
pub use write::{GgufModel, write_gguf};

/// Key of the prompt style that gptune remembers.
const PROMPT_STYLE: &str = "gptune.prompt_style";
/// The text of a template that is not built in, as gptune writes it.
const TEMPLATE: &str = "gptune.template";
/// Key of whether text that reads like an added token became that token in training.
const SPECIAL_TOKENS: &str = "gptune.special_tokens";
/// What a file starts with.
const MAGIC: &[u8; 4] = b"GGUF";
/// The version that is written.
const VERSION: u32 = 3;
/// Tensors start on multiples of this many bytes, unless `general.alignment` says otherwise.
const ALIGNMENT: usize = 32;

// Numbers of the types of metadata values, as far as they have to be known by name.
const TYPE_U32: u32 = 4;
const TYPE_I32: u32 = 5;
const TYPE_F32: u32 = 6;
const TYPE_BOOL: u32 = 7;
const TYPE_STRING: u32 = 8;
const TYPE_ARRAY: u32 = 9;
