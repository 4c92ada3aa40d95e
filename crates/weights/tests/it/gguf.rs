//! Files that the gguf package for Python wrote are read, and written byte by byte.

mod faults;
mod fuzz;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use gptune_weights::{GgufError, GgufFile, GgufGpt2, GgufModel, GgufPrecision, GgufSizes, GgufValue, write_gguf};
use safetensors::SafeTensors;
use serde_json::Value;

type Parameters = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn fixture(name: &str) -> PathBuf {
    crate::fixture("gguf").join(name)
}

/// The parameters of a fixture as transformers has them.
fn parameters(name: &str) -> Parameters {
    let bytes = fs::read(fixture(&format!("{name}.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let values = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|&raw| f32::from_le_bytes(raw)).collect();
    file.iter().map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), values(view.data())))).collect()
}

fn sizes(name: &str) -> GgufSizes {
    let tied = GgufSizes {
        n_layer: 1,
        n_head: 2,
        n_embd: 32,
        n_positions: 8,
        vocab_size: 40,
        tie_word_embeddings: true,
        layer_norm_epsilon: 1e-5,
    };
    if name == "tied" {
        return tied;
    }
    GgufSizes { n_layer: 2, n_embd: 16, vocab_size: 37, tie_word_embeddings: false, layer_norm_epsilon: 1e-6, ..tied }
}

fn tokens() -> Vec<String> {
    let letters = ('!'..='@').map(String::from);
    letters.chain(["Ġ", "ab", "Ġab", "Ċ", "<|endoftext|>"].map(str::to_owned)).collect()
}

/// What a fixture says of its model, with `tokens` for its vocabulary.
fn model<'a>(name: &'a str, tokens: &'a [String], merges: &'a [(String, String)]) -> GgufModel<'a> {
    let template = "{% for message in messages %}{{ message['content'] }}{% endfor %}";
    GgufModel {
        name,
        sizes: sizes(name),
        tokens,
        merges,
        end_of_text: 36,
        added: &[],
        padding: None,
        prompt_style: None,
        template: None,
        special_tokens: false,
        chat_template: (name == "tied").then_some(template),
    }
}

fn merges() -> [(String, String); 2] {
    [("a".to_owned(), "b".to_owned()), ("Ġ".to_owned(), "ab".to_owned())]
}

/// Writes a fixture anew, with parameters that `fetch` gives.
fn written(name: &str, precision: GgufPrecision, fetch: impl Fn(&str) -> Vec<f32>) -> Vec<u8> {
    let (tokens, merges, mut bytes) = (tokens(), merges(), Vec::new());
    let fetch = |name: &str| Ok::<_, GgufError>(fetch(name));
    write_gguf(&mut bytes, Path::new("new.gguf"), &model(name, &tokens, &merges), precision, fetch).unwrap();
    bytes
}

#[test]
fn files_equal_the_python_packages_byte_by_byte() {
    for (name, precision, file) in [
        ("tied", GgufPrecision::F32, "tied-f32.gguf"),
        ("tied", GgufPrecision::F16, "tied-f16.gguf"),
        ("tied", GgufPrecision::Q8_0, "tied-q8_0.gguf"),
        ("untied", GgufPrecision::F32, "untied-f32.gguf"),
        ("untied", GgufPrecision::Q8_0, "untied-q8_0.gguf"),
    ] {
        let parameters = parameters(name);
        let bytes = written(name, precision, |parameter| parameters[parameter].1.clone());
        assert!(bytes == fs::read(fixture(file)).unwrap(), "{file}");
    }
}

#[test]
fn parameters_come_back_bit_by_bit() {
    for name in ["tied", "untied"] {
        let path = fixture(&format!("{name}-f32.gguf"));
        let file = GgufGpt2::new(GgufFile::open(&path).unwrap()).unwrap();
        let parameters = parameters(name);
        assert!(file.names().eq(parameters.keys()), "{name}");
        for (parameter, (shape, values)) in &parameters {
            assert_eq!(file.shape(parameter).unwrap(), shape, "{parameter}");
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&file.read(parameter).unwrap()), bits(values), "{parameter}");
        }
        let epsilon = file.sizes().layer_norm_epsilon;
        assert!((epsilon - sizes(name).layer_norm_epsilon).abs() < 1e-12);
        assert_eq!(*file.sizes(), GgufSizes { layer_norm_epsilon: epsilon, ..sizes(name) });
        let again = written(name, GgufPrecision::F32, |parameter| file.read(parameter).unwrap());
        assert!(again == fs::read(path).unwrap(), "{name}");
    }
}

