use burn::{backend::Flex, tensor::Tensor};

use super::{elements, from_vec, plain};
use crate::{
    key_values::{CacheLayout, KeyValues},
    slices::{CachedRows, cached_attention},
};

/// [`KeyValues::attend`] on plain flex, in place, or nothing for tensors elsewhere.
pub(crate) fn attend(cache: &mut KeyValues, qkv: &Tensor<2>, layout: &CacheLayout, heads: usize) -> Option<Tensor<2>> {
    let [b, three_c] = qkv.dims();
    let c = three_c / 3;
    let capacity = cache.own.dims()[1];
    let qkv = plain(qkv)?;
    let prefix = match &cache.prefix {
        Some(prefix) => Some(plain(prefix)?),
        None => None,
    };
    let mut own = plain(&cache.own)?;
    // The handle in the cache would make the buffer a shared one, which is copied before it is written.
    cache.own = Tensor::from_primitive::<Flex>(from_vec(Vec::new(), [0, 0, 0]));
    let newest = layout.columns() - 1;
    let rows = own.storage_mut::<f32>().chunks_exact_mut(capacity * 2 * c);
    for (own, qkv) in rows.zip(elements(&qkv).chunks_exact(3 * c)) {
        own[newest * 2 * c..][..2 * c].copy_from_slice(&qkv[c..]);
    }
    let used: Vec<_> = layout.own.iter().map(|&own| [0..own, layout.first..layout.columns()]).collect();
    let cached = CachedRows { prefix: prefix.as_ref().map_or(&[], elements), own: elements(&own), used: &used };
    let mut out = vec![0.0; b * c];
    cached_attention(elements(&qkv), cached, heads, &mut out);
    cache.own = Tensor::from_primitive::<Flex>(own);
    Some(Tensor::from_primitive::<Flex>(from_vec(out, [b, c])))
}
