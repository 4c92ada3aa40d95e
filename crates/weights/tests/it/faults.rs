//! Damaged files: each is an error that names what is wrong, and where.

use std::{fs, path::Path};

use burn::{
    module::Param,
    tensor::{Device, Tensor},
};
use gptune_weights::{ModelFolder, Precision, SaveOptions, save_model};
use safetensors::{Dtype, tensor::TensorView};

use crate::fixture;

/// A copy of a fixture with a change, and the error that loading it gives.
fn error_after(name: &str, change: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(fixture(name).join(file), folder.path().join(file)).unwrap();
    }
    change(folder.path());
    let loaded = ModelFolder::open(folder.path()).and_then(|folder| folder.load(None, &Device::flex()));
    loaded.map(|_| ()).unwrap_err().to_string()
}

/// The error after the tensors of "tied" were edited: each is dropped, renamed, or reshaped by
/// `edit`.
fn error_after_edit(edit: impl Fn(&str, Vec<usize>, Dtype) -> Option<(String, Vec<usize>, Dtype)>) -> String {
    error_after("tied", |folder| {
        let path = folder.join("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let edited = file.iter().filter_map(|(name, view)| {
            let (name, shape, dtype) = edit(name, view.shape().to_vec(), view.dtype())?;
            Some((name, TensorView::new(dtype, shape, view.data()).unwrap()))
        });
        let edited: Vec<_> = edited.collect();
        safetensors::serialize_to_file(edited, None, &path.with_extension("new")).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    })
}

