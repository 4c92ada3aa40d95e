use gptune_data::{Dataset, Template, Tokenizer};
use serde::Deserialize;

/// One entry of `fixtures/tokens.json`, from `fixtures/make.py`.
#[derive(Deserialize)]
struct Fixture {
    text: String,
    ids: Vec<u32>,
}

#[test]
fn hard_strings_get_tiktokens_ids_and_come_back() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let fixtures: Vec<Fixture> = serde_json::from_str(include_str!("../fixtures/tokens.json")).unwrap();
    assert!(fixtures.len() > 20);
    for Fixture { text, ids } in fixtures {
        assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

#[test]
fn every_sample_example_gets_tiktokens_ids() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let reference = tiktoken_rs::r50k_base().unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../gptune/assets/sample-data.json");
    let dataset = Dataset::read(path.as_ref()).unwrap();
    assert_eq!(dataset.examples.len(), 1100);
    for example in &dataset.examples {
        for style in Template::NAMES.iter().filter_map(|name| Template::named(name)) {
            let text = style.training_text(example, &tokenizer).unwrap();
            assert_eq!(tokenizer.encode(&text).unwrap(), reference.encode_ordinary(&text), "{text:?}");
        }
    }
}

/// Random strings from corners of Unicode, glued together without regard for boundaries.
#[test]
fn any_text_comes_back_and_agrees_with_tiktoken() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let reference = tiktoken_rs::r50k_base().unwrap();
    let ranges: [std::ops::Range<u32>; 10] = [
        0..0x20,
        0x20..0x7f,
        0x20..0x21,
        0x80..0x250,
        0x300..0x370,
        0x2000..0x2070,
        0x3000..0x3100,
        0x4e00..0x4f00,
        0x1_f300..0x1_f700,
        0xe_0100..0xe_01f0,
    ];
    let mut state = 1_u64;
    let mut random = |below: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..random(12) {
            let range = &ranges[random(10) as usize];
            for _ in 0..=random(4) {
                text.extend(char::from_u32(range.start + random(range.end - range.start)));
            }
        }
        let ids = tokenizer.encode(&text).unwrap();
        assert_eq!(ids, reference.encode_ordinary(&text), "{text:?}");
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

/// Hugging Face's library with GPT-2's table, which encodes independently.
fn library() -> tokenizers::Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    Tokenizer::gpt2().unwrap().save(folder.path(), serde_json::Map::new()).unwrap();
    tokenizers::Tokenizer::from_file(folder.path().join("tokenizer.json")).unwrap()
}

#[test]
fn runs_of_a_million_are_encoded_whole() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    for run in [" ", "\n", "a", "ab", "!", "7", "é", "日本", "\u{a0}", "aA1 "] {
        let text = format!("a{}b", run.repeat(1_000_000 / run.len()));
        let ids = tokenizer.encode(&text).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), text, "{run:?}");
    }
}

/// Long words leave the way that short ones go.
#[test]
fn long_words_get_the_library_s_ids() {
    let (tokenizer, library) = (Tokenizer::gpt2().unwrap(), library());
    for length in [1, 2, 3, 20, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 1000, 40_000] {
        for run in [" ", "a", "ab", "theing", "!?", "713", "é日", "=", "ÃÂ"] {
            let text: String = run.chars().cycle().take(length).collect();
            let ids = library.encode_fast(text.as_str(), false).unwrap();
            assert_eq!(tokenizer.encode(&text).unwrap(), ids.get_ids(), "{length} of {run:?}");
        }
    }
}

#[test]
fn saved_files_give_the_same_tokenizer() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let extra = [("note".to_owned(), "x".into())].into_iter().collect();
    tokenizer.save(folder.path(), extra).unwrap();
    let loaded = tokenizers::Tokenizer::from_file(folder.path().join("tokenizer.json")).unwrap();
    let text = "Below is an instruction.\n\n### Response:\n naïve 👍";
    assert_eq!(loaded.encode(text, false).unwrap().get_ids(), tokenizer.encode(text).unwrap());
    // In the saved tokenizer the special token is one, as in transformers.
    assert_eq!(loaded.encode("<|endoftext|>", false).unwrap().get_ids(), [50_256]);
    let config = std::fs::read_to_string(folder.path().join("tokenizer_config.json")).unwrap();
    assert!(config.contains("\"note\": \"x\"") && config.contains("GPT2Tokenizer"));
    let merges = std::fs::read_to_string(folder.path().join("merges.txt")).unwrap();
    assert_eq!(merges.lines().count(), 50_001);
    let vocab = std::fs::read(folder.path().join("vocab.json")).unwrap();
    let vocab: std::collections::HashMap<String, u32> = serde_json::from_slice(&vocab).unwrap();
    assert_eq!((vocab.len(), vocab["<|endoftext|>"], vocab["!"]), (50_257, 50_256, 0));
}
