//! A part of a vocabulary, for pretraining on a text that uses only that part.

use std::collections::BTreeSet;

use burn::{
    module::{Param, ParamId},
    tensor::{Tensor, TensorData},
};
use gptune_data::END_OF_TEXT_ID;
use gptune_model::{Embedding, Gpt2};

/// Token ids in ascending order; a token's place is its compact id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactVocabulary {
    ids: Vec<u32>,
    /// Places of the tokens that the text lacks.
    silent: Vec<usize>,
}

impl CompactVocabulary {
    /// The tokens of a text, those that have to be told apart though the text lacks them, and the end
    /// of text.
    #[must_use]
    pub fn new(text: &[u32], also: &[u32]) -> Self {
        let heard: BTreeSet<u32> = text.iter().copied().chain([END_OF_TEXT_ID]).collect();
        let all: BTreeSet<u32> = heard.iter().copied().chain(also.iter().copied()).collect();
        let ids: Vec<u32> = all.into_iter().collect();
        let silent = (0..ids.len()).filter(|place| !heard.contains(&ids[*place])).collect();
        Self { ids, silent }
    }

    /// How many tokens it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Never: the end of text is always there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The compact id of a token.
    ///
    /// # Panics
    ///
    /// If the vocabulary lacks the token.
    #[must_use]
    pub fn compact(&self, id: u32) -> u32 {
        let place = self.ids.binary_search(&id).unwrap_or_else(|_| panic!("token {id} is not in the vocabulary"));
        u32::try_from(place).unwrap_or_else(|_| unreachable!("there are fewer places than ids"))
    }

    /// Gives a model of this vocabulary the whole one, with `vocab_size` tokens.
    ///
    /// The rows of all other tokens become the mean row of the tokens that the text lacks: training
    /// has made these improbable everywhere. Where it lacks none, it is the mean of all rows.
    ///
    /// # Panics
    ///
    /// If `vocab_size` is too small for a token's id.
    #[must_use]
    pub fn expand(&self, mut model: Gpt2, vocab_size: usize) -> Gpt2 {
        model.wte = self.expand_table(&model.wte, vocab_size);
        model.lm_head = model.lm_head.map(|head| self.expand_table(&head, vocab_size));
        model
    }

    fn expand_table(&self, table: &Embedding, vocab_size: usize) -> Embedding {
        let weight = table.weight.val();
        let (device, [_, width]) = (weight.device(), weight.dims());
        let rows = weight.into_data().try_into_vec::<f32>();
        let rows = rows.unwrap_or_else(|error| unreachable!("parameters are f32: {error:?}"));
        let row = |place: usize| &rows[place * width..(place + 1) * width];
        let others: Vec<usize> =
            if self.silent.is_empty() { (0..self.ids.len()).collect() } else { self.silent.clone() };
        let mut mean = vec![0.0_f32; width];
        for place in &others {
            for (sum, value) in mean.iter_mut().zip(row(*place)) {
                *sum += value / others.len() as f32;
            }
        }
        let mut whole = mean.repeat(vocab_size);
        for (place, id) in self.ids.iter().enumerate() {
            let start = *id as usize * width;
            whole[start..start + width].copy_from_slice(row(place));
        }
        let whole = Tensor::from_data(TensorData::new(whole, [vocab_size, width]), &device);
        Embedding { weight: Param::initialized(ParamId::new(), whole) }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use gptune_model::Gpt2Config;

    use super::*;

    #[test]
    fn tokens_are_numbered_in_order_and_go_back_to_their_rows() {
        let vocabulary = CompactVocabulary::new(&[9, 4, 9], &[7, 4, 2]);
        assert_eq!(vocabulary.len(), 5);
        assert_eq!([2, 4, 7, 9, END_OF_TEXT_ID].map(|id| vocabulary.compact(id)), [0, 1, 2, 3, 4]);

        let config = Gpt2Config {
            n_layer: 1,
            n_head: 1,
            n_embd: 2,
            n_positions: 4,
            vocab_size: 5,
            tie_word_embeddings: true,
            ..Gpt2Config::named("124M").unwrap()
        };
        let model = Gpt2::init(&config, &Device::default());
        let rows = |model: &Gpt2| model.wte.weight.val().into_data().try_into_vec::<f32>().unwrap();
        let compact = rows(&model);
        let whole = rows(&vocabulary.expand(model, 50_257));
        assert_eq!(whole.len(), 2 * 50_257);
        assert_eq!(whole[18..20], compact[6..8]);
        assert_eq!(whole[2 * 50_256..], compact[8..]);
        // Tokens 2 and 7 are the ones that the text lacks.
        let mean = [0, 1].map(|at| f32::midpoint(compact[at], compact[4 + at]));
        assert!(mean.iter().zip(&whole[..2]).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
