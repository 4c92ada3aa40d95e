use burn::tensor::{Int, Tensor, TensorData};
use gptune_kernels::{CacheLayout, KeyValues, embedding, head_logits};

use crate::{Gpt2, Packed, Sampler, attention::Context};

/// How to continue a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GenerateOptions {
    /// Most tokens to add.
    pub max_new_tokens: usize,
    /// 0 is greedy; otherwise logits are divided by it before a token is drawn.
    pub temperature: f64,
    /// Draw among the k most likely tokens only.
    pub top_k: Option<usize>,
    /// Seed of the draws.
    pub seed: u64,
    /// Stop before this token would be appended.
    pub stop_at: Option<u32>,
    /// Choose among the first entries of the vocabulary only: a padded one has entries that stand
    /// for no text.
    pub vocabulary: Option<usize>,
}

impl GenerateOptions {
    /// Greedy continuation by at most `max_new_tokens`.
    #[must_use]
    pub fn greedy(max_new_tokens: usize) -> Self {
        Self { max_new_tokens, temperature: 0.0, top_k: None, seed: 0, stop_at: None, vocabulary: None }
    }

    /// The same, choosing among the first `vocabulary` tokens only.
    #[must_use]
    pub fn within(self, vocabulary: usize) -> Self {
        Self { vocabulary: Some(vocabulary), ..self }
    }

    /// The same, stopping before `id`.
    #[must_use]
    pub fn stopping_at(self, id: u32) -> Self {
        Self { stop_at: Some(id), ..self }
    }
}

impl Gpt2 {
    /// Continues `prompt` and returns the new ids: [`Gpt2::generate_batch`] of one.
    ///
    /// # Panics
    ///
    /// As there.
    #[must_use]
    pub fn generate(&self, prompt: &[u32], options: &GenerateOptions) -> Vec<u32> {
        let mut result = Vec::new();
        self.generate_batch(&[prompt], options, &|| true, |_, ids| result = ids);
        result
    }

    /// Continues many prompts at once. `done` is given each prompt's index and new ids as soon as it
    /// is finished. `go_on` is asked before each token; when it says no, unfinished ones are given up.
    ///
    /// A prompt is continued as if it were alone: what it draws depends on `options` only. The model
    /// sees the last [`Gpt2::context_length`] tokens. As long as a text fits, keys and values of
    /// what was seen are kept, those of a beginning that all prompts share once; finished texts leave
    /// the batch. Where a text no longer fits, positions shift with every token and each one is
    /// computed afresh.
    ///
    /// # Panics
    ///
    /// If a prompt is empty or holds an id outside the vocabulary.
    pub fn generate_batch(
        &self,
        prompts: &[&[u32]],
        options: &GenerateOptions,
        go_on: &dyn Fn() -> bool,
        mut done: impl FnMut(usize, Vec<u32>),
    ) {
        assert!(prompts.iter().all(|prompt| !prompt.is_empty()), "generation continues at least one token");
        let texts = prompts.iter().enumerate().map(|(index, prompt)| Text::new(index, prompt, options));
        let (fitting, mut others): (Vec<_>, Vec<_>) =
            texts.partition(|text| text.ids.len() <= self.context_length() && !text.finished);
        others.extend(self.generate_cached(fitting, go_on, &mut done));
        self.generate_afresh(others, go_on, &mut done);
    }

