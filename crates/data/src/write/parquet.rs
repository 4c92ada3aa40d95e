//! Records into a Parquet file, by row groups.

use std::{io, sync::Arc};

use gptune_files::NewFile;
use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::{Type, TypePtr},
};
use serde_json::{Map, Value};

use super::{
    Row,
    columns::{Columns, Kind},
};

/// Rows, and about so many bytes of texts, of a row group.
const ROWS: usize = 1 << 16;
const BYTES: usize = 64 << 20;

/// Writes rows, some of which are held until their group is full.
#[allow(clippy::struct_field_names)] // it is one of the library, around the file
pub(super) struct Writer {
    /// Until the columns are known.
    file: Option<NewFile>,
    open: Option<SerializedFileWriter<NewFile>>,
    leaves: Vec<Leaf>,
    rows: usize,
    bytes: usize,
}

/// A column of values, and where they lie in their rows.
struct Leaf {
    key: String,
    /// The key of the objects, if the column is a list of them.
    field: Option<String>,
    values: Values,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

enum Values {
    Booleans(Vec<bool>),
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Vec<ByteArray>),
}

fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        other => io::Error::other(other),
    }
}

impl Writer {
    #[expect(clippy::unnecessary_wraps, reason = "a build without Parquet refuses here")]
    pub fn new(file: NewFile) -> Result<Self, String> {
        Ok(Self { file: Some(file), open: None, leaves: Vec::new(), rows: 0, bytes: 0 })
    }

    /// Writes the schema.
    pub fn begin(&mut self, Columns(columns): &Columns) -> io::Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let mut types = Vec::with_capacity(columns.len());
        for (key, kind) in columns {
            match kind {
                Kind::List(fields) => {
                    let leaf = |(field, kind): &(String, Kind)| Leaf::new(key, Some(field), kind);
                    self.leaves.extend(fields.iter().map(leaf));
                    types.push(list_type(key, fields));
                }
                kind => {
                    self.leaves.push(Leaf::new(key, None, kind));
                    types.push(scalar_type(key, kind));
                }
            }
        }
        let types = types.into_iter().collect::<Result<Vec<_>, _>>().map_err(io_error)?;
        let schema = Type::group_type_builder("schema").with_fields(types).build().map_err(io_error)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).map_err(io_error)?;
        self.open = Some(writer);
        Ok(())
    }

    pub fn push(&mut self, rows: &[Row]) -> io::Result<()> {
        for (_, record) in rows {
            self.bytes += self.leaves.iter_mut().map(|leaf| leaf.push(record)).sum::<usize>();
            self.rows += 1;
            if self.rows >= ROWS || self.bytes >= BYTES {
                self.write_group().map_err(io_error)?;
            }
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let Some(writer) = self.open.as_mut().filter(|_| self.rows > 0) else { return Ok(()) };
        let mut group = writer.next_row_group()?;
        for leaf in &mut self.leaves {
            let Some(mut column) = group.next_column()? else { break };
            let definitions = std::mem::take(&mut leaf.definitions);
            let repetitions = std::mem::take(&mut leaf.repetitions);
            let (definitions, repetitions) = (Some(&definitions[..]), leaf.field.is_some().then_some(&repetitions[..]));
            match &mut leaf.values {
                Values::Booleans(all) => {
                    column.typed::<BoolType>().write_batch(&std::mem::take(all), definitions, repetitions)?
                }
                Values::Integers(all) => {
                    column.typed::<Int64Type>().write_batch(&std::mem::take(all), definitions, repetitions)?
                }
                Values::Floats(all) => {
                    column.typed::<DoubleType>().write_batch(&std::mem::take(all), definitions, repetitions)?
                }
                Values::Texts(all) => {
                    column.typed::<ByteArrayType>().write_batch(&std::mem::take(all), definitions, repetitions)?
                }
            };
            column.close()?;
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<NewFile> {
        self.write_group().map_err(io_error)?;
        match (self.open, self.file) {
            (Some(writer), _) => writer.into_inner().map_err(io_error),
            (None, Some(file)) => Ok(file),
            (None, None) => Err(io::Error::other("it was not begun")),
        }
    }
}

impl Leaf {
    fn new(key: &str, field: Option<&str>, kind: &Kind) -> Self {
        let values = match kind {
            Kind::Boolean => Values::Booleans(Vec::new()),
            Kind::Integer => Values::Integers(Vec::new()),
            Kind::Float => Values::Floats(Vec::new()),
            _ => Values::Texts(Vec::new()),
        };
        let field = field.map(str::to_owned);
        Self { key: key.to_owned(), field, values, definitions: Vec::new(), repetitions: Vec::new() }
    }

    /// Takes the value of a row, and says how many bytes it has.
    ///
    /// Levels as Parquet defines them: 0 for no value. In a list, 1 for one without items, 2 for an item without the
    /// field, 3 for a value; and items repeat at level 1.
    fn push(&mut self, record: &Map<String, Value>) -> usize {
        let value = record.get(&self.key).filter(|value| !value.is_null());
        let Some(field) = &self.field else {
            self.definitions.push(i16::from(value.is_some()));
            return value.map_or(0, |value| self.values.push(value));
        };
        let Some(items) = value.and_then(Value::as_array).filter(|items| !items.is_empty()) else {
            self.definitions.push(i16::from(value.is_some()));
            self.repetitions.push(0);
            return 0;
        };
        let mut bytes = 0;
        for (place, item) in items.iter().enumerate() {
            let value = item.get(field).filter(|value| !value.is_null());
            self.definitions.push(if value.is_some() { 3 } else { 2 });
            self.repetitions.push(i16::from(place > 0));
            bytes += value.map_or(0, |value| self.values.push(value));
        }
        bytes
    }
}

impl Values {
    fn push(&mut self, value: &Value) -> usize {
        // Each value is of the kind that its column was found to be.
        match self {
            Self::Booleans(all) => all.push(value.as_bool().unwrap_or_default()),
            Self::Integers(all) => all.push(value.as_i64().unwrap_or_default()),
            Self::Floats(all) => all.push(value.as_f64().unwrap_or_default()),
            Self::Texts(all) => {
                let text = value.as_str().unwrap_or_default();
                all.push(text.into());
                return text.len() + 16;
            }
        }
        8
    }
}

fn scalar_type(name: &str, kind: &Kind) -> Result<TypePtr, ParquetError> {
    let physical = match kind {
        Kind::Boolean => Physical::BOOLEAN,
        Kind::Integer => Physical::INT64,
        Kind::Float => Physical::DOUBLE,
        _ => Physical::BYTE_ARRAY,
    };
    let text = (physical == Physical::BYTE_ARRAY).then_some(LogicalType::String);
    let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
    builder.with_logical_type(text).build().map(Arc::new)
}

/// A list of objects, in the three levels of Parquet's own description.
fn list_type(name: &str, fields: &[(String, Kind)]) -> Result<TypePtr, ParquetError> {
    let fields = fields.iter().map(|(name, kind)| scalar_type(name, kind)).collect::<Result<_, _>>()?;
    let group = |name, repetition, fields, logical| {
        let builder = Type::group_type_builder(name).with_repetition(repetition).with_fields(fields);
        builder.with_logical_type(logical).build().map(Arc::new)
    };
    let element = group("element", Repetition::REQUIRED, fields, None)?;
    let list = group("list", Repetition::REPEATED, vec![element], None)?;
    group(name, Repetition::OPTIONAL, vec![list], Some(LogicalType::List))
}
