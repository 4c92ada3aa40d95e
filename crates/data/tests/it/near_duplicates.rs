use std::{
    collections::{BTreeMap, HashSet},
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering},
};

use gptune_data::{DuplicateError, MinHash, Mt19937, NearDuplicate, NearDuplicates};
use serde::Deserialize;

/// Texts, and what scikit-learn finds among them.
#[derive(Deserialize)]
struct Reference {
    key: String,
    threshold: f64,
    texts: Vec<String>,
    pairs: Vec<(usize, usize, f64)>,
}

fn search(texts: &[impl AsRef<str>], threshold: f64) -> Vec<NearDuplicate> {
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    let done = AtomicU64::new(0);
    let near =
        NearDuplicates::search(&texts, threshold, 1 << 30, |n| _ = done.fetch_add(n, Ordering::Relaxed)).unwrap();
    assert_eq!(done.into_inner(), texts.len() as u64, "every text is reported once");
    let pairs: Vec<_> = near.iter().collect();
    assert_eq!(near.count(), pairs.len() as u64);
    let seconds: HashSet<usize> = pairs.iter().map(|pair| pair.second).collect();
    assert_eq!(near.seconds().collect::<HashSet<_>>(), seconds);
    assert!(pairs.is_sorted_by_key(|pair| (pair.first, pair.second)));
    pairs
}

/// `MinHash` on texts that are in memory.
fn stream(settings: &MinHash, texts: &[impl AsRef<str>], threshold: f64) -> Vec<NearDuplicate> {
    let source = |each: &mut dyn FnMut(&str)| {
        for text in texts {
            each(text.as_ref());
        }
        Ok::<(), Infallible>(())
    };
    settings.search(threshold, source, |_, _| ()).unwrap()
}

fn places(pairs: &[NearDuplicate]) -> Vec<(usize, usize)> {
    pairs.iter().map(|pair| (pair.first, pair.second)).collect()
}

/// Compares with a file that `near_duplicates.py` wrote; returns the largest difference of similarities.
fn compare(json: &str) -> f64 {
    let mut largest = 0.0_f64;
    for Reference { key, threshold, texts, pairs } in serde_json::from_str::<Vec<Reference>>(json).unwrap() {
        for threshold in [threshold, 0.9] {
            let expected: Vec<_> = pairs.iter().filter(|pair| pair.2 > threshold).collect();
            let found = search(&texts, threshold);
            let at: Vec<_> = expected.iter().map(|(first, second, _)| (*first, *second)).collect();
            assert_eq!(places(&found), at, "{key} above {threshold}");
            for (pair, expected) in found.iter().zip(&expected) {
                largest = largest.max((pair.similarity - expected.2).abs());
            }
            println!("{key}: {} pairs of {} texts above {threshold}", found.len(), texts.len());
        }
    }
    largest
}

#[test]
fn pairs_and_similarities_are_those_of_scikit_learn() {
    let largest = compare(include_str!("../fixtures/near_duplicates.json"));
    assert!(largest < 1e-12, "{largest}");
}

/// For a person with data of their own: `near_duplicates.py DATA.json OUT.json`, and OUT.json in the variable.
#[test]
#[ignore = "needs a file of the reader's own"]
fn pairs_of_other_data_are_those_of_scikit_learn() {
    let file = std::env::var("NEAR_DUPLICATES_JSON").unwrap();
    println!("largest difference {:e}", compare(&std::fs::read_to_string(file).unwrap()));
}

/// Texts of words with a few variants of each, among them equal ones.
fn random_texts(seed: u32, count: u32) -> Vec<String> {
    let mut draws = Mt19937::new(seed);
    let mut below = |n: u32| draws.next_u32() % n;
    let words: Vec<String> = (0..60)
        .map(|_| (0..=below(7)).map(|_| char::from(b'a' + u8::try_from(below(1 + seed % 24)).unwrap())).collect())
        .collect();
    let mut texts: Vec<Vec<String>> = Vec::new();
    for number in 0..count {
        let mut text: Vec<String> = if number > 10 && below(3) == 0 {
            texts[below(number) as usize].clone()
        } else {
            (0..below(25)).map(|_| words[(below(60) * below(60) / 60) as usize].clone()).collect()
        };
        for _ in 0..below(3) {
            if !text.is_empty() {
                let at = below(u32::try_from(text.len()).unwrap()) as usize;
                text[at].clone_from(&words[below(60) as usize]);
            }
        }
        texts.push(text);
    }
    texts.iter().map(|text| text.join(" ")).collect()
}

