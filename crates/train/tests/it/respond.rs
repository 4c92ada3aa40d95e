use burn::module::Module;
use gptune_data::{DataError, Template, Tokenizer};
use gptune_train::{Respondent, respond, responses_json};

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
    let respondent = Respondent {
        model: &model,
        tokenizer: &tokenizer,
        template: &Template::default(),
        special_tokens: false,
        max_new_tokens: 7,
    };
    let respond = |mut progress: Box<dyn FnMut()>, go_on: &dyn Fn() -> bool| {
        let mut responses = Vec::new();
        let answered = |index, response| {
            responses.push((index, response));
            Ok::<_, DataError>(())
        };
        respond(&respondent, &examples[..40], answered, &mut progress, go_on).unwrap();
        responses
    };
    let responses = respond(Box::new(|| ()), &|| true);
    assert_eq!(responses.iter().map(|(index, _)| *index).collect::<Vec<_>>(), (0..40).collect::<Vec<_>>());
    for (_, response) in &responses {
        assert!(response.ids.len() <= 7);
        assert_eq!(response.text, Template::default().response(&tokenizer.decode(&response.ids).unwrap()));
    }
    // Asked before each token: at the third group there is none left to give.
    let left = std::cell::Cell::new(12);
    let stopped = respond(Box::new(|| ()), &|| {
        left.set(left.get() - 1);
        left.get() > 0
    });
    assert!((32..40).contains(&stopped.len()), "{}", stopped.len());
    for (index, response) in stopped {
        assert_eq!(response, responses[index].1, "what was finished is kept");
    }
}
