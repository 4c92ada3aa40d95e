use std::collections::BTreeMap;

use super::english::{Lexicon, number_word, third_person};
use super::rng::SplitMix64;
use super::template::{Fields, fill};
use super::{Example, check, corpus, sample_data, to_json};

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
        assert!(!text.contains(['{', '}', '+']) || example.kind == "arithmetic", "{text}");
        assert!(text.chars().all(|c| c.is_ascii() || "éíãç".contains(c)), "{text}");
    }
    let accented = examples.iter().filter(|e| !e.output.is_ascii()).count();
    assert!(accented <= 12, "{accented} examples are not ASCII");
}

#[test]
fn the_committed_file_is_what_the_lists_give() {
    let committed = include_str!("../../../assets/sample-data.json");
    assert!(
        to_json(&sample_data().unwrap()).unwrap() == committed,
        "assets/sample-data.json is out of date; generate it again"
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

#[test]
fn the_corpus_is_plain_text_of_the_right_size() {
    let text = corpus().unwrap();
    assert!((2_500_000..=4_000_000).contains(&text.len()), "{} bytes", text.len());
    for banned in ["###", "Instruction:", "Response:", "Below is an instruction", "<|", "{", "}"] {
        assert!(!text.contains(banned), "the corpus contains {banned:?}");
    }
    assert!(text.ends_with(".\n") || text.ends_with("'\n"));
    assert_eq!(text, corpus().unwrap());
}

/// Every example can be answered from what the corpus states: some paragraph
/// names its subject and its answer within one sentence, or, for a sentence that
/// is rewritten, in neighbouring ones.
#[test]
fn the_corpus_covers_every_example() {
    let text = corpus().unwrap().to_lowercase();
    let mut missing = BTreeMap::new();
    for example in sample_data().unwrap() {
        let source = &example.source;
        let subject = source.subject.to_lowercase();
        let answer = source.answer.to_lowercase();
        let whole = subject.ends_with(['.', '?', '!']) || answer.ends_with(['.', '?', '!']);
        let (subject, answer) = (subject.trim_end_matches('.'), answer.trim_end_matches('.'));
        let found = text
            .split("\n\n")
            .filter(|paragraph| paragraph.contains(subject) && paragraph.contains(answer))
            .any(|paragraph| {
                whole || paragraph.split(". ").any(|sentence| sentence.contains(subject) && sentence.contains(answer))
            });
        if !found {
            missing.insert(source.fact.clone(), example.kind.clone());
        }
    }
    assert!(missing.is_empty(), "not in the corpus: {missing:#?}");
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
    assert_eq!(number_word(42), "forty-two");
    assert_eq!(number_word(30), "thirty");
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
