//! Rows of Parquet as JSON.

use parquet::record::{Field, Row};
use serde_json::{Map, Number, Value};

use crate::records::Entry;

/// A row as a record.
pub(super) fn entry(row: Row) -> Entry {
    let mut entry = Map::new();
    let mut problem = None;
    for (name, field) in row.into_columns() {
        let value = value(field).unwrap_or_else(|what| {
            problem.get_or_insert_with(|| format!("'{}' {what}", name.escape_debug()));
            Value::Null
        });
        entry.insert(name, value);
    }
    match problem {
        None => Ok(entry),
        Some(problem) => Err((problem, Value::Object(entry))),
    }
}

/// A field as JSON, or what it is that JSON has no word for.
fn value(field: Field) -> Result<Value, &'static str> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => flag.into(),
        Field::Byte(number) => number.into(),
        Field::Short(number) => number.into(),
        Field::Int(number) => number.into(),
        Field::Long(number) => number.into(),
        Field::UByte(number) => number.into(),
        Field::UShort(number) => number.into(),
        Field::UInt(number) => number.into(),
        Field::ULong(number) => number.into(),
        Field::Float16(number) => float(f64::from(number)),
        Field::Float(number) => float(f64::from(number)),
        Field::Double(number) => float(number),
        Field::Str(text) => text.into(),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.into(),
            Err(_) => return Err("holds bytes that are no text in UTF-8"),
        },
        // As they are written for people, as far as there are years of four digits.
        Field::Date(days) if (-719_000..2_932_000).contains(&days) => field.to_string().into(),
        Field::TimestampMillis(time) if in_range(time, 1) => field.to_string().into(),
        Field::TimestampMicros(time) if in_range(time, 1000) => field.to_string().into(),
        Field::Date(days) | Field::TimeMillis(days) => days.into(),
        Field::TimeMicros(time) | Field::TimestampMillis(time) | Field::TimestampMicros(time) => time.into(),
        Field::Decimal(decimal) => {
            let (digits, scale) = (decimal.data(), decimal.scale());
            // Some 38 digits are all that others write.
            if digits.len() > 16 || !(0..=38).contains(&scale) {
                return Err("holds a decimal number that is too long");
            }
            decimal_number(digits, scale)
        }
        Field::Group(row) => {
            let fields = row.into_columns().into_iter().map(|(name, field)| value(field).map(|value| (name, value)));
            Value::Object(fields.collect::<Result<_, _>>()?)
        }
        Field::ListInternal(list) => {
            Value::Array(list.elements().iter().map(|field| value(field.clone())).collect::<Result<_, _>>()?)
        }
        Field::MapInternal(map) => {
            let mut object = Map::new();
            for (key, field) in map.entries() {
                let Value::String(key) = value(key.clone())? else {
                    return Err("is a map whose keys are no texts");
                };
                object.insert(key, value(field.clone())?);
            }
            Value::Object(object)
        }
    })
}

/// Whether a time since 1970, in so many parts of a millisecond, is in years of four digits.
fn in_range(time: i64, parts: i64) -> bool {
    (-62_000_000_000_000..253_000_000_000_000).contains(&(time / parts))
}

/// A float; what JSON has no word for as Python writes it.
fn float(number: f64) -> Value {
    let word = if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    let special = || gptune_json::read(word.as_bytes()).unwrap_or_default();
    Number::from_f64(number).map_or_else(special, Value::Number)
}

/// A decimal, by its big-endian two's complement, as a number.
fn decimal_number(digits: &[u8], scale: i32) -> Value {
    let negative = digits.first().is_some_and(|byte| *byte >= 0x80);
    let start = if negative { -1 } else { 0 };
    let whole = digits.iter().fold(start, |whole: i128, byte| whole << 8 | i128::from(*byte));
    let scale = usize::try_from(scale).unwrap_or(0);
    let padded = format!("{:0>width$}", whole.unsigned_abs(), width = scale + 1);
    let (before, after) = padded.split_at(padded.len() - scale);
    let (sign, point) = (if whole < 0 { "-" } else { "" }, if scale == 0 { "" } else { "." });
    gptune_json::read(format!("{sign}{before}{point}{after}").as_bytes()).unwrap_or_default()
}
