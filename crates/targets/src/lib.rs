//! Soft targets: the type, the store on disk, its verification
