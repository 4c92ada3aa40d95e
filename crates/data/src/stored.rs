//! Arrays of numbers: in memory, on their way into a file, or mapped from one.

use std::{
    fmt,
    fs::File,
    io::{self, BufWriter, Write},
    marker::PhantomData,
    ops::Deref,
    path::Path,
};

use bytemuck::Pod;
use memmap2::Mmap;

/// Numbers in memory, or in a file.
pub(crate) enum Array<T> {
    Memory(Vec<T>),
    Mapped(Mmap, PhantomData<T>),
}

impl<T: Pod> Array<T> {
    /// Maps a file of numbers in this machine's order of bytes, which must not change as long as it is open.
    pub fn map(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self::default());
        }
        // SAFETY: the mapping is read-only and private to this value. Whoever changes or cuts a file of the token cache
        // meanwhile gets wrong numbers or SIGBUS; nothing of gptune does, which only adds folders and renames them.
        #[expect(unsafe_code, reason = "there is no safe way to map a file")]
        let map = unsafe { Mmap::map(&file) }?;
        if bytemuck::try_cast_slice::<u8, T>(&map).is_err() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its length is no multiple of a number's"));
        }
        Ok(Self::Mapped(map, PhantomData))
    }
}

impl<T> Default for Array<T> {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

impl<T: Pod> Deref for Array<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Memory(numbers) => numbers,
            Self::Mapped(map, _) => bytemuck::cast_slice(map),
        }
    }
}

impl<T: Pod> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} numbers", self.len())
    }
}

/// Where an array grows.
pub(crate) enum Growing<T> {
    Memory(Vec<T>),
    File(BufWriter<File>, PhantomData<T>),
}

impl<T: Pod> Growing<T> {
    /// In a new file of a folder, or in memory if there is none.
    pub fn new(folder: Option<&Path>, name: &str) -> io::Result<Self> {
        let Some(folder) = folder else { return Ok(Self::Memory(Vec::new())) };
        let file = File::options().write(true).create_new(true).open(folder.join(name))?;
        Ok(Self::File(BufWriter::with_capacity(1 << 20, file), PhantomData))
    }

    pub fn extend(&mut self, numbers: impl IntoIterator<Item = T>) -> io::Result<()> {
        match self {
            Self::Memory(all) => all.extend(numbers),
            Self::File(file, _) => {
                for number in numbers {
                    file.write_all(bytemuck::bytes_of(&number))?;
                }
            }
        }
        Ok(())
    }

    /// The array in memory, or nothing once its file is safe on the disk.
    pub fn finish(self) -> io::Result<Array<T>> {
        match self {
            Self::Memory(mut all) => {
                all.shrink_to_fit();
                Ok(Array::Memory(all))
            }
            Self::File(file, _) => {
                file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
                Ok(Array::default())
            }
        }
    }
}
