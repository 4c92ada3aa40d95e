//! Files that hold no records, by what they are.

use super::input::Packing;

/// What a file is instead, with the remedy, by its first bytes; none for what may be text in UTF-8.
pub(super) fn kind(bytes: &[u8], packing: Packing, origin: &str) -> Option<String> {
    const MAGIC: [(&[u8], &str); 18] = [
        (b"ARROW1", "an Arrow file; save it as JSON Lines"),
        (b"FEA1", "a Feather file; save it as JSON Lines, for instance with pandas' `to_json(lines=True)`"),
        (b"\xff\xff\xff\xff", "an Arrow stream; save it as JSON Lines, for instance with datasets' `to_json`"),
        (b"PARE", "an encrypted Parquet file; save it as JSON Lines"),
        (
            b"SQLite format 3\0",
            "an SQLite database; save a table of it as CSV, for instance with `sqlite3 -header -csv`",
        ),
        (b"version https://git-lfs", "a Git LFS pointer, not the data; fetch these with `git lfs pull`"),
        (b"\x80\x02", "a pickle; save it as JSON"),
        (b"\x80\x03", "a pickle; save it as JSON"),
        (b"\x80\x04", "a pickle; save it as JSON"),
        (b"\x80\x05", "a pickle; save it as JSON"),
        (b"BZh", "compressed with bzip2; unpack it with `bunzip2`"),
        (b"\xfd7zXZ\0", "compressed with xz; unpack it with `unxz`"),
        (b"\x04\x22\x4d\x18", "compressed with lz4; unpack it with `unlz4`"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it"),
        (b"Rar!", "a RAR archive; unpack it"),
        (b"%PDF", "a PDF document, not data; save these as JSON Lines or CSV"),
        (b"\x89HDF", "an HDF5 file; save it as JSON Lines"),
        (b"\xd0\xcf\x11\xe0", "an old spreadsheet or document (.xls); save it as CSV"),
    ];
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some((*what).to_owned());
    }
    if packing != Packing::Plain {
        let unpack = packing.command();
        if Packing::of(bytes) != Packing::Plain {
            return Some(format!("compressed twice; unpack it once, with `{unpack}`"));
        }
        if bytes.starts_with(b"PAR1") {
            return Some(format!(
                "a Parquet file inside {packing}; unpack it with `{unpack}`, for a Parquet file is compressed within itself"
            ));
        }
    }
    if bytes.starts_with(b"PK\x03\x04") {
        let is_sheet = memchr::memmem::find(bytes, b"xl/").is_some() || origin.to_lowercase().ends_with(".xlsx");
        let what = if is_sheet {
            "a spreadsheet (.xlsx); save it as CSV"
        } else {
            "a zip archive or a spreadsheet; unpack it, or save it as JSON"
        };
        return Some(what.to_owned());
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some("a tar archive; unpack it with `tar -xf`, and name the files or the folder".to_owned());
    }
    let kind = wide_text(bytes)?;
    Some(format!("text in {kind}; turn it into UTF-8 with `iconv -f {kind} -t UTF-8`"))
}

/// That a text is no UTF-8 from a byte on, which counts from 0.
pub(super) fn not_utf8(at: u64, line: usize) -> String {
    format!(
        "not UTF-8 (the byte {at}, in line {line}); turn it into UTF-8, for instance with `iconv -f LATIN1 -t UTF-8`"
    )
}

/// What a text is that is no data.
pub(super) fn page(text: &[u8]) -> Option<String> {
    let start = text.trim_ascii_start();
    let lower = start.iter().take(14).map(u8::to_ascii_lowercase).collect::<Vec<_>>();
    let is_page = lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html");
    is_page.then(|| "a web page, not the data; download the file itself".to_owned())
}

/// Whether a text whose name says nothing is a table: its first line names columns.
pub(super) fn is_table(text: &[u8]) -> bool {
    let start = text.trim_ascii_start();
    let first = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let separated = first.iter().any(|byte| b",;\t".contains(byte));
    let looks_like_json = start.first().is_none_or(|byte| b"[{\"0123456789-ntfNI".contains(byte))
        && !start.starts_with(b"\"instruction\"");
    let names_columns = [
        "instruction",
        "output",
        "prompt",
        "response",
        "question",
        "answer",
        "completion",
        "messages",
        "conversations",
    ]
    .iter()
    .any(|name| first.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes())));
    separated
        && names_columns
        && !start.starts_with(b"[")
        && !start.starts_with(b"{")
        && (!looks_like_json || first.len() > 10)
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
