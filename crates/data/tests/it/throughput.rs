use std::sync::atomic::{AtomicU64, Ordering};

use gptune_data::{Dataset, Encoder, PromptStyle, Split, Tokenizer, preflight};

/// As many examples as Stanford Alpaca has, of about their length. That it takes seconds is for the
/// benchmark to say; here every example is counted, checked and in its place.
#[test]
fn alpaca_sized_data_is_encoded_in_order() {
    let entries: Vec<String> = (0..52_002)
        .map(|i| {
            let output = "A response of some length, with a few more words in it. ".repeat(1 + i % 4);
            format!(r#"{{"instruction": "Explain the number {i} to a child.", "input": "", "output": "{output}"}}"#)
        })
        .collect();
    let dataset = Dataset::parse("synthetic", entries.join("\n").as_bytes()).unwrap();
    let tokenizer = Tokenizer::gpt2().unwrap();
    let encoder = Encoder { tokenizer: &tokenizer, style: PromptStyle::Book, special_tokens: false };
    let count = AtomicU64::new(0);
    let encoded = encoder.encode_all(&dataset.examples, |n| _ = count.fetch_add(n, Ordering::Relaxed)).unwrap();
    assert_eq!((encoded.len(), count.into_inner()), (52_002, 52_002));
    let text = tokenizer.decode(&encoded[51_234].ids).unwrap();
    assert!(text.contains("the number 51234 to"), "{text}");
    let found = preflight(&dataset.examples, &encoded, &Split::new(52_002), 60);
    assert!(found.leaks.is_empty() && found.longest > 60);
}
