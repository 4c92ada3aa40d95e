//! Writing tables, so that what is wrong with one is not its checksum.

/// The bytes of `LevelDB`'s and protobuf's variable-length integers.
pub fn varint(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while number > 127 {
        out.push(u8::try_from(number & 127).unwrap() | 128);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap());
    out
}

/// A record that shares the first `shared` bytes of its key with the key before it.
pub fn record(shared: usize, key: &[u8], value: &[u8]) -> Vec<u8> {
    [&varint(shared), &varint(key.len()), &varint(value.len()), key, value].concat()
}

/// A block of records.
pub fn block(records: &[Vec<u8>]) -> Vec<u8> {
    [&records.concat()[..], &[0, 0, 0, 0, 1, 0, 0, 0]].concat()
}

/// A table of blocks, each with its compression and checksum.
pub fn table(blocks: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let places: Vec<_> = blocks.iter().map(|(compression, block)| append(&mut out, *compression, block)).collect();
    with_index(out, &places)
}

/// Ends a table whose blocks are at `places`.
pub fn with_index(mut out: Vec<u8>, places: &[Vec<u8>]) -> Vec<u8> {
    let places: Vec<_> = places.iter().map(|place| record(0, b"z", place)).collect();
    let filters = append(&mut out, 0, &block(&[]));
    let index = append(&mut out, 0, &block(&places));
    let mut footer = [filters, index].concat();
    footer.resize(40, 0);
    out.extend(footer);
    out.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    out
}

/// Appends a block and gives its place.
pub fn append(out: &mut Vec<u8>, compression: u8, block: &[u8]) -> Vec<u8> {
    let place = [varint(out.len()), varint(block.len())].concat();
    let start = out.len();
    out.extend(block);
    out.push(compression);
    let crc = masked(&out[start..]);
    out.extend(crc);
    place
}

/// The blocks of a table, found by their checksums: those of records, that of no filters, the index.
pub fn blocks(mut table: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut blocks = Vec::new();
    while let Some(end) = (1..table.len() - 3).find(|&end| masked(&table[..end]) == table[end..end + 4]) {
        blocks.push((table[end - 1], table[..end - 1].to_vec()));
        table = &table[end + 4..];
    }
    blocks
}

fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}
