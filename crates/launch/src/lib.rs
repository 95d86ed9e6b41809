//! Jobs to workers: local processes, dry run
