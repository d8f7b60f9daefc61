//! Which Envoy has loaded the module.
//!
//! Envoy hands over structures whose layout depends on its version, and only warns if a module was
//! written for another. It offers no function that tells its version, but its executable exports the
//! callbacks of its ABI by name, and each version exports other ones. So the module reads the names
//! and loads only where they are exactly those of a version that it was tested with.

use std::ffi::CStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

/// An ABI that the module was tested with.
#[derive(Debug)]
pub struct Abi {
    /// The versions of Envoy that have it.
    pub envoy: &'static str,
    /// What Envoy itself calls it.
    #[cfg_attr(test, expect(dead_code, reason = "only `abi.rs` reads it"))]
    pub version: &'static CStr,
    /// How many callbacks it has.
    callbacks: usize,
    /// The SHA-256 digest of their names, sorted, each with a line feed.
    digest: &'static str,
}

/// The names and the layouts of all that `abi.rs` uses are the same in these.
const KNOWN: [Abi; 3] = [
    Abi {
        envoy: "1.38",
        version: c"v0.1.0",
        callbacks: 521,
        digest: "3a846f56afc637e820cf96d123aec90935c7a3d5897bdbb090049233b7de965b",
    },
    Abi {
        envoy: "1.39",
        version: c"v0.1.0",
        callbacks: 607,
        digest: "039fb2fe8b743b949d1286abec7fa3726c5570faafa7a0de3faae20169597647",
    },
    Abi {
        envoy: "1.40",
        version: c"v0.2.0",
        callbacks: 781,
        digest: "45522a9a8914fa17b3753193c505aa8f28f0fc1553a9bfe23d16d2d8dc17180e",
    },
];

/// The ABI of the program at this path.
pub fn abi(program: &Path) -> Result<&'static Abi, HostError> {
    recognise(exported(program)?)
}

fn recognise(mut names: Vec<Vec<u8>>) -> Result<&'static Abi, HostError> {
    names.sort_unstable();
    names.dedup();
    let mut context = Context::new(&SHA256);
    for name in &names {
        context.update(name);
        context.update(b"\n");
    }
    let digest: String = context
        .finish()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    KNOWN
        .iter()
        .find(|known| known.digest == digest)
        .ok_or(HostError::Unknown {
            callbacks: names.len(),
            digest,
        })
}

/// Why the module doesn't load.
#[derive(Debug)]
pub enum HostError {
    /// The program can't be read.
    Io(io::Error),
    /// It is no 64-bit little-endian ELF file with a table of the symbols that it exports.
    NotElf,
    /// Its ABI is none of those that are known.
    Unknown {
        /// How many callbacks it exports.
        callbacks: usize,
        /// The digest of their names.
        digest: String,
    },
}

impl From<io::Error> for HostError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "Envoy's executable can't be read: {error}"),
            Self::NotElf => f.write_str("Envoy's executable has no table of exported symbols"),
            Self::Unknown { callbacks, digest } => {
                write!(
                    f,
                    "this Envoy has another ABI ({callbacks} callbacks, {digest}) than "
                )?;
                for (index, known) in KNOWN.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{} ({})", known.envoy, known.callbacks)?;
                }
                f.write_str("; use a build of the module that knows it, or ext_authz")
            }
        }
    }
}

/// What the names of Envoy's callbacks begin with.
const PREFIX: &[u8] = b"envoy_dynamic_module_callback_";

/// How much of a table is read. Envoy's have less than 100 kB.
const MAX_TABLE_BYTES: u64 = 16 << 20;

/// How many section headers are read. Envoy has about 40.
const MAX_SECTIONS: u64 = 4096;

// ELF-64 (System V ABI, chapter 4): sizes of its structures, and a section type.
const HEADER_BYTES: usize = 64;
const SECTION_BYTES: usize = 64;
const SYMBOL_BYTES: usize = 24;
const SHT_DYNSYM: u64 = 11;