/// The same numbers the slow way: every pair, and n-grams as texts.
fn naive(texts: &[String]) -> BTreeMap<(usize, usize), f64> {
    let grams = |text: &String| {
        let chars: Vec<char> = text.split(' ').collect::<Vec<_>>().join(" ").chars().collect();
        let mut counts = BTreeMap::<String, f64>::new();
        for n in 1..=3 {
            chars.windows(n).for_each(|gram| *counts.entry(gram.iter().collect()).or_default() += 1.0);
        }
        counts
    };
    let mut vectors: Vec<_> = texts.iter().map(grams).collect();
    let mut have_it = BTreeMap::<String, f64>::new();
    vectors.iter().flat_map(BTreeMap::keys).for_each(|gram| *have_it.entry(gram.clone()).or_default() += 1.0);
    let all = texts.iter().filter(|text| !text.is_empty()).count() as f64;
    for vector in &mut vectors {
        for (gram, weight) in vector.iter_mut() {
            *weight *= ((1.0 + all) / (1.0 + have_it[gram])).ln() + 1.0;
        }
        let norm = vector.values().map(|weight| weight * weight).sum::<f64>().sqrt();
        for weight in vector.values_mut() {
            *weight /= norm;
        }
    }
    let mut pairs = BTreeMap::new();
    for (second, b) in vectors.iter().enumerate() {
        for (first, a) in vectors[..second].iter().enumerate() {
            if texts[first].len() > 1 && texts[second].len() > 1 {
                let cosine = a.iter().filter_map(|(gram, weight)| Some(weight * b.get(gram)?)).sum();
                pairs.insert((first, second), cosine);
            }
        }
    }
    pairs
}

#[test]
fn the_search_finds_what_comparing_all_pairs_finds() {
    let mut found = 0;
    for seed in 1..25 {
        let texts = random_texts(seed, 150);
        let naive = naive(&texts);
        for threshold in [1e-12, 0.1, 0.3, 0.5, 0.75, 0.9, 0.97, 0.999] {
            let pairs = search(&texts, threshold);
            // A pair at the threshold itself may fall on either side.
            let expected: Vec<_> =
                naive.iter().filter(|(_, cosine)| **cosine > threshold + 1e-12).map(|(at, _)| *at).collect();
            let clear: Vec<_> = pairs.iter().filter(|pair| pair.similarity > threshold + 1e-12).copied().collect();
            assert_eq!(places(&clear), expected, "seed {seed}, above {threshold}");
            for pair in &pairs {
                assert!((naive[&(pair.first, pair.second)] - pair.similarity).abs() < 1e-12, "{pair:?}");
            }
            found += pairs.len();
        }
    }
    assert!(found > 10_000, "{found}");
}

#[test]
fn pairs_just_above_a_threshold_are_not_lost_to_rounding() {
    for seed in 30..36 {
        let texts = random_texts(seed, 80);
        for pair in search(&texts, 0.5).iter().filter(|pair| pair.similarity < 0.9999).step_by(7) {
            let below = pair.similarity.next_down();
            assert!(search(&texts, below).contains(pair), "{pair:?}");
            assert!(!search(&texts, pair.similarity).contains(pair), "{pair:?}");
        }
    }
}

#[test]
fn a_hundred_thousand_equal_texts_are_one_to_search() {
    let texts = vec!["Answer the question, please."; 100_000];
    let near = NearDuplicates::search(&texts, 0.9, 0, |_| ()).unwrap();
    assert_eq!(near.count(), 100_000 * 99_999 / 2);
    let last = near.iter().next().unwrap();
    assert_eq!((last.first, last.second, last.similarity), (0, 1, 1.0));
    assert_eq!(near.seconds().count(), 99_999);
}

#[test]
fn what_cannot_be_searched_is_said() {
    let texts = ["one text of words", "one text of word", "one text of wording"];
    for threshold in [0.0, 1.0, -0.5, 90.0, f64::NAN] {
        let error = NearDuplicates::search(&texts, threshold, 9, |_| ()).unwrap_err();
        assert!(error.to_string().contains("not above 0 and below 1"), "{error}");
    }
    let error = NearDuplicates::search(&texts, 0.5, 2, |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "more than 2 pairs of texts are more similar than 0.5; give a higher similarity");
    assert_eq!(NearDuplicates::search(&texts, 0.5, 3, |_| ()).unwrap().count(), 3);
    for nothing in [&[][..], &["", ""], &["!", "?!", "…"], &["a", "a"]] {
        assert_eq!(NearDuplicates::search(nothing, 0.5, 0, |_| ()).unwrap().count(), 0, "{nothing:?}");
        assert!(stream(&MinHash::default(), nothing, 0.5).is_empty(), "{nothing:?}");
    }
}