    /// Continues texts that fit the context, until they are finished or have outgrown it; returns
    /// those.
    fn generate_cached<'a>(
        &self,
        mut texts: Vec<Text<'a>>,
        go_on: &dyn Fn() -> bool,
        done: &mut impl FnMut(usize, Vec<u32>),
    ) -> Vec<Text<'a>> {
        let context = self.context_length();
        let mut outgrown = Vec::new();
        if !go_on() {
            return outgrown;
        }
        let Some((mut cache, mut logits)) = self.start(&texts) else { return outgrown };
        loop {
            for (text, logits) in
                texts.iter_mut().zip(logits.chunks(self.vocab_size())).filter(|(text, _)| !text.finished)
            {
                text.extend(logits);
                if text.finished {
                    done(text.index, text.new_ids());
                }
            }
            // Leaving the batch copies what is kept of the others, so finished texts leave in groups.
            // What a finished text adds until then is not looked at.
            let has_outgrown = |text: &Text<'_>| !text.finished && text.ids.len() > context;
            let finished = texts.iter().filter(|text| text.finished).count();
            if finished * 8 > texts.len() || finished == texts.len() || texts.iter().any(has_outgrown) {
                let leaves = |text: &Text<'_>| text.finished || has_outgrown(text);
                let staying: Vec<usize> = (0..texts.len()).filter(|&index| !leaves(&texts[index])).collect();
                let (left, stay): (Vec<_>, Vec<_>) = texts.into_iter().partition(leaves);
                outgrown.extend(left.into_iter().filter(|text| !text.finished));
                texts = stay;
                if texts.is_empty() {
                    return outgrown;
                }
                cache.keep(&staying);
            }
            if !go_on() {
                return outgrown;
            }
            logits = self.step(&texts, &mut cache);
        }
    }

    /// Continues texts one by one, each token from the last ones that the context holds.
    fn generate_afresh(&self, texts: Vec<Text<'_>>, go_on: &dyn Fn() -> bool, done: &mut impl FnMut(usize, Vec<u32>)) {
        let context = self.context_length();
        for mut text in texts {
            while !text.finished {
                if !go_on() {
                    return;
                }
                let seen = Packed::new(&[&text.ids[text.ids.len().saturating_sub(context)..]], false);
                let logits = self.last_logits(self.blocks(&seen), &seen);
                text.extend(&logits);
            }
            done(text.index, text.new_ids());
        }
    }

    /// The first pass over texts: what is kept of them, and the logits of each one's next token, `[B, V]`.
    /// None if there is no text.
    fn start(&self, texts: &[Text<'_>]) -> Option<(Cache, Vec<f32>)> {
        let ids: Vec<&[u32]> = texts.iter().map(|text| text.ids.as_slice()).collect();
        if ids.is_empty() {
            return None;
        }
        let packed = Packed::new(&ids, true);
        let mut layers = Vec::with_capacity(self.h.len());
        let mut x = self.embed(&packed);
        for block in &self.h {
            let mut layer = None;
            x = block.forward(x, Context::Keep(packed.layout(), &mut layer));
            layers.extend(layer);
        }
        let logits = self.last_logits(x, &packed);
        Some((Cache { layout: CacheLayout::new(packed.layout()), layers }, logits))
    }

    /// The logits that follow each text's last token, `[B, V]`.
    fn step(&self, texts: &[Text<'_>], cache: &mut Cache) -> Vec<f32> {
        // Finished texts may be at the end of the context.
        let last = self.context_length() - 1;
        let positions: Vec<u32> =
            cache.layout.lengths().map(|at| u32::try_from(at.min(last)).unwrap_or(u32::MAX)).collect();
        let ids: Vec<u32> = texts.iter().map(|text| text.ids[text.ids.len() - 1]).collect();
        cache.layout.grow();
        let mut x = embedding(self.wte.weight.val(), self.wpe.weight.val(), &ids, &positions); // [B, C]
        for (block, layer) in self.h.iter().zip(&mut cache.layers) {
            x = block.forward(x, Context::Continue(&cache.layout, layer));
        }
        self.logits_of_rows(x)
    }

    /// The logits that follow each sequence's last position, `[B, V]`, from the blocks' output `[N, C]`.
    fn last_logits(&self, x: Tensor<2>, packed: &Packed) -> Vec<f32> {
        let rows: Vec<i64> = packed.last_rows().into_iter().map(i64::from).collect();
        let rows = Tensor::<1, Int>::from_data(TensorData::from(rows.as_slice()), &x.device());
        self.logits_of_rows(x.select(0, rows))
    }

    fn logits_of_rows(&self, x: Tensor<2>) -> Vec<f32> {
        let logits = head_logits(self.ln_f.forward(x), self.head_weight()); // [B, V]
        let values = logits.into_data().try_into_vec::<f32>();
        values.unwrap_or_else(|error| unreachable!("logits are f32: {error:?}"))
    }
}

/// What is kept of a batch of texts.
struct Cache {
    layout: CacheLayout,
    layers: Vec<KeyValues>,
}

impl Cache {
    fn keep(&mut self, texts: &[usize]) {
        self.layout.keep(texts);
        self.layers.iter_mut().for_each(|layer| layer.keep(texts));
    }
}

/// A text that grows.
struct Text<'a> {
    index: usize,
    prompt_len: usize,
    ids: Vec<u32>,
    sampler: Sampler,
    options: &'a GenerateOptions,
    finished: bool,
}

impl<'a> Text<'a> {
    fn new(index: usize, prompt: &[u32], options: &'a GenerateOptions) -> Self {
        Self {
            index,
            prompt_len: prompt.len(),
            ids: prompt.to_vec(),
            sampler: Sampler::new(options.temperature, options.top_k, options.seed),
            options,
            finished: options.max_new_tokens == 0,
        }
    }

    /// Chooses the next token.
    fn extend(&mut self, logits: &[f32]) {
        let choices = self.options.vocabulary.unwrap_or(logits.len()).min(logits.len());
        match u32::try_from(self.sampler.choose(&logits[..choices])) {
            Ok(next) if self.options.stop_at != Some(next) => self.ids.push(next),
            _ => self.finished = true,
        }
        self.finished |= self.ids.len() == self.prompt_len + self.options.max_new_tokens;
    }

    fn new_ids(&self) -> Vec<u32> {
        self.ids[self.prompt_len..].to_vec()
    }
}
