//! Files that are no JSON in UTF-8, by what they are.

/// What a file is instead, with the remedy; none for what may be JSON.
pub(super) fn foreign_kind(bytes: &[u8]) -> Option<String> {
    const MAGIC: [(&[u8], &str); 7] = [
        (b"\x1f\x8b", "compressed with gzip; unpack it with `gunzip`"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it with `unzstd`"),
        (b"PK\x03\x04", "a zip archive or a spreadsheet; unpack it, or save it as JSON"),
        (b"PAR1", "a Parquet file; save it as JSON Lines, for instance with pandas' `to_json(lines=True)`"),
        (b"ARROW1", "an Arrow file; save it as JSON Lines"),
        (b"version https://git-lfs", "a Git LFS pointer, not the data; fetch these with `git lfs pull`"),
        (b"\x80\x04", "a pickle; save it as JSON"),
    ];
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some((*what).to_owned());
    }
    if let Some(kind) = wide_text(bytes) {
        return Some(format!("text in {kind}; turn it into UTF-8 with `iconv -f {kind} -t UTF-8`"));
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        let (at, line) = (error.valid_up_to(), bytes[..error.valid_up_to()].split(|&byte| byte == b'\n').count());
        return Some(format!(
            "not UTF-8 (the byte {at}, in line {line}); turn it into UTF-8, for instance with `iconv -f LATIN1 -t UTF-8`"
        ));
    }
    let start = bytes.trim_ascii_start();
    let lower = start.iter().take(14).map(u8::to_ascii_lowercase).collect::<Vec<_>>();
    if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") {
        return Some("a web page, not the data; download the file itself".to_owned());
    }
    let first = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let is_table = |separator: u8| first.contains(&separator);
    let looks_like_json = start.first().is_none_or(|byte| b"[{\"0123456789-ntfNI".contains(byte))
        && !start.starts_with(b"\"instruction\"");
    let names_columns = ["instruction", "output", "prompt", "response"]
        .iter()
        .any(|name| first.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes())));
    let table = [(b',', "CSV"), (b';', "CSV"), (b'\t', "TSV")].into_iter().find(|(separator, _)| is_table(*separator));
    match table {
        Some((_, kind))
            if names_columns
                && !start.starts_with(b"[")
                && !start.starts_with(b"{")
                && (!looks_like_json || first.len() > 10) =>
        {
            Some(format!(
                "a table ({kind}); save it as JSON Lines, for instance with pandas' `to_json(orient='records', lines=True)`"
            ))
        }
        _ => None,
    }
}

/// The name of a wider encoding, by its mark or by the zeros between the first letters.
fn wide_text(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [b'[' | b'{', 0, 0, 0, ..] | [0, 0, 0, b'[' | b'{', ..] => {
            Some("UTF-32")
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [b'[' | b'{', 0, _, 0, ..] => Some("UTF-16LE"),
        [0, b'[' | b'{', 0, _, ..] => Some("UTF-16BE"),
        _ => None,
    }
}
