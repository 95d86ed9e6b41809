//! What all fuzz targets share: a folder in memory where it can be had, and the program's own view of panics.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use stillhouse_core::Seed;
use stillhouse_data::{DataConfig, LoadContext};
use stillhouse_experiment::{Interrupt, Silent, init_config};

/// A panic is a find, but in a library behind the border (`stillhouse_files::guarded`), where the program expects it.
pub fn init() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !stillhouse_files::is_guarded() {
            report(panic);
            std::process::abort();
        }
    }));
}

/// A folder of this process.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let builder = |place: &Path| tempfile::Builder::new().prefix("stillhouse-fuzz").tempdir_in(place);
        let folder = builder(memory).or_else(|_| builder(&std::env::temp_dir())).expect("a folder to write into");
        folder.keep()
    })
}

/// Writes a file of the folder, and says where it is.
pub fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    std::fs::create_dir_all(path.parent().expect("a file in the folder")).expect("room in memory");
    std::fs::write(&path, bytes).expect("room in memory");
    path
}

/// Loads data as a `[data]` table says it; `FOLDER` in it becomes the folder. An error is as good as a dataset.
pub fn load(data: &str) {
    let text = data.replace("FOLDER", &folder().display().to_string());
    let config: DataConfig = toml::from_str(&text).expect("a table of the target's own");
    let context = LoadContext::quiet(Seed(0));
    let _ = config.outline(&context);
    let _ = config.load(&context);
}

/// Looks into a file of the folder, and writes a config for it.
pub fn init_of(name: &str) {
    let _ = init_config(&folder().join(name).display().to_string(), &Silent, &Interrupt::new());
}
