use burn::module::Module;
use gptune_data::{PromptStyle, Tokenizer};
use gptune_train::{respond, responses_json};

use crate::world;

#[test]
fn responses_file_is_what_python_writes() {
    let dataset = world::dataset();
    let text = responses_json([(&dataset.examples[0], "Café \"x\"\n"), (&dataset.examples[1], "")]);
    // json.dumps of the same entries, in Python 3.11.
    assert!(text.starts_with("[\n    {\n        \"instruction\": \""), "{text}");
    assert!(text.contains("\",\n        \"model_response\": \"Caf\\u00e9 \\\"x\\\"\\n\"\n    },\n    {\n"), "{text}");
    assert!(text.ends_with("\"model_response\": \"\"\n    }\n]"), "{text}");
    let read = gptune_data::Dataset::parse("x", text.as_bytes()).unwrap();
    assert_eq!(read.examples[0].entry["model_response"], "Café \"x\"\n");
}

#[test]
fn a_response_is_at_most_as_long_as_asked() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let model = world::model(false).valid();
    let examples = &world::dataset().examples;
    let respond = |progress: &mut dyn FnMut() -> bool| {
        respond(&model, &tokenizer, PromptStyle::Book, &examples[..40], 7, progress).unwrap()
    };
    let responses = respond(&mut || true);
    assert_eq!(responses.len(), 40);
    for response in responses {
        assert!(response.ids.len() <= 7);
        assert_eq!(response.text, PromptStyle::Book.response(&tokenizer.decode(&response.ids).unwrap()));
    }
    let mut left = 35;
    let stopped = respond(&mut || {
        left -= 1;
        left > 0
    });
    assert_eq!(stopped.len(), 32, "whole groups");
}
