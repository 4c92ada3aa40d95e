//! One model as many programs save it (`fixtures/wrapped/make.py`), and files that are none.

use std::{collections::BTreeMap, fs, path::Path};

use burn::tensor::Device;
use gptune_model::Gpt2Config;
use gptune_weights::{ModelFolder, SafetensorsFile, SaveOptions, WeightsError, save_book, save_model};
use safetensors::{Dtype, tensor::TensorView};

use crate::fixture;

/// The tensors of a model that was opened and saved again.
fn saved(folder: ModelFolder) -> (BTreeMap<String, Vec<f32>>, Gpt2Config) {
    let (model, config) = folder.load(None, &Device::flex()).unwrap();
    let target = tempfile::tempdir().unwrap();
    save_model(&model, &config, target.path(), SaveOptions::default()).unwrap();
    let file = SafetensorsFile::open(&target.path().join("model.safetensors")).unwrap();
    (file.names().map(|name| (name.to_owned(), file.read(name).unwrap())).collect(), config)
}

fn tied() -> BTreeMap<String, Vec<f32>> {
    saved(ModelFolder::open(&fixture("tied")).unwrap()).0
}

/// A file of the fixtures as a folder's only weights, with the configuration of `tied`.
fn beside_config(file: &str, name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("tied/config.json"), folder.path().join("config.json")).unwrap();
    fs::copy(fixture("wrapped").join(file), folder.path().join(name)).unwrap();
    folder
}

#[test]
fn what_programs_put_around_a_model_is_taken_off() {
    let expected = tied();
    let files = ["nanogpt.pt", "qkv.pth", "qkv_proj.pth", "ddp.bin", "lightning.ckpt", "head_only.safetensors"];
    for file in files {
        let folder = beside_config(file, file);
        let opened = ModelFolder::open(&folder.path().join(file)).unwrap();
        let notes = usize::from(file.starts_with("nanogpt"));
        assert_eq!(opened.notes().len(), notes, "{file}: {:?}", opened.notes());
        let (tensors, config) = saved(opened);
        assert!(config.tie_word_embeddings, "{file}");
        assert!(tensors == expected, "{file}");
    }
}

#[test]
fn older_shards_are_one_model() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("tied/config.json"), folder.path().join("config.json")).unwrap();
    for file in ["pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    {
        fs::copy(fixture("wrapped").join(file), folder.path().join(file)).unwrap();
    }
    assert!(saved(ModelFolder::open(folder.path()).unwrap()).0 == tied());
    let index = folder.path().join("pytorch_model.bin.index.json");
    assert!(saved(ModelFolder::open(&index).unwrap()).0 == tied());
    fs::remove_file(folder.path().join("pytorch_model-00002-of-00002.bin")).unwrap();
    let error = ModelFolder::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("names pytorch_model-00002-of-00002.bin, which is not beside it"), "{error}");
    assert!(!error.contains("safetensors"), "{error}");
}

#[test]
fn nano_gpt_brings_its_sizes() {
    let opened = ModelFolder::open(&fixture("wrapped/nanogpt.pt")).unwrap();
    assert_eq!((opened.config.n_head, opened.config.n_embd, opened.config.n_layer), (3, 24, 2));
    assert!(saved(opened).0 == tied());
    // Without biases all of them are zeros, which add nothing.
    let (tensors, _) = saved(ModelFolder::open(&fixture("wrapped/nanogpt_without_bias.pt")).unwrap());
    for (name, values) in tied() {
        let wanted = if name.rsplit('.').next() == Some("bias") { vec![0.0; values.len()] } else { values };
        assert!(tensors[&name] == wanted, "{name}");
    }
}

