//! What is known of the globals that a pickle may name: harmless, dangerous, or nothing.
//!
//! Knows names only. Invariants: a name is harmless only if it stands on a list here, exactly or as a class of
//! a listed package; a name with a dot in it never is, because the loader follows the dots to anything a
//! module happens to hold; a module's functions never are unless listed one by one.

mod dangerous;
mod harmless;

use spec::facts::DangerLevel;

use self::dangerous::{
    CODE_MODULES, COMMAND_MODULES, DANGEROUS, FILE_MODULES, IMPORT_MODULES, NETWORK_MODULES, PICKLE_MODULES,
};
use self::harmless::{CLASS_PACKAGES, HARMLESS};
use crate::numbers;

/// What is known of a global.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Harmless,
    Harm(DangerLevel, &'static str),
}

const COMMANDS: &str = "it can run commands and change files";
const CODE: &str = "it runs code that the file brings along";
const IMPORTS: &str = "it imports any module by name";
const FILES: &str = "it opens or changes files";
const NETWORK: &str = "it reaches the network";
const UNPICKLES: &str = "it unpickles further bytes, which can run anything";
const ATTRIBUTES: &str = "it reaches any attribute or variable, and so any function";
const DOTS: &str = "its name leads through other objects to something else";
const UNLISTED: &str = "it is not on the list of what is known to be harmless";

/// Judges a global by its module and name.
pub(crate) fn judge(module: &str, name: &str) -> Verdict {
    let (module, name) = modern(module, name);
    if is_listed(module, name) {
        return Verdict::Harmless;
    }
    let dangerous = |reason| Verdict::Harm(DangerLevel::Dangerous, reason);
    if let Some(reason) = danger(module, name) {
        return dangerous(reason);
    }
    if name.contains('.') {
        // `sklearn.base.warnings.sys.modules`: judged by where it passes through.
        let suspect = |part: &str| {
            part.starts_with("__") || danger(part, "").is_some() || danger("builtins", part).is_some()
        };
        return match name.split('.').any(suspect) {
            true => dangerous(DOTS),
            false => Verdict::Harm(DangerLevel::Unknown, DOTS),
        };
    }
    let is_plain = is_class(name) && is_class_package(module);
    match is_plain || is_reconstructor(module, name) || is_torch_plain(module, name) {
        true => Verdict::Harmless,
        false => Verdict::Harm(DangerLevel::Unknown, UNLISTED),
    }
}

/// Names that Python 3 translates when it reads old protocols.
fn modern<'a>(module: &'a str, name: &'a str) -> (&'a str, &'a str) {
    let module = match module {
        "__builtin__" | "exceptions" => "builtins",
        "copy_reg" => "copyreg",
        "cPickle" => "pickle",
        "UserDict" | "UserList" | "UserString" => "collections",
        _ => module,
    };
    let name = match (module, name) {
        ("builtins", "xrange") => "range",
        ("builtins", "unicode") => "str",
        ("builtins", "long") => "int",
        _ => name,
    };
    (module, name)
}

fn danger(module: &str, name: &str) -> Option<&'static str> {
    let whole = |list: &[&str]| list.iter().any(|known| is_inside(module, known));
    if whole(COMMAND_MODULES) {
        return Some(COMMANDS);
    }
    if whole(CODE_MODULES) {
        return Some(CODE);
    }
    if whole(IMPORT_MODULES) {
        return Some(IMPORTS);
    }
    if whole(FILE_MODULES) {
        return Some(FILES);
    }
    if whole(NETWORK_MODULES) {
        return Some(NETWORK);
    }
    if whole(PICKLE_MODULES) {
        return Some(UNPICKLES);
    }
    let first = name.split('.').next().unwrap_or(name);
    DANGEROUS
        .iter()
        .find(|(known, names, _)| *known == module && names.contains(&first))
        .map(|(_, _, reason)| *reason)
}

fn is_listed(module: &str, name: &str) -> bool {
    HARMLESS.iter().any(|(known, names)| *known == module && names.contains(&name))
}

/// Whether the module is one of these packages or inside of one.
fn is_class_package(module: &str) -> bool {
    CLASS_PACKAGES.iter().any(|package| is_inside(module, package)) || is_scipy_sparse(module)
}

