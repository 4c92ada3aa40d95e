//! Conversations in every template that is built in, as transformers and TRL encode them (`fixtures/templates`).

use std::{collections::HashMap, ops::Range, path::PathBuf};

use gptune_data::{Collator, Dataset, Encoder, Example, IGNORE_INDEX, Role, Sequence, Template, Tokenizer};
use serde::Deserialize;

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/templates").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// A conversation as transformers encodes it.
#[derive(Deserialize)]
struct Encoded {
    ids: Vec<u32>,
    trained: Vec<[usize; 2]>,
    prompt: Prompt,
}

#[derive(Deserialize)]
struct Prompt {
    shared: usize,
    rest: Vec<u32>,
}

fn encoded(name: &str) -> Vec<Encoded> {
    fixture(&format!("{name}.jsonl")).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn conversations() -> Vec<Example> {
    Dataset::parse("conversations.jsonl", fixture("conversations.jsonl").as_bytes()).unwrap().examples
}

/// The fixtures, each with the name of its template and its tokenizer.
fn cases() -> Vec<(&'static str, &'static str, Tokenizer)> {
    let plain = || Tokenizer::gpt2().unwrap();
    let added = plain().with_added(&["<|im_start|>", "<|im_end|>"].map(str::to_owned)).unwrap();
    let mut cases: Vec<_> = Template::NAMES.into_iter().map(|name| (name, name, plain())).collect();
    cases.push(("chatml-added", "chatml", added));
    cases
}

fn ranges(spans: &[[usize; 2]]) -> Vec<Range<usize>> {
    spans.iter().map(|&[start, end]| start..end).collect()
}

/// What TRL is given has no end but the template's; plain GPT-2 takes ChatML's for letters, and learns another.
fn without_added_end(name: &str, mut sequence: Sequence, tokenizer: &Tokenizer) -> Sequence {
    if name == "chatml" {
        let all = sequence.ids.len();
        assert_eq!(sequence.ids.pop(), Some(tokenizer.end_of_text()));
        let last = sequence.trained.last_mut().unwrap();
        assert_eq!(last.end, all);
        // With the line break before it.
        last.end -= 2;
    }
    sequence
}

#[test]
fn conversations_are_encoded_as_transformers_does() {
    let conversations = conversations();
    assert_eq!(conversations.len(), 200);
    for (name, template, tokenizer) in cases() {
        let template = Template::named(template).unwrap();
        let jinja = Template::parse("jinja", &fixture(&format!("{template}.jinja"))).unwrap();
        let fixtures = encoded(name);
        assert_eq!(fixtures.len(), conversations.len());
        for (example, fixture) in conversations.iter().zip(fixtures) {
            let prompt = [&fixture.ids[..fixture.prompt.shared], &fixture.prompt.rest].concat();
            for template in [&template, &jinja] {
                let encoder = Encoder { tokenizer: &tokenizer, template, special_tokens: false };
                let sequence = encoder.encode(example).unwrap();
                let own =
                    if template.name() == "jinja" { sequence } else { without_added_end(name, sequence, &tokenizer) };
                let place = format!("{name}, {template:?}, {}", example.place);
                assert_eq!(own.ids, fixture.ids, "{place}");
                assert_eq!(own.trained, ranges(&fixture.trained), "{place}");
                let asked = encoder.prompt(example).unwrap();
                // Where the model writes the header itself, transformers' prompt has it already.
                if ["book", "phi3"].contains(&name) && template.name() != "jinja" {
                    let header = if name == "book" { "\n\n### Response:\n" } else { "\n<|assistant|>:\n" };
                    let text = tokenizer.decode(&asked).unwrap() + header;
                    assert_eq!(text, tokenizer.decode(&prompt).unwrap(), "{place}");
                } else {
                    assert_eq!(asked, prompt, "{place}");
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Trl {
    batch_size: usize,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    encoded: String,
    max_length: Option<usize>,
    padding: u32,
    batches: Vec<TrlBatch>,
}

#[derive(Deserialize)]
struct TrlBatch {
    width: usize,
    rows: Vec<(usize, usize, Vec<[usize; 2]>)>,
}

#[test]
fn batches_and_masks_are_those_of_trl() {
    let trl: Trl = serde_json::from_str(&fixture("trl.json")).unwrap();
    let conversations = conversations();
    let all: HashMap<&str, (Vec<Sequence>, Tokenizer)> = cases()
        .into_iter()
        .map(|(name, template, tokenizer)| {
            let template = Template::named(template).unwrap();
            let encoder = Encoder { tokenizer: &tokenizer, template: &template, special_tokens: false };
            let sequences = encoder.encode_all(&conversations, |_| {}).unwrap();
            let sequences = sequences.into_iter().map(|one| without_added_end(name, one, &tokenizer)).collect();
            (name, (sequences, tokenizer))
        })
        .collect();
    assert_eq!(trl.runs.len(), 13);
    for Run { encoded, max_length, padding, batches } in trl.runs {
        let (sequences, tokenizer) = &all[encoded.as_str()];
        // Labels stand below their own ids there, so that the last id of a row predicts nothing.
        let longest = max_length.map_or(usize::MAX - 1, |length| length - 1);
        let template = Template::named(encoded.trim_end_matches("-added")).unwrap();
        let encoder = Encoder { tokenizer, template: &template, special_tokens: false };
        let collator = Collator::new(&encoder, Some(padding), longest, true);
        // Those of which nothing that is trained is left are left out there.
        let kept: Vec<usize> = (0..sequences.len())
            .filter(|&place| collator.collate([sequences[place].clone()]).target_tokens() > 0)
            .collect();
        assert_eq!(kept.len().div_ceil(trl.batch_size), batches.len());
        for (places, TrlBatch { width, rows }) in kept.chunks(trl.batch_size).zip(batches) {
            let batch = collator.collate(places.iter().map(|&place| sequences[place].clone()));
            let rectangle = batch.rectangle();
            assert_eq!(rectangle.width, width - 1, "{encoded}, {max_length:?}");
            for (row, ((place, length, spans), own)) in rows.into_iter().zip(places).enumerate() {
                assert_eq!(place, *own);
                let mut ids = sequences[place].ids[..length].to_vec();
                ids.resize(width, padding);
                let mut labels = vec![IGNORE_INDEX; width];
                for at in spans.into_iter().flat_map(|[start, end]| start..end) {
                    labels[at] = i64::from(ids[at]);
                }
                let cells = row * (width - 1)..(row + 1) * (width - 1);
                assert_eq!(rectangle.inputs[cells.clone()], ids[..width - 1], "{encoded}, conversation {place}");
                assert_eq!(rectangle.targets[cells], labels[1..], "{encoded}, conversation {place}");
            }
        }
    }
}

#[test]
fn chat_templates_render_as_they_were_checked() {
    let conversations = conversations();
    let tokenizer = Tokenizer::gpt2().unwrap();
    for name in Template::NAMES {
        let built_in = Template::named(name).unwrap();
        // What is given away has no marks: put around everything they change nothing.
        let text = format!("{{% generation %}}{}{{% endgeneration %}}", built_in.chat_template());
        let exported = Template::parse("exported", &text).unwrap();
        let jinja = Template::parse("jinja", &fixture(&format!("{name}.jinja"))).unwrap();
        let unmarked = format!("{{% generation %}}{}{{% endgeneration %}}", jinja.chat_template());
        let unmarked = Template::parse("unmarked", &unmarked).unwrap();
        for example in &conversations {
            let want = jinja.training_text(example, &tokenizer).unwrap();
            for template in [&exported, &unmarked] {
                assert_eq!(template.training_text(example, &tokenizer).unwrap(), want, "{name}, {}", example.place);
            }
            let prompt = jinja.prompt(example, &tokenizer).unwrap();
            assert_eq!(exported.prompt(example, &tokenizer).unwrap(), prompt, "{name}, {}", example.place);
        }
    }
}

#[test]
fn answers_of_no_weight_are_not_learnt() {
    let mut example = conversations().into_iter().find(|one| one.messages.len() > 4).unwrap();
    let tokenizer = Tokenizer::gpt2().unwrap();
    let template = Template::named("zephyr").unwrap();
    let jinja = Template::parse("jinja", &fixture("zephyr.jinja")).unwrap();
    let encode = |template: &Template, example: &Example| {
        Encoder { tokenizer: &tokenizer, template, special_tokens: false }.encode(example).unwrap()
    };
    let all = encode(&template, &example);
    let first = example.messages.iter().position(|message| message.role == Role::Assistant).unwrap();
    example.messages[first].trained = false;
    for template in [&template, &jinja] {
        let some = encode(template, &example);
        assert_eq!((&some.ids, &some.trained[..]), (&all.ids, &all.trained[1..]));
    }
}

#[test]
fn templates_that_cannot_be_used_say_why() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let fault = |text: &str| {
        let template = match Template::parse("my", text) {
            Ok(template) => template,
            Err(error) => return error.to_string(),
        };
        template.training_text(&Example::new("a", "", "b"), &tokenizer).unwrap_err().to_string()
    };
    for (text, part) in [
        ("{{ messages[0].content }}", "marks nothing that is to be learnt"),
        ("{% generation %}x", "do not come in pairs"),
        ("{% endgeneration %}{% generation %}", "do not come in pairs"),
        (
            "{% for m in messages %}\n{% generation %}{{ m.text }}{% endgeneration %}{% endfor %}",
            "line 2: undefined value",
        ),
        ("{% for m in messages %}{% generation %}{% endgeneration %}{% endfor %}", "marks nothing of it"),
        ("{% generation %}{{ raise_exception('no input') }}{% endgeneration %}", "no input"),
        ("{% generation %}{% for %}{% endgeneration %}", "syntax error"),
        ("user = \"{content}\"\nheader = \"\"\nusr = \"\"", "line 3: unknown field `usr`"),
        ("user = \"{text}{content}\"\nheader = \"\"", "refers to {text}"),
        ("user = \"Q: \"\nheader = \"A: \"", "'user' needs {content}, once"),
        ("user = \"{content}\"\nheader = \"\"\nend = \"\"", "'end' is empty"),
        ("user = 3", "line 1: "),
    ] {
        let fault = fault(text);
        assert!(fault.contains(part) && fault.starts_with("the template my: "), "{text:?}: {fault}");
    }
    let short = Template::parse("my", "user = \"{content}\"\nheader = \" \"").unwrap();
    let mut example = Example::new("a", "", "b");
    assert_eq!(short.training_text(&example, &tokenizer).unwrap(), "a b<|endoftext|>");
    example.messages.insert(0, gptune_data::Message::new(Role::System, "x"));
    assert!(short.training_text(&example, &tokenizer).unwrap_err().to_string().contains("no 'system'"));
}

#[test]
fn jinja_has_what_transformers_gives_it() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let text = "{% for m in messages %}{% generation %}{{ loop.nextitem.role if loop.nextitem is defined else 'none' }} \
                {% if tools is not none %}TOOLS{% endif %}{% endgeneration %}{% endfor %}";
    let template = Template::parse("my", text).unwrap();
    let text = template.training_text(&Example::new("a", "", "b"), &tokenizer).unwrap();
    assert_eq!(text, "assistant none ");
}

#[test]
fn letters_of_a_token_cannot_pass_for_a_jinja_templates_own() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let jinja = Template::parse("jinja", &fixture("zephyr.jinja")).unwrap();
    let example = Example::new("What is <|endoftext|>?", "", "A token.");
    let encoder = Encoder { tokenizer: &tokenizer, template: &jinja, special_tokens: false };
    assert!(encoder.encode(&example).unwrap_err().to_string().contains("the letters '<|endoftext|>'"));
    assert!(encoder.prompt(&example).is_err());
    let taken = Encoder { special_tokens: true, ..encoder }.encode(&example).unwrap();
    assert_eq!(taken.ids.iter().filter(|&&id| id == tokenizer.end_of_text()).count(), 3);
    // What says which tokens are its own takes them for letters, as it always did.
    let template = Template::named("zephyr").unwrap();
    let letters = Encoder { template: &template, ..encoder }.encode(&example).unwrap();
    assert_eq!(letters.ids.iter().filter(|&&id| id == tokenizer.end_of_text()).count(), 2);
}
