//! Architectures, their configuration and their files on disk
