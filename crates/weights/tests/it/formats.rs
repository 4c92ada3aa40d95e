//! Models of every format, opened, loaded, written and opened again.

use std::{collections::BTreeMap, fs, path::Path};

use burn::tensor::Device;
use gptune_model::{Gpt2, Gpt2Config};
use gptune_weights::{
    BundleFile, Checkpoint, GgufModel, GgufPrecision, GgufSizes, ModelFolder, PickleFile, PthWriter, SafetensorsFile,
    SaveOptions, Sharded, save_book, save_gguf, save_model,
};

use crate::fixture;

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn tensors(checkpoint: &dyn Checkpoint) -> Tensors {
    let names = checkpoint.names();
    let tensor = |name: String| {
        let (shape, values) = (checkpoint.shape(&name).unwrap(), checkpoint.read(&name).unwrap());
        (name, (shape, values))
    };
    names.into_iter().map(tensor).collect()
}

/// The tensors that a model is saved as in Hugging Face's layout, and opened from again.
fn saved(model: &Gpt2, opened: &Gpt2Config) -> Tensors {
    let folder = tempfile::tempdir().unwrap();
    save_model(model, opened, folder.path(), SaveOptions::default()).unwrap();
    let first = tensors(&SafetensorsFile::open(&folder.path().join("model.safetensors")).unwrap());
    let (again, config) = ModelFolder::open(folder.path()).unwrap().load(None, &Device::flex()).unwrap();
    assert_eq!(&config, opened);
    let folder = tempfile::tempdir().unwrap();
    save_model(&again, &config, folder.path(), SaveOptions::default()).unwrap();
    let second = tensors(&SafetensorsFile::open(&folder.path().join("model.safetensors")).unwrap());
    assert!(first == second, "a round trip changes nothing");
    first
}

#[test]
fn openais_release_becomes_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let from = fixture("tensor_bundle");
    fs::copy(from.join("hparams.json"), folder.path().join("hparams.json")).unwrap();
    for ending in ["index", "data-00000-of-00001"] {
        fs::copy(from.join(format!("whole.ckpt.{ending}")), folder.path().join(format!("model.ckpt.{ending}")))
            .unwrap();
    }
    let (model, config) = ModelFolder::open(folder.path()).unwrap().load(None, &Device::flex()).unwrap();
    assert!(config.tie_word_embeddings && config.n_layer == 2 && config.n_head == 2);
    let saved = saved(&model, &config);
    let bundle = BundleFile::open(&folder.path().join("model.ckpt")).unwrap();
    let pairs = [
        ("transformer.wte.weight", "model/wte"),
        ("transformer.wpe.weight", "model/wpe"),
        ("transformer.h.1.attn.c_attn.weight", "model/h1/attn/c_attn/w"),
        ("transformer.h.0.mlp.c_proj.bias", "model/h0/mlp/c_proj/b"),
        ("transformer.h.1.ln_2.weight", "model/h1/ln_2/g"),
        ("transformer.ln_f.bias", "model/ln_f/b"),
    ];
    for (name, variable) in pairs {
        assert_eq!(saved[name].1, bundle.read(variable).unwrap(), "{name}");
    }
    assert_eq!(saved.len(), 2 + 2 * 12 + 2);
    fs::remove_file(folder.path().join("model.ckpt.data-00000-of-00001")).unwrap();
    let error = ModelFolder::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("model.ckpt.data-00000-of-00001"), "{error}");
}

/// What the tensors do not tell stands in a file beside them. `names` are those of the token embedding, the position
/// embedding, the last norm, each block's first norm and the head.
fn config_of(file: &PickleFile, names: [&str; 5]) -> String {
    let [tokens, positions, norm, block, head] = names;
    let size = |name: &str| file.shape(name).unwrap()[0];
    let config = serde_json::json!({
        "n_layer": file.names().filter(|name| name.ends_with(block)).count(), "n_head": 1, "n_embd": size(norm),
        "n_positions": size(positions), "vocab_size": size(tokens), "tie_word_embeddings": file.shape(head).is_none(),
    });
    config.to_string()
}