/// The model of `tied` with a head of its own in its file, whatever the configuration says.
fn with_head(folder: &Path, head: impl Fn(usize, f32) -> f32) {
    let bytes = fs::read(fixture("tied/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tokens = file.tensor("transformer.wte.weight").unwrap();
    let numbers = tokens.data().chunks_exact(4).map(|raw| f32::from_le_bytes(raw.try_into().unwrap()));
    let head: Vec<u8> = numbers.enumerate().flat_map(|(index, x)| head(index, x).to_le_bytes()).collect();
    let head = TensorView::new(Dtype::F32, tokens.shape().to_vec(), &head).unwrap();
    let tensors: Vec<_> = file.iter().chain([("lm_head.weight", head)]).collect();
    safetensors::serialize_to_file(tensors, None, &folder.join("model.safetensors")).unwrap();
    fs::copy(fixture("tied/config.json"), folder.join("config.json")).unwrap();
}

/// The model of `tied` with further tensors, under names that `rename` makes of some.
fn with_twins(folder: &Path, rename: impl Fn(&str) -> Option<String>) {
    let bytes = fs::read(fixture("tied/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let twins: Vec<_> = file.iter().filter_map(|(name, tensor)| Some((rename(name)?, tensor))).collect();
    let tensors: Vec<_> = file.iter().map(|(name, tensor)| (name.to_owned(), tensor)).chain(twins).collect();
    safetensors::serialize_to_file(tensors, None, &folder.join("model.safetensors")).unwrap();
    fs::copy(fixture("tied/config.json"), folder.join("config.json")).unwrap();
}

#[test]
fn two_tensors_of_one_parameter_are_refused() {
    for wrapper in ["module.", "_orig_mod.", "model.", "module._orig_mod."] {
        let folder = tempfile::tempdir().unwrap();
        with_twins(folder.path(), |name| name.ends_with("wte.weight").then(|| format!("{wrapper}{name}")));
        let error = ModelFolder::open(folder.path()).unwrap_err();
        assert!(matches!(error, WeightsError::Twice { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains(&format!("'{wrapper}transformer.wte.weight'")), "{error}");
        assert!(error.contains("'transformer.wte.weight'"), "{error}");
    }
}

#[test]
fn a_vocabulary_of_another_size_is_the_configurations_fault() {
    let folder = tempfile::tempdir().unwrap();
    with_twins(folder.path(), |_| None);
    let path = folder.path().join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let rows = config["vocab_size"].as_u64().unwrap();
    config["vocab_size"] = (rows - 1).into();
    fs::write(&path, config.to_string()).unwrap();
    let error = ModelFolder::open(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("'transformer.wte.weight' has shape") && error.contains("the configuration asks"),
        "{error}"
    );
}

#[test]
fn a_head_that_differs_is_used_whatever_the_configuration_says() {
    let folder = tempfile::tempdir().unwrap();
    with_head(folder.path(), |index, x| if index == 50 { x + 0.25 } else { x });
    let opened = ModelFolder::open(folder.path()).unwrap();
    assert!(!opened.config.tie_word_embeddings);
    assert!(opened.notes()[0].contains("'lm_head.weight', that differs"), "{:?}", opened.notes());
    let (tensors, _) = saved(opened);
    assert_eq!(tensors["lm_head.weight"][50], tensors["transformer.wte.weight"][50] + 0.25);
    // One that does not is the embedding once more.
    with_head(folder.path(), |_, x| x);
    let opened = ModelFolder::open(folder.path()).unwrap();
    assert!(opened.config.tie_word_embeddings && opened.notes().is_empty());
}

#[test]
fn a_book_file_is_tied_only_if_its_head_is_the_embedding() {
    let (model, config) = ModelFolder::open(&fixture("tied")).unwrap().load(None, &Device::flex()).unwrap();
    let (untied, _) = ModelFolder::open(&fixture("tied")).unwrap().load(Some(false), &Device::flex()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("tied/config.json"), folder.path().join("config.json")).unwrap();
    let path = folder.path().join("model.pth");
    save_book(&model, &path).unwrap();
    let opened = ModelFolder::open(&path).unwrap();
    assert_eq!((&opened.config, opened.notes().len()), (&config, 0));
    assert!(saved(opened).0 == tied());
    // A copy of the embedding that training has not touched yet is no head of its own either.
    save_book(&untied, &path).unwrap();
    assert!(ModelFolder::open(&path).unwrap().config.tie_word_embeddings);
    let with_own_head = tempfile::tempdir().unwrap();
    with_head(with_own_head.path(), |_, x| -x);
    let (other, _) = ModelFolder::open(with_own_head.path()).unwrap().load(None, &Device::flex()).unwrap();
    save_book(&other, &path).unwrap();
    let opened = ModelFolder::open(&path).unwrap();
    assert!(!opened.config.tie_word_embeddings && opened.notes()[0].contains("'out_head.weight'"));
}

#[test]
fn numbers_that_are_not_finite_are_refused_by_their_tensor() {
    let damaged = |name: &str, value: f32| {
        let folder = tempfile::tempdir().unwrap();
        let bytes = fs::read(fixture("tied/model.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let data: Vec<(String, Vec<usize>, Vec<u8>)> = file
            .iter()
            .map(|(found, view)| {
                let mut data = view.data().to_vec();
                if found == name {
                    data[8..12].copy_from_slice(&value.to_le_bytes());
                }
                (found.to_owned(), view.shape().to_vec(), data)
            })
            .collect();
        let tensors =
            data.iter().map(|(name, shape, data)| (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
        safetensors::serialize_to_file(tensors, None, &folder.path().join("model.safetensors")).unwrap();
        fs::copy(fixture("tied/config.json"), folder.path().join("config.json")).unwrap();
        folder
    };
    for (name, value) in [
        ("transformer.h.1.mlp.c_fc.weight", f32::NAN),
        ("transformer.wte.weight", f32::INFINITY),
        ("transformer.ln_f.bias", f32::NEG_INFINITY),
    ] {
        let folder = damaged(name, value);
        let error = ModelFolder::open(folder.path()).unwrap().load(None, &Device::flex()).unwrap_err().to_string();
        assert!(error.contains(&format!("tensor '{name}' holds numbers that are not finite (1 of ")), "{error}");
        let opened = ModelFolder::open(folder.path()).unwrap().allowing_nonfinite(true);
        let (model, _) = opened.load(None, &Device::flex()).unwrap();
        // In the file's own naming.
        let path = folder.path().join("book.pth");
        save_book(&model, &path).unwrap();
        let error = ModelFolder::open(&path).unwrap().load(None, &Device::flex()).unwrap_err().to_string();
        let own = [("mlp.c_fc", "ff.layers.0"), ("wte", "tok_emb"), ("ln_f", "final_norm")];
        let (_, own) = own.into_iter().find(|(hf, _)| name.contains(hf)).unwrap();
        assert!(error.contains(own), "{error}");
    }
}

#[test]
fn a_tensorflow_checkpoint_may_have_any_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let from = fixture("tensor_bundle");
    fs::copy(from.join("hparams.json"), folder.path().join("hparams.json")).unwrap();
    for ending in ["index", "data-00000-of-00001"] {
        fs::copy(from.join(format!("whole.ckpt.{ending}")), folder.path().join(format!("model-1000.{ending}")))
            .unwrap();
    }
    let layers = |path: &Path| ModelFolder::open(path).map(|opened| opened.config.n_layer);
    assert_eq!(layers(folder.path()).unwrap(), 2, "the only index");
    assert_eq!(layers(&folder.path().join("model-1000.index")).unwrap(), 2, "the index itself");
    fs::write(folder.path().join("checkpoint"), "model_checkpoint_path: \"/elsewhere/model-1000\"\n").unwrap();
    fs::write(folder.path().join("model-999.index"), "damaged").unwrap();
    assert_eq!(layers(folder.path()).unwrap(), 2, "the one that is named");
    fs::write(folder.path().join("checkpoint"), "model_checkpoint_path: \"model-7\"\n").unwrap();
    let error = layers(folder.path()).unwrap_err().to_string();
    assert!(error.contains("names model-7"), "{error}");
}

#[test]
fn files_of_the_wrong_kind_are_named_as_what_they_are() {
    let of = |path: &Path| ModelFolder::open(path).unwrap_err().to_string();
    assert!(
        of(&fixture("wrapped/pytorch_model-00001-of-00002.bin")).contains("is part 1 of 2 of a model; give the folder")
    );
    assert!(of(&fixture("tied/config.json")).contains("is a model's configuration, not its weights"));
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 5\n";
    assert!(of(&write("a.safetensors", pointer)).contains("is a Git LFS pointer"));
    assert!(of(&write("a.pth", "<!DOCTYPE html>")).contains("is a web page"));
    assert!(of(&write("a.gguf", "")).contains("is empty"));
    assert!(of(&write("optimizer.pt", "x")).contains("state of a training run"));
    assert!(of(&write("adapter_model.safetensors", "x")).contains("is an adapter"));
    // In a folder too.
    fs::copy(fixture("tied/config.json"), folder.path().join("config.json")).unwrap();
    write("model.safetensors", pointer);
    assert!(of(folder.path()).contains("model.safetensors is a Git LFS pointer"));
}

#[test]
fn the_folder_of_a_run_stands_for_its_model() {
    let run = tempfile::tempdir().unwrap();
    fs::write(run.path().join("config.toml"), "").unwrap();
    fs::create_dir(run.path().join("model")).unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(fixture("tied").join(file), run.path().join("model").join(file)).unwrap();
    }
    let opened = ModelFolder::open(run.path()).unwrap();
    assert!(opened.notes()[0].contains("is a run; its model is"), "{:?}", opened.notes());
    assert!(saved(opened).0 == tied());
}

#[test]
fn missing_tensors_are_named_as_the_file_would_have_them() {
    let bytes = fs::read(fixture("tied/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("tied/config.json"), folder.path().join("config.json")).unwrap();
    let some: Vec<_> = file
        .iter()
        .filter(|(name, _)| !name.ends_with("ln_f.weight"))
        .map(|(name, view)| (format!("module._orig_mod.{name}"), view))
        .collect();
    safetensors::serialize_to_file(some, None, &folder.path().join("model.safetensors")).unwrap();
    let error = ModelFolder::open(folder.path()).unwrap().load(None, &Device::flex()).unwrap_err().to_string();
    assert!(error.contains("has no tensor 'module._orig_mod.transformer.ln_f.weight'"), "{error}");
    assert!(!error.contains("config.json"), "it is not the configuration's fault: {error}");
}

#[test]
fn a_configuration_of_another_model_is_not_written() {
    let (model, config) = ModelFolder::open(&fixture("tied")).unwrap().load(None, &Device::flex()).unwrap();
    let error = |change: fn(&mut Gpt2Config)| {
        let mut other = config.clone();
        change(&mut other);
        let folder = tempfile::tempdir().unwrap();
        let error = save_model(&model, &other, &folder.path().join("new"), SaveOptions::default()).unwrap_err();
        assert!(matches!(error, WeightsError::Contradiction { .. }), "{error}");
        assert!(!folder.path().join("new").exists(), "nothing is written");
        error.to_string()
    };
    assert!(error(|config| config.tie_word_embeddings = false).contains("'tie_word_embeddings' says that it has one"));
    assert!(error(|config| config.n_positions += 1).contains("'wpe.weight' has shape"));
    assert!(error(|config| config.n_layer = 1).contains("n_layer = 1"));
    assert!(error(|config| config.n_layer = 3).contains("has no 'h.2."));
    let (untied, _) = ModelFolder::open(&fixture("tied")).unwrap().load(Some(false), &Device::flex()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = save_model(&untied, &config, folder.path(), SaveOptions::default()).unwrap_err().to_string();
    assert!(error.contains("a head of its own"), "{error}");
}
