//! Tokenizers that models bring along, against transformers.

use std::{
    fs,
    path::{Path, PathBuf},
};

use gptune_data::{DataError, Tokenizer};
use serde_json::{Map, Value};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/own_tokenizers")
}

fn expected() -> Map<String, Value> {
    serde_json::from_slice(&fs::read(fixtures().join("expected.json")).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn texts_get_transformers_ids_and_come_back() {
    let expected = expected();
    assert_eq!(expected.keys().collect::<Vec<_>>(), ["tables", "json", "blank"]);
    for (folder, expected) in &expected {
        let tokenizer = Tokenizer::read(&fixtures().join(folder)).unwrap().unwrap();
        assert!(!tokenizer.is_gpt2());
        assert_eq!(tokenizer.vocab_size() as u64, expected["vocab_size"].as_u64().unwrap(), "{folder}");
        let (tokenizer, notes) = tokenizer.ending_with(None).unwrap();
        assert_eq!(Value::from(tokenizer.end_of_text()), expected["end_of_text"], "{folder}");
        assert!(notes.is_empty(), "{folder}: {notes:?}");
        for case in expected["texts"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let plain = tokenizer.encode(text).unwrap();
            assert_eq!(plain, ids(&case["ids"]), "{folder}: {text:?}");
            assert_eq!(tokenizer.encode_special(text).unwrap(), ids(&case["special"]), "{folder}: {text:?}");
            assert_eq!(tokenizer.decode(&plain).unwrap().trim_start(), text.trim_start(), "{folder}: {text:?}");
        }
    }
}

#[test]
fn a_model_s_own_tokenizer_is_written_back_whole() {
    for (folder, expected) in &expected() {
        let tokenizer = Tokenizer::read(&fixtures().join(folder)).unwrap().unwrap();
        let copy = tempfile::tempdir().unwrap();
        let extra = Map::from_iter([("chat_template".to_owned(), Value::from("x"))]);
        tokenizer.save(copy.path(), extra).unwrap();
        let again = Tokenizer::read(copy.path()).unwrap().unwrap();
        assert_eq!(again.tokens(), tokenizer.tokens());
        assert_eq!((again.merges(), again.added()), (tokenizer.merges(), tokenizer.added()));
        let config: Value =
            serde_json::from_slice(&fs::read(copy.path().join("tokenizer_config.json")).unwrap()).unwrap();
        assert_eq!(config["chat_template"], "x");
        let before: Map<String, Value> =
            serde_json::from_slice(&fs::read(fixtures().join(folder).join("tokenizer_config.json")).unwrap()).unwrap();
        assert!(before.iter().all(|(key, value)| config[key] == *value), "{config}");
        for case in expected["texts"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            assert_eq!(again.encode_special(text).unwrap(), ids(&case["special"]), "{folder}: {text:?}");
        }
    }
}

#[test]
fn files_of_gpt2_s_own_tokenizer_are_gpt2_s() {
    let folder = tempfile::tempdir().unwrap();
    Tokenizer::gpt2().unwrap().save(folder.path(), Map::new()).unwrap();
    let read = || Tokenizer::read(folder.path()).unwrap().unwrap();
    assert!(read().is_gpt2(), "all files");
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    assert!(read().is_gpt2(), "vocab.json and merges.txt");
    fs::remove_file(folder.path().join("tokenizer_config.json")).unwrap();
    assert!(read().is_gpt2(), "and nothing else");
    fs::remove_file(folder.path().join("vocab.json")).unwrap();
    assert!(Tokenizer::read(folder.path()).unwrap_err().to_string().contains("no vocab.json"));
    fs::remove_file(folder.path().join("merges.txt")).unwrap();
    assert!(Tokenizer::read(folder.path()).unwrap().is_none());
}

#[test]
fn a_list_as_in_gguf_gives_the_same_tokenizer() {
    // In `tables` the end of text is token 7, in `json` all added tokens come last.
    for name in ["json", "tables"] {
        let own = Tokenizer::read(&fixtures().join(name)).unwrap().unwrap();
        let end = own.clone().ending_with(None).unwrap().0.end_of_text();
        let listed =
            Tokenizer::from_lists(Path::new("x.gguf"), &own.tokens(), own.merges(), own.added(), Some(end)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        listed.save(folder.path(), Map::new()).unwrap();
        let written = Tokenizer::read(folder.path()).unwrap().unwrap();
        let class: Value =
            serde_json::from_slice(&fs::read(folder.path().join("tokenizer_config.json")).unwrap()).unwrap();
        assert_eq!(class["tokenizer_class"], "PreTrainedTokenizerFast", "and no GPT-2's special tokens");
        let text = "The capital <|user|> of France<|end|> z<|endoftext|>(";
        for other in [listed, written] {
            assert_eq!(other.encode(text).unwrap(), own.encode(text).unwrap(), "{name}");
            let ids = own.encode_special(text).unwrap();
            assert_eq!(other.encode_special(text).unwrap(), ids, "{name}");
            assert_eq!(other.decode(&ids).unwrap(), own.decode(&ids).unwrap(), "{name}");
            assert_eq!(other.ending_with(None).unwrap().0.end_of_text(), end, "{name}");
        }
    }
}

#[test]
fn an_added_token_has_the_id_that_its_file_gives_it() {
    let error = error(|json| {
        for token in json["added_tokens"].as_array_mut().unwrap() {
            token["id"] = Value::from(token["id"].as_u64().unwrap() + 2);
        }
    });
    assert!(error.contains("has the id") && error.contains("makes"), "{error}");
}

#[test]
fn what_the_file_cuts_and_pads_is_left_to_whoever_encodes() {
    let folder = tempfile::tempdir().unwrap();
    let mut json: Value = serde_json::from_slice(&fs::read(fixtures().join("json/tokenizer.json")).unwrap()).unwrap();
    json["truncation"] =
        serde_json::json!({"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0});
    json["padding"] = serde_json::json!({
        "strategy": {"Fixed": 40}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "!",
    });
    fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
    let cutting = Tokenizer::read(folder.path()).unwrap().unwrap();
    let own = Tokenizer::read(&fixtures().join("json")).unwrap().unwrap();
    let text = "The capital <|user|> of France<|end|> is Paris.";
    assert_eq!(cutting.encode_special(text).unwrap(), own.encode_special(text).unwrap());
    assert_eq!(cutting.encode(text).unwrap(), own.encode(text).unwrap());
}

#[test]
fn added_tokens_that_look_around_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut json: Value = serde_json::from_slice(&fs::read(fixtures().join("json/tokenizer.json")).unwrap()).unwrap();
    let content = json["added_tokens"][1]["content"].as_str().unwrap().to_owned();
    let read = |json: &Value| {
        fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
        Tokenizer::read(folder.path()).unwrap().unwrap()
    };
    assert!(read(&json).added_by_surroundings().is_empty());
    json["added_tokens"][1]["rstrip"] = Value::from(true);
    assert_eq!(read(&json).added_by_surroundings(), [content]);
}

/// The error of `tokenizer.json` after a change.
fn error(change: impl FnOnce(&mut Value)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut json: Value = serde_json::from_slice(&fs::read(fixtures().join("json/tokenizer.json")).unwrap()).unwrap();
    change(&mut json);
    fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
    let error = Tokenizer::read(folder.path()).unwrap_err();
    assert!(matches!(error, DataError::TokenizerFile { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
    error
}

#[test]
fn what_is_no_byte_level_bpe_is_refused_by_name() {
    assert!(error(|json| json["model"] = serde_json::json!({"type": "WordPiece"})).contains("its model is WordPiece"));
    assert!(error(|json| json["model"]["dropout"] = 0.1.into()).contains("'dropout'"));
    assert!(error(|json| json["model"]["byte_fallback"] = true.into()).contains("'byte_fallback'"));
    assert!(
        error(|json| json["pre_tokenizer"]["type"] = "Metaspace".into()).contains("its pre_tokenizer is Metaspace")
    );
    assert!(error(|json| json["decoder"] = Value::Null).contains("its decoder is none"));
    assert!(error(|json| json["model"]["vocab"]["zzz"] = 3.into()).contains("have one id, 3"));
    assert!(error(|json| json["model"]["vocab"]["zzz"] = 4_000_000_000_u32.into()).contains("has the id 4000000000"));
    assert!(error(|json| json["model"]["vocab"]["zzz"] = "a".into()).contains("no id that is a whole number"));
    assert!(error(|json| json["model"]["merges"][0] = 5.into()).contains("its merge 0 is no pair"));
    let bos = serde_json::json!({"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|end|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|end|>": {"id": "<|end|>", "ids": [330], "tokens": ["<|end|>"]}}});
    assert!(error(|json| json["post_processor"] = bos).contains("its post_processor adds tokens"));
}

#[test]
fn files_that_contradict_each_other_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let put = |from: &str| fs::copy(fixtures().join(from), folder.path().join(Path::new(from).file_name().unwrap()));
    for file in ["json/tokenizer.json", "tables/vocab.json", "tables/merges.txt"] {
        put(file).unwrap();
    }
    let error = Tokenizer::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("of different tokenizers"), "{error}");
}

#[test]
fn what_stands_beside_a_tokenizer_has_to_agree_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::copy(fixtures().join("json/tokenizer.json"), at("tokenizer.json")).unwrap();
    let read = || Tokenizer::read(folder.path()).map(Option::unwrap);
    let token = read().unwrap().added()[0].clone();
    let refused = |name: &str, text: String| {
        fs::write(at(name), text).unwrap();
        let error = read().unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        fs::remove_file(at(name)).unwrap();
        error
    };
    fs::write(at("added_tokens.json"), format!("{{{:?}: {}}}", token.content, token.id)).unwrap();
    read().unwrap();
    let error = refused("added_tokens.json", format!("{{{:?}: {}}}", token.content, token.id + 1));
    assert!(error.contains(&format!("has the id {} in it, and tokenizer.json has the id {}", token.id + 1, token.id)));
    let error = refused("added_tokens.json", "{\"<new>\": 400}".to_owned());
    assert!(error.contains("'<new>' has the id 400 in it, and tokenizer.json has no such token"), "{error}");
    let decoder = format!(r#"{{"added_tokens_decoder": {{"{}": {{"content": "<other>"}}}}}}"#, token.id);
    assert!(refused("tokenizer_config.json", decoder).contains("'<other>' has the id"));
    let blank = r#"{"add_prefix_space": true}"#.to_owned();
    assert!(
        refused("tokenizer_config.json", blank)
            .contains("'add_prefix_space' is true in it and false in tokenizer.json")
    );
    let empty = r#"{"added_tokens_decoder": {"7": {}}}"#.to_owned();
    assert!(refused("tokenizer_config.json", empty).contains("has an entry '7' that is no token"));
    // Whoever names a token that is not there is named.
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
        let error = refused(name, r#"{"eos_token": "<|nope|>"}"#.to_owned());
        assert!(error.contains("'<|nope|>' that is to end texts ('eos_token') is not in tokenizer.json"), "{error}");
    }
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
    assert!(refused("tokenizer_config.json", pointer.to_owned()).contains("is a Git LFS pointer"));
    // Two that end texts with different tokens: one is used, and the other told.
    fs::write(at("tokenizer_config.json"), format!(r#"{{"eos_token": {:?}}}"#, token.content)).unwrap();
    fs::write(at("special_tokens_map.json"), r#"{"eos_token": {"content": "a"}}"#).unwrap();
    let (tokenizer, notes) = read().unwrap().ending_with(None).unwrap();
    assert_eq!((tokenizer.end_of_text(), notes.len()), (token.id, 1));
    assert!(notes[0].starts_with("tokenizer_config.json ends texts with token"), "{notes:?}");
    assert!(notes[0].contains("special_tokens_map.json names"), "{notes:?}");
}

#[test]
fn files_of_gpt2_may_end_texts_otherwise_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    Tokenizer::gpt2().unwrap().save(folder.path(), Map::new()).unwrap();
    let path = folder.path().join("tokenizer_config.json");
    fs::write(path, r#"{"eos_token": "!"}"#).unwrap();
    let _ = fs::remove_file(folder.path().join("special_tokens_map.json"));
    let tokenizer = Tokenizer::read(folder.path()).unwrap().unwrap();
    assert!(tokenizer.is_gpt2());
    let (tokenizer, notes) = tokenizer.ending_with(Some(50_256)).unwrap();
    assert_eq!(tokenizer.end_of_text(), 50_256);
    assert!(notes[0].contains("tokenizer_config.json names 0, '!'"), "{notes:?}");
}

#[test]
fn a_vocabulary_that_lacks_a_byte_does_not_drop_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut json: Value = serde_json::from_slice(&fs::read(fixtures().join("json/tokenizer.json")).unwrap()).unwrap();
    let vocab = json["model"]["vocab"].as_object_mut().unwrap();
    let id = vocab.remove("~").unwrap();
    vocab.insert("none of any text".to_owned(), id);
    fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
    let tokenizer = Tokenizer::read(folder.path()).unwrap().unwrap();
    assert!(tokenizer.encode("a b").is_ok());
    let error = tokenizer.encode("a~b").unwrap_err().to_string();
    assert!(error.contains("a text of 3 bytes was encoded as 2 bytes; the vocabulary of"), "{error}");
}
