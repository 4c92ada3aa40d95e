//! A training's state on disk.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use gptune_files::{NewFile, NewFolder};
use safetensors::{Dtype, View, tensor::Metadata};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::RunError;

/// The folder in a run's.
const FOLDER: &str = "checkpoint";
/// The tensors in it.
const TENSORS: &str = "state.safetensors";
/// All else.
const NUMBERS: &str = "state.json";
/// The version that is written, and the newest that is read.
const VERSION: u32 = 1;

/// The lowest validation loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The step that the evaluation followed, counting from 0.
    pub step: usize,
    /// The loss.
    pub val_loss: f64,
}

/// How far a training is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epoch, counting from 1.
    pub epoch: usize,
    /// Steps taken in this epoch.
    pub in_epoch: usize,
    /// Steps taken.
    pub step: usize,
    /// Steps after which evaluations are made.
    pub evaluated: usize,
    /// Steps that updated something.
    pub updates: usize,
    /// The lowest validation loss of an evaluation after a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// Evaluations since then.
    #[serde(default)]
    pub waited: usize,
    /// Updates that the optimizer corrects its moments for.
    pub optimizer_time: u32,
    /// Padded training tokens.
    pub tokens_seen: usize,
    /// Loss of the newest step.
    pub loss: f64,
    /// What the loss is multiplied by, and for how many steps gradients have been finite with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<(f64, u32)>,
    /// Duration so far, in seconds.
    pub seconds: f64,
}

/// `state.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Numbers {
    version: u32,
    /// Length and CRC-32C of the tensors' file.
    bytes: u64,
    crc32c: u32,
    /// Length of `metrics.jsonl`.
    metrics_bytes: u64,
    progress: Progress,
    /// What the program has to remember beside.
    program: Value,
    /// CRC-32C of all of this.
    #[serde(default)]
    check: u32,
}

impl Numbers {
    /// What `check` has to be.
    fn checksum(&self) -> io::Result<u32> {
        let Self { version, bytes, crc32c, metrics_bytes, progress, program, check: _ } = self;
        let all = serde_json::to_vec(&(version, bytes, crc32c, metrics_bytes, progress, program))?;
        Ok(crc32c::crc32c(&all))
    }
}

/// Numbers of a tensor that is stored.
pub enum Stored {
    /// Floating-point numbers, fetched when they are written.
    Floats {
        /// The shape.
        shape: Vec<usize>,
        /// Gives the numbers, row by row.
        numbers: Box<dyn Fn() -> Vec<f32>>,
    },
    /// Whole numbers in a row.
    Words([usize; 1], Vec<u32>),
}

impl Stored {
    /// Whole numbers in a row.
    #[must_use]
    pub fn words(words: Vec<u32>) -> Self {
        Self::Words([words.len()], words)
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("shape", &View::shape(self)).finish_non_exhaustive()
    }
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Floats { .. } => Dtype::F32,
            Self::Words(..) => Dtype::U32,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Floats { shape, .. } => shape,
            Self::Words(shape, _) => shape,
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(match self {
            Self::Floats { numbers, .. } => bytes_of(&numbers(), f32::to_le_bytes),
            Self::Words(_, words) => bytes_of(words, u32::to_le_bytes),
        })
    }

    fn data_len(&self) -> usize {
        4 * View::shape(self).iter().product::<usize>()
    }
}

fn bytes_of<T: Copy>(numbers: &[T], bytes: impl Fn(T) -> [u8; 4]) -> Vec<u8> {
    let mut all = vec![0; 4 * numbers.len()];
    for (place, &number) in all.as_chunks_mut().0.iter_mut().zip(numbers) {
        *place = bytes(number);
    }
    all
}

/// Writes the state of a run, in the place of the one before.
pub(crate) fn write(
    run: &Path,
    metrics_bytes: u64,
    progress: &Progress,
    program: &Value,
    tensors: Vec<(String, Stored)>,
) -> Result<(), RunError> {
    let path = run.join(FOLDER);
    let cannot = |source| RunError::Write { path: path.clone(), source };
    let folder = NewFolder::create_beside(&path).map_err(cannot)?;
    let file = NewFile::create(&folder.path().join(TENSORS)).map_err(cannot)?;
    safetensors::serialize_to_file(tensors, None, file.temporary()).map_err(io::Error::other).map_err(cannot)?;
    let (bytes, crc32c) = File::open(file.temporary()).and_then(checksum).map_err(cannot)?;
    file.commit().map_err(cannot)?;
    let (progress, program) = (progress.clone(), program.clone());
    let mut numbers = Numbers { version: VERSION, bytes, crc32c, metrics_bytes, progress, program, check: 0 };
    numbers.check = numbers.checksum().map_err(cannot)?;
    let text = serde_json::to_string_pretty(&numbers).map_err(io::Error::other).map_err(cannot)? + "\n";
    gptune_files::write(&folder.path().join(NUMBERS), text.as_bytes()).map_err(cannot)?;
    folder.replace().map_err(cannot)
}

