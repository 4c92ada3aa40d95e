use super::english::{Lexicon, third_person};
use super::facts::World;
use super::rng::SplitMix64;
use super::template::{Fields, fill};
use super::{Example, TRAIN, check, corpus, sample_data, to_json};

fn lexicon() -> Lexicon {
    Lexicon::parse(include_str!("../../words/irregular.toml")).unwrap()
}

#[test]
fn sample_data_keeps_its_promises() {
    let examples = sample_data().unwrap();
    check(&examples).unwrap();
    let empty = examples.iter().filter(|e| e.input.is_empty()).count();
    assert!((600..=720).contains(&empty), "{empty} empty inputs");
    for example in &examples {
        let text = format!("{} {} {}", example.instruction, example.input, example.output);
        assert!(!text.contains("<|"), "{text}");
        assert!(!text.contains(['{', '}', '+']), "{text}");
        assert!(text.chars().all(|c| c.is_ascii() || "éíãç".contains(c)), "{text}");
    }
    let accented = examples.iter().filter(|e| !e.output.is_ascii()).count();
    assert!(accented <= 12, "{accented} examples are not ASCII");
}

#[test]
fn the_committed_file_is_what_the_lists_give() {
    let committed = include_str!("../../../crates/gptune/assets/sample-data.json");
    assert!(
        to_json(&sample_data().unwrap()).unwrap() == committed,
        "crates/gptune/assets/sample-data.json is out of date; generate it again"
    );
    let read: Vec<Example> = serde_json::from_str(committed).unwrap();
    check(&read).unwrap();
}

#[test]
fn check_finds_a_repeated_prompt() {
    let mut examples = sample_data().unwrap();
    examples[1].instruction = examples[0].instruction.to_uppercase();
    examples[1].input = examples[0].input.clone();
    assert!(check(&examples).is_err());
}

#[test]
fn check_finds_a_repeated_fact() {
    let mut examples = sample_data().unwrap();
    examples[1].source = examples[0].source.clone();
    assert!(check(&examples).is_err());
}

/// A fortieth of the corpus: all of it takes long without optimisation.
#[test]
fn the_corpus_is_plain_text_without_instructions() {
    let world = World::load().unwrap();
    let text = corpus::write(&world, 40).unwrap();
    assert!((500_000..=2_000_000).contains(&text.len()), "{} bytes", text.len());
    for banned in ["###", "Instruction:", "Input:", "Response:", "Below is an instruction", "<|", "{", "}"] {
        assert!(!text.contains(banned), "the corpus contains {banned:?}");
    }
    assert_eq!(text, corpus::write(&world, 40).unwrap());
}

/// Examples are drawn from the facts of a kind, and the corpus states these in turn.
#[test]
fn the_corpus_states_every_fact() {
    for kind in World::load().unwrap().kinds {
        assert!(kind.statements >= kind.facts.len(), "{}: {} facts", kind.name, kind.facts.len());
    }
}

#[test]
fn paraphrases_were_never_trained_on() {
    let read = |name: &str| -> Vec<Example> {
        serde_json::from_slice(&std::fs::read(crate::cargo::root().join("crates/gptune/assets").join(name)).unwrap())
            .unwrap()
    };
    let (data, paraphrases) = (read("sample-data.json"), read("paraphrases.json"));
    assert_eq!(paraphrases.len(), 30);
    for item in &paraphrases {
        // Neither the wording, nor with it the fact, nor the answer.
        assert!(data.iter().all(|example| example.instruction != item.instruction), "{}", item.instruction);
        assert!(data[..TRAIN].iter().all(|example| example.output != item.output), "{}", item.output);
        assert!(data.iter().any(|example| example.kind == item.kind), "{}", item.kind);
    }
}

#[test]
fn english_forms() {
    let lexicon = lexicon();
    assert_eq!(lexicon.with_article("apple"), "an apple");
    assert_eq!(lexicon.with_article("hour"), "an hour");
    assert_eq!(lexicon.with_article("unicorn"), "a unicorn");
    assert_eq!(lexicon.plural("city"), "cities");
    assert_eq!(lexicon.plural("toy"), "toys");
    assert_eq!(lexicon.plural("mouse"), "mice");
    assert_eq!(lexicon.past("carry"), "carried");
    assert_eq!(lexicon.past("run home"), "ran home");
    assert_eq!(third_person("wash the car"), "washes the car");
}

#[test]
fn patterns_are_filled() {
    let fields = Fields::from([
        ("tool".to_owned(), "+scissors".to_owned()),
        ("metal".to_owned(), "-gold".to_owned()),
        ("fruit".to_owned(), "apple".to_owned()),
    ]);
    let text = |pattern: &str| fill(pattern, &fields, &lexicon());
    assert_eq!(text("{tool|a|cap} {tool|is} sharp.").unwrap(), "Scissors are sharp.");
    assert_eq!(text("{metal|a} and {fruit|a}").unwrap(), "gold and an apple");
    assert!(text("{nothing}").is_err());
    assert!(text("{fruit|nothing}").is_err());
    assert!(text("{fruit").is_err());
}

#[test]
fn the_random_stream_is_the_published_one() {
    let mut rng = SplitMix64::new(0);
    assert_eq!(rng.next_u64(), 0xe220_a839_7b1d_cdaf);
    assert_eq!(rng.next_u64(), 0x6e78_9e6a_a1b9_65f4);
    assert!((0..1000).all(|_| rng.below(7) < 7));
    let mut items: Vec<u32> = (0..50).collect();
    rng.shuffle(&mut items);
    assert_ne!(items, (0..50).collect::<Vec<_>>());
    items.sort_unstable();
    assert_eq!(items, (0..50).collect::<Vec<_>>());
}
