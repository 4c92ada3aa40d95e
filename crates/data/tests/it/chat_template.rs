//! Chat templates, as transformers renders them (`fixtures/chat_template.py`).

use gptune_data::{Encoder, Example, PromptStyle, Tokenizer};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    style: PromptStyle,
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
    assert_eq!(fixtures.iter().map(|fixture| fixture.style).collect::<Vec<_>>(), PromptStyle::ALL);
    let tokenizer = Tokenizer::gpt2().unwrap();
    for Fixture { style, template, cases } in fixtures {
        assert_eq!(style.chat_template(), template, "{style}: make the fixture anew");
        assert!(cases.len() >= 6);
        for case in cases {
            let example = Example::new(&case.instruction, &case.input, &case.output);
            assert_eq!(style.message(&example), case.message);
            let training = style.training_text(&example);
            assert_eq!(case.whole, format!("{training}<|endoftext|>"), "{style}");
            assert_eq!(format!("{}{}", case.prompt, case.output), training, "{style}");
            // As ids: those of a batch, with the end of text that is added.
            let encoder = Encoder { tokenizer: &tokenizer, style, special_tokens: false };
            let mut ids = encoder.encode(&example).unwrap().ids;
            ids.push(tokenizer.end_of_text());
            assert_eq!(tokenizer.encode_special(&case.whole).unwrap(), ids, "{style}");
        }
    }
}