/// Long texts of their own words, and for each a copy with one word changed.
fn planted(count: u32) -> Vec<String> {
    let mut draws = Mt19937::new(5);
    let mut word = || format!("{:x}", draws.next_u32() % 5000);
    let mut texts: Vec<Vec<String>> = (0..count).map(|_| (0..40).map(|_| word()).collect()).collect();
    let mut copies = texts.clone();
    for copy in &mut copies {
        "changed".clone_into(&mut copy[17]);
    }
    texts.append(&mut copies);
    texts.iter().map(|words| words.join(" ")).collect()
}

#[test]
fn min_hash_finds_planted_copies_with_the_similarity_of_the_whole_search() {
    let texts = planted(5000);
    let exact = search(&texts, 0.8);
    let found = stream(&MinHash::default(), &texts, 0.8);
    assert_eq!(exact.len(), 5000);
    assert!(found.len() > 4950, "{}", found.len());
    for pair in &found {
        let at = exact.binary_search_by_key(&(pair.first, pair.second), |pair| (pair.first, pair.second));
        let difference = (exact[at.unwrap()].similarity - pair.similarity).abs();
        assert!(difference < 1e-3, "{pair:?} {difference}");
    }
}

#[test]
fn min_hash_of_any_number_of_threads_is_the_same() {
    let texts: Vec<String> = (40..45).flat_map(|seed| random_texts(seed, 3000)).collect();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (stream(&MinHash::default(), &texts, 0.9), search(&texts, 0.97)))
    };
    let one = with(1);
    assert!(one.0.len() > 1000 && one.0.is_sorted_by_key(|pair| (pair.first, pair.second)), "{}", one.0.len());
    assert_eq!(one, with(3));
}

#[test]
fn min_hash_links_each_of_many_equal_texts_to_an_earlier_one() {
    let kinds =
        ["What is the capital of Peru?", "Add two to seven.", "Name a tree that keeps its leaves!", "Who wrote it?"];
    let texts: Vec<&str> = kinds.into_iter().cycle().take(20_000).collect();
    let found = stream(&MinHash::default(), &texts, 0.9);
    let seconds: HashSet<usize> = found.iter().map(|pair| pair.second).collect();
    assert_eq!(seconds.len(), 20_000 - 4);
    assert!(found.len() < 2 * 20_000);
}

#[test]
fn texts_that_have_no_room_to_wait_are_compared_in_another_pass() {
    let texts = planted(5000);
    let roomy = stream(&MinHash::default(), &texts, 0.8);
    for (waiting, most) in [(0, 10_000), (200_000, 20)] {
        let settings = MinHash { waiting, ..MinHash::default() };
        let mut passes = 0;
        // With room for one text there would be thousands of passes.
        let texts = if waiting == 0 { &texts[4900..5100] } else { &texts };
        let source = |each: &mut dyn FnMut(&str)| {
            passes += 1;
            for text in texts {
                each(text);
            }
            Ok::<(), Infallible>(())
        };
        let found = settings.search(0.8, source, |_, _| ()).unwrap();
        assert!(passes <= most, "{passes}");
        if waiting > 0 {
            assert!(passes > 5, "{passes}");
            assert_eq!(found, roomy);
        }
    }
}

#[test]
fn a_source_that_fails_or_changes_is_an_error() {
    let mut pass = 0;
    let mut passes = |last: usize| {
        pass = 0;
        let source = |each: &mut dyn FnMut(&str)| {
            pass += 1;
            let texts = if pass == 1 { 10 } else { last };
            (0..texts).for_each(|_| each("the same text"));
            if last == 0 { Err("the disk is gone".parse::<u8>().unwrap_err()) } else { Ok(()) }
        };
        MinHash::default().search(0.9, source, |_, _| ()).unwrap_err()
    };
    for now in [9, 11] {
        assert!(matches!(passes(now), DuplicateError::Changed { before: 10, now: n } if n == now));
    }
    assert_eq!(passes(0).to_string(), "invalid digit found in string");
}
