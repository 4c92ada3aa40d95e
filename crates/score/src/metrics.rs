//! The metrics of one answer.

use std::collections::HashMap;

use serde::Serialize;

use crate::text::{composed, normalized, rouge_tokens, squad_tokens, trimmed, visible_tokens};

/// Something for each metric: the scores of one answer, their means, the differences between two models.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Metrics<T> {
    /// Character by character.
    pub exact: T,
    /// After normalisation.
    pub normalized: T,
    /// Words in common.
    pub token_f1: T,
    /// Words in common in the same order.
    pub rouge_l: T,
}

impl Metrics<f64> {
    /// Scores one answer against the wanted one; each number is from 0 to 1.
    #[must_use]
    pub fn of(wanted: &str, answer: &str) -> Self {
        let (wanted, answer) = (composed(wanted), composed(answer));
        let one_if = |equal| if equal { 1.0 } else { 0.0 };
        // What a metric sees nothing of is compared as it stands: "A" is no answer like "", and "?" not like "!".
        let words = |tokens: fn(&str) -> Vec<String>| {
            let both = [tokens(&wanted), tokens(&answer)];
            if both.iter().any(Vec::is_empty) { [visible_tokens(&wanted), visible_tokens(&answer)] } else { both }
        };
        let ([squad_wanted, squad_answer], [rouge_wanted, rouge_answer]) = (words(squad_tokens), words(rouge_tokens));
        Self {
            exact: one_if(trimmed(&wanted) == trimmed(&answer)),
            normalized: one_if(normalized(&wanted) == normalized(&answer)),
            token_f1: token_f1(&squad_wanted, &squad_answer),
            rouge_l: rouge_l(&rouge_wanted, &rouge_answer),
        }
    }
}

impl<T> Metrics<T> {
    /// The four in the order of the fields.
    #[must_use]
    pub fn into_array(self) -> [T; 4] {
        [self.exact, self.normalized, self.token_f1, self.rouge_l]
    }
}

impl<T> From<[T; 4]> for Metrics<T> {
    fn from([exact, normalized, token_f1, rouge_l]: [T; 4]) -> Self {
        Self { exact, normalized, token_f1, rouge_l }
    }
}

/// The harmonic mean of `matches / wanted` and `matches / answer`, 0 if there is no match.
///
/// One division of whole numbers, so that answers that are equally good have the same bits, and compare as a tie.
fn f_measure(matches: usize, wanted: usize, answer: usize) -> f64 {
    if matches == 0 { 0.0 } else { (2 * matches) as f64 / (wanted + answer) as f64 }
}

/// `SQuAD`'s F1: words in common, each as often as both have it.
fn token_f1(wanted: &[String], answer: &[String]) -> f64 {
    if wanted.is_empty() || answer.is_empty() {
        return if wanted.len() == answer.len() { 1.0 } else { 0.0 };
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in wanted {
        *left.entry(word).or_default() += 1;
    }
    let mut matches = 0;
    for word in answer {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            matches += 1;
        }
    }
    f_measure(matches, wanted.len(), answer.len())
}

/// ROUGE-L of one sentence: words in common in the same order. Nothing for nothing is 0, as `rouge-score` has it.
fn rouge_l(wanted: &[String], answer: &[String]) -> f64 {
    f_measure(common_subsequence(wanted, answer), wanted.len(), answer.len())
}

