//! The folder of code: a file of SQL for each function or view.

use std::collections::BTreeMap;
use std::path::Path;

/// Every `.sql` file of a folder, by its name without that; none where the folder is not here, as on another machine.
pub(crate) fn read(folder: &Path) -> Option<BTreeMap<String, String>> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let files = entries.filter(|path| path.is_file() && path.extension().is_some_and(|end| end == "sql"));
    files.map(|path| Some((path.file_stem()?.to_str()?.to_owned(), std::fs::read_to_string(&path).ok()?))).collect()
}
