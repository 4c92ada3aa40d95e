//! Tokens that are added to a vocabulary.

use std::{fs, path::Path};

use gptune_data::{END_OF_TEXT, Tokenizer};
use serde_json::{Map, Value};

fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

fn foreign(name: &str) -> Tokenizer {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/own_tokenizers");
    Tokenizer::read(&fixtures.join(name)).unwrap().unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

const TEXT: &str = "<|im_start|>user\nHi  there<|im_end|>\n<|endoftext|> <|im_start<|im_end|>é🙂";

#[test]
fn tokens_are_added_after_the_vocabulary_and_saved() {
    let tokens = strings(["<|im_start|>", END_OF_TEXT, "<|im_end|>"]);
    for (own, is_gpt2) in [
        (Tokenizer::gpt2().unwrap(), true),
        (foreign("json"), false),
        (foreign("tables"), false),
        (foreign("blank"), false),
    ] {
        let size = u32::try_from(own.vocab_size()).unwrap();
        let with = own.clone().with_added(&tokens).unwrap();
        let named = |text: &str| with.added().iter().find(|token| token.content == text).unwrap().id;
        let has_end = own.added().iter().any(|token| token.content == END_OF_TEXT);
        let new =
            if has_end { vec!["<|im_start|>", "<|im_end|>"] } else { vec!["<|im_start|>", END_OF_TEXT, "<|im_end|>"] };
        for (id, text) in (size..).zip(&new) {
            assert_eq!(named(text), id, "{text} of {own:?}");
        }
        assert_eq!(with.vocab_size(), own.vocab_size() + new.len());
        assert_eq!(with.end_of_text(), own.end_of_text());
        assert!(!with.is_gpt2());
        assert_eq!(with.cuts_like_gpt2(), own.cuts_like_gpt2());
        assert_eq!(with.encode(TEXT).unwrap(), own.encode(TEXT).unwrap(), "letters stay letters");
        let ids = with.encode_special(TEXT).unwrap();
        assert_eq!(ids.iter().filter(|&&id| id == named("<|im_end|>")).count(), 2);
        let back = with.decode(&ids).unwrap();
        let without_blanks = |text: &str| text.replace(' ', "");
        // One of them puts a blank before every text between added tokens.
        assert_eq!(without_blanks(&back), without_blanks(TEXT));

        let folder = tempfile::tempdir().unwrap();
        with.save(folder.path(), Map::new()).unwrap();
        let again = Tokenizer::read(folder.path()).unwrap().unwrap();
        assert_eq!((again.tokens(), again.merges(), again.added()), (with.tokens(), with.merges(), with.added()));
        assert_eq!(again.encode_special(TEXT).unwrap(), ids);
        assert_eq!(again.digest(), with.digest());
        assert_ne!(again.digest(), own.digest());
        // Hugging Face's library reads the same from the file.
        let library = tokenizers::Tokenizer::from_file(folder.path().join("tokenizer.json")).unwrap();
        assert_eq!(library.encode_fast(TEXT, false).unwrap().get_ids(), ids);
        let config = json(&folder.path().join("tokenizer_config.json"));
        let entry = &config["added_tokens_decoder"][named("<|im_end|>").to_string()];
        assert_eq!((&entry["content"], &entry["special"]), (&"<|im_end|>".into(), &true.into()));
        assert_eq!(config["additional_special_tokens"], Value::from(new.clone()));
        let special = json(&folder.path().join("special_tokens_map.json"));
        assert_eq!(special["additional_special_tokens"], Value::from(new));
        // The file of byte-pair encoding stays as it was.
        let table = json(&folder.path().join("vocab.json"));
        assert!(table.get("<|im_end|>").is_none());
        if is_gpt2 {
            assert_eq!(table.as_object().unwrap().len(), 50_257);
            // Without tokenizer.json the tables and the configuration say the same.
            fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
            let tables = Tokenizer::read(folder.path()).unwrap().unwrap();
            assert_eq!((tables.added(), tables.digest()), (with.added(), with.digest()));
        }
    }
}

#[test]
fn added_tokens_of_a_list_as_in_gguf_are_the_same() {
    let with = Tokenizer::gpt2().unwrap().with_added(&strings(["<|im_start|>", "<|im_end|>"])).unwrap();
    let listed =
        Tokenizer::from_lists(Path::new("x.gguf"), &with.tokens(), with.merges(), with.added(), Some(50_256)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    listed.save(folder.path(), Map::new()).unwrap();
    let again = Tokenizer::read(folder.path()).unwrap().unwrap();
    for other in [listed, again] {
        assert_eq!(other.digest(), with.digest());
        assert_eq!(other.encode_special(TEXT).unwrap(), with.encode_special(TEXT).unwrap());
        assert_eq!(other.encode(TEXT).unwrap(), with.encode(TEXT).unwrap());
    }
}

#[test]
fn tokens_that_cannot_be_added_are_named() {
    let error = |tokens: &[String]| Tokenizer::gpt2().unwrap().with_added(tokens).unwrap_err().to_string();
    assert!(error(&strings(["<a>", ""])).contains("a token to be added is empty; give it a text"));
    assert!(error(&strings([" \n"])).contains("the token \" \\n\" to be added is white space alone"));
    assert!(error(&strings(["<a>", "<b>", "<a>"])).contains("the token '<a>' is to be added twice; name it once"));
    assert!(error(&strings(["hello"])).contains("'hello' cannot be added, because it is the ordinary token 31373"));
    let same = Tokenizer::gpt2().unwrap().with_added(&strings([END_OF_TEXT])).unwrap();
    assert!(same.is_gpt2(), "it has the token already");
}

#[test]
fn tokens_can_be_added_twice() {
    let once = Tokenizer::gpt2().unwrap().with_added(&strings(["<a>"])).unwrap();
    let twice = once.clone().with_added(&strings(["<b>", "<a>"])).unwrap();
    let together = Tokenizer::gpt2().unwrap().with_added(&strings(["<a>", "<b>"])).unwrap();
    assert_eq!(twice.added(), together.added());
    assert_eq!(twice.digest(), together.digest());
    assert_eq!(twice.encode_special("<a><b>").unwrap(), [50_257, 50_258]);
    assert_ne!(once.digest(), twice.digest());
    let other_end = Tokenizer::gpt2().unwrap().ending_with(Some(0)).unwrap().0;
    assert_ne!(other_end.digest(), Tokenizer::gpt2().unwrap().digest());
}

/// What is special about an added token, all ways of it, against Hugging Face's library with the same file.
#[test]
fn added_tokens_of_a_file_are_found_as_by_the_library() {
    let tokens = strings(["<a>", "<a><b>", "<b>", "b><", "é<"]);
    let with = Tokenizer::gpt2().unwrap().with_added(&tokens).unwrap();
    let folder = tempfile::tempdir().unwrap();
    with.save(folder.path(), Map::new()).unwrap();
    let path = folder.path().join("tokenizer.json");
    let plain = json(&path);
    let pieces = ["<a>", "<b>", "><", "<", "b", " ", "  ", "é", "word", "\n", END_OF_TEXT];
    for (index, keys) in [&[][..], &["normalized"], &["lstrip", "rstrip"], &["single_word"]].into_iter().enumerate() {
        let mut changed = plain.clone();
        for token in [1, 3] {
            for key in keys {
                changed["added_tokens"][token][*key] = true.into();
            }
        }
        fs::write(&path, changed.to_string()).unwrap();
        let read = Tokenizer::read(folder.path()).unwrap().unwrap();
        assert_eq!(read.digest() == with.digest(), index == 0);
        let library = tokenizers::Tokenizer::from_file(&path).unwrap();
        let mut state = 1_u32;
        for _ in 0..2000 {
            let mut text = String::new();
            for _ in 0..8 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text += pieces[(state >> 16) as usize % pieces.len()];
            }
            let ids = library.encode_fast(text.as_str(), false).unwrap();
            assert_eq!(read.encode_special(&text).unwrap(), ids.get_ids(), "{keys:?}: {text:?}");
            assert_eq!(read.encode(&text).unwrap(), Tokenizer::gpt2().unwrap().encode(&text).unwrap(), "{text:?}");
        }
    }
}

/// `fixtures/added.py` wrote down what transformers makes of the same tokens, and in which files.
#[test]
fn files_are_those_of_transformers() {
    let fixtures = json(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/added.json"));
    let tokens: Vec<String> = serde_json::from_value(fixtures["tokens"].clone()).unwrap();
    let with = Tokenizer::gpt2().unwrap().with_added(&tokens).unwrap();
    let folder = tempfile::tempdir().unwrap();
    with.save(folder.path(), Map::new()).unwrap();
    let added = &json(&folder.path().join("tokenizer.json"))["added_tokens"];
    for token in fixtures["added_tokens"].as_array().unwrap() {
        let own = added.as_array().unwrap().iter().find(|own| own["id"] == token["id"]).unwrap();
        assert_eq!((&own["content"], &own["special"]), (&token["content"], &token["special"]));
    }
    assert_eq!(added.as_array().unwrap().len(), fixtures["added_tokens"].as_array().unwrap().len());
}