/// Whether there is a state, as far as can be told without reading it.
pub(crate) fn is_stored(run: &Path) -> bool {
    // The one before, if a process was killed while another took its place: `gptune_files::settle` puts it back.
    [FOLDER.to_owned(), format!("{FOLDER}-old")].iter().any(|name| run.join(name).is_dir())
}

/// Removes the state of a run that needs none any more.
pub(crate) fn remove(run: &Path) -> Result<(), RunError> {
    // Under another name first: half a state would be taken for a damaged one.
    let (path, gone) = (run.join(FOLDER), run.join(".writing-forgotten"));
    let settled = gptune_files::settle(&path);
    match settled.and_then(|()| std::fs::rename(&path, &gone)).and_then(|()| std::fs::remove_dir_all(&gone)) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RunError::Write { path, source }),
        _ => Ok(()),
    }
}

/// Length and CRC-32C of a file; none if there is none.
pub(crate) fn checksum_of(path: &Path) -> io::Result<Option<(u64, u32)>> {
    match File::open(path) {
        Ok(file) => checksum(file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn checksum(mut file: File) -> io::Result<(u64, u32)> {
    let (mut bytes, mut crc) = (0, 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, crc)),
            count => {
                crc = crc32c::crc32c_append(crc, &buffer[..count]);
                bytes += count as u64;
            }
        }
    }
}

/// The stored state of a run, whole and unaltered.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    numbers: Numbers,
    file: File,
    metadata: Metadata,
    /// Where the numbers begin in the file.
    start: u64,
}

