//! One encoding of a text of which parts are told apart.

use std::{fs, ops::Range, path::Path};

use gptune_data::{Dataset, END_OF_TEXT, Template, Tokenizer};
use serde_json::Value;

fn chat() -> Tokenizer {
    let tokens = ["<|im_start|>", "<|im_end|>", "<|im_end|><|im_start|>", "é!"].map(str::to_owned);
    Tokenizer::gpt2().unwrap().with_added(&tokens).unwrap()
}

fn foreign(name: &str) -> Tokenizer {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/own_tokenizers");
    Tokenizer::read(&fixtures.join(name)).unwrap().unwrap()
}

fn encode(tokenizer: &Tokenizer, text: &str, special: bool) -> Vec<u32> {
    if special { tokenizer.encode_special(text).unwrap() } else { tokenizer.encode(text).unwrap() }
}

/// Holds every prompt of a text against the encoding of the prompt alone.
fn check_prompts(tokenizer: &Tokenizer, text: &str, special: bool) {
    let prompts: Vec<usize> = (0..=text.len()).filter(|&at| text.is_char_boundary(at)).collect();
    let (ids, counts) = tokenizer.encode_prompts(text, &prompts, special).unwrap();
    assert_eq!(ids, encode(tokenizer, text, special), "{text:?}");
    for (&prompt, count) in prompts.iter().zip(counts) {
        let alone = encode(tokenizer, &text[..prompt], special);
        let common = ids.iter().zip(&alone).take_while(|(a, b)| a == b).count();
        assert_eq!(count, common, "the first {prompt} bytes of {text:?}");
    }
}

#[test]
fn prompts_of_all_short_strings_have_what_they_have_in_common() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let alphabet = [' ', '\n', '\t', 'a', '1', '\'', 's', '!', 'é', '\u{a0}'];
    for length in 1..=5 {
        for number in 0..10_u32.pow(length) {
            let text: String = (0..length).map(|digit| alphabet[(number / 10_u32.pow(digit) % 10) as usize]).collect();
            check_prompts(&tokenizer, &text, false);
        }
    }
}

#[test]
fn prompts_of_every_sample_example_have_what_they_have_in_common() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../gptune/assets/sample-data.json");
    let templates = Template::NAMES.map(|name| Template::named(name).unwrap());
    for example in &Dataset::read(path.as_ref()).unwrap().examples {
        for template in &templates {
            let text = template.training_text(example, &tokenizer).unwrap();
            let prompt = template.prompt(example, &tokenizer).unwrap();
            assert!(text.starts_with(&prompt));
            let (ids, counts) = tokenizer.encode_prompts(&text, &[prompt.len()], false).unwrap();
            let alone = tokenizer.encode(&prompt).unwrap();
            assert_eq!(counts, [ids.iter().zip(&alone).take_while(|(a, b)| a == b).count()], "{text:?}");
        }
    }
    for example in Dataset::read(path.as_ref()).unwrap().examples.iter().step_by(37) {
        check_prompts(&tokenizer, &templates[0].training_text(example, &tokenizer).unwrap(), false);
    }
}

/// Pieces in which words, white space and added tokens meet and are cut.
const PIECES: [&str; 22] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|im_end|><|im_start|>",
    END_OF_TEXT,
    "<|im_",
    "|>",
    "<",
    "é!",
    "é",
    "!",
    " ",
    "  ",
    "\n",
    "\u{a0}",
    "'",
    "s",
    "'ll",
    " word",
    "Word",
    "12",
    "日本",
    "🙂",
];

#[test]
fn prompts_of_random_texts_have_what_they_have_in_common() {
    let tokenizers = [Tokenizer::gpt2().unwrap(), chat(), foreign("json"), foreign("blank")];
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..3000 {
        let text: String = (0..=random(10)).map(|_| PIECES[random(PIECES.len())]).collect();
        for (index, tokenizer) in tokenizers.iter().enumerate().filter(|(index, _)| *index < 2 || text.len() < 12) {
            for special in [false, true] {
                check_prompts(tokenizer, &text, special);
                check_spans(tokenizer, &text, special, index < 2);
            }
        }
    }
}

/// Holds the tokens of every span against the bytes that they stand for.
fn check_spans(tokenizer: &Tokenizer, text: &str, special: bool, exact: bool) {
    let places: Vec<usize> = (0..=text.len()).filter(|&at| text.is_char_boundary(at)).collect();
    let spans: Vec<Range<usize>> = places
        .iter()
        .flat_map(|&start| places.iter().map(move |&end| start..end))
        .filter(|s| s.start <= s.end)
        .collect();
    let (ids, ranges) = tokenizer.encode_spans(text, &spans, special).unwrap();
    assert_eq!(ids, encode(tokenizer, text, special), "{text:?}");
    let names = tokenizer.tokens();
    let length = |id: &u32| match tokenizer.added().iter().find(|token| token.id == *id) {
        Some(token) => token.content.len(),
        None => names[*id as usize].chars().count(),
    };
    for (span, tokens) in spans.iter().zip(ranges) {
        assert_eq!(tokens.is_empty(), span.is_empty(), "{span:?} of {text:?}");
        if !span.is_empty() && exact {
            let before = |end: usize| ids[..end].iter().map(length).sum::<usize>();
            assert!(
                before(tokens.start) <= span.start && span.start < before(tokens.start + 1),
                "{span:?}: {tokens:?}"
            );
            assert!(before(tokens.end - 1) < span.end && span.end <= before(tokens.end), "{span:?}: {tokens:?}");
        }
    }
}

/// `fixtures/added.py` wrote down what transformers masks.
#[test]
fn spans_have_the_tokens_that_transformers_masks() {
    let fixtures: Value = serde_json::from_slice(
        &fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/added.json")).unwrap(),
    )
    .unwrap();
    let tokens: Vec<String> = serde_json::from_value(fixtures["tokens"].clone()).unwrap();
    let gpt2 = Tokenizer::gpt2().unwrap().with_added(&tokens).unwrap();
    for (name, tokenizer) in [("gpt2", gpt2), ("json", foreign("json")), ("blank", foreign("blank"))] {
        let cases = fixtures[name].as_array().unwrap();
        assert!(cases.len() > 4);
        for case in cases {
            let text = case["text"].as_str().unwrap();
            let spans: Vec<(usize, usize)> = serde_json::from_value(case["spans"].clone()).unwrap();
            let spans: Vec<Range<usize>> = spans.into_iter().map(|(start, end)| start..end).collect();
            let (ids, ranges) = tokenizer.encode_spans(text, &spans, true).unwrap();
            assert_eq!(Value::from(ids.clone()), case["ids"], "{name}: {text:?}");
            let mut mask = vec![0; ids.len()];
            for range in ranges {
                mask[range].fill(1);
            }
            assert_eq!(Value::from(mask), case["mask"], "{name}: {text:?}");
        }
    }
}

#[test]
fn a_place_within_a_character_is_an_error() {
    for tokenizer in [Tokenizer::gpt2().unwrap(), foreign("json")] {
        let error = tokenizer.encode_prompts("né", &[2], false).unwrap_err().to_string();
        assert!(error.contains("byte 2 is not between two characters"), "{error}");
        assert!(tokenizer.encode_prompts("né", &[9], false).is_err());
        assert!(tokenizer.encode_spans("né", &[0..1, 0..2], true).is_err());
        assert!(tokenizer.encode_spans("né", &[0..1, 4..4], true).is_err());
    }
}
