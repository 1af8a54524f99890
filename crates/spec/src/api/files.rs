//! Wire types of fetching several files at once.

use serde::{Deserialize, Serialize};

use crate::name::FilePath;

/// Files of a revision that are wanted in one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WantedFiles {
    /// A branch, a tag or a commit; `main` where it is left out.
    #[serde(default = "main")]
    pub revision: String,
    /// At most 1,000.
    #[schema(value_type = Vec<String>)]
    pub paths: Vec<FilePath>,
}

fn main() -> String {
    "main".to_owned()
}