#[test]
fn rounding_is_as_fine_as_the_type() {
    let exact = parameters("tied");
    for (file, matrices) in [("tied-f16.gguf", "F16"), ("tied-q8_0.gguf", "Q8_0")] {
        let file = GgufGpt2::new(GgufFile::open(&fixture(file)).unwrap()).unwrap();
        for (name, (shape, values)) in &exact {
            let read = file.read(name).unwrap();
            let largest = values.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
            let tolerance = match matrices {
                _ if shape.len() == 1 || name == "wpe.weight" => 0.0,
                "F16" => largest / 2048.0,
                // Half a step, and the rounding of the scale.
                _ => largest / 254.0 + largest / 2048.0,
            };
            assert!(values.iter().zip(&read).all(|(x, y)| (x - y).abs() <= tolerance), "{name}");
        }
        assert_eq!(file.file().dtype("blk.0.ffn_up.weight"), Some(matrices));
        assert_eq!(file.file().dtype("position_embd.weight"), Some("F32"));
    }
}

#[test]
fn every_type_of_value_is_read() {
    let file = GgufFile::open(&fixture("mixed.gguf")).unwrap();
    let expected: Value = serde_json::from_slice(&fs::read(fixture("mixed.json")).unwrap()).unwrap();
    let number = |value: &Value| match value.as_u64() {
        Some(number) => GgufValue::Unsigned(number),
        None => value.as_i64().map_or_else(|| GgufValue::Float(value.as_f64().unwrap()), GgufValue::Signed),
    };
    // A number is compared as what JSON takes it for.
    let plain = |value: GgufValue<'static>| match value {
        GgufValue::Signed(number) if number >= 0 => GgufValue::Unsigned(number.cast_unsigned()),
        GgufValue::Float(0.0) => GgufValue::Unsigned(0),
        GgufValue::Float(1.0) => GgufValue::Unsigned(1),
        other => other,
    };
    let file: &'static GgufFile = Box::leak(Box::new(file));
    for (kind, value) in expected["metadata"]["numbers"].as_object().unwrap() {
        assert_eq!(file.metadata(&format!("number.{kind}")), Some(number(value)), "{kind}");
        let array = file.metadata(&format!("array.{kind}")).unwrap();
        let array: Vec<_> = array.as_array().unwrap().values().map(plain).collect();
        assert_eq!(array, [number(value), GgufValue::Unsigned(0), GgufValue::Unsigned(1)], "{kind}");
    }
    assert_eq!(file.metadata("flag").and_then(|flag| flag.as_bool()), Some(true));
    assert_eq!(file.metadata("text").and_then(|text| text.as_str()), Some("two\nlines"));
    let texts = file.metadata("texts").unwrap();
    let texts: Vec<_> = texts.as_array().unwrap().values().filter_map(|text| text.as_str()).collect();
    assert_eq!(texts, ["", "Ġtext", "🙂"]);
    assert_eq!(file.metadata("flags").unwrap().as_array().unwrap().len(), 2);
    assert_eq!(file.metadata("number.int32").unwrap().as_u64(), None);
    assert_eq!(file.metadata("nothing"), None);
    assert_eq!(file.keys().count(), 26);
}

#[test]
fn every_type_of_tensor_is_read_or_named() {
    let file = GgufFile::open(&fixture("mixed.gguf")).unwrap();
    let expected: Value = serde_json::from_slice(&fs::read(fixture("mixed.json")).unwrap()).unwrap();
    let expected = expected["tensors"].as_object().unwrap();
    assert_eq!(file.names().count(), expected.len());
    for (name, tensor) in expected {
        let shape: Vec<usize> = serde_json::from_value(tensor["shape"].clone()).unwrap();
        assert_eq!(file.shape(name), Some(shape.as_slice()), "{name}");
        assert_eq!(file.dtype(name), tensor["type"].as_str(), "{name}");
        match &tensor["values"] {
            Value::Null => {
                let error = file.read(name).unwrap_err().to_string();
                let holds = format!("tensor '{name}' holds {};", tensor["type"].as_str().unwrap());
                assert!(error.contains("mixed.gguf") && error.contains(&holds), "{error}");
            }
            values => {
                let values: Vec<f32> = serde_json::from_value(values.clone()).unwrap();
                assert_eq!(file.read(name).unwrap(), values, "{name}");
            }
        }
    }
}