/// The names of the callbacks that a program exports.
fn exported(program: &Path) -> Result<Vec<Vec<u8>>, HostError> {
    let file = File::open(program)?;
    let header = read(&file, 0, HEADER_BYTES as u64)?;
    // The magic number, 64 bits, little-endian.
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Err(HostError::NotElf);
    }
    let (offset, count) = (number(&header, 40, 8)?, number(&header, 60, 2)?);
    if number(&header, 58, 2)? != SECTION_BYTES as u64 || count > MAX_SECTIONS {
        return Err(HostError::NotElf);
    }
    let sections = read(&file, offset, count * SECTION_BYTES as u64)?;
    let section = |index: u64| {
        let index = usize::try_from(index).map_err(|_| HostError::NotElf)?;
        sections
            .chunks_exact(SECTION_BYTES)
            .nth(index)
            .ok_or(HostError::NotElf)
    };
    let content = |section: &[u8]| read(&file, number(section, 24, 8)?, number(section, 32, 8)?);
    let dynsym = sections
        .chunks_exact(SECTION_BYTES)
        .find(|section| number(section, 4, 4).is_ok_and(|kind| kind == SHT_DYNSYM))
        .ok_or(HostError::NotElf)?;
    let (symbols, strings) = (content(dynsym)?, content(section(number(dynsym, 40, 4)?)?)?);
    let mut names = Vec::new();
    for symbol in symbols.chunks_exact(SYMBOL_BYTES) {
        // Section 0 stands for a symbol that is defined elsewhere.
        if number(symbol, 6, 2)? == 0 {
            continue;
        }
        let start = usize::try_from(number(symbol, 0, 4)?).map_err(|_| HostError::NotElf)?;
        let rest = strings.get(start..).ok_or(HostError::NotElf)?;
        if rest.starts_with(PREFIX) {
            let name = rest.split(|byte| *byte == 0).next().unwrap_or_default();
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

fn read(file: &File, offset: u64, bytes: u64) -> Result<Vec<u8>, HostError> {
    if bytes > MAX_TABLE_BYTES {
        return Err(HostError::NotElf);
    }
    let mut content = vec![0; usize::try_from(bytes).map_err(|_| HostError::NotElf)?];
    file.read_exact_at(&mut content, offset)?;
    Ok(content)
}

/// A little-endian number of so many bytes.
fn number(bytes: &[u8], offset: usize, length: usize) -> Result<u64, HostError> {
    let bytes = bytes
        .get(offset..offset + length)
        .ok_or(HostError::NotElf)?;
    let number = bytes.iter().rev();
    Ok(number.fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

    use super::*;
    use std::fs;

    #[test]
    fn a_program_without_envoys_callbacks_is_refused() {
        let test = std::env::current_exe().unwrap();
        let error = abi(&test).unwrap_err();
        assert!(
            matches!(error, HostError::Unknown { callbacks: 0, .. }),
            "{error}"
        );
        let told = error.to_string();
        assert!(
            told.contains("1.38 (521), 1.39 (607), 1.40 (781)"),
            "{told}"
        );
    }

    #[test]
    fn one_name_more_or_less_is_another_abi() {
        for names in [vec![], vec![b"envoy_dynamic_module_callback_log".to_vec()]] {
            assert!(matches!(recognise(names), Err(HostError::Unknown { .. })));
        }
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("envoy");
        let elf = |section_headers: u64| {
            let mut header = b"\x7fELF\x02\x01".to_vec();
            header.resize(HEADER_BYTES, 0);
            header[40..48].copy_from_slice(&section_headers.to_le_bytes());
            header[58] = 64;
            header[60] = 1;
            header
        };
        for content in [
            b"#!/bin/sh\n".to_vec(),
            vec![0; 64],
            elf(0),
            elf(u64::MAX),
            elf(64),
        ] {
            fs::write(&file, &content).unwrap();
            let error = abi(&file).unwrap_err();
            assert!(
                !matches!(error, HostError::Unknown { .. }),
                "{content:?}: {error}"
            );
        }
        assert!(matches!(
            abi(folder.path().join("none").as_path()),
            Err(HostError::Io(_))
        ));
    }
}
