//! Writing the zip layout of `torch.save`.

use std::io::{self, Write};

use rawzip::{ErrorKind, Header, ZipArchiveWriter, ZipFileBuilder, extra_fields::ExtraFieldId};

/// Where torch lets storages begin, in bytes, so that a mapped file can be used in place.
const ALIGNMENT: u64 = FILLER.len() as u64;
const FILLER: [u8; 64] = [b'Z'; 64];
/// The extra field of padding, named as torch names it.
const PADDING: ExtraFieldId = ExtraFieldId::new(u16::from_le_bytes(*b"FB"));
/// Bytes of a zip entry's header before its name, and of an extra field's header.
const HEADERS: u64 = 30 + 4;

/// Writes a state dict of `f32` tensors, one at a time, as `torch.save` would.
///
/// `torch.load(path, weights_only=True)` gives an `OrderedDict` in the order of writing. Files above
/// 4 GiB are written as zip64. Memory is needed for the names and shapes only.
///
/// ```
/// # use gptune_weights::PthWriter;
/// let mut writer = PthWriter::new(Vec::new())?;
/// writer.tensor("out_head.weight", &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])?;
/// let file: Vec<u8> = writer.finish()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PthWriter<W> {
    archive: ZipArchiveWriter<W>,
    pickle: Vec<u8>,
    tensors: usize,
}

impl<W: Write> PthWriter<W> {
    /// Starts a file.
    ///
    /// # Errors
    ///
    /// If writing fails.
    pub fn new(writer: W) -> io::Result<Self> {
        // An empty OrderedDict, and a mark for its items.
        let pickle = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
        let mut this = Self { archive: ZipArchiveWriter::new(writer), pickle, tensors: 0 };
        this.entry("version", |entry| entry.write_all(b"3\n"))?;
        this.entry("byteorder", |entry| entry.write_all(b"little"))?;
        Ok(this)
    }

    /// Writes a tensor: its numbers in row-major order. Names have to be different.
    ///
    /// # Errors
    ///
    /// If writing fails.
    ///
    /// # Panics
    ///
    /// If there are not as many numbers as the shape says.
    pub fn tensor(&mut self, name: &str, shape: &[usize], values: &[f32]) -> io::Result<()> {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "numbers of '{name}', of shape {shape:?}");
        let key = self.tensors.to_string();
        self.tensors += 1;
        self.entry(&format!("data/{key}"), |entry| {
            let mut bytes = [0; 1 << 14];
            let (buffer, _) = bytes.as_chunks_mut::<4>();
            for values in values.chunks(buffer.len()) {
                let filled = &mut buffer[..values.len()];
                for (bytes, value) in filled.iter_mut().zip(values) {
                    *bytes = value.to_le_bytes();
                }
                entry.write_all(filled.as_flattened())?;
            }
            Ok(())
        })?;

        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis].max(1);
        }
        self.text(name);
        self.pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        self.text("storage");
        self.pickle.extend(b"ctorch\nFloatStorage\n");
        self.text(&key);
        self.text("cpu");
        self.number(values.len());
        self.pickle.extend(b"tQK\x00");
        self.tuple(shape);
        self.tuple(&strides);
        // Needs no gradient and has no hooks.
        self.pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
        Ok(())
    }

    /// Completes the file, flushes it and gives the writer back.
    ///
    /// # Errors
    ///
    /// If writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        let mut pickle = std::mem::take(&mut self.pickle);
        pickle.extend(b"u.");
        self.entry("data.pkl", |entry| entry.write_all(&pickle))?;
        self.archive.finish().map_err(io_error)
    }

    /// Writes a stored entry whose contents are aligned.
    fn entry(&mut self, name: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let name = format!("archive/{name}");
        let start = self.archive.stream_offset() + HEADERS + name.len() as u64;
        // From one byte to all of them.
        let padding = &FILLER[(start % ALIGNMENT) as usize..];
        let entry = self.archive.new_file(&name).extra_field(PADDING, padding, Header::LOCAL);
        let (mut entry, config) = entry.and_then(ZipFileBuilder::start).map_err(io_error)?;
        let mut contents = config.wrap(&mut entry);
        write(&mut contents)?;
        let (_, descriptor) = contents.finish().map_err(io_error)?;
        entry.finish(descriptor).map(|_| ()).map_err(io_error)
    }

    fn text(&mut self, text: &str) {
        let length = u32::try_from(text.len()).expect("a name shorter than 4 GiB");
        self.pickle.push(b'X');
        self.pickle.extend(length.to_le_bytes());
        self.pickle.extend(text.as_bytes());
    }

    fn number(&mut self, number: usize) {
        if let Ok(number) = i32::try_from(number) {
            self.pickle.push(b'J');
            self.pickle.extend(number.to_le_bytes());
        } else {
            self.pickle.extend(b"\x8a\x08");
            self.pickle.extend((number as u64).to_le_bytes());
        }
    }

    fn tuple(&mut self, numbers: &[usize]) {
        self.pickle.push(b'(');
        for &number in numbers {
            self.number(number);
        }
        self.pickle.push(b't');
    }
}

/// Writes a state dict of tensors given as name, shape and numbers in row-major order, each of which is
/// dropped before the next is asked for. See [`PthWriter`], which also serves numbers that can fail to
/// come.
///
/// # Errors
///
/// If writing fails.
///
/// # Panics
///
/// If a tensor has not as many numbers as its shape says.
pub fn write_pth(
    writer: impl Write,
    tensors: impl IntoIterator<Item = (String, Vec<usize>, Vec<f32>)>,
) -> io::Result<()> {
    let mut file = PthWriter::new(writer)?;
    for (name, shape, values) in tensors {
        file.tensor(&name, &shape, &values)?;
    }
    file.finish().map(|_| ())
}

/// What the operating system said, if it was that.
fn io_error(error: rawzip::Error) -> io::Error {
    match error.into_kind() {
        ErrorKind::IO(error) => error,
        other => io::Error::other(rawzip::Error::from(other)),
    }
}
