//! The same examples in every format and shape, from Python (`fixtures/formats`), are the same sequences.

use std::path::{Path, PathBuf};

use gptune_data::{
    Corpus, CorpusOptions, Dataset, Encoder, Fractions, ReadOptions, Records, Role, Sequence, Shape, Template,
    Tokenizer,
};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats")
}

fn sequences(path: &Path, fields: Option<&str>, tokenizer: &Tokenizer, template: &Template) -> Vec<Sequence> {
    let encoder = Encoder { tokenizer, template, special_tokens: false };
    let options = CorpusOptions { shape: fields.map(|fields| fields.parse().unwrap()), ..CorpusOptions::default() };
    let corpus = Corpus::new(Records::open(&path.display().to_string()).unwrap(), options, &encoder, |_| ()).unwrap();
    assert_eq!(corpus.bad, [], "{}", path.display());
    (0..corpus.sequences.len()).map(|place| corpus.sequences.get(place)).collect()
}

fn fields_of(name: &str) -> Option<&'static str> {
    name.starts_with("renamed").then_some("instruction=question_text,output=answer_text")
}

#[test]
fn every_format_and_shape_gives_the_same_sequences() {
    let (tokenizer, template) = (Tokenizer::gpt2().unwrap(), Template::default());
    let mut checked = 0;
    for (folder, count) in [(fixtures(), 300), (fixtures().join("hard"), 12)] {
        let plain = if count == 300 { "alpaca.json" } else { "dolly.json" };
        let want = sequences(&folder.join(plain), None, &tokenizer, &template);
        assert_eq!(want.len(), count);
        let shapes = ["alpaca", "prompt-", "question-", "dolly", "messages", "conversations", "text", "renamed"];
        for file in std::fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !shapes.iter().any(|shape| name.starts_with(shape)) {
                continue;
            }
            let mut got = sequences(&path, fields_of(&name), &tokenizer, &template);
            if name.starts_with("text") {
                // A text has no prompt: the whole of it is learnt.
                for (sequence, want) in got.iter_mut().zip(&want) {
                    assert_eq!(sequence.trained, [0..sequence.ids.len()]);
                    sequence.trained.clone_from(&want.trained);
                }
            }
            assert!(got == want, "{name}");
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}

fn problems(text: &str) -> Vec<String> {
    let options = ReadOptions { skip_bad: true, ..ReadOptions::default() };
    match Dataset::parse_with("x.jsonl", text.as_bytes(), &options) {
        Ok(dataset) => dataset.skipped.into_iter().map(|entry| format!("{}: {}", entry.place, entry.problem)).collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn conversations_that_cannot_be_trained_on_say_why() {
    let good = r#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#;
    for (messages, part) in [
        ("[]", "'messages': the conversation is empty"),
        (r#"[{"role": "user", "content": "a"}]"#, "it ends with the user"),
        (r#"[{"role": "assistant", "content": "a"}]"#, "begins with the assistant"),
        (
            r#"[{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]"#,
            "messages 0 and 1 are both the user's",
        ),
        (
            r#"[{"role": "user", "content": 3}, {"role": "assistant", "content": "b"}]"#,
            "message 0 has a 'content' that is a number",
        ),
        (
            r#"[{"role": "user", "content": "a"}, {"role": "assistant", "content": null, "tool_calls": [1]}]"#,
            "message 1 calls a tool ('tool_calls')",
        ),
        (r#"[{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}]"#, "message 1 is of the role 'tool'"),
        (r#"[{"role": "bob", "content": "a"}]"#, "is of the role 'bob'; known: system, user, assistant"),
        (r#"[{"who": "user", "content": "a"}]"#, "has the keys 'who', 'content', expected 'role' and 'content'"),
        (r#"[{"role": "user", "content": [{"type": "image_url"}]}]"#, "a part of the type 'image_url'"),
        ("[3]", "message 0 is a number"),
        (r#"[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]"#, "weight 0"),
    ] {
        let found = problems(&format!("{good}\n{{\"messages\": {messages}}}\n"));
        assert!(found.len() == 1 && found[0].contains(part) && found[0].starts_with("entry 1 (line 2): "), "{found:?}");
    }
    let tools = problems(&format!("{good}\n{}", good.replace("\"messages\"", "\"tools\": [1], \"messages\"")));
    assert!(tools[0].contains("'tools' offers tools"), "{tools:?}");
}

#[test]
fn a_file_has_one_shape_of_records() {
    let found = problems("{\"question\": \"a\", \"answer\": \"b\"}\n{\"prompt\": \"a\", \"completion\": \"b\"}\n");
    assert_eq!(
        found,
        ["entry 1 (line 2): has no 'question'; its keys are 'prompt', 'completion', which are 'prompt', 'input' and \
          'completion', and the first entry of its file has 'question', 'context' and 'answer'"]
    );
    let unknown = problems("{\"q\": \"a\", \"a\": \"b\"}\n{\"q\": \"c\", \"a\": \"d\"}\n");
    assert!(unknown[0].contains("none of the 2 entries is of a known shape; their keys are 'q', 'a'"), "{unknown:?}");
    assert!(unknown[0].contains("--fields instruction=KEY,output=KEY"), "{unknown:?}");
    let pairs = problems(
        "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}\n{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}",
    );
    assert!(pairs[0].contains("looks like a pair for preference tuning"), "{pairs:?}");
}

#[test]
fn conversations_of_other_tools_are_read() {
    let read = |text: &str| Dataset::parse("x", text.as_bytes()).unwrap().examples.remove(0).messages;
    let roles = |text: &str| read(text).iter().map(|message| message.role).collect::<Vec<_>>();
    let all = [Role::System, Role::User, Role::Assistant];
    assert_eq!(
        roles(r#"{"system": "s", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}"#),
        all
    );
    assert_eq!(roles(r#"{"system_prompt": "s", "question": "a", "response": "b"}"#), all);
    assert_eq!(
        roles(
            r#"{"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]}"#
        ),
        all
    );
    assert_eq!(
        roles(
            r#"{"messages": [{"role": "developer", "content": "s"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#
        ),
        all
    );
    let parts = read(
        r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, {"role": "assistant", "content": "c"}]}"#,
    );
    assert_eq!(parts[0].content, "ab");
    let dolly = read(r#"{"instruction": "a", "context": "b", "response": "c", "category": "d"}"#);
    assert_eq!((dolly[0].input.as_str(), dolly[1].content.as_str()), ("b", "c"));
}

#[test]
fn what_may_be_absent_is_found_under_either_name() {
    let text = r#"[{"instruction":"a","output":"b"},
                   {"instruction":"c","context":"d","output":"e","system_prompt":"f"}]"#;
    let examples = Dataset::parse("x", text.as_bytes()).unwrap().examples;
    assert_eq!((examples[1].input(), examples[1].messages[0].content.as_str()), ("d", "f"));
    // A line's end of old times would hide rows.
    let error = Dataset::parse("x.csv", b"instruction,output\ra,b\rc,d\n").unwrap_err().to_string();
    assert!(error.contains("carriage returns alone"), "{error}");
}

#[test]
fn keys_are_named_by_the_user() {
    let shape = |fields: &str| fields.parse::<Shape>();
    assert_eq!(shape("messages=turns").unwrap(), Shape::Messages { key: "turns".to_owned() });
    assert_eq!(shape("text=body").unwrap(), Shape::Text { key: "body".to_owned() });
    for (fields, part) in [
        ("instruction", "'instruction' has no '='"),
        ("instruction=", "'instruction' names no key"),
        ("question=q", "'question' is unknown"),
        ("text=a,output=b", "'output' does not go with 'text'"),
        ("output=a,output=b", "'output' stands there twice"),
    ] {
        let error = shape(fields).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("known are instruction, input"), "{error}");
    }
    assert!("85/10/5".parse::<Fractions>().is_ok());
}
