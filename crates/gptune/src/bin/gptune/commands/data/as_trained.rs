//! What training would make of data that are looked at.

use gptune_data::{Collator, Encoder};

use super::Look;
use crate::args::LookArgs;

impl Look {
    pub(super) fn encoder<'a>(&'a self, args: &LookArgs) -> Encoder<'a> {
        Encoder { tokenizer: &self.tokenizer, template: &self.template, special_tokens: args.special_tokens }
    }

    /// The tokens that are kept of a sequence: as many as were asked for, and no more than a model that was named takes.
    pub(super) fn kept(&self, args: &LookArgs) -> usize {
        if args.model.is_some() { self.max_length.min(self.context) } else { self.max_length }
    }

    pub(super) fn collator(&self, args: &LookArgs) -> Collator {
        Collator::new(&self.encoder(args), None, self.kept(args), args.mask_instructions)
    }
}
