use std::collections::BTreeMap;

use burn::tensor::Device;
use gptune_weights::{ModelFolder, Precision, SafetensorsFile, SaveOptions, save_model};

use crate::fixture;

fn tensors(path: &std::path::Path) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let file = SafetensorsFile::open(path).unwrap();
    let names: Vec<String> = file.names().map(str::to_owned).collect();
    let tensor = |name: String| {
        let shape = file.shape(&name).unwrap().to_owned();
        let values = file.read(&name).unwrap();
        (name, (shape, values))
    };
    names.into_iter().map(tensor).collect()
}

/// What transformers wrote comes back under the same names, in the same shapes, bit by bit.
#[test]
fn transformers_files_come_back_bit_by_bit() {
    for name in ["tied", "untied"] {
        let (model, config) = ModelFolder::open(&fixture(name)).unwrap().load(None, &Device::flex()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new/model");
        save_model(&model, &config, &out, SaveOptions::default()).unwrap();
        let (got, want) = (tensors(&out.join("model.safetensors")), tensors(&fixture(name).join("model.safetensors")));
        assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>(), "{name}");
        assert!(got == want, "{name}: numbers differ");
        assert_eq!(ModelFolder::open(&out).unwrap().config, config);
        let files: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files.len(), 3, "no temporary file is left: {files:?}");
    }
}

#[test]
fn half_precision_is_rounded_once() {
    let (model, config) = ModelFolder::open(&fixture("tied")).unwrap().load(None, &Device::flex()).unwrap();
    let exact = tensors(&fixture("tied/model.safetensors"));
    for (precision, relative) in [(Precision::F16, 1.0 / 2048.0), (Precision::BF16, 1.0 / 256.0)] {
        let folder = tempfile::tempdir().unwrap();
        save_model(&model, &config, folder.path(), SaveOptions { precision, ..SaveOptions::default() }).unwrap();
        let rounded = tensors(&folder.path().join("model.safetensors"));
        let pairs = exact.iter().flat_map(|(name, (_, values))| values.iter().zip(&rounded[name].1));
        for (exact, rounded) in pairs {
            assert!((exact - rounded).abs() <= relative * exact.abs() + 6e-8, "{precision:?}: {exact} {rounded}");
        }
    }
}

#[test]
fn every_type_of_float_is_read_as_torch_reads_it() {
    let want: BTreeMap<String, Vec<i32>> = serde_json::from_str(include_str!("../fixtures/floats.json")).unwrap();
    let file = SafetensorsFile::open(&fixture("floats.safetensors")).unwrap();
    assert_eq!((want.len(), file.names().count()), (6, 6));
    for (name, want) in want {
        let got: Vec<i32> = file.read(&name).unwrap().iter().map(|value| value.to_bits().cast_signed()).collect();
        assert_eq!(got, want, "{name}");
    }
}