/// Length of the longest common subsequence, in memory of one row of its table.
fn common_subsequence(wanted: &[String], answer: &[String]) -> usize {
    // Numbers instead of words: the table's inner loop compares nothing else.
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    for word in wanted {
        let next = numbers.len();
        numbers.entry(word).or_insert(next);
    }
    let wanted: Vec<usize> = wanted.iter().map(|word| numbers[word.as_str()]).collect();
    // row[j]: the length for the answer so far and the first j + 1 wanted words.
    let mut row = vec![0; wanted.len()];
    for number in answer.iter().filter_map(|word| numbers.get(word.as_str())) {
        let (mut left, mut above_left) = (0, 0);
        for (cell, word) in row.iter_mut().zip(&wanted) {
            let above = *cell;
            *cell = if word == number { above_left + 1 } else { above.max(left) };
            (left, above_left) = (*cell, above);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::SplitMix64;

    /// Texts of pieces that are awkward, and often equal.
    fn texts(count: usize) -> Vec<String> {
        const PIECES: [&str; 24] = [
            "the", "a", "an", "cat", "Cat", "cats", "sat", "é", "e\u{301}", "日本", "“x”", "'", "\"", ".", "!", "…",
            " ", "  ", "\n", "\u{a0}", "5", "€", "-", "İ",
        ];
        let mut rng = SplitMix64::new(7);
        let text = |rng: &mut SplitMix64| {
            let pieces = rng.below(7);
            (0..pieces).map(|_| PIECES[rng.below(PIECES.len())]).collect::<Vec<_>>().join(["", " "][rng.below(2)])
        };
        (0..count).map(|_| text(&mut rng)).collect()
    }

    #[test]
    fn properties_hold_for_all_pairs() {
        let texts = texts(400);
        let mut equal = [0; 2];
        for wanted in &texts {
            for answer in &texts {
                let scores = Metrics::of(wanted, answer);
                assert_eq!(scores, Metrics::of(answer, wanted), "symmetric: {wanted:?} {answer:?}");
                assert!(scores.into_array().iter().all(|score| (0.0..=1.0).contains(score)), "{wanted:?} {answer:?}");
                assert!(scores.exact <= scores.normalized, "exact implies normalized: {wanted:?} {answer:?}");
                if scores.normalized == 1.0 {
                    assert_eq!(scores.token_f1, 1.0, "normalized implies F1 of 1: {wanted:?} {answer:?}");
                    // Nothing at all has no words in common with nothing, as in `rouge-score`.
                    let seen = !visible_tokens(wanted).is_empty();
                    assert_eq!(scores.rouge_l, if seen { 1.0 } else { 0.0 }, "{wanted:?} {answer:?}");
                }
                equal[0] += usize::from(wanted != answer && scores.exact == 1.0);
                equal[1] += usize::from(scores.exact == 0.0 && scores.normalized == 1.0);
            }
            assert_eq!(Metrics::of(wanted, wanted).exact, 1.0);
        }
        assert!(equal[0] > 20 && equal[1] > 20, "the pairs are worth trying: {equal:?}");
    }

    #[test]
    fn what_normalisation_empties_is_compared_as_it_is() {
        let f1 = |wanted, answer| Metrics::of(wanted, answer).token_f1;
        for (wanted, answer) in [("A", ""), ("", "A"), ("the", "a"), ("?", "!"), ("...", ""), ("The", "!")] {
            assert_eq!(f1(wanted, answer), 0.0, "{wanted:?} {answer:?}");
        }
        for (wanted, answer) in [("C++", "C"), ("C#", "C"), ("F#", "F++"), ("A+", "")] {
            assert!(f1(wanted, answer) < 1.0, "{wanted:?} {answer:?}");
        }
        for (wanted, answer) in [("A", "a."), ("?", " ? "), ("C++", "c++."), ("", ""), ("A+", "a+")] {
            assert_eq!(f1(wanted, answer), 1.0, "{wanted:?} {answer:?}");
        }
        let rouge = |wanted, answer| Metrics::of(wanted, answer).rouge_l;
        assert_eq!(
            [rouge("Ö", "ö."), rouge("Ö", "Ä"), rouge("日本", "日本"), rouge("да", "нет")],
            [1.0, 0.0, 1.0, 0.0]
        );
        assert_eq!(rouge("東京です", "東京"), 2.0 * 2.0 / 6.0);
    }

    #[test]
    fn order_counts_for_rouge_l_only() {
        let scores = Metrics::of("one two three four", "four three two one");
        assert_eq!((scores.token_f1, scores.rouge_l), (1.0, 0.25));
    }

    #[test]
    fn the_subsequence_is_the_longest() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(common_subsequence(&words("a b c b d a b"), &words("b d c a b a")), 4);
        assert_eq!(common_subsequence(&words("a"), &[]), 0);
        assert_eq!(common_subsequence(&[], &words("a")), 0);
        assert_eq!(common_subsequence(&words("a a a"), &words("a a")), 2);
    }
}
