use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use gptune_data::{Corpus, CorpusOptions, DataError, Encoder, Records, Template, Tokenizer};

/// As many examples as Stanford Alpaca has, of about their length; the third cannot be read.
fn lines() -> String {
    let line = |i: usize| {
        let output = "A response of some length, with a few more words in it. ".repeat(1 + i % 4);
        match i {
            2 => r#"{"instruction": "Explain."}"#.to_owned(),
            _ => format!(r#"{{"instruction": "Explain the number {} to a child.", "output": "{output}"}}"#, i % 50_000),
        }
    };
    (0..52_002).map(|i| line(i) + "\n").collect()
}

fn read(path: &Path, cache: Option<&Path>, encoder: &Encoder<'_>) -> Result<(Corpus, u64), DataError> {
    let options = CorpusOptions { cache: cache.map(Path::to_owned), ..CorpusOptions::default() };
    let count = AtomicU64::new(0);
    let records = Records::open(&path.display().to_string())?;
    let corpus = Corpus::new(records, options, encoder, |n| _ = count.fetch_add(n, Ordering::Relaxed))?;
    Ok((corpus, count.into_inner()))
}

/// That it takes a second is for the benchmark to say; here every example is counted, checked and in its place.
#[test]
fn a_corpus_is_the_same_in_memory_and_in_its_cache() {
    let folder = tempfile::tempdir().unwrap();
    let (path, cache) = (folder.path().join("data.jsonl"), folder.path().join("cache"));
    std::fs::write(&path, lines()).unwrap();
    let (tokenizer, template) = (Tokenizer::gpt2().unwrap(), Template::default());
    let encoder = Encoder { tokenizer: &tokenizer, template: &template, special_tokens: false };
    let (memory, count) = read(&path, None, &encoder).unwrap();
    assert_eq!((memory.records(), memory.sequences.len(), memory.bad.len(), count), (52_002, 52_001, 1, 52_002));
    assert_eq!((memory.bad[0].place.nth, memory.bad[0].place.line), (2, Some(3)));
    assert_eq!(memory.numbers().take(4).collect::<Vec<_>>(), [0, 1, 3, 4]);
    let text = tokenizer.decode(&memory.sequences.get(49_000).ids).unwrap();
    assert!(text.contains("the number 49001 to") && text.ends_with("in it. <|endoftext|>"), "{text}");
    // Equal questions, and no others.
    assert_eq!((memory.question(0), memory.question(1)), (memory.question(49_999), memory.question(50_000)));
    assert_ne!(memory.question(0), memory.question(1));

    let (written, _) = read(&path, Some(&cache), &encoder).unwrap();
    let (cached, count) = read(&path, Some(&cache), &encoder).unwrap();
    assert_eq!((written.cached.as_ref().unwrap().1, cached.cached.as_ref().unwrap().1, count), (false, true, 0));
    for corpus in [&written, &cached] {
        assert_eq!(
            (&corpus.bad, corpus.preferences, corpus.shapes().collect::<Vec<_>>()),
            (&memory.bad, false, memory.shapes().collect())
        );
        for place in 0..memory.sequences.len() {
            assert_eq!(corpus.sequences.get(place), memory.sequences.get(place));
            assert_eq!(corpus.question(place), memory.question(place));
        }
        let examples = corpus.examples(&[0, 2, 52_000], &encoder).unwrap();
        let places: Vec<usize> = examples.iter().map(|example| example.place.index).collect();
        assert_eq!(places, [0, 3, 52_001]);
        assert_eq!(examples[1].instruction(), "Explain the number 3 to a child.");
    }

    // Whatever decides on ids makes another entry.
    let phi3: Template = "phi3".parse().unwrap();
    for encoder in [Encoder { template: &phi3, ..encoder }, Encoder { special_tokens: true, ..encoder }] {
        assert!(!read(&path, Some(&cache), &encoder).unwrap().0.cached.unwrap().1);
    }
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 3);

    // A damaged entry is told, and data that changed.
    let entry = &cached.cached.as_ref().unwrap().0;
    let ends = std::fs::read(entry.join("ends")).unwrap();
    std::fs::write(entry.join("questions"), &ends[8..]).unwrap();
    let error = read(&path, Some(&cache), &encoder).unwrap_err().to_string();
    assert!(error.contains("is damaged: its files do not belong together"), "{error}");
    std::fs::write(&path, lines().replace("number 3 ", "number 4 ")).unwrap();
    assert!(matches!(memory.examples(&[2], &encoder), Err(DataError::Changed { .. })));
    assert!(memory.examples(&[1], &encoder).is_ok());
    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(memory.examples(&[1], &encoder), Err(DataError::Changed { .. })));
}

#[test]
fn letters_of_tokens_are_bad_entries_by_their_key() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let template = Template::default();
    let encoder = Encoder { tokenizer: &tokenizer, template: &template, special_tokens: false };
    let text = br#"[{"question": "a<|endoftext|>", "answer": "b"}, {"question": "a", "answer": "<|endoftext|>"}]"#;
    let bad = |prompts_only| {
        let options = CorpusOptions { prompts_only, ..CorpusOptions::default() };
        let corpus = Corpus::new(Records::of_bytes("x", text.as_slice().into()), options, &encoder, |_| ()).unwrap();
        corpus.bad.into_iter().map(|entry| entry.problem).collect::<Vec<_>>()
    };
    let all = bad(false);
    assert!(all[0].starts_with("'question' contains the literal text '<|endoftext|>'"), "{all:?}");
    assert!(all[1].starts_with("'answer' contains") && all.len() == 2, "{all:?}");
    // Who is only asked for an answer does not mind what stands in the wanted one.
    assert_eq!(bad(true).len(), 1);
}
