//! Chat templates, as transformers renders them (`fixtures/chat_template.py`).

use gptune_data::{Encoder, Example, Template, Tokenizer};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    style: Template,
    template: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    instruction: String,
    input: String,
    output: String,
    /// Content of the user's message.
    message: String,
    /// The user's and the assistant's message.
    whole: String,
    /// The user's message, with a generation prompt.
    prompt: String,
}

#[test]
fn one_turn_is_what_training_saw() {
    let fixtures: Vec<Fixture> = serde_json::from_str(include_str!("../fixtures/chat_template.json")).unwrap();
    let names: Vec<&str> = fixtures.iter().map(|fixture| fixture.style.name()).collect();
    assert_eq!(names, Template::NAMES);
    let tokenizer = Tokenizer::gpt2().unwrap();
    for Fixture { style, template, cases } in fixtures {
        assert_eq!(style.chat_template(), template, "{style}: make the fixture anew");
        assert!(cases.len() >= 6);
        for case in cases {
            let example = Example::new(&case.instruction, &case.input, &case.output);
            assert_eq!(style.message(&example.messages[0]), case.message);
            let training = style.training_text(&example, &tokenizer).unwrap();
            // ChatML's own end is letters to GPT-2, which learns to stop by the end of text that follows.
            let whole = if style.name() == "chatml" { case.whole + "<|endoftext|>" } else { case.whole };
            assert_eq!(whole, training, "{style}");
            assert!(training.starts_with(&format!("{}{}", case.prompt, case.output)), "{style}");
            let encoder = Encoder { tokenizer: &tokenizer, template: &style, special_tokens: false };
            let ids = encoder.encode(&example).unwrap().ids;
            assert_eq!(tokenizer.encode_special(&whole).unwrap(), ids, "{style}");
        }
    }
}
