use std::collections::HashMap;

use burn::tensor::Device;
use gptune_model::{Gpt2, Packed};
use gptune_weights::ModelFolder;
use serde::Deserialize;

use crate::fixture;

/// `fixtures/logits.json`: what transformers computed.
#[derive(Deserialize)]
struct Logits {
    ids: Vec<Vec<u32>>,
    logits: HashMap<String, Vec<f32>>,
}

fn logits(model: &Gpt2, ids: &[Vec<u32>]) -> Vec<f32> {
    let rows: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    model.logits(&Packed::new(&rows, false)).into_data().try_to_vec().unwrap()
}

#[test]
fn logits_of_every_layout_equal_transformers() {
    let want: Logits = serde_json::from_str(include_str!("../fixtures/logits.json")).unwrap();
    assert_eq!(want.logits.len(), 5);
    for (name, want_logits) in want.logits {
        let (model, config) = ModelFolder::open(&fixture(&name)).unwrap().load(None, &Device::flex()).unwrap();
        assert_eq!(config.tie_word_embeddings, name != "untied", "{name}");
        let got = logits(&model, &want.ids);
        assert_eq!(got.len(), want_logits.len(), "{name}");
        let worst = got.iter().zip(&want_logits).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 2e-5, "{name}: {worst}");
    }
}

#[test]
fn untying_starts_with_a_copy_of_the_embedding_and_keeps_the_function() {
    let want: Logits = serde_json::from_str(include_str!("../fixtures/logits.json")).unwrap();
    let (model, config) = ModelFolder::open(&fixture("bare")).unwrap().load(Some(false), &Device::flex()).unwrap();
    assert!(!config.tie_word_embeddings && model.lm_head.is_some());
    let got = logits(&model, &want.ids);
    let worst = got.iter().zip(&want.logits["bare"]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 2e-5, "{worst}");
}

#[test]
fn a_checkpoint_alone_tells_its_sizes_if_it_is_of_a_released_width() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("somewhere.safetensors");
    std::fs::copy(fixture("untied/model.safetensors"), &file).unwrap();
    let error = ModelFolder::open(&file).unwrap_err().to_string();
    assert!(error.contains("24 wide may have any number of heads"), "{error}");
    std::fs::copy(fixture("untied/config.json"), folder.path().join("config.json")).unwrap();
    assert_eq!(ModelFolder::open(&file).unwrap().config.n_head, 3);
}
