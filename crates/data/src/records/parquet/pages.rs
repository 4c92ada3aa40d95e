//! Pages of a Parquet file, refused if they ask for more room than they could need: the reader makes it without looking.

use parquet::{
    basic::Encoding,
    bloom_filter::Sbbf,
    column::page::{Page, PageMetadata, PageReader},
    errors::{ParquetError, Result as Read},
    file::{metadata::RowGroupMetaData, reader::RowGroupReader},
    record::reader::RowIter,
    schema::types::Type,
};

/// Values that any page may have, and those for each of its bytes beyond: of what is one again and again, many.
const FREE: usize = 1 << 20;
const FOR_A_BYTE: usize = 500;

/// A row group whose pages are looked at.
pub(super) struct Checked<'a>(pub Box<dyn RowGroupReader + 'a>);

impl RowGroupReader for Checked<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.0.metadata()
    }

    fn num_columns(&self) -> usize {
        self.0.num_columns()
    }

    fn get_column_page_reader(&self, column: usize) -> Read<Box<dyn PageReader>> {
        let pages = self.0.get_column_page_reader(column)?;
        let descriptor = self.0.metadata().schema_descr().column(column);
        let levels = [descriptor.max_rep_level(), descriptor.max_def_level()].map(|level| level > 0);
        Ok(Box::new(Pages { pages, levels }))
    }

    fn get_column_bloom_filter(&self, column: usize) -> Option<&Sbbf> {
        self.0.get_column_bloom_filter(column)
    }

    fn get_row_iter(&self, projection: Option<Type>) -> Read<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}

/// The pages of a column, which has repetition or definition levels, or both, or none.
struct Pages {
    pages: Box<dyn PageReader>,
    levels: [bool; 2],
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Read<Option<Page>> {
        let page = self.pages.get_next_page()?;
        match page.as_ref().map_or(Some(()), |page| check(page, self.levels)) {
            Some(()) => Ok(page),
            None => Err(ParquetError::General("a page says of itself what cannot be".to_owned())),
        }
    }

    fn peek_next_page(&mut self) -> Read<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Read<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Read<bool> {
        self.pages.at_record_boundary()
    }
}

impl Iterator for Pages {
    type Item = Read<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// Nothing for a page that cannot be.
fn check(page: &Page, levels: [bool; 2]) -> Option<()> {
    let bytes = page.buffer();
    let count = usize::try_from(page.num_values()).ok()?;
    let values = match page {
        // Each takes a byte at least, but for those of no length.
        Page::DictionaryPage { .. } => return (count <= bytes.len().max(1)).then_some(()),
        // Their lengths stand before levels. Where there are none, writers call their encoding anything.
        Page::DataPage { rep_level_encoding, def_level_encoding, .. } => levels
            .into_iter()
            .zip([rep_level_encoding, def_level_encoding])
            .filter(|(has, _)| *has)
            .try_fold(0_usize, |at, (_, encoding)| {
                let length = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
                let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
                (*encoding == Encoding::RLE).then(|| at.checked_add(4)?.checked_add(length))?
            }),
        Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
            usize::try_from(def_levels_byte_len.checked_add(*rep_levels_byte_len)?).ok()
        }
    };
    let most = bytes.len().saturating_mul(FOR_A_BYTE).saturating_add(FREE);
    // Elements of lists are kept until their row ends.
    if levels[0] && count > most {
        return None;
    }
    let most = most.min(count);
    match page.encoding() {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => deltas(bytes.get(values?..)?, most).map(drop),
        Encoding::DELTA_BYTE_ARRAY => {
            let values = bytes.get(values?..)?;
            let prefixes = deltas(values, most)?;
            deltas(values.get(prefixes..)?, most).map(drop)
        }
        _ => Some(()),
    }
}

/// The length of packed differences at the start of some bytes, if there are no more than so many.
fn deltas(bytes: &[u8], most: usize) -> Option<usize> {
    let mut at = 0;
    let block = varint(bytes, &mut at)?;
    let parts = varint(bytes, &mut at)?;
    let count = varint(bytes, &mut at)?;
    varint(bytes, &mut at)?;
    if count > most {
        return None;
    }
    let part = block.checked_div(parts).filter(|part| *part > 0)?;
    // The first stands in the head.
    let mut left = count.saturating_sub(1);
    while left > 0 {
        varint(bytes, &mut at)?;
        let widths = bytes.get(at..at.checked_add(parts)?)?;
        at += parts;
        for width in widths {
            if left == 0 {
                break;
            }
            at = at.checked_add(part.checked_mul(usize::from(*width))? / 8)?;
            left = left.saturating_sub(part);
        }
    }
    (at <= bytes.len()).then_some(at)
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return usize::try_from(number).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_end_where_they_say() {
        // Blocks of 128 in 4 parts, 34 values from 7 on: widths 1 and 2, of two parts of 32.
        let mut bytes = vec![0x80, 1, 4, 34, 14, 0, 1, 2, 0, 0];
        bytes.extend([0xff; 4 + 8]);
        assert_eq!(deltas(&bytes, 34), Some(22));
        assert_eq!(deltas(&bytes, 33), None, "more than there can be");
        assert_eq!(deltas(&bytes[..21], 34), None, "cut");
        assert_eq!(deltas(&[0, 0, 0, 0], 34), None, "no parts");
        assert_eq!(deltas(&[0x80, 1, 4, 0, 0], 34), Some(5), "none at all");
    }
}