impl Checkpoint {
    /// Opens the state in a run's folder, which the caller has for himself ([`RunFolder::reopen`](crate::RunFolder::reopen));
    /// none if there is none.
    ///
    /// # Errors
    ///
    /// [`RunError::Checkpoint`] naming what is missing, cut, altered, or from a later version.
    pub fn open(run: &Path) -> Result<Option<Self>, RunError> {
        let folder = run.join(FOLDER);
        if !folder.exists() {
            return Ok(None);
        }
        let fault = |name: &str, problem: String| RunError::Checkpoint { path: folder.join(name), problem };
        let text = std::fs::read(folder.join(NUMBERS)).map_err(|error| fault(NUMBERS, error.to_string()))?;
        // First the version: what else there is, a later one may have changed.
        let any: Value = serde_json::from_slice(&text).map_err(|error| fault(NUMBERS, error.to_string()))?;
        match any["version"].as_u64() {
            Some(version) if version > u64::from(VERSION) => {
                let problem =
                    format!("it was made by a later version of gptune (its format is {version}, known is {VERSION})");
                return Err(fault(NUMBERS, problem));
            }
            Some(_) => {}
            None => return Err(fault(NUMBERS, "it has no version".to_owned())),
        }
        let numbers: Numbers = serde_json::from_value(any).map_err(|error| fault(NUMBERS, error.to_string()))?;
        if numbers.checksum().ok() != Some(numbers.check) {
            return Err(fault(
                NUMBERS,
                "its contents are not those that were written (their checksum differs)".to_owned(),
            ));
        }
        let path = folder.join(TENSORS);
        let mut file = File::open(&path).map_err(|error| fault(TENSORS, error.to_string()))?;
        let (bytes, crc32c) = file.try_clone().and_then(checksum).map_err(|error| fault(TENSORS, error.to_string()))?;
        if bytes != numbers.bytes {
            return Err(fault(TENSORS, format!("it has {bytes} bytes and should have {}", numbers.bytes)));
        }
        if crc32c != numbers.crc32c {
            return Err(fault(
                TENSORS,
                "its contents are not those that were written (their checksum differs)".to_owned(),
            ));
        }
        let unreadable = |error: &dyn std::fmt::Display| fault(TENSORS, format!("it is no safetensors file ({error})"));
        file.seek(SeekFrom::Start(0)).map_err(|error| unreadable(&error))?;
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(|error| unreadable(&error))?;
        let length = u64::from_le_bytes(length);
        let mut header = vec![0; usize::try_from(length.min(bytes)).unwrap_or(0)];
        file.read_exact(&mut header).map_err(|error| unreadable(&error))?;
        let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| unreadable(&error))?;
        let start = length.saturating_add(8);
        Ok(Some(Self { path, numbers, file, metadata, start }))
    }

    /// How far the training is.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.numbers.progress
    }

    /// What the program remembered.
    #[must_use]
    pub fn program(&self) -> &Value {
        &self.numbers.program
    }

    /// Length of `metrics.jsonl` at that time.
    #[must_use]
    pub fn metrics_bytes(&self) -> u64 {
        self.numbers.metrics_bytes
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.metadata.info(name).is_some()
    }

    /// The floating-point numbers of a tensor, row by row.
    ///
    /// # Errors
    ///
    /// [`RunError::Checkpoint`] if there is none of this name and shape.
    pub fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, RunError> {
        let (found, bytes) = self.bytes(name, Dtype::F32)?;
        if found != shape {
            return Err(self.fault(format!("'{name}' has shape {found:?}, and the model asks for {shape:?}")));
        }
        Ok(bytes.as_chunks().0.iter().map(|raw| f32::from_le_bytes(*raw)).collect())
    }

    /// Whole numbers in a row.
    ///
    /// # Errors
    ///
    /// [`RunError::Checkpoint`] if there are none of this name.
    pub fn words(&self, name: &str) -> Result<Vec<u32>, RunError> {
        let (_, bytes) = self.bytes(name, Dtype::U32)?;
        Ok(bytes.as_chunks().0.iter().map(|raw| u32::from_le_bytes(*raw)).collect())
    }

    /// Something about it that is not right.
    #[must_use]
    pub fn fault(&self, problem: String) -> RunError {
        RunError::Checkpoint { path: self.path.clone(), problem }
    }

    fn bytes(&self, name: &str, dtype: Dtype) -> Result<(Vec<usize>, Vec<u8>), RunError> {
        let info = self.metadata.info(name).filter(|info| info.dtype == dtype);
        let info = info.ok_or_else(|| self.fault(format!("it has no tensor '{name}'")))?;
        let (begin, end) = info.data_offsets;
        let count = info.shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size));
        let length =
            end.checked_sub(begin).filter(|&length| count.and_then(|count| count.checked_mul(4)) == Some(length));
        let is_within = self.numbers.bytes.checked_sub(self.start).is_some_and(|all| end as u64 <= all);
        let Some(length) = length.filter(|_| is_within) else {
            return Err(self.fault(format!("'{name}' is not where its header says")));
        };
        let mut bytes = vec![0; length];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.start + begin as u64))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|error| self.fault(error.to_string()))?;
        Ok((info.shape.clone(), bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(step: usize) -> Progress {
        Progress {
            epoch: 2,
            in_epoch: 3,
            step,
            evaluated: step,
            updates: step,
            best: Some(Best { step: 1, val_loss: 0.1 + 0.2 }),
            waited: 2,
            optimizer_time: 9,
            tokens_seen: 70,
            loss: 1.0 / 3.0,
            loss_scale: Some((65536.0, 4)),
            seconds: 0.5,
        }
    }

    fn written(run: &Path, step: usize) {
        let numbers = vec![step as f32, -0.0, f32::MIN_POSITIVE, 1e-45];
        let floats = Stored::Floats { shape: vec![2, 2], numbers: Box::new(move || numbers.clone()) };
        let tensors = vec![("a".to_owned(), floats), ("order".to_owned(), Stored::words(vec![7, u32::MAX]))];
        write(run, 12, &progress(step), &serde_json::json!({"config": "x"}), tensors).unwrap();
    }

    #[test]
    fn a_state_comes_back_bit_by_bit_and_replaces_the_one_before() {
        let run = tempfile::tempdir().unwrap();
        assert!(Checkpoint::open(run.path()).unwrap().is_none());
        for step in [5, 6] {
            written(run.path(), step);
            let found = Checkpoint::open(run.path()).unwrap().unwrap();
            assert_eq!((found.progress(), found.metrics_bytes()), (&progress(step), 12));
            let bits = |numbers: Vec<f32>| numbers.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            let wanted = bits(vec![step as f32, -0.0, f32::MIN_POSITIVE, 1e-45]);
            assert_eq!(bits(found.floats("a", &[2, 2]).unwrap()), wanted);
            assert_eq!(found.words("order").unwrap(), [7, u32::MAX]);
            assert_eq!(found.program()["config"], "x");
            assert!(found.floats("a", &[4]).unwrap_err().to_string().contains("'a' has shape [2, 2]"));
            assert!(found.floats("b", &[4]).unwrap_err().to_string().contains("no tensor 'b'"));
            assert!(found.has("a") && !found.has("b"));
        }
        assert_eq!(std::fs::read_dir(run.path()).unwrap().count(), 1, "nothing else is left");
        remove(run.path()).unwrap();
        remove(run.path()).unwrap();
        assert!(Checkpoint::open(run.path()).unwrap().is_none());
    }

    #[test]
    fn what_is_missing_cut_altered_or_later_is_named() {
        let run = tempfile::tempdir().unwrap();
        let (tensors, numbers) =
            (run.path().join("checkpoint/state.safetensors"), run.path().join("checkpoint/state.json"));
        let error = |change: &dyn Fn()| {
            written(run.path(), 5);
            change();
            Checkpoint::open(run.path()).unwrap_err().to_string()
        };
        let bytes = || std::fs::read(&tensors).unwrap();
        let cut = error(&|| std::fs::write(&tensors, &bytes()[..40]).unwrap());
        assert!(cut.contains("state.safetensors") && cut.contains("it has 40 bytes and should have"), "{cut}");
        let altered = error(&|| {
            let mut bytes = bytes();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(&tensors, bytes).unwrap();
        });
        assert!(altered.contains("state.safetensors") && altered.contains("checksum"), "{altered}");
        assert!(error(&|| std::fs::remove_file(&tensors).unwrap()).contains("state.safetensors"));
        assert!(error(&|| std::fs::remove_file(&numbers).unwrap()).contains("state.json"));
        assert!(error(&|| std::fs::write(&numbers, "{}").unwrap()).contains("no version"));
        let text = || std::fs::read_to_string(&numbers).unwrap();
        let later = error(&|| std::fs::write(&numbers, text().replace("\"version\": 1", "\"version\": 2")).unwrap());
        assert!(later.contains("later version"), "{later}");
        let further = error(&|| std::fs::write(&numbers, text().replace("\"step\": 5", "\"step\": 6")).unwrap());
        assert!(further.contains("state.json") && further.contains("checksum"), "{further}");
        let half = error(&|| std::fs::write(&numbers, &text()[..60]).unwrap());
        assert!(half.contains("state.json"), "{half}");
    }

    /// As if somebody had damaged the tensors and made the checksums fit.
    #[test]
    fn no_header_of_tensors_is_believed() {
        let run = tempfile::tempdir().unwrap();
        written(run.path(), 5);
        let folder = run.path().join(FOLDER);
        let whole = std::fs::read(folder.join(TENSORS)).unwrap();
        let numbers: Numbers = serde_json::from_slice(&std::fs::read(folder.join(NUMBERS)).unwrap()).unwrap();
        let mut random = 1_u64;
        let mut draw = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % below
        };
        let (mut refused, mut read) = (0, 0);
        for _ in 0..4000 {
            let mut bytes = whole.clone();
            for _ in 0..=draw(3) {
                let at = draw(bytes.len());
                bytes[at] = match draw(3) {
                    0 => b'0' + u8::try_from(draw(10)).unwrap(),
                    1 => bytes[at] ^ (1 << draw(8)),
                    _ => b"[]{},:\"-"[draw(8)],
                };
            }
            bytes.truncate(if draw(8) == 0 { draw(bytes.len()) } else { bytes.len() });
            std::fs::write(folder.join(TENSORS), &bytes).unwrap();
            let (progress, program) = (numbers.progress.clone(), numbers.program.clone());
            let (length, crc32c) = (bytes.len() as u64, crc32c::crc32c(&bytes));
            let mut numbers = Numbers { bytes: length, crc32c, progress, program, ..numbers };
            numbers.check = numbers.checksum().unwrap();
            std::fs::write(folder.join(NUMBERS), serde_json::to_vec(&numbers).unwrap()).unwrap();
            let all = Checkpoint::open(run.path()).and_then(|found| {
                let found = found.unwrap();
                found.floats("a", &[2, 2])?;
                found.words("order")
            });
            if all.is_ok() { read += 1 } else { refused += 1 }
        }
        assert!(refused > 1000 && read > 100, "{refused} {read}");
    }
}