/// Whether a module is this package or inside of it.
fn is_inside(module: &str, package: &str) -> bool {
    module.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_scipy_sparse(module: &str) -> bool {
    module == "scipy.sparse" || module.starts_with("scipy.sparse._")
}

/// A name as classes have it: `RandomForestClassifier`, `_BinMapper`. Functions and modules are lower case.
fn is_class(name: &str) -> bool {
    let first = name.trim_start_matches('_').chars().next();
    first.is_some_and(|letter| letter.is_ascii_uppercase())
}

/// Types of numbers, and functions that put numbers back into an object of a fixed class.
fn is_reconstructor(module: &str, name: &str) -> bool {
    const SPARSE: &[&str] = &["csr", "csc", "coo", "bsr", "dia", "dok", "lil"];
    let numpy = match module {
        "numpy.core.multiarray" | "numpy._core.multiarray" => matches!(name, "_reconstruct" | "scalar"),
        "numpy.core.numeric" | "numpy._core.numeric" => name == "_frombuffer",
        "numpy" => numbers::is_type(name),
        "numpy.dtypes" => name.ends_with("DType"),
        _ => false,
    };
    let sparse = is_scipy_sparse(module)
        && name
            .split_once('_')
            .is_some_and(|(kind, rest)| SPARSE.contains(&kind) && matches!(rest, "matrix" | "array"));
    let cython = module.starts_with("sklearn.")
        && is_class_package(module)
        && (name.starts_with("__pyx_unpickle_") || name == "newObj");
    numpy || sparse || cython
}

/// Storages, types and functions that put a tensor back together.
fn is_torch_plain(module: &str, name: &str) -> bool {
    /// Types that PyTorch alone has.
    const TYPES: &[&str] = &["qint8", "quint8", "qint32", "float8_e4m3fn", "float8_e5m2"];
    match module {
        "torch" => {
            matches!(name, "Size" | "device" | "Tensor")
                || numbers::is_type(name)
                || TYPES.contains(&name)
                || name.ends_with("Storage")
        }
        "torch.storage" => {
            matches!(name, "TypedStorage" | "UntypedStorage" | "_TypedStorage" | "_UntypedStorage")
        }
        "torch._utils" => matches!(
            name,
            "_rebuild_tensor"
                | "_rebuild_tensor_v2"
                | "_rebuild_tensor_v3"
                | "_rebuild_parameter"
                | "_rebuild_parameter_with_state"
                | "_rebuild_qtensor"
                | "_rebuild_sparse_tensor"
                | "_rebuild_device_tensor_from_numpy"
                | "_rebuild_meta_tensor_no_storage"
        ),
        "torch._tensor" => name == "_rebuild_from_type_v2",
        "torch.serialization" => name == "_get_layout",
        "torch.nn" | "torch.nn.utils" => is_class(name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(module: &str, name: &str) -> Option<DangerLevel> {
        match judge(module, name) {
            Verdict::Harmless => None,
            Verdict::Harm(level, _) => Some(level),
        }
    }

    #[test]
    fn a_class_of_a_known_package_is_harmless_and_a_function_of_it_is_not() {
        assert_eq!(level("sklearn.ensemble._forest", "RandomForestClassifier"), None);
        assert_eq!(level("sklearn.tree._tree", "Tree"), None);
        assert_eq!(level("sklearn.base", "clone"), Some(DangerLevel::Unknown));
        assert_eq!(level("sklearn.base", "warnings"), Some(DangerLevel::Unknown));
        assert_eq!(level("sklearnx.base", "Evil"), Some(DangerLevel::Unknown));
        assert_eq!(level("sklearn.datasets._openml", "fetch_openml"), Some(DangerLevel::Dangerous));
    }

    #[test]
    fn known_ways_to_run_code_are_dangerous_under_old_and_new_names() {
        let ways = [
            ("os", "system"),
            ("posix", "system"),
            ("nt", "system"),
            ("builtins", "eval"),
            ("__builtin__", "eval"),
            ("subprocess", "Popen"),
            ("importlib", "import_module"),
            ("runpy", "_run_code"),
            ("pty", "spawn"),
            ("numpy.testing._private.utils", "runstring"),
            ("torch.hub", "load"),
            ("cPickle", "loads"),
            ("numpy.core", "_ufunc_reconstruct"),
            ("urllib.request", "urlopen"),
            ("operator", "attrgetter"),
            ("builtins", "eval.__call__"),
            ("dill._dill", "_create_function"),
            ("timeit", "timeit"),
        ];
        for (module, name) in ways {
            assert_eq!(level(module, name), Some(DangerLevel::Dangerous), "{module}.{name}");
        }
    }

    #[test]
    fn a_name_with_dots_is_never_harmless() {
        assert_eq!(level("sklearn.base", "warnings.sys.modules"), Some(DangerLevel::Dangerous));
        assert_eq!(level("sklearn.base", "BaseEstimator.__init__"), Some(DangerLevel::Dangerous));
        assert_eq!(level("sklearn.base", "BaseEstimator.fit"), Some(DangerLevel::Unknown));
    }
}
