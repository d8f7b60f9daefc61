//! The sources of configuration and policy.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::config::{Config, ConfigError};
use crate::load::{self, FileEntry, FileKind};

/// The sources of configuration and policy for each load.
#[derive(Debug)]
pub struct Source {
    /// The configuration to use without a file.
    pub base: Config,
    /// The configuration's file.
    pub file: Option<PathBuf>,
    /// The policy's paths, if the command line gives them.
    pub policy: Option<Vec<PathBuf>>,
    /// The candidate's paths, if the command line gives them.
    pub candidate: Option<Vec<PathBuf>>,
    /// How the policy is loaded.
    pub load: load::Options,
}

impl Source {
    /// The current configuration, and how to load the policy.
    pub fn read(&self) -> Result<Wanted, SourceError> {
        let mut config = match &self.file {
            None => self.base.clone(),
            Some(file) => Config::read(file).map_err(SourceError::Config)?,
        };
        if let Some(policy) = &self.policy {
            config.policy.0.clone_from(policy);
        }
        if let Some(candidate) = &self.candidate {
            config.candidate.0.clone_from(candidate);
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

/// The input of a load.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The configuration.
    pub config: Config,
    /// The configuration's file.
    pub file: Option<FileEntry>,
    /// How the policy is loaded.
    pub load: load::Options,
}

/// An error reading the configuration.
#[derive(Debug)]
pub enum SourceError {
    /// It is missing or has an error.
    Config(ConfigError),
    /// Its file can't be read again.
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
