//! Where configuration and policy come from.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::config::{Config, ConfigError};
use crate::load::{self, FileEntry, FileKind};

/// Where configuration and policy come from at each load.
#[derive(Debug)]
pub struct Source {
    /// The configuration where there is no file.
    pub base: Config,
    /// The configuration's file.
    pub file: Option<PathBuf>,
    /// The policy's paths, where the command line gives them.
    pub policy: Option<Vec<PathBuf>>,
    /// How the policy is loaded.
    pub load: load::Options,
}

impl Source {
    /// The configuration and how to load, as they are now.
    pub fn read(&self) -> Result<Wanted, SourceError> {
        let mut config = match &self.file {
            None => self.base.clone(),
            Some(file) => Config::read(file).map_err(SourceError::Config)?,
        };
        if let Some(policy) = &self.policy {
            config.policy.0.clone_from(policy);
        }
        let mut load = self.load.clone();
        load.params.configuration = config.param_values();
        let file = match &self.file {
            None => None,
            Some(file) => {
                let content = std::fs::read(file).map_err(SourceError::File)?;
                let name = file.to_string_lossy();
                Some(FileEntry::of(&name, &content, FileKind::Named))
            }
        };
        Ok(Wanted { config, file, load })
    }
}

/// What a load looks at.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The configuration.
    pub config: Config,
    /// The configuration's file.
    pub file: Option<FileEntry>,
    /// How the policy is loaded.
    pub load: load::Options,
}

/// Why the configuration can't be read.
#[derive(Debug)]
pub enum SourceError {
    /// There is none, or it is wrong.
    Config(ConfigError),
    /// Its file can't be read once more.
    File(io::Error),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceError::Config(error) => write!(f, "{error}"),
            SourceError::File(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for SourceError {}
