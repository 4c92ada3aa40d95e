//! Writes a model's logits, for comparing them with another program's.
//!
//! Usage: `logits MODEL IDS.json LOGITS.f32`. The ids are rows of equal length, `[[1, 2], [3, 4]]`; the
//! logits come as little-endian `f32`, `[B, T, V]`. `tests/fixtures/compare.py` does the comparison with
//! transformers.

use std::{error::Error, fs, path::Path};

use burn::tensor::Device;
use gptune_model::Packed;
use gptune_weights::ModelFolder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, ids, logits] = &arguments[..] else {
        return Err("usage: logits MODEL IDS.json LOGITS.f32".into());
    };
    let device = Device::flex();
    let (model, _) = ModelFolder::open(Path::new(model))?.load(None, &device)?;
    let ids: Vec<Vec<u32>> = serde_json::from_slice(&fs::read(ids)?)?;
    let rows: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    let values = model.logits(&Packed::new(&rows, false)).into_data().try_to_vec::<f32>()?;
    fs::write(logits, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
    Ok(())
}
