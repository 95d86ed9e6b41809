//! Configuration, stages, pipeline, run directory, sweep, report
