//! Logs that are compressed.

use std::io::{self, BufRead, Read};

/// The first bytes of a gzip file (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first bytes of a zstd frame (RFC 8878, section 3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The contents of a log, by its first bytes.
pub fn plain(mut from: impl BufRead + 'static) -> io::Result<Box<dyn Read>> {
    let start = from.fill_buf()?;
    if start.starts_with(&GZIP) {
        return gzip(from);
    }
    if start.starts_with(&ZSTD) {
        return zstd(from);
    }
    Ok(Box::new(from))
}

#[cfg(feature = "compressed")]
fn gzip(from: impl BufRead + 'static) -> io::Result<Box<dyn Read>> {
    // A rotated log may be several files joined.
    Ok(Box::new(flate2::bufread::MultiGzDecoder::new(from)))
}

#[cfg(feature = "compressed")]
fn zstd(from: impl BufRead + 'static) -> io::Result<Box<dyn Read>> {
    Ok(Box::new(Frames {
        frame: Some(frame(from)?),
    }))
}

#[cfg(not(feature = "compressed"))]
fn gzip(_: impl BufRead) -> io::Result<Box<dyn Read>> {
    Err(left_out("gzip"))
}

#[cfg(not(feature = "compressed"))]
fn zstd(_: impl BufRead) -> io::Result<Box<dyn Read>> {
    Err(left_out("zstd"))
}

#[cfg(not(feature = "compressed"))]
fn left_out(format: &str) -> io::Error {
    io::Error::other(format!(
        "it is compressed with {format}, which this build can't read; decompress it, and name `-`"
    ))
}

#[cfg(feature = "compressed")]
type Frame<R> = ruzstd::decoding::StreamingDecoder<R, ruzstd::decoding::FrameDecoder>;

#[cfg(feature = "compressed")]
fn frame<R: Read>(from: R) -> io::Result<Frame<R>> {
    Frame::new(from).map_err(|error| io::Error::other(error.to_string()))
}

/// The frames of a zstd file, one after another.
#[cfg(feature = "compressed")]
struct Frames<R: Read> {
    frame: Option<Frame<R>>,
}

#[cfg(feature = "compressed")]
impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(current) = &mut self.frame else {
                return Ok(0);
            };
            let read = current.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some(current) = self.frame.take() else {
                return Ok(0);
            };
            let mut rest = current.into_inner();
            if rest.fill_buf()?.is_empty() {
                return Ok(0);
            }
            self.frame = Some(frame(rest)?);
        }
    }
}