fn book_config(book: &PickleFile) -> String {
    config_of(book, ["tok_emb.weight", "pos_emb.weight", "final_norm.scale", "norm1.scale", "out_head.weight"])
}

#[test]
fn a_bias_of_another_length_is_named() {
    let book = PickleFile::open(&fixture("pickle/book.pth")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), book_config(&book)).unwrap();
    let path = folder.path().join("model.pth");
    let mut writer = PthWriter::new(fs::File::create(&path).unwrap()).unwrap();
    for name in book.names() {
        let (mut shape, mut values) = (book.shape(name).unwrap().to_vec(), book.read(name).unwrap());
        if name == "trf_blocks.1.att.W_key.bias" {
            shape[0] += 1;
            values.push(0.0);
        }
        writer.tensor(name, &shape, &values).unwrap();
    }
    writer.finish().unwrap();
    let error = ModelFolder::open(&path).unwrap().load(None, &Device::flex()).unwrap_err().to_string();
    assert!(error.contains("'trf_blocks.1.att.W_key.bias' has shape"), "{error}");
}

#[test]
fn the_books_file_comes_back_bit_by_bit() {
    for name in ["pickle/book.pth", "pickle/book.legacy.pth"] {
        let book = PickleFile::open(&fixture(name)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.pth");
        fs::copy(fixture(name), &path).unwrap();
        fs::write(folder.path().join("config.json"), book_config(&book)).unwrap();
        let (model, config) = ModelFolder::open(&path).unwrap().load(None, &Device::flex()).unwrap();
        assert!(!config.tie_word_embeddings);
        let c = config.n_embd;
        let saved = saved(&model, &config);
        let (_, c_attn) = &saved["transformer.h.1.attn.c_attn.weight"];
        for (part, name) in ["W_query", "W_key", "W_value"].into_iter().enumerate() {
            let weight = book.read(&format!("trf_blocks.1.att.{name}.weight")).unwrap();
            for (row, column) in [(0, 0), (2, 5), (c - 1, 3)] {
                assert_eq!(c_attn[row * 3 * c + part * c + column], weight[column * c + row], "{name}");
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new/model.pth");
        save_book(&model, &out).unwrap();
        let written = PickleFile::open(&out).unwrap();
        assert_eq!(written.names().collect::<Vec<_>>(), book.names().collect::<Vec<_>>());
        for name in book.names() {
            assert_eq!(written.shape(name), book.shape(name), "{name}");
            assert_eq!(written.read(name).unwrap(), book.read(name).unwrap(), "{name}");
        }
    }
}

#[test]
fn a_tied_model_gets_a_head_in_the_books_file() {
    let (model, _) = ModelFolder::open(&fixture("tied")).unwrap().load(None, &Device::flex()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.pth");
    save_book(&model, &out).unwrap();
    let written = PickleFile::open(&out).unwrap();
    assert_eq!(written.read("out_head.weight").unwrap(), written.read("tok_emb.weight").unwrap());
}

#[test]
fn pytorchs_file_of_transformers_becomes_a_model() {
    for name in ["pickle/pytorch_model.bin", "pickle/pytorch_model.legacy.bin"] {
        let file = PickleFile::open(&fixture(name)).unwrap();
        let names = ["wte.weight", "wpe.weight", "ln_f.weight", "lm_head.weight"].map(|name| {
            let prefixed = format!("transformer.{name}");
            if file.shape(&prefixed).is_some() { prefixed } else { name.to_owned() }
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pytorch_model.bin");
        fs::copy(fixture(name), &path).unwrap();
        let [tokens, positions, norm, head] = &names;
        let config = config_of(&file, [tokens, positions, norm, ".ln_1.weight", head]);
        fs::write(folder.path().join("config.json"), config).unwrap();
        // As a folder of Hugging Face's.
        let (model, config) = ModelFolder::open(folder.path()).unwrap().load(None, &Device::flex()).unwrap();
        let saved = saved(&model, &config);
        for (name, (shape, values)) in saved {
            assert_eq!(file.shape(&name), Some(shape.as_slice()), "{name}");
            assert_eq!(file.read(&name).unwrap(), values, "{name}");
        }
    }
}

#[test]
fn ways_out_come_back_bit_by_bit_at_124m() {
    let device = Device::flex();
    let config = Gpt2Config { tie_word_embeddings: true, ..Gpt2Config::named("124M").unwrap() };
    let model = Gpt2::init(&config, &device);
    let folder = tempfile::tempdir().unwrap();
    let whole = |name: &str, model: &Gpt2, config: &Gpt2Config, shard_bytes| {
        let folder = folder.path().join(name);
        save_model(model, config, &folder, SaveOptions { shard_bytes, ..SaveOptions::default() }).unwrap();
        folder
    };
    let one = whole("one", &model, &config, usize::MAX);
    let want = tensors(&SafetensorsFile::open(&one.join("model.safetensors")).unwrap());
    assert_eq!(want.values().map(|(_, values)| values.len()).sum::<usize>(), 124_439_808);
    let assert_same = |from: &Path| {
        let (model, config) = ModelFolder::open(from).unwrap().load(None, &device).unwrap();
        let again = whole("again", &model, &config, usize::MAX);
        let got = tensors(&SafetensorsFile::open(&again.join("model.safetensors")).unwrap());
        assert!(got == want, "{from:?}");
    };
    assert_same(&one);

    let shards = whole("shards", &model, &config, 200_000_000);
    assert!(shards.join("model-00003-of-00003.safetensors").is_file() && !shards.join("model.safetensors").exists());
    assert_same(&shards);
    // The other layout takes its place.
    whole("shards", &model, &config, usize::MAX);
    assert_same(&shards);
    assert_eq!(fs::read_dir(&shards).unwrap().count(), 3, "no shard and no index is left");

    let book = folder.path().join("book.pth");
    save_book(&model, &book).unwrap();
    assert_same(&book);

    let gguf = folder.path().join("model.gguf");
    let about = GgufModel {
        name: "random",
        sizes: GgufSizes::from(&config),
        tokens: &["a".to_owned()],
        merges: &[],
        end_of_text: 0,
        added: &[],
        padding: None,
        prompt_style: None,
        template: None,
        special_tokens: false,
        chat_template: None,
    };
    save_gguf(&model, &gguf, &about, GgufPrecision::F32).unwrap();
    assert_same(&gguf);
}

#[test]
fn models_that_gguf_cannot_hold_leave_no_file() {
    let (model, config) = ModelFolder::open(&fixture("tied")).unwrap().load(None, &Device::flex()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let tokens: Vec<String> = (0..=config.vocab_size).map(|id| format!("token {id}")).collect();
    let about = GgufModel {
        name: "tied",
        sizes: GgufSizes::from(&config),
        tokens: &tokens,
        merges: &[],
        end_of_text: 0,
        added: &[],
        padding: None,
        prompt_style: None,
        template: None,
        special_tokens: false,
        chat_template: None,
    };
    let error = save_gguf(&model, &path, &about, GgufPrecision::F16).unwrap_err().to_string();
    assert!(error.contains("model.gguf") && error.contains("98"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn shards_are_one_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    for file in fs::read_dir(fixture("sharded")).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    let index = folder.path().join("model.safetensors.index.json");
    let whole = tensors(&SafetensorsFile::open(&fixture("untied/model.safetensors")).unwrap());
    assert!(tensors(&Sharded::open(&index).unwrap()) == whole);
    let (model, config) = ModelFolder::open(folder.path()).unwrap().load(None, &Device::flex()).unwrap();
    assert!(saved(&model, &config) == whole);

    let text = fs::read_to_string(&index).unwrap();
    let error = |text: &str| {
        fs::write(&index, text).unwrap();
        Sharded::open(&index).unwrap_err().to_string()
    };
    let outside = error(&text.replace("model-00001-of", "../model-00001-of"));
    assert!(outside.contains("not a file beside it"), "{outside}");
    let swapped = error(&text.replace("00001-of", "x").replace("00002-of", "00001-of").replace('x', "00002-of"));
    assert!(swapped.contains("it is not"), "{swapped}");
    let missing = error(&text.replace("model-00002-of", "model-00003-of"));
    assert!(missing.contains("model-00003-of"), "{missing}");
    assert!(error("[]").contains("not an index"));
}
