//! Every way in and out for GPT-2 weights.
//!
//! - [`ModelFolder`]: Hugging Face's layout, `config.json` and `model.safetensors`;
//! - [`SafetensorsFile`]: a checkpoint as a source of named tensors, read one at a time;
//! - [`load_model`]: names and shapes checked, every tensor accounted for;
//! - [`save_model`]: a finished folder that `transformers` loads without a warning.
//!
//! The names of tensors are decided in one place, the `names` module.

mod error;
mod folder;
mod hub_cache;
mod load;
mod names;
mod safetensors_file;
mod save;

pub use error::WeightsError;
pub use folder::{ModelFolder, read_config};
pub use hub_cache::{HUB_NAMES, cached_folder};
pub use load::load_model;
pub use safetensors_file::SafetensorsFile;
pub use save::{Precision, SaveOptions, save_model};