fn edit_config(folder: &Path, from: &str, to: &str) {
    let path = folder.join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn tensors_are_accounted_for() {
    let error = error_after_edit(|name, shape, dtype| {
        (name != "transformer.h.1.mlp.c_fc.bias").then(|| (name.to_owned(), shape, dtype))
    });
    assert!(error.contains("has no tensor 'transformer.h.1.mlp.c_fc.bias'"), "{error}");

    let error = error_after_edit(|name, shape, dtype| Some((name.replace("h.1.ln_1", "h.7.ln_1"), shape, dtype)));
    assert!(
        error.contains("tensor 'transformer.h.7.ln_1.") && error.contains("with 2 blocks does not have"),
        "{error}"
    );

    let error = error_after_edit(|name, mut shape, dtype| {
        if name.ends_with("h.0.attn.c_attn.weight") {
            shape.reverse();
        }
        Some((name.to_owned(), shape, dtype))
    });
    assert!(
        error.contains("'transformer.h.0.attn.c_attn.weight' has shape [72, 24]") && error.contains("[24, 72]"),
        "{error}"
    );

    let error = error_after_edit(|name, shape, dtype| {
        let dtype = if name.ends_with("ln_f.bias") { Dtype::I32 } else { dtype };
        Some((name.to_owned(), shape, dtype))
    });
    assert!(error.contains("ln_f.bias' holds I32"), "{error}");

    // A second 'ln_f.bias' under its other name, in place of another tensor of the same shape.
    let error = error_after_edit(|name, shape, dtype| {
        let name = if name.ends_with("ln_f.weight") { "ln_f.bias" } else { name };
        Some((name.to_owned(), shape, dtype))
    });
    assert!(error.contains("'ln_f.bias' and 'transformer.ln_f.bias' for one parameter"), "{error}");
}

#[test]
fn damaged_files_are_refused() {
    let cut = |folder: &Path| {
        let path = folder.join("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() - 1000]).unwrap();
    };
    let error = error_after("tied", cut);
    assert!(error.contains("is 70400 bytes long and its header promises 71400"), "{error}");

    let error = error_after("tied", |folder| fs::write(folder.join("model.safetensors"), "").unwrap());
    assert!(error.contains("is empty"), "{error}");
    for junk in [&b"short"[..], b"PK\x03\x04 a zip file, not safetensors", &[255; 64]] {
        let error = error_after("tied", |folder| fs::write(folder.join("model.safetensors"), junk).unwrap());
        assert!(error.contains("not a safetensors file"), "{error}");
    }
    // A plausible length, then no JSON.
    let error = error_after("tied", |folder| {
        let bytes = [&32_u64.to_le_bytes()[..], &[b'x'; 64]].concat();
        fs::write(folder.join("model.safetensors"), bytes).unwrap();
    });
    assert!(error.contains("header is damaged"), "{error}");
    // A header that promises more than there is.
    let error = error_after("tied", |folder| {
        let bytes = [&5000_u64.to_le_bytes()[..], b"{}"].concat();
        fs::write(folder.join("model.safetensors"), bytes).unwrap();
    });
    assert!(error.contains("promises 5008"), "{error}");
}

#[test]
fn other_models_and_impossible_sizes_are_refused() {
    let error = error_after("tied", |folder| edit_config(folder, "\"gpt2\"", "\"llama\""));
    assert!(error.contains("model_type is 'llama'"), "{error}");
    let error = error_after("tied", |folder| edit_config(folder, "\"n_head\": 3", "\"n_head\": 5"));
    assert!(error.contains("n_embd = 24 is not a multiple of n_head = 5"), "{error}");
    let error = error_after("tied", |folder| edit_config(folder, "\"gelu_new\"", "\"relu\""));
    assert!(error.contains("'activation_function' is \"relu\""), "{error}");
    let error = error_after("tied", |folder| edit_config(folder, "\"n_layer\": 2", "\"n_layer\": \"two\""));
    assert!(error.contains("'n_layer' is not a whole number"), "{error}");
    // Not taken for absent.
    let tied = "\"tie_word_embeddings\": true";
    let error = error_after("tied", |folder| edit_config(folder, tied, "\"tie_word_embeddings\": \"true\""));
    assert!(error.contains("'tie_word_embeddings' is not a truth value"), "{error}");
    let epsilon = "\"layer_norm_epsilon\": 1e-05";
    let error = error_after("tied", |folder| edit_config(folder, epsilon, "\"layer_norm_epsilon\": \"1e-05\""));
    assert!(error.contains("'layer_norm_epsilon' is not a number"), "{error}");
    let error = error_after("tied", |folder| edit_config(folder, epsilon, "\"layer_norm_epsilon\": -1e-05"));
    assert!(error.contains("layer_norm_epsilon = -0.00001 is not a positive number"), "{error}");
    let error = error_after("tied", |folder| fs::write(folder.join("config.json"), "{").unwrap());
    assert!(error.contains("config.json") && error.contains("not a JSON object"), "{error}");
    let error = error_after("tied", |folder| edit_config(folder, "\"n_layer\": 2", "\"n_layer\": 1000000000000"));
    assert!(error.contains("has no tensor 'transformer.h.2.ln_1.weight'"), "{error}");
    let error =
        error_after("tied", |folder| edit_config(folder, "\"n_layer\": 2", "\"n_layer\": 18446744073709551615"));
    assert!(error.contains("config.json") && error.contains("more than any machine holds"), "{error}");
    // Sizes of another GPT-2: its tensors are of another shape.
    let error = error_after("tied", |folder| edit_config(folder, "\"vocab_size\": 97", "\"vocab_size\": 98"));
    assert!(error.contains("'transformer.wte.weight' has shape [97, 24]") && error.contains("[98, 24]"), "{error}");
}

#[test]
fn missing_files_are_named() {
    let error = error_after("tied", |folder| fs::remove_file(folder.join("config.json")).unwrap());
    assert!(error.contains("no config.json"), "{error}");
    let error = error_after("tied", |folder| fs::remove_file(folder.join("model.safetensors")).unwrap());
    assert!(error.contains("none of model.safetensors"), "{error}");
    let error = ModelFolder::open(Path::new("no/such/model")).unwrap_err().to_string();
    assert!(error.contains("no such file or folder"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let (model, config) = ModelFolder::open(&fixture("tied")).unwrap().load(None, &Device::flex()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let error = save_model(&model, &config, &file.join("model"), SaveOptions::default()).unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("file"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "in the way");
}

#[test]
fn numbers_that_a_type_cannot_hold_are_named() {
    let (mut model, config) = ModelFolder::open(&fixture("tied")).unwrap().load(None, &Device::flex()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut save = |value: f32, precision| {
        model.ln_f.bias = Param::from_tensor(Tensor::full([config.n_embd], value, &Device::flex()));
        save_model(&model, &config, folder.path(), SaveOptions { precision, ..SaveOptions::default() })
    };
    for (value, precision) in [(65_520.0, Precision::F16), (-3.4e38, Precision::BF16)] {
        let error = save(value, precision).unwrap_err().to_string();
        assert!(error.contains("'ln_f.bias' holds") && error.contains("write the model as f32"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    for (value, precision) in [(65_519.0, Precision::F16), (3.38e38, Precision::BF16), (f32::MAX, Precision::F32)] {
        save(value, precision).unwrap();
        let (saved, _) = ModelFolder::open(folder.path()).unwrap().load(None, &Device::flex()).unwrap();
        let bias: Vec<f32> = saved.ln_f.bias.val().into_data().try_to_vec().unwrap();
        assert!(bias.iter().all(|x| x.is_finite()), "{bias:?}");
    }
}

#[test]
fn only_shards_of_the_model_before_are_removed() {
    let (model, config) = ModelFolder::open(&fixture("tied")).unwrap().load(None, &Device::flex()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    for (file, stays) in [("model.safetensors", true), ("notes.txt", true), ("old.safetensors", false)] {
        fs::write(folder.path().join(file), "before").unwrap();
        fs::write(&index, format!("{{\"weight_map\": {{\"wte.weight\": \"{file}\"}}}}")).unwrap();
        save_model(&model, &config, folder.path(), SaveOptions::default()).unwrap();
        assert_eq!((folder.path().join(file).exists(), index.exists()), (stays, false), "{file}");
        ModelFolder::open(folder.path()).unwrap().load(None, &Device::flex()).unwrap();
    }
}
